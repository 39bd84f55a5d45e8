//! What a finding is, and all identifiers there are.

use serde::{Serialize, Serializer};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Info,
    /// Conclusions drawn without heeding it may be wrong.
    Warning,
    /// The rows concerned are wrong.
    Error,
}

impl Severity {
    /// All, the mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Error];

    /// The name on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// What is looked for, and what to do where it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable identifier, a heading of `docs/audit.md`.
    pub id: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// A row that shows the finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Its run.
    pub run_id: String,
    /// Its experiment.
    pub experiment_id: String,
    /// Its configuration as labelled.
    pub config: String,
    /// The figures that show it.
    pub shows: String,
}

/// Something wrong with a frame.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Identifier of the check.
    pub id: &'static str,
    /// How grave it is here.
    pub severity: Severity,
    /// The column, device or group it is about, where it is about one.
    pub subject: Option<String>,
    /// Rows concerned (columns for `constant-column`).
    pub count: usize,
    /// Rows looked at.
    pub of: usize,
    /// Share of them, 0 to 1.
    pub share: f64,
    /// What was found, with its figures.
    pub detail: String,
    /// Some of the rows.
    pub examples: Vec<Example>,
    /// What it means.
    pub means: &'static str,
    /// What to do.
    pub advice: &'static str,
}

impl Finding {
    /// A finding of `check`: `count` of `of` rows.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
    pub fn new(check: &Check, severity: Severity, (count, of): (usize, usize), detail: String) -> Self {
        let share = if of == 0 { 0.0 } else { count as f64 / of as f64 };
        let (subject, examples) = (None, Vec::new());
        Self { id: check.id, severity, subject, count, of, share, detail, examples, means: check.means, advice: check.advice }
    }

    /// The same about `subject`.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The same with examples.
    #[must_use]
    pub fn showing(mut self, examples: Vec<Example>) -> Self {
        self.examples = examples;
        self
    }
}

macro_rules! catalogue {
    ($($name:ident = $id:literal: $means:literal, $advice:literal;)*) => {
        impl Check {
            $(
                #[doc = concat!("`", $id, "`: ", $means)]
                pub const $name: Self = Self { id: $id, means: $means, advice: $advice };
            )*
        }

        /// Every check there is, in the order of `docs/audit.md`.
        pub const CATALOGUE: &[Check] = &[$(Check::$name),*];
    };
}

catalogue! {
    DUPLICATES = "duplicates-under-labels":
        "the same experiment stands in several rows under different configurations: they are repeats, not different points",
        "count experiments, not rows; merge rows by `experiment_id` before fitting or splitting";
    INERT_KNOB = "knob-without-effect":
        "rows that differ only in this knob take the same time within noise: what ran did not depend on it",
        "find out why the knob reached nothing (a fixed kernel name, an option the tool ignores), drop it from models, and read the rows as repeats";
    CONSTANT = "constant-column":
        "these knobs and axes have one value in all rows: nothing can be learned about them",
        "leave them out of conclusions, or sweep them";
    LABEL = "label-contradicts-kernel":
        "a label says another tile, layout, type or number of stages than the name of the kernel that ran",
        "believe the kernel's name; take the knob from it and treat the label as void";
    RATE = "rate-disagrees":
        "the rate the source states is not FLOP over time",
        "recompute rates from FLOP and time; where a unit explains the factor, correct the import";
    BANDWIDTH = "bandwidth-unit":
        "a bandwidth differs from recomputation by exactly the ratio of two units",
        "read the source's `GB/s` in the unit it really uses (2^30 or 10^9 bytes) and import again";
    ENERGY = "energy-disagrees":
        "energy is not power times time",
        "check the units of all three; where power was read over another window than the time, do not use the energy";
    TIME = "time-disagrees":
        "the headline time lies outside its own samples or differs from the time the source reports by a unit",
        "check whether times are in milliseconds, and import again";
    POWER_RANGE = "power-out-of-range":
        "power lies above the board's limit or below its idle power",
        "check the unit (mW, W) and the device; above the limit by a few percent may be the sensor, whose gain is good to 5 %";
    POWER_IDLE = "power-at-idle":
        "power was read while the device did nothing: it says nothing of the kernel",
        "drop power and energy of these rows; sample while the kernel repeats, for at least 20 updates of the sensor";
    FLOOR = "faster-than-roofline":
        "the time is below what the device's peak rate and bandwidth allow: the kernel did not do all the work, or a unit is wrong",
        "verify the result, the unit of the time and the FLOP; drop the rows until explained";
    COLD = "cold-first-sample":
        "the first sample of a row is far above the others: it paid for caches, clocks or compilation",
        "use the median, not the mean over all samples; warm up before the first sample";
    DRIFT = "drift":
        "the device's speed changed while measuring, so that differences between configurations may be differences between moments",
        "interleave configurations in random order with a reference among them; compare only what was measured close together";
    MISSING = "missing-target":
        "a quantity to be predicted is missing in part of the rows",
        "fit it only on rows that have it, and ask whether they are like the others: what is missing is seldom missing at random";
    IMPOSSIBLE = "impossible-value":
        "a value that no measurement gives: a time, energy, power or size that is not positive",
        "drop the rows or correct the import";
    MIXED = "mixed-sources":
        "simulated rows stand among measured ones",
        "keep simulated sweeps in a store of their own; nothing fits or reports them together";
    TWINS = "twins-across-random-split":
        "most rows a random split holds out have a twin (the same experiment) among the rows fitted on: its score says how well repeats repeat",
        "hold out whole problems or configurations (`tilecast evaluate --split shape`), or merge repeats first";
    SPLIT_GAP = "random-split-gap":
        "a model does far worse on shapes it has not seen than on rows held out at random: the random score does not carry over to new shapes",
        "report the grouped score; measure more shapes";
}
