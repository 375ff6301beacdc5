// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p + k - pad]): convolution on CPUs
// by Winograd's F(TILE x TILE, TAPS x TAPS) with channels in blocks of VW, both transforms and the
// products in one launch.
//
// x[n, c_blocks, ih, iw, VW], b[m_blocks * VW], y[n, m_blocks, oh, ow, VW], and the transformed weights
// u[m_blocks, POINTS, cg, VW]. Tiles are numbered row by row through all images. A work-item computes
// `blocks_per_item` blocks of channels of a chunk of at most `room` tiles. It transforms their inputs
// into points[POINTS][c_blocks][room][VW], and for TILE_B blocks at a time multiplies these into
// sums[POINTS][TILE_B][room][VW] and transforms those into outputs. Points and sums, whose planes are
// `points_plane` and `sums_plane` elements apart, lie in the item's own part of `work`.
// Global: chunks of tiles, chunks of channel blocks.
//
// TILE    see winograd.h; so is TAPS
// POOL_*  see blocked_tile.h; oh, ow and TILE are multiples
// LAST    channels of the last input block, if they are fewer than VW; else 0
// TILE_*  see blocked_tile.h; TILE_X counts tiles, TILE_Y is 1
#include "common.h"
#include "winograd.h"

#include "blocked_tile.h"

#ifndef LAST
#define LAST 0
#endif

#define PUT(v, p) CAT(vstore, VW)(v, 0, p)

__kernel void conv_blocked_winograd(__global const storage* x, __global const real* u,
                                    __global const storage* b, __global storage* y,
                                    __global real* work, const int n, const int cg, const int mg,
                                    const int ih, const int iw, const int oh, const int ow,
                                    const int pad_y, const int pad_x, const int room,
                                    const int blocks_per_item, const int points_plane,
                                    const int sums_plane EPILOGUE_ARGS) {
    const int rows = (oh + TILE - 1) / TILE, columns = (ow + TILE - 1) / TILE;
    const int c_blocks = (cg + VW - 1) / VW, m_blocks = (mg + VW - 1) / VW;
    const int chunks = get_global_size(0), chunk = get_global_id(0);
    const int tiles = n * rows * columns;
    const int tile_from = (long)tiles * chunk / chunks;
    const int count = (long)tiles * (chunk + 1) / chunks - tile_from;
    const int block_from = get_global_id(1) * blocks_per_item;
    const int block_to = min(block_from + blocks_per_item, m_blocks);
    const int item = get_global_id(1) * chunks + chunk;
    __global real* points = work + item * POINTS * (points_plane + sums_plane);
    __global real* sums = points + POINTS * points_plane;

    for (int t = 0; t < count; ++t) {
        const int line = (tile_from + t) / columns, column = tile_from + t - line * columns;
        const int image = line / rows, row = line - image * rows;
        const int top = row * TILE - pad_y, left = column * TILE - pad_x;
        for (int block = 0; block < c_blocks; ++block) {
            __global const storage* pixels = x + (image * c_blocks + block) * ih * iw * VW;
            realV half_way[SIDE][SIDE];
            for (int s = 0; s < SIDE; ++s) {
                realV d[SIDE], v[SIDE];
                const bool exists = left + s >= 0 && left + s < iw;
#pragma unroll
                for (int r = 0; r < SIDE; ++r)
                    d[r] = exists && top + r >= 0 && top + r < ih
                               ? LOADV(pixels, ((top + r) * iw + left + s) * VW)
                               : (realV)0;
                transform_input(d, v);
#pragma unroll
                for (int r = 0; r < SIDE; ++r) half_way[r][s] = v[r];
            }
            __global real* point = points + (block * room + t) * VW;
            for (int r = 0; r < SIDE; ++r) {
                realV v[SIDE];
                transform_input(half_way[r], v);
#pragma unroll
                for (int s = 0; s < SIDE; ++s) PUT(v[s], point + (r * SIDE + s) * points_plane);
            }
        }
    }

    for (int block = block_from; block < block_to; block += TILE_B) {
        for (int point = 0; point < POINTS; ++point) {
            __global const real* packed[TILE_B];  // beyond the last block, the last again
#pragma unroll
            for (int i = 0; i < TILE_B; ++i)
                packed[i] = u + (min(block + i, m_blocks - 1) * POINTS + point) * cg * VW;
            for (int tx = 0; tx < count; tx += TILE_X) {
                const int t = min(tx, count - TILE_X);  // the last tiles may be computed twice
                __global const real* values = points + point * points_plane + t * VW;
                realV sum[TILE_B][TILE_Y][TILE_X];
                CLEAR(sum)
                int at = 0;
                for (int c = 0; c < cg / VW; ++c, values += room * VW)
                    MULTIPLY(VW, values, 0, VW, packed, at, sum)
#if LAST
                MULTIPLY(LAST, values, 0, VW, packed, at, sum)
#endif
                __global real* target = sums + point * sums_plane + t * VW;
#pragma unroll
                for (int i = 0; i < TILE_B; ++i)
#pragma unroll
                    for (int k = 0; k < TILE_X; ++k)
                        PUT(sum[i][0][k], target + (i * room + k) * VW);
            }
        }

        for (int i = 0; i < min(TILE_B, block_to - block); ++i) {
            const int channel = (block + i) * VW;
            const realV bias = LOADV(b, channel);
            for (int t = 0; t < count; ++t) {
                const int line = (tile_from + t) / columns, column = tile_from + t - line * columns;
                const int image = line / rows, row = line - image * rows;
                __global const real* sum = sums + (i * room + t) * VW;
                realV half_way[TILE][SIDE];
                for (int s = 0; s < SIDE; ++s) {
                    realV d[SIDE], v[TILE];
#pragma unroll
                    for (int r = 0; r < SIDE; ++r)
                        d[r] = CAT(vload, VW)(0, sum + (r * SIDE + s) * sums_plane);
                    transform_output(d, v);
#pragma unroll
                    for (int r = 0; r < TILE; ++r) half_way[r][s] = v[r];
                }
                const int pooled_rows = oh / POOL_H, pooled_width = ow / POOL_W;
                const int map = (image * m_blocks + block + i) * pooled_rows * pooled_width;
                const int height = min(TILE, oh - row * TILE), width = min(TILE, ow - column * TILE);
                for (int r = 0; r < height; r += POOL_H) {
                    realV v[POOL_H][TILE];
#pragma unroll
                    for (int p = 0; p < POOL_H; ++p) transform_output(half_way[r + p], v[p]);
                    const int pixel_row = map + (row * TILE + r) / POOL_H * pooled_width;
                    for (int s = 0; s < width; s += POOL_W) {
                        const int index = (pixel_row + (column * TILE + s) / POOL_W) * VW;
                        STORE_LARGEST(v, 0, s, bias, index, channel)
                    }
                }
            }
        }
    }
}
