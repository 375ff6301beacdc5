// The weights w[groups, cg, mg, kd, kh, kw] of a transposed convolution as one convolution per phase
// of the output, in blocks of channels as conv_channels reads them:
// y[g, phase, block, c, t, l] = w[g, c, block * BLOCK + l, k], k = phase + UP * (KERNEL - 1 - t),
// zero where that channel or element of the kernel does not exist.
//
// KERNEL_*  elements of a phase's kernel: those of the whole divided by UP, rounded up
// UP_*      strides of the transposed convolution
// BLOCK     output channels of a block
// ELEMENT   unsigned integer of an element's size
#ifndef ELEMENT
#define KERNEL_D 1
#define KERNEL_H 2
#define KERNEL_W 2
#define UP_D 1
#define UP_H 2
#define UP_W 2
#define BLOCK 8
#define ELEMENT uint
#endif

#define TAPS (KERNEL_D * KERNEL_H * KERNEL_W)
#define PHASES (UP_D * UP_H * UP_W)

__kernel void conv_pack_phases(
    __global const ELEMENT* w, __global ELEMENT* y, const int cg, const int mg, const int kd,
    const int kh, const int kw, const int size) {
    const int at = get_global_id(0);  // group, phase, block, c and t as one number
    if (at >= size) return;
    const int t = at % TAPS, c = at / TAPS % cg, row = at / (TAPS * cg);
    const int blocks = (mg + BLOCK - 1) / BLOCK;
    const int m = row % blocks * BLOCK, phase = row / blocks % PHASES, group = row / (blocks * PHASES);
    const int kz = phase / (UP_H * UP_W) + UP_D * (KERNEL_D - 1 - t / (KERNEL_H * KERNEL_W));
    const int ky = phase / UP_W % UP_H + UP_H * (KERNEL_H - 1 - t / KERNEL_W % KERNEL_H);
    const int kx = phase % UP_W + UP_W * (KERNEL_W - 1 - t % KERNEL_W);
    const bool exists = kz < kd && ky < kh && kx < kw;
    for (int l = 0; l < BLOCK; ++l) {
        const int from = ((((group * cg + c) * mg + m + l) * kd + kz) * kh + ky) * kw + kx;
        y[at * BLOCK + l] = exists && m + l < mg ? w[from] : (ELEMENT)0;
    }
}
