// out[i] = in[BASE(i) + index * STEP] for index = indices[i]; negative indices count from the end.
//
// INDEX_WORDS  ints of an index: 1, or 2 where only the lower one is read
// EXTENT, STEP elements along the axis, and from one to the next
// SIZE         number of indices
#include "carry.h"

#ifndef SIZE
#define INDEX_WORDS 1
#define EXTENT 10
#define STEP 1
#define BASE(i) ((i) / 4 * EXTENT)
#define SIZE 64
#endif

__kernel void gather_elements(__global const ELEMENT* in, __global const int* indices,
                              __global ELEMENT* out) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    const int wanted = indices[i * INDEX_WORDS];
    const int index = clamp(wanted < 0 ? wanted + EXTENT : wanted, 0, EXTENT - 1);
    out[i] = in[BASE(i) + index * STEP];
}
