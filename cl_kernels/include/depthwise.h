// A row of a depthwise convolution on CPUs, with channels in blocks of VW. After common.h.
//
// KERNEL_*, STRIDE_*, DILATION_*  the window in height and width
// PAD_LEFT, PAD_RIGHT             columns of padding that the first and last window reach into
// DEPTHWISE_X                     pixels of a register tile, no more than there are; depthwise.py
//                                 tells which keep the padding to the first and the last
// DEPTHWISE_INPUT, LOAD_INPUT     type of x, and how a vector of it is loaded
#ifndef DEPTHWISE_X
#define DEPTHWISE_X 4
#define PAD_LEFT 1
#define PAD_RIGHT 1
#endif
#ifndef DEPTHWISE_INPUT
#define DEPTHWISE_INPUT storage
#define LOAD_INPUT LOADV
#endif

// Rows of the kernel, from the first to before the last, that lie on the input of which the window
// begins at `start`.
#define FIRST_TAP(start, dilation) ((start) < 0 ? ((dilation) - 1 - (start)) / (dilation) : 0)
#define LAST_TAP(start, dilation, size, kernel) \
    min(kernel, ((size) - (start) + (dilation) - 1) / (dilation))

// Whether column kx of pixel j's window lies in the padding, in the first or last tile of a row.
#define BEFORE(j, kx) ((j) * STRIDE_W + (kx) * DILATION_W < PAD_LEFT)
#define BEHIND(j, kx) \
    ((DEPTHWISE_X - 1 - (j)) * STRIDE_W + (KERNEL_W - 1 - (kx)) * DILATION_W < PAD_RIGHT)

// The tile at column ox, which is the FIRST or the LAST of its row or neither: as these are known to
// the compiler, nothing is decided per pixel.
#define DEPTHWISE_TILE(rows_of_x, w, bias, ky_from, ky_to, iw, ox, FIRST, LAST, EMIT)             \
    {                                                                                             \
        realV sum[DEPTHWISE_X];                                                                   \
        _Pragma("unroll") for (int j = 0; j < DEPTHWISE_X; ++j) sum[j] = bias;                    \
        __global const DEPTHWISE_INPUT* values = rows_of_x + ((ox) * STRIDE_W - PAD_LEFT) * VW;   \
        for (int ky = ky_from; ky < ky_to; ++ky)                                                  \
            _Pragma("unroll") for (int kx = 0; kx < KERNEL_W; ++kx) {                             \
                const realV weight = LOADV(w, (ky * KERNEL_W + kx) * VW);                         \
                const int from = ky * DILATION_H * (iw) + kx * DILATION_W;                        \
                _Pragma("unroll") for (int j = 0; j < DEPTHWISE_X; ++j) {                         \
                    if ((FIRST && BEFORE(j, kx)) || (LAST && BEHIND(j, kx))) continue;            \
                    const realV value = LOAD_INPUT(values, (from + j * STRIDE_W) * VW);           \
                    sum[j] = MADD(value, weight, sum[j]);                                         \
                }                                                                                 \
            }                                                                                     \
        _Pragma("unroll") for (int j = 0; j < DEPTHWISE_X; ++j) EMIT(sum[j], (ox) + j)            \
    }

// Row `oy` of one block, x[ih, iw, VW] with w[KERNEL_H, KERNEL_W, VW]: EMIT(value, ox) is done with the
// result for each column. Tiles may overlap.
#define DEPTHWISE_ROW(x, w, bias, oy, ih, iw, ow, pad_y, EMIT)                                    \
    {                                                                                             \
        const int first_row = (oy) * STRIDE_H - (pad_y), last = (ow) - DEPTHWISE_X;               \
        const int from = FIRST_TAP(first_row, DILATION_H);                                        \
        const int to = LAST_TAP(first_row, DILATION_H, ih, KERNEL_H);                             \
        __global const DEPTHWISE_INPUT* rows_of_x = (x) + first_row * (iw) * VW;                  \
        if (last == 0) {                                                                          \
            DEPTHWISE_TILE(rows_of_x, w, bias, from, to, iw, 0, true, true, EMIT)                 \
        } else {                                                                                  \
            DEPTHWISE_TILE(rows_of_x, w, bias, from, to, iw, 0, true, false, EMIT)                \
            for (int next = DEPTHWISE_X; next < last; next += DEPTHWISE_X) {                      \
                const int ox = min(next, last - (PAD_RIGHT + STRIDE_W - 1) / STRIDE_W);           \
                DEPTHWISE_TILE(rows_of_x, w, bias, from, to, iw, ox, false, false, EMIT)          \
            }                                                                                     \
            DEPTHWISE_TILE(rows_of_x, w, bias, from, to, iw, last, false, true, EMIT)             \
        }                                                                                         \
    }
