// Batch normalisation in training: the statistics of each channel of x[N, CHANNELS, SPATIAL] over N
// and SPATIAL, and the gradient through them.
//
// statistics: mean[c], and var[c], taken in a second pass around the mean
// sums: dbias[c] = sum dy, dscale[c] = sum dy * xhat, with xhat = (x - mean) / sqrt(var + epsilon)
// gradient: dx = scale / sqrt(var + epsilon) * (dy - (dbias + xhat * dscale) / (N * SPATIAL))
//
// GROUP    work-items per channel
// VECTORS  vectors of one feature map per work-item of gradient
#include "common.h"
#include "fold.h"

#ifndef CHANNELS
#define BATCH 4
#define CHANNELS 32
#define SPATIAL 100
#define VECTORS 1
#endif

#define COUNT (BATCH * SPATIAL)
#define SQUARE(x) (((x) - mean) * ((x) - mean))

// Adds TERM_V(i) over the vectors and TERM(i) over the single elements of channel c, i being where
// they begin in memory, to `sum`.
#define OVER_CHANNEL(sum, TERM_V, TERM)                                                    \
    {                                                                                      \
        accumV sums = (accumV)0;                                                           \
        for (int n = 0; n < BATCH; ++n) {                                                  \
            const int map = (n * CHANNELS + c) * SPATIAL;                                  \
            for (int s = lane * VW; s <= SPATIAL - VW; s += GROUP * VW)                    \
                sums += TERM_V(map + s);                                                   \
            for (int s = SPATIAL / VW * VW + lane; s < SPATIAL; s += GROUP)                \
                sum += TERM(map + s);                                                      \
        }                                                                                  \
        sum += FOLD(ADD, sums);                                                            \
    }

#define LANE                                                     \
    const int lane = GROUP > 1 ? get_local_id(0) : 0;            \
    const int c = GROUP > 1 ? get_group_id(0) : get_global_id(0); \
    if (c >= CHANNELS) return;

#define X_V(i) LOADV_ACCUM(x, i)
#define X_1(i) LOAD_ACCUM(x, i)
#define SQUARE_V(i) SQUARE(X_V(i))
#define SQUARE_1(i) SQUARE(X_1(i))

__kernel void batch_statistics(
    __global const storage* x, __global storage* means, __global storage* vars) {
    LANE
#if GROUP > 1
    __local accum scratch[GROUP];
#endif
    accum sum = 0;
    OVER_CHANNEL(sum, X_V, X_1)
    GROUP_FOLD(ADD, sum, scratch)
    const accum mean = sum / COUNT;
    sum = 0;
    OVER_CHANNEL(sum, SQUARE_V, SQUARE_1)
    GROUP_FOLD(ADD, sum, scratch)
    if (lane == 0) {
        STORE_ACCUM(mean, means, c);
        STORE_ACCUM(sum / COUNT, vars, c);
    }
}

#define DY_V(i) LOADV_ACCUM(dy, i)
#define DY_1(i) LOAD_ACCUM(dy, i)
#define PRODUCT_V(i) (DY_V(i) * ((X_V(i) - mean) * factor))
#define PRODUCT_1(i) (DY_1(i) * ((X_1(i) - mean) * factor))

__kernel void batch_statistics_sums(
    __global const storage* x, __global const storage* means, __global const storage* vars,
    __global const storage* dy, __global storage* dscale, __global storage* dbias,
    const float epsilon) {
    LANE
#if GROUP > 1
    __local accum scratch[GROUP];
#endif
    const accum mean = LOAD_ACCUM(means, c), factor = 1 / sqrt(LOAD_ACCUM(vars, c) + epsilon);
    accum sum = 0, product = 0;
    OVER_CHANNEL(sum, DY_V, DY_1)
    OVER_CHANNEL(product, PRODUCT_V, PRODUCT_1)
    GROUP_FOLD(ADD, sum, scratch)
    GROUP_FOLD(ADD, product, scratch)
    if (lane == 0) {
        STORE_ACCUM(sum, dbias, c);
        STORE_ACCUM(product, dscale, c);
    }
}

__kernel void batch_statistics_gradient(
    __global const storage* x, __global const storage* scale, __global const storage* means,
    __global const storage* vars, __global const storage* dy, __global const storage* dscale,
    __global const storage* dbias, __global storage* dx, const float epsilon) {
    int s = get_global_id(0) * VECTORS * VW;
    const int map = get_global_id(1), c = map % CHANNELS;
    if (s >= SPATIAL) return;
    const accum mean = LOAD_ACCUM(means, c), factor = 1 / sqrt(LOAD_ACCUM(vars, c) + epsilon);
    const accum slope = LOAD_ACCUM(scale, c) * factor;
    const accum shift = LOAD_ACCUM(dbias, c) / COUNT;
    const accum along = LOAD_ACCUM(dscale, c) / COUNT * factor;
    x += map * SPATIAL;
    dy += map * SPATIAL;
    dx += map * SPATIAL;
    const int end = min(s + VECTORS * VW, SPATIAL);
    for (; s <= end - VW; s += VW)
        STOREV_ACCUM(slope * (DY_V(s) - shift - (X_V(s) - mean) * along), dx, s);
    for (; s < end; ++s) STORE_ACCUM(slope * (DY_1(s) - shift - (X_1(s) - mean) * along), dx, s);
}
