//! Planted faults: each must be found by the comparison that judges real kernels.

use super::conformance::Case;
use super::gemm_regblock::GEMM_REGBLOCK;
use crate::devices::cpu::{CpuIo, CpuProgram, Pages, Team};
use crate::oracle::{Verdict, Verification, check};
use crate::{Dtype, Family, Problem, Tensor};

/// What is done wrong after (or instead of) a correct call.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A tile of D is left as it was.
    SkippedTile,
    /// Rows are written as if the leading dimension were another.
    WrongStride,
    /// The second call returns without computing.
    StaleOutput,
    /// beta = 0 multiplies C by zero instead of not reading it.
    ReadsC,
    /// The last column is not written.
    LastColumn,
    /// One product too few is summed.
    ShortSum,
    /// A tile of B is used transposed: right on constant inputs.
    TransposedTile,
    /// One element is written behind the last row's end.
    WritesPadding,
}

struct Sabotaged {
    inner: Box<dyn CpuProgram>,
    fault: Fault,
    calls: usize,
}

impl CpuProgram for Sabotaged {
    fn run(&mut self, io: &mut CpuIo<'_>) {
        self.calls += 1;
        if matches!(self.fault, Fault::StaleOutput) && self.calls > 1 {
            return;
        }
        let before = copy(io.output);
        self.inner.run(io);
        let after = copy(io.output);
        let (rows, cols) = (io.output.rows, io.output.cols);
        let (a, b, c) = (copy(&io.operands[0]), copy(&io.operands[1]), copy(&io.operands[2]));
        let k = io.operands[0].cols;
        let in_tile = |i: usize, j: usize| (16..32).contains(&i) && (32..48).contains(&j);
        match self.fault {
            Fault::SkippedTile => io.output.fill(|i, j| if in_tile(i, j) { before[i * cols + j] } else { after[i * cols + j] }),
            Fault::WrongStride => io.output.fill(|i, j| after[(i * (cols - 1) + j) % (rows * cols)]),
            Fault::StaleOutput => {}
            Fault::ReadsC => io.output.fill(|i, j| after[i * cols + j] + 0.0 * c[i * cols + j]),
            Fault::LastColumn => io.output.fill(|i, j| if j + 1 == cols { before[i * cols + j] } else { after[i * cols + j] }),
            Fault::ShortSum => io.output.fill(|i, j| after[i * cols + j] - a[i * k + k - 1] * b[(k - 1) * cols + j]),
            Fault::TransposedTile => io.output.fill(|i, j| {
                let swapped =
                    (0..16).map(|p| a[i * k + p] * (b[(j % 16) * cols + j / 16 * 16 + p] - b[p * cols + j])).sum::<f64>();
                after[i * cols + j] + if j < 16 { swapped } else { 0.0 }
            }),
            Fault::WritesPadding => write_behind(io.output),
        }
    }
}

fn copy(tensor: &Tensor) -> Vec<f64> {
    (0..tensor.rows * tensor.cols).map(|at| tensor.at(at / tensor.cols, at % tensor.cols)).collect()
}

fn write_behind(output: &mut Tensor) {
    let at = output.cols;
    match output.elements_mut() {
        crate::ElementsMut::F32(data) => data[at] = 1.0,
        crate::ElementsMut::F64(data) => data[at] = 1.0,
        other => panic!("no CPU kernel writes {other:?}"),
    }
}

/// Verifies as a device does: poison, run, compare; then once more with another A for the same program.
fn verify(fault: Option<Fault>, dtype: Dtype) -> Verification {
    let case = Case { ld_pad: 3, ..Case::plain(dtype, (64, 80, 96)) };
    let problem = case.problem(&GEMM_REGBLOCK);
    let device = super::conformance::device();
    let mut operands = GEMM_REGBLOCK.operands(&problem);
    let config = GEMM_REGBLOCK.default_config(&problem, &device);
    let config = crate::Config(config.0.with("threads", 1));
    let inner = GEMM_REGBLOCK.cpu().expect("has a CPU source").prepare(&problem, &config, &operands).expect("prepares");
    let mut scratch = Pages::zeroed(inner.scratch_bytes());
    let mut program: Box<dyn CpuProgram> = match fault {
        Some(fault) => Box::new(Sabotaged { inner, fault, calls: 0 }),
        None => inner,
    };
    let mut output = GEMM_REGBLOCK.output(&problem);
    let team = Team::new(1);
    let mut once = |operands: &[Tensor], problem: &Problem| {
        output.poison();
        program.run(&mut CpuIo { operands, output: &mut output, scratch: &mut scratch, team: &team });
        check(&output, &GEMM_REGBLOCK.reference(problem, operands))
    };
    let first = once(&operands, &problem);
    if first.verdict != Verdict::Correct {
        return first;
    }
    operands[0].fill(|i, p| (i + 2 * p) as f64 / 100.0 - 1.0);
    once(&operands, &problem)
}

fn assert_caught(fault: Fault) {
    for dtype in Dtype::CPU {
        let found = verify(Some(fault), dtype);
        assert!(matches!(found.verdict, Verdict::Incorrect(_)), "{fault:?} in {dtype} was not found: {found:?}");
    }
}

#[test]
fn the_kernel_that_is_sabotaged_is_right_by_itself() {
    for dtype in Dtype::CPU {
        assert_eq!(verify(None, dtype).verdict, Verdict::Correct);
    }
}

#[test]
fn a_skipped_tile_is_caught() {
    assert_caught(Fault::SkippedTile);
}

#[test]
fn a_wrong_stride_is_caught() {
    assert_caught(Fault::WrongStride);
}

#[test]
fn a_stale_output_is_caught() {
    assert_caught(Fault::StaleOutput);
}

#[test]
fn a_nan_leak_at_beta_zero_is_caught() {
    assert_caught(Fault::ReadsC);
}

#[test]
fn an_off_by_one_edge_is_caught() {
    assert_caught(Fault::LastColumn);
}

#[test]
fn one_missing_product_is_caught() {
    assert_caught(Fault::ShortSum);
}

#[test]
fn a_transposed_tile_is_caught() {
    assert_caught(Fault::TransposedTile);
}

#[test]
fn a_write_behind_a_row_is_caught() {
    assert_caught(Fault::WritesPadding);
}
