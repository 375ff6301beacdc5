// loss = mean over planes of 1 - (2 sum x t + 1) / (sum x + sum t + 1), and its gradient.
//
// x and targets t[PLANES][PLANE]. sums[PLANES][3]: sum x t, sum x + sum t, share of the elements on
// the target's side of a half. totals[3]: sum of the losses, sum of those shares, planes that count.
// A plane whose sum x + sum t is NaN does not count.
//
// PLANES   N * C
// PLANE    elements of a plane
// GROUP    work-items that share a plane: a power of two
#include "common.h"

#ifndef PLANES
#define PLANES 6
#define PLANE 256
#endif
#ifndef GROUP
#define GROUP 1
#endif

__kernel void dice_loss_planes(
    __global const storage* outputs, __global const storage* targets, __global storage* sums) {
    const int plane = get_global_id(0) / GROUP, item = get_global_id(0) % GROUP;
    accum own[3] = {0, 0, 0};
    for (int i = item; i < PLANE; i += GROUP) {
        const accum x = LOAD(outputs, plane * PLANE + i), t = LOAD(targets, plane * PLANE + i);
        own[0] += x * t;
        own[1] += x + t;
        own[2] += (x > (accum)0.5f) == (t > (accum)0.5f);
    }
#if GROUP > 1
    __local accum shared[3][GROUP];
    for (int i = 0; i < 3; ++i) shared[i][item] = own[i];
    for (int rest = GROUP / 2; rest > 0; rest /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < rest)
            for (int i = 0; i < 3; ++i) shared[i][item] += shared[i][item + rest];
    }
    if (item > 0) return;
    for (int i = 0; i < 3; ++i) own[i] = shared[i][0];
#endif
    own[2] /= PLANE;
    for (int i = 0; i < 3; ++i) STORE((real)own[i], sums, plane * 3 + i);
}

__kernel void dice_loss(
    __global const storage* sums, __global storage* loss, __global storage* totals) {
    accum total = 0, right = 0, count = 0;
    for (int plane = 0; plane < PLANES; ++plane) {
        const accum overlap = LOAD(sums, plane * 3), mass = LOAD(sums, plane * 3 + 1);
        if (mass != mass) continue;
        total += 1 - (2 * overlap + 1) / (mass + 1);
        right += LOAD(sums, plane * 3 + 2);
        count += 1;
    }
    STORE((real)total, totals, 0);
    STORE((real)right, totals, 1);
    STORE((real)count, totals, 2);
    STORE((real)(total / max(count, (accum)1)), loss, 0);
}

__kernel void dice_loss_gradient(
    __global const storage* targets, __global const storage* sums, __global const storage* totals,
    __global const storage* grad, __global storage* out) {
    const int i = get_global_id(0);
    if (i >= PLANES * PLANE) return;
    const accum overlap = LOAD(sums, i / PLANE * 3), mass = LOAD(sums, i / PLANE * 3 + 1);
    const accum slope = (2 * overlap + 1 - 2 * (accum)LOAD(targets, i) * (mass + 1)) /
                        ((mass + 1) * (mass + 1));
    const accum scale = (accum)LOAD(grad, 0) / max((accum)LOAD(totals, 2), (accum)1);
    STORE((real)(mass == mass ? slope * scale : (accum)0), out, i);
}
