//! `tilecast devices`: what is here and what can be measured on it.

use serde_json::json;
use tilecast_kernels::{EnergySource, Roof};

use crate::fail::Fail;
use crate::verbs::asked::Output;
use crate::{Exit, device, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tilecast devices --roofs")]
pub struct Args {
    /// Measure the roofs too (arithmetic peak and bandwidths; a few seconds)
    #[arg(long)]
    roofs: bool,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Prints the devices.
    ///
    /// # Errors
    /// [`Fail`] where not even the CPU can be opened.
    pub fn run(self) -> Result<Exit, Fail> {
        let device = device::open(device::DEFAULT)?;
        let info = device.info();
        let energy = device.energy_source();
        let roofs = if self.roofs { device.roofs() } else { Vec::new() };
        if self.output.json {
            terminal::json(&json!([{ "device": info, "energy": energy, "roofs": roofs }]))?;
            return Ok(Exit::Done);
        }
        terminal::say(format_args!("{}  {}  ({})", info.spec, info.slug, info.name));
        terminal::say(format_args!(
            "     {} threads; {}; {} memory; {}",
            info.threads,
            info.isa.join(", "),
            bytes(info.memory_bytes),
            info.os
        ));
        let caches: Vec<String> = info.caches.iter().map(|cache| format!("L{} {}", cache.level, bytes(cache.bytes))).collect();
        terminal::say(format_args!("     caches: {}", caches.join(", ")));
        terminal::say("     time: thread CPU time, wall time beside it");
        match energy {
            EnergySource::Rapl => terminal::say("     energy: RAPL"),
            EnergySource::Nvml => terminal::say("     energy: NVML"),
            EnergySource::Unavailable(reason) => terminal::say(format_args!("     energy: not measurable: {reason}")),
        }
        roofs.iter().for_each(print_roof);
        terminal::say("cuda this version measures on the CPU only");
        Ok(Exit::Done)
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
