// The window of a convolution in depth, height and width.
#ifndef KERNEL_W
#define KERNEL_D 1
#define KERNEL_H 3
#define KERNEL_W 3
#define STRIDE_D 1
#define STRIDE_H 1
#define STRIDE_W 1
#define DILATION_D 1
#define DILATION_H 1
#define DILATION_W 1
#endif
#define TAPS (KERNEL_D * KERNEL_H * KERNEL_W)
