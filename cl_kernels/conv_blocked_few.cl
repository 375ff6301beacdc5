// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p * stride + k * dilation - pad]):
// convolution on CPUs of maps that are too few to fill vectors of channels, without strides along rows.
// So a vector holds ACROSS pixels each of two maps.
//
// x[n, cg, ih, iw], y[n, m_blocks, oh, ow, VW], w[cg * taps, PAIRS, VW], b[PAIRS, VW]: each weight and
// bias stands there once for every pixel of a vector. A work-item computes a strip of rows, which it
// copies with the padding around them into its own part of `work`. Tiles at the lower and right edge
// move back to end with the strip and compute anew what is there.
// Global: strips, 1, n.
//
// KERNEL_*, STRIDE_H, DILATION_*  the window in height and width
// PAIRS           of maps; beyond them y is zero
// M_BLOCKS        blocks of channels of y
// POOL_*          see blocked_tile.h; POOL_W is 1 or 2
// TILE_Y, TILE_X  rows and vectors of pixels of a register tile
#include "common.h"

#ifndef KERNEL_W
#define KERNEL_H 5
#define KERNEL_W 5
#define STRIDE_H 1
#define DILATION_H 1
#define DILATION_W 1
#define PAIRS 3
#define M_BLOCKS (VW < 6 ? 2 : 1)
#endif
#ifndef POOL_H
#define POOL_H 1
#define POOL_W 1
#endif
#ifndef TILE_Y
#define TILE_Y 4
#define TILE_X 1
#endif

#define SOURCE 2
#define CB 1
#include "strip.h"

#if VW == 4
#define ACROSS 2
#elif VW == 8
#define ACROSS 4
#else
#define ACROSS 8
#endif
typedef CAT(REAL, ACROSS) pixels;

// Neighbours of a vector pooled; KEPT pixels of each map are left.
#if POOL_W == 1
#define KEPT ACROSS
#define POOLED accumV
#define POOL(v) (v)
#else
#define KEPT (ACROSS / 2)
#define POOLED CAT(ACCUM, ACROSS)
#define POOL(v) max((v).even, (v).odd)
#endif

// Stores at y[index] on what is kept of sums[PAIRS][POOL_H].
#define STORE_LARGEST(sums, index, plane)                                                   \
    {                                                                                      \
        POOLED kept[PAIRS];                                                                \
        const __private accum* lanes = (const __private accum*)kept;                       \
        _Pragma("unroll") for (int i = 0; i < PAIRS; ++i) {                                \
            accumV largest = (sums)[i][0];                                                 \
            _Pragma("unroll") for (int p = 1; p < POOL_H; ++p)                             \
                largest = max(largest, (sums)[i][p]);                                      \
            kept[i] = POOL(largest);                                                       \
        }                                                                                  \
        _Pragma("unroll") for (int pixel = 0; pixel < KEPT; ++pixel)                       \
            _Pragma("unroll") for (int block = 0; block < M_BLOCKS; ++block) {             \
                accumV maps = (accumV)0;                                                   \
                _Pragma("unroll") for (int i = 0; i < VW; ++i) {                           \
                    const int map = block * VW + i;                                        \
                    if (map < 2 * PAIRS) ((__private accum*)&maps)[i] = lanes[map * KEPT + pixel]; \
                }                                                                          \
                STOREV_ACCUM(maps, y, (index) + block * (plane) + pixel * VW);             \
            }                                                                              \
    }

__kernel void conv_blocked_few(__global const storage* x, __global const storage* w,
                               __global const storage* b, __global storage* y, __global real* work,
                               const int strip_size, const int cg, const int ih, const int iw,
                               const int oh, const int ow, const int pad_y, const int pad_x) {
    const int strips = get_global_size(0), strip = get_global_id(0), image = get_global_id(2);
    const int pooled_rows = oh / POOL_H, pooled_width = ow / POOL_W;
    const int row_from = pooled_rows * strip / strips * POOL_H;
    const int rows = pooled_rows * (strip + 1) / strips * POOL_H - row_from;
    const int lines = (rows - 1) * STRIDE_H + (KERNEL_H - 1) * DILATION_H + 1;
    const int line = ow + (KERNEL_W - 1) * DILATION_W, plane = lines * line;
    __global real* source = work + (image * strips + strip) * strip_size;
    copy_strip(source, x + image * cg * ih * iw, cg, lines, line, row_from * STRIDE_H - pad_y, -pad_x,
               ih, iw);

    for (int ty = 0; ty < rows; ty += TILE_Y)
        for (int tx = 0; tx < ow; tx += TILE_X * ACROSS) {
            const int oy = min(ty, rows - TILE_Y), ox = min(tx, ow - TILE_X * ACROSS);
            realV sum[TILE_X][PAIRS][TILE_Y];
#pragma unroll
            for (int i = 0; i < PAIRS; ++i) {
                const realV bias = LOADV(b, i * VW);
#pragma unroll
                for (int j = 0; j < TILE_Y; ++j)
#pragma unroll
                    for (int k = 0; k < TILE_X; ++k) sum[k][i][j] = bias;
            }
            __global const storage* weights = w;
            for (int c = 0; c < cg; ++c)
                for (int ky = 0; ky < KERNEL_H; ++ky) {
                    __global const real* first =
                        source + c * plane + (oy * STRIDE_H + ky * DILATION_H) * line + ox;
#pragma unroll
                    for (int kx = 0; kx < KERNEL_W; ++kx, weights += PAIRS * VW)
#pragma unroll
                        for (int j = 0; j < TILE_Y; ++j)
#pragma unroll
                            for (int k = 0; k < TILE_X; ++k) {
                                const pixels half_of_it = CAT(vload, ACROSS)(
                                    0, first + j * STRIDE_H * line + k * ACROSS + kx * DILATION_W);
                                const realV value = (realV)(half_of_it, half_of_it);
#pragma unroll
                                for (int i = 0; i < PAIRS; ++i)
                                    sum[k][i][j] = MADD(value, LOADV(weights, i * VW), sum[k][i][j]);
                            }
                }
#pragma unroll
            for (int i = 0; i < PAIRS; ++i)
#pragma unroll
                for (int j = 0; j < TILE_Y; ++j)
#pragma unroll
                    for (int k = 0; k < TILE_X; ++k) {
                        EPILOGUE(realV, LOADV_ACCUM, sum[k][i][j], 0, 0)
                    }
            const int row = (row_from + oy) / POOL_H;
            const int map = image * M_BLOCKS * pooled_rows * pooled_width;
#pragma unroll
            for (int j = 0; j < TILE_Y; j += POOL_H)
#pragma unroll
                for (int k = 0; k < TILE_X; ++k) {
                    accumV window[PAIRS][POOL_H];
#pragma unroll
                    for (int i = 0; i < PAIRS; ++i)
#pragma unroll
                        for (int p = 0; p < POOL_H; ++p) window[i][p] = sum[k][i][j + p];
                    const int column = (ox + k * ACROSS) / POOL_W;
                    const int index = (map + (row + j / POOL_H) * pooled_width + column) * VW;
                    STORE_LARGEST(window, index, pooled_rows * pooled_width * VW)
                }
        }
}
