// out[p, r, c] = the two rows and two columns around, each weighted: an image sampled anew.
//
// HEIGHT, WIDTH  extent of the input's images
// ROWS, COLUMNS  extent of the output's; the tables hold both rows' and both columns' entries
// SIZE           number of output elements
#include "common.h"

#ifndef SIZE
#define HEIGHT 24
#define WIDTH 32
#define ROWS 48
#define COLUMNS 64
#define SIZE 9216
#endif

__kernel void resize_bilinear(__global const storage* in, __global const int2* indices,
                              __global const float2* weights, __global storage* out) {
    const int item = get_global_id(0);
    if (item >= SIZE) return;
    const int c = item % COLUMNS, r = item / COLUMNS % ROWS;
    const int2 x = indices[ROWS + c], y = indices[r];
    const float2 u = weights[ROWS + c], v = weights[r];
    in += item / (COLUMNS * ROWS) * (HEIGHT * WIDTH);
    const int top = y.s0 * WIDTH, bottom = y.s1 * WIDTH;
    const real upper = MADD((real)u.s0, LOAD(in, top + x.s0), (real)u.s1 * LOAD(in, top + x.s1));
    const real lower =
        MADD((real)u.s0, LOAD(in, bottom + x.s0), (real)u.s1 * LOAD(in, bottom + x.s1));
    const real value = MADD((real)v.s0, upper, (real)v.s1 * lower);
    STORE(value, out, item);
}
