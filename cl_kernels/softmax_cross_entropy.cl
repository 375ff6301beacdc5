// loss = mean over positions of -log softmax(logits)[label], and its gradient.
//
// logits[N, C, S] and labels[N, S]: position p = n * S + s has its classes SPATIAL apart. A label
// outside 0..CLASSES-1 leaves its position out.
// totals[3]: sum of the losses, positions whose first largest logit is the label's, positions that
// count. The forward kernel runs as one work-group.
//
// LABEL      type of a label
// POSITIONS  N * S
// CLASSES    C
// SPATIAL    S
// ITEMS      work-items of the forward kernel's only work-group: a power of two
#include "common.h"

#ifndef LABEL
#define LABEL int
#define POSITIONS 64
#define CLASSES 10
#define SPATIAL 1
#endif
#ifndef ITEMS
#define ITEMS 1
#endif

// The first logit of a position.
int first_class(const int position) {
    return position / SPATIAL * CLASSES * SPATIAL + position % SPATIAL;
}

// The largest logit's class; the sum of exp(logit - largest) goes to `sum`.
int largest_class(__global const storage* logits, accum* sum) {
    int best = 0;
    accum largest = LOAD(logits, 0);
    for (int c = 1; c < CLASSES; ++c) {
        const accum logit = LOAD(logits, c * SPATIAL);
        if (logit > largest) {
            largest = logit;
            best = c;
        }
    }
    *sum = 0;
    for (int c = 0; c < CLASSES; ++c) *sum += exp((accum)LOAD(logits, c * SPATIAL) - largest);
    return best;
}

__kernel void softmax_cross_entropy(
    __global const storage* logits, __global const LABEL* labels, __global storage* loss,
    __global storage* totals) {
    __local accum sums[3][ITEMS];
    const int item = get_local_id(0);
    accum total = 0, correct = 0, count = 0;
    for (int p = item; p < POSITIONS; p += ITEMS) {
        const LABEL label = labels[p];
        if (label < 0 || label >= CLASSES) continue;
        __global const storage* row = logits + first_class(p);
        accum sum;
        const int best = largest_class(row, &sum);
        total += (accum)LOAD(row, best * SPATIAL) + log(sum) - (accum)LOAD(row, label * SPATIAL);
        correct += best == label;
        count += 1;
    }
    sums[0][item] = total;
    sums[1][item] = correct;
    sums[2][item] = count;
    for (int half_items = ITEMS / 2; half_items > 0; half_items /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_items) {
            for (int i = 0; i < 3; ++i) sums[i][item] += sums[i][item + half_items];
        }
    }
    if (item == 0) {
        for (int i = 0; i < 3; ++i) STORE((real)sums[i][0], totals, i);
        STORE((real)(sums[0][0] / max(sums[2][0], (accum)1)), loss, 0);
    }
}

__kernel void softmax_cross_entropy_gradient(
    __global const storage* logits, __global const LABEL* labels, __global const storage* totals,
    __global const storage* grad, __global storage* out) {
    const int p = get_global_id(0);
    if (p >= POSITIONS) return;
    const LABEL label = labels[p];
    const bool counts = label >= 0 && label < CLASSES;
    __global const storage* row = logits + first_class(p);
    __global storage* out_row = out + first_class(p);
    accum sum;
    const accum largest = LOAD(row, largest_class(row, &sum) * SPATIAL);
    const accum scale = (accum)LOAD(grad, 0) / max((accum)LOAD(totals, 2), (accum)1);
    for (int c = 0; c < CLASSES; ++c) {
        const accum softmax = exp((accum)LOAD(row, c * SPATIAL) - largest) / sum;
        const accum slope = counts ? scale * (softmax - (c == label)) : (accum)0;
        STORE((real)slope, out_row, c * SPATIAL);
    }
}
