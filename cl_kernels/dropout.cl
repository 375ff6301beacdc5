// y[i] = x[i] * SCALE where the i-th random number is THRESHOLD or more, else 0.
//
// The random numbers are Philox2x32-10 (Salmon et al. 2011): two of counter (i / 2, step) and key
// seed + LAYER_KEY.
//
// SIZE        elements
// THRESHOLD   ratio * 2^32
// LAYER_KEY   tells the dropouts of a network apart
// SCALE       1 / (1 - ratio)
#include "common.h"

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
    uint left = item, right = step[0], key = seed[0] + LAYER_KEY;
    for (int round = 0; round < 10; ++round) {
        const uint high = mul_hi(0xD256D193u, left);
        const uint low = 0xD256D193u * left;
        left = high ^ key ^ right;
        right = low;
        key += 0x9E3779B9u;
    }
    const int i = item * 2;
    STORE(left >= THRESHOLD ? (real)LOAD(x, i) * SCALE : (real)0, y, i);
    if (i + 1 < SIZE) STORE(right >= THRESHOLD ? (real)LOAD(x, i + 1) * SCALE : (real)0, y, i + 1);
}
