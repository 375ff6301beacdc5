// out[o, j, i] = sum over t of weights[j, t] * in[o, indices[j, t], i]: one axis sampled anew.
//
// LENGTH, OUTPUTS  extent of the axis before and after
// INNER            elements behind the axis, a multiple of VW
// TAPS             elements that each output is made of
// SIZE             number of output elements
// EXTRAPOLATION    value where the index is -1 (only where there are such)
#include "common.h"

#ifndef SIZE
#define LENGTH 32
#define OUTPUTS 64
#define INNER 32
#define TAPS 2
#define SIZE 2048
#endif

__kernel void resize_axis(__global const storage* in, __global const int* indices,
                          __global const float* weights, __global storage* out) {
    const int item = get_global_id(0) * VW;
    if (item >= SIZE) return;
    const int i = item % INNER, j = item / INNER % OUTPUTS, o = item / (INNER * OUTPUTS);
    indices += j * TAPS;
    weights += j * TAPS;
    in += o * LENGTH * INNER + i;
    realV sum = (realV)0;
#ifdef EXTRAPOLATION
    if (indices[0] < 0) {
        STOREV((realV)EXTRAPOLATION, out, item);
        return;
    }
#endif
    for (int t = 0; t < TAPS; ++t)
        sum = MADD((realV)(real)weights[t], LOADV(in, indices[t] * INNER), sum);
    STOREV(sum, out, item);
}
