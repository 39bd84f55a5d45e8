//! `sweeps/gemm-rtx4070.toml` holds as many really different points as it says.

use std::collections::HashSet;
use std::path::Path;

use tilecast_kernels::devices::cuda::{Architecture, CudaProgram};
use tilecast_kernels::{Config, DeviceInfo, Dtype, Family, Parameter, Problem, Value, family, product};

fn spec() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sweeps/gemm-rtx4070.toml");
    #[allow(clippy::disallowed_methods)] // a spec of this repository
    let text = std::fs::read_to_string(path).expect("the spec is there");
    text.parse().expect("the spec is TOML")
}

fn list(value: &toml::Value) -> Vec<toml::Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn int(value: &toml::Value) -> Value {
    Value::Int(value.as_integer().and_then(|value| u64::try_from(value).ok()).expect("a count"))
}

/// The family's knobs with the values of the spec.
fn knobs(family: &dyn Family, sweep: &toml::Value, device: &DeviceInfo) -> Vec<Parameter> {
    let given = sweep["knobs"].as_table().expect("knobs");
    let mut knobs = family.knobs(device);
    assert!(given.keys().all(|name| knobs.iter().any(|knob| knob.name == name)), "{given:?}");
    for knob in &mut knobs {
        if let Some(values) = given.get(knob.name) {
            knob.values = list(values).iter().map(int).collect();
        }
    }
    knobs
}

fn problems(family: &dyn Family, sweep: &toml::Value) -> Vec<Problem> {
    let dtypes = list(&sweep["dtype"]);
    let shapes = list(&sweep["problems"]);
    let axes = |shape: &toml::Value| -> Vec<(String, Value)> {
        shape.as_table().expect("axes").iter().map(|(name, value)| (name.clone(), int(value))).collect()
    };
    let of = |dtype: &toml::Value| {
        let dtype: Dtype = dtype.as_str().expect("a type").parse().expect("a type");
        shapes.iter().map(move |shape| family.problem(dtype, &axes(shape), 1).expect("legal"))
    };
    dtypes.iter().flat_map(of).collect()
}

#[test]
fn the_sweep_plans_exactly_16128_points_and_every_one_is_different_code_or_a_different_problem() {
    let device = DeviceInfo::assumed(Architecture::new(8, 9));
    let mut seen = HashSet::new();
    let mut points = 0;
    for sweep in list(&spec()["sweep"]) {
        let family = family(sweep["family"].as_str().expect("a family")).expect("registered");
        let configs = product(&knobs(family, &sweep, &device));
        for problem in problems(family, &sweep) {
            for config in &configs {
                assert_eq!(family.check(&problem, config, &device), Ok(()), "{problem}: {config}");
                let effective: Config = family.effective(&problem, config, &device);
                let source = family.cuda().expect("runs on a GPU");
                let CudaProgram::Compiled(compiled) = source.program(&problem, &effective, &device) else {
                    panic!("{problem}: {config} is not compiled");
                };
                points += 1;
                assert!(seen.insert((problem.id(), compiled.unit.id())), "{problem}: {config} runs what another point runs");
            }
        }
    }
    assert_eq!(points, 16_128);
}
