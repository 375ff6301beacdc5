// y[z, i, j] = EPILOGUE(alpha * sum over k of w[z, i, k] * x[z, j, k] + beta * c[i, j]) for a large
// matrix w that is read once, and a few vectors x. An item, or a group of GROUP of them, takes ROWS
// rows of w and all the vectors.
//
// HEIGHT, COUNT, K  rows of w, number of vectors, length of both
// Y_I, Y_J          strides of y, whose batches are HEIGHT * COUNT apart
// W_MATRIX, X_MATRIX  which matrix of w and of x batch z takes
// ROWS              rows of w at once
// HAS_C, C_I, C_J   whether there is a c, and its strides (0: broadcast)
// LAST_AXIS         elements along y's last axis, which are its channels
#include "common.h"
#include "fold.h"

#ifndef K
#define HEIGHT 1000
#define COUNT 1
#define K 1280
#define Y_I 1
#define Y_J 1000
#define W_MATRIX(z) 0
#define X_MATRIX(z) 0
#define HAS_C 0
#define LAST_AXIS HEIGHT
#endif
#ifndef ROWS
#define ROWS 4
#endif

#if HAS_C
#define C_PARAMETER , __global const storage* c
#else
#define C_PARAMETER
#endif

__kernel void gemv(__global const storage* w, __global const storage* x C_PARAMETER,
                   __global storage* y, const float alpha, const float beta EPILOGUE_ARGS) {
    const int item = GROUP > 1 ? get_local_id(0) : 0;
    const int i0 = (GROUP > 1 ? get_group_id(0) : get_global_id(0)) * ROWS;
    const int z = get_global_id(1);
    if (i0 >= HEIGHT) return;
    w += W_MATRIX(z) * (HEIGHT * K);
    x += X_MATRIX(z) * (COUNT * K);
    int rows[ROWS];  // rows behind the last one repeat it, and are not stored
    accumV sums[ROWS][COUNT];
    accum totals[ROWS][COUNT];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        rows[r] = min(i0 + r, HEIGHT - 1) * K;
#pragma unroll
        for (int j = 0; j < COUNT; ++j) {
            sums[r][j] = (accumV)0;
            totals[r][j] = 0;
        }
    }
    for (int k = item * VW; k <= K - VW; k += GROUP * VW) {
        accumV vectors[COUNT];
#pragma unroll
        for (int j = 0; j < COUNT; ++j) vectors[j] = LOADV_ACCUM(x, j * K + k);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const accumV row = LOADV_ACCUM(w, rows[r] + k);
#pragma unroll
            for (int j = 0; j < COUNT; ++j) sums[r][j] = MADD(row, vectors[j], sums[r][j]);
        }
    }
    for (int k = K / VW * VW + item; k < K; k += GROUP)
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int j = 0; j < COUNT; ++j)
                totals[r][j] += LOAD_ACCUM(w, rows[r] + k) * LOAD_ACCUM(x, j * K + k);
#if GROUP > 1
    __local accum scratch[GROUP];
#endif
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int j = 0; j < COUNT; ++j) {
            accum total = totals[r][j] + FOLD(ADD, sums[r][j]);
            GROUP_FOLD(ADD, total, scratch)
            if (item == 0 && i0 + r < HEIGHT) {
                const int index = z * (HEIGHT * COUNT) + (i0 + r) * Y_I + j * Y_J;
                total *= alpha;
#if HAS_C
                total += beta * LOAD_ACCUM(c, (i0 + r) * C_I + j * C_J);
#endif
                EPILOGUE(accum, LOAD_ACCUM, total, index, index % LAST_AXIS);
                STORE_ACCUM(total, y, index);
            }
        }
}
