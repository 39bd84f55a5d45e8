// wgmma: products of a warpgroup (four warps) on tensor cores of compute capability 9.0a, read from shared memory through descriptors.
//
// A tile lies in columns of 64 elements (128 bytes), one behind the other, rows of 128 bytes in each; unit u of 16 bytes of row r is stored as unit
// u ^ (r & 7): the 128-byte swizzle of the hardware. Tiles start at multiples of 1024 bytes.
// (PTX ISA, "Asynchronous Warpgroup Level Matrix Shared Memory Layout" and "Matrix Descriptor Format".)

// What the asynchronous units read must be fenced after it was written by ordinary stores and copies.
#define ARRIVED() asm volatile("fence.proxy.async.shared::cta;" ::: "memory")

// `leading` and `stride` in bytes. Along k (k lies along rows): leading is not used, stride is from eight rows to the next eight. Across (m or n lies
// along rows): leading is from one column of 64 elements to the next, stride from eight products to the next eight.
__device__ __forceinline__ unsigned long long describe(unsigned address, unsigned leading, unsigned stride)
{
    const unsigned long long swizzle_128 = 1ull << 62;
    return swizzle_128 | (unsigned long long)(stride >> 4) << 32 | (unsigned long long)(leading >> 4) << 16 | (address & 0x3ffff) >> 4;
}

// The sums' registers may be read by what follows.
__device__ __forceinline__ void open_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
// All products issued so far are done.
__device__ __forceinline__ void close_products()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}

#if defined(DTYPE_BF16)
#define WGMMA_TYPES "f32.bf16.bf16"
#else
#define WGMMA_TYPES "f32.f16.f16"
#endif

// Eight registers of the sums.
#define SUMS_8(i) "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]), "+f"(c[i + 6]), "+f"(c[i + 7])
#define SUMS_32(i) SUMS_8(i), SUMS_8(i + 8), SUMS_8(i + 16), SUMS_8(i + 24)

// c += a · b for 64 rows, N columns, 16 products. A lane holds sums as of mma.sync: c[4j] and c[4j + 1] in row 16·warp + g, columns 8j + 2t and
// 8j + 2t + 1; c[4j + 2] and c[4j + 3] eight rows below.
template <int ACROSS_A, int ACROSS_B, int N>
__device__ __forceinline__ void multiply_group(float (&c)[N / 2], unsigned long long a, unsigned long long b);

#if TILE_N == 64
template <> __device__ __forceinline__ void multiply_group<TRANS_A, !TRANS_B, 64>(float (&c)[32], unsigned long long a, unsigned long long b)
{
    asm volatile(
        "{ .reg .pred add; setp.eq.u32 add, 0, 0; wgmma.mma_async.sync.aligned.m64n64k16." WGMMA_TYPES " {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
        "%24, %25, %26, %27, %28, %29, %30, %31"
        "}, %32, %33, add, 1, 1, %34, %35; }"
        : SUMS_32(0)
        : "l"(a), "l"(b), "n"(TRANS_A), "n"(!TRANS_B));
}
#endif

#if TILE_N == 128
template <> __device__ __forceinline__ void multiply_group<TRANS_A, !TRANS_B, 128>(float (&c)[64], unsigned long long a, unsigned long long b)
{
    asm volatile(
        "{ .reg .pred add; setp.eq.u32 add, 0, 0; wgmma.mma_async.sync.aligned.m64n128k16." WGMMA_TYPES " {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
        "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, "
        "%46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
        "}, %64, %65, add, 1, 1, %66, %67; }"
        : SUMS_32(0), SUMS_32(32)
        : "l"(a), "l"(b), "n"(TRANS_A), "n"(!TRANS_B));
}
#endif

#if TILE_N == 256
template <> __device__ __forceinline__ void multiply_group<TRANS_A, !TRANS_B, 256>(float (&c)[128], unsigned long long a, unsigned long long b)
{
    asm volatile(
        "{ .reg .pred add; setp.eq.u32 add, 0, 0; wgmma.mma_async.sync.aligned.m64n256k16." WGMMA_TYPES " {"
        "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
        "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, "
        "%46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, %66, %67, "
        "%68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, "
        "%90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, "
        "%110, %111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
        "}, %128, %129, add, 1, 1, %130, %131; }"
        : SUMS_32(0), SUMS_32(32), SUMS_32(64), SUMS_32(96)
        : "l"(a), "l"(b), "n"(TRANS_A), "n"(!TRANS_B));
}
#endif
