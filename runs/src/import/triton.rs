//! Triton's cache of autotuning (`*.autotune.json`): per configuration the median and the 20 % and 80 % quantiles, in milliseconds.

use serde_json::{Map, Value, json};

use super::draft::{Context, Draft, MS, NOT_VERIFIED, Outcome};
use super::json::{array, cell, cell_of_text, document, number_of, plain};
use super::source::Source;
use super::{Document, Format, ImportError, Options};
use crate::row::Cell;

/// Imports a cache file; the kernel is named by the file only.
pub(super) fn import(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    let format = Format::Triton.name();
    let mut document = document(source, format)?;
    let timings = array(source, format, &mut document.root, "configs_timings")?;
    let key = match document.root.get("key") {
        Some(Value::Array(key)) => key.clone(),
        _ => return Err(source.wrong(format, "there is no array `key`")),
    };
    let kernel = source.name.split('.').next().unwrap_or_default();
    let context = Context::new(format, source, None, options);
    let (axes, guessed) = axes(kernel, &key);
    let dtype = key.iter().filter_map(Value::as_str).find_map(dtype);
    let mut rows = Vec::with_capacity(timings.len());
    for (at, timing) in timings.into_iter().enumerate() {
        let Value::Array(pair) = timing else {
            return Err(source.wrong(format, format!("timing {at} is no pair")));
        };
        let [Value::Object(config), times] = pair.as_slice() else {
            return Err(source.wrong(format, format!("timing {at} is no pair of a configuration and its times")));
        };
        let mut draft = draft(kernel, config, times);
        (draft.axes, draft.dtype) = (axes.clone(), dtype.map(str::to_owned));
        rows.push(draft.row(&context));
    }
    let mut warnings: Vec<String> = context.found.warning.iter().cloned().collect();
    warnings.extend(guessed);
    Ok(Document { rows, run_id: context.run_id(), warnings, repaired: document.repaired })
}

/// The key holds the values of the arguments named in the decorator, without their names: of a matrix product the first three
/// integers are taken for m, n and k.
fn axes(kernel: &str, key: &[Value]) -> (Vec<(String, Cell)>, Option<String>) {
    let like_gemm = ["gemm", "matmul", "mm"].iter().any(|word| kernel.to_ascii_lowercase().contains(word));
    let sizes = key.iter().take(3).filter(|value| value.is_i64()).count() == 3;
    let name = |at: usize| match (like_gemm && sizes, at) {
        (true, 0..=2) => ["m", "n", "k"][at].to_owned(),
        _ => format!("key_{at}"),
    };
    let value = |value: &Value| value.as_str().map_or_else(|| cell(value), |text| Some(cell_of_text(text)));
    let axes = key.iter().enumerate().filter_map(|(at, part)| Some((name(at), value(part)?))).collect();
    let guessed = "problem: the key's first three integers are taken for `m`, `n` and `k`; the file does not name them";
    (axes, (like_gemm && sizes).then(|| guessed.to_owned()))
}

fn dtype(word: &str) -> Option<&'static str> {
    Some(match word.trim_start_matches("torch.") {
        "float16" | "fp16" => "f16",
        "bfloat16" | "bf16" => "bf16",
        "float32" | "fp32" => "f32",
        "float64" | "fp64" => "f64",
        "int8" => "i8",
        _ => return None,
    })
}

fn draft(kernel: &str, config: &Map<String, Value>, times: &Value) -> Draft {
    let mut draft = Draft::new(kernel);
    for (name, value) in config {
        match (name.as_str(), value) {
            ("kwargs", Value::Object(arguments)) => {
                draft.knobs.extend(arguments.iter().filter_map(|(name, value)| Some((name.clone(), cell(value)?))));
            }
            ("num_warps" | "num_ctas" | "num_stages" | "maxnreg" | "num_buffers_warp_spec", value) => {
                draft.knobs.extend(cell(value).map(|cell| (name.clone(), cell)));
            }
            (_, Value::Null) => {}
            _ => {
                draft.extra.insert(name.clone(), value.clone());
            }
        }
    }
    let quantiles: Vec<f64> = match times {
        Value::Array(times) => times.iter().filter_map(number_of).collect(),
        other => number_of(other).into_iter().collect(),
    };
    draft.outcome = match quantiles.first() {
        // Triton gives a configuration that does not compile or run infinite time.
        Some(time) if !time.is_finite() => Outcome::failed("runtime_error", format!("triton reports `{}`", plain(times))),
        median => Outcome::reported(median.copied(), MS, "median").basis("event"),
    };
    if let (Outcome::Timed(_), [_, p20, p80]) = (&draft.outcome, quantiles.as_slice()) {
        draft.extra.insert("p20_ms".to_owned(), json!(p20));
        draft.extra.insert("p80_ms".to_owned(), json!(p80));
        draft.warnings.push(NOT_VERIFIED);
    }
    draft
}
