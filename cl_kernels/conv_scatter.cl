// y[n, m, p] = epilogue(b[m] + sum of w[c, m, k] * x[n, c, i] over all c, k and i with
// i * stride + k * dilation - pad = p): transposed convolution of small images on CPUs.
//
// x[n, GROUPS * CG, IN], w[GROUPS * CG, MG, KERNEL], b[GROUPS * MG], y[n, GROUPS * MG, OUT]. A
// work-item adds up one output channel in private memory, tap by tap: every vector of a row of x
// goes, summed over the channels, to one place. There FULL_* elements have room, of which the output
// is what remains behind PAD_*. STRIDE_W is 1, and VW divides IN_W.
//
// TILE_Y   rows of x at once
// BIAS     1 where there is a bias
#include "common.h"

#ifndef CG
#define BATCH 1
#define GROUPS 1
#define CG 16
#define MG 6
#define IN_D 1
#define IN_H 8
#define IN_W 8
#define OUT_D 1
#define OUT_H 12
#define OUT_W 12
#define FULL_D 1
#define FULL_H 12
#define FULL_W 12
#define KERNEL_D 1
#define KERNEL_H 5
#define KERNEL_W 5
#define STRIDE_D 1
#define STRIDE_H 1
#define DILATION_D 1
#define DILATION_H 1
#define DILATION_W 1
#define PAD_D 0
#define PAD_H 0
#define PAD_W 0
#define BIAS 0
#define TILE_Y 8
#endif

#define TAPS (KERNEL_D * KERNEL_H * KERNEL_W)
#define PLANE (IN_D * IN_H * IN_W)
#if VW == 1
#define READ(p) (*(p))
#define WRITE(v, p) (*(p) = (v))
#else
#define READ(p) CAT(vload, VW)(0, p)
#define WRITE(v, p) CAT(vstore, VW)(v, 0, p)
#endif

__kernel void conv_scatter(
    __global const storage* x, __global const storage* w,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y EPILOGUE_ARGS) {
    const int item = get_global_id(0);
    if (item >= BATCH * GROUPS * MG) return;
    const int m = item % MG, group = item / MG % GROUPS, channel = group * MG + m;
    x += (item / MG * CG) * PLANE;
    w += (group * CG * MG + m) * TAPS;
    accum full[FULL_D * FULL_H * FULL_W];
    for (int i = 0; i < FULL_D * FULL_H * FULL_W; ++i) full[i] = 0;

    for (int tap = 0; tap < TAPS; ++tap) {
        const int kd = tap / (KERNEL_H * KERNEL_W), kh = tap / KERNEL_W % KERNEL_H;
        const int shift = tap % KERNEL_W * DILATION_W;
        for (int d = 0; d < IN_D; ++d)
            for (int h = 0; h < IN_H; h += TILE_Y)
                for (int i = 0; i < IN_W; i += VW) {
                    accumV sums[TILE_Y];
#pragma unroll
                    for (int j = 0; j < TILE_Y; ++j) sums[j] = (accumV)0;
                    for (int c = 0; c < CG; ++c) {
                        const accumV weight = (accumV)(accum)LOAD(w, c * MG * TAPS + tap);
                        const int at = ((c * IN_D + d) * IN_H + h) * IN_W + i;
#pragma unroll
                        for (int j = 0; j < TILE_Y; ++j) {  // beyond the last row: it, unused
                            const int row = IN_H % TILE_Y ? min(j, IN_H - 1 - h) : j;
                            sums[j] = MADD(TO_ACCUMV(LOADV(x, at + row * IN_W)), weight, sums[j]);
                        }
                    }
                    const int plane = (d * STRIDE_D + kd * DILATION_D) * FULL_H;
#pragma unroll
                    for (int j = 0; j < TILE_Y; ++j) {
                        if (h + j >= IN_H) continue;
                        const int line = plane + (h + j) * STRIDE_H + kh * DILATION_H;
                        accum* to = full + line * FULL_W + i + shift;
                        WRITE(READ(to) + sums[j], to);
                    }
                }
    }

#if BIAS
    const accum bias = LOAD(b, channel);
#else
    const accum bias = 0;
#endif
    for (int line = 0; line < OUT_D * OUT_H; ++line) {
        const int d = line / OUT_H + PAD_D, h = line % OUT_H + PAD_H;
        const accum* from = full + (d * FULL_H + h) * FULL_W + PAD_W;
        const int start = (item * (OUT_D * OUT_H) + line) * OUT_W;
        int i = 0;
        for (; i <= OUT_W - VW; i += VW) {
            accumV value = READ(from + i) + (accumV)bias;
            EPILOGUE(accumV, LOADV_ACCUM, value, start + i, channel)
            STOREV_ACCUM(value, y, start + i);
        }
        for (; i < OUT_W; ++i) {
            accum value = from[i] + bias;
            EPILOGUE(accum, LOAD_ACCUM, value, start + i, channel)
            STORE_ACCUM(value, y, start + i);
        }
    }
}
