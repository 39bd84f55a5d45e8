// Warpgroups: each of WARPGROUPS computes its rows of the tile in products of 64 × TILE_N that read A and B straight from shared memory.

#define PRODUCTS_M (TILE_M / WARPGROUPS / 64)
#define PRODUCT_DEPTH 16

// Columns of 64 elements, swizzled as the hardware expects (wgmma.cuh).
template <int R, int C> struct Shape {
    static constexpr int ROWS = R, COLS = C, CHUNK = 8, SIZE = R * C;
    static __device__ __forceinline__ int place(int row, int col)
    {
        return col / 64 * (R * 64) + row * 64 + ((col % 64 / 8) ^ (row & 7)) * 8 + col % 8;
    }
};
typedef Shape<TRANS_A ? TILE_K : TILE_M, TRANS_A ? TILE_M : TILE_K> ShapeA;
typedef Shape<TRANS_B ? TILE_N : TILE_K, TRANS_B ? TILE_K : TILE_N> ShapeB;

// Rows or columns first … of the operand, products step * PRODUCT_DEPTH … of it.
template <class Shape, bool ALONG_K> __device__ __forceinline__ unsigned long long operand(const element *tile, int first, int step)
{
    const int depth = step * PRODUCT_DEPTH;
    if (ALONG_K)
        // Within a column of 64 products a step is 32 bytes; the swizzle follows from the address.
        return describe(shared_address(tile) + 2 * (depth / 64 * (Shape::ROWS * 64) + first * 64 + depth % 64), 16, 1024);
    return describe(shared_address(tile) + 2 * (first / 64 * (Shape::ROWS * 64) + depth * 64), Shape::ROWS * 128, 1024);
}

typedef float Sums[PRODUCTS_M][TILE_N / 2];

__device__ __forceinline__ void multiply_tiles(Sums &total, const element *a, const element *b, int first_row)
{
    open_products();
#pragma unroll
    for (int step = 0; step < TILE_K / PRODUCT_DEPTH; ++step)
#pragma unroll
        for (int i = 0; i < PRODUCTS_M; ++i)
            multiply_group<TRANS_A, !TRANS_B, TILE_N>(total[i], operand<ShapeA, !TRANS_A>(a, first_row + 64 * i, step),
                                                      operand<ShapeB, TRANS_B>(b, 0, step));
    close_products();
}

extern "C" __global__ void __launch_bounds__(THREADS)
gemm_wgmma(const element *__restrict__ a, const element *__restrict__ b, const result *__restrict__ c, void *__restrict__ out, int m, int n,
           int k, int lda, int ldb, int ldc, int ldd, sum alpha, sum beta)
{
    extern __shared__ __align__(1024) unsigned char shared[];
    const int group = threadIdx.x / 128, warp = threadIdx.x % 128 / 32, lane = threadIdx.x % 32;
    const int group_row = group * (PRODUCTS_M * 64);
    const Tile tile = tile_of_block(m, n);
    const int first_row = tile.row * TILE_M, first_col = tile.col * TILE_N;

    Sums total;
#pragma unroll
    for (int i = 0; i < PRODUCTS_M; ++i)
#pragma unroll
        for (int at = 0; at < TILE_N / 2; ++at)
            total[i][at] = 0;

    auto window_a = [&](int step) {
        return TRANS_A ? Window{a, lda, step * TILE_K, first_row, k, m} : Window{a, lda, first_row, step * TILE_K, m, k};
    };
    auto window_b = [&](int step) {
        return TRANS_B ? Window{b, ldb, first_col, step * TILE_K, n, k} : Window{b, ldb, step * TILE_K, first_col, k, n};
    };
    feed<ShapeA, ShapeB>((element *)shared, slice_of_block(k), window_a, window_b,
                         [&](const element *tile_a, const element *tile_b) { multiply_tiles(total, tile_a, tile_b, group_row); });

#pragma unroll
    for (int i = 0; i < PRODUCTS_M; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int row = first_row + group_row + 64 * i + 16 * warp + 8 * half + lane / 4;
            if (row >= m)
                continue;
#pragma unroll
            for (int j = 0; j < TILE_N / 8; ++j) {
                const sum pair[2] = {total[i][4 * j + 2 * half], total[i][4 * j + 2 * half + 1]};
                store_pair(pair, out, c, row, first_col + 8 * j + 2 * (lane % 4), m, n, ldc, ldd, alpha, beta);
            }
        }
}
