// Philox2x32-10: two random words out of a counter of two words and a key.
// Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011).
//
// PHILOX_WORD  uint, or a vector of it for as many counters at once
#ifndef PHILOX_WORD
#define PHILOX_WORD uint
#endif

void philox(PHILOX_WORD* left, PHILOX_WORD* right, uint key) {
    for (int round = 0; round < 10; ++round) {
        const PHILOX_WORD multiplier = (PHILOX_WORD)(0xD256D193u);
        const PHILOX_WORD high = mul_hi(multiplier, *left), low = multiplier * *left;
        *left = high ^ (PHILOX_WORD)(key) ^ *right;
        *right = low;
        key += 0x9E3779B9u;
    }
}
