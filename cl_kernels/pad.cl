// out[i] = INSIDE ? in[SOURCE] : VALUE, where COORDINATES computes i's position in the input.
//
// COORDINATES  statements: c0, c1, ... along each axis, already mapped inside by the pad's mode
// INSIDE       whether they lie inside the input (constant pads)
// SOURCE       the input's element there
// VALUE        the bits of a new element
// SIZE         number of output elements
#include "carry.h"

#ifndef SIZE
#define SIZE 1024
#define COORDINATES const int c0 = reflected(i - 3, 1018);
#define INSIDE 1
#define SOURCE c0
#define VALUE 0
#endif

int floor_mod(int c, int n) {
    const int rest = c % n;
    return rest < 0 ? rest + n : rest;
}

// ... 2 1 [0 1 2 ... n-1] n-2 n-3 ..., on and on
int reflected(int c, int n) {
    const int turn = floor_mod(c, max(1, 2 * n - 2));
    return min(turn, 2 * n - 2 - turn);
}

__kernel void pad(__global const ELEMENT* in, __global ELEMENT* out) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
    COORDINATES
    out[i] = INSIDE ? in[SOURCE] : (ELEMENT)VALUE;
}
