//! What verbs that model ask the same way: target, preset, a model file.

use std::path::Path;
use std::str::FromStr;

use clap::Args;
use tilecast_models::{ModelError, Predictor, Preset, Target};

use crate::fail::{Fail, unknown};

/// Which quantity, from which seed.
#[derive(Clone, Debug, Args)]
pub struct TargetArgs {
    /// What is predicted: time, energy or power
    #[arg(long, default_value = "time")]
    target: String,
    /// Seed of forests, splits and intervals
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl TargetArgs {
    /// The target.
    ///
    /// # Errors
    /// [`Fail`] with the nearest known one.
    pub fn target(&self) -> Result<Target, Fail> {
        Target::from_str(&self.target).map_err(|_| unknown("target", &self.target, Target::ALL.iter().map(|target| target.name())))
    }
}

/// The preset called `name`.
///
/// # Errors
/// [`Fail`] with the nearest known one.
pub fn parse_preset(name: &str) -> Result<Preset, Fail> {
    Preset::from_str(name).map_err(|_| unknown("preset", name, Preset::ALL.iter().map(|preset| preset.name())))
}

/// A model's error in the program's words.
#[must_use]
pub fn model_fail(error: &ModelError) -> Fail {
    Fail::new(error.to_string()).hint_some(error.hint())
}

/// Reads a model file.
///
/// # Errors
/// [`Fail`] naming the file and what is wrong with it.
pub fn read_model(path: &Path) -> Result<Predictor, Fail> {
    let place = format!("`{}`", path.display());
    let bytes = std::fs::read(path)
        .map_err(|error| Fail::new(format!("model {place} cannot be read: {error}")).hint("make one with `tilecast fit STORE -o MODEL`"))?;
    Predictor::from_bytes(&bytes).map_err(|error| model_fail(&error).within(place))
}

/// Writes `content` under a temporary name first, so that a full disk leaves no half-written file.
///
/// # Errors
/// [`Fail`] naming the file.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), Fail> {
    let failed = |error: std::io::Error| Fail::new(format!("`{}` cannot be written: {error}", path.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut name = path.file_name().map(std::ffi::OsStr::to_owned).unwrap_or_default();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    std::fs::write(&temporary, content).and_then(|()| std::fs::rename(&temporary, path)).map_err(failed)
}
