// out[o, k, :] = in[o, indices[k], :], rows of INNER elements; negative indices count from the end.
//
// INDEX  type of an index
// AXIS   number of rows to choose from
// COUNT  number of indices
// INNER  elements of a row
// WIDTH  elements that a work-item moves, a divisor of INNER: 1, 2, 4, 8 or 16
// SIZE   number of output elements
#include "carry.h"

#ifndef SIZE
#define INDEX int
#define AXIS 10
#define COUNT 8
#define INNER 32
#define WIDTH 4
#define SIZE 1024
#endif

__kernel void gather(__global const ELEMENT* in, __global const INDEX* indices,
                     __global ELEMENT* out) {
    const int i = get_global_id(0) * WIDTH;
    if (i >= SIZE) return;
    const int row = i / INNER;
    const INDEX wanted = indices[row % COUNT];
    // clamped in the index's own type, so that no index reads outside
    const INDEX index = clamp(wanted < 0 ? wanted + AXIS : wanted, (INDEX)0, (INDEX)(AXIS - 1));
    in += (row / COUNT * AXIS + (int)index) * INNER + i % INNER;
#if WIDTH > 1
    WRITE(WIDTH, READ(WIDTH, in), out + i);
#else
    out[i] = *in;
#endif
}
