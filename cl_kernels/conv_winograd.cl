// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p + k - pad]): 3x3 convolution
// on GPUs by Winograd's F(TILE x TILE, 3 x 3). These are its transforms; between them gemm.cl computes
// sums[POINTS, mg, lanes] from weights[POINTS, mg, cg] and points[POINTS, cg, lanes]. The tiles of all
// images are numbered row by row; `lanes` is their number rounded up, so that neighbours in a
// work-group lie side by side, and lanes behind the last tile hold anything.
//
// conv_winograd_input   x[n, cg, ih, iw] to points. Global: tiles, channels
// conv_winograd_output  sums to y[n, mg, oh, ow], with bias and epilogue. Global: tiles, channels
//
// BIAS  1 where there is a bias
// TILE  see winograd.h; VW must be 1
#define VW 1
#include "common.h"
#include "winograd.h"

#ifndef BIAS
#define BIAS 1
#endif

__kernel void conv_winograd_input(
    __global const storage* x, __global real* points, const int n, const int cg, const int mg,
    const int ih, const int iw, const int oh, const int ow, const int pad_y, const int pad_x,
    const int lanes) {
    const int rows = (oh + TILE - 1) / TILE, columns = (ow + TILE - 1) / TILE;
    const int tile = get_global_id(0), c = get_global_id(1);
    if (tile >= n * rows * columns) return;
    const int line = tile / columns, image = line / rows;
    const int left = (tile - line * columns) * TILE - pad_x;
    const int top = (line - image * rows) * TILE - pad_y;
    x += (image * cg + c) * ih * iw;
    points += c * lanes + tile;
    real half_way[SIDE][SIDE];
#pragma unroll
    for (int s = 0; s < SIDE; ++s) {
        real d[SIDE], v[SIDE];
#pragma unroll
        for (int r = 0; r < SIDE; ++r) {
            const int row = top + r, column = left + s;
            const bool inside = row >= 0 && row < ih && column >= 0 && column < iw;
            d[r] = inside ? LOAD(x, row * iw + column) : (real)0;
        }
        transform_input(d, v);
#pragma unroll
        for (int r = 0; r < SIDE; ++r) half_way[r][s] = v[r];
    }
#pragma unroll
    for (int r = 0; r < SIDE; ++r) {
        real v[SIDE];
        transform_input(half_way[r], v);
#pragma unroll
        for (int s = 0; s < SIDE; ++s) points[(r * SIDE + s) * cg * lanes] = v[s];
    }
}

__kernel void conv_winograd_output(
    __global const real* sums,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, const int n, const int cg, const int mg, const int ih, const int iw,
    const int oh, const int ow, const int pad_y, const int pad_x, const int lanes EPILOGUE_ARGS) {
    const int rows = (oh + TILE - 1) / TILE, columns = (ow + TILE - 1) / TILE;
    const int tile = get_global_id(0), m = get_global_id(1);
    if (tile >= n * rows * columns) return;
    const int line = tile / columns, image = line / rows;
    const int left = (tile - line * columns) * TILE, top = (line - image * rows) * TILE;
    sums += m * lanes + tile;
#if BIAS
    const accum bias = LOAD_ACCUM(b, m);
#else
    const accum bias = 0;
#endif
    real half_way[TILE][SIDE];
#pragma unroll
    for (int s = 0; s < SIDE; ++s) {
        real d[SIDE], v[TILE];
#pragma unroll
        for (int r = 0; r < SIDE; ++r) d[r] = sums[(r * SIDE + s) * mg * lanes];
        transform_output(d, v);
#pragma unroll
        for (int r = 0; r < TILE; ++r) half_way[r][s] = v[r];
    }
#pragma unroll
    for (int r = 0; r < TILE; ++r) {
        real v[TILE];
        transform_output(half_way[r], v);
#pragma unroll
        for (int s = 0; s < TILE; ++s)
            if (top + r < oh && left + s < ow) {
                const int index = ((image * mg + m) * oh + top + r) * ow + left + s;
                accum value = v[s] + bias;
                EPILOGUE(accum, LOAD_ACCUM, value, index, m)
                STORE_ACCUM(value, y, index);
            }
    }
}
