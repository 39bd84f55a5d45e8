//! Compiled code on disk: `<folder>/ab/abcdef….{json,cubin,ptx}`, so that other tools can read the code too.
//!
//! Each file is written under a temporary name and renamed, the `json` last: an entry is whole or absent. The `json` holds the checksums of
//! the other two; what does not match is compiled anew.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Code, KernelCode};
use crate::DeviceError;

/// What a key leads to.
#[derive(Debug)]
pub(super) enum Entry {
    /// Code that compiled.
    Code(Box<Code>),
    /// Code that does not, with the compiler's words.
    Refused(String),
}

#[derive(Serialize, Deserialize)]
struct Record {
    compiler: String,
    arch: String,
    options: Vec<String>,
    compile_s: f64,
    #[serde(default)]
    kernels: Vec<KernelCode>,
    #[serde(default)]
    refused: Option<String>,
    /// Of the CUBIN, the PTX and everything above.
    #[serde(default)]
    sha256: String,
}

/// How an entry came to be, kept in it for people.
pub(super) struct Made<'a> {
    pub(super) compiler: &'a str,
    pub(super) arch: &'a str,
    pub(super) options: &'a [String],
    pub(super) compile_s: f64,
}

/// A folder of entries.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Makes the folder where there is none.
    pub(super) fn open(folder: &Path) -> Result<Self, DeviceError> {
        std::fs::create_dir_all(folder).map_err(|error| DeviceError::System {
            call: "compile cache",
            reason: format!("folder `{}` cannot be made: {error}", folder.display()),
        })?;
        Ok(Self { folder: folder.to_owned() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The entry of `key`; `None` where there is none or it is damaged.
    pub(super) fn find(&self, key: &str) -> Option<Entry> {
        let mut record: Record = serde_json::from_slice(&std::fs::read(self.file(key, "json")).ok()?).ok()?;
        let said = std::mem::take(&mut record.sha256);
        if let Some(words) = &record.refused {
            return (checksum(&record, &[], "") == said).then(|| Entry::Refused(words.clone()));
        }
        let cubin = std::fs::read(self.file(key, "cubin")).ok()?;
        let ptx = String::from_utf8(std::fs::read(self.file(key, "ptx")).ok()?).ok()?;
        if checksum(&record, &cubin, &ptx) != said {
            return None;
        }
        let Record { compiler, arch, kernels, compile_s, .. } = record;
        Some(Entry::Code(Box::new(Code { id: key.to_owned(), compiler, arch, cubin, ptx, kernels, compile_s, cached: true })))
    }

    /// Keeps what a key led to. A cache that cannot be written costs time, not results, so nothing is said of it.
    pub(super) fn keep(&self, key: &str, entry: &Entry, made: &Made<'_>) {
        let mut record = Record {
            compiler: made.compiler.to_owned(),
            arch: made.arch.to_owned(),
            options: made.options.to_vec(),
            compile_s: made.compile_s,
            kernels: Vec::new(),
            refused: None,
            sha256: String::new(),
        };
        let written = match entry {
            Entry::Code(code) => {
                record.kernels.clone_from(&code.kernels);
                record.sha256 = checksum(&record, &code.cubin, &code.ptx);
                self.write(key, "cubin", &code.cubin).and_then(|()| self.write(key, "ptx", code.ptx.as_bytes()))
            }
            Entry::Refused(words) => {
                record.refused = Some(words.clone());
                record.sha256 = checksum(&record, &[], "");
                Ok(())
            }
        };
        let json = serde_json::to_vec_pretty(&record).expect("text and finite numbers");
        let _ = written.and_then(|()| self.write(key, "json", &json));
    }

    fn file(&self, key: &str, kind: &str) -> PathBuf {
        self.folder.join(&key[..2]).join(format!("{key}.{kind}"))
    }

    fn write(&self, key: &str, kind: &str, bytes: &[u8]) -> std::io::Result<()> {
        let file = self.file(key, kind);
        std::fs::create_dir_all(self.folder.join(&key[..2]))?;
        let temporary = file.with_extension(format!("{kind}.{}", unique()));
        std::fs::write(&temporary, bytes)?;
        std::fs::rename(&temporary, &file).inspect_err(|_| {
            let _ = std::fs::remove_file(&temporary);
        })
    }
}

/// A suffix that no other writer uses, in this process or another.
pub(super) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn checksum(record: &Record, cubin: &[u8], ptx: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(record).expect("text and finite numbers"));
    hash.update((cubin.len() as u64).to_le_bytes());
    hash.update(cubin);
    hash.update(ptx);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> Box<Code> {
        let kernels = vec![KernelCode { name: "f".into(), registers: 8, ..KernelCode::default() }];
        Box::new(Code {
            id: "abcdef".into(),
            compiler: "nvrtc 13.5".into(),
            arch: "sm_80".into(),
            cubin: vec![1, 2, 3, 0, 255],
            ptx: ".version 9.5".into(),
            kernels,
            compile_s: 0.25,
            cached: false,
        })
    }

    fn kept(entry: &Entry) -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache::open(folder.path()).expect("writable");
        let options = ["--std=c++17".to_owned()];
        cache.keep("abcdef", entry, &Made { compiler: "nvrtc 13.5", arch: "sm_80", options: &options, compile_s: 0.25 });
        (folder, cache)
    }

    #[test]
    fn what_was_kept_is_found_again_code_and_refusal_alike() {
        let (_folder, cache) = kept(&Entry::Code(code()));
        let Some(Entry::Code(found)) = cache.find("abcdef") else { panic!("not found") };
        assert_eq!(found, Box::new(Code { cached: true, ..*code() }));
        assert!(cache.find("abcdee").is_none());
        let (_folder, cache) = kept(&Entry::Refused("k.cu(1): error: no".into()));
        assert!(matches!(cache.find("abcdef"), Some(Entry::Refused(words)) if words == "k.cu(1): error: no"));
    }

    #[test]
    fn a_damaged_or_half_written_entry_is_no_entry_and_leaves_no_temporary_files() {
        type Damage = fn(Vec<u8>) -> Vec<u8>;
        let cut: Damage = |bytes| bytes[..bytes.len() / 2].to_vec();
        let flip: Damage = |mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        };
        let empty: Damage = |_| Vec::new();
        for kind in ["json", "cubin", "ptx"] {
            for damage in [cut, flip, empty] {
                let (folder, cache) = kept(&Entry::Code(code()));
                let file = folder.path().join("ab").join(format!("abcdef.{kind}"));
                std::fs::write(&file, damage(std::fs::read(&file).expect("kept"))).expect("writable");
                assert!(cache.find("abcdef").is_none(), "{kind}");
            }
            let (folder, cache) = kept(&Entry::Code(code()));
            std::fs::remove_file(folder.path().join("ab").join(format!("abcdef.{kind}"))).expect("kept");
            assert!(cache.find("abcdef").is_none(), "{kind} missing");
        }
        let (folder, _cache) = kept(&Entry::Code(code()));
        assert_eq!(std::fs::read_dir(folder.path().join("ab")).expect("a folder").count(), 3);
    }
}
