// y[m, n] = beta * c[m, n], or 0 without a c: what BLAS adds a product to.
//
// SIZE, N          elements of y, and of its rows
// HAS_C, C_M, C_N  whether there is a c, and its strides (0: broadcast)
#include "common.h"

#ifndef SIZE
#define SIZE 1024
#define N 32
#define HAS_C 0
#endif

#if HAS_C
#define C_PARAMETER __global const storage* c,
#define START ((real)beta * LOAD(c, i / N * C_M + i % N * C_N))
#else
#define C_PARAMETER
#define START (real)0
#endif

__kernel void gemm_prepare(C_PARAMETER __global storage* y, const float beta) {
    const int i = get_global_id(0);
    if (i < SIZE) STORE(START, y, i);
}
