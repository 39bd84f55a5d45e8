//! Our CUDA texts with planted mistakes, on the virtual GPU: every one must be found, by its result or by a check.

#![allow(clippy::print_stdout)] // a skip must be seen
#![allow(clippy::disallowed_methods)] // a test that needs a library learns its path from the environment

mod mutants;
mod virtual_gpu;

use std::collections::BTreeSet;

use mutants::{Case, Mutant};
use tilecast_kernels::oracle::Verdict;
use virtual_gpu::{Bench, Called, Child, OnFinding, on_card};

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
        Err(_) if called.lost() => {
            how.insert("fault");
        }
        Err(error) => panic!("{what} was not run: {error}"),
    }
    how
}

/// Marks of lines that a child prints for its parent.
const CAUGHT: &str = "caught ";
const ESCAPED: &str = "escaped ";
const LOST: &str = "lost at ";

/// Tries a mutant on its cases until one catches it, and prints its row. Gives whether the device was lost over it.
fn attempt(bench: &mut Bench, mutant: &Mutant) -> bool {
    let name = format!("{}:{} {}", mutant.file, mutant.line, mutant.what);
    for case in Case::all() {
        if !case.has(mutant, bench.info()) {
            continue;
        }
        let config = case.config(bench.info());
        let called = bench.call(case.mutated(Some(mutant)), &case.problem(), &config);
        let how = caught(&called, &name);
        if !how.is_empty() {
            let how = how.into_iter().collect::<Vec<_>>().join(", ");
            println!("{CAUGHT}{name:<75} {:<14} {how}", case.family);
            return called.lost();
        }
    }
    println!("{ESCAPED}{name}");
    false
}

/// Mutants of the texts that `ours` accepts, from the one numbered `first` until one takes the device with it.
fn attempts(bench: &mut Bench, first: usize, ours: impl Fn(&str) -> bool) {
    for case in Case::all().iter().filter(|case| first == 0 && ours(case.family)) {
        let config = case.config(bench.info());
        let called = bench.call(case.mutated(None), &case.problem(), &config);
        let clean = matches!(called.verdict, Ok(Verdict::Correct)) && called.findings.is_empty();
        assert!(clean, "unchanged {} | {config}: {called:?}", case.problem());
    }
    for (number, mutant) in mutants::all().iter().enumerate().skip(first) {
        if ours(mutant.file) && attempt(bench, mutant) {
            println!("{LOST}{number}");
            return;
        }
    }
}

fn every_mutant_is_caught(test: &'static str, ours: fn(&str) -> bool) {
    let (mut first, mut said) = (0, String::new());
    loop {
        let child = Child { card: "rtx4070", test, finding: OnFinding::Tell, first };
        let Some(more) = on_card(child, |bench, first| attempts(bench, first, ours)) else { return };
        said.push_str(&more);
        match more.lines().find_map(|line| line.strip_prefix(LOST)) {
            Some(number) => first = number.parse::<usize>().expect("a number") + 1,
            None => break,
        }
    }
    let rows = |mark: &str| said.lines().filter_map(|line| line.strip_prefix(mark)).map(str::to_owned).collect::<Vec<_>>();
    let (caught, escaped) = (rows(CAUGHT), rows(ESCAPED));
    println!("{} mutants caught:\n{}", caught.len(), caught.join("\n"));
    let planted = mutants::all().iter().filter(|mutant| ours(mutant.file)).count();
    assert_eq!(caught.len() + escaped.len(), planted, "some mutants were not tried");
    assert!(escaped.is_empty(), "{} escaped:\n{}", escaped.len(), escaped.join("\n"));
}

fn is_chain(name: &str) -> bool {
    ["chain.cu", "kron_matmul", "monarch"].contains(&name)
}

#[test]
fn every_mutant_of_a_dense_kernel_is_caught() {
    every_mutant_is_caught("every_mutant_of_a_dense_kernel_is_caught", |name| !is_chain(name));
}

#[test]
fn every_mutant_of_a_chain_is_caught() {
    every_mutant_is_caught("every_mutant_of_a_chain_is_caught", is_chain);
}
