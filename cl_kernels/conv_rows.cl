// y[n, m, p] = epilogue(b[m] + sum over c, k of w[m, c, k] * x[n, c, p * stride + k * dilation - pad])
// for few channels per group (depthwise) on CPUs, with vectors along the rows.
//
// x[n, groups, CG, id, ih, iw], w[groups, mg, CG, KERNEL_D, KERNEL_H, KERNEL_W], b[groups * mg],
// y[n, groups, mg, od, oh, ow]. A work-item copies the rows of a strip of TILE_Y output rows into a
// private buffer with the padding around them, then computes the strip; it does so for
// `strips_per_item` strips of `groups_per_item` groups.
// Global: chunks of strips, chunks of groups, n * od.
//
// KERNEL_*, STRIDE_*, DILATION_*  see window.h
// BIAS    1 where there is a bias
// CG      input channels per group
// ROW     elements of a buffered row: at least VW * ceil(ow / VW) * STRIDE_W + KERNEL_W *
//         DILATION_W + 2 * VW, and pad_w + iw + VW
// TILE_Y  rows of a strip
#include "common.h"
#include "window.h"

#ifndef BIAS
#define BIAS 1
#define CG 1
#define ROW 256
#endif
#ifndef TILE_Y
#define TILE_Y 4
#endif

#define REACH ((KERNEL_H - 1) * DILATION_H)          // rows that a window adds to its first
#define LINES ((TILE_Y - 1) * STRIDE_H + REACH + 1)  // input rows of a strip

// VW elements, STRIDE_W apart
inline realV pick(const real* p) {
#if STRIDE_W == 1
    return CAT(vload, VW)(0, p);
#elif STRIDE_W == 2
    realV result;
    result.lo = CAT(vload, VW)(0, p).even;
    result.hi = CAT(vload, VW)(0, p + VW).even;
    return result;
#else
    real lanes[VW];
    for (int k = 0; k < VW; ++k) lanes[k] = p[k * STRIDE_W];
    return CAT(vload, VW)(0, lanes);
#endif
}

// iw elements of x from `from` on, or zeros where the row is padding; x ends at `end`
inline void copy_row(real* to, __global const storage* x, const int from, const int end,
                     const int iw, const bool inside) {
    if (!inside) {
        for (int i = 0; i < iw; ++i) to[i] = 0;
    } else if (iw >= VW) {
        for (int i = 0; i < iw; i += VW) {
            const int at = min(i, iw - VW);  // the last vector overlaps the one before
            CAT(vstore, VW)(LOADV(x, from + at), 0, to + at);
        }
    } else if (from + VW <= end) {
        CAT(vstore, VW)(LOADV(x, from), 0, to);
        CAT(vstore, VW)((realV)0, 0, to + iw);  // over what belongs to the next row
    } else {
        for (int i = 0; i < iw; ++i) to[i] = LOAD(x, from + i);
    }
}

__kernel void conv_rows(
    __global const storage* x, __global const storage* w,
#if BIAS
    __global const storage* b,
#endif
    __global storage* y, const int groups, const int mg, const int id, const int ih, const int iw,
    const int od, const int oh, const int ow, const int pad_d, const int pad_h, const int pad_w,
    const int groups_per_item, const int strips_per_item EPILOGUE_ARGS) {
    const int oz = (int)get_global_id(2) % od, batch = (int)get_global_id(2) / od;
    const int strips = (oh + TILE_Y - 1) / TILE_Y;
    const int strip_from = get_global_id(0) * strips_per_item;
    const int strip_to = min(strip_from + strips_per_item, strips);
    const int group_from = get_global_id(1) * groups_per_item;
    const int group_to = min(group_from + groups_per_item, groups);
    const int end = (int)get_global_size(2) / od * groups * CG * id * ih * iw;
    real lines[CG * KERNEL_D][LINES][ROW];
    for (int s = 0; s < CG * KERNEL_D; ++s)
        for (int r = 0; r < LINES; ++r)
            for (int i = 0; i < ROW; ++i) lines[s][r][i] = 0;

    for (int group = group_from; group < group_to; ++group)
        for (int strip = strip_from; strip < strip_to; ++strip) {
            const int oy = strip * TILE_Y;
            for (int s = 0; s < CG * KERNEL_D; ++s) {
                const int iz = oz * STRIDE_D - pad_d + s % KERNEL_D * DILATION_D;
                const int plane = ((batch * groups + group) * CG + s / KERNEL_D) * id + iz;
                for (int r = 0; r < LINES; ++r) {
                    const int iy = oy * STRIDE_H - pad_h + r;
                    const bool inside = iz >= 0 && iz < id && iy >= 0 && iy < ih;
                    const int from = (plane * ih + iy) * iw;
                    copy_row(lines[s][r] + pad_w, x, from, end, iw, inside);
                }
            }
            for (int m = group * mg; m < (group + 1) * mg; ++m)
                for (int ox = 0; ox < ow; ox += VW) {
                    realV sum[TILE_Y];
#pragma unroll
                    for (int j = 0; j < TILE_Y; ++j) sum[j] = (realV)0;
                    for (int s = 0; s < CG * KERNEL_D; ++s) {
                        __global const storage* weights = w + m * CG * TAPS + s * KERNEL_H * KERNEL_W;
                        for (int kx = 0; kx < KERNEL_W; ++kx) {
#pragma unroll
                            for (int r = 0; r < LINES; ++r) {
                                const realV value = pick(lines[s][r] + ox * STRIDE_W + kx * DILATION_W);
#pragma unroll
                                for (int j = 0; j < TILE_Y; ++j) {
                                    const int reach = r - j * STRIDE_H;  // of row j's window
                                    if (reach < 0 || reach > REACH || reach % DILATION_H) continue;
                                    const int tap = reach / DILATION_H * KERNEL_W + kx;
                                    sum[j] = MADD(value, (realV)LOAD(weights, tap), sum[j]);
                                }
                            }
                        }
                    }
#pragma unroll
                    for (int j = 0; j < TILE_Y; ++j) {
                        if (oy + j >= oh) continue;
                        const int line = ((batch * groups * mg + m) * od + oz) * oh + oy + j;
#if BIAS
                        const real bias = LOAD(b, m);
#else
                        const real bias = 0;
#endif
                        if (ox + VW <= ow) {
                            accumV value = TO_ACCUMV(sum[j]) + (accumV)bias;
                            EPILOGUE(accumV, LOADV_ACCUM, value, line * ow + ox, m)
                            STOREV_ACCUM(value, y, line * ow + ox);
                        } else {
                            real lanes[VW];
                            CAT(vstore, VW)(sum[j], 0, lanes);
                            for (int k = 0; k < ow - ox; ++k) {
                                accum value = lanes[k] + bias;
                                EPILOGUE(accum, LOAD_ACCUM, value, line * ow + ox + k, m)
                                STORE_ACCUM(value, y, line * ow + ox + k);
                            }
                        }
                    }
                }
        }
}
