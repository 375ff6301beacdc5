// One layer of recurrent cells: LAUNCHED steps from step `first` on, for each direction and sequence.
//
//   RNN   h' = f(x + W h)
//   GRU   z = f(x_z + W_z h), r = f(x_r + W_r h), h' = (1 - z) * g(x_h + W_h (r * h)) + z * h; with
//         RESET_AFTER g(x_h + r * (W_h h + bias))
//   LSTM  i = f(x_i + W_i h + p_i c), f = f(x_f + W_f h + p_f c), c' = f * c + i * g(x_c + W_c h),
//         h' = f(x_o + W_o h + p_o c') * h(c'); COUPLED: f = 1 - i
//
// in[STEPS][BATCH][DIRECTIONS][GATES][HIDDEN] are the x, weights[DIRECTIONS][HIDDEN][GATES][HIDDEN]
// go from old units to gates, out[STEPS][DIRECTIONS][BATCH][HIDDEN] are the h, which the next step
// reads from there. Beyond the length of a sequence, out is 0 and its state stays.
//
// SEQUENCES           how many of a direction a work-item computes at a time, which share the weights
// VECTORS, VW         a work-item computes VECTORS vectors of units at a time, of BLOCKS in all
// PANEL               weights are [DIRECTIONS][HIDDEN / PANEL][HIDDEN][GATES][PANEL]
// LANES               work-items of a group, which computes all units and so may take many steps;
//                     0: each block has an item somewhere, and a launch is one step
// REVERSE(d)          whether direction d goes from the end
// HAS_STATE …         which of the optional inputs there are
// ACTIVATE_n(T, v)    the activations f, g, h
#include "common.h"

#ifndef STEPS
#define LSTM 1
#define STEPS 4
#define BATCH 1
#define DIRECTIONS 1
#define HIDDEN 64
#define REVERSE(d) 0
#define RESET_AFTER 0
#define COUPLED 0
#define HAS_STATE 0
#define HAS_MEMORY 0
#define HAS_PEEPHOLES 0
#define HAS_BIAS 0
#define HAS_LENGTHS 0
#define ACTIVATE_0(T, value)
#define ACTIVATE_1(T, value)
#define ACTIVATE_2(T, value)
#define SEQUENCES 1
#define VECTORS 1
#define BLOCKS (HIDDEN / VW)
#define PANEL HIDDEN
#define LANES 1
#define LAUNCHED STEPS
#endif

#if defined(LSTM)
#define GATES 4
#elif defined(GRU)
#define GATES 3
#else
#define GATES 1
#endif
// Gates whose sums are over the old units as they are.
#if defined(GRU) && !RESET_AFTER
#define PLAIN 2
#else
#define PLAIN GATES
#endif

typedef __global const storage* source;

// sum[n][g][v] += weights from OLD(n) to the gates from the pointer's on, for units j to j + VECTORS * VW
#define ADD_PRODUCTS(SUM, COUNT, WEIGHTS, OLD)                                                \
    for (int k = 0; k < inputs; ++k) {                                                        \
        accum value[SEQUENCES];                                                               \
        _Pragma("unroll") for (int n = 0; n < SEQUENCES; ++n) value[n] = LOAD_ACCUM(OLD(n), k); \
        _Pragma("unroll") for (int g = 0; g < COUNT; ++g)                                     \
            _Pragma("unroll") for (int v = 0; v < VECTORS; ++v) {                             \
                const accumV w = LOADV_ACCUM(WEIGHTS, WEIGHT(k, g) + v * VW);                  \
                _Pragma("unroll") for (int n = 0; n < SEQUENCES; ++n)                         \
                    SUM[n][g][v] = MADD((accumV)value[n], w, SUM[n][g][v]);                   \
            }                                                                                 \
    }
// All n sequences, and vectors v of units from `unit` on. As everything over sums, this is unrolled: an
// array that stays one would be the same for all work-items after PoCL 3.0's vectorization.
#define EACH                                         \
    _Pragma("unroll") for (int n = 0; n < SEQUENCES; ++n) \
        _Pragma("unroll") for (int v = 0, unit = j; v < VECTORS; ++v, unit += VW)

// Where the weights from an old unit to a gate of the units from j on lie.
#define WEIGHT(k, g) ((j / PANEL * HIDDEN + (k)) * GATES * PANEL + (g) * PANEL + j % PANEL)
#define X(n) (x + (n) * DIRECTIONS * GATES * HIDDEN)
#define OLD(n) (old + (n) * HIDDEN)
#define UPDATE(n) (work + (n) * 2 * HIDDEN)
#define KEPT(n) (UPDATE(n) + HIDDEN)

__kernel void recurrent(source in, source weights,
#if HAS_STATE
                        source state,
#endif
#if HAS_MEMORY
                        source memory,
#endif
#if HAS_PEEPHOLES
                        source peepholes,
#endif
#if HAS_BIAS
                        source bias,
#endif
#if HAS_LENGTHS
                        __global const int* lengths,
#endif
                        __global storage* out, __global storage* last,
#ifdef LSTM
                        __global storage* last_memory,
#endif
#if PLAIN < GATES
                        __global storage* work,
#endif
                        const int first) {
    const int o = get_global_id(1) * SEQUENCES, d = o / BATCH, b = o % BATCH;
#if HAS_LENGTHS
    const int length = clamp(lengths[b], 0, STEPS);  // there is one sequence then
#else
    const int length = STEPS;
#endif
    weights += d * HIDDEN * GATES * HIDDEN;
    last += o * HIDDEN;
#ifdef LSTM
    last_memory += o * HIDDEN;
#endif
#if HAS_STATE
    state += o * HIDDEN;
#endif
#if HAS_MEMORY
    memory += o * HIDDEN;
#endif
#if PLAIN < GATES
    work += o * 2 * HIDDEN;
#endif
    const int start = get_global_id(0) * VECTORS * VW;
    const int stride = (LANES > 0 ? LANES : BLOCKS) * VECTORS * VW;
    for (int s = first; s < first + LAUNCHED; ++s) {
        const int inside = s < length;
        const int t = REVERSE(d) && inside ? length - 1 - s : s;
        source x = in + ((t * BATCH + b) * DIRECTIONS + d) * GATES * HIDDEN;
        __global storage* y = out + (t * DIRECTIONS * BATCH + o) * HIDDEN;
        source old = out + ((REVERSE(d) ? t + 1 : t - 1) * DIRECTIONS * BATCH + o) * HIDDEN;
        int inputs = inside ? HIDDEN : 0;
        if (s == 0) {
#if HAS_STATE
            old = state;
#else
            inputs = 0;
#endif
        }
#if PLAIN < GATES
        for (int j = start; inside && j < HIDDEN; j += stride) {
            accumV sum[SEQUENCES][PLAIN][VECTORS];
            _Pragma("unroll") for (int g = 0; g < PLAIN; ++g)
                EACH sum[n][g][v] = LOADV_ACCUM(X(n), g * HIDDEN + unit);
            ADD_PRODUCTS(sum, PLAIN, weights, OLD)
            EACH {
                ACTIVATE_0(accumV, sum[n][0][v])
                ACTIVATE_0(accumV, sum[n][1][v])
                STOREV_ACCUM(sum[n][0][v], UPDATE(n), unit);
                if (inputs > 0) STOREV_ACCUM(sum[n][1][v] * LOADV_ACCUM(OLD(n), unit), KEPT(n), unit);
            }
        }
        barrier(CLK_GLOBAL_MEM_FENCE);
#endif
        for (int j = start; j < HIDDEN; j += stride) {
            if (!inside) {
                EACH {
                    STOREV((realV)0, y + n * HIDDEN, unit);
                    if (s > 0) continue;
#if HAS_STATE
                    STOREV(LOADV(OLD(n), unit), last + n * HIDDEN, unit);
#else
                    STOREV((realV)0, last + n * HIDDEN, unit);
#endif
#if defined(LSTM) && HAS_MEMORY
                    STOREV(LOADV(memory + n * HIDDEN, unit), last_memory + n * HIDDEN, unit);
#elif defined(LSTM)
                    STOREV((realV)0, last_memory + n * HIDDEN, unit);
#endif
                }
                continue;
            }
            accumV sum[SEQUENCES][GATES][VECTORS];
#if PLAIN < GATES
            EACH sum[n][0][v] = LOADV_ACCUM(X(n), PLAIN * HIDDEN + unit);
            ADD_PRODUCTS(sum, 1, (weights + PLAIN * PANEL), KEPT)
#else
            _Pragma("unroll") for (int g = 0; g < GATES; ++g)
                EACH sum[n][g][v] = LOADV_ACCUM(X(n), g * HIDDEN + unit);
#if RESET_AFTER && HAS_BIAS
            EACH sum[n][2][v] = LOADV_ACCUM(bias, d * HIDDEN + unit);
#elif RESET_AFTER
            EACH sum[n][2][v] = (accumV)0;
#endif
            ADD_PRODUCTS(sum, GATES, weights, OLD)
#endif
            EACH {
#if defined(LSTM)
                accumV c = (accumV)0;
#if HAS_MEMORY
                if (s == 0) c = LOADV_ACCUM(memory + n * HIDDEN, unit);
#endif
                if (s > 0) c = LOADV_ACCUM(last_memory + n * HIDDEN, unit);
                accumV take = sum[n][0][v], give = sum[n][1][v], keep = sum[n][2][v];
                accumV fresh = sum[n][3][v];
#if HAS_PEEPHOLES
                take += c * LOADV_ACCUM(peepholes, d * 3 * HIDDEN + unit);
                keep += c * LOADV_ACCUM(peepholes, (d * 3 + 2) * HIDDEN + unit);
#endif
                ACTIVATE_0(accumV, take)
                ACTIVATE_0(accumV, keep)
                ACTIVATE_1(accumV, fresh)
                c = (COUPLED ? 1 - take : keep) * c + take * fresh;
                STOREV_ACCUM(c, last_memory + n * HIDDEN, unit);
#if HAS_PEEPHOLES
                give += c * LOADV_ACCUM(peepholes, (d * 3 + 1) * HIDDEN + unit);
#endif
                ACTIVATE_0(accumV, give)
                ACTIVATE_2(accumV, c)
                const accumV h = give * c;
#elif defined(GRU)
                const accumV before = inputs > 0 ? LOADV_ACCUM(OLD(n), unit) : (accumV)0;
#if RESET_AFTER
                accumV z = sum[n][0][v], r = sum[n][1][v];
                ACTIVATE_0(accumV, z)
                ACTIVATE_0(accumV, r)
                accumV fresh = LOADV_ACCUM(X(n), 2 * HIDDEN + unit) + r * sum[n][2][v];
#else
                const accumV z = LOADV_ACCUM(UPDATE(n), unit);
                accumV fresh = sum[n][0][v];
#endif
                ACTIVATE_1(accumV, fresh)
                const accumV h = fresh + z * (before - fresh);
#else
                accumV h = sum[n][0][v];
                ACTIVATE_0(accumV, h)
#endif
                STOREV_ACCUM(h, y + n * HIDDEN, unit);
                if (s == length - 1) STOREV_ACCUM(h, last + n * HIDDEN, unit);
            }
        }
        if (LANES > 0) barrier(CLK_GLOBAL_MEM_FENCE);
    }
}
