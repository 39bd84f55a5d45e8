//! What the dense families compile for a GPU by default at m = n = k = 4096, as JSON: texts, definitions, kernels. Read by `scripts/bench/sass`.
//!
//! `cargo run -p tilecast-kernels --example cuda_programs -- sm_80 sm_90`

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)] // a program of its own

use serde_json::{Value as Json, json};
use tilecast_kernels::devices::cuda::{Architecture, CudaProgram};
use tilecast_kernels::{DeviceInfo, DeviceKind, Dtype, Family, Value, registry};

const SIZE: u64 = 4096;

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let mut programs = Vec::new();
    for name in if given.is_empty() { vec!["sm_80".to_owned(), "sm_90".to_owned()] } else { given } {
        let arch = match Architecture::parse(&name) {
            Ok(arch) => arch,
            Err(error) => {
                eprintln!("error: {error}");
                std::process::exit(2);
            }
        };
        let device = DeviceInfo::assumed(arch);
        for family in registry().iter().filter(|family| family.card().group == "dense") {
            for &dtype in family.dtypes_on(DeviceKind::Cuda) {
                programs
                    .extend(["nn", "nt", "tn", "tt"].into_iter().filter_map(|layout| program(*family, dtype, layout, &device)));
            }
        }
    }
    println!("{}", Json::Array(programs));
}

/// The default configuration's unit; `None` where the family does not run there or is not compiled from text.
fn program(family: &dyn Family, dtype: Dtype, layout: &str, device: &DeviceInfo) -> Option<Json> {
    let mut axes: Vec<(String, Value)> = ["m", "n", "k"].map(|axis| (axis.to_owned(), SIZE.into())).into();
    axes.push(("layout".to_owned(), layout.into()));
    let problem = family.problem(dtype, &axes, 1).ok()?;
    let config = family.effective(&problem, &family.default_config(&problem, device), device);
    family.check(&problem, &config, device).ok()?;
    let CudaProgram::Compiled(compiled) = family.cuda()?.program(&problem, &config, device) else { return None };
    let suffix = if compiled.unit.arch_specific { "a" } else { "" };
    Some(json!({
        "family": family.card().id,
        "dtype": dtype.name(),
        "layout": layout,
        "arch": format!("{}{suffix}", device.gpu().arch),
        "config": config.to_string(),
        "kernel": compiled.launches[0].kernel,
        "text": compiled.unit.texts.join("\n"),
        "defines": compiled.unit.defines,
    }))
}
