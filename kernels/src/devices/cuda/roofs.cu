// What the board can do at most: kernels that do one thing only. Each is launched with enough blocks to fill every multiprocessor.

// Never true, and the compiler cannot know: keeps results alive without storing them.
#define KEEP(value) if ((value) == 12345.678f) *out = (float)(value)

// Eight chains per thread, so that the latency of one multiply-add (4 cycles) is covered by the others even with few warps.
#define CHAINS(TYPE)                                                                   \
    TYPE x0 = threadIdx.x, x1 = x0 + 1, x2 = x0 + 2, x3 = x0 + 3;                      \
    TYPE x4 = x0 + 4, x5 = x0 + 5, x6 = x0 + 6, x7 = x0 + 7;                           \
    for (int r = 0; r < rounds; ++r) {                                                 \
        _Pragma("unroll") for (int i = 0; i < 16; ++i) {                               \
            x0 = x0 * a + b; x1 = x1 * a + b; x2 = x2 * a + b; x3 = x3 * a + b;        \
            x4 = x4 * a + b; x5 = x5 * a + b; x6 = x6 * a + b; x7 = x7 * a + b;        \
        }                                                                              \
    }                                                                                  \
    KEEP(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7)

extern "C" __global__ void roof_f32(float *out, int rounds, float a, float b) { CHAINS(float); }

extern "C" __global__ void roof_f64(float *out, int rounds, double a, double b) { CHAINS(double); }

// Four accumulators per warp; operands stay in registers: normal numbers in every type, since an interpreter is slow on others. MULTIPLY adds the product
// of a and b to c.
#define TENSOR(NAME, SUM, MULTIPLY)                                                                                                 \
    extern "C" __global__ void NAME(float *out, int rounds) {                                                                       \
        SUM d[4][4] = {};                                                                                                           \
        const unsigned own = 0x3c003c00u | threadIdx.x;                                                                             \
        unsigned a[4] = {0x3c003c00u, own, 0x3c003c00u, 0x38003800u}, b[2] = {0x3c003c00u, own};                                    \
        for (int r = 0; r < rounds; ++r) {                                                                                          \
            _Pragma("unroll") for (int i = 0; i < 16; ++i) {                                                                        \
                SUM *c = d[i % 4];                                                                                                  \
                MULTIPLY;                                                                                                           \
            }                                                                                                                       \
        }                                                                                                                           \
        SUM sum = 0;                                                                                                                \
        for (int i = 0; i < 4; ++i) sum += d[i][0] + d[i][1] + d[i][2] + d[i][3];                                                   \
        KEEP(sum);                                                                                                                  \
    }

// All shapes from 8.0 on take four registers of A and two of B.
#define WHOLE(AS, SHAPE, TYPES)                                                                                                     \
    asm volatile("mma.sync.aligned." SHAPE ".row.col." TYPES " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"               \
                 : AS(c[0]), AS(c[1]), AS(c[2]), AS(c[3])                                                                           \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
// 7.5 multiplies halves only, and half as deep at a time.
#define HALF(AT)                                                                                                                    \
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"                    \
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                                                   \
                 : "r"(a[2 * (AT)]), "r"(a[2 * (AT) + 1]), "r"(b[AT]))

#if __CUDA_ARCH__ >= 800
TENSOR(roof_f16, float, WHOLE("+f", "m16n8k16", "f32.f16.f16.f32"))
TENSOR(roof_bf16, float, WHOLE("+f", "m16n8k16", "f32.bf16.bf16.f32"))
TENSOR(roof_tf32, float, WHOLE("+f", "m16n8k8", "f32.tf32.tf32.f32"))
TENSOR(roof_int8, int, WHOLE("+r", "m16n8k32", "s32.s8.s8.s32"))
#elif __CUDA_ARCH__ >= 750
TENSOR(roof_f16, float, HALF(0); HALF(1))
#endif

// Reads of 16 bytes per thread around the first-level cache (.cg), so that what is measured is the level behind it.
extern "C" __global__ void roof_read(float *out, const float4 *in, long long count, int rounds) {
    const long long stride = (long long)gridDim.x * blockDim.x;
    const long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    float sum = 0;
    for (int r = 0; r < rounds; ++r) {
        #pragma unroll 8
        for (long long i = first; i < count; i += stride) {
            float4 v;
            asm volatile("ld.global.cg.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "l"(in + i));
            sum += v.x + v.y + v.z + v.w;
        }
    }
    KEEP(sum);
}

// a = b + s·c, as STREAM counts: two reads and one write.
extern "C" __global__ void roof_triad(float4 *a, const float4 *b, const float4 *c, long long count, float s, int rounds) {
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (int r = 0; r < rounds; ++r) {
        #pragma unroll 4
        for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
            const float4 x = b[i], y = c[i];
            a[i] = make_float4(x.x + s * y.x, x.y + s * y.y, x.z + s * y.z, x.w + s * y.w);
        }
    }
}

// Reads of 16 bytes per thread from shared memory, neighbours beside each other: no bank is asked twice at a time.
extern "C" __global__ void roof_shared(float *out, int rounds) {
    __shared__ float4 s[1024];
    for (int i = threadIdx.x; i < 1024; i += blockDim.x) s[i] = make_float4(1, 2, 3, threadIdx.x);
    __syncthreads();
    float4 sum = make_float4(0, 0, 0, 0);
    for (int r = 0; r < rounds; ++r) {
        #pragma unroll
        for (int i = 0; i < 16; ++i) {
            // The round is part of the address: the loads of one round cannot be kept for the next.
            const float4 v = s[(threadIdx.x + 64 * i + 32 * r) & 1023];
            sum.x += v.x; sum.y += v.y; sum.z += v.z; sum.w += v.w;
        }
    }
    KEEP(sum.x + sum.y + sum.z + sum.w);
}
