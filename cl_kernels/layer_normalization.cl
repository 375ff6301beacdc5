// out = (x - mean) / sqrt(var + epsilon) * scale[r] + bias[r] over each of ROWS rows of COUNT elements r;
// the variance is taken in a second pass, around the mean.
//
// CENTRED   0: x / sqrt(mean of x * x + epsilon) instead
// HAS_BIAS  whether there is a bias
// GROUP     work-items per row
#include "common.h"
#include "fold.h"

#ifndef ROWS
#define ROWS 64
#define COUNT 100
#define CENTRED 1
#define HAS_BIAS 1
#endif

#define SQUARE(x) (((x) - mean) * ((x) - mean))
#if HAS_BIAS
#define SHIFT(LOAD, r) LOAD(bias, r)
#else
#define SHIFT(LOAD, r) 0
#endif

__kernel void layer_normalization(__global const storage* in, __global const storage* scale,
#if HAS_BIAS
                                  __global const storage* bias,
#endif
                                  __global storage* out, const float epsilon) {
    const int lane = GROUP > 1 ? get_local_id(0) : 0;
    const int o = GROUP > 1 ? get_group_id(0) : get_global_id(0);
    if (o >= ROWS) return;
#if GROUP > 1
    __local accum scratch[GROUP];
#endif
    in += o * COUNT;
    out += o * COUNT;
    const int rest = COUNT / VW * VW + lane;  // behind the last whole vector
    accumV sums = (accumV)0;
    accum sum = 0, mean = 0;
#if CENTRED
    for (int r = lane * VW; r <= COUNT - VW; r += GROUP * VW) sums += LOADV_ACCUM(in, r);
    for (int r = rest; r < COUNT; r += GROUP) sum += LOAD_ACCUM(in, r);
    sum += FOLD(ADD, sums);
    GROUP_FOLD(ADD, sum, scratch)
    mean = sum / COUNT;
    sums = (accumV)0;
    sum = 0;
#endif
    for (int r = lane * VW; r <= COUNT - VW; r += GROUP * VW) sums += SQUARE(LOADV_ACCUM(in, r));
    for (int r = rest; r < COUNT; r += GROUP) sum += SQUARE(LOAD_ACCUM(in, r));
    sum += FOLD(ADD, sums);
    GROUP_FOLD(ADD, sum, scratch)
    const accum factor = 1 / sqrt(sum / COUNT + epsilon);
    for (int r = lane * VW; r <= COUNT - VW; r += GROUP * VW)
        STOREV_ACCUM((LOADV_ACCUM(in, r) - mean) * factor * LOADV_ACCUM(scale, r) +
                         SHIFT(LOADV_ACCUM, r), out, r);
    for (int r = rest; r < COUNT; r += GROUP)
        STORE_ACCUM((LOAD_ACCUM(in, r) - mean) * factor * LOAD_ACCUM(scale, r) + SHIFT(LOAD_ACCUM, r),
                    out, r);
}
