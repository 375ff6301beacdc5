// Copies runs that are contiguous on both sides: out[TARGET(r) + c] = in[SOURCE(r) + c], c < RUN.
//
// SOURCE(i), TARGET(i)  first element of run i on either side
// RUN                   elements of a run
// WIDTH                 elements that a work-item moves at once: 1, 2, 4, 8 or 16
// CHUNKS                work-items per run
// SIZE                  work-items in all
#include "carry.h"

#ifndef SIZE
#define RUN 1022
#define WIDTH 4
#define CHUNKS 256
#define SIZE 256
#define SOURCE(i) ((i) * 1022)
#define TARGET(i) ((i) * 1022)
#endif

__kernel void copy_runs(__global const ELEMENT* in, __global ELEMENT* out) {
    const int item = get_global_id(0);
    if (item >= SIZE) return;
    const int i = item / CHUNKS;
    const int begin = item % CHUNKS * WIDTH;
    in += SOURCE(i) + begin;
    out += TARGET(i) + begin;
#if WIDTH > 1
    if (begin + WIDTH <= RUN) {
        WRITE(WIDTH, READ(WIDTH, in), out);
        return;
    }
#endif
    for (int c = 0; c < RUN - begin; ++c) out[c] = in[c];
}
