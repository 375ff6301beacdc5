// What a device can do at most, for rooflines: multiply-adds from registers, and moving memory.
//
// ceiling_multiply_adds: independent chains of vectors, x = x * a + b; their sum is stored so that
//     nothing is dropped. A work-item does ROUNDS * ACCUMULATORS * VW multiply-adds.
// ceiling_copy: y[i] = x[i], STEPS vectors per work-item.
// ceiling_read: sums of STEPS vectors, one stored per work-item.
//
// VW            elements of a vector
// ACCUMULATORS  chains per work-item
// ROUNDS        links of a chain
// STEPS         vectors that a work-item moves
// SPREAD        1: neighbouring items take neighbouring vectors, as GPUs like it; 0: each item takes
//               a stretch of its own, as CPUs do

#ifndef ACCUMULATORS
#define ACCUMULATORS 10
#endif
#ifndef ROUNDS
#define ROUNDS 4096
#endif
#ifndef STEPS
#define STEPS 64
#endif
#ifndef SPREAD
#define SPREAD 0
#endif

#include "common.h"

__kernel void ceiling_multiply_adds(__global storage* y, const float a, const float b) {
    const realV factor = (realV)((real)a), term = (realV)((real)b);
    realV x[ACCUMULATORS];
#pragma unroll
    for (int i = 0; i < ACCUMULATORS; i++) x[i] = (realV)((real)(i + get_global_id(0)));
    for (int round = 0; round < ROUNDS; round++) {
#pragma unroll
        for (int i = 0; i < ACCUMULATORS; i++) x[i] = MADD(x[i], factor, term);
    }
    realV sum = x[0];
#pragma unroll
    for (int i = 1; i < ACCUMULATORS; i++) sum += x[i];
    STOREVA(sum, y, get_global_id(0) * VW);
}

#if SPREAD
#define ELEMENT(step) (((step) * get_global_size(0) + get_global_id(0)) * VW)
#else
#define ELEMENT(step) ((get_global_id(0) * STEPS + (step)) * VW)
#endif

__kernel void ceiling_copy(__global const storage* x, __global storage* y) {
    for (int step = 0; step < STEPS; step++) {
        const realV value = LOADVA(x, ELEMENT(step));
        STOREVA(value, y, ELEMENT(step));
    }
}

__kernel void ceiling_read(__global const storage* x, __global storage* y) {
    realV sum = (realV)0;
    for (int step = 0; step < STEPS; step++) sum += LOADVA(x, ELEMENT(step));
    STOREVA(sum, y, get_global_id(0) * VW);
}
