// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p * stride + k * dilation - pad])
//
// x[n, groups * cg, id, ih, iw], b[groups * mg], y[n, groups * mg, od, oh, ow], and w packed by
// conv_pack: [groups, ceil(mg / TILE_M), cg, KERNEL_D, KERNEL_H, KERNEL_W, TILE_M], zero behind the
// last channel. Every work-item computes TILE_M channels of VW pixels of a row.
// Global: tiles of pixels, tiles of channels, n.
//
// KERNEL_*, STRIDE_*, DILATION_*  the window in depth, height and width
// BIAS     1 where there is a bias
// ALIGNED  1 where ow is a multiple of VW: whole vectors are stored
// TILE_M   output channels of a work-item: 1 or a multiple of 4
// VW       output pixels of a work-item: 1 or 4
// SPLIT, WIDTH  see split.h
#include "common.h"

#ifndef KERNEL_W
#define KERNEL_D 1
#define KERNEL_H 3
#define KERNEL_W 3
#define STRIDE_D 1
#define STRIDE_H 1
#define STRIDE_W 1
#define DILATION_D 1
#define DILATION_H 1
#define DILATION_W 1
#define BIAS 1
#define ALIGNED 0
#endif
#ifndef TILE_M
#define TILE_M 4
#endif

#define TAPS (KERNEL_D * KERNEL_H * KERNEL_W)
#if KERNEL_W <= 7
#define CHUNK KERNEL_W  // taps of a row that are unrolled together
#else
#define CHUNK 1
#endif
#define SPAN ((VW - 1) * STRIDE_W + (CHUNK - 1) * DILATION_W + 1)

#include "lanes.h"
#include "split.h"

#if STORAGE != 16
#define LOAD_RESULT LOADVA
#define STORE_RESULT STOREVA
#else
#define LOAD_RESULT LOADV_ACCUM
#define STORE_RESULT STOREV_ACCUM
#endif

#if COMPUTE != 16
#define part sum
#endif

__kernel void conv_direct(
    __global const storage* x, __global const storage* w,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, const int groups, const int cg, const int mg, const int id, const int ih,
    const int iw, const int od, const int oh, const int ow, const int pad_d, const int pad_h,
    const int pad_w EPILOGUE_ARGS) {
    const int tiles_x = (ow + VW - 1) / VW;
    const int last = od * oh * tiles_x - 1;
    const bool beyond = (int)get_global_id(0) > last;
    if (SPLIT == 1 && beyond) return;
    const int tile = min((int)get_global_id(0), last);  // what is beyond comes to the barrier too
    const int row = tile / tiles_x;
    const int ox = (tile - row * tiles_x) * VW;
    const int tile_m = (int)get_global_id(1) / SPLIT;  // of all groups
    const int tiles_m = (mg + TILE_M - 1) / TILE_M;
    const int group = tile_m / tiles_m;
    const int batch = get_global_id(2);
    const int z0 = row / oh * STRIDE_D - pad_d;
    const int y0 = row % oh * STRIDE_H - pad_h;
    const int x0 = ox * STRIDE_W - pad_w;

    accum sum[TILE_M][VW];
#if COMPUTE == 16
    real part[TILE_M][VW];
#endif
#pragma unroll
    for (int i = 0; i < TILE_M; ++i)
#pragma unroll
        for (int j = 0; j < VW; ++j) {
            sum[i][j] = 0;
            part[i][j] = 0;
        }

    for (int c = SHARE; c < cg; c += SPLIT) {
        const int plane = (batch * groups + group) * cg + c;
        __global const storage* kernel_c = w + (tile_m * cg + c) * TAPS * TILE_M;
        for (int kz = 0; kz < KERNEL_D; ++kz) {
            const int iz = z0 + kz * DILATION_D;
            if (iz < 0 || iz >= id) continue;
            for (int ky = 0; ky < KERNEL_H; ++ky) {
                const int iy = y0 + ky * DILATION_H;
                if (iy < 0 || iy >= ih) continue;
                __global const storage* line = x + ((plane * id + iz) * ih + iy) * iw;
                __global const storage* weights =
                    kernel_c + (kz * KERNEL_H + ky) * KERNEL_W * TILE_M;
                for (int k0 = 0; k0 < KERNEL_W; k0 += CHUNK) {
                    real window[SPAN];
                    const int first = x0 + k0 * DILATION_W;
                    if (first >= 0 && first + SPAN <= iw) {
#pragma unroll
                        for (int j = 0; j < SPAN; ++j) window[j] = LOAD(line, first + j);
                    } else {
#pragma unroll
                        for (int j = 0; j < SPAN; ++j) {
                            const int ix = first + j;
                            const bool exists = (uint)ix < (uint)iw;
                            const real value = LOAD(line, exists ? ix : 0);
                            window[j] = exists ? value : (real)0;
                        }
                    }
#pragma unroll
                    for (int kx = 0; kx < CHUNK; ++kx) {
#if TILE_M > 1
                        real4 four[TILE_M / 4];
#pragma unroll
                        for (int i = 0; i < TILE_M / 4; ++i)
                            four[i] = LOAD4(weights, (k0 + kx) * TILE_M + i * 4);
#endif
#pragma unroll
                        for (int i = 0; i < TILE_M; ++i) {
#if TILE_M > 1
                            const real weight = LANE(four[i / 4], i % 4);
#else
                            const real weight = LOAD(weights, k0 + kx);
#endif
#pragma unroll
                            for (int j = 0; j < VW; ++j)
                                part[i][j] = MADD(weight, window[j * STRIDE_W + kx * DILATION_W],
                                                  part[i][j]);
                        }
                    }
                }
            }
        }
#if COMPUTE == 16  // half sums stay short: one input channel's
#pragma unroll
        for (int i = 0; i < TILE_M; ++i)
#pragma unroll
            for (int j = 0; j < VW; ++j) {
                sum[i][j] += part[i][j];
                part[i][j] = 0;
            }
#endif
    }

    ADD_SHARES(sum, TILE_M, VW, beyond)

    const int m = (tile_m - group * tiles_m) * TILE_M;  // within the group
#pragma unroll
    for (int i = 0; i < TILE_M; ++i) {
        if (m + i < mg) {
            const int channel = group * mg + m + i;
            const int index = ((batch * groups * mg + channel) * od * oh + row) * ow + ox;
#if BIAS
            const accum bias = LOAD_ACCUM(b, channel);
#else
            const accum bias = 0;
#endif
#if ALIGNED
#if VW == 1
            accumV value = sum[i][0] + bias;
#else
            accumV value = (accumV)(sum[i][0], sum[i][1], sum[i][2], sum[i][3]) + (accumV)bias;
#endif
            EPILOGUE(accumV, LOAD_RESULT, value, index, channel)
            STORE_RESULT(value, y, index);
#else
#pragma unroll
            for (int j = 0; j < VW; ++j) {
                if (ox + j < ow) {
                    accum value = sum[i][j] + bias;
                    EPILOGUE(accum, LOAD_ACCUM, value, index + j, channel)
                    STORE_ACCUM(value, y, index + j);
                }
            }
#endif
        }
    }
}
