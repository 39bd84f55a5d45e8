//! cuBLAS: `cublasGemmEx`, which picks its kernel itself.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use cudarc::cublas::{result, sys};
use cudarc::driver::sys::{CUDA_MEMCPY2D, CUmemorytype, CUstream, cuMemcpy2DAsync_v2};

use super::{Buffers, ColumnMajor, Factor, GemmSpec, missing, refused, version};
use crate::{DeviceError, Dtype};

const NAME: &str = "cuBLAS";

/// The library's handle on one stream.
#[derive(Debug)]
pub(super) struct Handle {
    handle: sys::cublasHandle_t,
    pub(super) note: String,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is this one's alone. A refusal leaves nothing to do.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

impl Handle {
    /// Loads the library.
    pub(super) fn open(stream: CUstream) -> Result<Self, DeviceError> {
        // SAFETY: only tries to load the library.
        if !unsafe { sys::is_culib_present() } {
            return Err(missing(NAME, "libcublas.so"));
        }
        let handle = result::create_handle().map_err(|error| refused(NAME, "cublasCreate", error))?;
        let mut opened = Self { handle, note: String::new() };
        // SAFETY: the handle was just made, and the session's creator keeps the stream alive.
        unsafe { result::set_stream(handle, stream.cast()) }.map_err(|error| refused(NAME, "cublasSetStream", error))?;
        opened.note = format!("cublas {}", opened.version()?);
        Ok(opened)
    }

    fn version(&self) -> Result<String, DeviceError> {
        let mut number = MaybeUninit::<c_int>::zeroed();
        // SAFETY: the handle is valid, and an integer is written.
        let status = unsafe { sys::cublasGetVersion_v2(self.handle, number.as_mut_ptr()) };
        status.result().map_err(|error| refused(NAME, "cublasGetVersion", error))?;
        // SAFETY: zeroed, and written on success.
        Ok(version(usize::try_from(unsafe { number.assume_init() }).unwrap_or(0)))
    }

    /// Enqueues one call.
    ///
    /// # Safety
    /// `buffers` are the matrices of `spec` on the stream's device.
    pub(super) unsafe fn launch(&self, spec: &GemmSpec, buffers: Buffers, stream: CUstream) -> Result<(), DeviceError> {
        if spec.beta != 0.0 {
            // SAFETY: the caller's guarantee.
            unsafe { copy_added(spec, buffers, stream) }?;
        }
        let call = ColumnMajor::of(spec);
        let (alpha, beta) = (Factor::of(spec.alpha, spec.dtype), Factor::of(spec.beta, spec.dtype));
        let (element, result, compute) = types(spec.dtype);
        let (rows, cols, depth) = call.size;
        let [left, right, _, d] = call.leading.map(int);
        // SAFETY: both factors live until the call returns, which copies them (host pointer mode is the default); matrices as the caller promised.
        let status = unsafe {
            sys::cublasGemmEx(
                self.handle,
                operation(call.transposed.0),
                operation(call.transposed.1),
                int(rows),
                int(cols),
                int(depth),
                alpha.address(),
                buffers.b as *const _,
                element,
                left,
                buffers.a as *const _,
                element,
                right,
                beta.address(),
                buffers.d as *mut _,
                result,
                d,
                compute,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        };
        status.result().map_err(|error| refused(NAME, "cublasGemmEx", error))
    }
}

/// C into D, row by row: what lies between rows belongs to no one and stays.
unsafe fn copy_added(spec: &GemmSpec, buffers: Buffers, stream: CUstream) -> Result<(), DeviceError> {
    let bytes = usize::try_from(spec.dtype.result().bytes()).unwrap_or(8);
    let [_, _, c, d] = spec.leading;
    // SAFETY: the structure is plain numbers and addresses, for which zeros are the documented rest.
    let mut copy: CUDA_MEMCPY2D = unsafe { std::mem::zeroed() };
    copy.srcMemoryType = CUmemorytype::CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = buffers.c;
    copy.srcPitch = c * bytes;
    copy.dstMemoryType = CUmemorytype::CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = buffers.d;
    copy.dstPitch = d * bytes;
    copy.WidthInBytes = spec.size.1 * bytes;
    copy.Height = spec.size.0;
    // SAFETY: m rows of n elements of both matrices, as the caller promised.
    unsafe { cuMemcpy2DAsync_v2(&raw const copy, stream) }
        .result()
        .map_err(|error| refused("CUDA driver", "cuMemcpy2DAsync", error))
}

/// Types of A and B, of C and D, and of the sums.
fn types(dtype: Dtype) -> (sys::cudaDataType, sys::cudaDataType, sys::cublasComputeType_t) {
    use sys::cublasComputeType_t as Compute;
    use sys::cudaDataType as Data;
    match dtype {
        Dtype::F64 => (Data::CUDA_R_64F, Data::CUDA_R_64F, Compute::CUBLAS_COMPUTE_64F),
        Dtype::Tf32 => (Data::CUDA_R_32F, Data::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F_FAST_TF32),
        Dtype::F16 => (Data::CUDA_R_16F, Data::CUDA_R_16F, Compute::CUBLAS_COMPUTE_32F),
        Dtype::Bf16 => (Data::CUDA_R_16BF, Data::CUDA_R_16BF, Compute::CUBLAS_COMPUTE_32F),
        Dtype::Int8 | Dtype::Int32 => (Data::CUDA_R_8I, Data::CUDA_R_32I, Compute::CUBLAS_COMPUTE_32I),
        Dtype::F32 => (Data::CUDA_R_32F, Data::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F),
    }
}

fn operation(transposed: bool) -> sys::cublasOperation_t {
    if transposed { sys::cublasOperation_t::CUBLAS_OP_T } else { sys::cublasOperation_t::CUBLAS_OP_N }
}

/// Sizes stay below 2^24, leading dimensions 4096 above: the family checked them.
fn int(size: usize) -> c_int {
    c_int::try_from(size).unwrap_or(c_int::MAX)
}
