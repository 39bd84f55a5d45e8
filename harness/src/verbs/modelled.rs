//! What verbs that model ask the same way: target, preset, a model file.

use std::path::Path;
use std::str::FromStr;

use clap::Args;
use tilecast_models::{Predictor, Preset, Target};

use crate::fail::{Fail, unknown};
use crate::terminal;

/// Which quantity, from which seed.
#[derive(Clone, Debug, Args)]
pub struct TargetArgs {
    /// What is predicted: time, energy or power
    #[arg(long, default_value = "time")]
    target: String,
    /// Seed of forests, splits and intervals
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Trees of a forest
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    trees: u32,
}

impl TargetArgs {
    /// Trees of a forest.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.trees as usize
    }

    /// The target.
    ///
    /// # Errors
    /// [`Fail`] with the nearest known one.
    pub fn target(&self) -> Result<Target, Fail> {
        Target::from_str(&self.target)
            .map_err(|_| unknown("target", &self.target, Target::ALL.iter().map(|target| target.name())))
    }
}

/// The preset called `name`.
///
/// # Errors
/// [`Fail`] with the nearest known one.
pub fn parse_preset(name: &str) -> Result<Preset, Fail> {
    Preset::from_str(name).map_err(|_| unknown("preset", name, Preset::ALL.iter().map(|preset| preset.name())))
}

/// Reads a model file.
///
/// # Errors
/// [`Fail`] naming the file and what is wrong with it.
pub fn read_model(path: &Path) -> Result<Predictor, Fail> {
    let place = format!("`{}`", path.display());
    let bytes = std::fs::read(path).map_err(|error| {
        Fail::new(format!("model {place} cannot be read: {error}")).hint("make one with `tilecast fit STORE -o MODEL`")
    })?;
    Predictor::from_bytes(&bytes).map_err(|error| Fail::from(error).within(place))
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

/// `value` of `target` with its unit.
#[must_use]
pub fn quantity(target: Target, value: f64) -> String {
    match target {
        Target::Time => terminal::seconds(value),
        Target::Energy => format!("{} mJ", terminal::significant(value * 1e3)),
        Target::Power => format!("{} W", terminal::significant(value)),
    }
}

/// An interval of `target`; a dash where there is none.
#[must_use]
pub fn interval(target: Target, (lo, hi): (Option<f64>, Option<f64>)) -> String {
    match (lo, hi) {
        (Some(lo), Some(hi)) => format!("{} to {}", quantity(target, lo), quantity(target, hi)),
        _ => "–".to_owned(),
    }
}
