//! The devices of a table, each looked up once.

use std::collections::HashMap;

use polars::prelude::*;

use super::cells::{Cells, coded};
use crate::device::{self, Found, Rate};
use crate::schema::col;

/// A device under the name the source gives it.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) found: Found,
}

/// All devices seen so far; rows hold their index.
#[derive(Default)]
pub(super) struct Devices {
    pub(super) entries: Vec<Entry>,
    codes: HashMap<String, usize>,
}

impl Devices {
    /// The index of the device called `name`.
    pub(super) fn code(&mut self, name: &str) -> usize {
        if let Some(code) = self.codes.get(name) {
            return *code;
        }
        let found = device::lookup(name);
        let shown = if name.is_empty() { found.slug.clone() } else { name.to_owned() };
        self.add(name, Entry { name: shown, found })
    }

    /// The index of the device that a file name speaks of.
    pub(super) fn of_file_name(&mut self, file_name: &str, format: &str) -> usize {
        let found = device::lookup_in_file_name(file_name, format);
        self.add(file_name, Entry { name: found.slug.clone(), found })
    }

    fn add(&mut self, key: &str, entry: Entry) -> usize {
        self.entries.push(entry);
        self.codes.insert(key.to_owned(), self.entries.len() - 1);
        self.entries.len() - 1
    }

    /// What is not known about them.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.entries.iter().filter_map(|entry| entry.found.warning.clone())
    }

    fn texts(&self, codes: &[usize], name: &str, of: impl Fn(&Entry) -> Option<String>) -> PolarsResult<Column> {
        let values: Vec<Option<String>> = self.entries.iter().map(of).collect();
        coded(name, &values.iter().map(Option::as_deref).collect::<Vec<_>>(), codes)
    }

    fn ints(&self, codes: &[usize], name: &str, of: impl Fn(&Entry) -> Option<i64>) -> Column {
        let values: Vec<Option<i64>> = self.entries.iter().map(of).collect();
        Int64Chunked::from_iter_options(name.into(), codes.iter().map(|code| values[*code])).into_column()
    }

    /// Identity of the device of each row, and data-sheet values of the catalogue.
    pub(super) fn columns(&self, codes: &[usize], dtypes: &Cells<'_>) -> PolarsResult<Vec<Column>> {
        let device = |entry: &Entry| entry.found.device;
        let mut columns = vec![
            self.texts(codes, col::device, |entry| Some(entry.found.slug.clone()))?,
            self.texts(codes, col::device_name, |entry| Some(entry.name.clone()))?,
            self.texts(codes, col::device_kind, |entry| {
                Some(device(entry).map_or("unknown", |device| device.kind.as_str()).to_owned())
            })?,
            self.texts(codes, col::device_isa, |entry| device(entry)?.architecture())?,
            self.ints(codes, col::device_memory_bytes, |entry| device(entry)?.facts.memory_bytes),
            self.ints(codes, col::device_llc_bytes, |entry| device(entry)?.facts.l2_bytes),
        ];
        if self.entries.iter().any(|entry| entry.found.device.is_some()) {
            columns.extend(self.roofs(codes, dtypes));
        }
        Ok(columns)
    }

    fn roofs(&self, codes: &[usize], dtypes: &Cells<'_>) -> [Column; 2] {
        let mut known: HashMap<(usize, &str), Option<f64>> = HashMap::new();
        let flop = codes.iter().enumerate().map(|(row, code)| {
            let dtype = match dtypes {
                Cells::Texts(cells) => cells[row].as_deref().unwrap_or_default(),
                _ => "",
            };
            *known
                .entry((*code, dtype))
                .or_insert_with(|| self.entries[*code].found.device?.peak_flop_per_s(Rate::of_dtype(dtype)?))
        });
        let flop: Vec<Option<f64>> = flop.collect();
        let bandwidth = |entry: &Entry| entry.found.device?.facts.memory_bandwidth_bytes_per_s;
        let bandwidths: Vec<Option<f64>> = self.entries.iter().map(bandwidth).collect();
        let bytes = codes.iter().map(|code| bandwidths[*code]);
        [
            Float64Chunked::from_iter_options("roof.flop_per_s".into(), flop.into_iter()).into_column(),
            Float64Chunked::from_iter_options("roof.dram_bytes_per_s".into(), bytes).into_column(),
        ]
    }
}
