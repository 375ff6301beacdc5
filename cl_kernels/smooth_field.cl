// field[k, :, y, x] = ALPHA * sum over i, j of weights[i] * weights[j] * u[k, :, y + i, x + j]:
// two planes of uniform random numbers in [-1, 1), blurred by a Gaussian, with zeros around them.
//
// smooth_field_random writes u: the two words of counter (y * WIDTH + x, 0) and key keys[k].
// smooth_field_rows blurs along x, smooth_field_columns along y. Both compute SPAN neighbours.
//
// PLANES   planes of HEIGHT x WIDTH: two for each key
// RADIUS   weights reach from -RADIUS to RADIUS
// WEIGHTS  their list in braces
// ALPHA    the factor of the result
// SPAN     elements of a row that a work-item computes; PARTS of these make a row
#include "common.h"
#include "philox.h"

#ifndef PLANES
#define PLANES 2
#define HEIGHT 28
#define WIDTH 28
#define RADIUS 1
#define WEIGHTS {0.25f, 0.5f, 0.25f}
#define ALPHA 1.0f
#define SPAN 1
#define PARTS 28
#endif

#define SIZE (HEIGHT * WIDTH)

__constant real weights[2 * RADIUS + 1] = WEIGHTS;

__kernel void smooth_field_random(__global const uint* keys, __global storage* u) {
    const int i = get_global_id(0);
    if (i >= PLANES / 2 * SIZE) return;
    const int k = i / SIZE, pixel = i % SIZE;
    const uint2 words = philox((uint2)(pixel, 0), keys[k]);
    const real unit = (real)0x1p-31f;
    STORE((real)(convert_int(words.x ^ 0x80000000u)) * unit, u, 2 * k * SIZE + pixel);
    STORE((real)(convert_int(words.y ^ 0x80000000u)) * unit, u, (2 * k + 1) * SIZE + pixel);
}

__kernel void smooth_field_rows(__global const storage* in, __global storage* out) {
    const int item = get_global_id(0);
    if (item >= PLANES * HEIGHT * PARTS) return;
    const int first = item % PARTS * SPAN, row = item / PARTS * WIDTH;
    const int count = min(SPAN, WIDTH - first);
    real sums[SPAN];
    for (int i = 0; i < SPAN; ++i) sums[i] = 0;
    for (int j = -RADIUS; j <= RADIUS; ++j) {
        const int begin = max(0, -j - first), end = min(count, WIDTH - j - first);
        for (int i = begin; i < end; ++i)
            sums[i] = MADD(weights[j + RADIUS], LOAD(in, row + first + i + j), sums[i]);
    }
    for (int i = 0; i < count; ++i) STORE(sums[i], out, row + first + i);
}

__kernel void smooth_field_columns(__global const storage* in, __global storage* out) {
    const int item = get_global_id(0);
    if (item >= PLANES * HEIGHT * PARTS) return;
    const int first = item % PARTS * SPAN, y = item / PARTS % HEIGHT;
    const int row = item / PARTS * WIDTH, count = min(SPAN, WIDTH - first);
    real sums[SPAN];
    for (int i = 0; i < SPAN; ++i) sums[i] = 0;
    for (int j = max(-RADIUS, -y); j <= min(RADIUS, HEIGHT - 1 - y); ++j)
        for (int i = 0; i < count; ++i)
            sums[i] = MADD(weights[j + RADIUS], LOAD(in, row + j * WIDTH + first + i), sums[i]);
    for (int i = 0; i < count; ++i) STORE(sums[i] * ALPHA, out, row + first + i);
}
