// field[k, :, y, x] = ALPHA * sum over i, j of weights[i] * weights[j] * u[k, :, y + i, x + j]:
// two planes of uniform random numbers in [-1, 1), blurred by a Gaussian, with zeros around them.
//
// smooth_field_random writes u, a row of both planes in each work-item: the two words of counter
// (y * WIDTH + x, 0) and key keys[k]. smooth_field_rows blurs along x, smooth_field_columns along y,
// VW elements in each work-item. Rows of u have zeros at both ends, and rows between the two blurs
// are as long as whole vectors, so that no load needs a check.
//
// PLANES   planes of HEIGHT x WIDTH: two for each key
// RADIUS   weights reach from -RADIUS to RADIUS
// WEIGHTS  their list in braces
// ALPHA    the factor of the result
#include "common.h"
#define PHILOX_WORD VECTOR(uint)
#include "philox.h"

#ifndef PLANES
#define PLANES 2
#define HEIGHT 28
#define WIDTH 28
#define RADIUS 1
#define WEIGHTS {0.25f, 0.5f, 0.25f}
#define ALPHA 1.0f
#endif

#if VW == 1
#define LOAD_WORDS(p) (*(p))
#else
#define LOAD_WORDS(p) CAT(vload, VW)(0, p)
#endif
// A random word as a number in [-1, 1).
#define FRACTION(words)                                                                \
    (TO_REALV(CAT(as_, VECTOR(int))((words) ^ (VECTOR(uint))(0x80000000u)))            \
     * (realV)((real)0x1p-31f))

#define PARTS ((WIDTH + VW - 1) / VW)
#define LENGTH (PARTS * VW)
#define PITCH (LENGTH + 2 * RADIUS)

__constant real weights[2 * RADIUS + 1] = WEIGHTS;

__kernel void smooth_field_random(__global const uint* keys, __global storage* u) {
    const int item = get_global_id(0);
    if (item >= PLANES / 2 * HEIGHT) return;
    const int k = item / HEIGHT, y = item % HEIGHT;
    const uint key = keys[k];
    __global storage* first = u + (2 * k * HEIGHT + y) * PITCH;
    __global storage* second = first + HEIGHT * PITCH;
    uint steps[VW];
    for (int i = 0; i < VW; ++i) steps[i] = i;
    const VECTOR(uint) ahead = LOAD_WORDS(steps);
    for (int x = 0; x < LENGTH; x += VW) {
        VECTOR(uint) left = ahead + (VECTOR(uint))(y * WIDTH + x), right = (VECTOR(uint))(0);
        philox(&left, &right, key);
        STOREV(FRACTION(left), first, RADIUS + x);
        STOREV(FRACTION(right), second, RADIUS + x);
    }
    for (int x = 0; x < PITCH; ++x)
        if (x < RADIUS || x >= RADIUS + WIDTH) {
            STORE((real)0, first, x);
            STORE((real)0, second, x);
        }
}

__kernel void smooth_field_rows(__global const storage* u, __global storage* out) {
    const int item = get_global_id(0);
    if (item >= PLANES * HEIGHT * PARTS) return;
    const int row = item / PARTS, x = item % PARTS * VW;
    realV sum = (realV)((real)0);
    for (int j = 0; j <= 2 * RADIUS; ++j)
        sum = MADD((realV)(weights[j]), LOADV(u, row * PITCH + x + j), sum);
    STOREV(sum, out, row * LENGTH + x);
}

__kernel void smooth_field_columns(__global const storage* in, __global storage* field) {
    const int item = get_global_id(0);
    if (item >= PLANES * HEIGHT * PARTS) return;
    const int row = item / PARTS, x = item % PARTS * VW, y = row % HEIGHT;
    realV sum = (realV)((real)0);
    for (int j = max(-RADIUS, -y); j <= min(RADIUS, HEIGHT - 1 - y); ++j)
        sum = MADD((realV)(weights[j + RADIUS]), LOADV(in, (row + j) * LENGTH + x), sum);
    sum *= (realV)((real)ALPHA);
#if VW == 1
    STORE(sum, field, row * WIDTH + x);
#else
    if (x + VW <= WIDTH) {
        STOREV(sum, field, row * WIDTH + x);
        return;
    }
    real each[VW];
    CAT(vstore, VW)(sum, 0, each);
    for (int i = 0; x + i < WIDTH; ++i) STORE(each[i], field, row * WIDTH + x + i);
#endif
}
