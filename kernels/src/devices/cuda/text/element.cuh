// Element types, chosen by one definition: DTYPE_F32, DTYPE_F64, DTYPE_TF32, DTYPE_F16, DTYPE_BF16 or DTYPE_INT8. Needs half.cuh.
//
//   element   A and B as stored
//   result    C and D as stored
//   sum       what products are summed in; alpha and beta are of this type too
//
//   widen     element or result → sum
//   narrow    sum → result, rounded to nearest even

#if defined(DTYPE_F64)
typedef double element;
typedef double result;
typedef double sum;
__device__ __forceinline__ sum multiply_add(sum a, sum b, sum c) { return fma(a, b, c); }
__device__ __forceinline__ sum widen(element value) { return value; }
__device__ __forceinline__ result narrow(sum value) { return value; }
#elif defined(DTYPE_INT8)
typedef signed char element;
typedef int result;
typedef int sum;
__device__ __forceinline__ sum multiply_add(sum a, sum b, sum c) { return a * b + c; }
__device__ __forceinline__ sum widen(result value) { return value; }
__device__ __forceinline__ result narrow(sum value) { return value; }
#elif defined(DTYPE_F16) || defined(DTYPE_BF16)
typedef unsigned short element;
typedef unsigned short result;
typedef float sum;
__device__ __forceinline__ sum multiply_add(sum a, sum b, sum c) { return fmaf(a, b, c); }
#if defined(DTYPE_F16)
__device__ __forceinline__ sum widen(element value) { return f16_to_float(value); }
__device__ __forceinline__ result narrow(sum value) { return float_to_f16(value); }
#else
__device__ __forceinline__ sum widen(element value) { return bf16_to_float(value); }
__device__ __forceinline__ result narrow(sum value) { return float_to_bf16(value); }
#endif
#else // DTYPE_F32, DTYPE_TF32: the latter is stored as float, already rounded to what tensor cores read
typedef float element;
typedef float result;
typedef float sum;
__device__ __forceinline__ sum multiply_add(sum a, sum b, sum c) { return fmaf(a, b, c); }
__device__ __forceinline__ sum widen(element value) { return value; }
__device__ __forceinline__ result narrow(sum value) { return value; }
#endif

// N values that are moved at once: one 2- to 16-byte access of memory that is aligned to it.
template <typename T, int N> struct alignas(N * sizeof(T)) Packet {
    T at[N];
};

// One element of D. beta = 0 does not read C, which may hold NaN.
__device__ __forceinline__ result finish(sum total, const result *c, sum alpha, sum beta)
{
    sum value = alpha * total;
    if (beta != 0)
        value = multiply_add(beta, widen(*c), value);
    return narrow(value);
}
