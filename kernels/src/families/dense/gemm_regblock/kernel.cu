// Register blocks: a thread computes THREAD_M × THREAD_N elements of D from tiles of A and B in shared memory.
//
// Tiles keep the orientation that the matrices have in memory, so that whole vectors of VECTOR elements are copied in all four layouts. What
// has k along its rows is then read from shared memory in vectors along k, what has m or n along its rows in vectors along those; either way
// one access serves several products.

#define THREADS_M (TILE_M / THREAD_M)
#define THREADS_N (TILE_N / THREAD_N)

// Rows and columns of a tile as stored.
#define A_ROWS (TRANS_A ? TILE_K : TILE_M)
#define A_COLS (TRANS_A ? TILE_M : TILE_K)
#define B_ROWS (TRANS_B ? TILE_N : TILE_K)
#define B_COLS (TRANS_B ? TILE_K : TILE_N)

__device__ constexpr int common_divisor(int a, int b) { return b == 0 ? a : common_divisor(b, a % b); }

// Elements per access of shared memory: 16 bytes, but four elements at most, since each takes a register until it is used.
#define WIDEST (16 / (int)sizeof(element) < 4 ? 16 / (int)sizeof(element) : 4)

static constexpr int WIDE_M = common_divisor(THREAD_M, WIDEST);
static constexpr int WIDE_N = common_divisor(THREAD_N, WIDEST);
// Products per step of the inner loop: 1 where neither operand has k along its rows.
static constexpr int WIDE_K = TRANS_A && !TRANS_B ? 1 : common_divisor(TILE_K, WIDEST);

// Elements from row to row of a tile. Rows along k are read by neighbouring threads at the same k: an odd number of 16-byte units spreads
// eight rows over all banks.
__device__ constexpr int pitch(int cols, bool along_k)
{
    const int unit = 16 / (int)sizeof(element);
    const int units = (cols + unit - 1) / unit;
    return (along_k ? units | 1 : units) * unit;
}

template <int R, int C, bool ALONG_K> struct Shape {
    static constexpr int ROWS = R, COLS = C, CHUNK = VECTOR, PITCH = pitch(C, ALONG_K), SIZE = R * PITCH;
    static __device__ __forceinline__ int place(int row, int col) { return row * PITCH + col; }
};
typedef Shape<A_ROWS, A_COLS, !TRANS_A> ShapeA;
typedef Shape<B_ROWS, B_COLS, TRANS_B> ShapeB;

// Row of the tile that is row i of the thread: neighbours in vectors where m lies along rows, else interleaved with the other threads.
__device__ __forceinline__ int row_of(int thread, int i)
{
    return TRANS_A ? i / WIDE_M * (THREADS_M * WIDE_M) + thread * WIDE_M + i % WIDE_M : i * THREADS_M + thread;
}

__device__ __forceinline__ int col_of(int thread, int j)
{
    return TRANS_B ? j * THREADS_N + thread : j / WIDE_N * (THREADS_N * WIDE_N) + thread * WIDE_N + j % WIDE_N;
}

template <int N> __device__ __forceinline__ void read_shared(sum *to, const element *from)
{
    const Packet<element, N> packet = *(const Packet<element, N> *)from;
#pragma unroll
    for (int i = 0; i < N; ++i)
        to[i] = widen(packet.at[i]);
}

__device__ __forceinline__ void multiply_tiles(sum (&total)[THREAD_M][THREAD_N], const element *a, const element *b, int thread_m, int thread_n)
{
    // Eight products per turn of the loop: long enough to hide its overhead, short enough for the instruction cache.
#pragma unroll(8 / WIDE_K)
    for (int start = 0; start < TILE_K; start += WIDE_K) {
        sum left[THREAD_M][WIDE_K];
        sum right[THREAD_N][WIDE_K];
        if (!TRANS_A) {
#pragma unroll
            for (int i = 0; i < THREAD_M; ++i)
                read_shared<WIDE_K>(left[i], a + row_of(thread_m, i) * ShapeA::PITCH + start);
        }
        if (TRANS_B) {
#pragma unroll
            for (int j = 0; j < THREAD_N; ++j)
                read_shared<WIDE_K>(right[j], b + col_of(thread_n, j) * ShapeB::PITCH + start);
        }
#pragma unroll
        for (int p = 0; p < WIDE_K; ++p) {
            if (TRANS_A) {
#pragma unroll
                for (int i = 0; i < THREAD_M; i += WIDE_M) {
                    sum some[WIDE_M];
                    read_shared<WIDE_M>(some, a + (start + p) * ShapeA::PITCH + row_of(thread_m, i));
#pragma unroll
                    for (int at = 0; at < WIDE_M; ++at)
                        left[i + at][p] = some[at];
                }
            }
            if (!TRANS_B) {
#pragma unroll
                for (int j = 0; j < THREAD_N; j += WIDE_N) {
                    sum some[WIDE_N];
                    read_shared<WIDE_N>(some, b + (start + p) * ShapeB::PITCH + col_of(thread_n, j));
#pragma unroll
                    for (int at = 0; at < WIDE_N; ++at)
                        right[j + at][p] = some[at];
                }
            }
#pragma unroll
            for (int i = 0; i < THREAD_M; ++i)
#pragma unroll
                for (int j = 0; j < THREAD_N; ++j)
                    total[i][j] = multiply_add(left[i][p], right[j][p], total[i][j]);
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
gemm_regblock(const element *__restrict__ a, const element *__restrict__ b, const result *__restrict__ c, void *__restrict__ out, int m, int n,
              int k, int lda, int ldb, int ldc, int ldd, sum alpha, sum beta)
{
    extern __shared__ __align__(16) unsigned char shared[];
    const int thread = threadIdx.x;
    const int thread_m = thread / THREADS_N, thread_n = thread % THREADS_N;
    const Tile tile = tile_of_block(m, n);
    const int first_row = tile.row * TILE_M, first_col = tile.col * TILE_N;

    sum total[THREAD_M][THREAD_N];
#pragma unroll
    for (int i = 0; i < THREAD_M; ++i)
#pragma unroll
        for (int j = 0; j < THREAD_N; ++j)
            total[i][j] = 0;

    auto window_a = [&](int step) {
        return TRANS_A ? Window{a, lda, step * TILE_K, first_row, k, m} : Window{a, lda, first_row, step * TILE_K, m, k};
    };
    auto window_b = [&](int step) {
        return TRANS_B ? Window{b, ldb, first_col, step * TILE_K, n, k} : Window{b, ldb, step * TILE_K, first_col, k, n};
    };

    feed<ShapeA, ShapeB>((element *)shared, slice_of_block(k), window_a, window_b, [&](const element *tile_a, const element *tile_b) {
        multiply_tiles(total, tile_a, tile_b, thread_m, thread_n);
    });

#if SPLIT_K > 1
    sum *const sums = slice_sums(out, m, n);
#else
    result *const d = (result *)out;
    // Columns that a thread holds side by side, and can therefore write at once.
    constexpr int WIDE_D = TRANS_B ? 1 : common_divisor(WIDE_N, VECTOR);
    typedef Packet<result, WIDE_D> Wide;
#endif
#pragma unroll
    for (int i = 0; i < THREAD_M; ++i) {
        const int row = first_row + row_of(thread_m, i);
        if (row >= m)
            continue;
#if SPLIT_K > 1
#pragma unroll
        for (int j = 0; j < THREAD_N; ++j) {
            const int col = first_col + col_of(thread_n, j);
            if (col < n)
                sums[(long long)row * n + col] = total[i][j];
        }
#else
        result *const d_row = d + (long long)row * ldd;
        const result *const c_row = c + (long long)row * ldc;
#pragma unroll
        for (int j = 0; j < THREAD_N; j += WIDE_D) {
            const int col = first_col + col_of(thread_n, j);
            if (col + WIDE_D <= n) {
                Wide old, wide;
                if (beta != 0)
                    old = *(const Wide *)(c_row + col);
#pragma unroll
                for (int at = 0; at < WIDE_D; ++at)
                    wide.at[at] = finish(total[i][j + at], old.at + at, alpha, beta);
                *(Wide *)(d_row + col) = wide;
            } else {
#pragma unroll
                for (int at = 0; at < WIDE_D; ++at)
                    if (col + at < n)
                        d_row[col + at] = finish(total[i][j + at], c_row + col + at, alpha, beta);
            }
        }
#endif
    }
}
