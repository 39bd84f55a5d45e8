// Square tiles in shared memory, one thread per element of D: each element of A and B is read from memory once per TILE_M products.

#define SIDE TILE_M
// One element beyond the row, so that the transposing stores below do not all meet in one bank.
#define PITCH (SIDE + 1)

extern "C" __global__ void __launch_bounds__(SIDE * SIDE)
gemm_tiled(const element *__restrict__ a, const element *__restrict__ b, const result *__restrict__ c, result *__restrict__ d, int m, int n,
           int k, int lda, int ldb, int ldc, int ldd, sum alpha, sum beta)
{
    extern __shared__ __align__(16) unsigned char shared[];
    element *const left = (element *)shared;      // SIDE rows × SIDE products
    element *const right = left + SIDE * PITCH; // SIDE products × SIDE columns
    const Tile tile = tile_of_block(m, n);
    const int x = threadIdx.x, y = threadIdx.y;
    const int first_row = tile.row * SIDE, first_col = tile.col * SIDE;
    sum total = 0;
    for (int start = 0; start < k; start += SIDE) {
        // Neighbouring threads read neighbouring addresses in either layout; what is stored transposed is turned on its way into the tile.
        if (TRANS_A) {
            const int p = start + y, i = first_row + x;
            left[x * PITCH + y] = p < k && i < m ? a[(long long)p * lda + i] : element(0);
        } else {
            const int p = start + x, i = first_row + y;
            left[y * PITCH + x] = p < k && i < m ? a[(long long)i * lda + p] : element(0);
        }
        if (TRANS_B) {
            const int p = start + x, j = first_col + y;
            right[x * PITCH + y] = p < k && j < n ? b[(long long)j * ldb + p] : element(0);
        } else {
            const int p = start + y, j = first_col + x;
            right[y * PITCH + x] = p < k && j < n ? b[(long long)p * ldb + j] : element(0);
        }
        __syncthreads();
#pragma unroll
        for (int p = 0; p < SIDE; ++p)
            total = multiply_add(widen(left[y * PITCH + p]), widen(right[p * PITCH + x]), total);
        __syncthreads();
    }
    const int row = first_row + y, col = first_col + x;
    if (row < m && col < n)
        d[(long long)row * ldd + col] = finish(total, c + (long long)row * ldc + col, alpha, beta);
}
