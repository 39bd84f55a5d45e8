// cp.async: copies from global to shared memory that do not pass through registers (sm_80 and later).

__device__ __forceinline__ unsigned shared_address(const void *pointer)
{
    return (unsigned)__cvta_generic_to_shared(pointer);
}

// Copies `valid` of BYTES bytes (4, 8 or 16) and fills the rest with zeros; both addresses are aligned to BYTES. Where nothing is valid,
// nothing is read, but `from` should still be an address that could be.
template <int BYTES> __device__ __forceinline__ void copy_async(void *to, const void *from, int valid)
{
    // Only 16-byte copies can bypass the first-level cache, and tiles are read once per block.
    if (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from), "n"(BYTES), "r"(valid)
                     : "memory");
}

// Closes the group of copies issued since the last commit.
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most PENDING of this thread's groups are under way.
template <int PENDING> __device__ __forceinline__ void wait_copies()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}
