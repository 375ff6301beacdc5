// A register tile of products on CPUs, with channels in blocks of VW, and what becomes of the results.
// After common.h.
//
// POOL_*          rows and columns of results of which y keeps the largest
// TILE_B          blocks of output channels
// TILE_Y, TILE_X  rows and columns of pixels
#ifndef POOL_H
#define POOL_H 1
#define POOL_W 1
#endif
#ifndef TILE_B
#define TILE_B 2
#endif
#ifndef TILE_Y
#define TILE_Y 1
#endif
#ifndef TILE_X
#define TILE_X 6
#endif

// While a tile is computed, a share of the weights that the next blocks will need is fetched into a
// cache, a line for every LANES channels: else their first tile would wait for memory. Only where the
// compiler makes code for a processor that is known to have the instruction: NVIDIA's takes no global
// pointer for it, Oclgrind knows none.
#if defined(__has_builtin) && (defined(__x86_64__) || defined(__aarch64__) || defined(__arm__))
#if __has_builtin(__builtin_prefetch) && STORAGE == COMPUTE
#define FETCH(pointer) __builtin_prefetch((const void*)(size_t)(pointer), 0, 3)
#endif
#endif
#ifdef FETCH
#define LINE (64 / (int)sizeof(real))
#define LINES (CB * VW > LINE ? CB * VW / LINE : 1)
#define AHEAD(ahead, packed, tile, depth)                                                 \
    __global const real* ahead = packed[(tile) / LINES % TILE_B] + TILE_B * (depth) * VW + \
                                 (tile) % LINES * LINE;
#else
#define FETCH(pointer)
#define AHEAD(ahead, packed, tile, depth)
#endif

#define CLEAR(sum)                                                  \
    _Pragma("unroll") for (int i = 0; i < TILE_B; ++i)              \
        _Pragma("unroll") for (int j = 0; j < TILE_Y; ++j)          \
            _Pragma("unroll") for (int k = 0; k < TILE_X; ++k) sum[i][j][k] = (realV)0;

// Adds to sum[TILE_B][TILE_Y][TILE_X] the products for LANES channels of an input block: those of pixel
// (j, k) lie at values + j * down + k * across, their weights one vector behind the other at
// packed[TILE_B] + at, which moves on.
#define MULTIPLY(LANES, values, down, across, packed, at, sum)                                    \
    {                                                                                             \
        _Pragma("unroll") for (int l = 0; l < LANES; ++l) {                                       \
            realV weight[TILE_B];                                                                 \
            _Pragma("unroll") for (int i = 0; i < TILE_B; ++i)                                    \
                weight[i] = CAT(vload, VW)(0, packed[i] + at + l * VW);                           \
            _Pragma("unroll") for (int j = 0; j < TILE_Y; ++j)                                    \
                _Pragma("unroll") for (int k = 0; k < TILE_X; ++k) {                              \
                    const realV value = (realV)(values[j * (down) + k * (across) + l]);           \
                    _Pragma("unroll") for (int i = 0; i < TILE_B; ++i)                            \
                        sum[i][j][k] = MADD(value, weight[i], sum[i][j][k]);                      \
                }                                                                                 \
        }                                                                                         \
        at += LANES * VW;                                                                         \
    }

// Stores at y[index] the largest epilogue(sum + bias) of the window of sums at [row][column].
#define STORE_LARGEST(sums, row, column, bias, index, channel)                       \
    {                                                                                \
        realV largest = (realV)-INFINITY;                                            \
        _Pragma("unroll") for (int p = 0; p < POOL_H * POOL_W; ++p) {                \
            realV value = (sums)[(row) + p / POOL_W][(column) + p % POOL_W] + (bias); \
            EPILOGUE(realV, LOADV_ACCUM, value, index, channel)                      \
            largest = p ? max(largest, value) : value;                               \
        }                                                                            \
        STOREV_ACCUM(largest, y, index);                                             \
    }
