// y[n, m, p] = epilogue(b[m] + sum over c of w[m, c] * x[n, c, p]): 1x1 convolution.
//
// x[n, groups, cg, pixels], b[groups * mg], y[n, groups, mg, pixels], and w packed by conv_pack:
// [groups, ceil(mg / BLOCK), cg, BLOCK], zero behind the last channel. A work-item computes
// `blocks_per_item` blocks of BLOCK channels for `tiles_per_item` tiles of TILE_V vectors of pixels.
// The last tile moves back to end with the plane and stores only what is not yet stored, so there
// must be at least TILE_V * VW pixels. Global: chunks of tiles, chunks of blocks, n * groups.
//
// BIAS     1 where there is a bias
// ALIGNED  1 where pixels are a multiple of TILE_V * VW: wide accesses, no special last tile
// FINE     1 for GPUs: a work-item computes one block of one tile, and loads four weights at once
// PIXELS   pixels as a number, so that distances are constants (GPUs pay dearly for computing with
//          64-bit addresses), or the argument's name, so that programs are few
// STEP     input channels of a turn of the loop, which divide cg; halves are added up over so many,
//          then in float
// BLOCK    output channels computed together; with FINE a multiple of 4
// TILE_V   vectors of pixels computed together
#include "common.h"
#include "lanes.h"

#ifndef BIAS
#define BIAS 1
#define ALIGNED 0
#endif
#ifndef FINE
#define FINE 0
#endif
#ifndef PIXELS
#define PIXELS pixels
#endif
#ifndef STEP
#define STEP 1
#endif
#ifndef BLOCK
#define BLOCK 8
#endif
#ifndef TILE_V
#define TILE_V 3
#endif

#define SPAN (TILE_V * VW)

#if ALIGNED
#define LOAD_PIXELS LOADVA
#else
#define LOAD_PIXELS LOADV
#endif
#if ALIGNED && STORAGE != 16
#define LOAD_RESULT LOADVA
#define STORE_RESULT STOREVA
#else
#define LOAD_RESULT LOADV_ACCUM
#define STORE_RESULT STOREV_ACCUM
#endif

#if COMPUTE != 16
#define part sum
#endif

__kernel void conv_pointwise(
    __global const storage* x, __global const storage* w,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, const int groups, const int cg, const int mg, const int pixels,
    const int blocks_per_item, const int tiles_per_item EPILOGUE_ARGS) {
    const int blocks = (mg + BLOCK - 1) / BLOCK;
    const int tiles = (pixels + SPAN - 1) / SPAN;
    const int image = get_global_id(2);
    const int group = image % groups;
    x += image * cg * pixels;

#if FINE
    const int tile = get_global_id(0), block = get_global_id(1);
    if (tile >= tiles) return;
#else
    const int tile_from = get_global_id(0) * tiles_per_item;
    const int tile_to = min(tile_from + tiles_per_item, tiles);
    const int block_from = get_global_id(1) * blocks_per_item;
    const int block_to = min(block_from + blocks_per_item, blocks);
    for (int tile = tile_from; tile < tile_to; ++tile)
        for (int block = block_from; block < block_to; ++block)
#endif
    {
#if ALIGNED
        const int p = tile * SPAN;
#else
        const int p = min(tile * SPAN, pixels - SPAN);
        const int skip = tile * SPAN - p;
#endif
        accumV sum[BLOCK][TILE_V];
#pragma unroll
        for (int i = 0; i < BLOCK; ++i)
#pragma unroll
            for (int v = 0; v < TILE_V; ++v) sum[i][v] = (accumV)0;
        __global const storage* column = x + p;
        __global const storage* weights = w + (group * blocks + block) * cg * BLOCK;
        for (int c = 0; c < cg; c += STEP) {
#if COMPUTE == 16
            realV part[BLOCK][TILE_V];
#pragma unroll
            for (int i = 0; i < BLOCK; ++i)
#pragma unroll
                for (int v = 0; v < TILE_V; ++v) part[i][v] = (realV)0;
#endif
#pragma unroll
            for (int step = 0; step < STEP; ++step) {
                realV value[TILE_V];
#pragma unroll
                for (int v = 0; v < TILE_V; ++v) value[v] = LOAD_PIXELS(column, v * VW);
#if FINE
                real4 four[BLOCK / 4];
#pragma unroll
                for (int i = 0; i < BLOCK / 4; ++i)
                    four[i] = LOAD4(weights, step * BLOCK + i * 4);
#endif
#pragma unroll
                for (int i = 0; i < BLOCK; ++i) {
#if FINE
                    const realV weight = (realV)(LANE(four[i / 4], i % 4));
#else
                    const realV weight = (realV)LOAD(weights, step * BLOCK + i);
#endif
#pragma unroll
                    for (int v = 0; v < TILE_V; ++v)
                        part[i][v] = MADD(weight, value[v], part[i][v]);
                }
                column += PIXELS;
            }
            weights += STEP * BLOCK;
#if COMPUTE == 16
#pragma unroll
            for (int i = 0; i < BLOCK; ++i)
#pragma unroll
                for (int v = 0; v < TILE_V; ++v) sum[i][v] += TO_ACCUMV(part[i][v]);
#endif
        }
#pragma unroll
        for (int i = 0; i < BLOCK; ++i) {
            const int m = block * BLOCK + i;
            if (m < mg) {
                const int channel = group * mg + m;
                const int start = (image * mg + m) * pixels + p;
#if BIAS
                const accum bias = LOAD_ACCUM(b, channel);
#else
                const accum bias = 0;
#endif
#pragma unroll
                for (int v = 0; v < TILE_V; ++v) {
                    const int index = start + v * VW;
                    accumV value = sum[i][v] + (accumV)bias;
                    EPILOGUE(accumV, LOAD_RESULT, value, index, channel)
#if ALIGNED
                    STORE_RESULT(value, y, index);
#else
                    if (skip <= v * VW) {
                        STORE_RESULT(value, y, index);
                    } else {
                        accum lanes[VW];
                        CAT(vstore, VW)(value, 0, lanes);
                        for (int k = skip - v * VW; k < VW; ++k) STORE_ACCUM(lanes[k], y, index + k);
                    }
#endif
                }
            }
        }
    }
}
