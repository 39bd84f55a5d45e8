//! NVRTC by its raw interface: cudarc's safe one drops the log of a success and gives no machine code.

use std::ffi::{CStr, CString, c_char};
use std::path::Path;

use cudarc::nvrtc::result::{self, NvrtcError};
use cudarc::nvrtc::sys;

use crate::DeviceError;
use crate::devices::cuda::door::guarded;
use crate::devices::cuda::library::{Libraries, compiler_present};

/// What a compilation gave.
pub(super) struct Output {
    pub(super) cubin: Vec<u8>,
    pub(super) ptx: String,
    /// The compiler's and the assembler's remarks, with registers and spills.
    pub(super) log: String,
}

/// Why there is no output.
pub(super) enum Failed {
    /// The code is at fault: the compiler's own words.
    Code(String),
    /// The compiler is.
    Tool(DeviceError),
}

/// Opens the library and gives its version and the architectures it compiles for.
pub(super) fn open(libraries: &Libraries) -> Result<((u32, u32), Vec<u32>), DeviceError> {
    libraries.open_compiler()?;
    if !compiler_present() {
        return Err(DeviceError::Library {
            name: "libnvrtc.so".to_owned(),
            reason: "was not found in the loader's folders: without it no CUDA kernel can be compiled".to_owned(),
        });
    }
    guarded("nvrtcVersion", || {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both are valid places for an int.
        told("nvrtcVersion", unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) })?;
        Ok(((major.unsigned_abs(), minor.unsigned_abs()), architectures()?))
    })
}

fn architectures() -> Result<Vec<u32>, DeviceError> {
    let mut count = 0;
    // SAFETY: a valid place for an int.
    told("nvrtcGetNumSupportedArchs", unsafe { sys::nvrtcGetNumSupportedArchs(&raw mut count) })?;
    let mut archs = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: as many places as the call before said.
    told("nvrtcGetSupportedArchs", unsafe { sys::nvrtcGetSupportedArchs(archs.as_mut_ptr()) })?;
    Ok(archs.into_iter().map(i32::unsigned_abs).collect())
}

/// Compiles `source`, called `name` in messages. Runs on any thread; NVRTC serialises only what it must.
pub(super) fn compile(name: &str, source: &str, options: &[String]) -> Result<Output, Failed> {
    let mut at_fault = None;
    let done = guarded("nvrtcCompileProgram", || {
        let program = Program::new(name, source)?;
        // SAFETY: the program was made by `create_program` and lives.
        match unsafe { result::compile_program(program.raw, options) } {
            Ok(()) => program.output().map(Some),
            Err(NvrtcError(sys::nvrtcResult::NVRTC_ERROR_COMPILATION)) => {
                at_fault = Some(program.log()?);
                Ok(None)
            }
            Err(error) => Err(named("nvrtcCompileProgram", error, &program.log().unwrap_or_default())),
        }
    });
    match (done, at_fault) {
        (Ok(Some(output)), _) => Ok(output),
        (Ok(None), log) => Err(Failed::Code(log.unwrap_or_default())),
        (Err(error), _) => Err(Failed::Tool(error)),
    }
}

/// Writes the headers that the compiler carries (fp16, bf16, mma, CCCL; some 26 MB) into `folder`, which exists and is empty.
pub(super) fn install_headers(folder: &Path) -> Result<(), DeviceError> {
    let path = c_string(&folder.display().to_string())?;
    guarded("nvrtcInstallBundledHeaders", || {
        let mut reason: *const c_char = std::ptr::null();
        // SAFETY: `path` and `reason` are valid for the call; `reason` then is null or a string of the library's.
        let code = unsafe { sys::nvrtcInstallBundledHeaders(path.as_ptr(), 0, &raw mut reason) };
        let reason = if reason.is_null() {
            String::new()
        } else {
            // SAFETY: as above.
            unsafe { CStr::from_ptr(reason) }.to_string_lossy().into_owned()
        };
        code.result().map_err(|error| named("nvrtcInstallBundledHeaders", error, &reason))
    })
}

fn told(call: &'static str, code: sys::nvrtcResult) -> Result<(), DeviceError> {
    code.result().map_err(|error| named(call, error, ""))
}

fn named(call: &'static str, error: NvrtcError, log: &str) -> DeviceError {
    let words = log.trim();
    let reason =
        if words.is_empty() { format!("{error}") } else { format!("{error}: {}", words.lines().next().unwrap_or(words)) };
    DeviceError::System { call, reason }
}

fn c_string(text: &str) -> Result<CString, DeviceError> {
    CString::new(text).map_err(|_| DeviceError::System { call: "nvrtc", reason: "a text holds a zero byte".to_owned() })
}

struct Program {
    raw: sys::nvrtcProgram,
}

impl Program {
    fn new(name: &str, source: &str) -> Result<Self, DeviceError> {
        // The library copies both texts.
        let raw = result::create_program(&c_string(source)?, Some(&c_string(name)?));
        Ok(Self { raw: raw.map_err(|error| named("nvrtcCreateProgram", error, ""))? })
    }

    fn log(&self) -> Result<String, DeviceError> {
        // SAFETY: the program lives.
        let log = unsafe { result::get_program_log(self.raw) }.map_err(|error| named("nvrtcGetProgramLog", error, ""))?;
        Ok(text(&log))
    }

    fn output(&self) -> Result<Output, DeviceError> {
        // SAFETY: the program lives and was compiled.
        let ptx = unsafe { result::get_ptx(self.raw) }.map_err(|error| named("nvrtcGetPTX", error, ""))?;
        Ok(Output { cubin: self.cubin()?, ptx: text(&ptx), log: self.log()? })
    }

    fn cubin(&self) -> Result<Vec<u8>, DeviceError> {
        let mut size = 0;
        // SAFETY: the program lives; a valid place for a size.
        told("nvrtcGetCUBINSize", unsafe { sys::nvrtcGetCUBINSize(self.raw, &raw mut size) })?;
        let mut cubin = vec![0u8; size];
        // SAFETY: the buffer has the size that the call before gave.
        told("nvrtcGetCUBIN", unsafe { sys::nvrtcGetCUBIN(self.raw, cubin.as_mut_ptr().cast()) })?;
        Ok(cubin)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: made by `create_program`, destroyed once. A program that cannot be destroyed leaks.
        let _ = unsafe { result::destroy_program(self.raw) };
    }
}

/// Up to the first zero.
fn text(bytes: &[c_char]) -> String {
    #[allow(clippy::cast_sign_loss)] // characters are bytes
    let bytes: Vec<u8> = bytes.iter().map(|&c| c as u8).take_while(|&c| c != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
