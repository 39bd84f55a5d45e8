//! The launches of one call, ready to be queued: functions found, arguments in place.

use std::ffi::c_void;
use std::rc::Rc;

use super::context::{Context, Function, Module};
use super::{Arg, Gpu, Launch};
use crate::{DeviceError, Misfit, Tensor};

/// Shared memory that a block may have without being asked for by name.
const FREE_SHARED: u32 = 48 << 10;

/// A launch with its function.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) launch: Launch,
    pub(super) function: Function,
}

impl Ready {
    /// Finds the kernel of `launch` in `module` and allows it its shared memory, `static_bytes` of which the code fixes.
    pub(super) fn new(launch: &Launch, module: &Rc<Module>, static_bytes: u32, gpu: &Gpu) -> Result<Self, DeviceError> {
        let function = module.function(launch.kernel)?;
        let shared = launch.dynamic_shared_bytes + static_bytes;
        if shared > gpu.shared_per_block {
            return Err(Misfit::new(format!(
                "`{}` takes `{shared}` B of shared memory; a block may have {}",
                launch.kernel, gpu.shared_per_block
            ))
            .into());
        }
        if shared > FREE_SHARED {
            function.allow_shared(launch.dynamic_shared_bytes)?;
        }
        Ok(Self { launch: launch.clone(), function })
    }
}

/// Address of element (0, 0) of `tensor`, which lies on the device at `start`, guard zones first.
pub(super) fn first_element(tensor: &Tensor, start: u64) -> u64 {
    start + tensor.guard_bytes() as u64
}

/// Where everything is that arguments can name.
#[derive(Debug)]
pub(super) struct Places {
    /// Element (0, 0) of each operand.
    pub(super) operands: Vec<u64>,
    /// Element (0, 0) of the output.
    pub(super) output: u64,
    /// Start of the scratch memory.
    pub(super) scratch: u64,
}

/// A call with every argument resolved.
pub(super) struct Call<'a> {
    launches: Vec<(&'a Ready, Vec<u64>)>,
}

impl<'a> Call<'a> {
    /// Resolves the arguments of `ready`.
    pub(super) fn new(ready: &'a [Ready], places: &Places) -> Self {
        let resolve = |ready: &'a Ready| (ready, ready.launch.args.iter().map(|arg| word(*arg, places)).collect());
        Self { launches: ready.iter().map(resolve).collect() }
    }

    /// How many launches a call is.
    pub(super) fn launches(&self) -> u64 {
        self.launches.len() as u64
    }

    /// Queues one call.
    pub(super) fn queue(&mut self, context: &Context) -> Result<(), DeviceError> {
        for (ready, words) in &mut self.launches {
            let Launch { grid, block, dynamic_shared_bytes, .. } = ready.launch;
            // Parameters of a kernel number in the tens; addresses are taken anew since the words may have moved.
            let mut arguments: Vec<*mut c_void> = words.iter_mut().map(|slot| std::ptr::from_mut(slot).cast()).collect();
            // SAFETY: the family's description gives the arguments in the kernel's order and types (a test compiles and runs every one), and
            // the places outlive the stream's work, since whoever drops them waits first.
            unsafe { ready.function.launch(context, (grid, block, dynamic_shared_bytes), &mut arguments) }?;
        }
        Ok(())
    }
}

/// One argument as the driver reads it: as many of the low bytes as the parameter has.
fn word(arg: Arg, places: &Places) -> u64 {
    match arg {
        Arg::Operand(index) => places.operands[index],
        Arg::Output => places.output,
        Arg::Scratch(offset) => places.scratch + offset,
        Arg::Int(value) => u64::from(value.cast_unsigned()),
        Arg::Long(value) => value.cast_unsigned(),
        Arg::Float(value) => u64::from(value.to_bits()),
        Arg::Double(value) => value.to_bits(),
    }
}
