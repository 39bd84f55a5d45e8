//! `tilecast devices`: what is here and what can be measured on it.

use serde_json::{Value as Json, json};
use tilecast_kernels::devices::cuda::compile::Compiler;
use tilecast_kernels::devices::cuda::power::limits::Axes;
use tilecast_kernels::devices::cuda::{self, CudaDevice, Gpu};
use tilecast_kernels::{Device, DeviceInfo, EnergySource, Roof};

use crate::device::{self, CudaArgs};
use crate::fail::Fail;
use crate::verbs::asked::Output;
use crate::{Exit, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tilecast devices --roofs")]
pub struct Args {
    /// Measure the roofs too (arithmetic peak and bandwidths; a few seconds)
    #[arg(long)]
    roofs: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cuda: CudaArgs,
}

/// A device, or why there is none of its kind.
struct Found {
    device: Result<Box<dyn Device>, (String, String)>,
    roofs: Vec<Roof>,
    /// How kernels are made for it, or why they cannot be; `None` where they need no making.
    compiler: Option<Result<String, String>>,
    /// What limits or colours measurements on it.
    notes: Vec<String>,
    /// What a sweep may set on its board.
    settings: Vec<String>,
}

impl Args {
    /// Prints the devices.
    ///
    /// # Errors
    /// [`Fail`] where not even the CPU can be opened.
    pub fn run(self) -> Result<Exit, Fail> {
        self.cuda.apply();
        let cpu = device::open(device::DEFAULT)?;
        let roofs = self.roofs_of(&*cpu);
        let mut found = vec![Found::of(cpu, roofs, Vec::new())];
        match cuda::found(&device::cuda_options().libraries) {
            Ok(gpus) if gpus.is_empty() => found.push(Found::none("the driver finds no GPU")),
            Ok(gpus) => {
                for gpu in gpus {
                    found.push(match CudaDevice::open(&gpu.spec, device::cuda_options()) {
                        Ok(device) => {
                            let roofs = self.roofs_of(&device);
                            let notes = [device.notes().unwrap_or_default(), device.missing_roofs()].concat();
                            Found::of(Box::new(device), roofs, notes)
                        }
                        Err(error) => Found::missing(gpu.spec, error.to_string()),
                    });
                }
            }
            Err(error) => found.push(Found::none(&error.to_string())),
        }
        if self.output.json {
            terminal::json(&Json::Array(found.iter().map(Found::json).collect()))?;
        } else {
            found.iter().for_each(Found::print);
        }
        Ok(Exit::Done)
    }

    fn roofs_of(&self, device: &dyn Device) -> Vec<Roof> {
        if self.roofs { device.roofs() } else { Vec::new() }
    }
}

/// The compiler that makes code for a GPU.
fn compiles_for(gpu: &Gpu) -> Result<String, String> {
    let compiler = Compiler::open(device::cuda_options()).map_err(|error| error.to_string())?;
    compiler.serves(gpu).map_err(|error| error.to_string())?;
    Ok(compiler.name())
}

impl Found {
    fn of(device: Box<dyn Device>, roofs: Vec<Roof>, notes: Vec<String>) -> Self {
        let compiler = device.info().gpu.as_ref().map(compiles_for);
        let settings = device.limits().map(|mut limits| Axes::of(limits.as_mut()).words()).unwrap_or_default();
        Self { device: Ok(device), roofs, compiler, notes, settings }
    }

    fn none(reason: &str) -> Self {
        // The reason names its subject; here the subject stands before it already.
        let reason = reason.strip_prefix("device `cuda` ").unwrap_or(reason).to_owned();
        Self::missing("cuda".to_owned(), reason)
    }

    fn missing(spec: String, reason: String) -> Self {
        Self { device: Err((spec, reason)), roofs: Vec::new(), compiler: None, notes: Vec::new(), settings: Vec::new() }
    }

    fn json(&self) -> Json {
        match &self.device {
            Err((spec, reason)) => json!({ "spec": spec, "unavailable": reason }),
            Ok(device) => {
                let (compiler, reason) = match &self.compiler {
                    Some(Ok(name)) => (Some(name), None),
                    Some(Err(reason)) => (None, Some(reason)),
                    None => (None, None),
                };
                json!({ "device": device.info(), "energy": device.energy_source(), "roofs": self.roofs, "compiler": compiler,
                        "not_compilable": reason, "notes": self.notes, "settings": self.settings })
            }
        }
    }

    fn print(&self) {
        let device = match &self.device {
            Ok(device) => device,
            Err((spec, reason)) => return terminal::say(format_args!("{spec}  {reason}")),
        };
        let info = device.info();
        terminal::say(format_args!("{}  {}  ({})", info.spec, info.slug, info.name));
        print_facts(info);
        let caches: Vec<String> = info.caches.iter().map(|cache| format!("L{} {}", cache.level, bytes(cache.bytes))).collect();
        terminal::say(format_args!("     caches: {}", caches.join(", ")));
        terminal::say(match &info.gpu {
            None => "     time: thread CPU time, wall time beside it",
            Some(gpu) if gpu.simulated => "     time: simulated, never a measurement: rows are marked `vgpu`",
            Some(_) => "     time: CUDA events, the cost of launching told apart",
        });
        match &self.compiler {
            Some(Ok(name)) => terminal::say(format_args!("     kernels: compiled by {name}")),
            Some(Err(reason)) => terminal::say(format_args!("     kernels: cannot be compiled: {reason}")),
            None => {}
        }
        match device.energy_source() {
            EnergySource::Rapl => terminal::say("     energy: RAPL"),
            EnergySource::Nvml => terminal::say("     energy: NVML"),
            EnergySource::Unavailable(reason) => terminal::say(format_args!("     energy: not measurable: {reason}")),
        }
        self.settings.iter().for_each(|setting| terminal::say(format_args!("     a sweep may name {setting}")));
        self.notes.iter().for_each(|note| terminal::say(format_args!("     note: {note}")));
        self.roofs.iter().for_each(print_roof);
    }
}

fn print_facts(info: &DeviceInfo) {
    match &info.gpu {
        None => terminal::say(format_args!(
            "     {} threads; {}; {} memory; {}",
            info.threads,
            info.isa.join(", "),
            bytes(info.memory_bytes),
            info.os
        )),
        Some(gpu) => terminal::say(format_args!(
            "     {}; {} multiprocessors, up to {:.2} GHz; {} memory; driver for CUDA {}; {}",
            gpu.arch,
            gpu.sms,
            gpu.clock_hz / 1e9,
            bytes(info.memory_bytes),
            gpu.driver,
            gpu.uuid
        )),
    }
}

fn print_roof(roof: &Roof) {
    let Roof { name, value, low, high } = roof;
    terminal::say(format_args!("     {name}: {:.1} G ({:.1}–{:.1})", value / 1e9, low / 1e9, high / 1e9));
}

#[allow(clippy::cast_precision_loss)] // a size for people
fn bytes(value: u64) -> String {
    let value = value as f64;
    let (scale, unit) = match value {
        v if v >= f64::from(1 << 30) => (f64::from(1 << 30), "GiB"),
        v if v >= f64::from(1 << 20) => (f64::from(1 << 20), "MiB"),
        _ => (1024.0, "KiB"),
    };
    format!("{} {unit}", terminal::significant(value / scale))
}
