//! cuBLASLt: the n-th kernel of the list that its heuristic proposes, called by name.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use cudarc::cublaslt::{result, sys};
use cudarc::driver::sys::CUstream;

use super::{Buffers, ColumnMajor, Factor, GemmSpec, missing, refused, version};
use crate::{DeviceError, Dtype, Misfit};

const NAME: &str = "cuBLASLt";

/// Kernels asked for; always the same number, so that an index means the same kernel.
pub(super) const PROPOSALS: usize = 8;
/// Scratch memory a kernel may ask for: what NVIDIA recommends on Hopper, and more than older GPUs use.
const WORKSPACE_BYTES: u64 = 32 << 20;

/// The library's handle.
#[derive(Debug)]
pub(super) struct Handle {
    handle: sys::cublasLtHandle_t,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is this one's alone. A refusal leaves nothing to do.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

/// A kernel, with the descriptions it is called with. Those not made yet are null.
#[derive(Debug)]
pub(super) struct Plan {
    product: sys::cublasLtMatmulDesc_t,
    left: sys::cublasLtMatrixLayout_t,
    right: sys::cublasLtMatrixLayout_t,
    added: sys::cublasLtMatrixLayout_t,
    result: sys::cublasLtMatrixLayout_t,
    algorithm: sys::cublasLtMatmulAlgo_t,
    pub(super) workspace_bytes: usize,
    pub(super) note: String,
}

impl Drop for Plan {
    fn drop(&mut self) {
        for layout in [self.left, self.right, self.added, self.result] {
            if !layout.is_null() {
                // SAFETY: made by this plan and not freed before. A refusal leaves nothing to do.
                let _ = unsafe { result::destroy_matrix_layout(layout) };
            }
        }
        // SAFETY: as above; a plan is only built around a product.
        let _ = unsafe { result::destroy_matmul_desc(self.product) };
    }
}

/// What the search is limited to.
struct Preference(sys::cublasLtMatmulPreference_t);

impl Drop for Preference {
    fn drop(&mut self) {
        // SAFETY: the preference is this one's alone.
        let _ = unsafe { result::destroy_matmul_pref(self.0) };
    }
}

impl Handle {
    /// Loads the library.
    pub(super) fn open() -> Result<Self, DeviceError> {
        // SAFETY: only tries to load the library.
        if !unsafe { sys::is_culib_present() } {
            return Err(missing(NAME, "libcublasLt.so"));
        }
        let handle = result::create_handle().map_err(|error| refused(NAME, "cublasLtCreate", error))?;
        Ok(Self { handle })
    }

    /// The kernel at `index` of the heuristic's list for `spec`.
    pub(super) fn plan(&self, spec: &GemmSpec, index: u32) -> Result<Plan, DeviceError> {
        let mut plan = Plan::described(spec)?;
        let (found, states) = self.proposals(&plan)?;
        let Some(chosen) = found.get(index as usize) else {
            let count = found.len();
            return Err(Misfit::new(format!(
                "`algorithm=lt{index}` is not among the {count} kernels that cuBLASLt proposes here"
            ))
            .into());
        };
        chosen.state.result().map_err(|error| refused(NAME, states, error))?;
        plan.algorithm = chosen.algo;
        plan.workspace_bytes = chosen.workspaceSize;
        plan.note = note(chosen, index);
        Ok(plan)
    }

    fn proposals(&self, plan: &Plan) -> Result<(Vec<sys::cublasLtMatmulHeuristicResult_t>, &'static str), DeviceError> {
        const CALL: &str = "cublasLtMatmulAlgoGetHeuristic";
        let preference =
            Preference(result::create_matmul_pref().map_err(|error| refused(NAME, "cublasLtMatmulPreferenceCreate", error))?);
        let attribute = sys::cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
        let bytes = std::ptr::from_ref(&WORKSPACE_BYTES).cast::<c_void>();
        // SAFETY: the attribute is a 64-bit number of bytes.
        unsafe { result::set_matmul_pref_attribute(preference.0, attribute, bytes, size_of::<u64>()) }
            .map_err(|error| refused(NAME, "cublasLtMatmulPreferenceSetAttribute", error))?;
        let mut found = [MaybeUninit::<sys::cublasLtMatmulHeuristicResult_t>::zeroed(); PROPOSALS];
        let mut count = 0;
        // SAFETY: descriptions are valid, there is room for as many results as are asked for.
        let status = unsafe {
            sys::cublasLtMatmulAlgoGetHeuristic(
                self.handle,
                plan.product,
                plan.left,
                plan.right,
                plan.added,
                plan.result,
                preference.0,
                PROPOSALS as i32,
                found.as_mut_ptr().cast(),
                &raw mut count,
            )
        };
        status.result().map_err(|error| refused(NAME, CALL, error))?;
        let count = usize::try_from(count).unwrap_or(0).min(PROPOSALS);
        // SAFETY: zeros are valid results, and the first `count` were written.
        Ok((found[..count].iter().map(|result| unsafe { result.assume_init() }).collect(), CALL))
    }

    /// Enqueues one call.
    ///
    /// # Safety
    /// `buffers` are the matrices of `spec` on the stream's device, with the plan's workspace.
    pub(super) unsafe fn launch(
        &self,
        plan: &Plan,
        spec: &GemmSpec,
        buffers: Buffers,
        stream: CUstream,
    ) -> Result<(), DeviceError> {
        let (alpha, beta) = (Factor::of(spec.alpha, spec.dtype), Factor::of(spec.beta, spec.dtype));
        // With beta = 0 the library does not read C; D in its place keeps it from being an operand at all.
        let (added, added_layout) = if spec.beta == 0.0 { (buffers.d, plan.result) } else { (buffers.c, plan.added) };
        // SAFETY: both factors live until the call returns, which copies them; matrices and workspace as the caller promised.
        unsafe {
            result::matmul(
                self.handle,
                plan.product,
                alpha.address(),
                beta.address(),
                buffers.b as *const _,
                plan.left,
                buffers.a as *const _,
                plan.right,
                added as *const _,
                added_layout,
                buffers.d as *mut _,
                plan.result,
                &raw const plan.algorithm,
                buffers.workspace as *mut _,
                plan.workspace_bytes,
                stream.cast(),
            )
        }
        .map_err(|error| refused(NAME, "cublasLtMatmul", error))
    }
}

impl Plan {
    /// Descriptions of the product and its matrices, no kernel yet.
    fn described(spec: &GemmSpec) -> Result<Self, DeviceError> {
        let call = ColumnMajor::of(spec);
        let (element, result_type, compute, scale) = types(spec.dtype);
        let product =
            result::create_matmul_desc(compute, scale).map_err(|error| refused(NAME, "cublasLtMatmulDescCreate", error))?;
        let nothing = std::ptr::null_mut();
        let algorithm = sys::cublasLtMatmulAlgo_t { data: [0; 8] };
        let mut plan = Self {
            product,
            left: nothing,
            right: nothing,
            added: nothing,
            result: nothing,
            algorithm,
            workspace_bytes: 0,
            note: String::new(),
        };
        use sys::cublasLtMatmulDescAttributes_t as Attribute;
        for (attribute, transposed) in [
            (Attribute::CUBLASLT_MATMUL_DESC_TRANSA, call.transposed.0),
            (Attribute::CUBLASLT_MATMUL_DESC_TRANSB, call.transposed.1),
        ] {
            // CUBLAS_OP_N and CUBLAS_OP_T.
            let operation = i32::from(transposed);
            // SAFETY: the attribute is a 32-bit enumeration of which these are two values.
            unsafe { result::set_matmul_desc_attribute(product, attribute, (&raw const operation).cast(), size_of::<i32>()) }
                .map_err(|error| refused(NAME, "cublasLtMatmulDescSetAttribute", error))?;
        }
        let [left, right, of_result] = call.stored;
        let [ld_left, ld_right, ld_added, ld_result] = call.leading;
        plan.left = layout(element, left, ld_left)?;
        plan.right = layout(element, right, ld_right)?;
        plan.added = layout(result_type, of_result, ld_added)?;
        plan.result = layout(result_type, of_result, ld_result)?;
        Ok(plan)
    }
}

fn layout(
    element: sys::cudaDataType,
    (rows, cols): (usize, usize),
    ld: usize,
) -> Result<sys::cublasLtMatrixLayout_t, DeviceError> {
    result::create_matrix_layout(element, rows as u64, cols as u64, i64::try_from(ld).unwrap_or(i64::MAX))
        .map_err(|error| refused(NAME, "cublasLtMatrixLayoutCreate", error))
}

/// Types of A and B, of C and D, of the sums and of both factors.
fn types(dtype: Dtype) -> (sys::cudaDataType, sys::cudaDataType, sys::cublasComputeType_t, sys::cudaDataType) {
    use sys::cublasComputeType_t as Compute;
    use sys::cudaDataType as Data;
    match dtype {
        Dtype::F64 => (Data::CUDA_R_64F, Data::CUDA_R_64F, Compute::CUBLAS_COMPUTE_64F, Data::CUDA_R_64F),
        Dtype::Tf32 => (Data::CUDA_R_32F, Data::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F_FAST_TF32, Data::CUDA_R_32F),
        Dtype::F16 => (Data::CUDA_R_16F, Data::CUDA_R_16F, Compute::CUBLAS_COMPUTE_32F, Data::CUDA_R_32F),
        Dtype::Bf16 => (Data::CUDA_R_16BF, Data::CUDA_R_16BF, Compute::CUBLAS_COMPUTE_32F, Data::CUDA_R_32F),
        Dtype::Int8 | Dtype::Int32 => (Data::CUDA_R_8I, Data::CUDA_R_32I, Compute::CUBLAS_COMPUTE_32I, Data::CUDA_R_32I),
        Dtype::F32 => (Data::CUDA_R_32F, Data::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F, Data::CUDA_R_32F),
    }
}

/// `cublaslt 13.1.0 heuristic 2: algorithm 21, tile 20, stages 24, split_k 1, 0.85 waves`, numbers as the library counts them.
fn note(chosen: &sys::cublasLtMatmulHeuristicResult_t, index: u32) -> String {
    use sys::cublasLtMatmulAlgoConfigAttributes_t as Attribute;
    // SAFETY: takes nothing and returns a number.
    let number = unsafe { sys::cublasLtGetVersion() };
    let mut words = format!("cublaslt {} heuristic {index}:", version(number));
    for (name, attribute) in [
        ("algorithm", Attribute::CUBLASLT_ALGO_CONFIG_ID),
        ("tile", Attribute::CUBLASLT_ALGO_CONFIG_TILE_ID),
        ("stages", Attribute::CUBLASLT_ALGO_CONFIG_STAGES_ID),
        ("split_k", Attribute::CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
    ] {
        let (mut value, mut written) = (0_i32, 0);
        // SAFETY: these four attributes are 32-bit numbers.
        let status = unsafe {
            sys::cublasLtMatmulAlgoConfigGetAttribute(
                &raw const chosen.algo,
                attribute,
                (&raw mut value).cast(),
                size_of::<i32>(),
                &raw mut written,
            )
        };
        if status.result().is_ok() {
            words.push_str(&format!(" {name} {value},"));
        }
    }
    format!("{words} {:.2} waves", chosen.wavesCount)
}
