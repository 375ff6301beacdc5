// y[g, block, i, l] = w[g, block * BLOCK + l, i], zero where the channel is beyond the last: weights
// [groups, mg, depth] in the order in which conv_pointwise and conv_channels read them.
//
// ELEMENT  unsigned integer of an element's size
// BLOCK    output channels of a block
#ifndef ELEMENT
#define ELEMENT uint
#define BLOCK 8
#endif

__kernel void conv_pack(
    __global const ELEMENT* w, __global ELEMENT* y, const int mg, const int depth, const int size) {
    const int at = get_global_id(0);  // group, block and i as one number
    if (at >= size) return;
    const int blocks = (mg + BLOCK - 1) / BLOCK;
    const int row = at / depth, i = at - row * depth;
    const int group = row / blocks, m = (row - group * blocks) * BLOCK;
    for (int l = 0; l < BLOCK; ++l)
        y[at * BLOCK + l] = m + l < mg ? w[(group * mg + m + l) * depth + i] : (ELEMENT)0;
}
