//! How the program says that something is wrong: subject, value, limit, and a hint apart.

use std::fmt;

/// An error for the user, with advice.
#[derive(Debug)]
pub struct Fail {
    /// Subject, value, limit; lower case, no full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Fail {
    /// An error without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with advice where it has none yet.
    #[must_use]
    pub fn or_hint(self, hint: &str) -> Self {
        if self.hint.is_some() { self } else { self.hint(hint) }
    }

    /// The same said of `place` (a file, an axis).
    #[must_use]
    pub fn within(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("in {place}: {}", self.message);
        self
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fail {}

/// Errors of the other crates, in their own words; with their advice where they give some.
macro_rules! from {
    ($($error:ty => $hint:expr),* $(,)?) => {
        $(impl From<$error> for Fail {
            fn from(error: $error) -> Self {
                let hint: fn(&$error) -> Option<&str> = $hint;
                Self { message: error.to_string(), hint: hint(&error).map(str::to_owned) }
            }
        })*
    };
}
from! {
    tilecast_kernels::Misfit => |_| None,
    tilecast_models::ArtifactError => |error| Some(error.hint()),
    tilecast_models::ModelError => |error| error.hint(),
    tilecast_reports::ReportError => |error| Some(error.hint()),
    tilecast_runs::export::ExportError => |error| error.hint(),
    tilecast_runs::frame::FrameError => |error| error.hint(),
    tilecast_runs::import::ImportError => |error| error.hint(),
    tilecast_runs::journal::JournalError => |error| error.hint(),
    tilecast_runs::query::QueryError => |error| error.hint(),
    tilecast_runs::store::StoreError => |error| error.hint(),
    serde_json::Error => |_| None,
}

/// `name` is not one of `known`: says so and suggests the nearest.
pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Fail {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known.iter().map(|k| (strsim::damerau_levenshtein(name, k), *k)).min();
    let hint = match nearest {
        Some((distance, nearest)) if distance <= 1 + name.len() / 3 => format!("did you mean `{nearest}`?"),
        _ => format!("known: {}", known.join(", ")),
    };
    Fail::new(format!("unknown {what} `{name}`")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_lists_what_is_known() {
        for (name, hint) in
            [("tiel_m", "did you mean `tile_m`?"), ("tile", "did you mean `tile_m`?"), ("zzzzzz", "known: tile_m, threads")]
        {
            assert_eq!(unknown("knob", name, ["tile_m", "threads"]).hint.as_deref(), Some(hint), "{name}");
        }
    }
}
