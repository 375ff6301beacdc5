// out[i] = in[SOURCE], with the source's coordinates out of a table.
//
// COORDINATES  statements: p0, p1, ... the source's offset along each axis, -1 where it lies outside
// INSIDE       whether all are inside
// SOURCE       their sum
// VALUE        the bits of an element outside
// SIZE         number of output elements
#include "carry.h"

#ifndef SIZE
#define SIZE 1024
#define COORDINATES const int p0 = table[i];
#define INSIDE p0 >= 0
#define SOURCE p0
#define VALUE 0
#endif

__kernel void resize_nearest(__global const ELEMENT* in, __global const int* table,
                             __global ELEMENT* out) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    COORDINATES
    out[i] = INSIDE ? in[SOURCE] : (ELEMENT)VALUE;
}
