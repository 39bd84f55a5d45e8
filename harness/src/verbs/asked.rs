//! What several verbs ask the same way: a spec with overrides, an output form.

use std::path::PathBuf;

use clap::Args;
use tilecast_kernels::devices::cpu::set_library;
use tilecast_kernels::{Device, DeviceInfo, Family, Parameter, Value};

use crate::device;
use crate::fail::{Fail, unknown};
use crate::spec::{self, Sweep, knobs_on, unknown_knob};

/// Where to look for what is legal.
const LEGAL: &str = "`tilecast families NAME` shows the legal axes and knobs, `tilecast sweep --help` a small spec";

/// Human or machine.
#[derive(Clone, Copy, Debug, Args)]
pub struct Output {
    /// Print JSON with stable field names and units in them
    #[arg(long)]
    pub json: bool,
}

/// A spec and what overrides it.
#[derive(Clone, Debug, Args)]
pub struct SpecArgs {
    /// Sweep spec (TOML)
    pub spec: PathBuf,
    /// Device, where not the spec's: `cpu`, `cpu:1t`, `cuda:0`
    #[arg(long)]
    pub device: Option<String>,
    /// Keep only this family of the spec
    #[arg(long)]
    pub family: Option<String>,
    /// Replace the values of an axis or knob wherever the spec sweeps a family that has it: `--axis m=256,512`; on a GPU also `nvml_clock`, `nvml_memory_clock` (MHz)
    /// and `nvml_power_limit` (W)
    #[arg(long = "axis", value_name = "NAME=V[,V…]")]
    pub axes: Vec<String>,
    /// Seed of operands, order and sampled spaces
    #[arg(long)]
    pub seed: Option<u64>,
    /// BLAS library for `gemm_blas` (OpenBLAS or oneDNN), which then also rivals structured kernels
    #[arg(long, value_name = "PATH")]
    pub blas: Option<PathBuf>,
    /// Samples a point takes at least
    #[arg(long)]
    pub min_samples: Option<u32>,
    /// Samples a point takes at most
    #[arg(long)]
    pub max_samples: Option<u32>,
    /// Relative half width of the interval at which a point stops
    #[arg(long)]
    pub max_noise: Option<f64>,
    /// Where a GPU's libraries are
    #[command(flatten)]
    pub cuda: device::CudaArgs,
}

/// A spec read but not yet held against a device.
struct Read {
    /// Its text.
    text: String,
    /// Its file name without the ending.
    name: String,
}

/// A spec read, checked and overridden, with its device open.
pub struct Asked {
    /// The sweep.
    pub sweep: Sweep,
    /// Its text.
    pub text: String,
    /// The device.
    pub device: Box<dyn Device>,
}

impl SpecArgs {
    /// Reads, checks, overrides.
    ///
    /// # Errors
    /// [`Fail`] naming file, key, value and limit.
    pub fn open(&self) -> Result<Asked, Fail> {
        let read = self.read()?;
        self.cuda.apply();
        let device = device::open(&self.device_of(&read.text))?;
        let sweep = self.checked(&read, device.info())?;
        Ok(Asked { sweep, text: read.text, device })
    }

    /// Reads, checks and overrides for a device of which only `info` is known.
    ///
    /// # Errors
    /// As [`SpecArgs::open`].
    pub fn open_for(&self, info: &DeviceInfo) -> Result<Sweep, Fail> {
        self.checked(&self.read()?, info)
    }

    fn read(&self) -> Result<Read, Fail> {
        let text = std::fs::read_to_string(&self.spec).map_err(|error| {
            Fail::new(format!("spec `{}` cannot be read: {error}", self.spec.display()))
                .hint("sweeps/ holds examples; `tilecast sweep --help` shows one")
        })?;
        let name = self.spec.file_stem().map_or_else(|| "spec".to_owned(), |stem| stem.to_string_lossy().into_owned());
        Ok(Read { text, name })
    }

    fn checked(&self, read: &Read, info: &DeviceInfo) -> Result<Sweep, Fail> {
        let parsed = self.parse(&read.text, &read.name, info);
        parsed.map_err(|fail| fail.within(format_args!("`{}`", self.spec.display())).or_hint(LEGAL))
    }

    /// The device asked for, the spec's, or the default. A spec that does not parse says so later.
    fn device_of(&self, text: &str) -> String {
        let in_spec = || text.parse::<toml::Table>().ok()?.get("device")?.as_str().map(str::to_owned);
        self.device.clone().or_else(in_spec).unwrap_or_else(|| device::DEFAULT.to_owned())
    }

    fn parse(&self, text: &str, name: &str, info: &DeviceInfo) -> Result<Sweep, Fail> {
        let mut sweep = spec::parse(text, name, &|family| knobs_on(family, info))?;
        if let Some(family) = &self.family {
            keep_family(&mut sweep, family)?;
        }
        for axis in &self.axes {
            override_axis(&mut sweep, axis, info)?;
        }
        sweep.seed = self.seed.unwrap_or(sweep.seed);
        let Self { min_samples, max_samples, max_noise, .. } = *self;
        spec::Overrides { min_samples, max_samples, max_noise }.apply(&mut sweep.measure)?;
        sweep.blas = self.blas.clone().or(sweep.blas);
        set_library(sweep.blas.clone());
        Ok(sweep)
    }
}

fn keep_family(sweep: &mut Sweep, id: &str) -> Result<(), Fail> {
    let known: Vec<&str> = sweep.entries.iter().map(|entry| entry.family.card().id).collect();
    if !known.contains(&id) {
        return Err(unknown("family of this spec", id, known));
    }
    sweep.entries.retain(|entry| entry.family.card().id == id);
    Ok(())
}

/// `name=v,v` replaces the values of that axis or knob in every entry whose family has it.
fn override_axis(sweep: &mut Sweep, text: &str, info: &DeviceInfo) -> Result<(), Fail> {
    let (name, list) =
        text.split_once('=').ok_or_else(|| Fail::new(format!("`--axis {text}` has no `=`")).hint("write `--axis m=256,512`"))?;
    let mut known = Vec::new();
    let mut found = false;
    for entry in &mut sweep.entries {
        let (axes, knobs) = (entry.family.axes(), knobs_on(entry.family, info));
        if let Some(axis) = axes.iter().find(|axis| axis.name == name) {
            let values = parse_values(list, axis)?;
            entry.problems = replaced(&entry.problems, name, &values);
            found = true;
        } else if let Some(knob) = knobs.iter().find(|knob| knob.name == name) {
            let values = parse_values(list, knob)?;
            entry.knobs.retain(|(knob, _)| knob != name);
            entry.knobs.push((name.to_owned(), values));
            found = true;
        }
        known.extend(axes.iter().chain(&knobs).map(|parameter| parameter.name));
    }
    if found { Ok(()) } else { Err(unknown_knob("axis or knob", name, known)) }
}

/// Every problem with `name` set to each of `values`, without repeats.
fn replaced(problems: &[Vec<(String, Value)>], name: &str, values: &[Value]) -> Vec<Vec<(String, Value)>> {
    let mut out: Vec<Vec<(String, Value)>> = Vec::new();
    for problem in problems {
        for value in values {
            let mut axes: Vec<_> = problem.iter().filter(|(axis, _)| axis != name).cloned().collect();
            axes.push((name.to_owned(), value.clone()));
            if !out.contains(&axes) {
                out.push(axes);
            }
        }
    }
    out
}

/// `nvml_clock=1200,1800` as values of a knob that `family` has on `device`, each of `texts` one knob.
///
/// # Errors
/// [`Fail`] naming the knob and the limit.
pub fn parse_knobs(texts: &[String], family: &dyn Family, device: &DeviceInfo) -> Result<Vec<(String, Vec<Value>)>, Fail> {
    let knobs = knobs_on(family, device);
    let parse = |text: &String| {
        let assigned = text.split_once('=');
        let (name, list) =
            assigned.ok_or_else(|| Fail::new(format!("`--axis {text}` has no `=`")).hint("write `--axis tile=16,32`"))?;
        let known = knobs.iter().find(|knob| knob.name == name);
        let knob = known.ok_or_else(|| unknown_knob("knob", name, knobs.iter().map(|knob| knob.name)))?;
        Ok((name.to_owned(), parse_values(list, knob)?))
    };
    texts.iter().map(parse).collect()
}

fn parse_values(list: &str, parameter: &Parameter) -> Result<Vec<Value>, Fail> {
    list.split(',').map(|word| parse_value(word, parameter)).collect()
}

/// `word` as a value of `parameter`.
///
/// # Errors
/// [`Fail`] with the parameter's limit.
pub fn parse_value(word: &str, parameter: &Parameter) -> Result<Value, Fail> {
    let value = match (word.parse::<u64>(), word.parse::<f64>()) {
        (Ok(int), _) => Value::Int(int),
        (_, Ok(real)) => Value::Real(real),
        _ => Value::Text(word.to_owned()),
    };
    parameter.domain.accept(parameter.name, &value).map_err(|misfit| Fail::from(misfit).hint(LEGAL))?;
    Ok(value)
}

/// `m=512,n=512,layout=nn` as axes of `family`.
///
/// # Errors
/// [`Fail`] naming the axis and the limit.
pub fn parse_problem(text: &str, family: &dyn Family) -> Result<Vec<(String, Value)>, Fail> {
    let axes = family.axes();
    text.split(',')
        .map(|assignment| {
            let (name, word) = assignment
                .split_once('=')
                .ok_or_else(|| Fail::new(format!("`{assignment}` has no `=`")).hint("write `m=768,n=768,k=768`"))?;
            let axis = axes
                .iter()
                .find(|axis| axis.name == name)
                .ok_or_else(|| unknown("axis", name, axes.iter().map(|axis| axis.name)))?;
            Ok((name.to_owned(), parse_value(word, axis)?))
        })
        .collect()
}
