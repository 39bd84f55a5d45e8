//! How a family runs on a CPU.

use crate::devices::cpu::{Pages, Team};
use crate::{Config, DeviceError, Problem, Tensor};

/// What one call of a program works on. Operands are never written; the output is a tensor of its own (D = α·A·B + β·C leaves C alone),
/// so that a call can be repeated without its result drifting.
#[derive(Debug)]
pub struct CpuIo<'a> {
    /// Inputs, in the family's order.
    pub operands: &'a [Tensor],
    /// The output.
    pub output: &'a mut Tensor,
    /// Scratch of at least [`CpuProgram::scratch_bytes`], shared by all configurations of a problem so that page placement is the same for all.
    pub scratch: &'a mut Pages,
    /// Threads.
    pub team: &'a Team,
}

/// Whose threads a program runs on, beside the calling one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crew {
    /// Those of [`CpuIo::team`], which books their CPU time.
    Team,
    /// Its own, as a library starts them: their CPU time is asked of the system.
    Own,
}

/// A configuration made ready: what is computed once (projected factors, packed weights) is inside.
pub trait CpuProgram: Send {
    /// One call. Allocates nothing.
    fn run(&mut self, io: &mut CpuIo<'_>);
    /// Scratch it needs.
    fn scratch_bytes(&self) -> usize {
        0
    }
    /// Threads it uses.
    fn threads(&self) -> usize {
        1
    }
    /// Whose they are.
    fn crew(&self) -> Crew {
        Crew::Team
    }
    /// What the program says of itself, where it chose something (the kernel a BLAS picked).
    fn note(&self) -> Option<String> {
        None
    }
}

/// A family's CPU source.
pub trait CpuSource: Sync {
    /// Makes `config` ready for `problem`; both were checked. The time it takes is stored as preparation.
    ///
    /// # Errors
    /// [`DeviceError`] where a library or memory is missing.
    fn prepare(&self, problem: &Problem, config: &Config, operands: &[Tensor]) -> Result<Box<dyn CpuProgram>, DeviceError>;
}
