// Brings tiles of A and B from device memory into shared memory, step after step along k, while the tiles of the step before are multiplied.
// Needs element.cuh, blocks.cuh and, for FEED_ASYNC, async.cuh. Definitions:
//
//   THREADS   of a block; thread 0 … THREADS - 1 along x
//   STAGES    pairs of tiles in shared memory
//   VECTOR    elements per access of device memory; rows of A and B start at multiples of it
//   FEED      FEED_DIRECT (1 stage: copy, multiply, copy …), FEED_REGISTERS (2 stages: the next tiles are held in registers meanwhile) or
//             FEED_ASYNC (cp.async of at least 4 bytes, STAGES - 1 copies under way)
//   ARRIVED   what a thread does once its own copies have come and before it meets the others; may be empty
//
// A tile is described by a type Shape with ROWS and COLS as stored, CHUNK (elements that lie side by side in shared memory wherever they lie), SIZE
// (elements of shared memory it takes) and place(row, col), the offset of the chunk at (row, col).

#define FEED_DIRECT 0
#define FEED_REGISTERS 1
#define FEED_ASYNC 2

#ifndef ARRIVED
#define ARRIVED()
#endif

// Where a tile lies within a stored matrix. What is outside the matrix counts as zeros.
struct Window {
    const element *matrix;
    int ld, first_row, first_col, rows, cols;
};

// The chunk of a tile that is one thread's in one turn.
template <class Shape> struct Share {
    static constexpr int ACROSS = Shape::COLS / Shape::CHUNK;
    static constexpr int ALL = Shape::ROWS * ACROSS;
    static constexpr int TURNS = (ALL + THREADS - 1) / THREADS;
    int row, col;
    bool any;

    __device__ __forceinline__ Share(int thread, int turn)
    {
        const int at = turn * THREADS + thread;
        row = at / ACROSS;
        col = at % ACROSS * Shape::CHUNK;
        any = ALL % THREADS == 0 || at < ALL;
    }
    // How many of its elements are in the matrix.
    __device__ __forceinline__ int valid(const Window &from) const
    {
        const int left = from.cols - from.first_col - col;
        return from.first_row + row < from.rows ? max(0, min(left, (int)Shape::CHUNK)) : 0;
    }
    __device__ __forceinline__ const element *source(const Window &from) const
    {
        return from.matrix + (long long)(from.first_row + row) * from.ld + from.first_col + col;
    }
};

#if FEED == FEED_ASYNC
template <class Shape> __device__ __forceinline__ void copy_tile(element *to, const Window &from, int thread)
{
#pragma unroll
    for (int turn = 0; turn < Share<Shape>::TURNS; ++turn) {
        const Share<Shape> share(thread, turn);
        if (!share.any)
            continue;
        const int valid = share.valid(from);
        const element *const source = share.source(from);
        element *const chunk = to + Shape::place(share.row, share.col);
#pragma unroll
        for (int at = 0; at < Shape::CHUNK; at += VECTOR) {
            const int left = max(0, min(valid - at, VECTOR));
            copy_async<VECTOR * sizeof(element)>(chunk + at, left ? source + at : from.matrix, left * (int)sizeof(element));
        }
    }
}
#else
template <class Shape> struct Held {
    Packet<element, Shape::CHUNK> chunks[Share<Shape>::TURNS];
};

template <class Shape> __device__ __forceinline__ void fetch_tile(Held<Shape> &held, const Window &from, int thread)
{
    typedef Packet<element, VECTOR> Vector;
#pragma unroll
    for (int turn = 0; turn < Share<Shape>::TURNS; ++turn) {
        const Share<Shape> share(thread, turn);
        const int valid = share.any ? share.valid(from) : 0;
        const element *const source = share.source(from);
#pragma unroll
        for (int at = 0; at < Shape::CHUNK; at += VECTOR) {
            Vector vector;
            if (at + VECTOR <= valid) {
                vector = *(const Vector *)(source + at);
            } else {
#pragma unroll
                for (int i = 0; i < VECTOR; ++i)
                    vector.at[i] = at + i < valid ? source[at + i] : element(0);
            }
#pragma unroll
            for (int i = 0; i < VECTOR; ++i)
                held.chunks[turn].at[at + i] = vector.at[i];
        }
    }
}

template <class Shape> __device__ __forceinline__ void place_tile(element *to, const Held<Shape> &held, int thread)
{
#pragma unroll
    for (int turn = 0; turn < Share<Shape>::TURNS; ++turn) {
        const Share<Shape> share(thread, turn);
        if (share.any)
            *(Packet<element, Shape::CHUNK> *)(to + Shape::place(share.row, share.col)) = held.chunks[turn];
    }
}
#endif

// Calls multiply(tile of A, tile of B) for every step of the slice, in order. window_a and window_b say where the tiles of a step lie.
template <class ShapeA, class ShapeB, class WindowA, class WindowB, class Multiply>
__device__ __forceinline__ void feed(element *stages, Slice slice, WindowA window_a, WindowB window_b, Multiply multiply)
{
    constexpr int STAGE = ShapeA::SIZE + ShapeB::SIZE;
    const int thread = threadIdx.x;
#if FEED == FEED_ASYNC
    auto copy = [&](int stage, int step) {
        if (step < slice.last) {
            copy_tile<ShapeA>(stages + stage * STAGE, window_a(step), thread);
            copy_tile<ShapeB>(stages + stage * STAGE + ShapeA::SIZE, window_b(step), thread);
        }
        // Also where nothing was copied: the number of groups under way tells which tiles have come.
        commit_copies();
    };
#pragma unroll
    for (int stage = 0; stage < STAGES - 1; ++stage)
        copy(stage, slice.first + stage);
    int full = 0, empty = STAGES - 1;
    for (int step = slice.first; step < slice.last; ++step) {
        wait_copies<STAGES - 2>();
        ARRIVED();
        // After this barrier the tiles are there for all threads, and none still reads those that are overwritten next.
        __syncthreads();
        copy(empty, step + STAGES - 1);
        multiply(stages + full * STAGE, stages + full * STAGE + ShapeA::SIZE);
        full = full + 1 == STAGES ? 0 : full + 1;
        empty = empty + 1 == STAGES ? 0 : empty + 1;
    }
#else
    Held<ShapeA> held_a;
    Held<ShapeB> held_b;
    auto fetch = [&](int step) {
        fetch_tile<ShapeA>(held_a, window_a(step), thread);
        fetch_tile<ShapeB>(held_b, window_b(step), thread);
    };
    auto place = [&](int stage) {
        place_tile<ShapeA>(stages + stage * STAGE, held_a, thread);
        place_tile<ShapeB>(stages + stage * STAGE + ShapeA::SIZE, held_b, thread);
    };
#if FEED == FEED_DIRECT
    for (int step = slice.first; step < slice.last; ++step) {
        fetch(step);
        place(0);
        ARRIVED();
        __syncthreads();
        multiply(stages, stages + ShapeA::SIZE);
        __syncthreads();
    }
#else
    if (slice.first < slice.last) {
        fetch(slice.first);
        place(0);
    }
    int full = 0;
    for (int step = slice.first; step < slice.last; ++step) {
        ARRIVED();
        // After this barrier the tiles are there for all threads, and none still reads the other ones.
        __syncthreads();
        if (step + 1 < slice.last)
            fetch(step + 1);
        multiply(stages + full * STAGE, stages + full * STAGE + ShapeA::SIZE);
        full ^= 1;
        if (step + 1 < slice.last)
            place(full);
    }
#endif
#endif
}
