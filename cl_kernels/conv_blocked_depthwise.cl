// y[n, c, p] = epilogue(b[c] + sum over k of w[c, k] * x[n, c, p * stride + k * dilation - pad]):
// depthwise convolution on CPUs with channels in blocks of VW.
//
// x[n, blocks, ih, iw, VW], w[blocks, KERNEL_H, KERNEL_W, VW], b[blocks * VW],
// y[n, blocks, oh, ow, VW]. A work-item computes a strip of rows of `blocks_per_item` blocks.
// Global: strips, chunks of blocks, n.
//
// KERNEL_*, STRIDE_*, DILATION_*, PAD_*, DEPTHWISE_X  see depthwise.h
#include "common.h"

#ifndef KERNEL_W
#define KERNEL_H 3
#define KERNEL_W 3
#define STRIDE_H 1
#define STRIDE_W 1
#define DILATION_H 1
#define DILATION_W 1
#endif
#include "depthwise.h"

#define FINISH(result, ox)                                     \
    {                                                          \
        const int index = start + (ox) * VW;                   \
        realV value = result;                                  \
        EPILOGUE(realV, LOADV_ACCUM, value, index, channel)    \
        STOREV_ACCUM(value, y, index);                         \
    }

__kernel void conv_blocked_depthwise(__global const storage* x, __global const storage* w,
                                     __global const storage* b, __global storage* y,
                                     const int blocks, const int ih, const int iw, const int oh,
                                     const int ow, const int pad_y,
                                     const int blocks_per_item EPILOGUE_ARGS) {
    const int strips = get_global_size(0), strip = get_global_id(0);
    const int row_from = oh * strip / strips, row_to = oh * (strip + 1) / strips;
    const int block_from = get_global_id(1) * blocks_per_item;
    const int block_to = min(block_from + blocks_per_item, blocks);
    for (int block = block_from; block < block_to; ++block) {
        const int channel = block * VW;
        const int plane = get_global_id(2) * blocks + block;
        __global const storage* image = x + plane * ih * iw * VW;
        __global const storage* weights = w + block * KERNEL_H * KERNEL_W * VW;
        const realV bias = LOADV(b, channel);
        for (int oy = row_from; oy < row_to; ++oy) {
            const int start = (plane * oh + oy) * ow * VW;
            DEPTHWISE_ROW(image, weights, bias, oy, ih, iw, ow, pad_y, FINISH)
        }
    }
}
