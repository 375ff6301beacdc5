// dw[m, c, k] = sum over n, p of dy[n, m, p] * x[n, c, p * stride + k * dilation - pad]
//
// x[N, GROUPS * GROUP_IN, IN], dy[N, GROUPS * GROUP_OUT, OUT], dw[GROUPS * GROUP_OUT, GROUP_IN,
// KERNEL]. First dy becomes rows[N, OUT, GROUPS, ROW]: channels side by side, filled up with zeros
// to whole vectors. Then each work-item sums a vector of output channels, TILE_C input channels
// and one tap over a share of all lines (n, od, oh) of the output; the shares are added up last.
//
// VW               output channels per vector
// TILE_C           input channels per work-item
// UNROLL           independent sums per channel, so that short tiles do not wait for themselves
// SPLITS           shares of the sum; 1 writes dw at once
// LINES_PER_SPLIT  lines of output in a share
#include "common.h"

#ifndef BATCH
#define BATCH 2
#define GROUPS 1
#define GROUP_IN 3
#define GROUP_OUT 8
#define IN_D 1
#define IN_H 8
#define IN_W 8
#define OUT_D 1
#define OUT_H 8
#define OUT_W 8
#define KERNEL_D 1
#define KERNEL_H 3
#define KERNEL_W 3
#define STRIDE_D 1
#define STRIDE_H 1
#define STRIDE_W 1
#define DILATION_D 1
#define DILATION_H 1
#define DILATION_W 1
#define PAD_D 0
#define PAD_H 1
#define PAD_W 1
#endif
#ifndef TILE_C
#define TILE_C 3
#endif
#ifndef UNROLL
#define UNROLL 1
#endif
#ifndef SPLITS
#define SPLITS 1
#define LINES_PER_SPLIT (BATCH * OUT_D * OUT_H)
#endif

#define VECTORS ((GROUP_OUT + VW - 1) / VW)
#define ROW (VECTORS * VW)
#define PIXELS (OUT_D * OUT_H * OUT_W)
#define TAPS (KERNEL_D * KERNEL_H * KERNEL_W)
#define TILES_C ((GROUP_IN + TILE_C - 1) / TILE_C)
#define SIZE (GROUPS * GROUP_OUT * GROUP_IN * TAPS)
#define LINES (BATCH * OUT_D * OUT_H)

#if SPLITS == 1
typedef storage sum_storage;
#define STORE_SUM(v, p, i) STORE((real)(v), p, i)
#else
typedef accum sum_storage;
#define STORE_SUM(v, p, i) ((p)[i] = (v))
#endif

#if VW == 1
#define STORE_LANES(v, lanes) ((lanes)[0] = (v))
#else
#define STORE_LANES(v, lanes) CAT(vstore, VW)(v, 0, lanes)
#endif

__kernel void conv_weight_gradient_rows(__global const storage* dy, __global storage* rows) {
    const int i = get_global_id(0);
    if (i >= BATCH * PIXELS * GROUPS * ROW) return;
    const int m = i % ROW, g = i / ROW % GROUPS, p = i / (ROW * GROUPS) % PIXELS;
    const int n = i / (ROW * GROUPS * PIXELS);
    const int channel = (n * GROUPS + g) * GROUP_OUT + m;
    const real value = m < GROUP_OUT ? (real)LOAD(dy, channel * PIXELS + p) : (real)0;
    STORE(value, rows, i);
}

// The first output position whose input position o * stride + offset is not below 0, and the first
// whose is not below `size`.
int first_inside(const int offset, const int stride) {
    return offset >= 0 ? 0 : (stride - 1 - offset) / stride;
}
int first_beyond(const int offset, const int stride, const int size, const int out) {
    return offset >= size ? 0 : min(out, (size - 1 - offset) / stride + 1);
}

__kernel void conv_weight_gradient_sums(
    __global const storage* x, __global const storage* rows, __global sum_storage* sums) {
    int i = get_global_id(0);
    if (i >= VECTORS * GROUPS * TAPS * TILES_C * SPLITS) return;
    const int vector = i % VECTORS;
    const int g = (i /= VECTORS) % GROUPS;
    const int tap = (i /= GROUPS) % TAPS;
    const int c0 = (i /= TAPS) % TILES_C * TILE_C;
    const int split = i / TILES_C;
    const int offset_d = tap / (KERNEL_H * KERNEL_W) * DILATION_D - PAD_D;
    const int offset_h = tap / KERNEL_W % KERNEL_H * DILATION_H - PAD_H;
    const int offset_w = tap % KERNEL_W * DILATION_W - PAD_W;
    const int begin = first_inside(offset_w, STRIDE_W);
    const int end = first_beyond(offset_w, STRIDE_W, IN_W, OUT_W);

    accumV sum[UNROLL][TILE_C];
    for (int u = 0; u < UNROLL; ++u) {
        for (int t = 0; t < TILE_C; ++t) sum[u][t] = (accumV)0;
    }
    const int last = min(LINES, (split + 1) * LINES_PER_SPLIT);
    for (int line = split * LINES_PER_SPLIT; line < last; ++line) {
        const int d = line / OUT_H % OUT_D * STRIDE_D + offset_d;
        const int h = line % OUT_H * STRIDE_H + offset_h;
        if (d < 0 || d >= IN_D || h < 0 || h >= IN_H) continue;
        const int n = line / (OUT_H * OUT_D);
        const int row = (line * OUT_W * GROUPS + g) * ROW + vector * VW;
        int in[TILE_C];
        for (int t = 0; t < TILE_C; ++t) {  // beyond the last channel: one that exists, unused
            const int c = (n * GROUPS + g) * GROUP_IN + min(c0 + t, GROUP_IN - 1);
            in[t] = ((c * IN_D + d) * IN_H + h) * IN_W + offset_w;
        }
        int w = begin;
        for (; w + UNROLL <= end; w += UNROLL) {
#pragma unroll
            for (int u = 0; u < UNROLL; ++u) {
                const accumV dy = TO_ACCUMV(LOADV(rows, row + (w + u) * GROUPS * ROW));
#pragma unroll
                for (int t = 0; t < TILE_C; ++t) {
                    const accum value = LOAD(x, in[t] + (w + u) * STRIDE_W);
                    sum[u][t] = MADD(dy, (accumV)value, sum[u][t]);
                }
            }
        }
        for (; w < end; ++w) {
            const accumV dy = TO_ACCUMV(LOADV(rows, row + w * GROUPS * ROW));
#pragma unroll
            for (int t = 0; t < TILE_C; ++t) {
                const accum value = LOAD(x, in[t] + w * STRIDE_W);
                sum[0][t] = MADD(dy, (accumV)value, sum[0][t]);
            }
        }
    }
    for (int t = 0; t < TILE_C && c0 + t < GROUP_IN; ++t) {
        for (int u = 1; u < UNROLL; ++u) sum[0][t] += sum[u][t];
        accum lanes[VW];
        STORE_LANES(sum[0][t], lanes);
#pragma unroll
        for (int v = 0; v < VW; ++v) {
            const int m = vector * VW + v;
            const int channel = (g * GROUP_OUT + m) * GROUP_IN + c0 + t;
            if (m < GROUP_OUT) STORE_SUM(lanes[v], sums, split * SIZE + channel * TAPS + tap);
        }
    }
}

#if SPLITS > 1
__kernel void conv_weight_gradient_total(
    __global const sum_storage* sums, __global storage* dw) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    accum total = 0;
    for (int split = 0; split < SPLITS; ++split) total += sums[split * SIZE + i];
    STORE((real)total, dw, i);
}
#endif
