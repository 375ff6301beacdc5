// out = exp(x - top) / total, or x - top - log(total) where LOGARITHM,
// with top = max x and total = sum exp(x - top) over the COUNT elements of a row.
// Row o starts at ROW(o); its elements are STEP apart.
//
// ROWS       number of rows
// ALONG      1: vectors lie along a row (STEP is 1); 0: over VW neighbouring rows
// LOGARITHM  1: LogSoftmax
// GROUP      work-items per row
#include "common.h"
#include "fold.h"

#ifndef ROWS
#define ROWS 64
#define COUNT 100
#define STEP 1
#define ROW(o) ((o) * 100)
#define ALONG 1
#define LOGARITHM 0
#endif

#if LOGARITHM
#define NORM(total) (top + log(total))
#define RESULT(x) ((x) - norm)
#else
#define NORM(total) (1 / (total))
#define RESULT(x) (exp((x) - top) * norm)
#endif

__kernel void softmax(__global const storage* in, __global storage* out) {
    const int lane = GROUP > 1 ? get_local_id(0) : 0;
    const int o = (GROUP > 1 ? get_group_id(0) : get_global_id(0)) * (ALONG ? 1 : VW);
    if (o >= ROWS) return;
    const int base = ROW(o);
    in += base;
    out += base;
#if ALONG
#if GROUP > 1
    __local accum scratch[GROUP];
#endif
    const int rest = COUNT / VW * VW + lane;  // behind the last whole vector
    accumV tops = (accumV)(-INFINITY);
    accum top = -INFINITY;
    for (int r = lane * VW; r <= COUNT - VW; r += GROUP * VW) tops = max(tops, LOADV_ACCUM(in, r));
    for (int r = rest; r < COUNT; r += GROUP) top = max(top, (accum)LOAD_ACCUM(in, r));
    top = max(top, FOLD(max, tops));
    GROUP_FOLD(max, top, scratch)
    accumV sums = (accumV)0;
    accum total = 0;
    for (int r = lane * VW; r <= COUNT - VW; r += GROUP * VW)
        sums += exp(LOADV_ACCUM(in, r) - top);
    for (int r = rest; r < COUNT; r += GROUP) total += exp(LOAD_ACCUM(in, r) - top);
    total += FOLD(ADD, sums);
    GROUP_FOLD(ADD, total, scratch)
    const accum norm = NORM(total);
    for (int r = lane * VW; r <= COUNT - VW; r += GROUP * VW)
        STOREV_ACCUM(RESULT(LOADV_ACCUM(in, r)), out, r);
    for (int r = rest; r < COUNT; r += GROUP) STORE_ACCUM(RESULT(LOAD_ACCUM(in, r)), out, r);
#else
#if GROUP > 1
    __local accumV scratch[GROUP];
#endif
    accumV top = (accumV)(-INFINITY);
    for (int r = lane; r < COUNT; r += GROUP) top = max(top, LOADV_ACCUM(in, r * STEP));
    GROUP_FOLD(max, top, scratch)
    accumV total = (accumV)0;
    for (int r = lane; r < COUNT; r += GROUP) total += exp(LOADV_ACCUM(in, r * STEP) - top);
    GROUP_FOLD(ADD, total, scratch)
    const accumV norm = NORM(total);
    for (int r = lane; r < COUNT; r += GROUP)
        STOREV_ACCUM(RESULT(LOADV_ACCUM(in, r * STEP)), out, r * STEP);
#endif
}
