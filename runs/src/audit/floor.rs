//! Times below what the device allows.

use super::ratio::unit;
use super::table::{Codes, Part, Table, figure};
use super::{Check, Finding, Severity};
use crate::device::{Device, Rate, lookup};
use crate::frame::FrameError;
use crate::quantile::median;
use crate::schema::col;

/// Boards clock above the stated boost by up to 10 %; measured roofs vary by their own noise.
const MARGIN: f64 = 0.85;
/// Types whose measured peak nothing exceeds; other ones are multiplied by tensor units.
const VECTOR: [&str; 2] = ["f32", "f64"];
/// Bytes must come from memory where they exceed the last-level cache so many times.
const CACHES: f64 = 2.0;

/// Rows whose time is below FLOP over the peak rate, or below bytes over the bandwidth where no cache can hold them.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let dtypes = table.codes(col::dtype)?;
    let rows = Rows {
        flop: table.reals(col::useful_flop)?,
        bytes: table.reals(col::compulsory_bytes)?,
        cache: table.reals(col::device_llc_bytes)?,
        roofs: [arithmetic(table, &dtypes)?, roof(table, "roof.dram_bytes_per_s")?],
        measured: table.codes("roof.flop_per_s_high")?.of.iter().map(|code| *code != 0).collect(),
        dtypes,
    };
    Ok(table.parts.iter().filter_map(|part| of_part(table, part, &rows)).collect())
}

struct Rows {
    flop: Vec<f64>,
    bytes: Vec<f64>,
    cache: Vec<f64>,
    /// FLOP/s and bytes/s of the row itself; the upper end where the roof was measured.
    roofs: [Vec<f64>; 2],
    measured: Vec<bool>,
    dtypes: Codes,
}

fn roof(table: &Table<'_>, name: &str) -> Result<Vec<f64>, FrameError> {
    let (value, high) = (table.reals(name)?, table.reals(&format!("{name}_high"))?);
    Ok(value.iter().zip(&high).map(|(value, high)| if high.is_finite() { *high } else { *value }).collect())
}

/// The peak of each row's own element type where it has one, else the one of no type.
fn arithmetic(table: &Table<'_>, dtypes: &Codes) -> Result<Vec<f64>, FrameError> {
    let general = roof(table, "roof.flop_per_s")?;
    let own = dtypes.values.iter().map(|dtype| roof(table, &format!("roof.flop_per_s_{dtype}")));
    let own = own.collect::<Result<Vec<Vec<f64>>, _>>()?;
    let of =
        |(row, general): (usize, f64)| Some(own[dtypes.of[row] as usize][row]).filter(|own| own.is_finite()).unwrap_or(general);
    Ok(general.into_iter().enumerate().map(of).collect())
}

impl Rows {
    /// Seconds that `row` takes at least; NaN where nothing is known.
    fn floor_s(&self, row: usize, peaks: &[f64], device: Option<&Device>) -> f64 {
        // A stated roof may be that of the vector units where tensor units ran, and a measured one of tensor units is that of one way to feed them: the
        // catalogue knows more.
        let dtype = self.dtypes.of[row] as usize;
        let believed = self.measured[row] && VECTOR.contains(&self.dtypes.values[dtype].as_str());
        let catalogue = if believed { f64::NAN } else { peaks[dtype] };
        let work = self.flop[row] / self.roofs[0][row].max(catalogue);
        let facts = device.map(|device| &device.facts);
        #[allow(clippy::cast_precision_loss)] // caches are far below 2^53 bytes
        let cache = facts.and_then(|facts| facts.l2_bytes).map_or(f64::NAN, |bytes| bytes as f64).max(self.cache[row]);
        let bandwidth = facts.and_then(|facts| facts.memory_bandwidth_bytes_per_s).unwrap_or(f64::NAN);
        let traffic = self.bytes[row] / self.roofs[1][row].max(if self.measured[row] { f64::NAN } else { bandwidth });
        if self.bytes[row] > CACHES * cache { work.max(traffic) } else { work }
    }
}

/// The faster of the vector and the tensor rate: a library may use either.
fn peaks(device: &Device, dtype: &str) -> f64 {
    let rates = match dtype {
        "f32" | "tf32" | "c32" => vec![Rate::Fp32, Rate::Tf32Tensor],
        "f64" | "c64" => vec![Rate::Fp64, Rate::Fp64Tensor],
        other => Rate::of_dtype(other).into_iter().collect(),
    };
    rates.into_iter().filter_map(|rate| device.peak_flop_per_s(rate)).fold(f64::NAN, f64::max)
}

fn of_part(table: &Table<'_>, part: &Part, rows: &Rows) -> Option<Finding> {
    let device = lookup(&part.device).device;
    let peaks: Vec<f64> = rows.dtypes.values.iter().map(|dtype| device.map_or(f64::NAN, |device| peaks(device, dtype))).collect();
    let floor = |row: usize| rows.floor_s(row, &peaks, device);
    let judged: Vec<usize> = part.ok.iter().copied().filter(|row| floor(*row).is_finite() && table.time[*row] > 0.0).collect();
    let wrong: Vec<usize> = judged.iter().copied().filter(|row| table.time[*row] < floor(*row) * MARGIN).collect();
    let typical = median(&mut wrong.iter().map(|row| floor(*row) / table.time[*row]).collect::<Vec<_>>())?;
    let hint =
        if typical > 500.0 || unit(typical).is_some() { "; so large a factor is more likely a unit than a kernel" } else { "" };
    let detail = format!("{}: times are below the roofline, typically by a factor of {}{hint}", part.name(), figure(typical));
    let shows = |row: usize| format!("time_s = {}, roofline {} s", figure(table.time[row]), figure(floor(row)));
    let finding = Finding::new(&Check::FLOOR, Severity::Error, (wrong.len(), judged.len()), detail).about(col::time_s);
    Some(finding.showing(table.examples(wrong, shows)))
}
