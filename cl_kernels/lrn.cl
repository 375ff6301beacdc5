// out[c] = x[c] / (bias + scale * sum of x² over SIZE channels from c - BEFORE on)^beta
// for x[N, CHANNELS, SPATIAL]; an item takes VW neighbours in space, and VW divides SPATIAL.
#include "common.h"

#ifndef CHANNELS
#define CHANNELS 32
#define SPATIAL 100
#define SIZE 5
#define BEFORE 2
#endif

__kernel void lrn(__global const storage* in, __global storage* out, const float scale,
                  const float beta, const float bias) {
    const int s = get_global_id(0) * VW, c = get_global_id(1);
    if (s >= SPATIAL) return;
    const int image = get_global_id(2) * CHANNELS * SPATIAL + s;
    accumV sum = (accumV)0;
    for (int k = max(0, c - BEFORE); k < min(CHANNELS, c - BEFORE + SIZE); ++k) {
        const accumV x = LOADV_ACCUM(in, image + k * SPATIAL);
        sum += x * x;
    }
    const accumV x = LOADV_ACCUM(in, image + c * SPATIAL);
    STOREV_ACCUM(x * pow(sum * scale + bias, (accumV)(-beta)), out, image + c * SPATIAL);
}
