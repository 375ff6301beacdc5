// loss = mean over elements of LOSS(x, t), and d loss / d x = grad * SLOPE(x, t) / count.
//
// x[N, C, S] and targets alike; a target that is NaN leaves its element out. totals[3]: sum of the
// losses, right elements, elements that count. With TOP the elements of a position n, s are right
// where the first largest of its channels is the target's. See totals.h for the groups.
//
// LOSS, SLOPE, RIGHT(x, t)  of accum values; RIGHT is a truth value
// TOP        whether a position is right as a whole
// SIZE       N * C * S
// CHANNELS   C
// SPATIAL    S
// POSITIONS  N * S
#include "common.h"

#ifndef SIZE
#define LOSS(x, t) (((x) - (t)) * ((x) - (t)))
#define SLOPE(x, t) (2 * ((x) - (t)))
#define RIGHT(x, t) (fabs((x) - (t)) < 0.5f)
#define TOP 1
#define SIZE 640
#define CHANNELS 10
#define SPATIAL 1
#define POSITIONS 64
#endif
#include "totals.h"

__kernel void element_loss(
    __global const storage* outputs, __global const storage* targets, __global partial* loss,
    __global partial* totals) {
    accum own[3] = {0, 0, 0};
    for (int p = get_global_id(0); p < POSITIONS; p += ITEMS * GROUPS) {
        const int first = p / SPATIAL * (CHANNELS * SPATIAL) + p % SPATIAL;
        accum largest = -INFINITY, wanted = -INFINITY;
        int best = 0, right = 0, count = 0;
        for (int c = 0; c < CHANNELS; ++c) {
            const accum x = LOAD(outputs, first + c * SPATIAL);
            const accum t = LOAD(targets, first + c * SPATIAL);
            if (x > largest) {
                largest = x;
                best = c;
            }
            if (t != t) continue;
            own[0] += LOSS(x, t);
            ++count;
#if TOP
            if (t > wanted) {
                wanted = t;
                right = c;
            }
#else
            right += RIGHT(x, t) ? 1 : 0;
#endif
        }
#if TOP
        right = right == best ? count : 0;
#endif
        own[1] += right;
        own[2] += count;
    }
    ADD_TOTALS(own, loss, totals);
}

__kernel void element_loss_gradient(
    __global const storage* outputs, __global const storage* targets,
    __global const storage* totals, __global const storage* grad, __global storage* out) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    const accum x = LOAD(outputs, i), t = LOAD(targets, i);
    const accum scale = (accum)LOAD(grad, 0) / max((accum)LOAD(totals, 2), (accum)1);
    STORE((real)(t == t ? scale * SLOPE(x, t) : (accum)0), out, i);
}
