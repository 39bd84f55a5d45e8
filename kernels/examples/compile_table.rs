//! Compiles many configurations of every CUDA family for every architecture and prints what came of it. Called by scripts/bench/compile.
//! What compiled is then looked up in the cache again, one after another, and the rate held against a bar.
//!
//! `compile_table --nvrtc PATH --cache FOLDER [--cutlass FOLDER] [--each N] [--family ID] [--arch sm_NN] [--json]`; exit 1 where code fails to compile.

#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)] // a program of its own: arguments in, a table out

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use tilecast_kernels::devices::cuda::compile::{CompileOptions, Compiler, Lines, cover};
use tilecast_kernels::devices::cuda::{Architecture, Include, Libraries, Unit};
use tilecast_kernels::{DeviceError, DeviceInfo, Family, registry};

/// Look-ups a second that a warm cache is to serve.
const LOOK_UPS: f64 = 1000.0;
const ARCHITECTURES: [&str; 7] = ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"];

struct Arguments {
    options: CompileOptions,
    each: usize,
    family: Option<String>,
    archs: Vec<Architecture>,
    json: bool,
}

#[derive(Default)]
struct Cell {
    compiled: usize,
    refused: BTreeMap<String, usize>,
    failed: Vec<String>,
    registers: u32,
    spilling: usize,
    compile_s: f64,
    /// What compiled.
    units: Vec<Unit>,
    /// How long looking all of it up again took, one after another.
    look_up_s: f64,
}

fn main() {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(words) => {
            eprintln!("error: {words}");
            std::process::exit(2);
        }
    };
    let compiler = match Compiler::open(arguments.options.clone()) {
        Ok(compiler) => compiler,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
    };
    let start = Instant::now();
    let families = registry().iter().filter(|family| family.cuda().is_some());
    let mut rows = Vec::new();
    for family in families.filter(|family| arguments.family.as_deref().is_none_or(|id| id == family.card().id)) {
        for arch in &arguments.archs {
            let cell = compile(*family, *arch, &compiler, arguments.each);
            eprintln!("{} {arch}: {} compiled, {} failed", family.card().id, cell.compiled, cell.failed.len());
            rows.push((family.card().id, *arch, cell));
        }
    }
    let failed = rows.iter().map(|(.., cell)| cell.failed.len()).sum::<usize>();
    let looked_up = looked_up(&rows);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&json(&rows, looked_up)).expect("numbers and text"));
    } else {
        print(&rows);
        println!("{} in {:.0} s of wall time by {}", rows.len(), start.elapsed().as_secs_f64(), compiler.name());
        looked_up.iter().for_each(|rate| println!("looked up in a warm cache: {rate:.0} configurations/s (bar {LOOK_UPS})"));
    }
    std::process::exit(i32::from(failed > 0 || looked_up.is_some_and(|rate| rate < LOOK_UPS)));
}

fn parse() -> Result<Arguments, String> {
    let mut words = std::env::args().skip(1);
    let mut libraries = Libraries::default();
    let (mut cache, mut cutlass, mut each, mut family, mut json) = (None, None, 40, None, false);
    let mut archs = Vec::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
        match word.as_str() {
            "--nvrtc" => libraries.nvrtc = Some(value()?.into()),
            "--cache" => cache = Some(PathBuf::from(value()?)),
            "--cutlass" => cutlass = Some(PathBuf::from(value()?)),
            "--each" => each = value()?.parse().map_err(|_| "`--each` is not a number".to_owned())?,
            "--family" => family = Some(value()?),
            "--arch" => archs.push(Architecture::parse(&value()?).map_err(|error| error.to_string())?),
            "--json" => json = true,
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    if archs.is_empty() {
        archs = ARCHITECTURES.iter().map(|name| Architecture::parse(name).expect("known")).collect();
    }
    let cache = cache.ok_or("`--cache` is missing".to_owned())?;
    let options = CompileOptions { libraries, cache, cutlass, lines: Lines::Dropped };
    Ok(Arguments { options, each, family, archs, json })
}

/// Compiles a cover of `family` for `arch` on every processor.
fn compile(family: &'static dyn Family, arch: Architecture, compiler: &Compiler, each: usize) -> Cell {
    let device = DeviceInfo::assumed(arch);
    let mut cover = cover(family, &device, each, each.max(200), 1);
    if !compiler.has_cutlass() {
        cover.samples.retain(|sample| sample.unit.include != Include::Cutlass);
    }
    let mut cell = Cell::default();
    for reason in &cover.refused {
        *cell.refused.entry(rule(reason)).or_default() += 1;
    }
    let (todo, cell) = (Mutex::new(cover.samples), Mutex::new(cell));
    let work = || {
        loop {
            let Some(sample) = todo.lock().expect("no panic").pop() else { return };
            let compiled = compiler.compile(&sample.unit, arch);
            let mut cell = cell.lock().expect("no panic");
            match compiled {
                Ok(code) => {
                    cell.compiled += 1;
                    cell.units.push(sample.unit);
                    cell.compile_s += code.compile_s;
                    cell.registers = code.kernels.iter().map(|kernel| kernel.registers).fold(cell.registers, u32::max);
                    let spills = code.kernels.iter().any(|kernel| kernel.spill_store_bytes + kernel.spill_load_bytes > 0);
                    cell.spilling += usize::from(spills);
                }
                Err(error @ DeviceError::Compile { .. }) => {
                    let words = format!("{} | {}: {error}", sample.problem, sample.config);
                    eprintln!("FAIL {words}");
                    cell.failed.push(words);
                }
                Err(error) => cell.failed.push(error.to_string()),
            }
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(work))));
    let mut cell = cell.into_inner().expect("no panic");
    let start = Instant::now();
    for unit in &cell.units {
        let code = compiler.compile(unit, arch).expect("it compiled before");
        assert!(code.cached, "{unit:?} was compiled and not kept");
    }
    cell.look_up_s = start.elapsed().as_secs_f64();
    cell
}

/// Which rule spoke: the reason with `#` for every number, but for those that end a name (`bf16`, `sm_80`).
fn rule(reason: &str) -> String {
    let (mut rule, mut name) = (String::new(), false);
    for c in reason.chars() {
        if !c.is_ascii_digit() || name {
            rule.push(c);
        } else if !rule.ends_with('#') {
            rule.push('#');
        }
        name = c.is_ascii_alphabetic() || c == '_' || (name && c.is_ascii_digit());
    }
    rule
}

/// Configurations looked up a second, over everything that compiled.
fn looked_up(rows: &[(&str, Architecture, Cell)]) -> Option<f64> {
    let seconds: f64 = rows.iter().map(|(.., cell)| cell.look_up_s).sum();
    #[allow(clippy::cast_precision_loss)] // hundreds
    let count = rows.iter().map(|(.., cell)| cell.compiled).sum::<usize>() as f64;
    (count > 0.0).then(|| count / seconds)
}

fn print(rows: &[(&str, Architecture, Cell)]) {
    println!(
        "{:<15} {:<7} {:>8} {:>8} {:>7} {:>14} {:>9} {:>9}",
        "family", "arch", "compiled", "refused", "failed", "max registers", "spilling", "compile s"
    );
    for (family, arch, cell) in rows {
        println!(
            "{family:<15} {:<7} {:>8} {:>8} {:>7} {:>14} {:>9} {:>9.1}",
            arch.name(),
            cell.compiled,
            cell.refused.values().sum::<usize>(),
            cell.failed.len(),
            cell.registers,
            cell.spilling,
            cell.compile_s
        );
    }
    let mut reasons: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (family, _, cell) in rows {
        cell.refused.iter().for_each(|(rule, count)| *reasons.entry((family, rule)).or_default() += count);
    }
    println!("\nrefused, over all architectures (of configurations drawn, not of a space):");
    reasons.iter().for_each(|((family, rule), count)| println!("{count:>8}  {family}: {rule}"));
}

/// One entry per family and architecture in the house's form: the bar is that nothing fails; and one for the look-ups.
fn json(rows: &[(&str, Architecture, Cell)], looked_up: Option<f64>) -> serde_json::Value {
    let look_ups = looked_up.map(|rate| {
        serde_json::json!({
            "case": "warm cache", "ours": rate, "peer": null, "unit": "configurations/s", "ratio": null, "bar": LOOK_UPS, "ok": rate >= LOOK_UPS,
        })
    });
    rows.iter()
        .map(|(family, arch, cell)| {
            serde_json::json!({
                "case": format!("{family} for {arch}"), "ours": cell.failed.len(), "peer": null, "unit": "failures", "ratio": null, "bar": 0,
                "ok": cell.failed.is_empty(), "compiled": cell.compiled, "refused": cell.refused, "failed": cell.failed,
                "max_registers": cell.registers, "spilling": cell.spilling, "compile_s": cell.compile_s,
            })
        })
        .chain(look_ups)
        .collect()
}
