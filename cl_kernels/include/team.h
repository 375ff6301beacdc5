// A team of work-items that computes the parts of a chain (clnet/runtime/chain_source.py).
//
// Parts come one after the other. Each has `shares`, which are runs of its `places`: an item takes
// the next share while there is one, and then waits for those that others are at. Nobody waits for
// an item that is not running, so a single one may well do it all. The last to leave clears the
// turns for the next launch.
//
// turns: for each part the shares taken and those done, each in a cache line of its own; then the
// items that have left. For PoCL, whose atomics acquire and release (its mem_fence does nothing), so
// that what a share wrote is seen by whoever has counted it as done.

// Integers of a line; Chain.TURNS in clnet/calls.py is two of them.
#define LINE 16
#define TAKEN(part) (turns + (part) * 2 * LINE)
#define DONE(part) (TAKEN(part) + LINE)

#define SHARED(part, shares, places, ...)                                                  \
    {                                                                                      \
        for (int share; (share = atomic_inc(TAKEN(part))) < shares;) {                     \
            const size_t end = (size_t)places * (share + 1) / shares;                      \
            for (size_t place = (size_t)places * share / shares; place < end; ++place)     \
                __VA_ARGS__;                                                               \
            mem_fence(CLK_GLOBAL_MEM_FENCE);                                               \
            atomic_inc(DONE(part));                                                        \
        }                                                                                  \
        while (*DONE(part) < shares) {                                                     \
        }                                                                                  \
        atomic_or(DONE(part), 0);                                                          \
        mem_fence(CLK_GLOBAL_MEM_FENCE);                                                   \
    }

#define LEAVE(parts, team)                                                                 \
    if (atomic_inc(TAKEN(parts)) == team - 1)                                              \
        for (int i = 0; i <= 2 * parts; ++i) turns[i * LINE] = 0;
