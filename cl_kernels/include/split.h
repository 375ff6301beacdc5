// Work-items that share a tile of sums, for GPUs with more items than there are tiles: each adds up
// every SPLIT-th input channel. The work-group is WIDTH x SPLIT, the second dimension of the launch
// SPLIT times as long as without, and the first a multiple of WIDTH. After common.h.
//
// SHARE                                which of the SPLIT this item is; channels SHARE, SHARE + SPLIT…
// ADD_SHARES(sum, ROWS, COLUMNS, done) gives sum[ROWS][COLUMNS] of all to the first and lets the
//                                      others return, as those do that are `done`. Holds a barrier.
#ifndef SPLIT
#define SPLIT 1
#define WIDTH 1
#endif

#define SHARE ((int)get_global_id(1) % SPLIT)

#if SPLIT > 1
#define ADD_SHARES(sum, ROWS, COLUMNS, done)                                                      \
    __local accum shares[SPLIT][ROWS * COLUMNS][WIDTH];                                           \
    const int column = get_local_id(0);                                                           \
    _Pragma("unroll") for (int i = 0; i < ROWS * COLUMNS; ++i)                                    \
        shares[SHARE][i][column] = sum[i / COLUMNS][i % COLUMNS];                                 \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                 \
    if (SHARE > 0 || (done)) return;                                                              \
    for (int s = 1; s < SPLIT; ++s)                                                               \
        _Pragma("unroll") for (int i = 0; i < ROWS * COLUMNS; ++i)                                \
            sum[i / COLUMNS][i % COLUMNS] += shares[s][i][column];
#else
#define ADD_SHARES(sum, ROWS, COLUMNS, done) \
    if (done) return;
#endif
