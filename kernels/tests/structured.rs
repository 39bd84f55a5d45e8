//! The structured families on the CPU device: every configuration against the oracle on awkward shapes.

use std::collections::HashSet;
use std::path::Path;

use tilecast_kernels::devices::cpu::CpuDevice;
use tilecast_kernels::oracle::Verdict;
use tilecast_kernels::{CacheMode, Config, Device, Dtype, Family, Problem, Value, family, product};

fn the(id: &str) -> &'static dyn Family {
    family(id).expect("a family of the registry")
}

/// A problem from `name=value` words.
fn problem(id: &str, dtype: Dtype, axes: &str) -> Result<Problem, String> {
    let given: Vec<(String, Value)> = axes
        .split_whitespace()
        .map(|word| {
            let (name, value) = word.split_once('=').expect("name=value");
            (name.to_owned(), value.parse::<u64>().map_or_else(|_| Value::from(value), Value::Int))
        })
        .collect();
    the(id).problem(dtype, &given, 7).map_err(|misfit| misfit.to_string())
}

/// Every legal configuration, each really different code once.
fn configs(family: &dyn Family, problem: &Problem, device: &CpuDevice) -> Vec<Config> {
    let mut seen = HashSet::new();
    let legal = |config: &Config| family.check(problem, config, device.info()).is_ok();
    product(&family.knobs(device.info()))
        .into_iter()
        .filter(|config| legal(config) && seen.insert(family.effective(problem, config, device.info()).id()))
        .collect()
}

fn conforms(id: &str, dtype: Dtype, axes: &str) {
    let device = CpuDevice::open("cpu", Path::new("/sys")).expect("a device");
    let problem = problem(id, dtype, axes).expect("a legal problem");
    let mut loaded = device.load(the(id), &problem).expect("it fits");
    let configs = configs(the(id), &problem, &device);
    assert!(configs.len() >= 4, "{problem}: {} configurations", configs.len());
    for config in configs {
        let slot = loaded.prepare(&config).expect("it is legal").slot;
        let first = loaded.verify(slot).expect("it runs");
        assert_eq!(first.verdict, Verdict::Correct, "{problem}, {config}");
        assert_eq!(first.rows_checked, 1.0);
        loaded.sample(slot, 2, CacheMode::Hot).expect("it runs");
        assert_eq!(loaded.recheck(slot).expect("it runs").verdict, Verdict::Correct, "{problem}, {config}, repeated");
    }
}

#[test]
fn monarch_agrees_with_the_oracle_in_every_configuration() {
    for axes in [
        "n_in=64 batch=1 source=monarch",
        "n_in=64 batch=127 source=monarch",
        "n_in=64 batch=65 source=gaussian",
        "n_in=64 batch=63 source=spectrum",
        "n_in=48 n_out=30 nblocks=6 batch=33 source=monarch",
        "n_in=30 n_out=48 nblocks=6 rank=3 batch=17 source=gaussian",
        "n_in=36 nblocks=3 rank=4 batch=130 source=monarch",
        "n_in=13 batch=5 source=gaussian",
        "n_in=13 nblocks=13 batch=5 source=gaussian",
        "n_in=1 batch=1 source=monarch",
    ] {
        for dtype in Dtype::CPU {
            conforms("monarch", dtype, axes);
        }
    }
}

#[test]
fn kron_matmul_agrees_with_the_oracle_in_every_configuration() {
    for axes in [
        "n1=8 n2=8 batch=1",
        "n1=8 n2=8 batch=131",
        "n1=7 n2=13 batch=65",
        "n1=16 n2=4 batch=63",
        "n1=5 n2=9 m1=11 m2=3 batch=17",
        "n1=1 n2=31 batch=33",
        "n1=31 n2=1 batch=33",
        "n1=1 n2=1 batch=1",
    ] {
        for dtype in Dtype::CPU {
            conforms("kron_matmul", dtype, axes);
        }
    }
}
