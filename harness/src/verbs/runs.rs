//! `tilecast runs`: what a store holds.

use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;
use serde_json::json;
use tilecast_runs::store::{Faults, Read, RunSummary, Store, summarise};

use crate::fail::Fail;
use crate::verbs::asked::Output;
use crate::{Exit, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tilecast runs tc-demo/store")]
pub struct Args {
    /// Store
    store: PathBuf,
    /// Print every row as a line of JSON, without its nulls
    #[arg(long, conflicts_with = "json")]
    rows: bool,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Prints the runs.
    ///
    /// # Errors
    /// [`Fail`] where there is no store or a file in it is unreadable.
    pub fn run(self) -> Result<Exit, Fail> {
        let frame = open_store(&self.store)?;
        if self.rows {
            return print_rows(&frame);
        }
        let runs = summarise(&frame)?;
        if self.output.json {
            terminal::json(&json!({ "rows": frame.height(), "columns": frame.width(), "runs": runs }))?;
            return Ok(Exit::Done);
        }
        terminal::say(format_args!("{} rows, {} columns, {} runs", frame.height(), frame.width(), runs.len()));
        terminal::say(terminal::table(
            &["run", "source", "device", "families", "points", "status", "last"],
            runs.iter().map(row).collect(),
        ));
        Ok(Exit::Done)
    }
}

fn print_rows(frame: &DataFrame) -> Result<Exit, Fail> {
    for row in tilecast_runs::frame::to_rows(frame)? {
        terminal::say(serde_json::to_string(&row)?);
    }
    Ok(Exit::Done)
}

fn row(run: &RunSummary) -> Vec<String> {
    let join = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
    let statuses: Vec<String> = run.by_status.iter().map(|(status, count)| format!("{count} {status}")).collect();
    vec![
        run.run_id.clone(),
        join(&run.sources),
        join(&run.devices),
        join(&run.families),
        run.points.to_string(),
        statuses.join(", "),
        run.last_measured_at.clone().unwrap_or_default(),
    ]
}

/// All rows of the store at `path`, of which there must be some.
///
/// # Errors
/// As [`open_store`], and where it holds no rows.
pub fn read_store(path: &Path) -> Result<DataFrame, Fail> {
    let frame = open_store(path)?;
    if frame.height() == 0 {
        return Err(Fail::new(format!("store `{}` holds no rows", path.display()))
            .hint("measure into it with `tilecast sweep SPEC -o STORE`"));
    }
    Ok(frame)
}

/// All rows of the store at `path`, open journals included. Unreadable files are an error: a report must not silently lose rows.
///
/// # Errors
/// [`Fail`] naming the file.
pub fn open_store(path: &Path) -> Result<DataFrame, Fail> {
    let store = Store::open(path)?;
    let contents = store.read(Read { faults: Faults::Refuse, ..Read::default() })?;
    Ok(contents.frame)
}
