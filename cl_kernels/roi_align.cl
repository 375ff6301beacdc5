// out[r, c, i, j] = mean, or maximum, over the points of part (i, j) of region r of in[number[r], c],
// each interpolated between four elements
//
// IMAGES, CHANNELS, HEIGHT, WIDTH  extents of `in`
// ROWS, COLUMNS                    parts of a region
// SAMPLES                          points along a side of a part; 0: its length rounded up, up to MOST
// LARGEST                          1: the largest weighted element instead of the mean
// HALF_PIXEL                       1: regions lie half an element before, and may be empty
// INDEX_WORDS                      ints of an image's number, of which the lower one is read
// SIZE                             number of output elements
#include "common.h"

#ifndef SIZE
#define IMAGES 1
#define CHANNELS 4
#define HEIGHT 8
#define WIDTH 8
#define ROWS 2
#define COLUMNS 2
#define SAMPLES 2
#define MOST 64
#define LARGEST 0
#define HALF_PIXEL 1
#define INDEX_WORDS 1
#define SIZE 64
#endif

// The point's element along an axis and the weights of it and the next, 0 where outside.
int taps(accum place, const int extent, accum* low, accum* high) {
    const int inside = place >= -1 && place <= extent;
    place = clamp(place, (accum)0, (accum)(extent - 1));
    const int element = inside ? (int)place : 0;
    *high = inside ? place - element : 0;
    *low = inside ? 1 - *high : 0;
    return element;
}

__kernel void roi_align(__global const storage* in, __global const storage* regions,
                        __global const int* numbers, __global storage* out, const float scale) {
    const int o = get_global_id(0);
    if (o >= SIZE) return;
    const int j = o % COLUMNS, i = o / COLUMNS % ROWS, c = o / COLUMNS / ROWS % CHANNELS;
    const int r = o / COLUMNS / ROWS / CHANNELS;
    const int image = clamp(numbers[r * INDEX_WORDS], 0, IMAGES - 1);
    in += (image * CHANNELS + c) * HEIGHT * WIDTH;
    const accum shift = HALF_PIXEL ? (accum)0.5f : (accum)0;
    const accum left = LOAD_ACCUM(regions, r * 4) * scale - shift;
    const accum top = LOAD_ACCUM(regions, r * 4 + 1) * scale - shift;
    accum width = LOAD_ACCUM(regions, r * 4 + 2) * scale - shift - left;
    accum height = LOAD_ACCUM(regions, r * 4 + 3) * scale - shift - top;
    if (!HALF_PIXEL) {
        width = fmax(width, (accum)1);
        height = fmax(height, (accum)1);
    }
    const accum across = width / COLUMNS, down = height / ROWS;
    const int rows = SAMPLES ? SAMPLES : (int)clamp(ceil(down), (accum)0, (accum)MOST);
    const int columns = SAMPLES ? SAMPLES : (int)clamp(ceil(across), (accum)0, (accum)MOST);
    accum result = LARGEST && rows * columns > 0 ? -INFINITY : 0;
    for (int p = 0; p < rows; ++p) {
        accum above, below;
        const int y = taps(top + i * down + (p + (accum)0.5f) * down / rows, HEIGHT, &above, &below);
        __global const storage* row = in + y * WIDTH;
        __global const storage* next = in + min(y + 1, HEIGHT - 1) * WIDTH;
        for (int q = 0; q < columns; ++q) {
            accum before, after;
            const int x =
                taps(left + j * across + (q + (accum)0.5f) * across / columns, WIDTH, &before, &after);
            const int right = min(x + 1, WIDTH - 1);
            const accum a = above * before * LOAD_ACCUM(row, x);
            const accum b = above * after * LOAD_ACCUM(row, right);
            const accum d = below * before * LOAD_ACCUM(next, x);
            const accum e = below * after * LOAD_ACCUM(next, right);
            result = LARGEST ? fmax(result, fmax(fmax(a, b), fmax(d, e))) : result + a + b + d + e;
        }
    }
    STORE_ACCUM(LARGEST || rows * columns < 1 ? result : result / (rows * columns), out, o);
}
