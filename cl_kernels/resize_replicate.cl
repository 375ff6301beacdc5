// out[FACTOR_Y * y + v, FACTOR_X * x + u] = in[y, x] for every v < FACTOR_Y and u < FACTOR_X.
//
// WIDTH  elements of an input row
// RUN    input elements per work-item
// SIZE   work-items
#include "carry.h"

#ifndef SIZE
#define WIDTH 80
#define RUN 16
#define FACTOR_Y 2
#define FACTOR_X 2
#define SIZE 400
#endif
#define CHUNKS ((WIDTH + RUN - 1) / RUN)

__kernel void resize_replicate(__global const ELEMENT* in, __global ELEMENT* out) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    const int row = i / CHUNKS;
    const int x = i % CHUNKS * RUN;
    const int count = min(RUN, WIDTH - x);
    in += row * WIDTH + x;
    out += (row * FACTOR_Y * WIDTH + x) * FACTOR_X;
    for (int v = 0; v < FACTOR_Y; ++v, out += WIDTH * FACTOR_X)
        for (int c = 0; c < count; ++c)
            for (int u = 0; u < FACTOR_X; ++u) out[c * FACTOR_X + u] = in[c];
}
