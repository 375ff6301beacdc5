// y[n, i] = x[n, i] + DEVIATION * normal random number: Box & Muller's pair from the two words of
// Philox's counter (i / 2, 1) and key keys[n].
//
// BATCH, INNER  shape of x and y
// DEVIATION     standard deviation
#include "common.h"
#include "philox.h"

#ifndef BATCH
#define BATCH 1
#define INNER 64
#define DEVIATION 1.0f
#endif

#define PAIRS ((INNER + 1) / 2)

__kernel void add_noise(
    __global const storage* x, __global const uint* keys, __global storage* y) {
    const int item = get_global_id(0);
    if (item >= BATCH * PAIRS) return;
    const int n = item / PAIRS, i = 2 * (item % PAIRS);
    uint left = i / 2, right = 1;
    philox(&left, &right, keys[n]);
    const float radius = DEVIATION * sqrt(-2.0f * log(((float)(left >> 8) + 1) * 0x1p-24f));
    const float angle = (float)(right >> 8) * 0x1p-24f * 6.2831853f;
    const int at = n * INNER + i;
    STORE_ACCUM(LOAD_ACCUM(x, at) + radius * cos(angle), y, at);
    if (i + 1 < INNER) STORE_ACCUM(LOAD_ACCUM(x, at + 1) + radius * sin(angle), y, at + 1);
}
