//! What is wrong with a frame of runs: every check is a pure function from the frame to findings.
//!
//! | module | finds |
//! |---|---|
//! | `finding` | what a finding is; the catalogue of identifiers |
//! | `table` | the columns that several checks read |
//! | `duplicates` | one experiment under several labels |
//! | `clusters`, `effect`, `knobs` | knobs that change nothing |
//! | `constants` | knobs and axes with one value |
//! | `labels` | labels that contradict the kernel's name |
//! | `ratio`, `rates`, `energy`, `times` | figures that disagree with recomputation, and the unit that would explain it |
//! | `power` | power outside its range, or read while the device was idle |
//! | `floor` | times below the roofline |
//! | `samples`, `drift` | cold first samples; movement within a row and over a run |
//! | `values`, `missing` | impossible values; missing targets; simulated rows among measured ones |
//! | `twins` | what a random split would leak |
//!
//! Each identifier is a heading in `docs/audit.md`. What needs a model is in `tilecast-models`, as a finding of the same kind.

mod clusters;
mod constants;
mod drift;
mod duplicates;
mod effect;
mod energy;
mod finding;
mod floor;
mod knobs;
mod labels;
mod missing;
mod power;
mod rates;
mod ratio;
mod samples;
mod table;
mod times;
mod twins;
mod values;

use polars::prelude::DataFrame;

pub use finding::{CATALOGUE, Check, Example, Finding, Severity};

use crate::frame::FrameError;
use table::Table;

/// One check that needs nothing but the table.
type Checked = fn(&Table<'_>) -> Result<Vec<Finding>, FrameError>;

/// All findings of `frame`, the gravest first.
///
/// # Errors
/// A column of the schema holds another type than it should, or a required one is absent.
pub fn audit(frame: &DataFrame) -> Result<Vec<Finding>, FrameError> {
    let table = Table::new(frame)?;
    if table.rows == 0 {
        return Ok(Vec::new());
    }
    let inert = knobs::inert(&table)?;
    let mut findings = knobs::findings(&table, &inert);
    let checks: [Checked; 14] = [
        duplicates::check,
        constants::check,
        labels::check,
        rates::flop,
        rates::bytes,
        energy::check,
        times::check,
        power::range,
        power::idle,
        floor::check,
        samples::check,
        missing::check,
        missing::mixed,
        values::check,
    ];
    for check in checks {
        findings.extend(check(&table)?);
    }
    let groups = twins::groups(&table, &inert)?;
    findings.extend(twins::check(&table, &groups));
    findings.extend(drift::check(&table, &groups)?);
    sort(&mut findings);
    Ok(findings)
}

/// The gravest first, then by identifier and subject.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| a.id.cmp(b.id))
            .then_with(|| a.subject.cmp(&b.subject))
            .then(b.count.cmp(&a.count))
    });
}
