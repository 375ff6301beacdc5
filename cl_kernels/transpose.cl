// Transposes matrices: out[TARGET(b) + c * TARGET_STRIDE + r] = in[SOURCE(b) + r * SOURCE_STRIDE + c]
// for rows r < ROWS, columns c < COLUMNS and b < BATCH.
//
// SOURCE(i), TARGET(i)          first element of matrix i on either side
// SOURCE_STRIDE, TARGET_STRIDE  from row to row; negative where the matrix is walked backwards
// TILE_ROWS, TILE_COLUMNS       what a work-item of transpose_block moves
// SIDE                          edge of the tile that a work-group of transpose_local moves
#include "carry.h"

#ifndef ROWS
#define ROWS 84
#define COLUMNS 300
#define BATCH 1
#define SOURCE(i) ((i) * 25200)
#define TARGET(i) ((i) * 25200)
#define SOURCE_STRIDE 300
#define TARGET_STRIDE 84
#endif

#if defined(SIDE)

// Work-groups of SIDE x SIDE go through local memory, so that both sides are read and written in
// rows; the tile's rows are one element longer, which spreads its columns over the memory's banks.
__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void transpose_local(
    __global const ELEMENT* in, __global ELEMENT* out) {
    __local ELEMENT tile[SIDE][SIDE + 1];
    const int x = get_local_id(0), y = get_local_id(1), b = get_global_id(2);
    const int left = get_group_id(0) * SIDE, top = get_group_id(1) * SIDE;
    if (left + x < COLUMNS && top + y < ROWS)
        tile[y][x] = in[SOURCE(b) + (top + y) * SOURCE_STRIDE + left + x];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (left + y < COLUMNS && top + x < ROWS)
        out[TARGET(b) + (left + y) * TARGET_STRIDE + top + x] = tile[x][y];
}

#else

#ifndef TILE_ROWS
#define TILE_ROWS 16
#define TILE_COLUMNS 16
#endif

// A work-item moves a tile that stays in the cache: few rows read, few rows written.
__kernel void transpose_block(__global const ELEMENT* in, __global ELEMENT* out) {
    const int left = get_global_id(0) * TILE_COLUMNS, top = get_global_id(1) * TILE_ROWS;
    const int b = get_global_id(2);
    in += SOURCE(b) + top * SOURCE_STRIDE + left;
    out += TARGET(b) + left * TARGET_STRIDE + top;
    if (left + TILE_COLUMNS <= COLUMNS && top + TILE_ROWS <= ROWS) {
        for (int c = 0; c < TILE_COLUMNS; ++c)
            for (int r = 0; r < TILE_ROWS; ++r)
                out[c * TARGET_STRIDE + r] = in[r * SOURCE_STRIDE + c];
    } else {
        for (int c = 0; c < min(TILE_COLUMNS, COLUMNS - left); ++c)
            for (int r = 0; r < min(TILE_ROWS, ROWS - top); ++r)
                out[c * TARGET_STRIDE + r] = in[r * SOURCE_STRIDE + c];
    }
}

#endif
