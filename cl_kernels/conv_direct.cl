// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p * stride + k * dilation - pad])
//
// x[n, groups * cg, id, ih, iw], b[groups * mg], y[n, groups * mg, od, oh, ow], and w packed by
// conv_pack: [groups, ceil(mg / TILE_M), cg, KERNEL_D, KERNEL_H, KERNEL_W, TILE_M], zero behind the
// last channel. Every work-item computes TILE_M channels of VW pixels of a row.
// Global: tiles of pixels, tiles of channels, n.
//
// KERNEL_*, STRIDE_*, DILATION_*  see window.h
// BIAS     1 where there is a bias
// ALIGNED  1 where ow is a multiple of VW: whole vectors are stored
// PADDED   1 where the padding lies around x, VW is 4 and a row holds all vectors of four that are
//          read: no tests in the loop, and constant distances (GPUs pay dearly for computing with
//          64-bit addresses)
// X_C, X_D, X_H  elements of a channel, slice and row of x, as numbers where PADDED
// STEP     input channels of a turn of the loop, which divide cg; halves are added up over so many,
//          then in float
// TILE_M   output channels of a work-item: 1 or a multiple of 4
// VW       output pixels of a work-item: 1 or 4
// SPLIT, WIDTH  see split.h
#include "common.h"
#include "window.h"

#ifndef BIAS
#define BIAS 1
#define ALIGNED 0
#endif
#ifndef PADDED
#define PADDED 0
#define X_C (id * ih * iw)
#define X_D (ih * iw)
#define X_H iw
#define STEP 1
#endif
#ifndef TILE_M
#define TILE_M 4
#endif

#if KERNEL_W <= 7
#define CHUNK KERNEL_W  // taps of a row that are unrolled together
#else
#define CHUNK 1
#endif
#define SPAN ((VW - 1) * STRIDE_W + (CHUNK - 1) * DILATION_W + 1)
#if PADDED && TAPS <= 9
#define UNROLL_TAPS _Pragma("unroll")
#else
#define UNROLL_TAPS
#endif

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

// The SPAN elements of a row that the tile meets at once, from p + i on.
#if PADDED
#define LOAD_WINDOW(p, i)                                            \
    real window[SPAN + 3];                                           \
    _Pragma("unroll") for (int n = 0; n < SPAN; n += 4) {            \
        const real4 next = LOAD4(p, (i) + n);                        \
        window[n] = next.s0;                                         \
        window[n + 1] = next.s1;                                     \
        window[n + 2] = next.s2;                                     \
        window[n + 3] = next.s3;                                     \
    }
#else
#define LOAD_WINDOW(p, i)                                                                \
    real window[SPAN];                                                                   \
    const int from = x0 + (i);                                                           \
    if (from >= 0 && from + SPAN <= iw) {                                                \
        _Pragma("unroll") for (int n = 0; n < SPAN; ++n) window[n] = LOAD(p, from + n);  \
    } else {                                                                             \
        _Pragma("unroll") for (int n = 0; n < SPAN; ++n) {                               \
            const bool exists = (uint)(from + n) < (uint)iw;                             \
            const real value = LOAD(p, exists ? from + n : 0);                           \
            window[n] = exists ? value : (real)0;                                        \
        }                                                                                \
    }
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
#pragma unroll
    for (int i = 0; i < TILE_M; ++i)
#pragma unroll
        for (int j = 0; j < VW; ++j) sum[i][j] = 0;

    x += ((batch * groups + group) * cg + SHARE * STEP) * X_C;
    w += (tile_m * cg + SHARE * STEP) * TAPS * TILE_M;
#if PADDED
    x += z0 * X_D + y0 * X_H + x0;
#endif
    for (int c = SHARE * STEP; c < cg; c += SPLIT * STEP) {
#if COMPUTE == 16
        real part[TILE_M][VW];
#pragma unroll
        for (int i = 0; i < TILE_M; ++i)
#pragma unroll
            for (int j = 0; j < VW; ++j) part[i][j] = 0;
#endif
#pragma unroll
        for (int tap_c = 0; tap_c < STEP; ++tap_c)
            UNROLL_TAPS
            for (int kz = 0; kz < KERNEL_D; ++kz)
                UNROLL_TAPS
                for (int ky = 0; ky < KERNEL_H; ++ky) {
#if PADDED
                    __global const storage* line =
                        x + tap_c * X_C + kz * DILATION_D * X_D + ky * DILATION_H * X_H;
#else
                    const int iz = z0 + kz * DILATION_D, iy = y0 + ky * DILATION_H;
                    if (iz < 0 || iz >= id || iy < 0 || iy >= ih) continue;
                    __global const storage* line = x + iz * X_D + iy * X_H;
#endif
                    __global const storage* weights =
                        w + ((tap_c * KERNEL_D + kz) * KERNEL_H + ky) * KERNEL_W * TILE_M;
                    for (int k0 = 0; k0 < KERNEL_W; k0 += CHUNK) {
                        LOAD_WINDOW(line, k0 * DILATION_W)
#pragma unroll
                        for (int kx = 0; kx < CHUNK; ++kx) {
#if TILE_M > 1
                            real4 four[TILE_M / 4];
#pragma unroll
                            for (int i = 0; i < TILE_M / 4; ++i)
                                four[i] = LOAD4(weights, (k0 + kx) * TILE_M + i * 4);
#endif
#pragma unroll
                            for (int j = 0; j < VW; ++j)
#pragma unroll
                                for (int i = 0; i < TILE_M; ++i) {
#if TILE_M > 1
                                    const real weight = LANE(four[i / 4], i % 4);
#else
                                    const real weight = LOAD(weights, k0 + kx);
#endif
                                    part[i][j] = MADD(weight, window[j * STRIDE_W + kx * DILATION_W],
                                                      part[i][j]);
                                }
                        }
                    }
                }
        x += SPLIT * STEP * X_C;
        w += SPLIT * STEP * TAPS * TILE_M;
#if COMPUTE == 16
#pragma unroll
        for (int i = 0; i < TILE_M; ++i)
#pragma unroll
            for (int j = 0; j < VW; ++j) sum[i][j] += part[i][j];
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
