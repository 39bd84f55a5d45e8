// A CUTLASS 2.x kernel for one product: the template's arguments come as definitions, its parameter object is made on the device.
//
// Definitions: OPERATION (cutlass::arch::OpClass…), GENERATION (cutlass::arch::Sm…), ELEMENT, RESULT, SUM, LAYOUT_A, LAYOUT_B, TILE_M TILE_N TILE_K,
// WARPS_M WARPS_N, INSTRUCTION_M INSTRUCTION_N INSTRUCTION_K, STAGES, ALIGN (elements of A and B moved at once), ALIGN_C, SWIZZLE.

#include <cutlass/cutlass.h>
#include <cutlass/epilogue/thread/linear_combination.h>
#include <cutlass/gemm/kernel/default_gemm.h>
#include <cutlass/gemm/threadblock/threadblock_swizzle.h>

using Swizzle = cutlass::gemm::threadblock::GemmIdentityThreadblockSwizzle<SWIZZLE>;
using Tile = cutlass::gemm::GemmShape<TILE_M, TILE_N, TILE_K>;
using Warp = cutlass::gemm::GemmShape<TILE_M / WARPS_M, TILE_N / WARPS_N, TILE_K>;
using Instruction = cutlass::gemm::GemmShape<INSTRUCTION_M, INSTRUCTION_N, INSTRUCTION_K>;
using Epilogue = cutlass::epilogue::thread::LinearCombination<RESULT, ALIGN_C, SUM, SUM>;
using Kernel = typename cutlass::gemm::kernel::DefaultGemm<ELEMENT, LAYOUT_A, ALIGN, ELEMENT, LAYOUT_B, ALIGN, RESULT,
                                                           cutlass::layout::RowMajor, SUM, OPERATION, GENERATION, Tile, Warp, Instruction,
                                                           Epilogue, Swizzle, STAGES, false, MATH>::GemmKernel;

// What the host must know before it can launch.
extern "C" __constant__ unsigned cutlass_object_bytes = sizeof(typename Kernel::Params);
extern "C" __constant__ unsigned cutlass_shared_bytes = sizeof(typename Kernel::SharedStorage);

static_assert(Kernel::kThreadCount == 32 * WARPS_M * WARPS_N, "threads of the launch");

// One thread; what host code would do before a launch. With beta = 0 the epilogue does not read C.
extern "C" __global__ void cutlass_make(ELEMENT *a, ELEMENT *b, RESULT *c, RESULT *d, int m, int n, int k, int lda, int ldb, int ldc,
                                        int ldd, SUM alpha, SUM beta, typename Kernel::Params *object)
{
    const cutlass::gemm::GemmCoord size(m, n, k);
    const cutlass::gemm::GemmCoord tiles = Swizzle::get_tiled_shape(size, cutlass::gemm::GemmCoord(TILE_M, TILE_N, TILE_K), 1);
    *object = typename Kernel::Params(size, tiles, {a, lda}, {b, ldb}, {c, ldc}, {d, ldd}, {alpha, beta});
}

extern "C" __global__ void __launch_bounds__(Kernel::kThreadCount) cutlass_gemm(const __grid_constant__ typename Kernel::Params object)
{
    extern __shared__ __align__(16) unsigned char memory[];
    Kernel()(object, *reinterpret_cast<typename Kernel::SharedStorage *>(memory));
}
