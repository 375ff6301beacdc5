// y = EPILOGUE(y) in place, for a product as BLAS leaves it.
//
// SIZE       elements of y
// LAST_AXIS  elements along y's last axis, which are its channels
#include "common.h"

#ifndef SIZE
#define SIZE 1024
#define LAST_AXIS 32
#endif

__kernel void gemm_finish(__global storage* y EPILOGUE_ARGS) {
    const int index = get_global_id(0);
    if (index >= SIZE) return;
    accum value = LOAD_ACCUM(y, index);
    EPILOGUE(accum, LOAD_ACCUM, value, index, index % LAST_AXIS);
    STORE_ACCUM(value, y, index);
}
