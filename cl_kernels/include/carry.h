// For kernels that only move elements: ELEMENT is an unsigned type of an element's size.
#ifndef ELEMENT
#define ELEMENT uint
#endif

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

// Moves n elements at an address of any alignment.
#define READ(n, p) CAT(vload, n)(0, p)
#define WRITE(n, v, p) CAT(vstore, n)(v, 0, p)
