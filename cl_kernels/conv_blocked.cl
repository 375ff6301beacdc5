// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * s[n, c, p * stride + k * dilation]):
// convolution on CPUs with channels in blocks of VW; m runs over `mg` channels of each group.
//
// y[n, groups, m_blocks, oh, ow, VW], b[groups * m_blocks * VW], and w packed as
// [groups * m_blocks, cg * taps, VW] in the order in which products are summed: blocks of CB input
// channels, rows and columns of the kernel, channels within the block.
//
// A work-item computes `blocks_per_item` blocks of channels of a strip of rows. Where it finds the
// source s of a strip depends on SOURCE:
// 0  in x[n, groups, c_blocks, ih, iw, CB] itself, which needs no padding
// 1  in its own part of `work`, where it copies the rows of x with the padding around them
// 2  likewise, but from x[n, groups, cg, ih, iw] without blocks: CB is cg
// 3  likewise, but with a depthwise convolution of x computed first (see depthwise.h): the product is
//    1x1 over its results
// 4  likewise, but that takes rows of a 1x1 convolution of x, computed first in turn, some blocks of
//    channels at a time (see expand.h)
// Halves are widened once per strip, weights too, behind the source in `work`.
// Tiles at the lower and right edge move back to end with the strip and compute anew what is there.
// Global: strips, chunks of channel blocks, n * groups.
//
// KERNEL_*, STRIDE_*, DILATION_*  the window in height and width; from SOURCE 3 on the depthwise one's
// PAD_*, DEPTHWISE_X  see depthwise.h
// EXPAND_*, ENTRY     see expand.h
// MIDDLE          what happens to the depthwise convolution's results, as an EPILOGUE
// CB              channels of a block of the source
// LAST            channels of its last block, if they are fewer; else 0
// FLAT            1 where a strip is one long row of pixels: 1x1 without strides
// POOL_*, TILE_*  see blocked_tile.h; oh, ow and tiles are multiples of what is pooled
#include "common.h"

#ifndef KERNEL_W
#define SOURCE 1
#define KERNEL_H 3
#define KERNEL_W 3
#define STRIDE_H 1
#define STRIDE_W 1
#define DILATION_H 1
#define DILATION_W 1
#define CB VW
#define LAST 0
#define FLAT 0
#endif
#include "blocked_tile.h"
#include "strip.h"

#if SOURCE >= 3
#if SOURCE == 4
#include "expand.h"
#define DEPTHWISE_INPUT real
#define LOAD_INPUT(p, i) CAT(vload, VW)(0, (p) + (i))
#endif
#include "depthwise.h"
#ifndef MIDDLE
#define MIDDLE(T, LOAD_T, value, index, channel)
#endif
#define KEEP(result, ox)                               \
    {                                                  \
        realV value = result;                          \
        MIDDLE(realV, LOADV_ACCUM, value, 0, 0)        \
        CAT(vstore, VW)(value, ox, target);            \
    }
#define TAPS_H 1
#define TAPS_W 1
#define STEP_H 1
#define STEP_W 1
#else
#define TAPS_H KERNEL_H
#define TAPS_W KERNEL_W
#define STEP_H STRIDE_H
#define STEP_W STRIDE_W
#endif

// The products of LANES channels for every element of the kernel.
#if TAPS_H * TAPS_W == 1
#define WINDOW(LANES)                                                       \
    {                                                                       \
        FETCH(ahead + at);                                                  \
        MULTIPLY(LANES, first, STEP_H * line, STEP_W * CB, packed, at, sum) \
    }
#elif CB * TAPS_W <= 8
// With a channel or two a loop over columns would cost as much as what it does: a row of the window is
// unrolled, in the order of what it reads, as each element serves every pixel whose window holds it.
#define COLUMNS ((TILE_X - 1) * STEP_W + (TAPS_W - 1) * DILATION_W + 1)
#define WINDOW(LANES)                                                                          \
    for (int ky = 0; ky < TAPS_H; ++ky) {                                                      \
        _Pragma("unroll") for (int column = 0; column < COLUMNS; ++column)                     \
            _Pragma("unroll") for (int l = 0; l < LANES; ++l)                                  \
                _Pragma("unroll") for (int j = 0; j < TILE_Y; ++j) {                           \
                    const int from = (ky * DILATION_H + j * STEP_H) * line + column * CB + l;  \
                    const realV value = (realV)(first[from]);                                  \
                    _Pragma("unroll") for (int k = 0; k < TILE_X; ++k) {                       \
                        const int reach = column - k * STEP_W;                                 \
                        const int kx = reach / DILATION_W;                                     \
                        if (reach < 0 || reach % DILATION_W || kx >= TAPS_W) continue;         \
                        _Pragma("unroll") for (int i = 0; i < TILE_B; ++i) sum[i][j][k] = MADD( \
                            value, CAT(vload, VW)(kx * LANES + l, packed[i] + at), sum[i][j][k]); \
                    }                                                                          \
                }                                                                              \
        at += TAPS_W * LANES * VW;                                                             \
    }
#else
#define WINDOW(LANES)                                                                     \
    for (int ky = 0; ky < TAPS_H; ++ky)                                                   \
        for (int kx = 0; kx < TAPS_W; ++kx) {                                             \
            __global const real* values =                                                 \
                first + ky * DILATION_H * line + kx * DILATION_W * CB;                    \
            FETCH(ahead + at);                                                            \
            MULTIPLY(LANES, values, STEP_H * line, STEP_W * CB, packed, at, sum)          \
        }
#endif

__kernel void conv_blocked(
    __global const storage* x,
#if SOURCE == 4
    __global const storage* expansion, __global const storage* expansion_bias,
#endif
#if SOURCE >= 3
    __global const storage* depthwise, __global const storage* depthwise_bias,
#endif
    __global const storage* w, __global const storage* b, __global storage* y,
#if SOURCE > 0
    __global real* work, const int strip_size,
#endif
    const int groups, const int cg, const int mg, const int ih, const int iw, const int oh,
    const int ow, const int pad_y, const int pad_x, const int blocks_per_item EPILOGUE_ARGS) {
    const int strips = get_global_size(0), strip = get_global_id(0);
    const int pooled_rows = oh / POOL_H, pooled_width = ow / POOL_W;
    const int row_from = pooled_rows * strip / strips * POOL_H;
    const int rows = pooled_rows * (strip + 1) / strips * POOL_H - row_from;
    const int c_blocks = (cg + CB - 1) / CB, m_blocks = (mg + VW - 1) / VW;
    const int block_from = get_global_id(1) * blocks_per_item;
    const int block_to = min(block_from + blocks_per_item, m_blocks);
    const int image = get_global_id(2);  // and group
    const int group = image % groups;

#if SOURCE == 0
    const int line = iw * CB, plane = ih * line;
    __global const real* source = x + image * c_blocks * plane + row_from * STRIDE_H * line;
#else
    const int item = (image * get_global_size(1) + get_global_id(1)) * strips + strip;
    __global real* source = work + item * strip_size;
#if SOURCE >= 3
    const int line = ow * CB, plane = rows * line;
#if SOURCE == 4
    const int start = row_from * STRIDE_H - pad_y, top = max(0, start);
    const int end = min(ih, start + (rows - 1) * STRIDE_H + (KERNEL_H - 1) * DILATION_H + 1);
    const int pixels = (end - top) * iw, x_blocks = (EXPAND_FROM + VW - 1) / VW;
    __global real* expanded = source + c_blocks * plane;
    __global const storage* strip_of_x = x + (image * x_blocks * ih + top) * iw * VW;
#if STORAGE == COMPUTE
    __global const real* values = strip_of_x;
    const int apart = ih * iw * VW;
#else
    __global real* values = expanded + EXPAND_B * pixels * VW;
    const int apart = pixels * VW;
    for (int i = 0; i < x_blocks; ++i)
        for (int k = 0; k < pixels; ++k)
            CAT(vstore, VW)(LOADV(strip_of_x, (i * ih * iw + k) * VW), i * pixels + k, values);
#endif
#endif
    for (int block = 0; block < c_blocks; ++block) {
#if SOURCE == 4
        if (block % EXPAND_B == 0)
            expand(expanded, values, pixels, apart, expansion, expansion_bias, block, c_blocks);
        __global const real* plane_of_x = expanded + (block % EXPAND_B * pixels - top * iw) * VW;
#else
        __global const storage* plane_of_x = x + (image * c_blocks + block) * ih * iw * CB;
#endif
        __global const storage* weights = depthwise + block * KERNEL_H * KERNEL_W * CB;
        const realV bias = LOADV(depthwise_bias, block * CB);
        for (int row = 0; row < rows; ++row) {
            __global real* target = source + block * plane + row * line;
            DEPTHWISE_ROW(plane_of_x, weights, bias, row_from + row, ih, iw, ow, pad_y, KEEP)
        }
    }
#else
    const int lines = (rows - 1) * STRIDE_H + (KERNEL_H - 1) * DILATION_H + 1;
    const int width = (ow - 1) * STRIDE_W + (KERNEL_W - 1) * DILATION_W + 1;
    const int line = width * CB, plane = lines * line;
    copy_strip(source, x + image * (SOURCE == 2 ? cg : c_blocks * CB) * ih * iw, c_blocks, lines,
               width, row_from * STRIDE_H - pad_y, -pad_x, ih, iw);
#endif
#endif

#if FLAT
    const int down = 1, across = rows * ow;
#else
    const int down = rows, across = ow;
#endif
    for (int block = block_from; block < block_to; block += TILE_B) {
        __global const real* packed[TILE_B];  // beyond the last block, the last again
        const int depth = cg * TAPS_H * TAPS_W;
#pragma unroll
        for (int i = 0; i < TILE_B; ++i) {
            const int of_block = (group * m_blocks + min(block + i, m_blocks - 1)) * depth * VW;
#if STORAGE == COMPUTE
            packed[i] = w + of_block;
#else
            __global real* widened = source + c_blocks * plane + i * depth * VW;
            for (int k = 0; k < depth; ++k) CAT(vstore, VW)(LOADV(w, of_block + k * VW), k, widened);
            packed[i] = widened;
#endif
        }
        int tile = 0;
        for (int ty = 0; ty < down; ty += TILE_Y)
            for (int tx = 0; tx < across; tx += TILE_X, ++tile) {
                AHEAD(ahead, packed, tile, depth)
                const int oy = min(ty, down - TILE_Y), ox = min(tx, across - TILE_X);
                realV sum[TILE_B][TILE_Y][TILE_X];
                CLEAR(sum)
                __global const real* first = source + oy * STEP_H * line + ox * STEP_W * CB;
                int at = 0;  // in the packed weights
                for (int c = 0; c < cg / CB; ++c, first += plane) WINDOW(CB)
#if LAST
                WINDOW(LAST)
#endif
#pragma unroll
                for (int i = 0; i < TILE_B; ++i) {
                    if (block + i >= block_to) continue;  // with `break` it would not be unrolled
                    const int channel = (group * m_blocks + block + i) * VW;
                    const int row = (row_from + (FLAT ? 0 : oy)) / POOL_H;
                    const int pixel = row * pooled_width + ox / POOL_W;
                    const int map = (image * m_blocks + block + i) * pooled_rows * pooled_width;
                    const realV bias = LOADV(b, channel);
#pragma unroll
                    for (int j = 0; j < TILE_Y; j += POOL_H)
#pragma unroll
                        for (int k = 0; k < TILE_X; k += POOL_W) {
                            const int index =
                                (map + pixel + j / POOL_H * pooled_width + k / POOL_W) * VW;
                            STORE_LARGEST(sum[i], j, k, bias, index, channel)
                        }
                }
            }
    }
}
