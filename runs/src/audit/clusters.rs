//! Rows that are equal in everything but some columns.
//!
//! Each value of each column has a random number; a row's key is the sum over its columns (Zobrist hashing). Leaving a column out is one
//! subtraction, so that the clusters of every knob cost one sort each.

use super::table::{Codes, Part, Table};
use crate::frame::{FrameError, open_columns};
use crate::schema::{KNOB, PROBLEM, col};

/// Columns that tell what was asked and ran, beside axes and knobs.
const FIXED: [&str; 5] = [col::dtype, col::cache_mode, col::kernel, col::time_statistic, col::time_basis];

/// All columns that can tell rows apart, read once for all parts.
pub(super) struct Columns(Vec<Keyed>);

impl Columns {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, FrameError> {
        let open = [open_columns(table.frame, PROBLEM), open_columns(table.frame, KNOB)].concat();
        let mut seed = 0x7469_6c65_6361_7374;
        let mut columns = Vec::new();
        for name in FIXED.iter().map(|name| (*name).to_owned()).chain(open) {
            let codes = table.codes(&name)?;
            let numbers = codes.values.iter().map(|_| mixed(&mut seed)).collect();
            columns.push(Keyed { name, codes, numbers });
        }
        Ok(Self(columns))
    }
}

/// A column and a random number for each of its values.
pub(super) struct Keyed {
    pub(super) name: String,
    pub(super) codes: Codes,
    numbers: Vec<u64>,
}

impl Keyed {
    fn number(&self, row: usize) -> u64 {
        self.numbers[self.codes.of[row] as usize]
    }

    pub(super) fn is_knob(&self) -> bool {
        self.name.starts_with(KNOB)
    }
}

/// The columns by which rows of a part differ, and the rows' keys.
pub(super) struct Keys<'a> {
    pub(super) columns: Vec<&'a Keyed>,
    /// Key per row of the frame; only rows of the part have one.
    all: Vec<u64>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(table: &Table<'_>, columns: &'a Columns, part: &Part) -> Self {
        let columns: Vec<&Keyed> = columns.0.iter().filter(|column| column.codes.vary(&part.points)).collect();
        let mut all = vec![0_u64; table.rows];
        for column in &columns {
            part.points.iter().for_each(|row| all[*row] = all[*row].wrapping_add(column.number(*row)));
        }
        Self { columns, all }
    }

    /// The key of `row` without the columns numbered `without`.
    pub(super) fn key(&self, row: usize, without: &[usize]) -> u64 {
        without.iter().fold(self.all[row], |key, column| key.wrapping_sub(self.columns[*column].number(row)))
    }

    /// Rows sorted by their key without some columns; clusters are runs of equal keys.
    pub(super) fn sorted(&self, rows: &[usize], without: &[usize]) -> Vec<(u64, u32)> {
        let row = |row: &usize| u32::try_from(*row).expect("Polars counts rows in 32 bits here");
        let mut keyed: Vec<(u64, u32)> = rows.iter().map(|at| (self.key(*at, without), row(at))).collect();
        keyed.sort_unstable();
        keyed
    }
}

/// Runs of rows with equal keys.
pub(super) fn clusters(sorted: &[(u64, u32)]) -> impl Iterator<Item = &[(u64, u32)]> {
    sorted.chunk_by(|a, b| a.0 == b.0)
}

/// SplitMix64 (Steele, Lea and Flood 2014): well mixed, the same everywhere.
fn mixed(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
