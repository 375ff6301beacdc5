// out[n, c, i] = sum over the taps of each axis of their weights' product times in[n, c, taps] around
// the place places[n, i]
//
// AXES, SIZES  spatial axes of `in`, and their extents
// TAPS         elements along an axis that a result is made of: 1 the nearest, 2 linear, 4 cubic
// PADDING      0: zeros around `in`; 1: its border; 2: its mirror image
// ALIGN        1: -1 and 1 are the centres of the first and the last element; 0: their outer edges
// PIXELS       1: places are elements
// CHANNELS     of `in`, of which a work-item computes EACH
// POSITIONS    places per image; SIZE of all images
#include "common.h"

#ifndef SIZE
#define AXES 2
#define SIZES 8, 8
#define TAPS 2
#define PADDING 0
#define ALIGN 0
#define PIXELS 0
#define CHANNELS 4
#define EACH 4
#define POSITIONS 64
#define SIZE 64
#endif

#define FAR 1e6f
#define TOTAL (AXES == 1 ? TAPS : AXES == 2 ? TAPS * TAPS : TAPS * TAPS * TAPS)

accum reflected(const accum place, const accum low, const accum high) {
    const accum span = high - low;
    if (span <= 0) return low;
    const accum distance = fabs(place - low), times = floor(distance / span);
    const accum rest = distance - times * span;
    return times - 2 * floor(times / 2) == 0 ? low + rest : high - rest;
}

accum near(const accum x) { return ((accum)1.25f * x - (accum)2.25f) * x * x + 1; }
accum far(const accum x) { return (((accum)-0.75f * x + (accum)3.75f) * x - 6) * x + 3; }

__kernel void grid_sample(__global const storage* in, __global const storage* places,
                          __global storage* out) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    const int sizes[AXES] = {SIZES};
    int index[AXES][TAPS];
    accum weight[AXES][TAPS];
    int plane = 1;
    for (int d = AXES - 1; d >= 0; --d) {
        const int size = sizes[d];
        const accum low = ALIGN ? (accum)0 : (accum)-0.5f, high = size - 1 - low;
        accum place = LOAD_ACCUM(places, i * AXES + AXES - 1 - d);
        if (!PIXELS) place = (place + 1) / 2 * (high - low) + low;
        place = fmin(fmax(place, (accum)-FAR), (accum)FAR);
        if (TAPS == 1) place = rint(place);
        if (PADDING == 1 && TAPS < 4) place = clamp(place, (accum)0, (accum)(size - 1));
        if (PADDING == 2) place = reflected(place, low, high);
        const accum base = floor(place), t = place - base;
        weight[d][0] = TAPS == 1 ? (accum)1 : TAPS == 2 ? 1 - t : far(1 + t);
        if (TAPS > 1) weight[d][TAPS > 1] = TAPS == 2 ? t : near(t);
        if (TAPS > 2) {
            weight[d][TAPS / 2] = near(1 - t);
            weight[d][TAPS - 1] = far(2 - t);
        }
        for (int tap = 0; tap < TAPS; ++tap) {
            int element = (int)base + tap - (TAPS == 4);
            if (PADDING == 2) element = (int)reflected(element, low, high);
            if (PADDING == 0 && (element < 0 || element >= size)) weight[d][tap] = 0;
            index[d][tap] = clamp(element, 0, size - 1) * plane;
        }
        plane *= size;
    }
    const int n = i / POSITIONS, first = get_global_id(1) * EACH;
    for (int c = first; c < min(first + EACH, CHANNELS); ++c) {
        __global const storage* image = in + (n * CHANNELS + c) * plane;
        accum sum = 0;
        for (int tap = 0; tap < TOTAL; ++tap) {
            int rest = tap, element = 0;
            accum product = 1;
            for (int d = 0; d < AXES; ++d) {
                product *= weight[d][rest % TAPS];
                element += index[d][rest % TAPS];
                rest /= TAPS;
            }
            sum += product * LOAD_ACCUM(image, element);
        }
        STORE_ACCUM(sum, out, (n * CHANNELS + c) * POSITIONS + i % POSITIONS);
    }
}
