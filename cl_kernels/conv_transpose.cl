// y[n, m, p] = epilogue(b[m] + sum over c, k, i with i * stride + k * dilation - pad = p of
//              x[n, c, i] * w[c, m, k])
//
// x[n, groups * cg, id, ih, iw], w[groups * cg, mg, KERNEL_D, KERNEL_H, KERNEL_W], b[groups * mg],
// y[n, groups * mg, od, oh, ow]. Every work-item gathers TILE_M channels of TILE_X pixels that lie
// STRIDE_W apart in a row, so that the same elements of the kernel meet all of them.
// Global: rows * STRIDE_W * tiles of such pixels, groups * tiles of channels, n.
//
// KERNEL_*, STRIDE_*, DILATION_*  see window.h
// BIAS    1 where there is a bias
// TILE_M  output channels of a work-item
// TILE_X  output pixels of a work-item
// SPLIT, WIDTH  see split.h
#include "common.h"
#include "window.h"
#include "split.h"

#ifndef BIAS
#define BIAS 1
#endif
#ifndef TILE_M
#define TILE_M 4
#endif
#ifndef TILE_X
#define TILE_X 4
#endif

__kernel void conv_transpose(
    __global const storage* x, __global const storage* w,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, const int n, const int groups, const int cg, const int mg, const int id,
    const int ih, const int iw, const int od, const int oh, const int ow, const int pad_d,
    const int pad_h, const int pad_w EPILOGUE_ARGS) {
    const int tiles_x = ((ow + STRIDE_W - 1) / STRIDE_W + TILE_X - 1) / TILE_X;
    const int last = od * oh * tiles_x * STRIDE_W - 1;
    const bool beyond = (int)get_global_id(0) > last;
    if (SPLIT == 1 && beyond) return;
    const int tile = min((int)get_global_id(0), last);  // what is beyond comes to the barrier too
    const int row = tile / (tiles_x * STRIDE_W);
    const int rest = tile - row * tiles_x * STRIDE_W;
    const int phase = rest / tiles_x;
    const int step = (rest - phase * tiles_x) * TILE_X;  // pixel of the phase
    const int tiles_m = (mg + TILE_M - 1) / TILE_M;
    const int tile_m = (int)get_global_id(1) / SPLIT;  // of all groups
    const int group = tile_m / tiles_m;
    const int m = (tile_m - group * tiles_m) * TILE_M;  // within the group
    const int batch = get_global_id(2);
    const int z0 = row / oh + pad_d, y0 = row % oh + pad_h, x0 = phase + pad_w;

    accum sum[TILE_M][TILE_X];
#pragma unroll
    for (int i = 0; i < TILE_M; ++i)
#pragma unroll
        for (int j = 0; j < TILE_X; ++j) sum[i][j] = 0;

    for (int c = SHARE; c < cg; c += SPLIT) {
        real part[TILE_M][TILE_X];  // half sums stay short: one input channel's
#pragma unroll
        for (int i = 0; i < TILE_M; ++i)
#pragma unroll
            for (int j = 0; j < TILE_X; ++j) part[i][j] = 0;
        const int channel = group * cg + c;
        for (int kz = 0; kz < KERNEL_D; ++kz) {
            const int tz = z0 - kz * DILATION_D, iz = tz / STRIDE_D;
            if (tz < 0 || iz * STRIDE_D != tz || iz >= id) continue;
            for (int ky = 0; ky < KERNEL_H; ++ky) {
                const int ty = y0 - ky * DILATION_H, iy = ty / STRIDE_H;
                if (ty < 0 || iy * STRIDE_H != ty || iy >= ih) continue;
                const int plane = (batch * groups * cg + channel) * id + iz;
                __global const storage* line = x + (plane * ih + iy) * iw;
                for (int kx = 0; kx < KERNEL_W; ++kx) {
                    const int tx = x0 - kx * DILATION_W, shift = tx / STRIDE_W;
                    if (shift * STRIDE_W != tx) continue;
                    const int tap = (kz * KERNEL_H + ky) * KERNEL_W + kx;
                    real value[TILE_X];
#pragma unroll
                    for (int j = 0; j < TILE_X; ++j) {
                        const int ix = step + j + shift;
                        value[j] = ix >= 0 && ix < iw ? LOAD(line, ix) : (real)0;
                    }
#pragma unroll
                    for (int i = 0; i < TILE_M; ++i) {  // beyond the last channel, the last again
                        const int at = (channel * mg + min(m + i, mg - 1)) * TAPS + tap;
                        const real weight = LOAD(w, at);
#pragma unroll
                        for (int j = 0; j < TILE_X; ++j)
                            part[i][j] = MADD(weight, value[j], part[i][j]);
                    }
                }
            }
        }
#pragma unroll
        for (int i = 0; i < TILE_M; ++i)
#pragma unroll
            for (int j = 0; j < TILE_X; ++j) sum[i][j] += part[i][j];
    }
    ADD_SHARES(sum, TILE_M, TILE_X, beyond)

#pragma unroll
    for (int i = 0; i < TILE_M; ++i) {
        if (m + i < mg) {
            const int channel = group * mg + m + i;
            const int start = ((batch * groups * mg + channel) * od * oh + row) * ow;
#pragma unroll
            for (int j = 0; j < TILE_X; ++j) {
                const int ox = phase + (step + j) * STRIDE_W;
                if (ox < ow) {
#if BIAS
                    accum value = sum[i][j] + LOAD_ACCUM(b, channel);
#else
                    accum value = sum[i][j];
#endif
                    const int index = start + ox;
                    EPILOGUE(accum, LOAD_ACCUM, value, index, channel)
                    STORE_ACCUM(value, y, index);
                }
            }
        }
    }
}
