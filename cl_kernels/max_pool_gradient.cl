// dx[i] = sum of dy[o] over the windows o whose first maximum (in the order of their taps) is x[i]
//
// A window's tap k lies at o * STRIDE - PAD + k * DILATION; y holds the windows' maxima.
//
// SIZE        elements of x, over all feature maps
// IN_*, OUT_*, KERNEL_*, STRIDE_*, DILATION_*, PAD_*  along D, H and W
#include "common.h"

#ifndef SIZE
#define SIZE 2048
#define IN_D 1
#define IN_H 8
#define IN_W 8
#define OUT_D 1
#define OUT_H 4
#define OUT_W 4
#define KERNEL_D 1
#define KERNEL_H 2
#define KERNEL_W 2
#define STRIDE_D 1
#define STRIDE_H 2
#define STRIDE_W 2
#define DILATION_D 1
#define DILATION_H 1
#define DILATION_W 1
#define PAD_D 0
#define PAD_H 0
#define PAD_W 0
#endif

// Whether a window that starts at d, h, w (maybe in the padding) has `value` at a tap before `tap`.
bool seen_before(
    __global const storage* map, const int d, const int h, const int w, const int tap,
    const real value) {
    for (int k = 0; k < tap; ++k) {
        const int pd = d + k / (KERNEL_H * KERNEL_W) * DILATION_D;
        const int ph = h + k / KERNEL_W % KERNEL_H * DILATION_H;
        const int pw = w + k % KERNEL_W * DILATION_W;
        const bool inside = pd >= 0 && pd < IN_D && ph >= 0 && ph < IN_H && pw >= 0 && pw < IN_W;
        if (inside && (real)LOAD(map, (pd * IN_H + ph) * IN_W + pw) == value) return true;
    }
    return false;
}

__kernel void max_pool_gradient(
    __global const storage* x, __global const storage* y, __global const storage* dy,
    __global storage* dx) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    const int w = i % IN_W, h = i / IN_W % IN_H, d = i / (IN_W * IN_H) % IN_D;
    const int map = i / (IN_W * IN_H * IN_D);
    const real value = LOAD(x, i);
    accum sum = 0;
    for (int tap = 0; tap < KERNEL_D * KERNEL_H * KERNEL_W; ++tap) {
        // Where the window starts in which this element is the tap, counted from the padding.
        const int wd = d + PAD_D - tap / (KERNEL_H * KERNEL_W) * DILATION_D;
        const int wh = h + PAD_H - tap / KERNEL_W % KERNEL_H * DILATION_H;
        const int ww = w + PAD_W - tap % KERNEL_W * DILATION_W;
        if (wd < 0 || wd % STRIDE_D || wd / STRIDE_D >= OUT_D) continue;
        if (wh < 0 || wh % STRIDE_H || wh / STRIDE_H >= OUT_H) continue;
        if (ww < 0 || ww % STRIDE_W || ww / STRIDE_W >= OUT_W) continue;
        const int line = (map * OUT_D + wd / STRIDE_D) * OUT_H + wh / STRIDE_H;
        const int o = line * OUT_W + ww / STRIDE_W;
        if (value != (real)LOAD(y, o)) continue;
        __global const storage* in = x + map * (IN_D * IN_H * IN_W);
        if (!seen_before(in, wd - PAD_D, wh - PAD_H, ww - PAD_W, tap, value)) sum += LOAD(dy, o);
    }
    STORE((real)sum, dx, i);
}
