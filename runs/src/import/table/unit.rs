//! Units of source columns, as factors to the units of ours.

use crate::schema::{ROOF, TRAFFIC};

/// A unit: what it measures and how much of ours one of it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) dimension: Dimension,
    pub(super) factor: f64,
}

/// What a quantity measures, told by the suffix of our columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    Time,
    Energy,
    Power,
    Frequency,
    Temperature,
    Bytes,
    Flop,
    FlopRate,
    ByteRate,
    /// Counts, ratios and sizes.
    Number,
    /// A point in time.
    Instant,
}

/// Name, dimension, factor to seconds, joules, watts, hertz, degrees, bytes, FLOP.
const UNITS: &[(&str, Dimension, f64)] = &[
    ("s", Dimension::Time, 1.0),
    ("ms", Dimension::Time, 1e-3),
    ("us", Dimension::Time, 1e-6),
    ("ns", Dimension::Time, 1e-9),
    ("min", Dimension::Time, 60.0),
    ("J", Dimension::Energy, 1.0),
    ("mJ", Dimension::Energy, 1e-3),
    ("uJ", Dimension::Energy, 1e-6),
    ("kJ", Dimension::Energy, 1e3),
    ("Wh", Dimension::Energy, 3600.0),
    ("W", Dimension::Power, 1.0),
    ("mW", Dimension::Power, 1e-3),
    ("kW", Dimension::Power, 1e3),
    ("Hz", Dimension::Frequency, 1.0),
    ("kHz", Dimension::Frequency, 1e3),
    ("MHz", Dimension::Frequency, 1e6),
    ("GHz", Dimension::Frequency, 1e9),
    ("C", Dimension::Temperature, 1.0),
    ("B", Dimension::Bytes, 1.0),
    ("kB", Dimension::Bytes, 1e3),
    ("MB", Dimension::Bytes, 1e6),
    ("GB", Dimension::Bytes, 1e9),
    ("KiB", Dimension::Bytes, 1024.0),
    ("MiB", Dimension::Bytes, 1_048_576.0),
    ("GiB", Dimension::Bytes, 1_073_741_824.0),
    ("FLOP", Dimension::Flop, 1.0),
    ("GFLOP", Dimension::Flop, 1e9),
    ("TFLOP", Dimension::Flop, 1e12),
    ("FLOP/s", Dimension::FlopRate, 1.0),
    ("GFLOP/s", Dimension::FlopRate, 1e9),
    ("TFLOP/s", Dimension::FlopRate, 1e12),
    ("B/s", Dimension::ByteRate, 1.0),
    ("MB/s", Dimension::ByteRate, 1e6),
    ("GB/s", Dimension::ByteRate, 1e9),
    ("GiB/s", Dimension::ByteRate, 1_073_741_824.0),
    ("TB/s", Dimension::ByteRate, 1e12),
    ("1", Dimension::Number, 1.0),
    ("%", Dimension::Number, 0.01),
    ("unix_s", Dimension::Instant, 1.0),
    ("unix_ms", Dimension::Instant, 1e-3),
    ("rfc3339", Dimension::Instant, 1.0),
];

impl Unit {
    /// The unit called `name`.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        UNITS.iter().find(|unit| unit.0 == name).map(|unit| Self { dimension: unit.1, factor: unit.2 })
    }

    /// All names, for messages.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        UNITS.iter().map(|unit| unit.0)
    }
}

impl Dimension {
    /// What the column `name` measures, by its suffix.
    pub(super) fn of_column(name: &str) -> Self {
        let ends: [(&str, Self); 8] = [
            ("_bytes_per_s", Self::ByteRate),
            ("_flop_per_s", Self::FlopRate),
            ("_bytes", Self::Bytes),
            ("_flop", Self::Flop),
            ("_hz", Self::Frequency),
            ("_j", Self::Energy),
            ("_w", Self::Power),
            ("_c", Self::Temperature),
        ];
        if name == "measured_at" {
            return Self::Instant;
        }
        // `roof.flop_per_s_low`: what follows the prefix is all suffix.
        let open = [ROOF, TRAFFIC].iter().find_map(|prefix| name.strip_prefix(prefix));
        let name =
            &open.map_or_else(|| name.to_owned(), |rest| format!("_{}", rest.trim_end_matches("_low").trim_end_matches("_high")));
        match ends.iter().find(|(end, _)| name.ends_with(end)) {
            Some((_, dimension)) => *dimension,
            None if name.ends_with("_s") => Self::Time,
            None => Self::Number,
        }
    }

    /// In words, with its unit of ours.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Time => "a time (`s`, `ms`, `us`, `ns`)",
            Self::Energy => "an energy (`J`, `mJ`)",
            Self::Power => "a power (`W`, `mW`)",
            Self::Frequency => "a frequency (`Hz`, `MHz`, `GHz`)",
            Self::Temperature => "a temperature (`C`)",
            Self::Bytes => "bytes (`B`, `KiB`, `GB`)",
            Self::Flop => "a number of operations (`FLOP`, `GFLOP`)",
            Self::FlopRate => "a rate of operations (`FLOP/s`, `GFLOP/s`)",
            Self::ByteRate => "a rate of bytes (`B/s`, `GB/s`, `GiB/s`)",
            Self::Number => "a number (`1`, `%`)",
            Self::Instant => "a point in time (`unix_s`, `unix_ms`, `rfc3339`)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_measure_what_their_suffix_says() {
        for (column, dimension) in [
            ("time_s", Dimension::Time),
            ("time_samples_s", Dimension::Time),
            ("energy_j", Dimension::Energy),
            ("power_limit_w", Dimension::Power),
            ("clock_hz", Dimension::Frequency),
            ("reported_flop_per_s", Dimension::FlopRate),
            ("roof.dram_bytes_per_s", Dimension::ByteRate),
            ("roof.flop_per_s", Dimension::FlopRate),
            ("roof.flop_per_s_high", Dimension::FlopRate),
            ("traffic.l2_bytes", Dimension::Bytes),
            ("compulsory_bytes", Dimension::Bytes),
            ("problem.m", Dimension::Number),
            ("measured_at", Dimension::Instant),
        ] {
            assert_eq!(Dimension::of_column(column), dimension, "{column}");
        }
    }

    #[test]
    fn gb_per_s_and_gib_per_s_are_apart() {
        let factor = |name| Unit::of_name(name).map(|unit| unit.factor);
        assert_eq!((factor("GB/s"), factor("GiB/s")), (Some(1e9), Some(1_073_741_824.0)));
        assert_eq!(factor("gb/s"), None);
    }
}
