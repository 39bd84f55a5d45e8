// One thread per element of D. Threads along x are columns, so that neighbours read neighbouring elements of B and write neighbouring ones of D.

extern "C" __global__ void __launch_bounds__(TILE_M * TILE_N)
gemm_naive(const element *__restrict__ a, const element *__restrict__ b, const result *__restrict__ c, result *__restrict__ d, int m, int n,
           int k, int lda, int ldb, int ldc, int ldd, sum alpha, sum beta)
{
    const Tile tile = tile_of_block(m, n);
    const int row = tile.row * TILE_M + threadIdx.y;
    const int col = tile.col * TILE_N + threadIdx.x;
    if (row >= m || col >= n)
        return;
    sum total = 0;
    for (int p = 0; p < k; ++p) {
        const sum left = widen(TRANS_A ? a[(long long)p * lda + row] : a[(long long)row * lda + p]);
        const sum right = widen(TRANS_B ? b[(long long)col * ldb + p] : b[(long long)p * ldb + col]);
        total = multiply_add(left, right, total);
    }
    d[(long long)row * ldd + col] = finish(total, c + (long long)row * ldc + col, alpha, beta);
}
