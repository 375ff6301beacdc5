// out[ROW(o) + r * STEP] = sum of in[ROW(o) + q * STEP] over the q up to r, for r < COUNT
//
// PRODUCT    1: the product instead
// ELEMENT    unsigned type of integer elements; not defined for floats
// PAIRS      1: ELEMENT is uint2, 64 bits with the lower word first: not every GPU has 64-bit words
// ROWS       number of rows o
// EXCLUSIVE  1: q = r is left out
// REVERSE    1: over the q from r on
#include "common.h"

#ifndef ROWS
#define ROWS 64
#define COUNT 100
#define STEP 1
#define ROW(o) ((o) * 100)
#define PRODUCT 0
#define EXCLUSIVE 0
#define REVERSE 0
#define PAIRS 0
#endif

#ifndef ELEMENT
typedef storage element;
typedef accum value;
#define GET(p, i) LOAD_ACCUM(p, i)
#define PUT(v, p, i) STORE_ACCUM(v, p, i)
#else
// Unsigned sums wrap around as signed ones do in NumPy, where C leaves overflow open.
typedef ELEMENT element;
#define GET(p, i) ((p)[i])
#define PUT(v, p, i) ((p)[i] = (element)(v))
#if PAIRS
typedef uint2 value;
#else
typedef uint value;
#endif
#endif

value joined(const value a, const value b) {
#if PAIRS && PRODUCT
    return (uint2)(a.x * b.x, mul_hi(a.x, b.x) + a.x * b.y + a.y * b.x);
#elif PRODUCT
    return a * b;
#else
    value sum = a + b;
#if PAIRS
    sum.y += sum.x < b.x;  // the lower word's carry
#endif
    return sum;
#endif
}

__kernel void cum_sum(__global const element* in, __global element* out) {
    const int o = get_global_id(0);
    if (o >= ROWS) return;
    in += ROW(o);
    out += ROW(o);
#if PAIRS
    value sum = (uint2)(PRODUCT, 0);
#else
    value sum = PRODUCT;
#endif
    for (int r = 0; r < COUNT; ++r) {
        const int i = (REVERSE ? COUNT - 1 - r : r) * STEP;
        const value next = joined(sum, GET(in, i));
        PUT(EXCLUSIVE ? sum : next, out, i);
        sum = next;
    }
}
