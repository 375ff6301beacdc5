// out[c0, c1, ...] = in[t0[c0] + t1[c1] + ...]: every axis looks up where it reads. A negative entry
// says that the element lies outside the input and is VALUE.
//
// OUTER       statements: p0, p1, ... the entries of all axes but the last, for flat element i
// OUTER_SIGN  their bits or-ed: negative where one is
// OUTER_SUM   their sum
// LAST(c)     the last axis' entry for its coordinate c
// EXTENT      the last axis' extent in the output
// RUN         elements of it per work-item, a divisor of EXTENT
// VALUE       the bits of an element outside, in parentheses
// SIZE        number of output elements
#include "carry.h"

#ifndef SIZE
#define OUTER const int p0 = table[i / 64];
#define OUTER_SIGN p0
#define OUTER_SUM p0
#define LAST(c) (c)
#define EXTENT 64
#define RUN 1
#define VALUE (0)
#define SIZE 4096
#endif

__kernel void lookup(__global const ELEMENT* restrict in, __global const int* restrict table,
                     __global ELEMENT* restrict out) {
    const int i = get_global_id(0) * RUN;
    if (i >= SIZE) return;
    OUTER
    const int begin = i % EXTENT;
    const bool outside = (OUTER_SIGN) < 0;
    in += outside ? 0 : OUTER_SUM;
    out += i;
    for (int r = 0; r < RUN; ++r) {
        const int last = LAST(begin + r);
        out[r] = outside || last < 0 ? (ELEMENT)VALUE : in[last];
    }
}
