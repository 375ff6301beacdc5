// packed[z, panel, k, column] = b[z, k, n] with n = panel * PANEL + column, or 0 behind the last n.
// An item takes 16 rows k of one column.
//
// N, K      rows and columns of b
// B_K, B_N  strides of b
// PANEL     columns of a panel
#include "common.h"

#ifndef N
#define N 100
#define K 64
#define B_K 100
#define B_N 1
#define PANEL 32
#endif

#define PANELS ((N + PANEL - 1) / PANEL)

__kernel void gemm_pack(__global const storage* b, __global storage* packed) {
    const int n = get_global_id(0), k0 = get_global_id(1) * 16, z = get_global_id(2);
    if (n >= PANELS * PANEL) return;
    b += z * (N * K);
    packed += z * (PANELS * PANEL * K) + n / PANEL * (PANEL * K) + n % PANEL;
    for (int k = k0; k < min(k0 + 16, K); ++k)
        STORE(n < N ? LOAD(b, k * B_K + n * B_N) : (real)0, packed, k * PANEL);
}
