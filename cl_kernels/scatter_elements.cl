// out[t] = JOIN(out[t], updates[u]) for each row o and its COUNT updates in order, where
// u = UPDATE(o) + r * UPDATE_STEP, t = TARGET(o) + index * TARGET_STEP and the index is
// indices[INDEX(o) + r * INDEX_STEP], from the end where negative; without effect where outside.
//
// ELEMENT      type of elements that are integers, or are only moved; not defined for floats
// JOIN(a, b)   what the update b makes of a
// INDEX_WORDS  ints of an index: 1, or 2 where only the lower one is read
// ROWS         number of rows o, which share no target
// EXTENT       elements along the axis
#include "common.h"

#ifndef ROWS
#define JOIN(a, b) (b)
#define INDEX_WORDS 1
#define ROWS 64
#define COUNT 4
#define EXTENT 10
#define TARGET(o) (o)
#define TARGET_STEP ROWS
#define INDEX(o) (o)
#define INDEX_STEP ROWS
#define UPDATE(o) (o)
#define UPDATE_STEP ROWS
#endif

#ifdef ELEMENT
typedef ELEMENT element;
typedef ELEMENT value;
#define GET(p, i) ((p)[i])
#define PUT(v, p, i) ((p)[i] = (v))
#else
typedef storage element;
typedef real value;
#define GET(p, i) LOAD(p, i)
#define PUT(v, p, i) STORE(v, p, i)
#endif

__kernel void scatter_elements(__global const int* indices, __global const element* updates,
                               __global element* out) {
    const int o = get_global_id(0);
    if (o >= ROWS) return;
    indices += INDEX(o) * INDEX_WORDS;
    updates += UPDATE(o);
    out += TARGET(o);
    for (int r = 0; r < COUNT; ++r) {
        const int wanted = indices[r * INDEX_STEP * INDEX_WORDS];
        const int index = wanted < 0 ? wanted + EXTENT : wanted;
        if (index < 0 || index >= EXTENT) continue;
        const value a = GET(out, index * TARGET_STEP);
        const value b = GET(updates, r * UPDATE_STEP);
        PUT(JOIN(a, b), out, index * TARGET_STEP);
    }
}
