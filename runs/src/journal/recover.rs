//! Reading a journal back, whole or cut.

use std::path::Path;

use super::{Entry, Header, JournalError, SampleEntry};
use crate::row::Row;
use crate::schema;

/// What a journal held when it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// Its first line.
    pub header: Header,
    /// Samples, in the order written.
    pub samples: Vec<SampleEntry>,
    /// Finished points, in the order written.
    pub results: Vec<Row>,
}

/// The complete lines of a journal and the cut tail after them.
pub(super) struct Parsed {
    /// `None` where not even the first line was complete.
    pub(super) recovered: Option<Recovered>,
    /// Length in bytes up to the last line feed.
    pub(super) good: usize,
}

/// Only a line that ends in a line feed counts: a cut may leave what looks like a whole record but is a prefix (`12` of `125`).
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Parsed, JournalError> {
    let good = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut recovered: Option<Recovered> = None;
    for (index, line) in bytes[..good].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let broken = |why: String| JournalError::Broken { path: path.to_owned(), line: index + 1, why };
        if index == 0 {
            check_version(path, line)?;
        }
        let entry: Entry = serde_json::from_slice(line).map_err(|error| broken(error.to_string()))?;
        match (entry, recovered.as_mut()) {
            (Entry::Header(header), None) => {
                recovered = Some(Recovered { header, samples: Vec::new(), results: Vec::new() });
            }
            (Entry::Sample(sample), Some(recovered)) => recovered.samples.push(sample),
            (Entry::Result(row), Some(recovered)) => recovered.results.push(row),
            (Entry::Header(_), Some(_)) => return Err(broken("a second header".to_owned())),
            (_, None) => return Err(broken("the first line is no header".to_owned())),
        }
    }
    Ok(Parsed { recovered, good })
}

/// The version is looked at before the header is understood: a newer header may have another form.
fn check_version(path: &Path, line: &[u8]) -> Result<(), JournalError> {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else { return Ok(()) };
    let Some(found) = value.pointer("/header/schema_version").and_then(serde_json::Value::as_str) else { return Ok(()) };
    match schema::parse_version(found) {
        Some((major, _)) if major > schema::VERSION.0 => {
            Err(JournalError::TooNew { path: path.to_owned(), found: found.to_owned(), ours: schema::version_text() })
        }
        _ => Ok(()),
    }
}
