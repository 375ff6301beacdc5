// out[TARGET(i)] = in[SOURCE(i)]: any copy between two strided views, element by element.
//
// SOURCE(i), TARGET(i)  element of either side for flat index i
// SIZE                  number of elements
#include "carry.h"

#ifndef SIZE
#define SIZE 1024
#define SOURCE(i) (i)
#define TARGET(i) (i)
#endif

__kernel void copy_elements(__global const ELEMENT* in, __global ELEMENT* out) {
    const int i = get_global_id(0);
    if (i < SIZE) out[TARGET(i)] = in[SOURCE(i)];
}
