// out[o, k, :] = in[o, indices[k], :], rows of INNER elements; negative indices count from the end.
//
// INDEX_WORDS  ints of an index: 1, or 2 where only the lower one is read
// AXIS   number of rows to choose from
// COUNT  number of indices
// INNER  elements of a row
// WIDTH  elements that a work-item moves, a divisor of INNER: 1, 2, 4, 8 or 16
// SIZE   number of output elements
#include "carry.h"

#ifndef SIZE
#define INDEX_WORDS 1
#define AXIS 10
#define COUNT 8
#define INNER 32
#define WIDTH 4
#define SIZE 1024
#endif

__kernel void gather(__global const ELEMENT* in, __global const int* indices,
                     __global ELEMENT* out) {
    const int i = get_global_id(0) * WIDTH;
    if (i >= SIZE) return;
    const int row = i / INNER;
    const int wanted = indices[row % COUNT * INDEX_WORDS];
    const int index = clamp(wanted < 0 ? wanted + AXIS : wanted, 0, AXIS - 1);
    in += (row / COUNT * AXIS + index) * INNER + i % INNER;
#if WIDTH > 1
    WRITE(WIDTH, READ(WIDTH, in), out + i);
#else
    out[i] = *in;
#endif
}
