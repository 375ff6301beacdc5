// out[o] = FINISH(COMBINE of MAP(x) over the elements x of row o)
// Row o: elements in[ROW(o) + OUTER(q) + r * STEP] for q < OUTER_COUNT, r < INNER_COUNT.
//
// INTEGER, WIDE   type of integer elements and of their sums; not defined for floats
// OUTPUTS         number of rows
// ALONG           1: vectors lie along r (STEP is 1); 0: over VW neighbouring rows
// INITIAL         the value that COMBINE leaves as the other is
// SHIFTED         1: MAP and FINISH know `top`, the element of a further input
// GROUP           work-items per row
#include "common.h"
#include "fold.h"

#ifndef OUTPUTS
#define OUTPUTS 64
#define ROW(o) ((o) * 100)
#define OUTER(q) 0
#define OUTER_COUNT 1
#define INNER_COUNT 100
#define STEP 1
#define ALONG 1
#define INITIAL 0
#define COMBINE(a, b) ((a) + (b))
#define MAP(x) (x)
#define FINISH(s) (s)
#define SHIFTED 0
#endif

#ifdef INTEGER
typedef INTEGER element;
typedef WIDE value;
typedef WIDE valueV;
#define GET(p, i) ((value)(p)[i])
#define PUT(v, p, i) ((p)[i] = (element)(v))
#define GETV(p, i) GET(p, i)
#define PUTV(v, p, i) PUT(v, p, i)
#else
typedef storage element;
typedef accum value;
typedef accumV valueV;
#define GET(p, i) LOAD_ACCUM(p, i)
#define PUT(v, p, i) STORE_ACCUM(v, p, i)
#define GETV(p, i) LOADV_ACCUM(p, i)
#define PUTV(v, p, i) STOREV_ACCUM(v, p, i)
#endif
#define ROWS (ALONG ? 1 : VW)

__kernel void reduce(__global const element* in,
#if SHIFTED
                     __global const element* tops,
#endif
                     __global element* out) {
    const int lane = GROUP > 1 ? get_local_id(0) : 0;
    const int o = (GROUP > 1 ? get_group_id(0) : get_global_id(0)) * ROWS;
    if (o >= OUTPUTS) return;
#if GROUP > 1
#if ALONG
    __local value scratch[GROUP];
#else
    __local valueV scratch[GROUP];
#endif
#endif
    valueV sum = (valueV)(INITIAL);
#if ALONG
#if SHIFTED
    const value highest = GET(tops, o);
    const value top = isfinite(highest) ? highest : 0;
#endif
    value total = INITIAL;
    for (int q = 0; q < OUTER_COUNT; ++q) {
        __global const element* row = in + ROW(o) + OUTER(q);
        for (int r = lane * VW; r <= INNER_COUNT - VW; r += GROUP * VW) {
            const valueV x = GETV(row, r);
            sum = COMBINE(sum, MAP(x));
        }
        for (int r = INNER_COUNT / VW * VW + lane; r < INNER_COUNT; r += GROUP) {
            const value x = GET(row, r);
            total = COMBINE(total, MAP(x));
        }
    }
    const value lanes = FOLD(COMBINE, sum);
    total = COMBINE(total, lanes);
    GROUP_FOLD(COMBINE, total, scratch)
    if (lane == 0) PUT(FINISH(total), out, o);
#else
#if SHIFTED
    const valueV highest = GETV(tops, o);
    const valueV top = isfinite(highest) ? highest : (valueV)0;
#endif
    for (int q = 0; q < OUTER_COUNT; ++q) {
        __global const element* row = in + ROW(o) + OUTER(q);
        for (int r = lane; r < INNER_COUNT; r += GROUP) {
            const valueV x = GETV(row, r * STEP);
            sum = COMBINE(sum, MAP(x));
        }
    }
    GROUP_FOLD(COMBINE, sum, scratch)
    if (lane == 0) PUTV(FINISH(sum), out, o);
#endif
}
