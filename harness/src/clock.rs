//! The program's clock and host: the only reads of them outside kernels' devices.

use jiff::Timestamp;

/// Now, RFC 3339, UTC, to the second.
#[must_use]
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Now, as the start of a run id: sorts by time.
#[must_use]
pub fn stamp() -> String {
    Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Host name, or `unknown`.
#[must_use]
pub fn host() -> String {
    sysinfo::System::host_name().unwrap_or_else(|_| "unknown".to_owned())
}
