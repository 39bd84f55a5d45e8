//! `tilecast runs`: what a store holds, asked and kept in order.

mod view;

use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;
use serde_json::json;
use tilecast_runs::query::{self, Aggregate};
use tilecast_runs::store::{Faults, Read, RunSummary, Store, summarise};

use crate::campaign::create_store;
use crate::fail::Fail;
use crate::verbs::asked::Output;
use crate::{Exit, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Conditions: = != < <= > >=, in (…), between … and …, like 'a%', is null, and, or, not; texts in quotes. Axes and knobs also by their short
name (`tile_m`), members of `extra` as `extra.KEY`. Aggregates: count, distinct, sum, mean, std, min, max, median, p10, p99.9; of `time_s`, of the columns of
--select, or of one column: `p90(power_w)`.

Example: tilecast runs tc-demo/store --where \"status = 'ok' and time_s < 1e-3\" --select problem,config,time_s --sort time_s --limit 10
Example: tilecast runs tc-demo/store --group problem --agg count,min,median,p90 --csv"
)]
pub struct Args {
    /// Stores; several are looked at as one
    #[arg(required = true, value_name = "STORE")]
    stores: Vec<PathBuf>,
    /// Print every row as a line of JSON, without its nulls
    #[arg(long, conflicts_with = "json")]
    rows: bool,
    /// Only rows where this is true
    #[arg(long = "where", value_name = "EXPR")]
    condition: Option<String>,
    /// Only these columns, in this order
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    select: Vec<String>,
    /// Order by these columns; `-COLUMN` is descending; nulls come last
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', allow_hyphen_values = true)]
    sort: Vec<String>,
    /// One row per combination of values of these columns
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    group: Vec<String>,
    /// What is computed over each group [default: count,min,median,p90]
    #[arg(long, value_name = "AGGREGATE", value_delimiter = ',')]
    agg: Vec<String>,
    /// At most so many rows (a table shows 20 unless told)
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    /// Describe the columns: type, rows with a value, different values, smallest and largest, meaning
    #[arg(long, conflicts_with_all = ["rows", "select", "sort", "group", "agg", "limit"])]
    schema: bool,
    /// Print CSV
    #[arg(long, conflicts_with_all = ["json", "rows"])]
    csv: bool,
    /// Put the files of each partition of the store together into one
    #[arg(long, conflicts_with_all = ["rows", "condition", "select", "sort", "group", "agg", "limit", "schema", "csv", "merge_into"])]
    compact: bool,
    /// Add the rows of all stores to this one, each row once
    #[arg(long, value_name = "STORE", conflicts_with_all = ["rows", "condition", "select", "sort", "group", "agg", "limit", "schema", "csv"])]
    merge_into: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Prints the runs, or what was asked of their rows.
    ///
    /// # Errors
    /// [`Fail`] where there is no store, a file in it is unreadable, or the question is none.
    pub fn run(self) -> Result<Exit, Fail> {
        if self.compact {
            return self.compacted();
        }
        if let Some(target) = &self.merge_into {
            return self.merged(target);
        }
        let frames = self.stores.iter().map(|path| open_store(path)).collect::<Result<Vec<_>, Fail>>()?;
        let mut frame = tilecast_runs::frame::concat(&frames)?;
        if let Some(condition) = &self.condition {
            frame = query::filter(&frame, condition)?;
        }
        if self.schema {
            return view::schema(&frame, self.format());
        }
        if !self.is_question() {
            return self.summary(&frame);
        }
        let frame = self.arranged(frame)?;
        view::rows(&frame, self.format(), self.limit)?;
        Ok(Exit::Done)
    }

    fn format(&self) -> view::Format {
        match (self.output.json, self.csv, self.rows) {
            (true, ..) => view::Format::Json,
            (_, true, _) => view::Format::Csv,
            (_, _, true) => view::Format::Lines,
            _ => view::Format::Table,
        }
    }

    /// Whether rows are asked for, not runs.
    fn is_question(&self) -> bool {
        let lists = [&self.select, &self.sort, &self.group, &self.agg];
        self.rows || self.csv || self.limit.is_some() || self.condition.is_some() || lists.iter().any(|list| !list.is_empty())
    }

    fn arranged(&self, mut frame: DataFrame) -> Result<DataFrame, Fail> {
        let grouped = !self.group.is_empty() || !self.agg.is_empty();
        if grouped {
            let usual = ["count", "min", "median", "p90"].map(str::to_owned);
            let aggregates = if self.agg.is_empty() { usual.as_slice() } else { self.agg.as_slice() };
            let aggregates = aggregates.iter().map(|text| text.parse()).collect::<Result<Vec<Aggregate>, _>>()?;
            frame = query::group(&frame, &self.group, &aggregates, &self.select)?;
        }
        if !self.sort.is_empty() {
            frame = query::sort(&frame, &self.sort)?;
        }
        if let Some(limit) = self.limit {
            frame = query::head(&frame, limit);
        }
        if !self.select.is_empty() && !grouped {
            frame = query::select(&frame, &self.select)?;
        } else if !grouped && self.format() == view::Format::Table {
            frame = query::select(&frame, &view::USUAL.map(str::to_owned))?;
        }
        Ok(frame)
    }

    fn summary(&self, frame: &DataFrame) -> Result<Exit, Fail> {
        let (runs, counts) = (summarise(frame)?, query::counts(frame)?);
        if self.output.json {
            let mut all = json!({ "rows": frame.height(), "columns": frame.width(), "runs": runs });
            if let (Some(all), serde_json::Value::Object(counts)) = (all.as_object_mut(), serde_json::to_value(counts)?) {
                all.extend(counts);
            }
            terminal::json(&all)?;
            return Ok(Exit::Done);
        }
        terminal::say(format_args!("{} rows, {} columns, {} runs", frame.height(), frame.width(), runs.len()));
        for (name, counts) in [
            ("source", counts.by_source),
            ("device", counts.by_device),
            ("family", counts.by_family),
            ("status", counts.by_status),
        ] {
            let counts: Vec<String> = counts.iter().map(|(value, count)| format!("{count} {value}")).collect();
            terminal::say(format_args!("by {name}: {}", counts.join(", ")));
        }
        terminal::say(terminal::table(
            &["run", "source", "device", "families", "points", "status", "last"],
            runs.iter().map(row).collect(),
        ));
        Ok(Exit::Done)
    }

    fn compacted(&self) -> Result<Exit, Fail> {
        let mut reports = Vec::new();
        for path in &self.stores {
            let done = Store::open(path)?.compact()?;
            if !self.output.json {
                let (before, after) = (done.files_before, done.files_after);
                terminal::say(format_args!(
                    "{}: {before} files are now {after}, {} rows put together",
                    path.display(),
                    done.rows
                ));
                done.left.iter().for_each(|left| terminal::note(format_args!("warning: {left}")));
            }
            reports.push(json!({ "store": path.display().to_string(), "compaction": done }));
        }
        if self.output.json {
            terminal::json(&reports)?;
        }
        Ok(Exit::Done)
    }

    fn merged(&self, target: &Path) -> Result<Exit, Fail> {
        let sources = self.stores.iter().map(Store::open).collect::<Result<Vec<_>, _>>()?;
        let target = create_store(target)?;
        let mut reports = Vec::new();
        for (path, source) in self.stores.iter().zip(&sources) {
            let done = target.merge(source)?;
            if !self.output.json {
                terminal::say(format_args!(
                    "{}: {} rows, {} added, {} were there already",
                    path.display(),
                    done.rows,
                    done.added,
                    done.duplicates
                ));
            }
            reports.push(json!({ "store": path.display().to_string(), "merged": done }));
        }
        if self.output.json {
            terminal::json(&reports)?;
        }
        Ok(Exit::Done)
    }
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
