// out = (x - mean) / sqrt(var + epsilon) * scale[c] + bias[c] over the COUNT elements of each of the
// ROWS = N * CHANNELS feature maps; the variance is taken in a second pass, around the mean.
//
// GROUP  work-items per feature map
#include "common.h"
#include "fold.h"

#ifndef ROWS
#define ROWS 64
#define CHANNELS 32
#define COUNT 100
#endif

#define SQUARE(x) (((x) - mean) * ((x) - mean))

__kernel void instance_normalization(__global const storage* in, __global const storage* scale,
                                     __global const storage* bias, __global storage* out,
                                     const float epsilon) {
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
    accum sum = 0;
    for (int r = lane * VW; r <= COUNT - VW; r += GROUP * VW) sums += LOADV_ACCUM(in, r);
    for (int r = rest; r < COUNT; r += GROUP) sum += LOAD_ACCUM(in, r);
    sum += FOLD(ADD, sums);
    GROUP_FOLD(ADD, sum, scratch)
    const accum mean = sum / COUNT;
    sums = (accumV)0;
    sum = 0;
    for (int r = lane * VW; r <= COUNT - VW; r += GROUP * VW) sums += SQUARE(LOADV_ACCUM(in, r));
    for (int r = rest; r < COUNT; r += GROUP) sum += SQUARE(LOAD_ACCUM(in, r));
    sum += FOLD(ADD, sums);
    GROUP_FOLD(ADD, sum, scratch)
    const accum factor = LOAD_ACCUM(scale, o % CHANNELS) / sqrt(sum / COUNT + epsilon);
    const accum shift = LOAD_ACCUM(bias, o % CHANNELS) - mean * factor;
    for (int r = lane * VW; r <= COUNT - VW; r += GROUP * VW)
        STOREV_ACCUM(LOADV_ACCUM(in, r) * factor + shift, out, r);
    for (int r = rest; r < COUNT; r += GROUP) STORE_ACCUM(LOAD_ACCUM(in, r) * factor + shift, out, r);
}
