//! Loading PTX.

use std::ffi::{c_char, c_uint, c_void};
use std::sync::Arc;

use super::code::Code;
use super::ffi::{Image as Source, Out, Text, cuda, image};
use super::objects::LoadedModule;
use super::session::{Session, enter};
use crate::launch::Image;
use crate::profile::Profile;
use crate::ptx::{self, Module};
use crate::time::costs;

/// Texts kept decoded.
const PARSED_KEPT: usize = 256;

cuda! {
    /// Loads PTX text. Machine code gives `CUDA_ERROR_NO_BINARY_FOR_GPU`, text that does not parse `CUDA_ERROR_INVALID_PTX`; the log says why.
    fn cuModuleLoadData(module: Out<u64>, data: *const c_void) {
        let source = image(data).ok_or(Code::InvalidValue)?;
        load(module, source, &Logs::NONE)
    }

    /// The same, with the reason in the error log buffer among the options.
    fn cuModuleLoadDataEx(module: Out<u64>, data: *const c_void, count: c_uint, options: Out<c_uint>, values: Out<*mut c_void>) {
        let source = image(data).ok_or(Code::InvalidValue)?;
        load(module, source, &Logs::among(count as usize, options, values))
    }

    /// Fat binaries hold machine code, which cannot run here.
    fn cuModuleLoadFatBinary(module: Out<u64>, data: *const c_void) {
        let source = image(data).ok_or(Code::InvalidValue)?;
        load(module, source, &Logs::NONE)
    }

    /// Loads a file.
    fn cuModuleLoad(module: Out<u64>, path: Text) {
        let path = path.get().ok_or(Code::InvalidValue)?;
        let mut bytes = std::fs::read(&path).map_err(|_| Code::FileNotFound)?;
        bytes.extend([0; 8]);
        load(module, image(bytes.as_ptr().cast()).ok_or(Code::InvalidImage)?, &Logs::NONE)
    }

    /// Frees a module's variables and forgets its kernels.
    fn cuModuleUnload(module: u64) {
        enter(|s| {
            if s.inner.modules.get(&module).is_none_or(|m| m.context != s.id) {
                return Err(Code::InvalidHandle);
            }
            if let Some(gone) = s.inner.modules.remove(&module) {
                gone.image.unload(&s.machine.memories[s.device]);
            }
            s.inner.functions.retain(|_, f| f.module != module);
            s.inner.memo.retain(|key, _| key.module != module);
            Ok(())
        })
    }

    /// Address and size of a variable.
    fn cuModuleGetGlobal_v2(address: Out<u64>, bytes: Out<usize>, module: u64, name: Text) {
        let name = name.get().ok_or(Code::InvalidValue)?;
        enter(|s| {
            let loaded = s.inner.modules.get(&module).ok_or(Code::InvalidHandle)?;
            let (at, size) = *loaded.image.globals.get(&name).ok_or(Code::NotFound)?;
            let _ = (address.give(at), bytes.give(size as usize));
            Ok(())
        })
    }

    /// Everything is loaded at once.
    fn cuModuleGetLoadingMode(mode: Out<c_uint>) {
        mode.set(1)
    }

    /// Kernels of a module.
    fn cuModuleGetFunctionCount(count: Out<c_uint>, module: u64) {
        enter(|s| count.set(s.inner.modules.get(&module).ok_or(Code::InvalidHandle)?.image.module.functions.len() as c_uint))
    }
}

/// The buffers for messages that a caller may pass.
struct Logs {
    error: Option<(Out<c_char>, usize)>,
}

/// `CU_JIT_ERROR_LOG_BUFFER` and `..._SIZE_BYTES`.
const ERROR_LOG: u32 = 5;
const ERROR_LOG_BYTES: u32 = 6;

impl Logs {
    const NONE: Self = Self { error: None };

    /// Options come as a list of numbers beside a list of values, each the size of a pointer.
    fn among(count: usize, options: Out<c_uint>, values: Out<*mut c_void>) -> Self {
        let value = |wanted: u32| (0..count).find(|i| options.get_at(*i) == Some(wanted)).and_then(|i| values.get_at(i));
        let error = value(ERROR_LOG)
            .filter(|p| !p.is_null())
            .map(|p| (Out::at(p as usize), value(ERROR_LOG_BYTES).map_or(0, |v| v as usize)));
        Self { error }
    }

    fn tell(&self, text: &str) {
        super::log::say(text);
        if let Some((buffer, size)) = self.error {
            let _ = buffer.give_text(text, size);
        }
    }
}

fn load(out: Out<u64>, source: Source, logs: &Logs) -> Result<(), Code> {
    if out.is_null() {
        return Err(Code::InvalidValue);
    }
    let text = match source {
        Source::Text(text) => text,
        Source::Cubin => {
            logs.tell("the image is machine code (CUBIN), which a virtual GPU cannot run: load the PTX instead");
            return Err(Code::NoBinaryForGpu);
        }
        Source::FatBinary => {
            logs.tell("the image is a fat binary, which a virtual GPU cannot run: load the PTX instead");
            return Err(Code::NoBinaryForGpu);
        }
    };
    enter(|s| {
        let module = parsed(s, text, logs)?;
        suits(s, &module, logs)?;
        s.card().clock.pass(costs::LOAD_NS);
        let image = Image::load(module, &s.machine.memories[s.device]).map_err(|full| {
            logs.tell(&full.to_string());
            Code::OutOfMemory
        })?;
        let handle = s.inner.handle();
        let context = s.id;
        s.inner.modules.insert(handle, LoadedModule { context, image: Arc::new(image) });
        out.set(handle)
    })
}

/// Decodes `text`, or takes what was decoded from the same text before.
fn parsed(s: &mut Session<'_>, text: String, logs: &Logs) -> Result<Arc<Module>, Code> {
    if let Some(known) = s.inner.parsed.get(&text) {
        return Ok(known.clone());
    }
    let module = ptx::parse(&text).map_err(|wrong| {
        logs.tell(&wrong.to_string());
        Code::InvalidPtx
    })?;
    let module = Arc::new(module);
    if s.inner.parsed.len() >= PARSED_KEPT {
        s.inner.parsed.clear();
    }
    s.inner.parsed.insert(text, module.clone());
    Ok(module)
}

/// A driver refuses PTX newer than itself, and PTX for another or newer architecture.
fn suits(s: &mut Session<'_>, module: &Module, logs: &Logs) -> Result<(), Code> {
    let card = s.card();
    let cuda = card.scenario.driver.cuda;
    if module.version > newest_ptx(cuda) {
        let (major, minor) = module.version;
        logs.tell(&format!("PTX {major}.{minor} is newer than the driver (CUDA {}.{}) knows", cuda / 1000, cuda % 1000 / 10));
        return Err(Code::UnsupportedPtxVersion);
    }
    if !runs_on(&module.target, card.profile) {
        logs.tell(&format!(
            "PTX for `{}` does not run on compute capability {}.{}",
            module.target, card.profile.compute.0, card.profile.compute.1
        ));
        return Err(Code::InvalidPtx);
    }
    Ok(())
}

/// The newest PTX version of a CUDA release (PTX manual, release history): 12.0 came with 8.0, 13.0 with 9.0, and each minor release with the next, except that 12.6 kept 8.5.
fn newest_ptx(cuda: u32) -> (u32, u32) {
    match (cuda / 1000, cuda % 1000 / 10) {
        (..=10, _) => (6, 5),
        (11, minor) => (7, minor),
        (12, minor @ 0..=5) => (8, minor),
        (12, minor) => (8, minor - 1),
        (major, minor) => (major - 4, minor),
    }
}

/// `sm_80` runs on 8.0 and everything newer; `sm_90a` on 9.0 alone; `sm_100f` on the family of 10.x from there on.
fn runs_on(target: &str, profile: &Profile) -> bool {
    let Some(number) = target.strip_prefix("sm_") else { return false };
    let digits = number.trim_end_matches(['a', 'f']);
    let Ok(wanted) = digits.parse::<u32>() else { return false };
    match &number[digits.len()..] {
        "" => profile.sm() >= wanted,
        "a" => profile.sm() == wanted,
        _ => profile.sm() >= wanted && profile.sm() / 10 == wanted / 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_run_where_cuda_says() {
        for (target, key, runs) in [
            ("sm_75", "h100", true),
            ("sm_80", "a100", true),
            ("sm_86", "a100", false),
            ("sm_90a", "h100", true),
            ("sm_90a", "b200", false),
            ("sm_100f", "b200", true),
            ("sm_100f", "rtx5090", false),
            ("compute_80", "a100", false),
        ] {
            assert_eq!(runs_on(target, Profile::named(key).unwrap()), runs, "{target} on {key}");
        }
    }

    #[test]
    fn drivers_know_the_ptx_of_their_release() {
        for (cuda, ptx) in [
            (11_080, (7, 8)),
            (12_000, (8, 0)),
            (12_050, (8, 5)),
            (12_060, (8, 5)),
            (12_080, (8, 7)),
            (13_000, (9, 0)),
            (13_050, (9, 5)),
        ] {
            assert_eq!(newest_ptx(cuda), ptx, "{cuda}");
        }
    }
}
