// out = (x - mean[c]) / sqrt(var[c] + epsilon) * scale[c] + bias[c] for x[N, CHANNELS, SPATIAL].
// An item takes VECTORS vectors of one feature map.
#include "common.h"

#ifndef CHANNELS
#define CHANNELS 32
#define SPATIAL 100
#define VECTORS 1
#endif

__kernel void batch_normalization(__global const storage* in, __global const storage* scale,
                                  __global const storage* bias, __global const storage* means,
                                  __global const storage* vars, __global storage* out,
                                  const float epsilon) {
    int s = get_global_id(0) * VECTORS * VW;
    const int map = get_global_id(1), c = map % CHANNELS;
    if (s >= SPATIAL) return;
    const accum factor = LOAD_ACCUM(scale, c) / sqrt(LOAD_ACCUM(vars, c) + epsilon);
    const accum shift = LOAD_ACCUM(bias, c) - LOAD_ACCUM(means, c) * factor;
    in += map * SPATIAL;
    out += map * SPATIAL;
    const int end = min(s + VECTORS * VW, SPATIAL);
    for (; s <= end - VW; s += VW) STOREV_ACCUM(LOADV_ACCUM(in, s) * factor + shift, out, s);
    for (; s < end; ++s) STORE_ACCUM(LOAD_ACCUM(in, s) * factor + shift, out, s);
}

// What BLAS needs for out[map] = factor[c] * x[map] + shift[c]: the factors, and out = shift.
__kernel void batch_normalization_prepare(__global const storage* scale,
                                          __global const storage* bias,
                                          __global const storage* means,
                                          __global const storage* vars, __global storage* factors,
                                          __global storage* out, const float epsilon) {
    const int s = get_global_id(0), map = get_global_id(1), c = map % CHANNELS;
    if (s >= SPATIAL) return;
    const accum factor = LOAD_ACCUM(scale, c) / sqrt(LOAD_ACCUM(vars, c) + epsilon);
    STORE_ACCUM(LOAD_ACCUM(bias, c) - LOAD_ACCUM(means, c) * factor, out, map * SPATIAL + s);
    if (s == 0 && map < CHANNELS) STORE_ACCUM(factor, factors, c);
}
