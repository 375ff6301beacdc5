// dx[i] = sum of dy[o] over the windows o whose first maximum (in the order of their taps) is x[i]
//
// A window's tap k lies at o * STRIDE - PAD + k * DILATION; y holds the windows' maxima.
//
// max_pool_gradient: an element of x each. max_pool_gradient_windows: a row of windows each, which must
// not overlap, with all elements up to the next row.
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

#if STRIDE_D >= KERNEL_D && STRIDE_H >= KERNEL_H && STRIDE_W >= KERNEL_W && \
    DILATION_D == 1 && DILATION_H == 1 && DILATION_W == 1
// The elements along an axis that belong to window o: its own and those before the next window.
#define FROM(X, o) ((o) == 0 ? 0 : (o) * STRIDE_##X - PAD_##X)
#define TO(X, o) ((o) == OUT_##X - 1 ? IN_##X : ((o) + 1) * STRIDE_##X - PAD_##X)
#define IN_WINDOWS(X) (OUT_##X * KERNEL_##X == IN_##X)  // every element is in a window
#define INSIDE(X) (PAD_##X == 0 && (OUT_##X - 1) * STRIDE_##X + KERNEL_##X <= IN_##X)
#define FIRST_TAP(X, start) (INSIDE(X) ? 0 : max(-(start), 0))
#define LAST_TAP(X, start) (INSIDE(X) ? KERNEL_##X : min(IN_##X - (start), KERNEL_##X))

__kernel void max_pool_gradient_windows(
    __global const storage* restrict x, __global const storage* restrict y,
    __global const storage* restrict dy, __global storage* restrict dx) {
    const int line = get_global_id(0);
    if (line >= SIZE / (IN_W * IN_H * IN_D) * OUT_D * OUT_H) return;
    const int oh = line % OUT_H, od = line / OUT_H % OUT_D, map = line / (OUT_H * OUT_D);
    x += map * (IN_W * IN_H * IN_D);
    dx += map * (IN_W * IN_H * IN_D);
    for (int d = FROM(D, od); d < TO(D, od) && !(IN_WINDOWS(D) && IN_WINDOWS(H) && IN_WINDOWS(W)); ++d)
        for (int i = (d * IN_H + FROM(H, oh)) * IN_W; i < (d * IN_H + TO(H, oh)) * IN_W; ++i)
            STORE((real)0, dx, i);
    const int d = od * STRIDE_D - PAD_D, h = oh * STRIDE_H - PAD_H;
    // No branches: which tap is the maximum cannot be foretold. `left` is 0 once it was handed over.
#if KERNEL_W == 2 && STRIDE_W == 2 && PAD_W == 0 && OUT_W * 2 <= IN_W && OUT_W >= VW && VW > 1
    for (int next = 0; next < OUT_W; next += VW) {
        const int ow = min(next, OUT_W - VW);  // the last vector may overlap the one before
        const realV largest = LOADV(y, line * OUT_W + ow);
        realV left = LOADV(dy, line * OUT_W + ow);
        for (int kd = FIRST_TAP(D, d); kd < LAST_TAP(D, d); ++kd)
            for (int kh = FIRST_TAP(H, h); kh < LAST_TAP(H, h); ++kh) {
                const int i = ((d + kd) * IN_H + h + kh) * IN_W + 2 * ow;
                const realV front = LOADV(x, i), back = LOADV(x, i + VW);
                const realV even = (realV)(front.even, back.even);
                const realV odd = (realV)(front.odd, back.odd);
                const realV to_even = even == largest ? left : (realV)0;
                left = even == largest ? (realV)0 : left;
                const realV to_odd = odd == largest ? left : (realV)0;
                left = odd == largest ? (realV)0 : left;
                realV low, high;
                low.even = to_even.lo;
                low.odd = to_odd.lo;
                high.even = to_even.hi;
                high.odd = to_odd.hi;
                STOREV(low, dx, i);
                STOREV(high, dx, i + VW);
            }
    }
#else
    for (int ow = 0; ow < OUT_W; ++ow) {
        const real largest = LOAD(y, line * OUT_W + ow);
        const int w = ow * STRIDE_W - PAD_W;
        real left = LOAD(dy, line * OUT_W + ow);
        for (int kd = FIRST_TAP(D, d); kd < LAST_TAP(D, d); ++kd)
            for (int kh = FIRST_TAP(H, h); kh < LAST_TAP(H, h); ++kh)
                for (int kw = FIRST_TAP(W, w); kw < LAST_TAP(W, w); ++kw) {
                    const int i = ((d + kd) * IN_H + h + kh) * IN_W + w + kw;
                    const bool hit = (real)LOAD(x, i) == largest;
                    STORE(hit ? left : (real)0, dx, i);
                    left = hit ? (real)0 : left;
                }
    }
#endif
}
#endif
