// Tensor cores: 16×8 products of one warp, 32 bytes deep: k = 16 of 16-bit types, 8 of TF32, 32 of 8-bit integers.
//
// With g = lane / 4 and t = lane % 4 a lane holds, as 32-bit words along k (two, one or four elements):
//   a[0] row g,     word t        b[0] column g, word t           c[0] row g,     column 2t      c[1] column 2t + 1
//   a[1] row g + 8, word t        b[1] column g, word t + 4       c[2] row g + 8, column 2t      c[3] column 2t + 1
//   a[2] row g,     word t + 4
//   a[3] row g + 8, word t + 4
// (PTX ISA, "Matrix Fragments for mma.m16n8k16", "… m16n8k8 with .tf32", "… m16n8k32").

// Four 8×8 matrices of 16-bit units: lanes 8q … 8q + 7 give the addresses of the 16-byte rows of matrix q; word q of lane l is units 2t and 2t + 1
// of row g.
__device__ __forceinline__ void load_matrices(unsigned (&words)[4], unsigned address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
}

// The same, each matrix transposed: word q of lane l is units g of rows 2t and 2t + 1.
__device__ __forceinline__ void load_matrices_transposed(unsigned (&words)[4], unsigned address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
}

#if defined(DTYPE_INT8)
__device__ __forceinline__ void multiply_matrices(int (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#elif defined(DTYPE_TF32)
__device__ __forceinline__ void multiply_matrices(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#elif defined(DTYPE_BF16)
__device__ __forceinline__ void multiply_matrices(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#elif defined(DTYPE_F16) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
// Turing multiplies k = 8 at a time: the words of the first and of the second 16 bytes.
__device__ __forceinline__ void multiply_matrices(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
#pragma unroll
    for (int half = 0; half < 2; ++half)
        asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[2 * half]), "r"(a[2 * half + 1]), "r"(b[half]));
}
#elif defined(DTYPE_F16)
__device__ __forceinline__ void multiply_matrices(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif
