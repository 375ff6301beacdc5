// out[i] = f(in0[...], in1[...], ...) for every element i of the outputs; inputs are broadcast.
//
// PARAMETERS   the inputs, __global const TYPE* in0, ..., and the outputs, __global TYPE* out0, ...
// SIZE         number of output elements
// ROW          elements along which every input is contiguous or constant (where VW > 1)
// SCALAR_BODY  computes and stores element i
// VECTOR_BODY  computes and stores elements i to i+VW-1 (only where VW > 1)
#include "common.h"

#ifndef PARAMETERS
#define PARAMETERS __global const float* in0, __global float* out0
#define SIZE 1024
#define ROW 1024
#define SCALAR_BODY const float v0 = in0[i]; out0[i] = max(v0, 0.0f);
#define VECTOR_BODY const realV v0 = LOADV(in0, i); STOREV(max(v0, (realV)0), out0, i);
#endif

// base^exponent of whole numbers, modulo their width; a negative exponent truncates the quotient.
long integer_power(long base, long exponent) {
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;
    ulong result = 1;
    for (ulong factor = base; exponent; exponent >>= 1, factor *= factor)
        if (exponent & 1) result *= factor;
    return result;
}

__kernel void elementwise(PARAMETERS) {
#if VW > 1
    const int item = get_global_id(0), chunks = (ROW + VW - 1) / VW;
    if (item >= SIZE / ROW * chunks) return;
    const int begin = item % chunks * VW;
    int i = item / chunks * ROW + begin;
    if (begin + VW <= ROW) {
        VECTOR_BODY
    } else {
        for (const int end = i - begin + ROW; i < end; ++i) {
            SCALAR_BODY
        }
    }
#else
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    SCALAR_BODY
#endif
}
