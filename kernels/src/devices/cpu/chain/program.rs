//! A chain as a program of the CPU device.

use super::panels::{Blocks, Panels};
use super::{Chain, ChainKnobs, Permute, Shape, Target, copied, fused};
use crate::devices::cpu::micro::Real;
use crate::devices::cpu::{CpuIo, CpuProgram};
use crate::{DeviceError, Misfit};

/// Elements of scratch for all threads.
pub(crate) fn scratch_elements(shape: &Shape, knobs: &ChainKnobs, batch: usize) -> usize {
    knobs.threads * scratch_each(shape, knobs, batch)
}

/// Elements of scratch for one thread, in whole cache lines.
fn scratch_each(shape: &Shape, knobs: &ChainKnobs, batch: usize) -> usize {
    let columns = knobs.columns_at_once(batch);
    let elements = match knobs.permute {
        Permute::Fused => fused::scratch(shape, knobs.micro_n, Chain::<f64>::pitch(shape, knobs.micro_n), columns),
        Permute::Copied => copied::scratch(shape, knobs.micro_n, columns),
    };
    elements.next_multiple_of(16)
}

/// A chain made ready: operand `x` (rows × batch) in, output out.
#[derive(Debug)]
pub struct ChainProgram<T: Real> {
    chain: Chain<T>,
    knobs: ChainKnobs,
    /// Index of X among the operands.
    x: usize,
    batch: usize,
}

/// The weights of a stage: whether its products share a block, and the element (block, row, depth).
pub(crate) type Weights<'a, T> = (Blocks, &'a dyn Fn(usize, usize, usize) -> T);

impl<T: Real> ChainProgram<T> {
    /// Packs the weights of both stages.
    ///
    /// # Errors
    /// [`Misfit`] where there is no such micro-kernel.
    pub(crate) fn new(
        shape: Shape,
        knobs: ChainKnobs,
        (x, batch): (usize, usize),
        (first, second): (Weights<'_, T>, Weights<'_, T>),
    ) -> Result<Self, DeviceError> {
        let micro = (knobs.micro_m, knobs.micro_n);
        let missing = || Misfit::new(format!("`{}` has no {} micro-kernel of {} x {}", knobs.isa, T::DTYPE, micro.0, micro.1));
        let kernels = T::kernels(knobs.isa).ok_or_else(missing)?;
        let first = Panels::pack(kernels, micro, (shape.inner, shape.depth), first.0, first.1).ok_or_else(missing)?;
        let second = Panels::pack(kernels, micro, (shape.rows, shape.outer), second.0, second.1).ok_or_else(missing)?;
        Ok(Self { chain: Chain { shape, first, second, width: knobs.micro_n }, knobs, x, batch })
    }
}

impl<T: Real> CpuProgram for ChainProgram<T> {
    fn run(&mut self, io: &mut CpuIo<'_>) {
        let tensor = &io.operands[self.x];
        let x = (T::of(tensor), tensor.ld);
        let y = Target { ld: io.output.ld, start: T::of_mut(io.output).as_mut_ptr() };
        let each = scratch_each(&self.chain.shape, &self.knobs, self.batch);
        let threads = self.knobs.threads.min(io.team.size());
        let scratch = T::scratch(io.scratch);
        assert!(scratch.len() >= threads * each, "the device grows scratch to what `scratch_bytes` asks for");
        let scratch = Target { start: scratch.as_mut_ptr(), ld: each };
        let at_once = self.knobs.columns_at_once(self.batch).max(1);
        io.team.run(threads, &|rank| {
            // SAFETY: every rank takes its own row of `each` elements.
            let scratch = unsafe { std::slice::from_raw_parts_mut(scratch.at(rank, 0), each) };
            for start in (0..self.batch).step_by(at_once).skip(rank).step_by(threads) {
                let columns = start..self.batch.min(start + at_once);
                // SAFETY: operands and output have the shapes the family checked; ranks take different columns.
                unsafe {
                    match self.knobs.permute {
                        Permute::Fused => self.chain.fused(x, y, columns, scratch),
                        Permute::Copied => self.chain.copied(x, y, columns, scratch),
                    }
                }
            }
        });
    }

    fn scratch_bytes(&self) -> usize {
        scratch_elements(&self.chain.shape, &self.knobs, self.batch) * size_of::<T>()
    }

    fn threads(&self) -> usize {
        self.knobs.threads
    }
}
