//! Monarch on the CPU: projection and packing, then two chained stages.

use super::Monarch;
use super::operands::factors;
use super::sizes::Sizes;
use crate::devices::cpu::chain::{Blocks, ChainKnobs, ChainProgram};
use crate::devices::cpu::micro::Real;
use crate::devices::cpu::{CpuProgram, CpuSource};
use crate::{Config, DeviceError, Dtype, Misfit, Problem, Tensor};

impl CpuSource for Monarch {
    fn prepare(&self, problem: &Problem, config: &Config, operands: &[Tensor]) -> Result<Box<dyn CpuProgram>, DeviceError> {
        match problem.dtype {
            Dtype::F32 => Ok(Box::new(program::<f32>(problem, config, operands)?)),
            Dtype::F64 => Ok(Box::new(program::<f64>(problem, config, operands)?)),
            other => Err(Misfit::new(format!("no CPU kernel for `{other}`")).into()),
        }
    }
}

fn program<T: Real>(problem: &Problem, config: &Config, operands: &[Tensor]) -> Result<ChainProgram<T>, DeviceError> {
    let sizes = Sizes::of(problem);
    let factors = factors(&sizes, operands);
    let first = |u: usize, j: usize, d: usize| T::from_f64(factors.first[(u * sizes.nblocks + j) * sizes.block_in() + d]);
    let second = |j: usize, l: usize, u: usize| T::from_f64(factors.second[(j * sizes.block_out() + l) * sizes.outer() + u]);
    let weights = (
        (Blocks::Each(sizes.outer()), &first as &dyn Fn(_, _, _) -> T),
        (Blocks::Each(sizes.nblocks), &second as &dyn Fn(_, _, _) -> T),
    );
    ChainProgram::new(sizes.shape(), ChainKnobs::read(config), (operands.len() - 1, sizes.batch), weights)
}
