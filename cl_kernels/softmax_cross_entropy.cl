// loss = mean over positions of -log softmax(logits)[label], and its gradient.
//
// logits[N, C, S] and labels[N, S]: position p = n * S + s has its classes SPATIAL apart. A label
// outside 0..CLASSES-1 leaves its position out.
// totals[3]: sum of the losses, positions whose first largest logit is the label's, positions that
// count. See totals.h for the groups.
//
// LABEL      type of a label
// POSITIONS  N * S
// CLASSES    C
// SPATIAL    S
#include "common.h"

#ifndef LABEL
#define LABEL int
#define POSITIONS 64
#define CLASSES 10
#define SPATIAL 1
#endif
#include "totals.h"

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
    __global const storage* logits, __global const LABEL* labels, __global partial* loss,
    __global partial* totals) {
    accum own[3] = {0, 0, 0};
    for (int p = get_global_id(0); p < POSITIONS; p += ITEMS * GROUPS) {
        const LABEL label = labels[p];
        if (label < 0 || label >= CLASSES) continue;
        __global const storage* row = logits + first_class(p);
        accum sum;
        const int best = largest_class(row, &sum);
        own[0] += (accum)LOAD(row, best * SPATIAL) + log(sum) - (accum)LOAD(row, label * SPATIAL);
        own[1] += best == label;
        own[2] += 1;
    }
    ADD_TOTALS(own, loss, totals);
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
