// dw[m, c, k] = sum over n, p of dy[n, m, p] * x[n, c, p * stride + k * dilation - pad]
//
// x[N, GROUPS * GROUP_IN, IN], dy[N, GROUPS * GROUP_OUT, OUT], dw[GROUPS * GROUP_OUT, GROUP_IN,
// KERNEL]. First dy becomes rows[N, OUT, GROUPS, ROW]: channels side by side, filled up with zeros
// to whole vectors. Then each work-item sums a vector of output channels, TILE_C input channels
// and TILE_K taps of a row over a share of all lines (n, od, oh) of the output; the shares are added
// up last.
//
// VW               output channels per vector
// TILE_C           input channels per work-item
// TILE_K           neighbouring taps per work-item, a divisor of KERNEL_W
// SPLITS           shares of the sum; 1 writes dw at once
// LINES_PER_SPLIT  lines of output in a share
#include "common.h"
#include "window.h"

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
#define PAD_D 0
#define PAD_H 1
#define PAD_W 1
#endif
#ifndef TILE_C
#define TILE_C 3
#endif
#ifndef TILE_K
#define TILE_K KERNEL_W
#endif
#ifndef SPLITS
#define SPLITS 1
#define LINES_PER_SPLIT (BATCH * OUT_D * OUT_H)
#endif

#define VECTORS ((GROUP_OUT + VW - 1) / VW)
#define ROW (VECTORS * VW)
#define PIXELS (OUT_D * OUT_H * OUT_W)
#define TILES_K (TAPS / TILE_K)
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
    const int i = get_global_id(0);  // a vector of channels at one position
    if (i >= BATCH * PIXELS * GROUPS * VECTORS) return;
    const int m0 = i % VECTORS * VW, g = i / VECTORS % GROUPS, p = i / (VECTORS * GROUPS) % PIXELS;
    const int n = i / (VECTORS * GROUPS * PIXELS);
    dy += ((n * GROUPS + g) * GROUP_OUT + m0) * PIXELS + p;
    rows += i * VW;
#pragma unroll
    for (int v = 0; v < VW; ++v)
        STORE(m0 + v < GROUP_OUT ? (real)LOAD(dy, v * PIXELS) : (real)0, rows, v);
}

// The first output position whose input position o * stride + offset is not below 0, and the first
// whose is not below `size`.
int first_inside(const int offset, const int stride) {
    return offset >= 0 ? 0 : (stride - 1 - offset) / stride;
}
int first_beyond(const int offset, const int stride, const int size, const int out) {
    return offset >= size ? 0 : min(out, (size - 1 - offset) / stride + 1);
}

// Adds dy at output position w, where IS_INSIDE(offset), times each tile's x to `sum`.
#define ADD_POSITION(w, IS_INSIDE)                                                            \
    {                                                                                         \
        const accumV dy = TO_ACCUMV(LOADV(rows, row + (w) * (GROUPS * ROW)));                 \
        _Pragma("unroll") for (int k = 0; k < TILE_K; ++k) {                                  \
            const int at = (w) * STRIDE_W + offset_w + k * DILATION_W;                        \
            if (IS_INSIDE(at))                                                                \
                _Pragma("unroll") for (int t = 0; t < TILE_C; ++t) sum[k][t] =                \
                    MADD(dy, (accumV)(accum)LOAD(x, in[t] + at), sum[k][t]);                  \
        }                                                                                     \
    }
#define ALWAYS(at) 1
#define IN_ROW(at) ((at) >= 0 && (at) < IN_W)

__kernel void conv_weight_gradient_sums(
    __global const storage* x, __global const storage* rows, __global sum_storage* sums) {
    int i = get_global_id(0);
    if (i >= VECTORS * GROUPS * TILES_K * TILES_C * SPLITS) return;
    const int vector = i % VECTORS;
    const int g = (i /= VECTORS) % GROUPS;
    const int tap = (i /= GROUPS) % TILES_K * TILE_K;
    const int c0 = (i /= TILES_K) % TILES_C * TILE_C;
    const int split = i / TILES_C;
    const int offset_d = tap / (KERNEL_H * KERNEL_W) * DILATION_D - PAD_D;
    const int offset_h = tap / KERNEL_W % KERNEL_H * DILATION_H - PAD_H;
    const int offset_w = tap % KERNEL_W * DILATION_W - PAD_W;
    // The positions at which all taps of the tile are inside the row.
    const int end = first_beyond(offset_w + (TILE_K - 1) * DILATION_W, STRIDE_W, IN_W, OUT_W);
    const int begin = min(first_inside(offset_w, STRIDE_W), end);

    accumV sum[TILE_K][TILE_C];
    for (int k = 0; k < TILE_K; ++k) {
        for (int t = 0; t < TILE_C; ++t) sum[k][t] = (accumV)0;
    }
    const int last = min(LINES, (split + 1) * LINES_PER_SPLIT);
    for (int line = split * LINES_PER_SPLIT; line < last; ++line) {
        const int d = line / OUT_H % OUT_D * STRIDE_D + offset_d;
        const int h = line % OUT_H * STRIDE_H + offset_h;
        if (d < 0 || d >= IN_D || h < 0 || h >= IN_H) continue;
        const int n = line / (OUT_H * OUT_D);
        const int row = (line * OUT_W * GROUPS + g) * ROW + vector * VW;
        int in[TILE_C];
#pragma unroll
        for (int t = 0; t < TILE_C; ++t) {  // beyond the last channel: one that exists, unused
            const int c = (n * GROUPS + g) * GROUP_IN + min(c0 + t, GROUP_IN - 1);
            in[t] = ((c * IN_D + d) * IN_H + h) * IN_W;
        }
        for (int w = 0; w < begin; ++w) ADD_POSITION(w, IN_ROW)
        for (int w = begin; w < end; ++w) ADD_POSITION(w, ALWAYS)
        for (int w = end; w < OUT_W; ++w) ADD_POSITION(w, IN_ROW)
    }
    for (int t = 0; t < TILE_C && c0 + t < GROUP_IN; ++t)
        for (int k = 0; k < TILE_K; ++k) {
            accum lanes[VW];
            STORE_LANES(sum[k][t], lanes);
#pragma unroll
            for (int v = 0; v < VW; ++v) {
                const int m = vector * VW + v;
                const int channel = (g * GROUP_OUT + m) * GROUP_IN + c0 + t;
                if (m < GROUP_OUT)
                    STORE_SUM(lanes[v], sums, split * SIZE + channel * TAPS + tap + k);
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
