//! `tilecast audit`: what is wrong with a store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;
use tilecast_runs::audit::{Finding, Severity, audit, sort};
use tilecast_runs::query;

use crate::fail::Fail;
use crate::verbs::asked::Output;
use crate::verbs::runs::open_store;
use crate::{Exit, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Every finding is explained in docs/audit.md.

Example: tilecast audit store --fail-on error")]
pub struct Args {
    /// Store
    store: PathBuf,
    /// Severity from which the exit code is 1
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    fail_on: Gate,
    /// Look only at rows where this is true: `--where "device = 'a100'"`
    #[arg(long = "where", value_name = "EXPR")]
    condition: Option<String>,
    /// Leave out the one check that fits a model (`random-split-gap`)
    #[arg(long)]
    no_model: bool,
    /// Seed of that model
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    output: Output,
}

/// Severity of the gate.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Gate {
    Info,
    Warning,
    Error,
}

impl Gate {
    fn severity(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
        }
    }
}

impl Args {
    /// Prints the findings; [`Exit::Partial`] where one reaches the gate.
    ///
    /// # Errors
    /// [`Fail`] where there is no store, a file in it is unreadable, or the condition is none.
    pub fn run(self) -> Result<Exit, Fail> {
        let mut frame = open_store(&self.store)?;
        if let Some(condition) = &self.condition {
            frame = query::filter(&frame, condition)?;
        }
        let mut findings = audit(&frame)?;
        if !self.no_model {
            findings.extend(tilecast_models::leakage(&frame, self.seed)?);
            sort(&mut findings);
        }
        if self.output.json {
            terminal::json(&json!({ "rows": frame.height(), "by_severity": by_severity(&findings), "findings": findings }))?;
        } else {
            print(frame.height(), &findings);
        }
        let tripped = findings.iter().any(|finding| finding.severity >= self.fail_on.severity());
        Ok(if tripped { Exit::Partial } else { Exit::Done })
    }
}

fn by_severity(findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    Severity::ALL.into_iter().map(|severity| (severity.name(), count(severity))).collect()
}

fn print(rows: usize, findings: &[Finding]) {
    let by = by_severity(findings);
    let counts: Vec<String> = ["error", "warning", "info"].iter().map(|name| format!("{} {name}", by[name])).collect();
    terminal::say(format_args!("{rows} rows, {} findings: {}", findings.len(), counts.join(", ")));
    for finding in findings {
        let subject = finding.subject.as_ref().map(|subject| format!(" {subject}")).unwrap_or_default();
        let share = terminal::significant(finding.share * 100.0);
        terminal::say(format_args!(
            "\n{} {}{subject}: {} of {} ({share} %)",
            finding.severity.name(),
            finding.id,
            finding.count,
            finding.of
        ));
        terminal::say(format_args!("  {}", finding.detail));
        for example in &finding.examples {
            terminal::say(format_args!("  · {} [run {}, {}]", example.shows, example.run_id, example.config));
        }
        terminal::say(format_args!("  means: {}", finding.means));
        terminal::say(format_args!("  do: {}", finding.advice));
    }
}
