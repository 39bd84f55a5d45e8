//! Roofs as rows carry them, and which of them bound a run.
//!
//! A column is `roof.NAME`, with `roof.NAME_low` and `roof.NAME_high` where it was measured. `NAME` is a level
//! (`dram_bytes_per_s`) or an arithmetic peak (`flop_per_s`, `flop_per_s_f64`), and ends in `_all` where every thread of the device
//! took part.

use std::collections::BTreeMap;

use crate::chart::roofline::{Limit, Roof};
use crate::table::{Run, Value};

/// Who took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Threads {
    One,
    All,
}

/// How an arithmetic peak fits an element type, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// It is that type's own.
    Exact,
    /// It is of no type: f32's, and the best known of a type that has none of its own.
    Untyped,
}

/// A roof and what it holds for.
#[derive(Clone, Debug)]
pub(crate) struct MeasuredRoof {
    pub(crate) roof: Roof,
    pub(crate) threads: Threads,
    /// Element type of an arithmetic peak, where the name says one.
    dtype: Option<String>,
    /// `triad` and the like: a second way to measure the same level.
    variant: bool,
}

impl MeasuredRoof {
    /// Name with the number of threads.
    pub(crate) fn full_name(&self) -> String {
        match self.threads {
            Threads::One => self.roof.name.clone(),
            Threads::All => format!("{}, all threads", self.roof.name),
        }
    }

    /// How well the peak fits elements of `dtype`, if it holds for them at all.
    fn fit(&self, dtype: &str) -> Option<Fit> {
        match &self.dtype {
            Some(own) => (own == dtype).then_some(Fit::Exact),
            None => (dtype != "f64").then_some(Fit::Untyped),
        }
    }
}

/// All roofs of `runs`: the mean of what the rows carry, with the widest spread.
pub(crate) fn roofs<'r>(runs: impl Iterator<Item = &'r Run>) -> Vec<MeasuredRoof> {
    let mut seen: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for run in runs {
        for (name, value) in run.roofs.iter().filter(|(_, value)| **value > 0.0) {
            seen.entry(name).or_default().push(*value);
        }
    }
    let ends = |name: &str, side: &str| seen.get(format!("{name}_{side}").as_str()).into_iter().flatten().copied();
    let named = seen.iter().filter(|(name, _)| !name.ends_with("_low") && !name.ends_with("_high"));
    let roof = |(name, values): (&&str, &Vec<f64>)| {
        #[allow(clippy::cast_precision_loss)] // a count of rows
        let value = values.iter().sum::<f64>() / values.len() as f64;
        let (low, high) = (ends(name, "low").fold(f64::INFINITY, f64::min), ends(name, "high").fold(0.0, f64::max));
        // The mean of equal values may differ from them in the last digit.
        let spread = (low <= value * (1.0 + 1e-12) && value <= high * (1.0 + 1e-12)).then_some((low, high));
        parse(name, value, spread)
    };
    let mut found: Vec<MeasuredRoof> = named.filter_map(roof).collect();
    // On one thread both counts are the same measurement.
    let single: Vec<MeasuredRoof> = found.iter().filter(|one| one.threads == Threads::One).cloned().collect();
    let equal = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs();
    let copy =
        |all: &MeasuredRoof| single.iter().any(|one| one.roof.name == all.roof.name && equal(one.roof.value, all.roof.value));
    found.retain(|one| one.threads == Threads::One || !copy(one));
    found
}

fn parse(name: &str, value: f64, spread: Option<(f64, f64)>) -> Option<MeasuredRoof> {
    let (threads, name) = name.strip_suffix("_all").map_or((Threads::One, name), |name| (Threads::All, name));
    if let Some(level) = name.strip_suffix("bytes_per_s") {
        let words: Vec<&str> = level.split('_').filter(|word| !word.is_empty()).collect();
        let (level, rest) = words.split_first()?;
        let name =
            [level.to_uppercase()].into_iter().chain(rest.iter().map(|word| (*word).to_owned())).collect::<Vec<_>>().join(" ");
        let roof = Roof { name, limit: Limit::Bandwidth, value, spread };
        return Some(MeasuredRoof { roof, threads, dtype: None, variant: !rest.is_empty() });
    }
    let (before, after) = name.split_once("flop_per_s")?;
    let dtype = [before, after].into_iter().map(|part| part.trim_matches('_')).find(|part| !part.is_empty());
    let name = dtype.map_or_else(|| "arithmetic peak".to_owned(), |dtype| format!("arithmetic peak ({dtype})"));
    let roof = Roof { name, limit: Limit::Compute, value, spread };
    Some(MeasuredRoof { roof, threads, dtype: dtype.map(str::to_owned), variant: false })
}

/// Threads a run used: its `threads` knob; a kernel without one runs on a single thread.
pub(crate) fn threads(run: &Run) -> Threads {
    match run.knobs.get("threads").and_then(Value::number) {
        Some(threads) if threads > 1.0 => Threads::All,
        _ => Threads::One,
    }
}

/// The arithmetic peak that bounds `run`.
pub(crate) fn peak<'r>(roofs: &'r [MeasuredRoof], run: &Run) -> Option<&'r MeasuredRoof> {
    peak_of(roofs, &run.dtype, threads(run))
}

/// That of its own element type before the untyped one, then that of as many threads before that of one.
fn peak_of<'r>(roofs: &'r [MeasuredRoof], dtype: &str, wanted: Threads) -> Option<&'r MeasuredRoof> {
    let peaks = roofs.iter().filter(|one| one.roof.limit == Limit::Compute && [wanted, Threads::One].contains(&one.threads));
    let fitting = peaks.filter_map(|one| Some((one.fit(dtype)?, one)));
    fitting.min_by_key(|(fit, one)| (*fit, one.threads != wanted)).map(|(_, one)| one)
}

/// The roofs that bound any of `runs`: their peaks, and the memory levels for as many threads as they use. Names say the threads
/// where both kinds are there.
pub(crate) fn bounding(roofs: &[MeasuredRoof], runs: &[&Run]) -> Vec<Roof> {
    let peaks: Vec<&MeasuredRoof> = runs.iter().filter_map(|run| peak(roofs, run)).collect();
    let same = |a: &MeasuredRoof, b: &MeasuredRoof| std::ptr::eq(a, b);
    let most = runs.iter().map(|run| threads(run)).max().unwrap_or(Threads::One);
    let has = |threads: Threads| roofs.iter().any(|one| one.threads == threads);
    let level = if has(most) { most } else { Threads::One };
    let mixed = peaks.iter().any(|peak| peak.threads != peaks[0].threads);
    let bounds = |one: &&MeasuredRoof| match one.roof.limit {
        Limit::Compute => peaks.iter().any(|peak| same(peak, one)),
        Limit::Bandwidth => one.threads == level && !one.variant,
    };
    let named = |one: &MeasuredRoof| if mixed { Roof { name: one.full_name(), ..one.roof.clone() } } else { one.roof.clone() };
    roofs.iter().filter(bounds).map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_level_type_and_threads() {
        for (name, expected, threads) in [
            ("flop_per_s", "arithmetic peak", Threads::One),
            ("flop_per_s_f64", "arithmetic peak (f64)", Threads::One),
            ("flop_per_s_f64_all", "arithmetic peak (f64)", Threads::All),
            ("dram_bytes_per_s_all", "DRAM", Threads::All),
            ("dram_triad_bytes_per_s", "DRAM triad", Threads::One),
            ("l2_bytes_per_s", "L2", Threads::One),
        ] {
            let roof = parse(name, 1.0, None).expect(name);
            assert_eq!((roof.roof.name.as_str(), roof.threads), (expected, threads), "{name}");
        }
        assert!(parse("ridge_flop_per_byte", 1.0, None).is_none() && parse("clock_hz", 1.0, None).is_none());
    }

    #[test]
    fn a_run_is_held_against_the_peak_of_its_own_type_and_of_its_threads() {
        let names = ["flop_per_s", "flop_per_s_all", "flop_per_s_f16", "flop_per_s_f64", "flop_per_s_f64_all", "l2_bytes_per_s"];
        let roofs: Vec<MeasuredRoof> = names.into_iter().filter_map(|name| parse(name, 1.0, None)).collect();
        for (dtype, threads, expected) in [
            ("f16", Threads::One, Some("arithmetic peak (f16)")),
            ("f32", Threads::One, Some("arithmetic peak")),
            ("f32", Threads::All, Some("arithmetic peak, all threads")),
            ("f64", Threads::All, Some("arithmetic peak (f64), all threads")),
            ("bf16", Threads::One, Some("arithmetic peak")),
        ] {
            let found = peak_of(&roofs, dtype, threads).map(MeasuredRoof::full_name);
            assert_eq!(found.as_deref(), expected, "{dtype} {threads:?}");
        }
        assert!(peak_of(&roofs[..3], "f64", Threads::One).is_none(), "no f64 on units of f32");
    }
}
