// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p * stride + k * dilation - pad])
//
// x[n, groups * cg, id, ih, iw], w[groups * mg, cg, KERNEL_D, KERNEL_H, KERNEL_W], b[groups * mg],
// y[n, groups * mg, od, oh, ow]; every work-item computes TILE_M channels of TILE_X pixels of a row.
// Global: tiles of pixels, tiles of channels, n.
//
// KERNEL_*, STRIDE_*, DILATION_*  the window in depth, height and width
// BIAS    1 where there is a bias
// TILE_M  output channels of a work-item
// TILE_X  output pixels of a work-item
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
#endif
#ifndef TILE_M
#define TILE_M 4
#endif
#ifndef TILE_X
#define TILE_X 4
#endif

#define TAPS (KERNEL_D * KERNEL_H * KERNEL_W)

__kernel void conv_direct(
    __global const storage* x, __global const storage* w,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, const int n, const int groups, const int cg, const int mg, const int id,
    const int ih, const int iw, const int od, const int oh, const int ow, const int pad_d,
    const int pad_h, const int pad_w EPILOGUE_ARGS) {
    const int tiles_x = (ow + TILE_X - 1) / TILE_X;
    const int row = get_global_id(0) / tiles_x;
    if (row >= od * oh) return;
    const int ox = ((int)get_global_id(0) - row * tiles_x) * TILE_X;
    const int tiles_m = (mg + TILE_M - 1) / TILE_M;
    const int group = get_global_id(1) / tiles_m;
    const int m = ((int)get_global_id(1) - group * tiles_m) * TILE_M;  // within the group
    const int batch = get_global_id(2);
    const int z0 = row / oh * STRIDE_D - pad_d;
    const int y0 = row % oh * STRIDE_H - pad_h;
    const int x0 = ox * STRIDE_W - pad_w;

    int from[TILE_M];  // where each channel's weights start; beyond the last, the last again
#pragma unroll
    for (int i = 0; i < TILE_M; ++i) from[i] = (group * mg + min(m + i, mg - 1)) * cg * TAPS;
    accum sum[TILE_M][TILE_X];
#pragma unroll
    for (int i = 0; i < TILE_M; ++i)
#pragma unroll
        for (int j = 0; j < TILE_X; ++j) sum[i][j] = 0;

    for (int c = 0; c < cg; ++c) {
        real part[TILE_M][TILE_X];  // half sums stay short: one input channel's
#pragma unroll
        for (int i = 0; i < TILE_M; ++i)
#pragma unroll
            for (int j = 0; j < TILE_X; ++j) part[i][j] = 0;
        const int plane = (batch * groups + group) * cg + c;
        for (int kz = 0; kz < KERNEL_D; ++kz) {
            const int iz = z0 + kz * DILATION_D;
            if (iz < 0 || iz >= id) continue;
            for (int ky = 0; ky < KERNEL_H; ++ky) {
                const int iy = y0 + ky * DILATION_H;
                if (iy < 0 || iy >= ih) continue;
                __global const storage* line = x + ((plane * id + iz) * ih + iy) * iw;
                const int tap = (c * KERNEL_D + kz) * KERNEL_H * KERNEL_W + ky * KERNEL_W;
                for (int kx = 0; kx < KERNEL_W; ++kx) {
                    real value[TILE_X];
#pragma unroll
                    for (int j = 0; j < TILE_X; ++j) {
                        const int ix = x0 + j * STRIDE_W + kx * DILATION_W;
                        value[j] = ix >= 0 && ix < iw ? LOAD(line, ix) : (real)0;
                    }
#pragma unroll
                    for (int i = 0; i < TILE_M; ++i) {
                        const real weight = LOAD(w, from[i] + tap + kx);
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

#pragma unroll
    for (int i = 0; i < TILE_M; ++i) {
        if (m + i >= mg) break;
        const int channel = group * mg + m + i;
        const int start = ((batch * groups * mg + channel) * od * oh + row) * ow;
#pragma unroll
        for (int j = 0; j < TILE_X; ++j) {
            if (ox + j >= ow) break;
#if BIAS
            accum value = sum[i][j] + LOAD_ACCUM(b, channel);
#else
            accum value = sum[i][j];
#endif
            const int index = start + ox + j;
            EPILOGUE(accum, LOAD_ACCUM, value, index, channel)
            STORE_ACCUM(value, y, index);
        }
    }
}
