// out[map, od, oh, ow] = maximum or mean over a window of in[map, d, h, w], where tap k along an
// axis lies at o * STRIDE - PAD + k * DILATION. Taps outside the elements do not exist.
// pool_items: an output each. pool_rows: rows of outputs, with vectors in their middle.
//
// IN_*, OUT_*            elements along D, H and W
// KERNEL_*, STRIDE_*, DILATION_*, PAD_*  windows; PAD_* is the padding in front
// COUNTED_*              a mean counts taps before this position...
// COUNT_PADDING          1: ...in the padding as well, 0: on elements only
// MAPS                   feature maps (N * C)
// AVERAGE                1: mean, 0: maximum
// INTEGER, LOWEST        type of integer elements, and the lowest value of any type
// INDICES                1: also the first maximum's element number, with strides INDEX_*
// ROWS                   rows of an item, which divide OUT_H
// MIDDLE_BEGIN, MIDDLE_END  outputs of a row whose taps all lie on elements, none or at least VW
#include "common.h"

#ifndef IN_W
#define IN_D 1
#define IN_H 56
#define IN_W 56
#define OUT_D 1
#define OUT_H 28
#define OUT_W 28
#define KERNEL_D 1
#define KERNEL_H 3
#define KERNEL_W 3
#define STRIDE_D 1
#define STRIDE_H 2
#define STRIDE_W 2
#define DILATION_D 1
#define DILATION_H 1
#define DILATION_W 1
#define PAD_D 0
#define PAD_H 1
#define PAD_W 1
#define COUNTED_D 1
#define COUNTED_H 57
#define COUNTED_W 57
#define COUNT_PADDING 0
#define MAPS 64
#define AVERAGE 0
#define INDICES 0
#define LOWEST (-INFINITY)
#define ROWS 1
#define MIDDLE_BEGIN 1
#define MIDDLE_END 27
#endif

#ifdef INTEGER
typedef INTEGER element;
typedef INTEGER value;
#define GET(p, i) ((p)[i])
#define PUT(v, p, i) ((p)[i] = (v))
#elif AVERAGE
typedef storage element;
typedef accum value;
typedef accumV valueV;
#define GET(p, i) LOAD_ACCUM(p, i)
#define PUT(v, p, i) STORE_ACCUM(v, p, i)
#define GETV(p, i) LOADV_ACCUM(p, i)
#define PUTV(v, p, i) STOREV_ACCUM(v, p, i)
#else
typedef storage element;
typedef real value;
typedef realV valueV;
#define GET(p, i) LOAD(p, i)
#define PUT(v, p, i) STORE(v, p, i)
#define GETV(p, i) LOADV(p, i)
#define PUTV(v, p, i) STOREV(v, p, i)
#endif
#if AVERAGE
#define INITIAL 0
#define COMBINE(a, b) ((a) + (b))
#else
#define INITIAL LOWEST
#define COMBINE(a, b) max(a, b)
#endif

// Of a window's taps from `start` on, the first on an element, and the first behind `size`.
#define FIRST(start, dilation) ((start) < 0 ? ((dilation) - 1 - (start)) / (dilation) : 0)
#define LAST(start, dilation, size, kernel) \
    min(kernel, ((size) - (start) + (dilation) - 1) / (dilation))
#define FIRST_OF(X, start) FIRST(start, DILATION_##X)
#define LAST_OF(X, start) LAST(start, DILATION_##X, IN_##X, KERNEL_##X)
#define TAPS_OF(X, start)                                                   \
    (COUNT_PADDING ? LAST(start, DILATION_##X, COUNTED_##X, KERNEL_##X)     \
                   : LAST_OF(X, start) - FIRST_OF(X, start))

value window(__global const element* map, const int d, const int h, const int w, int* where) {
    value result = INITIAL;
    for (int kd = FIRST_OF(D, d); kd < LAST_OF(D, d); ++kd)
        for (int kh = FIRST_OF(H, h); kh < LAST_OF(H, h); ++kh)
            for (int kw = FIRST_OF(W, w); kw < LAST_OF(W, w); ++kw) {
                const int pd = d + kd * DILATION_D, ph = h + kh * DILATION_H;
                const int pw = w + kw * DILATION_W;
                const value x = GET(map, (pd * IN_H + ph) * IN_W + pw);
#if INDICES
                if (x > result || *where < 0)
                    *where = pd * INDEX_D + ph * INDEX_H + pw * INDEX_W;
#endif
                result = COMBINE(result, x);
            }
#if AVERAGE
    result /= (value)max(1, TAPS_OF(D, d) * TAPS_OF(H, h) * TAPS_OF(W, w));
#endif
    return result;
}

__kernel void pool_items(__global const element* in, __global element* out
#if INDICES
                         , __global long* indices
#endif
) {
    const int ow = get_global_id(0), oh = get_global_id(1);
    const int od = get_global_id(2) % OUT_D, map = get_global_id(2) / OUT_D;
    if (ow >= OUT_W) return;
    const int o = ((map * OUT_D + od) * OUT_H + oh) * OUT_W + ow;
    int where = -1;
    const value result = window(in + map * (IN_D * IN_H * IN_W), od * STRIDE_D - PAD_D,
                                oh * STRIDE_H - PAD_H, ow * STRIDE_W - PAD_W, &where);
    PUT(result, out, o);
#if INDICES
    indices[o] = (long)map * (IN_D * IN_H * IN_W) + max(where, 0);
#endif
}

#if !defined(INTEGER) && !INDICES
#if VW == 1 || STRIDE_W == 1
#define NEIGHBOURS(p) GETV(p, 0)
#else  // STRIDE_W is 2: no element behind the last tap is read
valueV NEIGHBOURS(__global const element* p) {
    const valueV front = GETV(p, 0), back = GETV(p, VW - 1);
    return (valueV)(front.even, back.odd);
}
#endif

void pool_row(__global const element* in, __global element* out, const int d, const int h) {
    int where = -1;
    for (int ow = 0; ow < MIDDLE_BEGIN; ++ow)
        PUT(window(in, d, h, ow * STRIDE_W - PAD_W, &where), out, ow);
#if AVERAGE
    const value share = (value)1 / max(1, TAPS_OF(D, d) * TAPS_OF(H, h) * KERNEL_W);
#endif
    for (int next = MIDDLE_BEGIN; next < MIDDLE_END; next += VW) {
        const int ow = min(next, MIDDLE_END - VW);  // the last vector may overlap the one before
        valueV result = (valueV)(INITIAL);
        for (int kd = FIRST_OF(D, d); kd < LAST_OF(D, d); ++kd)
            for (int kh = FIRST_OF(H, h); kh < LAST_OF(H, h); ++kh) {
                const int pd = d + kd * DILATION_D, ph = h + kh * DILATION_H;
                __global const element* taps =
                    in + (pd * IN_H + ph) * IN_W + ow * STRIDE_W - PAD_W;
                for (int kw = 0; kw < KERNEL_W; ++kw)
                    result = COMBINE(result, NEIGHBOURS(taps + kw * DILATION_W));
            }
#if AVERAGE
        result *= share;
#endif
        PUTV(result, out, ow);
    }
    for (int ow = MIDDLE_END; ow < OUT_W; ++ow)
        PUT(window(in, d, h, ow * STRIDE_W - PAD_W, &where), out, ow);
}

__kernel void pool_rows(__global const element* in, __global element* out) {
    const int first = get_global_id(0) * ROWS;
    if (first >= MAPS * OUT_D * OUT_H) return;
    const int d = first / OUT_H % OUT_D * STRIDE_D - PAD_D, oh = first % OUT_H;
    in += first / (OUT_H * OUT_D) * (IN_D * IN_H * IN_W);
    for (int i = 0; i < ROWS; ++i)
        pool_row(in, out + (first + i) * OUT_W, d, (oh + i) * STRIDE_H - PAD_H);
}
#endif
