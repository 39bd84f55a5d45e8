//! CUDA's error codes, their names and sentences.

use std::ffi::CStr;

/// `CUresult`: the codes this driver can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[allow(missing_docs)] // CUDA's names
pub enum Code {
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    Deinitialized = 4,
    StubLibrary = 34,
    CallRequiresNewerDriver = 36,
    DeviceUnavailable = 46,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidImage = 200,
    InvalidContext = 201,
    MapFailed = 205,
    NoBinaryForGpu = 209,
    UnsupportedLimit = 215,
    ContextAlreadyInUse = 216,
    PeerAccessUnsupported = 217,
    InvalidPtx = 218,
    JitCompilerNotFound = 221,
    UnsupportedPtxVersion = 222,
    InvalidSource = 300,
    FileNotFound = 301,
    SharedObjectSymbolNotFound = 302,
    OperatingSystem = 304,
    InvalidHandle = 400,
    IllegalState = 401,
    NotFound = 500,
    NotReady = 600,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    LaunchTimeout = 702,
    PeerAccessAlreadyEnabled = 704,
    PeerAccessNotEnabled = 705,
    PrimaryContextActive = 708,
    ContextIsDestroyed = 709,
    Assert = 710,
    HostMemoryAlreadyRegistered = 712,
    HostMemoryNotRegistered = 713,
    IllegalInstruction = 715,
    MisalignedAddress = 716,
    InvalidPc = 718,
    LaunchFailed = 719,
    CooperativeLaunchTooLarge = 720,
    NotPermitted = 800,
    NotSupported = 801,
    StreamCaptureUnsupported = 900,
    InvalidClusterSize = 912,
    Unknown = 999,
}

/// Code, CUDA's name of it, CUDA's sentence about it.
const TABLE: &[(Code, &CStr, &CStr)] = &[
    (Code::Success, c"CUDA_SUCCESS", c"no error"),
    (Code::InvalidValue, c"CUDA_ERROR_INVALID_VALUE", c"invalid argument"),
    (Code::OutOfMemory, c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory"),
    (Code::NotInitialized, c"CUDA_ERROR_NOT_INITIALIZED", c"initialization error"),
    (Code::Deinitialized, c"CUDA_ERROR_DEINITIALIZED", c"driver shutting down"),
    (Code::StubLibrary, c"CUDA_ERROR_STUB_LIBRARY", c"CUDA driver is a stub library"),
    (
        Code::CallRequiresNewerDriver,
        c"CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER",
        c"API call is not supported in the installed CUDA driver",
    ),
    (Code::DeviceUnavailable, c"CUDA_ERROR_DEVICE_UNAVAILABLE", c"CUDA-capable device(s) is/are busy or unavailable"),
    (Code::NoDevice, c"CUDA_ERROR_NO_DEVICE", c"no CUDA-capable device is detected"),
    (Code::InvalidDevice, c"CUDA_ERROR_INVALID_DEVICE", c"invalid device ordinal"),
    (Code::InvalidImage, c"CUDA_ERROR_INVALID_IMAGE", c"device kernel image is invalid"),
    (Code::InvalidContext, c"CUDA_ERROR_INVALID_CONTEXT", c"invalid device context"),
    (Code::MapFailed, c"CUDA_ERROR_MAP_FAILED", c"mapping of buffer object failed"),
    (Code::NoBinaryForGpu, c"CUDA_ERROR_NO_BINARY_FOR_GPU", c"no kernel image is available for execution on the device"),
    (Code::UnsupportedLimit, c"CUDA_ERROR_UNSUPPORTED_LIMIT", c"limit is not supported on this architecture"),
    (
        Code::ContextAlreadyInUse,
        c"CUDA_ERROR_CONTEXT_ALREADY_IN_USE",
        c"exclusive-thread device already in use by a different thread",
    ),
    (
        Code::PeerAccessUnsupported,
        c"CUDA_ERROR_PEER_ACCESS_UNSUPPORTED",
        c"peer access is not supported between these two devices",
    ),
    (Code::InvalidPtx, c"CUDA_ERROR_INVALID_PTX", c"a PTX JIT compilation failed"),
    (Code::JitCompilerNotFound, c"CUDA_ERROR_JIT_COMPILER_NOT_FOUND", c"PTX JIT compiler library not found"),
    (
        Code::UnsupportedPtxVersion,
        c"CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
        c"the provided PTX was compiled with an unsupported toolchain",
    ),
    (Code::InvalidSource, c"CUDA_ERROR_INVALID_SOURCE", c"device kernel image is invalid"),
    (Code::FileNotFound, c"CUDA_ERROR_FILE_NOT_FOUND", c"file not found"),
    (Code::SharedObjectSymbolNotFound, c"CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", c"shared object symbol not found"),
    (Code::OperatingSystem, c"CUDA_ERROR_OPERATING_SYSTEM", c"OS call failed or operation not supported on this OS"),
    (Code::InvalidHandle, c"CUDA_ERROR_INVALID_HANDLE", c"invalid resource handle"),
    (Code::IllegalState, c"CUDA_ERROR_ILLEGAL_STATE", c"the operation cannot be performed in the present state"),
    (Code::NotFound, c"CUDA_ERROR_NOT_FOUND", c"named symbol not found"),
    (Code::NotReady, c"CUDA_ERROR_NOT_READY", c"device not ready"),
    (Code::IllegalAddress, c"CUDA_ERROR_ILLEGAL_ADDRESS", c"an illegal memory access was encountered"),
    (Code::LaunchOutOfResources, c"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", c"too many resources requested for launch"),
    (Code::LaunchTimeout, c"CUDA_ERROR_LAUNCH_TIMEOUT", c"the launch timed out and was terminated"),
    (Code::PeerAccessAlreadyEnabled, c"CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", c"peer access is already enabled"),
    (Code::PeerAccessNotEnabled, c"CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", c"peer access has not been enabled"),
    (Code::PrimaryContextActive, c"CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", c"cannot set while device is active in this process"),
    (Code::ContextIsDestroyed, c"CUDA_ERROR_CONTEXT_IS_DESTROYED", c"context is destroyed"),
    (Code::Assert, c"CUDA_ERROR_ASSERT", c"device-side assert triggered"),
    (
        Code::HostMemoryAlreadyRegistered,
        c"CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
        c"part or all of the requested memory range is already mapped",
    ),
    (
        Code::HostMemoryNotRegistered,
        c"CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
        c"pointer does not correspond to a registered memory region",
    ),
    (Code::IllegalInstruction, c"CUDA_ERROR_ILLEGAL_INSTRUCTION", c"an illegal instruction was encountered"),
    (Code::MisalignedAddress, c"CUDA_ERROR_MISALIGNED_ADDRESS", c"misaligned address"),
    (Code::InvalidPc, c"CUDA_ERROR_INVALID_PC", c"invalid program counter"),
    (Code::LaunchFailed, c"CUDA_ERROR_LAUNCH_FAILED", c"unspecified launch failure"),
    (Code::CooperativeLaunchTooLarge, c"CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", c"too many blocks in cooperative launch"),
    (Code::NotPermitted, c"CUDA_ERROR_NOT_PERMITTED", c"operation not permitted"),
    (Code::NotSupported, c"CUDA_ERROR_NOT_SUPPORTED", c"operation not supported"),
    (
        Code::StreamCaptureUnsupported,
        c"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        c"operation not permitted when stream is capturing",
    ),
    (Code::InvalidClusterSize, c"CUDA_ERROR_INVALID_CLUSTER_SIZE", c"cluster misconfiguration"),
    (Code::Unknown, c"CUDA_ERROR_UNKNOWN", c"unknown error"),
];

impl Code {
    /// The code with that number, its name and its sentence.
    pub fn look_up(number: u32) -> Option<(Code, &'static CStr, &'static CStr)> {
        TABLE.iter().copied().find(|(code, _, _)| *code as u32 == number)
    }

    /// Whether a context that met it is lost, as on a GPU.
    pub fn is_sticky(self) -> bool {
        use Code::{Assert, IllegalAddress, IllegalInstruction, InvalidPc, LaunchFailed, LaunchTimeout, MisalignedAddress};
        matches!(
            self,
            Assert | IllegalAddress | IllegalInstruction | InvalidPc | LaunchFailed | LaunchTimeout | MisalignedAddress
        )
    }
}
