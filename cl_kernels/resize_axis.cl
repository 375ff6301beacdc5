// out[o, j, i] = sum over t of weights[t, j] * in[o, indices[t, j], i]: one axis sampled anew.
//
// LENGTH, OUTPUTS  extent of the axis before and after
// INNER            elements behind the axis, a multiple of VW
// TAPS             elements that each output is made of
// SIZE             number of output elements
// RUN              consecutive j per work-item; more than one only where INNER is 1
// EXTRAPOLATION    value where the index is -1 (only where there are such)
#include "common.h"

#ifndef SIZE
#define LENGTH 32
#define OUTPUTS 64
#define INNER 32
#define TAPS 2
#define RUN 1
#define SIZE 2048
#endif

#ifdef EXTRAPOLATION
#define INSIDE(j) (indices[j] >= 0)
#else
#define EXTRAPOLATION 0
#define INSIDE(j) 1
#endif

__kernel void resize_axis(__global const storage* restrict in, __global const int* restrict indices,
                          __global const float* restrict weights, __global storage* restrict out) {
    const int item = get_global_id(0) * (RUN * VW);
    if (item >= SIZE) return;
    const int i = item % INNER, first = item / INNER % OUTPUTS, o = item / (INNER * OUTPUTS);
    in += o * LENGTH * INNER + i;
    out += item;
    for (int k = 0; k < RUN; ++k) {
        const int j = first + k;
        realV sum = (realV)(real)EXTRAPOLATION;
        if (INSIDE(j)) {
            sum = (realV)0;
            for (int t = 0; t < TAPS; ++t)
                sum = MADD((realV)(real)weights[t * OUTPUTS + j],
                           LOADV(in, indices[t * OUTPUTS + j] * INNER), sum);
        }
        STOREV(sum, out, k);
    }
}
