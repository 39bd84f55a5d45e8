//! Our CUDA texts with planted mistakes, on the virtual GPU: every one must be found, by its result or by a check.

#![allow(clippy::disallowed_methods)] // a test that needs a library learns its path from the environment

mod mutants;
mod virtual_gpu;

use std::collections::BTreeSet;

use mutants::{Case, Mutant};
use tilecast_kernels::DeviceError;
use tilecast_kernels::oracle::Verdict;
use virtual_gpu::{Bench, Called, OnFinding, on_card};

/// Titles of findings, and what they are called in the table.
const TITLES: [(&str, &str); 8] = [
    ("access out of bounds", "bounds"),
    ("misaligned access", "alignment"),
    ("read of uninitialised shared memory", "uninitialised"),
    ("race on shared memory", "race"),
    ("race between the lanes of a warp", "race of lanes"),
    ("use of an asynchronous copy before its wait", "unwaited copy"),
    ("race on global memory between blocks", "race of blocks"),
    ("barrier in divergent code", "divergent barrier"),
];

/// How a call was found out; empty where it was not.
fn caught(called: &Called, what: &str) -> BTreeSet<&'static str> {
    let titles = TITLES.iter().filter(|(title, _)| called.findings.contains(title));
    let mut how: BTreeSet<_> = titles.map(|(_, short)| *short).collect();
    match &called.verdict {
        Ok(Verdict::Correct) => {}
        Ok(_) => {
            how.insert("result");
        }
        Err(DeviceError::Poisoned { .. }) => {
            how.insert("fault");
        }
        Err(error) => panic!("{what} was not run: {error}"),
    }
    how
}

/// Tries a mutant on its cases until one catches it; gives the row of the table.
fn attempt(bench: &mut Bench, mutant: &Mutant) -> Result<String, String> {
    let name = format!("{}:{} {}", mutant.file, mutant.line, mutant.what);
    let mut tried = 0;
    for case in Case::all() {
        if !case.has(mutant, bench.info()) {
            continue;
        }
        tried += 1;
        let config = case.config(bench.info());
        let called = bench.call(case.mutated(Some(mutant)), &case.problem(), &config);
        let how = caught(&called, &name);
        if !how.is_empty() {
            let how = how.into_iter().collect::<Vec<_>>().join(", ");
            return Ok(format!("{name:<75} {:<14} {how}", case.family));
        }
    }
    Err(format!("{name} (in {tried} cases)"))
}

/// Mutants of the texts that `ours` accepts.
fn every_mutant_is_caught(bench: &mut Bench, ours: impl Fn(&str) -> bool) {
    for case in Case::all().iter().filter(|case| ours(case.family)) {
        let config = case.config(bench.info());
        let called = bench.call(case.mutated(None), &case.problem(), &config);
        let clean = matches!(called.verdict, Ok(Verdict::Correct)) && called.findings.is_empty();
        assert!(clean, "unchanged {} | {config}: {called:?}", case.problem());
    }
    let (mut rows, mut escaped) = (Vec::new(), Vec::new());
    for mutant in mutants::all().iter().filter(|mutant| ours(mutant.file)) {
        match attempt(bench, mutant) {
            Ok(row) => rows.push(row),
            Err(name) => escaped.push(name),
        }
    }
    println!("{} mutants caught:\n{}", rows.len(), rows.join("\n"));
    assert!(!rows.is_empty() && escaped.is_empty(), "{} mutants escaped:\n{}", escaped.len(), escaped.join("\n"));
}

fn is_chain(name: &str) -> bool {
    ["chain.cu", "kron_matmul", "monarch"].contains(&name)
}

#[test]
fn every_mutant_of_a_dense_kernel_is_caught() {
    on_card("rtx4070", "every_mutant_of_a_dense_kernel_is_caught", OnFinding::Tell, |bench| {
        every_mutant_is_caught(bench, |name| !is_chain(name));
    });
}

#[test]
fn every_mutant_of_a_chain_is_caught() {
    on_card("rtx4070", "every_mutant_of_a_chain_is_caught", OnFinding::Tell, |bench| every_mutant_is_caught(bench, is_chain));
}
