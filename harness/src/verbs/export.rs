//! `tilecast export`: a store's rows in another tool's format.

use std::path::PathBuf;

use serde_json::json;
use tilecast_runs::export::{Exported, Format, export};

use crate::fail::{Fail, unknown};
use crate::verbs::asked::Output;
use crate::verbs::runs::read_store;
use crate::{Exit, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = formats())]
pub struct Args {
    /// Format to write
    format: String,
    /// Store
    store: PathBuf,
    /// File to write; a folder of files where the format holds one tuning space each and the store has several
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    output: Output,
}

fn formats() -> String {
    let lines: Vec<String> = Format::ALL.iter().map(|format| format!("  {:<13}{}", format.name(), format.about())).collect();
    format!("Formats:\n{}\n\nExample: tilecast export nvbench store -o runs.json", lines.join("\n"))
}

impl Args {
    /// Writes all rows that the format has a place for, and says how many those are.
    ///
    /// # Errors
    /// [`Fail`] where the store cannot be read, holds nothing for the format, or the file cannot be written.
    pub fn run(self) -> Result<Exit, Fail> {
        let format = Format::of_name(&self.format)
            .ok_or_else(|| unknown("format", &self.format, Format::ALL.into_iter().map(Format::name)))?;
        let frame = read_store(&self.store)?;
        let Exported { files, rows, warnings } = export(&frame, format, &self.out)?;
        if self.output.json {
            let shown: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
            terminal::json(&json!({ "format": format.name(), "rows": rows, "files": shown, "warnings": warnings }))?;
        } else {
            let more = if files.len() > 1 { format!(" and {} more files", files.len() - 1) } else { String::new() };
            let first = files.first().map(|path| path.display().to_string()).unwrap_or_default();
            terminal::say(format_args!("{rows} rows to {first}{more}"));
            warnings.iter().for_each(|warning| terminal::note(format_args!("warning: {warning}")));
        }
        Ok(Exit::Done)
    }
}
