// 16-bit floating point as bits, so that no header is needed: loads and stores move `unsigned short`, arithmetic happens in float.

__device__ __forceinline__ float f16_to_float(unsigned short bits)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

__device__ __forceinline__ unsigned short float_to_f16(float value)
{
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

// bfloat16 is the upper half of a float: widening is a shift.
__device__ __forceinline__ float bf16_to_float(unsigned short bits)
{
    return __uint_as_float((unsigned)bits << 16);
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
__device__ __forceinline__ unsigned short float_to_bf16(float value)
{
    unsigned short bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
#endif
