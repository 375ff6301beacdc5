// Types and memory access shared by all kernels. Floating tensors lie in memory as `storage` and
// are computed as `real`; sums over many elements use `accum`, which is never narrower than float.
//
// STORAGE  bits of a floating-point element in memory: 16, 32 or 64
// COMPUTE  bits of arithmetic: 16 (needs cl_khr_fp16), 32 or 64 (needs cl_khr_fp64)
// MULADD   form of a*b+c: 0 fma, 1 mad, 2 plain
// VW       elements of the explicit vector type realV: 1, 2, 4, 8 or 16

#ifndef STORAGE
#define STORAGE 32
#endif
#ifndef COMPUTE
#define COMPUTE 32
#endif
#ifndef MULADD
#define MULADD 0
#endif
#ifndef VW
#define VW 4
#endif

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

#if COMPUTE == 16
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#define REAL half
#define REAL_MAX 65504.0f
#elif COMPUTE == 64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#define REAL double
#define REAL_MAX DBL_MAX
#else
#define REAL float
#define REAL_MAX FLT_MAX
#endif

#if STORAGE == 16
#define STORAGE_TYPE half
#elif STORAGE == 64
#define STORAGE_TYPE double
#else
#define STORAGE_TYPE float
#endif

typedef REAL real;
typedef STORAGE_TYPE storage;
#if COMPUTE == 64
#define ACCUM double
#else
#define ACCUM float
#endif
typedef ACCUM accum;

#if VW == 1
#define VECTOR(T) T
#else
#define VECTOR(T) CAT(T, VW)
#endif
typedef VECTOR(REAL) realV;
#define TO_REALV CAT(convert_, VECTOR(REAL))
typedef VECTOR(ACCUM) accumV;
#define TO_ACCUMV CAT(convert_, VECTOR(ACCUM))

#if MULADD == 0
#define MADD(a, b, c) fma(a, b, c)
#elif MULADD == 1
#define MADD(a, b, c) mad(a, b, c)
#else
#define MADD(a, b, c) ((a) * (b) + (c))
#endif

// PoCL 3.1 lets wide vload_half and vstore_half assume an alignment that OpenCL does not promise and
// crashes, so they work on a copy there; devices that prefer vectors this wide are CPUs.
#if STORAGE == 16 && VW >= 8
VECTOR(float) load_halves(__global const half* p) {
    const VECTOR(ushort) bits = CAT(vload, VW)(0, (__global const ushort*)p);
    return CAT(vload_half, VW)(0, (__private const half*)&bits);
}
void store_halves(const VECTOR(float) v, __global half* p) {
    VECTOR(ushort) bits;
    CAT(CAT(vstore_half, VW), _rte)(v, 0, (__private half*)&bits);
    CAT(vstore, VW)(bits, 0, (__global ushort*)p);
}
#define LOAD_HALVES(p) load_halves(p)
#define STORE_HALVES(v, p) store_halves(v, p)
#elif STORAGE == 16 && VW > 1
#define LOAD_HALVES(p) CAT(vload_half, VW)(0, p)
#define STORE_HALVES(v, p) CAT(CAT(vstore_half, VW), _rte)(v, 0, p)
#elif STORAGE == 16
#define LOAD_HALVES(p) vload_half(0, p)
#define STORE_HALVES(v, p) vstore_half_rte(v, 0, p)
#endif

// A sum beyond half's range is stored as the largest half: a network whose activations just exceed it
// keeps its answer, where an infinity would become NaN. Half arithmetic cannot tell true infinities.
#if STORAGE == 16
#if COMPUTE == 16
#define SATURATE(v) (v == v ? clamp(v, -65504.0f, 65504.0f) : v)
#else
#define SATURATE(v) (fabs(v) < INFINITY ? clamp(v, -65504.0f, 65504.0f) : v)
#endif
float saturate(const float v) { return SATURATE(v); }
VECTOR(float) saturateV(const VECTOR(float) v) { return SATURATE(v); }
#endif

// LOAD/STORE one element; LOADV/STOREV VW elements from element index i on, of any alignment;
// LOADVA/STOREVA where the address is a multiple of the whole vector (one wide access on GPUs).
#if STORAGE == COMPUTE
#define LOAD(p, i) ((p)[i])
#define STORE(v, p, i) ((p)[i] = (v))
#if VW == 1
#define LOADV(p, i) ((p)[i])
#define STOREV(v, p, i) ((p)[i] = (v))
#define LOADVA(p, i) ((p)[i])
#define STOREVA(v, p, i) ((p)[i] = (v))
#else
#define LOADV(p, i) CAT(vload, VW)(0, (p) + (i))
#define STOREV(v, p, i) CAT(vstore, VW)(v, 0, (p) + (i))
#define LOADVA(p, i) (*(__global const realV*)((p) + (i)))
#define STOREVA(v, p, i) (*(__global realV*)((p) + (i)) = (v))
#endif
#elif STORAGE == 16
#define LOAD(p, i) ((real)vload_half(i, p))
#define STORE(v, p, i) vstore_half_rte(v, i, p)
#define LOADV(p, i) LOAD_HALVES((p) + (i))
#define STOREV(v, p, i) STORE_HALVES(v, (p) + (i))
#define LOADVA(p, i) LOADV(p, i)
#define STOREVA(v, p, i) STOREV(v, p, i)
#else
#error "COMPUTE must equal STORAGE, or be 32 where STORAGE is 16"
#endif

// The same as accum: LOAD_ACCUM, STORE_ACCUM, LOADV_ACCUM, STOREV_ACCUM.
#if STORAGE != 16
#define LOAD_ACCUM(p, i) LOAD(p, i)
#define STORE_ACCUM(v, p, i) STORE(v, p, i)
#define LOADV_ACCUM(p, i) LOADV(p, i)
#define STOREV_ACCUM(v, p, i) STOREV(v, p, i)
#else
#define LOAD_ACCUM(p, i) vload_half(i, p)
#define STORE_ACCUM(v, p, i) vstore_half_rte(saturate(v), i, p)
#define LOADV_ACCUM(p, i) LOAD_HALVES((p) + (i))
#define STOREV_ACCUM(v, p, i) STORE_HALVES(saturateV(v), (p) + (i))
#endif

// tanh of a value of type T, scalar or vector. For floats x P(x²) / Q(x²), fitted to a relative error
// of 1e-8 where |x| < 8: compilers make vectors of it, but calls of the built-in one by one.
#if COMPUTE == 32
#define TANH_LIMITED(T, x) ((x) < (T)-8 ? (T)-8 : (x) > (T)8 ? (T)8 : (x))
#define TANH_P(T, u)                                                                        \
    ((((((T)1.5230584793e-8f * (u) + (T)2.1894780730e-5f) * (u) + (T)3.5716050770e-3f) * (u) \
       + (T)0.13444504142f) * (u) + (T)1))
#define TANH_Q(T, u)                                                                        \
    ((((((T)8.5225144631e-7f * (u) + (T)3.4113036236e-4f) * (u) + (T)2.6164470240e-2f) * (u) \
       + (T)0.46777832508f) * (u) + (T)1))
#define TANH_RATIO(T, x) ((x) * TANH_P(T, (x) * (x)) / TANH_Q(T, (x) * (x)))
#define TANH(T, x) TANH_RATIO(T, TANH_LIMITED(T, x))
#else
#define TANH(T, x) tanh(x)
#endif

// What is fused behind an op: EPILOGUE(T, LOAD_T, value, index, channel) replaces `value` (of type
// T, for the output elements from `index` on) and may read the extra operands EPILOGUE_ARGS.
#ifndef EPILOGUE
#define EPILOGUE(T, LOAD_T, value, index, channel)
#define EPILOGUE_ARGS
#endif
