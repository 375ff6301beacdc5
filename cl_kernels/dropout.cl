// y[i] = x[i] * SCALE where the i-th random number is THRESHOLD or more, else 0.
//
// The random numbers are Philox's: two of counter (i / 2, step) and key seed + LAYER_KEY.
//
// SIZE        elements
// THRESHOLD   ratio * 2^32
// LAYER_KEY   tells the dropouts of a network apart
// SCALE       1 / (1 - ratio)
#include "common.h"
#include "philox.h"

#ifndef SIZE
#define SIZE 1024
#define THRESHOLD 0x80000000u
#define LAYER_KEY 0u
#define SCALE ((real)2)
#endif

__kernel void dropout(
    __global const storage* x, __global const uint* seed, __global const int* step,
    __global storage* y) {
    const int item = get_global_id(0);
    if (item * 2 >= SIZE) return;
    uint left = item, right = step[0];
    philox(&left, &right, seed[0] + LAYER_KEY);
    const int i = item * 2;
    STORE(left >= THRESHOLD ? (real)LOAD(x, i) * SCALE : (real)0, y, i);
    if (i + 1 < SIZE) STORE(right >= THRESHOLD ? (real)LOAD(x, i + 1) * SCALE : (real)0, y, i + 1);
}
