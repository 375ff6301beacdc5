// A strip of rows of the input, copied by a work-item with the padding around it. After common.h.
//
// SOURCE  1: x has its channels in blocks of CB, which is VW; 2: x has CB planes for each block
// CB      channels of a block of the strip
#if SOURCE == 1 || SOURCE == 2
// The pixels of a row of the strip from `from` to `end`. A lonely channel is copied by vectors, of
// which the last moves back to end with the row.
void copy_row(__global real* restrict line, __global const storage* restrict x, const int from,
              const int end, const int plane) {
#if SOURCE == 1
    for (int i = from; i < end; ++i) CAT(vstore, VW)(LOADV(x, i * CB), i, line);
#else
#if CB == 1
    if (end - from >= VW) {
        for (int i = from; i < end; i += VW) {
            const int at = min(i, end - VW);
            CAT(vstore, VW)(LOADV(x, at), 0, line + at);
        }
        return;
    }
#endif
    for (int i = from; i < end; ++i)
#pragma unroll
        for (int c = 0; c < CB; ++c) line[i * CB + c] = LOAD(x, c * plane + i);
#endif
}

// The rows from `top` on of all blocks of x: to[c_blocks][lines][width][CB].
void copy_strip(__global real* to, __global const storage* x, const int c_blocks, const int lines,
                const int width, const int top, const int left, const int ih, const int iw) {
    const int from = max(0, -left), end = max(from, min(width, iw - left));
    for (int block = 0; block < c_blocks; ++block)
        for (int l = 0; l < lines; ++l) {
            const int row = top + l;
            __global real* line = to + (block * lines + l) * width * CB;
            if (row < 0 || row >= ih) {
                for (int i = 0; i < width * CB; ++i) line[i] = 0;
                continue;
            }
            for (int i = 0; i < from * CB; ++i) line[i] = 0;
#if SOURCE == 1
            copy_row(line, x + ((block * ih + row) * iw + left) * CB, from, end, 0);
#else
            copy_row(line, x + (block * CB * ih + row) * iw + left, from, end, ih * iw);
#endif
            for (int i = end * CB; i < width * CB; ++i) line[i] = 0;
        }
}
#endif
