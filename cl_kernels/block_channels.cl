// Channels into blocks and back: plain[n, channels, pixels], blocks[n, b, pixels, BLOCK] with
// b = ceil(channels / BLOCK). Lanes behind the last channel become zero.
// Global: pixels, n * b.
//
// ELEMENT  unsigned type of an element's size
// BLOCK    channels of a block
#include "carry.h"

#ifndef BLOCK
#define BLOCK 8
#endif

__kernel void block(__global const ELEMENT* plain, __global ELEMENT* blocks, const int channels,
                    const int pixels) {
    const int pixel = get_global_id(0), outer = get_global_id(1);
    if (pixel >= pixels) return;
    const int count = (channels + BLOCK - 1) / BLOCK;
    const int first = outer % count * BLOCK;
    plain += (outer / count * channels + first) * pixels + pixel;
    blocks += (outer * pixels + pixel) * BLOCK;
    if (first + BLOCK <= channels) {
#pragma unroll
        for (int l = 0; l < BLOCK; ++l) blocks[l] = plain[l * pixels];
    } else {
        for (int l = 0; l < BLOCK; ++l) blocks[l] = first + l < channels ? plain[l * pixels] : 0;
    }
}

__kernel void unblock(__global const ELEMENT* blocks, __global ELEMENT* plain, const int channels,
                      const int pixels) {
    const int pixel = get_global_id(0), outer = get_global_id(1);
    if (pixel >= pixels) return;
    const int count = (channels + BLOCK - 1) / BLOCK;
    const int first = outer % count * BLOCK;
    plain += (outer / count * channels + first) * pixels + pixel;
    blocks += (outer * pixels + pixel) * BLOCK;
    const int lanes = min(BLOCK, channels - first);
    for (int l = 0; l < lanes; ++l) plain[l * pixels] = blocks[l];
}
