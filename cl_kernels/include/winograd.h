// The transforms of F(TILE x TILE, TAPS x TAPS) along one dimension. After common.h; winograd_tiles.py
// has that of the weights.
//
// TILE  outputs along a side of a tile
// TAPS  weights along a side of the window
// SIDE  points: 4 are 0, 1, -1 and infinity. 6 are 0, +-sqrt(1/2), +-sqrt(2) and infinity, which
//       lose two bits less than the usual 0, +-1, +-2
#ifndef TILE
#define TILE 4
#endif
#ifndef TAPS
#define TAPS 3
#endif

#define SIDE (TILE + TAPS - 1)
#define POINTS (SIDE * SIDE)

#if COMPUTE == 64
#define ROOT_HALF M_SQRT1_2
#define ROOT_TWO M_SQRT2
#else
#define ROOT_HALF M_SQRT1_2_F
#define ROOT_TWO M_SQRT2_F
#endif

// SIDE inputs to the values at as many points.
void transform_input(const realV* d, realV* v) {
#if SIDE == 4
    v[0] = d[2] - d[0];
    v[1] = d[2] + d[1];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
#else
    const realV even_1 = d[4] - (real)2 * d[2], odd_1 = ROOT_HALF * (d[3] - (real)2 * d[1]);
    const realV even_2 = d[4] - (real)0.5f * d[2], odd_2 = ROOT_TWO * (d[3] - (real)0.5f * d[1]);
    v[0] = d[0] + d[4] - (real)2.5f * d[2];
    v[1] = even_1 + odd_1;
    v[2] = even_1 - odd_1;
    v[3] = even_2 + odd_2;
    v[4] = even_2 - odd_2;
    v[5] = d[1] + d[5] - (real)2.5f * d[3];
#endif
}

// Products at SIDE points to TILE outputs; that at infinity belongs to the last alone.
void transform_output(const realV* m, realV* y) {
    const realV even_1 = m[1] + m[2], odd_1 = m[1] - m[2];
#if SIDE == 4
    y[0] = m[0] + even_1;
    y[1] = odd_1 + m[3];
#else
    const realV even_2 = m[3] + m[4], odd_2 = m[3] - m[4];
    const realV odd_half = ROOT_HALF * odd_1, odd_two = ROOT_TWO * odd_2;
    y[0] = m[0] + even_1 + even_2;
    y[1] = odd_half + odd_two;
#if TILE == 4
    y[2] = (real)0.5f * even_1 + (real)2 * even_2;
    y[3] = (real)0.5f * odd_half + (real)2 * odd_two;
#endif
    y[TILE - 1] += m[5];
#endif
}
