// y[n, m, p] = epilogue(b[m] + sum over c of w[m, c] * x[n, c, p]): 1x1 convolution on CPUs.
//
// x[n, groups, cg, pixels], b[groups * mg], y[n, groups, mg, pixels], and w packed by conv_pack:
// [groups, ceil(mg / BLOCK), cg, BLOCK], zero behind the last channel. A work-item computes
// `blocks_per_item` blocks of BLOCK channels for `tiles_per_item` tiles of TILE_V vectors of pixels.
// The last tile moves back to end with the plane and stores only what is not yet stored, so there
// must be at least TILE_V * VW pixels. Global: chunks of blocks, chunks of tiles, n * groups.
//
// BIAS    1 where there is a bias
// BLOCK   output channels computed together
// TILE_V  vectors of pixels computed together
#include "common.h"

#ifndef BIAS
#define BIAS 1
#endif
#ifndef BLOCK
#define BLOCK 8
#endif
#ifndef TILE_V
#define TILE_V 3
#endif

#define SPAN (TILE_V * VW)

__kernel void conv_pointwise(
    __global const storage* x, __global const storage* w,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, const int groups, const int cg, const int mg, const int pixels,
    const int blocks_per_item, const int tiles_per_item EPILOGUE_ARGS) {
    const int blocks = (mg + BLOCK - 1) / BLOCK;
    const int tiles = (pixels + SPAN - 1) / SPAN;
    const int block_from = get_global_id(0) * blocks_per_item;
    const int block_to = min(block_from + blocks_per_item, blocks);
    const int tile_from = get_global_id(1) * tiles_per_item;
    const int tile_to = min(tile_from + tiles_per_item, tiles);
    const int image = get_global_id(2);
    const int group = image % groups;
    x += image * cg * pixels;

    for (int tile = tile_from; tile < tile_to; ++tile) {
        const int p = min(tile * SPAN, pixels - SPAN);
        const int skip = tile * SPAN - p;
        for (int block = block_from; block < block_to; ++block) {
            realV sum[BLOCK][TILE_V];
#pragma unroll
            for (int i = 0; i < BLOCK; ++i)
#pragma unroll
                for (int v = 0; v < TILE_V; ++v) sum[i][v] = (realV)0;
            __global const storage* column = x + p;
            __global const storage* weights = w + (group * blocks + block) * cg * BLOCK;
            for (int c = 0; c < cg; ++c) {
                realV value[TILE_V];
#pragma unroll
                for (int v = 0; v < TILE_V; ++v) value[v] = LOADV(column, v * VW);
#pragma unroll
                for (int i = 0; i < BLOCK; ++i) {
                    const realV weight = (realV)LOAD(weights, i);
#pragma unroll
                    for (int v = 0; v < TILE_V; ++v)
                        sum[i][v] = MADD(weight, value[v], sum[i][v]);
                }
                column += pixels;
                weights += BLOCK;
            }
#pragma unroll
            for (int i = 0; i < BLOCK; ++i) {
                const int m = block * BLOCK + i;
                if (m < mg) {
                    const int channel = group * mg + m;
                    const int start = (image * mg + m) * pixels + p;
#pragma unroll
                    for (int v = 0; v < TILE_V; ++v) {
                        const int index = start + v * VW;
#if BIAS
                        accumV value = TO_ACCUMV(sum[i][v]) + (accumV)LOAD_ACCUM(b, channel);
#else
                        accumV value = TO_ACCUMV(sum[i][v]);
#endif
                        EPILOGUE(accumV, LOADV_ACCUM, value, index, channel)
                        if (skip <= v * VW) {
                            STOREV_ACCUM(value, y, index);
                        } else {
                            accum lanes[VW];
                            CAT(vstore, VW)(value, 0, lanes);
                            for (int k = skip - v * VW; k < VW; ++k) STORE_ACCUM(lanes[k], y, index + k);
                        }
                    }
                }
            }
        }
    }
}
