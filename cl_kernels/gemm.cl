// y[z, m, n] = EPILOGUE(alpha * sum over k of a[z, m, k] * b[z, k, n] + beta * c[m, n])
//
// An item keeps TILE_M rows x VECTORS vectors of y in registers. The last tile moves up to end with
// the matrix and stores only what is not yet stored, so TILE_M must be at most M.
//   a: element (m, k) of matrix A_MATRIX(z) at m * A_M + k * A_K
//   b: matrix B_MATRIX(z) as panels of PANEL columns, its rows PANEL elements apart, panels
//      K * PANEL: a plain row-major matrix is one panel. The last panel is padded with zeros.
//
// M, N, K           the problem
// TILE_M, VECTORS   the tile; VW divides the panel
// A_ALONG           1: a is read by vectors of 4 along k (A_K is 1, RUN divides K)
// HAS_C, C_M, C_N   whether there is a c, and its strides (0: broadcast)
// ALPHA_ONE         1: alpha is 1
// LAST_AXIS         elements along y's last axis, which are its channels
// RUN               products of a turn of the loop; halves are added up over so many, then in float
#include "common.h"
#include "lanes.h"

#ifndef M
#define M 100
#define N 128
#define K 64
#define A_MATRIX(z) 0
#define A_M 64
#define A_K 1
#define B_MATRIX(z) 0
#define PANEL 128
#define HAS_C 0
#define ALPHA_ONE 1
#define LAST_AXIS N
#endif
#ifndef TILE_M
#define TILE_M 4
#endif
#ifndef VECTORS
#define VECTORS 1
#endif
#ifndef A_ALONG
#define A_ALONG 0
#endif
#ifndef RUN
#define RUN 64
#endif

#define TILE_N (VECTORS * VW)
#define PANELS ((N + PANEL - 1) / PANEL)
#define CHANNEL(index, n) (LAST_AXIS == N ? (n) : (index) % LAST_AXIS)

#if COMPUTE != 16
#define part sums
#endif

// One y, or VW of them, from the finished sum on.
#define FINISH(T, LOAD_T, STORE_T, sum, z, m, n)               \
    {                                                          \
        const int index = ((z) * M + (m)) * N + (n);           \
        T value = (sum);                                       \
        if (!ALPHA_ONE) value *= (accum)alpha;                  \
        ADD_C(T, LOAD_T, value, m, n)                          \
        EPILOGUE(T, LOAD_T, value, index, CHANNEL(index, n));  \
        STORE_T(value, y, index);                              \
    }
#if HAS_C
#define C_PARAMETER , __global const storage* c
#if C_N == 1
#define ADD_C(T, LOAD_T, value, m, n) value += (accum)beta * LOAD_T(c, (m) * C_M + (n));
#else
#define ADD_C(T, LOAD_T, value, m, n) value += (T)((accum)beta * LOAD_ACCUM(c, (m) * C_M));
#endif
#else
#define C_PARAMETER
#define ADD_C(T, LOAD_T, value, m, n)
#endif

__kernel void gemm_tile(__global const storage* a, __global const storage* b C_PARAMETER,
                        __global storage* y, const float alpha,
                        const float beta EPILOGUE_ARGS) {
    const int n0 = get_global_id(0) * TILE_N, first = get_global_id(1) * TILE_M;
    const int z = get_global_id(2);
    if (n0 >= N || first >= M) return;
    const int m0 = M % TILE_M == 0 ? first : min(first, M - TILE_M);
    a += A_MATRIX(z) * (M * K) + m0 * A_M;
    b += B_MATRIX(z) * (PANELS * PANEL * K) + n0 / PANEL * (PANEL * K) + n0 % PANEL;
    accumV sums[TILE_M][VECTORS];
#pragma unroll
    for (int i = 0; i < TILE_M; ++i)
#pragma unroll
        for (int j = 0; j < VECTORS; ++j) sums[i][j] = (accumV)0;
    for (int start = 0; start < K; start += RUN) {
#if COMPUTE == 16
        realV part[TILE_M][VECTORS];
#pragma unroll
        for (int i = 0; i < TILE_M; ++i)
#pragma unroll
            for (int j = 0; j < VECTORS; ++j) part[i][j] = (realV)0;
#endif
#if A_ALONG
#pragma unroll
        for (int k = 0; k < RUN; k += 4) {
            realV columns[4][VECTORS];
#pragma unroll
            for (int step = 0; step < 4; ++step)
#pragma unroll
                for (int j = 0; j < VECTORS; ++j)
                    columns[step][j] = LOADVA(b + (k + step) * PANEL, j * VW);
#pragma unroll
            for (int i = 0; i < TILE_M; ++i) {
                const real4 four = LOAD4(a + i * A_M, k);
#pragma unroll
                for (int j = 0; j < VECTORS; ++j) {
                    part[i][j] = MADD((realV)four.s0, columns[0][j], part[i][j]);
                    part[i][j] = MADD((realV)four.s1, columns[1][j], part[i][j]);
                    part[i][j] = MADD((realV)four.s2, columns[2][j], part[i][j]);
                    part[i][j] = MADD((realV)four.s3, columns[3][j], part[i][j]);
                }
            }
        }
        // Running pointers and constant distances: GPUs pay dearly for 64-bit address arithmetic.
        a += RUN;
        b += RUN * PANEL;
#else
        for (int k = start; k < min(start + RUN, K); ++k) {
            realV columns[VECTORS];
#pragma unroll
            for (int j = 0; j < VECTORS; ++j) columns[j] = LOADV(b, k * PANEL + j * VW);
#pragma unroll
            for (int i = 0; i < TILE_M; ++i) {
                const realV one = (realV)LOAD(a, i * A_M + k * A_K);
#pragma unroll
                for (int j = 0; j < VECTORS; ++j)
                    part[i][j] = MADD(one, columns[j], part[i][j]);
            }
        }
#endif
#if COMPUTE == 16
#pragma unroll
        for (int i = 0; i < TILE_M; ++i)
#pragma unroll
            for (int j = 0; j < VECTORS; ++j) sums[i][j] += TO_ACCUMV(part[i][j]);
#endif
    }
#pragma unroll
    for (int j = 0; j < VECTORS; ++j) {
        const int n = n0 + j * VW;
        if (N % TILE_N == 0 || n + VW <= N) {
#pragma unroll
            for (int i = 0; i < TILE_M; ++i)
                if (m0 + i >= first)
                    FINISH(accumV, LOADV_ACCUM, STOREV_ACCUM, sums[i][j], z, m0 + i, n)
        } else if (N % VW) {
            accumV vectors[TILE_M];
            const __private accum* lanes = (const __private accum*)vectors;
#pragma unroll
            for (int i = 0; i < TILE_M; ++i) vectors[i] = sums[i][j];
#pragma unroll 1
            for (int i = first - m0; i < TILE_M; ++i)
#pragma unroll 1
                for (int k = 0; k < N - n; ++k)
                    FINISH(accum, LOAD_ACCUM, STORE_ACCUM, lanes[i * VW + k], z, m0 + i, n + k)
        }
    }
}
