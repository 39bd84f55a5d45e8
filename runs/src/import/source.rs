//! Reading a file, packed or not, within bounds.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::{ImportError, Limits};
use crate::id::sha256;

/// A file as read.
pub(super) struct Source {
    /// Its text, unpacked and without byte order mark.
    pub(super) text: String,
    /// SHA-256 of the bytes on disk.
    pub(super) sha256: String,
}

/// Below this size a high packing ratio is harmless.
const RATIO_FLOOR: u64 = 64 << 20;

pub(super) fn read(path: &Path, limits: Limits) -> Result<Source, ImportError> {
    let bytes = fs::read(path).map_err(|source| ImportError::Io { path: path.to_owned(), source })?;
    if bytes.is_empty() {
        return Err(ImportError::Empty { path: path.to_owned() });
    }
    let sha256 = sha256(&bytes);
    let packed = bytes.starts_with(&[0x1f, 0x8b]);
    if !packed && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz")) {
        let found: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        return Err(ImportError::NotGzip { path: path.to_owned(), found: found.join(" ") });
    }
    let bytes = if packed { unpack(path, &bytes, limits)? } else { bytes };
    Ok(Source { text: text(path, bytes)?, sha256 })
}

/// Unpacks piece by piece, so that a bomb is refused before it fills the memory.
fn unpack(path: &Path, packed: &[u8], limits: Limits) -> Result<Vec<u8>, ImportError> {
    let by_ratio = (packed.len() as u64).saturating_mul(limits.max_ratio).max(RATIO_FLOOR);
    let (limit, why) = if by_ratio < limits.max_bytes {
        (by_ratio, "more than the packing ratio allows")
    } else {
        (limits.max_bytes, "the size limit")
    };
    let mut bytes = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed).take(limit.saturating_add(1));
    decoder.read_to_end(&mut bytes).map_err(|source| ImportError::BadGzip { path: path.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(ImportError::TooLarge { path: path.to_owned(), limit, why });
    }
    Ok(bytes)
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, ImportError> {
    let encoding = |why: String| ImportError::Encoding { path: path.to_owned(), why };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(encoding("a UTF-16 byte order mark".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|error| encoding(error.utf8_error().to_string()))?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    if text.trim().is_empty() {
        return Err(ImportError::Empty { path: path.to_owned() });
    }
    Ok(text)
}
