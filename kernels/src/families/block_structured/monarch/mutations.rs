//! Planted faults of chained kernels: each must be found by the comparison that judges real ones. And what a NaN may touch.

use super::operands::{factors, operands};
use super::{Monarch, Sizes};
use crate::devices::cpu::chain::{Blocks, ChainKnobs, ChainProgram, Permute, Rows, Shape};
use crate::devices::cpu::micro::{Isa, Real};
use crate::devices::cpu::{CpuIo, CpuProgram, Pages, Team};
use crate::oracle::{Verdict, Verification, check};
use crate::{Dtype, Family, Problem, Tensor};

/// A kernel that is wrong in one way.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    /// Rows of Y in the order of the products: no second permutation.
    PermutationDropped,
    /// The first factor reads its blocks' rows one too far apart.
    WrongInputStride,
    /// Blocks of the second factor write one row off.
    WrongOutputStride,
    /// Columns of one strip are left as they were.
    SkippedStrip,
    /// The last column is not written.
    LastColumn,
    /// The second factor uses its transpose: right only where it is symmetric.
    TransposedBlock,
    /// The first block of the first factor is used for all of them.
    SharedBlock,
}

fn problem(dtype: Dtype) -> Problem {
    let axes = [("n_in".to_owned(), 64.into()), ("batch".to_owned(), 70.into()), ("source".to_owned(), "monarch".into())];
    Monarch.problem(dtype, &axes, 11).expect("legal")
}

fn mutate(shape: Shape, fault: Fault) -> Shape {
    match fault {
        Fault::PermutationDropped => Shape { output: Rows { share: 1, block_step: shape.rows, step: 1 }, ..shape },
        // Fewer rows per block, so that nothing outside of X is read.
        Fault::WrongInputStride => Shape { input: Rows { block_step: shape.input.block_step - 1, ..shape.input }, ..shape },
        Fault::WrongOutputStride => Shape { output: Rows { step: shape.output.step - 1, ..shape.output }, ..shape },
        _ => shape,
    }
}

fn verify<T: Real>(fault: Fault, permute: Permute) -> Verification {
    let problem = problem(T::DTYPE);
    let (sizes, operands) = (Sizes::of(&problem), operands(&problem));
    let factors = factors(&sizes, &operands);
    let (nb, p, s, outer) = (sizes.nblocks, sizes.block_in(), sizes.block_out(), sizes.outer());
    let shared = matches!(fault, Fault::SharedBlock);
    let turned = matches!(fault, Fault::TransposedBlock);
    let first = |u: usize, j: usize, d: usize| T::from_f64(factors.first[(if shared { 0 } else { u } * nb + j) * p + d]);
    let second = |j: usize, l: usize, u: usize| {
        let (l, u) = if turned { (u, l) } else { (l, u) };
        T::from_f64(factors.second[(j * s + l) * outer + u])
    };
    let (micro_m, micro_n) = T::kernels(Isa::best()).expect("available").best;
    let knobs = ChainKnobs { isa: Isa::best(), micro_m, micro_n, permute, strip: 2 * micro_n, threads: 1 };
    let weights = ((Blocks::Each(outer), &first as &dyn Fn(_, _, _) -> T), (Blocks::Each(nb), &second as &dyn Fn(_, _, _) -> T));
    let mut program = ChainProgram::new(mutate(sizes.shape(), fault), knobs, (2, sizes.batch), weights).expect("packs");
    let mut output = Monarch.output(&problem);
    run(&mut program, &operands, &mut output);
    let strip = knobs.strip..2 * knobs.strip;
    let hidden = |j: usize| match fault {
        Fault::SkippedStrip => strip.contains(&j),
        Fault::LastColumn => j + 1 == sizes.batch,
        _ => false,
    };
    let written: Vec<f64> = (0..output.rows * output.cols).map(|at| output.at(at / output.cols, at % output.cols)).collect();
    let cols = output.cols;
    output.fill(|i, j| if hidden(j) { f64::NAN } else { written[i * cols + j] });
    check(&output, &Monarch.reference(&problem, &operands))
}

fn run(program: &mut dyn CpuProgram, operands: &[Tensor], output: &mut Tensor) {
    output.poison();
    let (mut scratch, team) = (Pages::zeroed(program.scratch_bytes()), Team::new(1));
    program.run(&mut CpuIo { operands, output, scratch: &mut scratch, team: &team });
}

#[test]
fn every_planted_fault_is_caught_and_the_kernel_itself_is_right() {
    let faults = [
        Fault::PermutationDropped,
        Fault::WrongInputStride,
        Fault::WrongOutputStride,
        Fault::SkippedStrip,
        Fault::LastColumn,
        Fault::TransposedBlock,
        Fault::SharedBlock,
    ];
    for permute in [Permute::Fused, Permute::Copied] {
        for found in [verify::<f32>(Fault::None, permute), verify::<f64>(Fault::None, permute)] {
            assert_eq!(found.verdict, Verdict::Correct, "{permute:?}");
        }
        for fault in faults {
            for found in [verify::<f32>(fault, permute), verify::<f64>(fault, permute)] {
                assert!(matches!(found.verdict, Verdict::Incorrect(_)), "{fault:?}, {permute:?}: {found:?}");
            }
        }
    }
}

#[test]
fn a_nan_or_an_infinity_spoils_its_own_column_only() {
    for (dtype, value) in [(Dtype::F32, f64::NAN), (Dtype::F64, f64::NAN), (Dtype::F64, f64::INFINITY)] {
        let problem = problem(dtype);
        let mut operands = operands(&problem);
        let x = operands.last_mut().expect("x");
        let old: Vec<f64> = (0..x.rows * x.cols).map(|at| x.at(at / x.cols, at % x.cols)).collect();
        let cols = x.cols;
        x.fill(|i, j| if (i, j) == (20, cols - 1) { value } else { old[i * cols + j] });
        let config = Monarch.default_config(&problem, &super::tests::device());
        let mut program = Monarch.cpu().expect("runs on a CPU").prepare(&problem, &config, &operands).expect("prepares");
        let mut output = Monarch.output(&problem);
        run(program.as_mut(), &operands, &mut output);
        let spoilt = |j: usize| (0..output.rows).filter(|&i| !output.at(i, j).is_finite()).count();
        assert_eq!((0..cols - 1).map(spoilt).sum::<usize>(), 0, "{dtype}, {value}");
        assert_eq!(spoilt(cols - 1), output.rows, "{dtype}, {value}");
        assert_eq!(check(&output, &Monarch.reference(&problem, &operands)).verdict, Verdict::Correct);
    }
}
