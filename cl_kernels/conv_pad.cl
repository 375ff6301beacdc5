// y[c, z, y, x] = x[c, z - pad_d, y - pad_h, x - pad_w], zero outside: the input of conv_channels and
// conv_direct. x[planes, id, ih, iw], y[planes, od, oh, ow].
//
// ELEMENT     unsigned integer of an element's size
// WHOLE_ROWS  1: every work-item makes one row of y, and the global size is the rows; 0, for GPUs: one
//             element, and it is a row's elements, rows

#ifndef ELEMENT
#define ELEMENT uint
#endif
#ifndef WHOLE_ROWS
#define WHOLE_ROWS 1
#endif

__kernel void conv_pad(
    __global const ELEMENT* x, __global ELEMENT* y, const int rows, const int id, const int ih,
    const int iw, const int od, const int oh, const int ow, const int pad_d, const int pad_h,
    const int pad_w) {
#if WHOLE_ROWS
    const int row = get_global_id(0);
#else
    const int row = get_global_id(1), i = get_global_id(0);
#endif
    if (row >= rows) return;
    const int plane = row / (od * oh);
    const int iz = row / oh % od - pad_d, iy = row % oh - pad_h;
    const bool inside = iz >= 0 && iz < id && iy >= 0 && iy < ih;
    const int from = inside ? clamp(pad_w, 0, ow) : ow, to = inside ? clamp(pad_w + iw, from, ow) : ow;
    __global const ELEMENT* source = x + ((plane * id + iz) * ih + iy) * iw - pad_w;
    __global ELEMENT* target = y + row * ow;
#if WHOLE_ROWS
    for (int i = 0; i < from; ++i) target[i] = (ELEMENT)0;
    for (int i = from; i < to; ++i) target[i] = source[i];
    for (int i = to; i < ow; ++i) target[i] = (ELEMENT)0;
#else
    if (i < ow) target[i] = i >= from && i < to ? source[i] : (ELEMENT)0;
#endif
}
