//! A vendor BLAS, loaded at run time: OpenBLAS (also under the names SciPy's wheels give it) or oneDNN.

use std::ffi::{CStr, c_char, c_int};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libloading::Library;

use super::clock::unpinned;
use crate::DeviceError;

type Gemm<T> =
    unsafe extern "C" fn(c_int, c_int, c_int, c_int, c_int, c_int, T, *const T, c_int, *const T, c_int, T, *mut T, c_int);
type Dnnl =
    unsafe extern "C" fn(c_char, c_char, i64, i64, i64, f32, *const f32, i64, *const f32, i64, f32, *mut f32, i64) -> c_int;
type SetThreads = unsafe extern "C" fn(c_int);
type Words = unsafe extern "C" fn() -> *const c_char;

/// File names tried where no path is given; the dynamic loader searches its standard folders.
const NAMES: [&str; 4] = ["libopenblas.so.0", "libopenblas.so", "libscipy_openblas.so", "libdnnl.so.3"];

/// One call: row-major `c = alpha·op(a)·op(b) + beta·c`. Pointers must be valid for the shapes and leading dimensions given.
#[derive(Clone, Copy, Debug)]
pub struct BlasCall<T> {
    /// Rows, columns, depth.
    pub size: (usize, usize, usize),
    /// Whether A is stored k×m.
    pub a_transposed: bool,
    /// Whether B is stored n×k.
    pub b_transposed: bool,
    /// Factor of the product.
    pub alpha: T,
    /// A and its leading dimension.
    pub a: (*const T, usize),
    /// B and its leading dimension.
    pub b: (*const T, usize),
    /// Factor of C; with 0, C is not read.
    pub beta: T,
    /// C and its leading dimension.
    pub c: (*mut T, usize),
}

/// A loaded library.
#[derive(Debug)]
pub struct Blas {
    entry: Entry,
    /// Where it came from.
    pub path: PathBuf,
    /// Its version and the kernel it chose, in its own words.
    pub chosen: String,
    /// Threads it was told to use; 0 before the first call.
    threads: AtomicUsize,
    _library: Library,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    OpenBlas { single: Gemm<f32>, double: Gemm<f64>, set_threads: SetThreads },
    OneDnn { single: Dnnl, set_threads: Option<SetThreads> },
}

struct State {
    path: Option<PathBuf>,
    loaded: Option<Arc<Blas>>,
}

static STATE: Mutex<State> = Mutex::new(State { path: None, loaded: None });

/// Names the library to load from now on; `None` goes back to searching the standard folders. Programs already prepared keep theirs.
pub fn set_library(path: Option<PathBuf>) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    *state = State { path, loaded: None };
}

/// The library given to [`set_library`], else the first one found in the loader's standard folders; loaded once.
///
/// # Errors
/// [`DeviceError::Library`] where there is none or it lacks the functions.
pub fn blas() -> Result<Arc<Blas>, DeviceError> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = &state.loaded {
        return Ok(Arc::clone(loaded));
    }
    let loaded = Arc::new(match &state.path {
        Some(path) => Blas::load(path)?,
        None => NAMES.iter().find_map(|name| Blas::load(Path::new(name)).ok()).ok_or_else(|| DeviceError::Library {
            name: "OpenBLAS or oneDNN".to_owned(),
            reason: format!("was not found under {} in the loader's folders", NAMES.join(", ")),
        })?,
    });
    state.loaded = Some(Arc::clone(&loaded));
    Ok(loaded)
}

impl Blas {
    fn load(path: &Path) -> Result<Self, DeviceError> {
        let refuse = |reason: String| DeviceError::Library { name: path.display().to_string(), reason };
        // SAFETY: loading a library runs its initialisers; the user named this one, or it is the system's BLAS.
        let library =
            unpinned(|| unsafe { Library::new(path) }).map_err(|error| refuse(format!("could not be loaded: {error}")))?;
        let (entry, chosen) = ["", "scipy_"]
            .iter()
            .find_map(|prefix| openblas(&library, prefix))
            .or_else(|| onednn(&library))
            .ok_or_else(|| refuse("has neither `cblas_sgemm` and `cblas_dgemm` nor `dnnl_sgemm`".to_owned()))?;
        Ok(Self { entry, path: path.to_owned(), chosen, threads: AtomicUsize::new(0), _library: library })
    }

    /// What tells its results from another library's: its version and the kernel it chose, and its path where it does not say them.
    #[must_use]
    pub fn identity(&self) -> String {
        match self.entry {
            Entry::OpenBlas { .. } => self.chosen.clone(),
            Entry::OneDnn { .. } => format!("{} {}", self.chosen, self.path.display()),
        }
    }

    /// Whether it multiplies f64.
    #[must_use]
    pub fn has_double(&self) -> bool {
        matches!(self.entry, Entry::OpenBlas { .. })
    }

    /// Runs `calls`, which multiply with as many `threads`, where the library can be told. It starts threads when it is told of more
    /// (OpenBLAS) or at the next call (OpenMP): the calling thread is not pinned meanwhile, or all of them would share its processor.
    pub fn with_threads<T>(&self, threads: usize, calls: impl FnOnce() -> T) -> T {
        if self.threads.swap(threads, Ordering::Relaxed) == threads {
            return calls();
        }
        unpinned(|| {
            if let Entry::OpenBlas { set_threads, .. } | Entry::OneDnn { set_threads: Some(set_threads), .. } = self.entry {
                // SAFETY: takes a count by value.
                unsafe { set_threads(int(threads)) };
            }
            calls()
        })
    }

    /// Multiplies f32.
    ///
    /// # Safety
    /// Pointers of `call` are valid for its shapes; C overlaps neither A nor B.
    pub unsafe fn single(&self, call: &BlasCall<f32>) {
        match self.entry {
            // SAFETY: the caller's guarantee.
            Entry::OpenBlas { single, .. } => unsafe { cblas(single, call) },
            // SAFETY: the caller's guarantee.
            Entry::OneDnn { single, .. } => unsafe { dnnl(single, call) },
        }
    }

    /// Multiplies f64.
    ///
    /// # Safety
    /// As [`Blas::single`].
    ///
    /// # Panics
    /// Where [`Blas::has_double`] is false.
    pub unsafe fn double(&self, call: &BlasCall<f64>) {
        match self.entry {
            // SAFETY: the caller's guarantee.
            Entry::OpenBlas { double, .. } => unsafe { cblas(double, call) },
            Entry::OneDnn { .. } => panic!("oneDNN multiplies f32 only; preparing f64 was refused"),
        }
    }
}

fn openblas(library: &Library, prefix: &str) -> Option<(Entry, String)> {
    let name = |function: &str| format!("{prefix}{function}");
    // SAFETY: these names have had these signatures in every release of OpenBLAS with 32-bit integers.
    unsafe {
        let single = *library.get::<Gemm<f32>>(name("cblas_sgemm").as_str()).ok()?;
        let double = *library.get::<Gemm<f64>>(name("cblas_dgemm").as_str()).ok()?;
        let set_threads = *library.get::<SetThreads>(name("openblas_set_num_threads").as_str()).ok()?;
        let core = *library.get::<Words>(name("openblas_get_corename").as_str()).ok()?;
        let config = *library.get::<Words>(name("openblas_get_config").as_str()).ok()?;
        let version: Vec<_> = words(config()).split_whitespace().take(2).map(str::to_owned).collect();
        let chosen = format!("{} {}", version.join(" "), words(core()));
        Some((Entry::OpenBlas { single, double, set_threads }, chosen))
    }
}

fn onednn(library: &Library) -> Option<(Entry, String)> {
    // SAFETY: `dnnl_sgemm` has had this signature since oneDNN 1.0. Its OpenMP, where it was built with one, is found through it.
    unsafe {
        let single = *library.get::<Dnnl>("dnnl_sgemm").ok()?;
        let set_threads = library.get::<SetThreads>("omp_set_num_threads").ok().map(|function| *function);
        Some((Entry::OneDnn { single, set_threads }, "oneDNN".to_owned()))
    }
}

/// # Safety
/// `text` is null or a C string that lives as long as the library.
unsafe fn words(text: *const c_char) -> String {
    if text.is_null() {
        return "unknown".to_owned();
    }
    // SAFETY: the caller's guarantee.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn int(value: usize) -> c_int {
    c_int::try_from(value).expect("sizes were checked against 2^24")
}

unsafe fn cblas<T: Copy>(gemm: Gemm<T>, call: &BlasCall<T>) {
    const ROW_MAJOR: c_int = 101;
    let transposed = |is: bool| if is { 112 } else { 111 };
    let (m, n, k) = call.size;
    // SAFETY: the caller's guarantee.
    unsafe {
        gemm(
            ROW_MAJOR,
            transposed(call.a_transposed),
            transposed(call.b_transposed),
            int(m),
            int(n),
            int(k),
            call.alpha,
            call.a.0,
            int(call.a.1.max(1)),
            call.b.0,
            int(call.b.1.max(1)),
            call.beta,
            call.c.0,
            int(call.c.1.max(1)),
        );
    }
}

unsafe fn dnnl(gemm: Dnnl, call: &BlasCall<f32>) {
    #[allow(clippy::cast_possible_wrap)] // ASCII
    let letter = |is: bool| if is { b'T' as c_char } else { b'N' as c_char };
    let wide = |value: usize| i64::try_from(value).expect("sizes were checked against 2^24");
    let (m, n, k) = call.size;
    // SAFETY: the caller's guarantee.
    unsafe {
        gemm(
            letter(call.a_transposed),
            letter(call.b_transposed),
            wide(m),
            wide(n),
            wide(k),
            call.alpha,
            call.a.0,
            wide(call.a.1.max(1)),
            call.b.0,
            wide(call.b.1.max(1)),
            call.beta,
            call.c.0,
            wide(call.c.1.max(1)),
        );
    }
}
