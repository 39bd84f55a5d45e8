//! Labels against the name of the kernel that ran.

use std::collections::HashMap;

use super::table::{Codes, Part, Table, percent};
use super::{Check, Finding, Severity};
use crate::frame::FrameError;
use crate::kernel_name::{self, KernelName};
use crate::schema::col;

/// Columns that are labels, and the part of a name that they speak of. `block1` to `block3` are GPPerf's words for the tile.
const LABELS: [(&str, &str); 20] = [
    ("knob.layout", "layout"),
    ("problem.layout", "layout"),
    ("knob.tile_m", "tile_m"),
    ("knob.tile_n", "tile_n"),
    ("knob.tile_k", "tile_k"),
    ("knob.cta_m", "tile_m"),
    ("knob.cta_n", "tile_n"),
    ("knob.cta_k", "tile_k"),
    ("knob.block_m", "tile_m"),
    ("knob.block_n", "tile_n"),
    ("knob.block_k", "tile_k"),
    ("knob.block1", "tile_m"),
    ("knob.block2", "tile_n"),
    ("knob.block3", "tile_k"),
    ("knob.cluster_m", "cluster_m"),
    ("knob.cluster_n", "cluster_n"),
    ("knob.cluster_k", "cluster_k"),
    ("knob.stages", "stages"),
    ("knob.align", "align"),
    ("dtype", "dtype"),
];

/// One finding per part and label that contradicts the name.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let kernels = table.codes(col::kernel)?;
    let names: Vec<Option<KernelName>> = kernels.values.iter().map(|name| kernel_name::parse(name)).collect();
    if names.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for (column, said) in LABELS.into_iter().filter(|(column, _)| table.frame.column(column).is_ok()) {
        let label = Label { column, said, codes: table.codes(column)?, kernels: &kernels, names: &names };
        findings.extend(table.parts.iter().filter_map(|part| label.contradictions(table, part)));
    }
    Ok(findings)
}

struct Label<'a> {
    column: &'static str,
    said: &'static str,
    codes: Codes,
    kernels: &'a Codes,
    names: &'a [Option<KernelName>],
}

impl Label<'_> {
    fn contradictions(&self, table: &Table<'_>, part: &Part) -> Option<Finding> {
        let mut known: HashMap<(u32, u32), Option<bool>> = HashMap::new();
        let mut agrees = |row: usize| {
            let pair = (self.kernels.of[row], self.codes.of[row]);
            *known.entry(pair).or_insert_with(|| self.agrees(pair))
        };
        let compared: Vec<(usize, bool)> = part.ok.iter().filter_map(|row| Some((*row, agrees(*row)?))).collect();
        let wrong: Vec<usize> = compared.iter().filter(|(_, agrees)| !agrees).map(|(row, _)| *row).collect();
        if wrong.is_empty() {
            return None;
        }
        #[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
        let share = percent(wrong.len() as f64 / compared.len() as f64);
        let detail = format!("{}: `{}` contradicts the kernel's name in {share} of rows", part.name(), self.column);
        let value = |codes: &Codes, row: usize| codes.values[codes.of[row] as usize].clone();
        let shows = |row: usize| format!("{} = {}, kernel `{}`", self.column, value(&self.codes, row), value(self.kernels, row));
        let finding = Finding::new(&Check::LABEL, Severity::Warning, (wrong.len(), compared.len()), detail).about(self.column);
        Some(finding.showing(table.examples(wrong, shows)))
    }

    /// `None` where the label is null or the name silent.
    fn agrees(&self, (kernel, label): (u32, u32)) -> Option<bool> {
        let name = self.names[kernel as usize].as_ref()?;
        let label = (label != 0).then(|| self.codes.values[label as usize].as_str())?;
        if self.said == "dtype" { name.dtype().map(|dtype| dtype == label) } else { name.agrees(self.said, label) }
    }
}
