// Which tile of D a block computes. Blocks lie along x, since y and z end at 65535; slices of k lie along y.
//
// SWIZZLE rows of tiles are visited column by column before the next ones, so that blocks that run at the same time share columns of B in
// the second-level cache as well as rows of A. 1 is row by row.

struct Tile {
    int row, col;
};

__device__ __forceinline__ Tile tile_of_block(int m, int n)
{
    const unsigned tiles_m = (m + TILE_M - 1) / TILE_M;
    const unsigned tiles_n = (n + TILE_N - 1) / TILE_N;
    if (SWIZZLE == 1)
        return Tile{(int)(blockIdx.x / tiles_n), (int)(blockIdx.x % tiles_n)};
    const unsigned band = blockIdx.x / (SWIZZLE * tiles_n);
    const unsigned within = blockIdx.x - band * (SWIZZLE * tiles_n);
    const unsigned left = tiles_m - band * SWIZZLE;
    const unsigned height = left < SWIZZLE ? left : SWIZZLE;
    return Tile{(int)(band * SWIZZLE + within % height), (int)(within / height)};
}

// Steps of TILE_K that this block sums: all of them, or the slice of blockIdx.y.
struct Slice {
    int first, last;
};

__device__ __forceinline__ Slice slice_of_block(int k)
{
    const int steps = (k + TILE_K - 1) / TILE_K;
    if (SPLIT_K == 1)
        return Slice{0, steps};
    const int each = (steps + SPLIT_K - 1) / SPLIT_K;
    const int first = blockIdx.y * each;
    return Slice{first, min(first + each, steps)};
}

#if SPLIT_K > 1
// Slices leave their sums in SPLIT_K matrices of m × n; they are added in the order of the slices, so that the result does not depend on which
// block was done first.
__device__ __forceinline__ sum *slice_sums(void *scratch, int m, int n)
{
    return (sum *)scratch + (long long)blockIdx.y * m * n;
}

#define ADD_THREADS 256

extern "C" __global__ void __launch_bounds__(ADD_THREADS)
add_slices(const sum *__restrict__ sums, const result *__restrict__ c, result *__restrict__ d, int m, int n, int ldc, int ldd, sum alpha,
           sum beta)
{
    const unsigned across = (n + ADD_THREADS - 1) / ADD_THREADS;
    const int row = blockIdx.x / across;
    const int col = blockIdx.x % across * ADD_THREADS + threadIdx.x;
    if (col >= n)
        return;
    const long long at = (long long)row * n + col;
    sum total = sums[at];
#pragma unroll
    for (int slice = 1; slice < SPLIT_K; ++slice)
        total += sums[(long long)slice * m * n + at];
    d[(long long)row * ldd + col] = finish(total, c + (long long)row * ldc + col, alpha, beta);
}
#endif

// Elements (row, col) and (row, col + 1) of D, or of this slice's sums; row is in range, col is even. PAIRED says that n is even and rows of C
// and D start at even elements, so that both are in range or none is, and both are written at once.
#ifdef PAIRED
__device__ __forceinline__ void store_pair(const sum (&pair)[2], void *out, const result *c, int row, int col, int m, int n, int ldc, int ldd,
                                           sum alpha, sum beta)
{
#if SPLIT_K > 1
    sum *const to = slice_sums(out, m, n) + (long long)row * n + col;
    if (PAIRED) {
        if (col < n)
            *(Packet<sum, 2> *)to = Packet<sum, 2>{pair[0], pair[1]};
        return;
    }
    if (col < n)
        to[0] = pair[0];
    if (col + 1 < n)
        to[1] = pair[1];
#else
    typedef Packet<result, 2> Two;
    result *const to = (result *)out + (long long)row * ldd + col;
    const result *const from = c + (long long)row * ldc + col;
    if (PAIRED) {
        if (col >= n)
            return;
        Two old, two;
        if (beta != 0)
            old = *(const Two *)from;
        two.at[0] = finish(pair[0], old.at, alpha, beta);
        two.at[1] = finish(pair[1], old.at + 1, alpha, beta);
        *(Two *)to = two;
        return;
    }
    if (col < n)
        to[0] = finish(pair[0], from, alpha, beta);
    if (col + 1 < n)
        to[1] = finish(pair[1], from + 1, alpha, beta);
#endif
}
#endif
