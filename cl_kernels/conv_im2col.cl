// y[c, k, p] = x[c, p * stride + k * dilation - pad], zero outside: every window of an image as a
// column, so that a matrix product is the convolution.
//
// x[..., channels, id, ih, iw] from element `first` on, y[channels, KERNEL_D, KERNEL_H, KERNEL_W,
// od, oh, ow]. Global: pixels, channels * taps.
//
// KERNEL_*, STRIDE_*, DILATION_*  see window.h
// ELEMENT  unsigned integer of an element's size
#include "window.h"

#ifndef ELEMENT
#define ELEMENT uint
#endif

__kernel void conv_im2col(
    __global const ELEMENT* x, __global ELEMENT* y, const int first, const int id, const int ih,
    const int iw, const int od, const int oh, const int ow, const int pad_d, const int pad_h,
    const int pad_w) {
    const int pixel = get_global_id(0), pixels = od * oh * ow;
    if (pixel >= pixels) return;
    const int row = get_global_id(1);
    const int kx = row % KERNEL_W, ky = row / KERNEL_W % KERNEL_H;
    const int kz = row / (KERNEL_W * KERNEL_H) % KERNEL_D;
    const int c = row / (KERNEL_W * KERNEL_H * KERNEL_D);
    const int line = pixel / ow;
    const int ix = (pixel - line * ow) * STRIDE_W + kx * DILATION_W - pad_w;
    const int iy = line % oh * STRIDE_H + ky * DILATION_H - pad_h;
    const int iz = line / oh * STRIDE_D + kz * DILATION_D - pad_d;
    const bool inside = ix >= 0 && ix < iw && iy >= 0 && iy < ih && iz >= 0 && iz < id;
    const int from = first + ((c * id + iz) * ih + iy) * iw + ix;
    y[row * pixels + pixel] = inside ? x[from] : (ELEMENT)0;
}
