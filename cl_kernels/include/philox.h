// Philox2x32-10: two random words out of a counter of two words and a key.
// Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011).
uint2 philox(uint2 counter, uint key) {
    for (int round = 0; round < 10; ++round) {
        const uint high = mul_hi(0xD256D193u, counter.x), low = 0xD256D193u * counter.x;
        counter = (uint2)(high ^ key ^ counter.y, low);
        key += 0x9E3779B9u;
    }
    return counter;
}
