// A row of a depthwise convolution on CPUs, with channels in blocks of VW. After common.h.
//
// KERNEL_*, STRIDE_*, DILATION_*  the window in height and width
// DEPTHWISE_X                     pixels of a register tile
#ifndef DEPTHWISE_X
#define DEPTHWISE_X 4
#endif

// Rows or columns of the kernel, from the first to before the last, that lie on the input of which
// the window begins at `start`.
#define FIRST_TAP(start, dilation) ((start) < 0 ? ((dilation) - 1 - (start)) / (dilation) : 0)
#define LAST_TAP(start, dilation, size, kernel) \
    min(kernel, ((size) - (start) + (dilation) - 1) / (dilation))

// Sums for one pixel near the edge, of which some of the kernel's columns lie in the padding.
realV depthwise_edge(__global const storage* x, __global const storage* w, realV sum, const int left,
                     const int ky_from, const int ky_to, const int iw) {
    const int kx_to = LAST_TAP(left, DILATION_W, iw, KERNEL_W);
    for (int ky = ky_from; ky < ky_to; ++ky)
        for (int kx = FIRST_TAP(left, DILATION_W); kx < kx_to; ++kx)
            sum = MADD(LOADV(x, (ky * DILATION_H * iw + left + kx * DILATION_W) * VW),
                       LOADV(w, (ky * KERNEL_W + kx) * VW), sum);
    return sum;
}

// Row `oy` of one block, x[ih, iw, VW] with w[KERNEL_H, KERNEL_W, VW]: EMIT(value, ox) is done with the
// result for each column.
#define DEPTHWISE_ROW(x, w, bias, oy, ih, iw, ow, pad_y, pad_x, EMIT)                             \
    {                                                                                             \
        const int top = (oy) * STRIDE_H - (pad_y);                                                \
        const int ky_from = FIRST_TAP(top, DILATION_H);                                           \
        const int ky_to = LAST_TAP(top, DILATION_H, ih, KERNEL_H);                                \
        __global const storage* rows_of_x = (x) + top * (iw) * VW;                                \
        /* from `left` to `right`, no window reaches into the padding */                          \
        const int left = min(ow, ((pad_x) + STRIDE_W - 1) / STRIDE_W);                            \
        const int reach = (iw) + (pad_x) - (KERNEL_W - 1) * DILATION_W;                           \
        const int right = max(left, min(ow, reach > 0 ? (reach + STRIDE_W - 1) / STRIDE_W : 0));  \
        for (int next = 0; next < ow;) {                                                          \
            if (next >= left && next < right && right - left >= DEPTHWISE_X) {                    \
                /* the last tile may overlap the one before */                                    \
                const int ox = min(next, right - DEPTHWISE_X);                                    \
                realV sum[DEPTHWISE_X];                                                           \
                _Pragma("unroll") for (int j = 0; j < DEPTHWISE_X; ++j) sum[j] = bias;            \
                __global const storage* first = rows_of_x + (ox * STRIDE_W - (pad_x)) * VW;       \
                for (int ky = ky_from; ky < ky_to; ++ky)                                          \
                    _Pragma("unroll") for (int kx = 0; kx < KERNEL_W; ++kx) {                     \
                        const realV weight = LOADV(w, (ky * KERNEL_W + kx) * VW);                 \
                        __global const storage* values =                                          \
                            first + (ky * DILATION_H * (iw) + kx * DILATION_W) * VW;              \
                        _Pragma("unroll") for (int j = 0; j < DEPTHWISE_X; ++j)                   \
                            sum[j] = MADD(LOADV(values, j * STRIDE_W * VW), weight, sum[j]);      \
                    }                                                                             \
                _Pragma("unroll") for (int j = 0; j < DEPTHWISE_X; ++j) EMIT(sum[j], ox + j)      \
                next = ox + DEPTHWISE_X;                                                          \
            } else {                                                                              \
                const realV sum = depthwise_edge(rows_of_x, w, bias, next * STRIDE_W - (pad_x),   \
                                                 ky_from, ky_to, iw);                             \
                EMIT(sum, next)                                                                   \
                ++next;                                                                           \
            }                                                                                     \
        }                                                                                         \
    }
