//! Prints what the CPU device says of this machine and its measured roofs.
#![allow(clippy::print_stdout)]

use std::path::Path;
use tilecast_kernels::{Device, devices::cpu::CpuDevice};

fn main() -> Result<(), tilecast_kernels::DeviceError> {
    let spec = std::env::args().nth(1).unwrap_or_else(|| "cpu".to_owned());
    let device = CpuDevice::open(&spec, Path::new("/sys"))?;
    println!("{:#?}\n{:?}", device.info(), device.energy_source());
    for roof in device.roofs() {
        println!("{:32} {:8.1} G/s ({:.1} to {:.1})", roof.name, roof.value / 1e9, roof.low / 1e9, roof.high / 1e9);
    }
    Ok(())
}
