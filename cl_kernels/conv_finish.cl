// y[n, m, p] = epilogue(b[m] + y[n, m, p]) in place, for a convolution as BLAS leaves it.
//
// BIAS  1 where there is a bias
#include "common.h"

#ifndef BIAS
#define BIAS 1
#endif

__kernel void conv_finish(
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, const int size, const int channels, const int pixels EPILOGUE_ARGS) {
    const int index = get_global_id(0);
    if (index >= size) return;
    const int channel = index / pixels % channels;
    accum value = LOAD_ACCUM(y, index);
#if BIAS
    value += LOAD_ACCUM(b, channel);
#endif
    EPILOGUE(accum, LOAD_ACCUM, value, index, channel)
    STORE_ACCUM(value, y, index);
}
