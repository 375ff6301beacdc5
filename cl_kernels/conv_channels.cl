// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p * stride + k * dilation]):
// convolution on CPUs with vectors across output channels; the input is padded already.
//
// x[n, groups, cg, id, ih, iw], b[groups * mg], y[n, groups, mg, od, oh, ow], and w packed by
// conv_pack: [groups, ceil(mg / VW), cg, KERNEL_D, KERNEL_H, KERNEL_W, VW], zero behind the last
// channel. A work-item computes TILE_B * VW channels of `tiles_per_item` tiles of TILE_Y x TILE_X
// pixels. Tiles at the lower and right edge move back to end with the plane and store only what is
// not yet stored, so oh >= TILE_Y and ow >= TILE_X must hold.
// Global: chunks of tiles, tiles of channels, n * groups * UP_D * UP_H * UP_W * od.
//
// Transposed convolution is the same with weights of their own for every phase of an output's
// position modulo the strides UP: pixel p of phase f then lands at p * UP + f - crop of
// y[n, groups, mg, full_d, full_h, full_w], or nowhere. Weights [groups, UP_D * UP_H * UP_W, ...].
//
// KERNEL_*, STRIDE_*, DILATION_*  see window.h
// BIAS    1 where there is a bias
// UP_*    1, or the strides of a transposed convolution
// TILE_B  vectors of output channels of a tile
// TILE_Y, TILE_X  rows and columns of a tile
#include "common.h"
#include "window.h"

#ifndef BIAS
#define BIAS 1
#define UP_D 1
#define UP_H 1
#define UP_W 1
#endif
#ifndef TILE_B
#define TILE_B 2
#endif
#ifndef TILE_Y
#define TILE_Y 1
#endif
#ifndef TILE_X
#define TILE_X 7
#endif

#define PHASES (UP_D * UP_H * UP_W)

__kernel void conv_channels(
    __global const storage* x, __global const storage* w,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, const int groups, const int cg, const int mg, const int id, const int ih,
    const int iw, const int od, const int oh, const int ow, const int tiles_per_item
#if PHASES > 1
    , const int full_d, const int full_h, const int full_w, const int crop_d, const int crop_h,
    const int crop_w
#endif
    EPILOGUE_ARGS) {
    const int blocks = (mg + VW - 1) / VW;
    const int tiles_x = (ow + TILE_X - 1) / TILE_X;
    const int tiles = tiles_x * ((oh + TILE_Y - 1) / TILE_Y);
    const int block = get_global_id(1) * TILE_B;
    const int image = get_global_id(2) / (od * PHASES);
    const int rest = (int)get_global_id(2) - image * od * PHASES;
    const int phase = rest / od, oz = rest - phase * od;
    const int group = image % groups;
    const int tile_from = get_global_id(0) * tiles_per_item;
    const int tile_to = min(tile_from + tiles_per_item, tiles);

    __global const storage* packed[TILE_B];  // beyond the last block, the last again
#pragma unroll
    for (int i = 0; i < TILE_B; ++i)
        packed[i] = w + ((group * PHASES + phase) * blocks + min(block + i, blocks - 1)) * cg * TAPS * VW;

    for (int tile = tile_from; tile < tile_to; ++tile) {
        const int row = tile / tiles_x;
        const int oy = min(row * TILE_Y, oh - TILE_Y), skip_y = row * TILE_Y - oy;
        const int column = tile - row * tiles_x;
        const int ox = min(column * TILE_X, ow - TILE_X), skip_x = column * TILE_X - ox;
        realV sum[TILE_B][TILE_Y][TILE_X];
#pragma unroll
        for (int i = 0; i < TILE_B; ++i)
#pragma unroll
            for (int j = 0; j < TILE_Y; ++j)
#pragma unroll
                for (int k = 0; k < TILE_X; ++k) sum[i][j][k] = (realV)0;
        int at = 0;  // in the packed weights
        for (int c = 0; c < cg; ++c)
            for (int kz = 0; kz < KERNEL_D; ++kz) {
                const int slice = (image * cg + c) * id + oz * STRIDE_D + kz * DILATION_D;
                for (int ky = 0; ky < KERNEL_H; ++ky) {
                    const int line = (slice * ih + oy * STRIDE_H + ky * DILATION_H) * iw;
                    __global const storage* values = x + line + ox * STRIDE_W;
                    for (int kx = 0; kx < KERNEL_W; ++kx) {
                        realV weight[TILE_B];
#pragma unroll
                        for (int i = 0; i < TILE_B; ++i) weight[i] = LOADV(packed[i], at);
#pragma unroll
                        for (int j = 0; j < TILE_Y; ++j)
#pragma unroll
                            for (int k = 0; k < TILE_X; ++k) {
                                const realV value =
                                    (realV)LOAD(values, j * STRIDE_H * iw + k * STRIDE_W);
#pragma unroll
                                for (int i = 0; i < TILE_B; ++i)
                                    sum[i][j][k] = MADD(value, weight[i], sum[i][j][k]);
                            }
                        values += DILATION_W;
                        at += VW;
                    }
                }
            }
#pragma unroll
        for (int i = 0; i < TILE_B; ++i)
#pragma unroll
            for (int j = 0; j < TILE_Y; ++j) {
                real lanes[TILE_X * VW];
#pragma unroll
                for (int k = 0; k < TILE_X; ++k) CAT(vstore, VW)(sum[i][j][k], k, lanes);
                if (j < skip_y) continue;
#if PHASES > 1
                const int z = oz * UP_D + phase / (UP_H * UP_W) - crop_d;
                const int line = (oy + j) * UP_H + phase / UP_W % UP_H - crop_h;
                const int shift = phase % UP_W - crop_w;
                if (z < 0 || z >= full_d || line < 0 || line >= full_h) continue;
#endif
                const int m = (block + i) * VW;
                for (int l = 0; l < VW && m + l < mg; ++l) {
                    const int channel = group * mg + m + l;
#if BIAS
                    const real bias = LOAD(b, channel);
#else
                    const real bias = 0;
#endif
#if PHASES > 1
                    const int start = (((image * mg + m + l) * full_d + z) * full_h + line) * full_w;
#else
                    const int start = (((image * mg + m + l) * od + oz) * oh + oy + j) * ow + ox;
#endif
                    for (int k = skip_x; k < TILE_X; ++k) {
#if PHASES > 1
                        const int column = (ox + k) * UP_W + shift;
                        if (column < 0 || column >= full_w) continue;
                        const int index = start + column;
#else
                        const int index = start + k;
#endif
                        accum value = lanes[k * VW + l] + bias;
                        EPILOGUE(accum, LOAD_ACCUM, value, index, channel)
                        STORE_ACCUM(value, y, index);
                    }
                }
            }
    }
}
