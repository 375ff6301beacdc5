// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p + k - pad]): 3x3 convolution
// on CPUs by Winograd's F(TILE x TILE, 3 x 3), both transforms and the products in one launch.
//
// x[n, cg, ih, iw], b[mg], y[n, mg, oh, ow], and the transformed weights u[POINTS,
// ceil(mg / TILE_M), cg, TILE_M], zero behind the last channel. Tiles are numbered row by row through
// all images. A work-item computes `channels_per_item` channels of `blocks_per_item` blocks of BLOCK
// tiles. Of every block it transforms the inputs into points[POINTS][cg][BLOCK], multiplies these
// into sums[POINTS][channels_per_item][BLOCK], and transforms those into outputs. Points and sums,
// whose planes are `points_plane` and `sums_plane` elements apart, lie in the item's own part of
// `work`; every block uses them again, so that they stay in a cache.
//
// Transforms take VW tiles of a row at once. Lanes behind the end of a row, or behind the last tile,
// hold anything until they are overwritten, and are never stored. Needs iw >= VW.
// Global: chunks of blocks, chunks of channels.
//
// BIAS     1 where there is a bias
// TILE     see winograd.h
// TILE_M   output channels of a register tile; divides channels_per_item
// VECTORS  vectors of tiles of a register tile: 1 to 4
// SPANS    register tiles across a block: the more, the less often all weights are read
// WIDTH    tiles in such a vector
#include "common.h"
#include "winograd.h"

#ifndef BIAS
#define BIAS 1
#endif
#ifndef TILE_M
#define TILE_M 8
#endif
#ifndef VECTORS
#define VECTORS 3
#endif
#ifndef SPANS
#define SPANS 1
#endif
#ifndef WIDTH
#define WIDTH VW
#endif

#define BLOCK (SPANS * VECTORS * WIDTH)
#define SPAN (TILE * VW)                     // pixels of VW tiles
#define LINE (BLOCK * TILE + SPAN + 3 * VW)  // pixels of a block, and what vectors reach beyond it

typedef CAT(REAL, WIDTH) realW;
// PoCL 3.1 stores wide vectors by vstore in pieces, but whole ones through a pointer.
typedef realV __attribute__((aligned(sizeof(real)))) anywhereV;
typedef realW __attribute__((aligned(sizeof(real)))) anywhereW;
#define READ(p) CAT(vload, VW)(0, p)
#define WRITE(space, v, p) (*(space anywhereV*)(p) = (v))
#if STORAGE == 16
#define STORE_RESULT(v, p, i) STOREV_ACCUM(v, p, i)
#else
#define STORE_RESULT(v, p, i) WRITE(__global, v, (p) + (i))
#endif

// Even and odd lanes of a and b, which lie side by side, and back.
void split_lanes(const realV a, const realV b, realV* even, realV* odd) {
    *even = (realV)(a.even, b.even);
    *odd = (realV)(a.odd, b.odd);
}
void merge_lanes(const realV even, const realV odd, realV* a, realV* b) {
    (*a).even = even.lo;
    (*a).odd = odd.lo;
    (*b).even = even.hi;
    (*b).odd = odd.hi;
}

// Columns 0 to TILE - 1 of VW tiles whose pixels lie side by side from p on.
void read_columns(const real* p, realV* d) {
#if TILE == 2
    split_lanes(READ(p), READ(p + VW), d, d + 1);
#else
    realV even[2], odd[2];
    split_lanes(READ(p), READ(p + VW), even, odd);
    split_lanes(READ(p + 2 * VW), READ(p + 3 * VW), even + 1, odd + 1);
    split_lanes(even[0], even[1], d, d + 2);
    split_lanes(odd[0], odd[1], d + 1, d + 3);
#endif
}

void write_columns(const realV* y, real* p) {
    realV pixels[TILE];
#if TILE == 2
    merge_lanes(y[0], y[1], pixels, pixels + 1);
#else
    realV even[2], odd[2];
    merge_lanes(y[0], y[2], even, even + 1);
    merge_lanes(y[1], y[3], odd, odd + 1);
    merge_lanes(even[0], odd[0], pixels, pixels + 1);
    merge_lanes(even[1], odd[1], pixels + 2, pixels + 3);
#endif
#pragma unroll
    for (int i = 0; i < TILE; ++i) WRITE(__private, pixels[i], p + i * VW);
}

// Weights pass by, and channels lie far apart: processors foresee neither by themselves. Addresses
// beyond a buffer do no harm. PoCL, which compiles for the processor itself, ignores OpenCL's own
// prefetch.
#if defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__) || defined(__arm__))
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) prefetch((__global const int*)(p), 1)
#endif
#define CACHE_LINE (64 / sizeof(real))
#define AHEAD (8192 / sizeof(real))  // two pages of weights

// Transforms `run` tiles of a row, whose first pixel is at (top, left) of all the planes from x on.
// There is room for so many lanes in the block.
void transform_run(__global const storage* x, __global real* points, const int run, const int room,
                   const int top, const int left, const int cg, const int ih, const int iw,
                   const int points_plane) {
    const int from = max(left, 0), to = min(left + run * TILE + 2, iw);
    real lines[SIDE][LINE];  // element VW is column `left`
    for (int r = 0; r < SIDE; ++r)
        for (int i = 0; i < LINE; ++i) lines[r][i] = 0;  // the padding stays zero
    for (int c = 0; c < cg; ++c) {
        for (int i = from; i < to; i += VW) {
            const int column = min(i, iw - VW);
            realV d[SIDE], v[SIDE];
#pragma unroll
            for (int r = 0; r < SIDE; ++r) {
                const int row = top + r;
                PREFETCH(x + (ih + row) * iw + column);  // of the next channel
                d[r] = row >= 0 && row < ih ? LOADV(x, row * iw + column) : (realV)0;
            }
            transform_input(d, v);
#pragma unroll
            for (int r = 0; r < SIDE; ++r) WRITE(__private, v[r], lines[r] + VW + column - left);
        }
        for (int i = 0; i < run; i += VW)
            for (int r = 0; r < SIDE; ++r) {
                realV d[2 * TILE], v[SIDE];
                const real* line = lines[r] + VW + i * TILE;
                read_columns(line, d);
                read_columns(line + TILE, d + TILE);
                transform_input(d, v);
                __global real* point = points + r * SIDE * points_plane + i;
                if (i + VW <= room) {
#pragma unroll
                    for (int s = 0; s < SIDE; ++s) WRITE(__global, v[s], point + s * points_plane);
                } else {
#pragma unroll
                    for (int s = 0; s < SIDE; ++s) {
                        real lanes[VW];
                        WRITE(__private, v[s], lanes);
                        for (int l = 0; l < run - i; ++l) point[s * points_plane + l] = lanes[l];
                    }
                }
            }
        x += ih * iw;
        points += BLOCK;
    }
}

// Sums of TILE_M channels for `count` vectors of tiles, at one point.
#define MULTIPLY(count)                                                                          \
    {                                                                                            \
        realW sum[TILE_M][count];                                                                \
        _Pragma("unroll") for (int i = 0; i < TILE_M; ++i)                                       \
            _Pragma("unroll") for (int j = 0; j < count; ++j) sum[i][j] = (realW)0;              \
        for (int c = 0; c < cg; ++c) {                                                           \
            for (int i = 0; i < TILE_M; i += CACHE_LINE)                                         \
                PREFETCH(weights + c * TILE_M + i + AHEAD);                                      \
            realW value[count];                                                                  \
            _Pragma("unroll") for (int j = 0; j < count; ++j)                                    \
                value[j] = CAT(vload, WIDTH)(j, inputs + c * BLOCK);                             \
            _Pragma("unroll") for (int i = 0; i < TILE_M; ++i)                                   \
                _Pragma("unroll") for (int j = 0; j < count; ++j)                                \
                    sum[i][j] = MADD((realW)weights[c * TILE_M + i], value[j], sum[i][j]);       \
        }                                                                                        \
        _Pragma("unroll") for (int i = 0; i < TILE_M; ++i)                                       \
            _Pragma("unroll") for (int j = 0; j < count; ++j)                                    \
                *(__global anywhereW*)(outputs + i * BLOCK + j * WIDTH) = sum[i][j];             \
    }

__kernel void conv_winograd(
    __global const storage* x, __global const real* u,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, __global real* work, const int n, const int cg, const int mg, const int ih,
    const int iw, const int oh, const int ow, const int pad_y, const int pad_x,
    const int blocks_per_item, const int channels_per_item, const int points_plane,
    const int sums_plane EPILOGUE_ARGS) {
    const int rows = (oh + TILE - 1) / TILE, columns = (ow + TILE - 1) / TILE;
    const int m_blocks = (mg + TILE_M - 1) / TILE_M;
    const int m_from = get_global_id(1) * channels_per_item;
    const int m_to = min(m_from + channels_per_item, mg);
    const int tile_from = get_global_id(0) * blocks_per_item * BLOCK;
    const int tile_to = min(tile_from + blocks_per_item * BLOCK, n * rows * columns);
    const int item = get_global_id(1) * get_global_size(0) + get_global_id(0);
    __global real* points = work + item * POINTS * (points_plane + sums_plane);
    __global real* sums = points + POINTS * points_plane;

    for (int first = tile_from; first < tile_to; first += BLOCK) {
        const int count = min(BLOCK, tile_to - first);
        int run;
        for (int done = 0; done < count; done += run) {
            const int line = (first + done) / columns, column = first + done - line * columns;
            const int image = line / rows, row = line - image * rows;
            run = min(columns - column, count - done);
            transform_run(x + image * cg * ih * iw, points + done, run, BLOCK - done,
                          row * TILE - pad_y, column * TILE - pad_x, cg, ih, iw, points_plane);
        }

        for (int point = 0; point < POINTS; ++point)
            for (int m = m_from; m < m_to; m += TILE_M)
                for (int done = 0; done < count; done += VECTORS * WIDTH) {
                    __global const real* inputs = points + point * points_plane + done;
                    __global const real* weights = u + (point * m_blocks + m / TILE_M) * cg * TILE_M;
                    __global real* outputs = sums + point * sums_plane + (m - m_from) * BLOCK + done;
                    const int left = count - done;
#if VECTORS > 3
                    if (left > 3 * WIDTH) MULTIPLY(4) else
#endif
#if VECTORS > 2
                    if (left > 2 * WIDTH) MULTIPLY(3) else
#endif
#if VECTORS > 1
                    if (left > WIDTH) MULTIPLY(2) else
#endif
                    MULTIPLY(1)
                }

        for (int done = 0; done < count; done += run) {
            const int line = (first + done) / columns, column = first + done - line * columns;
            const int image = line / rows, row = line - image * rows;
            run = min(columns - column, count - done);
            const int height = min(TILE, oh - row * TILE);
            for (int m = m_from; m < m_to; ++m) {
#if BIAS
                const accum bias = LOAD_ACCUM(b, m);
#else
                const accum bias = 0;
#endif
                for (int i = 0; i < run; i += VW) {
                    __global const real* sum = sums + (m - m_from) * BLOCK + done + i;
                    realV half_way[TILE][SIDE];
#pragma unroll
                    for (int s = 0; s < SIDE; ++s) {
                        realV d[SIDE], v[TILE];
#pragma unroll
                        for (int r = 0; r < SIDE; ++r)
                            d[r] = READ(sum + (r * SIDE + s) * sums_plane);
                        transform_output(d, v);
#pragma unroll
                        for (int r = 0; r < TILE; ++r) half_way[r][s] = v[r];
                    }
                    real pixels[TILE][SPAN];
#pragma unroll
                    for (int r = 0; r < TILE; ++r) {
                        realV v[TILE];
                        transform_output(half_way[r], v);
                        write_columns(v, pixels[r]);
                    }
                    const int left = (column + i) * TILE;
                    const int width = min(min(run - i, VW) * TILE, ow - left);
                    for (int r = 0; r < height; ++r) {
                        const int start = ((image * mg + m) * oh + row * TILE + r) * ow + left;
                        int at = 0;
                        for (; at + VW <= width; at += VW) {
                            const int index = start + at;
                            accumV value = READ(pixels[r] + at) + (accumV)bias;
                            EPILOGUE(accumV, LOADV_ACCUM, value, index, m)
                            STORE_RESULT(value, y, index);
                        }
                        for (; at < width; ++at) {
                            const int index = start + at;
                            accum value = pixels[r][at] + bias;
                            EPILOGUE(accum, LOAD_ACCUM, value, index, m)
                            STORE_ACCUM(value, y, index);
                        }
                    }
                }
            }
        }
    }
}
