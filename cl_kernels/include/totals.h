// What losses share: three sums over all positions, by GROUPS work-groups of ITEMS work-items.
//
// With one group, ADD_TOTALS stores totals[3] and loss = totals[0] / max(1, totals[2]); with
// several, it leaves sums[group][3] behind, which the kernel totals_finish adds up.
//
// ITEMS    work-items of a group: a power of two
// GROUPS   work-groups
#ifndef ITEMS
#define ITEMS 1
#define GROUPS 1
#endif

#if GROUPS == 1
typedef storage partial;
#else
typedef accum partial;
#endif

void store_totals(const accum* sums, __global storage* loss, __global storage* totals) {
    for (int i = 0; i < 3; ++i) STORE((real)sums[i], totals, i);
    STORE((real)(sums[0] / max(sums[2], (accum)1)), loss, 0);
}

void store_partial(
    const accum* sums, const int group, __global partial* loss, __global partial* totals) {
#if GROUPS == 1
    store_totals(sums, loss, totals);
#else
    for (int i = 0; i < 3; ++i) totals[group * 3 + i] = sums[i];
#endif
}

// Adds up the items' own[3] and stores the result; `loss` and `totals` are the kernel's last
// arguments.
#if ITEMS == 1
#define ADD_TOTALS(own, loss, totals) store_partial(own, get_group_id(0), loss, totals)
#else
#define ADD_TOTALS(own, loss, totals)                                                   \
    __local accum shared[3][ITEMS];                                                     \
    const int item = get_local_id(0);                                                   \
    for (int i = 0; i < 3; ++i) shared[i][item] = own[i];                               \
    for (int rest = ITEMS / 2; rest > 0; rest /= 2) {                                   \
        barrier(CLK_LOCAL_MEM_FENCE);                                                   \
        if (item < rest)                                                                \
            for (int i = 0; i < 3; ++i) shared[i][item] += shared[i][item + rest];      \
    }                                                                                   \
    if (item == 0) {                                                                    \
        for (int i = 0; i < 3; ++i) own[i] = shared[i][0];                              \
        store_partial(own, get_group_id(0), loss, totals);                              \
    }
#endif

#if GROUPS > 1
__kernel void totals_finish(
    __global const partial* sums, __global storage* loss, __global storage* totals) {
    accum all[3] = {0, 0, 0};
    for (int group = 0; group < GROUPS; ++group)
        for (int i = 0; i < 3; ++i) all[i] += sums[group * 3 + i];
    store_totals(all, loss, totals);
}
#endif
