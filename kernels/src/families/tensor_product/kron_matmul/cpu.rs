//! A Kronecker product on the CPU: two chained stages with one block each.

use super::KronMatmul;
use super::sizes::{Order, Sizes};
use crate::devices::cpu::chain::{Blocks, ChainKnobs, ChainProgram};
use crate::devices::cpu::micro::Real;
use crate::devices::cpu::{CpuProgram, CpuSource};
use crate::{Config, DeviceError, Dtype, Misfit, Problem, Tensor};

impl CpuSource for KronMatmul {
    fn prepare(&self, problem: &Problem, config: &Config, operands: &[Tensor]) -> Result<Box<dyn CpuProgram>, DeviceError> {
        match problem.dtype {
            Dtype::F32 => Ok(Box::new(program::<f32>(problem, config, operands)?)),
            Dtype::F64 => Ok(Box::new(program::<f64>(problem, config, operands)?)),
            other => Err(Misfit::new(format!("no CPU kernel for `{other}`")).into()),
        }
    }
}

fn program<T: Real>(problem: &Problem, config: &Config, operands: &[Tensor]) -> Result<ChainProgram<T>, DeviceError> {
    let (sizes, order) = (Sizes::of(problem), super::order(config));
    let (first, second) = match order {
        Order::InnerFirst => (&operands[1], &operands[0]),
        Order::OuterFirst => (&operands[0], &operands[1]),
    };
    let first = |_: usize, i: usize, d: usize| T::of(first)[i * first.ld + d];
    let second = |_: usize, i: usize, d: usize| T::of(second)[i * second.ld + d];
    let weights = ((Blocks::Shared, &first as &dyn Fn(_, _, _) -> T), (Blocks::Shared, &second as &dyn Fn(_, _, _) -> T));
    ChainProgram::new(sizes.shape(order), ChainKnobs::read(config), (2, sizes.batch), weights)
}
