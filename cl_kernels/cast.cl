// out[i] = (TARGET)in[i]
//
// SOURCE, TARGET  element types in memory
// SIZE            number of elements
// FROM_HALF, TO_HALF, TO_BOOL, FP64  1 where halves, truth values or doubles are involved
#ifndef SOURCE
#define SOURCE float
#define TARGET int
#define SIZE 1024
#define FROM_HALF 0
#define TO_HALF 0
#define TO_BOOL 0
#define FP64 0
#endif

#if FP64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

__kernel void cast(__global const SOURCE* in, __global TARGET* out) {
    const int i = get_global_id(0);
    if (i >= SIZE) return;
#if FROM_HALF
    const float value = vload_half(i, in);
#else
    const SOURCE value = in[i];
#endif
#if TO_HALF
    vstore_half_rte((float)value, i, out);
#elif TO_BOOL
    out[i] = value != 0;
#else
    out[i] = (TARGET)value;
#endif
}
