//! `tilecast import`: another tool's results into a store.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use tilecast_runs::import::{Format, Mapping, Options, Report, import_into};
use tilecast_runs::store::{Staged, Store};

use crate::campaign::create_store;
use crate::fail::{Fail, unknown};
use crate::verbs::asked::Output;
use crate::{Exit, terminal};

/// Warnings shown per file; `--json` holds all.
const SHOWN: usize = 5;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = formats())]
pub struct Args {
    /// Format of the files
    format: String,
    /// Files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Store to import into
    #[arg(short, long, value_name = "STORE")]
    out: PathBuf,
    /// How the columns of a table are read: a TOML file, or the name of a ready mapping
    #[arg(long, value_name = "FILE|NAME")]
    mapping: Option<String>,
    /// Device name, where the file names none or a wrong one
    #[arg(long)]
    device: Option<String>,
    /// Inner dimension of a matrix product, where the file leaves it out
    #[arg(long)]
    k: Option<i64>,
    #[command(flatten)]
    output: Output,
}

fn formats() -> String {
    let lines: Vec<String> = Format::ALL.iter().map(|format| format!("  {:<17}{}", format.name(), format.about())).collect();
    format!(
        "Formats (files may be packed as .gz or .zip):\n{}\n\nReady mappings: {}\n\nExample: tilecast import kernel-tuner cache.json.gz -o store\n         tilecast import table runs.parquet --mapping neusight -o store",
        lines.join("\n"),
        Mapping::ready_names().join(", ")
    )
}

impl Args {
    /// Imports all files or none.
    ///
    /// # Errors
    /// [`Fail`] naming the file that cannot be read; the store is as it was.
    pub fn run(self) -> Result<Exit, Fail> {
        let format = Format::of_name(&self.format)
            .ok_or_else(|| unknown("format", &self.format, Format::ALL.into_iter().map(Format::name)))?;
        let options = Options { device: self.device.clone(), k: self.k, mapping: self.mapping(format)?, ..Options::default() };
        let missing = self.files.iter().find(|path| !path.exists());
        if let Some(path) = missing {
            return Err(Fail::new(format!("file `{}`: no such file", path.display())).hint("check the path"));
        }
        let existed = self.out.exists();
        let store = create_store(&self.out)?;
        let read = |path: &PathBuf| stage(&store, format, path, &options);
        let imported = self.files.iter().map(read).collect::<Result<Vec<_>, Fail>>().inspect_err(|_| {
            if !existed {
                // Only if it is empty: the folder was made for this import.
                let _ = std::fs::remove_dir(&self.out);
            }
        })?;
        let mut reports = Vec::with_capacity(imported.len());
        for (path, (staged, report)) in self.files.iter().zip(imported) {
            staged.commit()?;
            reports.push((path, report));
        }
        if self.output.json {
            terminal::json(&reports.iter().map(|(path, report)| to_json(path, report)).collect::<Vec<_>>())?;
        } else {
            reports.iter().try_for_each(|(path, report)| print(path, report))?;
        }
        Ok(Exit::Done)
    }

    /// A file where there is one of that name, else a ready mapping.
    fn mapping(&self, format: Format) -> Result<Option<Mapping>, Fail> {
        let Some(name) = &self.mapping else { return Ok(None) };
        if format != Format::Table {
            let hint = "give the format `table` for a mapping of your own";
            return Err(Fail::new(format!("`--mapping {name}`: format `{}` has its own columns", format.name())).hint(hint));
        }
        if Path::new(name).is_file() {
            return Ok(Some(Mapping::load(Path::new(name))?));
        }
        let ready = Mapping::ready(name);
        ready.map(Some).ok_or_else(|| unknown("mapping", name, Mapping::ready_names()))
    }
}

fn stage(store: &Store, format: Format, path: &Path, options: &Options) -> Result<(Staged, Report), Fail> {
    let mut staged = store.stage()?;
    let report = import_into(format, path, options, &mut |frame, run_id| staged.take(frame, run_id))?;
    Ok((staged, report))
}

fn to_json(path: &Path, report: &Report) -> Json {
    json!({
        "file": path.display().to_string(),
        "run_id": report.run_id,
        "rows": report.rows,
        "by_status": report.by_status,
        "repaired": report.repaired,
        "warnings": report.warnings,
    })
}

fn print(path: &Path, report: &Report) -> Result<(), Fail> {
    let by_status = serde_json::to_string(&report.by_status)?;
    terminal::say(format_args!("{}: {} rows {by_status}", path.display(), report.rows));
    if let Some(repaired) = &report.repaired {
        terminal::note(format_args!("{repaired}"));
    }
    for warning in report.warnings.iter().take(SHOWN) {
        terminal::note(format_args!("warning: {warning}"));
    }
    if report.warnings.len() > SHOWN {
        terminal::note(format_args!("and {} more warnings; `--json` lists all", report.warnings.len() - SHOWN));
    }
    Ok(())
}
