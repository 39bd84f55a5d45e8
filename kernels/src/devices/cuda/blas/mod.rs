//! cuBLAS and cuBLASLt, loaded at run time: sessions, what a call is prepared into, and the calls themselves.
//!
//! Both libraries see matrices column by column. A row-major matrix is the transpose of a column-major one in the same memory, so D = op(A)·op(B)
//! is asked for as Dᵀ = op(B)ᵀ·op(A)ᵀ: operands swapped, m and n swapped, transpositions as they are (`ColumnMajor`).

mod classic;
mod light;

use std::ffi::c_void;

use cudarc::driver::sys::{CUdeviceptr, CUstream};

use super::VendorCall;
use super::door::guarded;
use crate::{DeviceError, Dtype};

/// D = alpha·op(A)·op(B) + beta·C over row-major matrices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GemmSpec {
    /// m, n, k.
    pub size: (usize, usize, usize),
    /// Element type of A and B; C and D are of its result type.
    pub dtype: Dtype,
    /// Whether A is stored k×m.
    pub a_transposed: bool,
    /// Whether B is stored n×k.
    pub b_transposed: bool,
    /// Factor of the product.
    pub alpha: f64,
    /// Factor of C; with 0, C is not read.
    pub beta: f64,
    /// Leading dimensions of A, B, C and D in elements.
    pub leading: [usize; 4],
}

/// A vendor's GEMM: which library and kernel, on what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VendorGemm {
    /// Library and kernel.
    pub call: VendorCall,
    /// The product.
    pub spec: GemmSpec,
}

/// Addresses of elements (0, 0) on the device. C is read only where beta is not 0.
#[derive(Clone, Copy, Debug)]
pub struct Buffers {
    /// A.
    pub a: CUdeviceptr,
    /// B.
    pub b: CUdeviceptr,
    /// C.
    pub c: CUdeviceptr,
    /// D.
    pub d: CUdeviceptr,
    /// [`Prepared::workspace_bytes`] of scratch memory, aligned to 256 B.
    pub workspace: CUdeviceptr,
}

/// What a call is prepared into; belongs to the session that made it and is dropped before it.
#[derive(Debug)]
pub struct Prepared {
    kernel: Kernel,
    gemm: VendorGemm,
    /// Scratch memory the call needs.
    pub workspace_bytes: u64,
    /// Library with its version, and what it says of the kernel.
    pub note: String,
}

#[derive(Debug)]
enum Kernel {
    Classic,
    Light(light::Plan),
}

/// Both libraries on one stream. Each is opened when first asked for, so that one without the other is of use.
#[derive(Debug)]
pub struct Session {
    stream: CUstream,
    classic: Option<classic::Handle>,
    light: Option<light::Handle>,
}

impl Session {
    /// A session whose calls are enqueued on `stream`. Touches no library yet.
    ///
    /// # Safety
    /// `stream` outlives the session, and its context is current in every call of the session and when it is dropped.
    #[must_use]
    pub unsafe fn new(stream: CUstream) -> Self {
        Self { stream, classic: None, light: None }
    }

    /// Opens the library that `gemm` asks for and has it choose its kernel.
    ///
    /// # Errors
    /// [`DeviceError::Library`] where the library is missing or refuses, [`DeviceError::Misfit`] where it proposes fewer kernels.
    pub fn prepare(&mut self, gemm: VendorGemm) -> Result<Prepared, DeviceError> {
        guarded("preparing a vendor's GEMM", || match gemm.call {
            VendorCall::Cublas => {
                let handle = opened(&mut self.classic, || classic::Handle::open(self.stream))?;
                Ok(Prepared { kernel: Kernel::Classic, gemm, workspace_bytes: 0, note: handle.note.clone() })
            }
            VendorCall::CublasLt(index) => {
                let handle = opened(&mut self.light, light::Handle::open)?;
                let plan = handle.plan(&gemm.spec, index)?;
                Ok(Prepared {
                    workspace_bytes: plan.workspace_bytes as u64,
                    note: plan.note.clone(),
                    kernel: Kernel::Light(plan),
                    gemm,
                })
            }
        })
    }

    /// Enqueues one call. cuBLAS works in place: where beta is not 0 a copy of C into D goes before it, and is part of the call.
    ///
    /// # Errors
    /// [`DeviceError::Library`] where the library refuses.
    ///
    /// # Safety
    /// `prepared` was made by this session; `buffers` are matrices of the shapes that were prepared for, on the stream's device.
    pub unsafe fn launch(&self, prepared: &Prepared, buffers: Buffers) -> Result<(), DeviceError> {
        let spec = &prepared.gemm.spec;
        guarded("a vendor's GEMM", || match (&prepared.kernel, &self.classic, &self.light) {
            // SAFETY: the caller's guarantees are those of the calls.
            (Kernel::Classic, Some(handle), _) => unsafe { handle.launch(spec, buffers, self.stream) },
            // SAFETY: as above.
            (Kernel::Light(plan), _, Some(handle)) => unsafe { handle.launch(plan, spec, buffers, self.stream) },
            _ => Err(refused("cuBLAS", "a call", "it was prepared by another session")),
        })
    }
}

/// What is in `slot`, opened first where it is empty.
fn opened<T>(slot: &mut Option<T>, open: impl FnOnce() -> Result<T, DeviceError>) -> Result<&T, DeviceError> {
    if slot.is_none() {
        *slot = Some(open()?);
    }
    slot.as_ref().ok_or_else(|| refused("cuBLAS", "a session", "it was not kept"))
}

/// The call as both libraries take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ColumnMajor {
    /// Rows and columns of Dᵀ, and the depth.
    pub(super) size: (usize, usize, usize),
    /// Whether the left operand (B's memory) and the right one (A's) are transposed, seen column by column.
    pub(super) transposed: (bool, bool),
    /// Rows and columns of the left, right and result matrix as they are stored, column by column.
    pub(super) stored: [(usize, usize); 3],
    /// Leading dimensions of the left, right, added and result matrix.
    pub(super) leading: [usize; 4],
}

impl ColumnMajor {
    pub(super) fn of(spec: &GemmSpec) -> Self {
        let ((m, n, k), [a, b, c, d]) = (spec.size, spec.leading);
        let left = if spec.b_transposed { (k, n) } else { (n, k) };
        let right = if spec.a_transposed { (m, k) } else { (k, m) };
        Self {
            size: (n, m, k),
            transposed: (spec.b_transposed, spec.a_transposed),
            stored: [left, right, (n, m)],
            leading: [b, a, c, d],
        }
    }
}

/// alpha or beta in the type that products are summed in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Factor {
    Single(f32),
    Double(f64),
    Integer(i32),
}

impl Factor {
    #[allow(clippy::cast_possible_truncation)] // single precision is what the library multiplies by; integers were checked
    fn of(value: f64, dtype: Dtype) -> Self {
        match dtype.accumulator() {
            Dtype::F64 => Self::Double(value),
            Dtype::Int32 => Self::Integer(value as i32),
            _ => Self::Single(value as f32),
        }
    }

    fn address(&self) -> *const c_void {
        match self {
            Self::Single(value) => std::ptr::from_ref(value).cast(),
            Self::Double(value) => std::ptr::from_ref(value).cast(),
            Self::Integer(value) => std::ptr::from_ref(value).cast(),
        }
    }
}

fn missing(name: &str, file: &str) -> DeviceError {
    DeviceError::Library { name: name.to_owned(), reason: format!("is not there: `{file}` is in none of the loader's folders") }
}

fn refused(name: &str, call: &str, words: impl std::fmt::Display) -> DeviceError {
    DeviceError::Library { name: name.to_owned(), reason: format!("refused `{call}`: {words}") }
}

/// `130100` as `13.1.0`; before 12 libraries count `major·1000 + minor·100`.
fn version(number: usize) -> String {
    let (major, minor, patch) = match number {
        0..100_000 => (number / 1000, number / 100 % 10, number % 100),
        _ => (number / 10_000, number / 100 % 100, number % 100),
    };
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A column-major product as the libraries define it, on integers.
    fn column_major(call: &ColumnMajor, left: &[i64], right: &[i64], result: &mut [i64]) {
        let (rows, cols, depth) = call.size;
        let [l, r, _, d] = call.leading;
        for i in 0..rows {
            for j in 0..cols {
                result[i + j * d] = (0..depth)
                    .map(|p| {
                        let x = if call.transposed.0 { left[p + i * l] } else { left[i + p * l] };
                        x * if call.transposed.1 { right[j + p * r] } else { right[p + j * r] }
                    })
                    .sum();
            }
        }
    }

    #[test]
    fn swapping_the_operands_gives_the_row_major_product_for_every_layout_and_padding() {
        let (m, n, k) = (3, 5, 4);
        for (a_transposed, b_transposed) in [(false, false), (false, true), (true, false), (true, true)] {
            for pad in [0, 2] {
                let lda = if a_transposed { m } else { k } + pad;
                let ldb = if b_transposed { k } else { n } + pad;
                let spec = GemmSpec {
                    size: (m, n, k),
                    dtype: Dtype::F64,
                    a_transposed,
                    b_transposed,
                    alpha: 1.0,
                    beta: 0.0,
                    leading: [lda, ldb, n, n + pad],
                };
                let a: Vec<i64> = (0..60).map(|x| x * x % 17 - 8).collect();
                let b: Vec<i64> = (0..60).map(|x| x * 7 % 19 - 9).collect();
                let mut d = vec![77; m * (n + pad)];
                column_major(&ColumnMajor::of(&spec), &b, &a, &mut d);
                for i in 0..m {
                    for j in 0..n {
                        let at = |p: usize| {
                            let x = if a_transposed { a[p * lda + i] } else { a[i * lda + p] };
                            x * if b_transposed { b[j * ldb + p] } else { b[p * ldb + j] }
                        };
                        let expected: i64 = (0..k).map(at).sum();
                        assert_eq!(d[i * (n + pad) + j], expected, "{spec:?} ({i}, {j})");
                    }
                    assert!(d[i * (n + pad) + n..(i + 1) * (n + pad)].iter().all(|&x| x == 77), "{spec:?}: padding");
                }
            }
        }
    }

    #[test]
    fn stored_shapes_fit_their_leading_dimensions() {
        let spec = |a_transposed, b_transposed, leading| GemmSpec {
            size: (3, 5, 4),
            dtype: Dtype::F16,
            a_transposed,
            b_transposed,
            alpha: 1.0,
            beta: 1.0,
            leading,
        };
        for spec in [spec(false, false, [4, 5, 5, 5]), spec(true, true, [3, 4, 5, 5])] {
            let call = ColumnMajor::of(&spec);
            let leading = [call.leading[0], call.leading[1], call.leading[3]];
            assert_eq!(call.stored.map(|(rows, _)| rows), leading, "a column is as long as the leading dimension: {spec:?}");
        }
    }

    #[test]
    fn versions_are_read_in_both_ways_of_counting() {
        for (number, expected) in [(130_100, "13.1.0"), (120_804, "12.8.4"), (11_803, "11.8.3")] {
            assert_eq!(version(number), expected);
        }
    }

    #[test]
    fn factors_are_of_the_type_of_the_sums() {
        for (dtype, expected) in
            [(Dtype::F16, Factor::Single(2.5)), (Dtype::F64, Factor::Double(2.5)), (Dtype::Tf32, Factor::Single(2.5))]
        {
            assert_eq!(Factor::of(2.5, dtype), expected);
        }
        assert_eq!(Factor::of(3.0, Dtype::Int8), Factor::Integer(3));
    }

    #[test]
    #[allow(clippy::print_stderr)] // a skip must be seen
    fn an_absent_library_is_a_sentence_and_no_panic() {
        // SAFETY: the null stream is the default one, and nothing is launched on it.
        let mut session = unsafe { Session::new(std::ptr::null_mut()) };
        let spec = GemmSpec {
            size: (8, 8, 8),
            dtype: Dtype::F32,
            a_transposed: false,
            b_transposed: false,
            alpha: 1.0,
            beta: 0.0,
            leading: [8; 4],
        };
        for (call, name, there) in [
            // SAFETY: both only try to load a library.
            (VendorCall::Cublas, "cuBLAS", unsafe { cudarc::cublas::sys::is_culib_present() }),
            // SAFETY: as above.
            (VendorCall::CublasLt(0), "cuBLASLt", unsafe { cudarc::cublaslt::sys::is_culib_present() }),
        ] {
            if there {
                eprintln!("skipped: this machine has {name}, so its absence cannot be tested");
                continue;
            }
            let said = session.prepare(VendorGemm { call, spec }).map(|prepared| prepared.note).map_err(|e| e.to_string());
            assert!(said.clone().is_err_and(|e| e.starts_with(&format!("library `{name}` is not there: `lib"))), "{said:?}");
        }
    }
}
