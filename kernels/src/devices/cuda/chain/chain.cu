// Two chained stages of small block products with a permutation between them, on strips of columns:
//
//   Z[i, o]         = Σ_d A_o[i, d] · X[input(o, d)]        o < outer, i < inner, d < depth
//   Y[output(i, r)] = Σ_o B_i[r, o] · Z[i, o]               r < rows
//
// X, Y and Z are row-major with one column per sample; a block of threads works on STRIP columns.
//
// Definitions: DTYPE_…, STRIP (columns per block), THREADS, VECTOR (columns moved at once), WEIGHTS_1 and WEIGHTS_2 (weights of a stage
// moved at once); fused: GROUP (rows of every first product that one block keeps); SIMT: THREAD_M × THREAD_N (elements per thread);
// TENSOR: TILE_M (rows per warp), TILE_K (rows of X staged at once), STAGES (of which so many are under way).
//
// Rows and columns are counted in 32 bits, addresses in 64.

// Where row `index` of block `block` lies. `share` adjacent blocks use the same rows.
struct Rows {
    int share, block_step, step;
    __device__ __forceinline__ long long at(int block, int index) const
    {
        return (long long)(block / share) * block_step + (long long)index * step;
    }
};

// The blocks of one stage, row-major; `block_step` is 0 where all products share one.
struct Weights {
    const element *at;
    long long block_step;
    int ld;
    __device__ __forceinline__ const element *row(int block, int row) const
    {
        return at + block * block_step + (long long)row * ld;
    }
};

// The columns of a strip that exist: the last strip may be narrower. A multiple of VECTOR, since the batch is one.
__device__ __forceinline__ int columns_left(int batch, int first) { return min(STRIP, batch - first); }

extern __shared__ __align__(16) unsigned char memory[];

#if !defined(TENSOR)
// ---------------------------------------------------------------------------------------------------------------- SIMT
//
// LANES threads lie along the columns, TEAMS of them share the rows. A thread's THREAD_N columns are packets of VECTOR, LANES packets apart,
// so that the threads of a team move adjacent packets.
#define LANES (STRIP / THREAD_N)
#define TEAMS (THREADS / LANES)
#define PACKETS (THREAD_N / VECTOR)

typedef Packet<element, VECTOR> Columns;

__device__ __forceinline__ int lane_of() { return threadIdx.x % LANES; }
__device__ __forceinline__ int worker_of() { return threadIdx.x / LANES; }
__device__ __forceinline__ int column_of(int packet) { return (packet * LANES + lane_of()) * VECTOR; }

// Rows of a matrix in global memory; columns that do not exist are zeros.
struct GlobalRows {
    const element *first;
    long long step;
    int left;
    __device__ __forceinline__ void get(int k, sum (&x)[THREAD_N]) const
    {
        const element *row = first + k * step;
#pragma unroll
        for (int p = 0; p < PACKETS; ++p) {
            Columns packet = {};
            if (column_of(p) < left)
                packet = *(const Columns *)(row + column_of(p));
#pragma unroll
            for (int v = 0; v < VECTOR; ++v)
                x[p * VECTOR + v] = widen(packet.at[v]);
        }
    }
};

// Rows of a strip kept in shared memory.
struct SharedRows {
    const element *first;
    __device__ __forceinline__ void get(int k, sum (&x)[THREAD_N]) const
    {
#pragma unroll
        for (int p = 0; p < PACKETS; ++p) {
            Columns packet = *(const Columns *)(first + k * STRIP + column_of(p));
#pragma unroll
            for (int v = 0; v < VECTOR; ++v)
                x[p * VECTOR + v] = widen(packet.at[v]);
        }
    }
};

// THREAD_M rows of weights times the thread's columns. Rows beyond `rows` repeat the last one: cheaper than a branch, and not stored.
// Weights come from the first-level cache: the threads of a team read the same ones, and WIDTH of them at once.
template <int WIDTH, typename Source>
__device__ __forceinline__ void multiply(sum (&total)[THREAD_M][THREAD_N], const element *weights, int ld, int rows, int depth,
                                         const Source &source)
{
    const element *row[THREAD_M];
#pragma unroll
    for (int m = 0; m < THREAD_M; ++m) {
        row[m] = weights + (long long)min(m, rows - 1) * ld;
#pragma unroll
        for (int n = 0; n < THREAD_N; ++n)
            total[m][n] = 0;
    }
    // WIDTH divides the depth. Four steps at a time let loads overlap; more would cost registers.
    constexpr int UNROLL = WIDTH >= 4 ? 1 : 4 / WIDTH;
#pragma unroll UNROLL
    for (int k = 0; k < depth; k += WIDTH) {
        Packet<element, WIDTH> w[THREAD_M];
#pragma unroll
        for (int m = 0; m < THREAD_M; ++m)
            w[m] = *(const Packet<element, WIDTH> *)(row[m] + k);
#pragma unroll
        for (int u = 0; u < WIDTH; ++u) {
            sum x[THREAD_N];
            source.get(k + u, x);
#pragma unroll
            for (int m = 0; m < THREAD_M; ++m)
#pragma unroll
                for (int n = 0; n < THREAD_N; ++n)
                    total[m][n] = multiply_add(widen(w[m].at[u]), x[n], total[m][n]);
        }
    }
}

// One row of a thread's result; columns from `left` on do not exist.
template <typename T> __device__ __forceinline__ void store(T *row, const sum (&total)[THREAD_N], int left)
{
#pragma unroll
    for (int p = 0; p < PACKETS; ++p) {
        if (column_of(p) >= left)
            continue;
        Packet<T, VECTOR> packet;
#pragma unroll
        for (int v = 0; v < VECTOR; ++v)
            packet.at[v] = narrow(total[p * VECTOR + v]);
        *(Packet<T, VECTOR> *)(row + column_of(p)) = packet;
    }
}

#if defined(FUSED)
extern "C" __global__ void __launch_bounds__(THREADS)
chain_fused(const element *__restrict__ first, long long first_step, int first_ld, const element *__restrict__ second,
            long long second_step, int second_ld, const element *__restrict__ x, long long x_ld, result *__restrict__ y, long long y_ld,
            int outer, int inner, int depth, int rows, int in_share, int in_block, int in_step, int out_block, int out_step, int batch,
            int groups)
{
    // Z[i][o][column] of this block's GROUP values of i.
    element *z = (element *)memory;
    const Weights a = {first, first_step, first_ld}, b = {second, second_step, second_ld};
    const Rows input = {in_share, in_block, in_step}, output = {1, out_block, out_step};
    const int column = blockIdx.x / groups * STRIP, left = columns_left(batch, column);
    const int begin = blockIdx.x % groups * GROUP, kept = min(GROUP, inner - begin);
    const bool active = lane_of() * VECTOR < left;
    sum total[THREAD_M][THREAD_N];

    const int first_tiles = (kept + THREAD_M - 1) / THREAD_M;
    for (int item = worker_of(); active && item < outer * first_tiles; item += TEAMS) {
        const int o = item / first_tiles, i = item % first_tiles * THREAD_M;
        const GlobalRows source = {x + input.at(o, 0) * x_ld + column, (long long)in_step * x_ld, left};
        multiply<WEIGHTS_1>(total, a.row(o, begin + i), a.ld, kept - i, depth, source);
#pragma unroll
        for (int m = 0; m < THREAD_M; ++m)
            if (i + m < kept)
                store(z + ((i + m) * outer + o) * STRIP, total[m], STRIP);
    }
    __syncthreads();

    const int second_tiles = (rows + THREAD_M - 1) / THREAD_M;
    for (int item = worker_of(); active && item < kept * second_tiles; item += TEAMS) {
        const int i = item / second_tiles, r = item % second_tiles * THREAD_M;
        const SharedRows source = {z + i * outer * STRIP};
        multiply<WEIGHTS_2>(total, b.row(begin + i, r), b.ld, rows - r, outer, source);
#pragma unroll
        for (int m = 0; m < THREAD_M; ++m)
            if (r + m < rows)
                store(y + output.at(begin + i, r + m) * y_ld + column, total[m], left);
    }
}
#else
// One stage over global memory: every worker takes THREAD_M rows of one product.
template <int WIDTH>
__device__ __forceinline__ void stage(const Weights &weights, const element *x, long long x_ld, result *y, long long y_ld, int blocks,
                                      int rows, int depth, const Rows &input, const Rows &output, int batch, int chunks)
{
    const int column = blockIdx.x / chunks * STRIP, left = columns_left(batch, column);
    const int tiles = (rows + THREAD_M - 1) / THREAD_M;
    const long long item = (long long)(blockIdx.x % chunks) * TEAMS + worker_of();
    if (item >= (long long)blocks * tiles || lane_of() * VECTOR >= left)
        return;
    const int block = (int)(item / tiles), r = (int)(item % tiles) * THREAD_M;
    const GlobalRows source = {x + input.at(block, 0) * x_ld + column, (long long)input.step * x_ld, left};
    sum total[THREAD_M][THREAD_N];
    multiply<WIDTH>(total, weights.row(block, r), weights.ld, rows - r, depth, source);
#pragma unroll
    for (int m = 0; m < THREAD_M; ++m)
        if (r + m < rows)
            store(y + output.at(block, r + m) * y_ld + column, total[m], left);
}
#endif

#else
// -------------------------------------------------------------------------------------------------------- tensor cores
//
// A warp multiplies TILE_M rows of a block by all STRIP columns. Weights go from the first-level cache straight into fragments: each is used
// once per strip. Rows of X pass through a buffer of the warp's own in shared memory, TILE_K at a time, so that no barrier of the block is
// needed within a stage.
#define WARPS (THREADS / 32)
#if defined(DTYPE_TF32)
#define DEPTH_STEP 8
#define PER_WORD 1
#else
#define DEPTH_STEP 16
#define PER_WORD 2
#endif
// Eight more elements per row: the rows that one fragment load touches then lie in different banks.
#define PITCH (STRIP + 8)
#define ROW_TILES (TILE_M / 16)
#define COLUMN_TILES (STRIP / 8)
#define BUFFER (STAGES * TILE_K * PITCH)

typedef Packet<element, VECTOR> Columns;
typedef float Sums[ROW_TILES][COLUMN_TILES][4];

__device__ __forceinline__ int lane_of() { return threadIdx.x % 32; }
__device__ __forceinline__ int worker_of() { return threadIdx.x / 32; }

// A word of weights: zeros beyond `rows` and `depth`. WIDTH is what the alignment of rows allows.
template <int WIDTH> __device__ __forceinline__ unsigned word_of(const element *weights, int ld, int row, int k, int rows, int depth)
{
    if (row >= rows || k >= depth)
        return 0;
    const element *at = weights + (long long)row * ld + k;
#if PER_WORD == 1
    return __float_as_uint(*at);
#else
    if (WIDTH >= 2)
        return *(const unsigned *)at;
    return at[0] | (k + 1 < depth ? (unsigned)at[1] << 16 : 0);
#endif
}

// sums += weights[0 .. TILE_M, k .. k + DEPTH_STEP] · tile, whose row 0 is row k of the right operand. With SPLIT the right operand is a full
// float: it is multiplied as the sum of two TF32 values, so that the middle result loses nothing that a float holds.
template <int WIDTH, bool SPLIT>
__device__ __forceinline__ void multiply_step(Sums &sums, const element *weights, int ld, int k, int rows, int depth, const element *tile)
{
    const int g = lane_of() / 4, t = lane_of() % 4;
    unsigned a[ROW_TILES][4];
#pragma unroll
    for (int m = 0; m < ROW_TILES; ++m)
#pragma unroll
        for (int w = 0; w < 4; ++w)
            a[m][w] = word_of<WIDTH>(weights, ld, 16 * m + g + w % 2 * 8, k + (t + w / 2 * 4) * PER_WORD, rows, depth);
#if PER_WORD == 2
    const int q = lane_of() / 8;
    const element *from = tile + (lane_of() % 8 + q % 2 * 8) * PITCH + q / 2 * 8;
#pragma unroll
    for (int n = 0; n < COLUMN_TILES; n += 2) {
        unsigned words[4];
        load_matrices_transposed(words, shared_address(from + n * 8));
        const unsigned left[2] = {words[0], words[1]}, right[2] = {words[2], words[3]};
#pragma unroll
        for (int m = 0; m < ROW_TILES; ++m) {
            multiply_matrices(sums[m][n], a[m], left);
            multiply_matrices(sums[m][n + 1], a[m], right);
        }
    }
#else
    const element *from = tile + t * PITCH + g;
#pragma unroll
    for (int n = 0; n < COLUMN_TILES; ++n) {
        const float x[2] = {from[n * 8], from[4 * PITCH + n * 8]};
        unsigned high[2], low[2];
#pragma unroll
        for (int w = 0; w < 2; ++w) {
            high[w] = __float_as_uint(x[w]);
            if (SPLIT) {
                asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(high[w]) : "f"(x[w]));
                asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(low[w]) : "f"(x[w] - __uint_as_float(high[w])));
            }
        }
#pragma unroll
        for (int m = 0; m < ROW_TILES; ++m) {
            multiply_matrices(sums[m][n], a[m], high);
            if (SPLIT)
                multiply_matrices(sums[m][n], a[m], low);
        }
    }
#endif
}

__device__ __forceinline__ void clear(Sums &sums)
{
#pragma unroll
    for (int m = 0; m < ROW_TILES; ++m)
#pragma unroll
        for (int n = 0; n < COLUMN_TILES; ++n)
#pragma unroll
            for (int c = 0; c < 4; ++c)
                sums[m][n][c] = 0;
}

// Rows k … k + TILE_K of a matrix in global memory into the warp's buffer; rows and columns that do not exist become zeros.
__device__ __forceinline__ void fetch(element *to, const element *from, long long step, int k, int depth, int left)
{
#pragma unroll
    for (int at = lane_of(); at < TILE_K * (STRIP / VECTOR); at += 32) {
        const int row = at / (STRIP / VECTOR), column = at % (STRIP / VECTOR) * VECTOR;
        const bool there = k + row < depth && column < left;
        const element *source = from + (there ? (k + row) * step + column : 0);
#if STAGES > 1
        copy_async<VECTOR * sizeof(element)>(to + row * PITCH + column, source, there ? VECTOR * sizeof(element) : 0);
#else
        Columns packet = {};
        if (there)
            packet = *(const Columns *)source;
        *(Columns *)(to + row * PITCH + column) = packet;
#endif
    }
}

// TILE_M rows of weights times the strip of a matrix in global memory.
template <int WIDTH, bool SPLIT>
__device__ __forceinline__ void multiply(Sums &sums, const element *weights, int ld, int rows, int depth, const element *from,
                                         long long step, int left, element *buffer)
{
    clear(sums);
    const int tiles = (depth + TILE_K - 1) / TILE_K;
#if STAGES > 1
#pragma unroll
    for (int s = 0; s < STAGES - 1; ++s) {
        if (s < tiles)
            fetch(buffer + s * TILE_K * PITCH, from, step, s * TILE_K, depth, left);
        commit_copies();
    }
#endif
    for (int tile = 0; tile < tiles; ++tile) {
#if STAGES > 1
        // The oldest tile has arrived for every lane, and every lane is done with the buffer that is filled next.
        wait_copies<STAGES - 2>();
        __syncwarp();
        const int next = tile + STAGES - 1;
        if (next < tiles)
            fetch(buffer + next % STAGES * TILE_K * PITCH, from, step, next * TILE_K, depth, left);
        commit_copies();
        const element *here = buffer + tile % STAGES * TILE_K * PITCH;
#else
        __syncwarp();
        fetch(buffer, from, step, tile * TILE_K, depth, left);
        __syncwarp();
        const element *here = buffer;
#endif
#pragma unroll
        for (int k = 0; k < TILE_K; k += DEPTH_STEP)
            multiply_step<WIDTH, SPLIT>(sums, weights, ld, tile * TILE_K + k, rows, depth, here + k * PITCH);
    }
    // The buffer is free for whatever comes next.
    __syncwarp();
}

// Two adjacent columns of a result into shared memory.
__device__ __forceinline__ void store_pair(element *to, float left, float right)
{
    Packet<element, 2> pair;
    pair.at[0] = narrow(left);
    pair.at[1] = narrow(right);
    *(Packet<element, 2> *)to = pair;
}

// The warp's result to rows of Y, through its buffer, so that rows are written in whole packets.
__device__ __forceinline__ void store_rows(const Sums &sums, result *y, long long y_ld, const Rows &output, int block, int row, int rows,
                                           int left, element *buffer)
{
    const int g = lane_of() / 4, t = lane_of() % 4;
#pragma unroll
    for (int m = 0; m < ROW_TILES; ++m) {
#pragma unroll
        for (int n = 0; n < COLUMN_TILES; ++n)
#pragma unroll
            for (int half = 0; half < 2; ++half)
                store_pair(buffer + (g + 8 * half) * PITCH + n * 8 + 2 * t, sums[m][n][2 * half], sums[m][n][2 * half + 1]);
        __syncwarp();
#pragma unroll
        for (int at = lane_of(); at < 16 * (STRIP / VECTOR); at += 32) {
            const int r = at / (STRIP / VECTOR), column = at % (STRIP / VECTOR) * VECTOR;
            if (row + 16 * m + r < rows && column < left)
                *(Columns *)(y + output.at(block, row + 16 * m + r) * y_ld + column) = *(const Columns *)(buffer + r * PITCH + column);
        }
        __syncwarp();
    }
}

#if defined(FUSED)
extern "C" __global__ void __launch_bounds__(THREADS)
chain_fused(const element *__restrict__ first, long long first_step, int first_ld, const element *__restrict__ second,
            long long second_step, int second_ld, const element *__restrict__ x, long long x_ld, result *__restrict__ y, long long y_ld,
            int outer, int inner, int depth, int rows, int in_share, int in_block, int in_step, int out_block, int out_step, int batch,
            int groups)
{
    // A buffer per warp, then Z[i][o][column]; the depth of the second stage is padded with rows of zeros. Eight elements between the rows of
    // one i and the next keep the lanes that store a fragment in different banks.
    element *buffer = (element *)memory + worker_of() * BUFFER;
    element *z = (element *)memory + WARPS * BUFFER;
    const int padded = (outer + DEPTH_STEP - 1) / DEPTH_STEP * DEPTH_STEP, z_step = padded * PITCH + 8;
    const Weights a = {first, first_step, first_ld}, b = {second, second_step, second_ld};
    const Rows input = {in_share, in_block, in_step}, output = {1, out_block, out_step};
    const int column = blockIdx.x / groups * STRIP, left = columns_left(batch, column);
    const int begin = blockIdx.x % groups * GROUP, kept = min(GROUP, inner - begin);
    const int g = lane_of() / 4, t = lane_of() % 4;
    Sums sums;

    // Zeros times what lies there by chance would be NaN where it is one.
    for (int at = threadIdx.x; at < kept * (padded - outer) * STRIP; at += THREADS) {
        const int row = at / STRIP;
        z[row / (padded - outer) * z_step + (outer + row % (padded - outer)) * PITCH + at % STRIP] = 0;
    }
    const int first_tiles = (kept + TILE_M - 1) / TILE_M;
    for (int item = worker_of(); item < outer * first_tiles; item += WARPS) {
        const int o = item / first_tiles, i = item % first_tiles * TILE_M;
        multiply<WEIGHTS_1, false>(sums, a.row(o, begin + i), a.ld, kept - i, depth, x + input.at(o, 0) * x_ld + column,
                                   (long long)in_step * x_ld, left, buffer);
#pragma unroll
        for (int m = 0; m < ROW_TILES; ++m)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int row = i + 16 * m + g + 8 * half;
                if (row >= kept)
                    continue;
#pragma unroll
                for (int n = 0; n < COLUMN_TILES; ++n)
                    store_pair(z + row * z_step + o * PITCH + n * 8 + 2 * t, sums[m][n][2 * half], sums[m][n][2 * half + 1]);
            }
    }
    __syncthreads();

    const int second_tiles = (rows + TILE_M - 1) / TILE_M;
    for (int item = worker_of(); item < kept * second_tiles; item += WARPS) {
        const int i = item / second_tiles, r = item % second_tiles * TILE_M;
        clear(sums);
        for (int k = 0; k < padded; k += DEPTH_STEP)
            multiply_step<WEIGHTS_2, PER_WORD == 1>(sums, b.row(begin + i, r), b.ld, k, rows - r, outer, z + i * z_step + k * PITCH);
        store_rows(sums, y + column, y_ld, output, begin + i, r, rows, left, buffer);
    }
}
#else
// One stage over global memory: every warp takes TILE_M rows of one product. The middle result of TF32 is a full float: SPLIT.
template <int WIDTH, bool SPLIT>
__device__ __forceinline__ void stage(const Weights &weights, const element *x, long long x_ld, result *y, long long y_ld, int blocks,
                                      int rows, int depth, const Rows &input, const Rows &output, int batch, int chunks)
{
    element *buffer = (element *)memory + worker_of() * BUFFER;
    const int column = blockIdx.x / chunks * STRIP, left = columns_left(batch, column);
    const int tiles = (rows + TILE_M - 1) / TILE_M;
    const long long item = (long long)(blockIdx.x % chunks) * WARPS + worker_of();
    if (item >= (long long)blocks * tiles)
        return;
    const int block = (int)(item / tiles), r = (int)(item % tiles) * TILE_M;
    Sums sums;
    multiply<WIDTH, SPLIT>(sums, weights.row(block, r), weights.ld, rows - r, depth, x + input.at(block, 0) * x_ld + column,
                           (long long)input.step * x_ld, left, buffer);
    store_rows(sums, y + column, y_ld, output, block, r, rows, left, buffer);
}
#endif
#endif

// --------------------------------------------------------------------------------------------- stages through global memory

#if !defined(FUSED)
#if defined(TENSOR)
#define STAGE_1 stage<WEIGHTS_1, false>
#define STAGE_2 stage<WEIGHTS_2, PER_WORD == 1>
#else
#define STAGE_1 stage<WEIGHTS_1>
#define STAGE_2 stage<WEIGHTS_2>
#endif

extern "C" __global__ void __launch_bounds__(THREADS)
chain_first(const element *__restrict__ weights, long long step, int ld, const element *__restrict__ x, long long x_ld,
            result *__restrict__ y, long long y_ld, int blocks, int rows, int depth, int in_share, int in_block, int in_step, int out_block,
            int out_step, int batch, int chunks)
{
    STAGE_1({weights, step, ld}, x, x_ld, y, y_ld, blocks, rows, depth, {in_share, in_block, in_step}, {1, out_block, out_step}, batch,
            chunks);
}

extern "C" __global__ void __launch_bounds__(THREADS)
chain_second(const element *__restrict__ weights, long long step, int ld, const element *__restrict__ x, long long x_ld,
             result *__restrict__ y, long long y_ld, int blocks, int rows, int depth, int in_share, int in_block, int in_step,
             int out_block, int out_step, int batch, int chunks)
{
    STAGE_2({weights, step, ld}, x, x_ld, y, y_ld, blocks, rows, depth, {in_share, in_block, in_step}, {1, out_block, out_step}, batch,
            chunks);
}

// Copies row `index` of every block from one order to another, a packet of columns per thread.
extern "C" __global__ void __launch_bounds__(THREADS)
chain_permute(const element *__restrict__ from, long long from_ld, element *__restrict__ to, long long to_ld, int blocks, int rows,
              int from_block, int from_step, int to_block, int to_step, int batch)
{
    const int packets = (batch + VECTOR - 1) / VECTOR;
    const long long at = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (at >= (long long)blocks * rows * packets)
        return;
    const int column = (int)(at % packets) * VECTOR, index = (int)(at / packets % rows), block = (int)(at / packets / rows);
    const Rows source = {1, from_block, from_step}, target = {1, to_block, to_step};
    *(Packet<element, VECTOR> *)(to + target.at(block, index) * to_ld + column) =
        *(const Packet<element, VECTOR> *)(from + source.at(block, index) * from_ld + column);
}
#endif
