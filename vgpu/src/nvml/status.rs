//! NVML's return codes.

use serde::{Deserialize, Serialize};

/// `nvmlReturn_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u32)]
#[allow(missing_docs)] // NVML's names
pub enum Status {
    Success = 0,
    Uninitialized = 1,
    InvalidArgument = 2,
    NotSupported = 3,
    NoPermission = 4,
    NotFound = 6,
    InsufficientSize = 7,
    DriverNotLoaded = 9,
    Timeout = 10,
    LibraryNotFound = 12,
    FunctionNotFound = 13,
    GpuIsLost = 15,
    ResetRequired = 16,
    LibRmVersionMismatch = 18,
    InUse = 19,
    NoData = 21,
    FreqNotSupported = 24,
    ArgumentVersionMismatch = 25,
    Unknown = 999,
}

/// Every code, for looking one up by number.
const ALL: [Status; 19] = [
    Status::Success,
    Status::Uninitialized,
    Status::InvalidArgument,
    Status::NotSupported,
    Status::NoPermission,
    Status::NotFound,
    Status::InsufficientSize,
    Status::DriverNotLoaded,
    Status::Timeout,
    Status::LibraryNotFound,
    Status::FunctionNotFound,
    Status::GpuIsLost,
    Status::ResetRequired,
    Status::LibRmVersionMismatch,
    Status::InUse,
    Status::NoData,
    Status::FreqNotSupported,
    Status::ArgumentVersionMismatch,
    Status::Unknown,
];

impl Status {
    /// The code with that number.
    pub fn from_code(code: u32) -> Option<Self> {
        ALL.into_iter().find(|s| *s as u32 == code)
    }

    /// A sentence for `nvmlErrorString`.
    pub fn text(self) -> &'static std::ffi::CStr {
        match self {
            Status::Success => c"Success",
            Status::Uninitialized => c"NVML was not first initialized with nvmlInit()",
            Status::InvalidArgument => c"A supplied argument is invalid",
            Status::NotSupported => c"The requested operation is not available on the target device",
            Status::NoPermission => c"The current user does not have permission for the operation",
            Status::NotFound => c"A query to find an object was unsuccessful",
            Status::InsufficientSize => c"An input argument is not large enough",
            Status::DriverNotLoaded => c"The NVIDIA driver is not loaded",
            Status::Timeout => c"The user-provided timeout has passed",
            Status::LibraryNotFound => c"NVML shared library could not be found or loaded",
            Status::FunctionNotFound => c"The local version of NVML does not implement this function",
            Status::GpuIsLost => c"The GPU has fallen off the bus or has otherwise become inaccessible",
            Status::ResetRequired => c"The GPU requires a reset before it can be used again",
            Status::LibRmVersionMismatch => c"Driver and library versions do not match",
            Status::InUse => c"The GPU is currently in use",
            Status::NoData => c"No data",
            Status::FreqNotSupported => c"The requested frequency is not supported",
            Status::ArgumentVersionMismatch => c"The version of a structure is not known",
            Status::Unknown => c"An internal driver error occurred",
        }
    }
}
