// Four elements at once on GPUs, whose widest load is 128 bits. After common.h.
//
// LOAD4(p, i)  elements i to i+3 of p, where i is a multiple of 4 and p aligned likewise
// LANE(v, i)   element i of a vector of four; a choice that vanishes where i is constant
typedef CAT(REAL, 4) real4;
#if STORAGE == COMPUTE
#define LOAD4(p, i) (*(__global const real4*)((p) + (i)))
#else
#define LOAD4(p, i) vload_half4(0, (p) + (i))
#endif
#define LANE(v, i) ((i) == 0 ? (v).s0 : (i) == 1 ? (v).s1 : (i) == 2 ? (v).s2 : (v).s3)
