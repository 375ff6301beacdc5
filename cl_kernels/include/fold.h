// Folding the lanes of a vector, and the values of a work-group, into one with a binary OP.
//
// FOLD(OP, v)                       OP over the VW lanes of v, an expression without side effects
// GROUP                             work-items that share a result, a power of two; 1: none do
// GROUP_FOLD(OP, value, scratch)    OP over `value` of all GROUP items, given to each of them;
//                                   scratch: __local memory for GROUP values. Holds barriers, so
//                                   every item of the group must come here.
#ifndef GROUP
#define GROUP 1
#endif

#define FOLD_1(OP, v) (v)
#define FOLD_2(OP, v) OP((v).s0, (v).s1)
#define FOLD_4(OP, v) OP(OP((v).s0, (v).s2), OP((v).s1, (v).s3))
#define FOLD_8(OP, v) FOLD_4(OP, OP((v).lo, (v).hi))
#define FOLD_16(OP, v) FOLD_4(OP, OP(OP((v).lo.lo, (v).lo.hi), OP((v).hi.lo, (v).hi.hi)))
#define FOLD(OP, v) CAT(FOLD_, VW)(OP, v)

#define ADD(a, b) ((a) + (b))

#if GROUP > 1
#define GROUP_FOLD(OP, value, scratch)                                            \
    {                                                                             \
        const int item = get_local_id(0);                                         \
        barrier(CLK_LOCAL_MEM_FENCE);                                             \
        scratch[item] = value;                                                    \
        barrier(CLK_LOCAL_MEM_FENCE);                                             \
        for (int half_way = GROUP / 2; half_way > 0; half_way /= 2) {             \
            if (item < half_way)                                                  \
                scratch[item] = OP(scratch[item], scratch[item + half_way]);      \
            barrier(CLK_LOCAL_MEM_FENCE);                                         \
        }                                                                         \
        value = scratch[0];                                                       \
    }
#else
#define GROUP_FOLD(OP, value, scratch)
#endif
