// A 1x1 convolution ahead of a depthwise one on CPUs, with channels in blocks of VW. After common.h.
//
// EXPAND_FROM         channels of its input
// EXPAND_B, EXPAND_X  blocks of channels and pixels of a register tile
// ENTRY               what happens to its results, as an EPILOGUE
#ifndef EXPAND_FROM
#define EXPAND_FROM VW
#define EXPAND_B 2
#define EXPAND_X 4
#endif
#ifndef ENTRY
#define ENTRY(T, LOAD_T, value, index, channel)
#endif

// The products of LANES channels from channel `at` on.
#define EXPAND_LANES(LANES)                                                                \
    _Pragma("unroll") for (int l = 0; l < LANES; ++l) {                                    \
        realV weight[EXPAND_B];                                                            \
        _Pragma("unroll") for (int i = 0; i < EXPAND_B; ++i)                               \
            weight[i] = LOADV(packed[i], (at + l) * VW);                                   \
        _Pragma("unroll") for (int k = 0; k < EXPAND_X; ++k) {                             \
            const realV value = (realV)(values[k * VW + l]);                               \
            _Pragma("unroll") for (int i = 0; i < EXPAND_B; ++i)                           \
                sum[i][k] = MADD(value, weight[i], sum[i][k]);                             \
        }                                                                                  \
    }

// to[EXPAND_B, pixels, VW]: the blocks of channels from `block` on, beyond the last of `blocks` the
// last again, for so many pixels of x, whose blocks lie `plane` apart. The last tile moves back to end
// with them.
void expand(__global real* restrict to, __global const real* restrict x, const int pixels,
            const int plane, __global const storage* restrict w, __global const storage* restrict b,
            const int block, const int blocks) {
    __global const storage* packed[EXPAND_B];
    realV bias[EXPAND_B];
#pragma unroll
    for (int i = 0; i < EXPAND_B; ++i) {
        const int channel = min(block + i, blocks - 1) * VW;
        packed[i] = w + channel * EXPAND_FROM;
        bias[i] = LOADV(b, channel);
    }
    for (int next = 0; next < pixels; next += EXPAND_X) {
        const int pixel = min(next, pixels - EXPAND_X);
        realV sum[EXPAND_B][EXPAND_X];
#pragma unroll
        for (int i = 0; i < EXPAND_B; ++i)
#pragma unroll
            for (int k = 0; k < EXPAND_X; ++k) sum[i][k] = bias[i];
        __global const real* values = x + pixel * VW;
        int at = 0;
        for (; at + VW <= EXPAND_FROM; at += VW, values += plane) EXPAND_LANES(VW)
#if EXPAND_FROM % VW
        EXPAND_LANES(EXPAND_FROM % VW)
#endif
#pragma unroll
        for (int i = 0; i < EXPAND_B; ++i)
#pragma unroll
            for (int k = 0; k < EXPAND_X; ++k) {
                realV value = sum[i][k];
                ENTRY(realV, LOADV_ACCUM, value, 0, 0)
                CAT(vstore, VW)(value, i * pixels + pixel + k, to);
            }
    }
}
