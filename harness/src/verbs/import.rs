//! `tilecast import`: another tool's results into a store.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use tilecast_runs::import::{Format, Imported, Options, import};
use tilecast_runs::store::summarise;

use crate::campaign::create_store;
use crate::fail::{Fail, unknown};
use crate::verbs::asked::Output;
use crate::{Exit, terminal};

/// Warnings shown per file; `--json` holds all.
const SHOWN: usize = 5;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Formats: kernel-tuner (cache files, .json or .json.gz)

Example: tilecast import kernel-tuner cache.json.gz -o store")]
pub struct Args {
    /// Format of the files
    format: String,
    /// Files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Store to import into
    #[arg(short, long, value_name = "STORE")]
    out: PathBuf,
    /// Device name, where the file names none or a wrong one
    #[arg(long)]
    device: Option<String>,
    /// Inner dimension of a matrix product, where the file leaves it out
    #[arg(long)]
    k: Option<i64>,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Imports all files or none.
    ///
    /// # Errors
    /// [`Fail`] naming the file that cannot be read; the store is as it was.
    pub fn run(self) -> Result<Exit, Fail> {
        let format = Format::of_name(&self.format)
            .ok_or_else(|| unknown("format", &self.format, Format::ALL.into_iter().map(Format::name)))?;
        let options = Options { device: self.device.clone(), k: self.k, ..Options::default() };
        let read = |path: &PathBuf| match import(format, path, &options) {
            Ok(imported) => Ok((path.clone(), imported)),
            Err(error) => Err(Fail::from(error).within(format_args!("`{}`", path.display()))),
        };
        let imported = self.files.iter().map(read).collect::<Result<Vec<_>, Fail>>()?;
        let store = create_store(&self.out)?;
        let mut reports = Vec::new();
        for (path, imported) in &imported {
            store.write(&imported.frame, &imported.run_id)?;
            reports.push(report(path, imported)?);
        }
        if self.output.json {
            terminal::json(&reports)?;
        } else {
            imported.iter().zip(&reports).for_each(|((path, imported), report)| print(path, imported, report));
        }
        Ok(Exit::Done)
    }
}

fn report(path: &Path, imported: &Imported) -> Result<Json, Fail> {
    let runs = summarise(&imported.frame)?;
    Ok(json!({
        "file": path.display().to_string(),
        "rows": imported.frame.height(),
        "by_status": runs.first().map(|run| run.by_status.clone()),
        "repaired": imported.repaired,
        "warnings": imported.warnings,
    }))
}

fn print(path: &Path, imported: &Imported, report: &Json) {
    terminal::say(format_args!("{}: {} rows {}", path.display(), imported.frame.height(), report["by_status"]));
    if let Some(repaired) = &imported.repaired {
        terminal::note(format_args!("repaired on a copy: {repaired}"));
    }
    for warning in imported.warnings.iter().take(SHOWN) {
        terminal::note(format_args!("warning: {warning}"));
    }
    if imported.warnings.len() > SHOWN {
        terminal::note(format_args!("and {} more warnings; `--json` lists all", imported.warnings.len() - SHOWN));
    }
}
