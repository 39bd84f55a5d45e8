//! Header folders: those the compiler carries, and the user's CUTLASS.

use std::path::{Path, PathBuf};

use super::{cache, nvrtc};
use crate::DeviceError;
use crate::devices::cuda::Include;

/// A file that every release's headers have.
const WITNESS: &str = "cuda_fp16.h";

/// Include options for `include`. Headers that the compiler carries are written once per version into `cache`.
pub(super) fn options(
    include: Include,
    cache: &Path,
    version: (u32, u32),
    cutlass: Option<&Path>,
) -> Result<Vec<String>, DeviceError> {
    let option = |folder: &Path| format!("-I{}", folder.display());
    match include {
        Include::None => Ok(Vec::new()),
        Include::Bundled => Ok(vec![option(&bundled(cache, version)?)]),
        Include::Cutlass => {
            let cutlass = cutlass.ok_or_else(|| DeviceError::Library {
                name: "CUTLASS".to_owned(),
                reason: "is not named: its include folder is needed".to_owned(),
            })?;
            // CUTLASS includes `cccl/cuda/std/…` as well as `cuda/std/…`. Its 4.2 does not compile with CCCL 13.2 or later, which newer
            // compilers carry, so a `cccl` folder beside it comes first.
            let mut folders = vec![option(cutlass)];
            let rest = if cutlass.join("cccl").is_dir() { cutlass.to_owned() } else { bundled(cache, version)? };
            if rest != cutlass {
                folders.push(option(&rest));
            }
            folders.push(option(&rest.join("cccl")));
            folders.extend(["-default-device".to_owned(), "-diag-suppress=20044".to_owned()]);
            Ok(folders)
        }
    }
}

/// What tells one release of the headers from another in the same folder; empty for the compiler's own, which its version tells.
pub(super) fn release(include: Include, cutlass: Option<&Path>) -> String {
    let file = cutlass.filter(|_| include == Include::Cutlass).map(|folder| folder.join("cutlass").join("version.h"));
    file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default()
}

/// The compiler's own headers, in place.
fn bundled(cache: &Path, version: (u32, u32)) -> Result<PathBuf, DeviceError> {
    let folder = cache.join(format!("headers-{}.{}", version.0, version.1));
    if folder.join(WITNESS).is_file() {
        return Ok(folder);
    }
    if version < (13, 3) {
        return Err(DeviceError::Library {
            name: format!("nvrtc {}.{}", version.0, version.1),
            reason: "carries no headers: 13.3 or later is needed for this kernel".to_owned(),
        });
    }
    let refused =
        |error: std::io::Error| DeviceError::System { call: "headers", reason: format!("`{}`: {error}", folder.display()) };
    let temporary = folder.with_extension(cache::unique());
    std::fs::create_dir_all(&temporary).map_err(refused)?;
    nvrtc::install_headers(&temporary)?;
    match std::fs::rename(&temporary, &folder) {
        // Another process was quicker: its folder is whole, since it came by a rename too.
        Err(_) if folder.join(WITNESS).is_file() => std::fs::remove_dir_all(&temporary).map_err(refused)?,
        renamed => renamed.map_err(refused)?,
    }
    Ok(folder)
}
