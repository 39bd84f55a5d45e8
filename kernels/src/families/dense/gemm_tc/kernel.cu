// Tensor cores: a warp computes WARP_M × WARP_N elements of D in 16 × 8 products of mma.sync.
//
// Tiles keep the orientation that the matrices have in memory and are copied in units of 16 bytes. Where the 8 × 8 matrices of mma.sync
// lie along rows of the tile, ldmatrix reads them as they are, or transposed if the elements have 16 bits; what has m or n along its rows and
// elements of 8 or 32 bits is read element by element, since ldmatrix turns 16-bit units only.

#define WARP_M (TILE_M / WARPS_M)
#define WARP_N (TILE_N / WARPS_N)
#define PRODUCTS_M (WARP_M / 16)
#define PRODUCTS_N (WARP_N / 8)

// Elements in 16 bytes, in a 32-bit word, and along k in one product.
static constexpr int UNIT = 16 / sizeof(element);
static constexpr int WORD = 4 / sizeof(element);
static constexpr int DEPTH = 32 / sizeof(element);

// How units are permuted within a tile so that what one access of a warp reads lies in different banks: unit u of row r is stored as unit
// u ^ ((r >> SHIFT) * SCALE & MASK) of it. Eight units of 16 bytes are all banks.
//   ldmatrix     eight consecutive rows of one unit: they differ modulo 8, counting the units that are in between
//   words        TF32 across rows: rows 0 … 3, two units each
//   bytes        8-bit integers across rows: every fourth of sixteen rows, half a unit each
// Rows of a number of units that no permutation fits are padded instead.
template <int R, int C, bool ALONG_K> struct Shape {
    static constexpr int ROWS = R, COLS = C, CHUNK = UNIT, UNITS = C / UNIT;
    static constexpr bool MATRICES = ALONG_K || sizeof(element) == 2;
    static constexpr bool WORDS = !MATRICES && sizeof(element) == 4;
    static constexpr bool WHOLE = UNITS % 8 == 0;
    static constexpr bool SMALL = !WORDS && (UNITS == 1 || UNITS == 2 || UNITS == 4);
    static constexpr int MASK = WHOLE ? (WORDS ? 6 : 7) : SMALL ? UNITS - 1 : 0;
    static constexpr int SCALE = WORDS ? 2 : 1;
    static constexpr int SHIFT = MATRICES ? (WHOLE || !SMALL ? 0 : UNITS == 4 ? 1 : 2) : WORDS ? 0 : 2;
    static constexpr int PITCH = WHOLE || SMALL ? UNITS : WORDS ? UNITS + 2 : MATRICES ? UNITS | 1 : UNITS;
    static constexpr int SIZE = R * PITCH * UNIT;

    static __device__ __forceinline__ int unit(int row, int unit) { return row * PITCH + (unit ^ (((row >> SHIFT) * SCALE) & MASK)); }
    static __device__ __forceinline__ int place(int row, int col) { return unit(row, col / UNIT) * UNIT + col % UNIT; }
};
typedef Shape<TRANS_A ? TILE_K : TILE_M, TRANS_A ? TILE_M : TILE_K, !TRANS_A> ShapeA;
typedef Shape<TRANS_B ? TILE_N : TILE_K, TRANS_B ? TILE_K : TILE_N, TRANS_B> ShapeB;

// The WORD elements at (row …, col) of a tile that has k along its columns: one word of an operand of mma.sync.
template <class Shape> __device__ __forceinline__ unsigned word_across(const element *tile, int row, int col)
{
    if (WORD == 1)
        return *(const unsigned *)(tile + Shape::place(row, col));
    unsigned word = 0;
#pragma unroll
    for (int i = 0; i < WORD; ++i)
        word |= ((unsigned)tile[Shape::place(row + i, col)] & 0xff) << (8 * i);
    return word;
}

// Rows first_row … first_row + 15, products step * DEPTH … of the tile of A.
__device__ __forceinline__ void read_a(unsigned (&words)[4], const element *tile, int first_row, int step, int lane)
{
    const int eight = lane / 8, within = lane % 8;
    if (!TRANS_A) {
        const int row = first_row + eight % 2 * 8 + within;
        load_matrices(words, shared_address(tile) + 16 * ShapeA::unit(row, 2 * step + eight / 2));
    } else if (ShapeA::MATRICES) {
        const int row = step * DEPTH + eight / 2 * 8 + within;
        load_matrices_transposed(words, shared_address(tile) + 16 * ShapeA::unit(row, (first_row + eight % 2 * 8) / UNIT));
    } else {
        const int g = lane / 4, t = lane % 4;
#pragma unroll
        for (int word = 0; word < 4; ++word)
            words[word] = word_across<ShapeA>(tile, step * DEPTH + (t + word / 2 * 4) * WORD, first_row + g + word % 2 * 8);
    }
}

// Columns first_col … first_col + 15 of the tile of B, as operands of two products.
__device__ __forceinline__ void read_b(unsigned (&words)[4], const element *tile, int first_col, int step, int lane)
{
    const int eight = lane / 8, within = lane % 8;
    if (TRANS_B) {
        const int row = first_col + eight / 2 * 8 + within;
        load_matrices(words, shared_address(tile) + 16 * ShapeB::unit(row, 2 * step + eight % 2));
    } else if (ShapeB::MATRICES) {
        const int row = step * DEPTH + eight % 2 * 8 + within;
        load_matrices_transposed(words, shared_address(tile) + 16 * ShapeB::unit(row, (first_col + eight / 2 * 8) / UNIT));
    } else {
        const int g = lane / 4, t = lane % 4;
#pragma unroll
        for (int word = 0; word < 4; ++word)
            words[word] = word_across<ShapeB>(tile, step * DEPTH + (t + word % 2 * 4) * WORD, first_col + g + word / 2 * 8);
    }
}

typedef sum Sums[PRODUCTS_M][PRODUCTS_N][4];

__device__ __forceinline__ void multiply_tiles(Sums &total, const element *a, const element *b, int first_row, int first_col, int lane)
{
#pragma unroll
    for (int step = 0; step < TILE_K / DEPTH; ++step) {
        unsigned left[PRODUCTS_M][4];
        unsigned right[PRODUCTS_N][2];
#pragma unroll
        for (int i = 0; i < PRODUCTS_M; ++i)
            read_a(left[i], a, first_row + 16 * i, step, lane);
#pragma unroll
        for (int j = 0; j < PRODUCTS_N; j += 2) {
            unsigned two[4];
            read_b(two, b, first_col + 8 * j, step, lane);
#pragma unroll
            for (int word = 0; word < 4; ++word)
                right[j + word / 2][word % 2] = two[word];
        }
#pragma unroll
        for (int i = 0; i < PRODUCTS_M; ++i)
#pragma unroll
            for (int j = 0; j < PRODUCTS_N; ++j)
                multiply_matrices(total[i][j], left[i], right[j]);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
gemm_tc(const element *__restrict__ a, const element *__restrict__ b, const result *__restrict__ c, void *__restrict__ out, int m, int n, int k,
        int lda, int ldb, int ldc, int ldd, sum alpha, sum beta)
{
    extern __shared__ __align__(1024) unsigned char shared[];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int warp_row = warp / WARPS_N * WARP_M, warp_col = warp % WARPS_N * WARP_N;
    const Tile tile = tile_of_block(m, n);
    const int first_row = tile.row * TILE_M, first_col = tile.col * TILE_N;

    Sums total;
#pragma unroll
    for (int i = 0; i < PRODUCTS_M; ++i)
#pragma unroll
        for (int j = 0; j < PRODUCTS_N; ++j)
#pragma unroll
            for (int at = 0; at < 4; ++at)
                total[i][j][at] = 0;

    auto window_a = [&](int step) {
        return TRANS_A ? Window{a, lda, step * TILE_K, first_row, k, m} : Window{a, lda, first_row, step * TILE_K, m, k};
    };
    auto window_b = [&](int step) {
        return TRANS_B ? Window{b, ldb, first_col, step * TILE_K, n, k} : Window{b, ldb, step * TILE_K, first_col, k, n};
    };
    feed<ShapeA, ShapeB>((element *)shared, slice_of_block(k), window_a, window_b, [&](const element *tile_a, const element *tile_b) {
        multiply_tiles(total, tile_a, tile_b, warp_row, warp_col, lane);
    });

#pragma unroll
    for (int i = 0; i < PRODUCTS_M; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int row = first_row + warp_row + 16 * i + 8 * half + lane / 4;
            if (row >= m)
                continue;
#pragma unroll
            for (int j = 0; j < PRODUCTS_N; ++j) {
                const int col = first_col + warp_col + 8 * j + 2 * (lane % 4);
                const sum pair[2] = {total[i][j][2 * half], total[i][j][2 * half + 1]};
                store_pair(pair, out, c, row, col, m, n, ldc, ldd, alpha, beta);
            }
        }
}
