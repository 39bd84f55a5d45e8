//! What verbs that model ask the same way: target, preset, a model file.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use clap::Args;
use tilecast_models::{Predictor, Preset, Target};
use tilecast_runs::journal::io_hint;

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

/// Refuses a family that the model at `path` was not fitted on: it would give a number all the same.
///
/// # Errors
/// [`Fail`] with the families it was fitted on.
pub fn require_family(predictor: &Predictor, path: &Path, family: &str) -> Result<(), Fail> {
    if predictor.families().contains(family) {
        return Ok(());
    }
    let (model, fitted) = (path.display(), quoted(predictor.families()));
    let fail = Fail::new(format!("model `{model}` was fitted on the families {fitted}, not on `{family}`"));
    Err(fail.hint(format!("measure `{family}` into the store with `tilecast sweep`, then fit again")))
}

/// Whether the model at `path` was fitted on `device`. Where it was not, standard error says so: models are made to predict for devices
/// that were never measured, but no interval tells how well.
pub fn warn_of_device(predictor: &Predictor, path: &Path, device: &str) -> bool {
    let seen = predictor.devices().contains(device);
    if !seen {
        let (model, fitted) = (path.display(), quoted(predictor.devices()));
        terminal::note(format_args!(
            "warning: model `{model}` was fitted on the devices {fitted}, not on `{device}`: intervals do not allow for that"
        ));
    }
    seen
}

fn quoted(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Writes `content` under a temporary name first, which is removed again where that fails: a full disk leaves nothing half-written.
///
/// # Errors
/// [`Fail`] naming the file.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), Fail> {
    let failed = |error: std::io::Error| Fail {
        message: format!("`{}` cannot be written: {error}", path.display()),
        hint: io_hint(&error).map(str::to_owned),
    };
    if path.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut name = path.file_name().map(std::ffi::OsStr::to_owned).unwrap_or_default();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    std::fs::write(&temporary, content).and_then(|()| std::fs::rename(&temporary, path)).map_err(|error| {
        // It may never have been made.
        let _ = std::fs::remove_file(&temporary);
        failed(error)
    })
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
