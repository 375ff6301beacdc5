// dx[o, i, :] = sum of dy[o, k, :] over all k with indices[k] = i, rows of INNER elements.
//
// An index below 0 counts from the end, one beyond the axis means its first or last element.
//
// INDEX_WORDS  ints of an index: 1, or 2 where only the lower one is read
// AXIS   number of rows that were chosen from
// COUNT  number of indices
// INNER  elements of a row
// SIZE   elements of dx
#include "common.h"

#ifndef SIZE
#define INDEX_WORDS 1
#define AXIS 10
#define COUNT 8
#define INNER 32
#define SIZE 1280
#endif

__kernel void gather_gradient(__global const int* indices, __global const storage* dy,
                              __global storage* dx) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    const int row = i / INNER % AXIS;
    dy += i / (INNER * AXIS) * (COUNT * INNER) + i % INNER;
    accum sum = 0;
    for (int k = 0; k < COUNT; ++k) {
        const int wanted = indices[k * INDEX_WORDS];
        const int index = clamp(wanted < 0 ? wanted + AXIS : wanted, 0, AXIS - 1);
        if (index == row) sum += LOAD_ACCUM(dy, k * INNER);
    }
    STORE_ACCUM(sum, dx, i);
}
