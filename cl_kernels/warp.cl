// y[n, c, i, j] = x[n, c, at (u, v)], between pixels by their distance, and 0 outside, where
//   u = m0 * j + m1 * i + m2 + field[n, 0, i, j]     (columns)
//   v = m3 * j + m4 * i + m5 + field[n, 1, i, j]     (rows)
// and m = matrices[n]. Without FIELD that is all affine.
//
// BATCH, CHANNELS, HEIGHT, WIDTH  shape of x and y
// FIELD   whether there are displacements
#include "common.h"

#ifndef BATCH
#define BATCH 1
#define CHANNELS 1
#define HEIGHT 28
#define WIDTH 28
#define FIELD 0
#endif

#define SIZE (HEIGHT * WIDTH)

__kernel void warp(
    __global const storage* x, __global const storage* matrices,
#if FIELD
    __global const storage* field,
#endif
    __global storage* y) {
    const int item = get_global_id(0);
    if (item >= BATCH * SIZE) return;
    const int n = item / SIZE, pixel = item % SIZE, i = pixel / WIDTH, j = pixel % WIDTH;
    accum m[6];
    for (int k = 0; k < 6; ++k) m[k] = LOAD_ACCUM(matrices, n * 6 + k);
    accum u = m[0] * j + m[1] * i + m[2], v = m[3] * j + m[4] * i + m[5];
#if FIELD
    u += LOAD_ACCUM(field, 2 * n * SIZE + pixel);
    v += LOAD_ACCUM(field, (2 * n + 1) * SIZE + pixel);
#endif
    // Far outside, or no number at all, is as good as just outside: no index overflows.
    u = fmin(fmax(u, (accum)-1), (accum)WIDTH);
    v = fmin(fmax(v, (accum)-1), (accum)HEIGHT);
    const int left = (int)floor(u), top = (int)floor(v);
    const accum right_share = u - left, bottom_share = v - top;
    const accum in_left = left >= 0 && left < WIDTH, in_right = left + 1 < WIDTH;
    const accum in_top = top >= 0 && top < HEIGHT, in_bottom = top + 1 < HEIGHT;
    const accum w00 = (1 - right_share) * (1 - bottom_share) * in_left * in_top;
    const accum w01 = right_share * (1 - bottom_share) * in_right * in_top;
    const accum w10 = (1 - right_share) * bottom_share * in_left * in_bottom;
    const accum w11 = right_share * bottom_share * in_right * in_bottom;
    const int j0 = clamp(left, 0, WIDTH - 1), j1 = clamp(left + 1, 0, WIDTH - 1);
    const int i0 = clamp(top, 0, HEIGHT - 1) * WIDTH, i1 = clamp(top + 1, 0, HEIGHT - 1) * WIDTH;
    for (int c = 0; c < CHANNELS; ++c) {
        const int plane = (n * CHANNELS + c) * SIZE;
        const accum sum = w00 * LOAD_ACCUM(x, plane + i0 + j0) + w01 * LOAD_ACCUM(x, plane + i0 + j1)
                        + w10 * LOAD_ACCUM(x, plane + i1 + j0) + w11 * LOAD_ACCUM(x, plane + i1 + j1);
        STORE_ACCUM(sum, y, plane + pixel);
    }
}
