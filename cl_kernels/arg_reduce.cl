// out[o] = where the extreme of in[ROW(o) + r * STEP], r < COUNT, stands
//
// INTEGER         type of integer elements; not defined for floats
// ROWS            number of rows o
// IS_BETTER(x, y) whether x replaces y, which came before it
#include "common.h"

#ifndef ROWS
#define ROWS 64
#define COUNT 100
#define STEP 1
#define ROW(o) ((o) * 100)
#define IS_BETTER(x, y) ((x) > (y))
#endif

#ifdef INTEGER
typedef INTEGER element;
typedef INTEGER value;
#define GET(p, i) ((p)[i])
#else
typedef storage element;
typedef real value;
#define GET(p, i) LOAD(p, i)
#endif

__kernel void arg_reduce(__global const element* in, __global long* out) {
    const int o = get_global_id(0);
    if (o >= ROWS) return;
    in += ROW(o);
    value best = GET(in, 0);
    int where = 0;
    for (int r = 1; r < COUNT; ++r) {
        const value x = GET(in, r * STEP);
        if (IS_BETTER(x, best)) {
            best = x;
            where = r;
        }
    }
    out[o] = where;
}
