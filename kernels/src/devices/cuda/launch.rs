//! The launches of one call, ready to be queued: functions found, arguments in place.

use std::ffi::c_void;
use std::rc::Rc;

use cudarc::driver::sys::{
    self, CUtensorMapDataType, CUtensorMapFloatOOBfill, CUtensorMapInterleave, CUtensorMapL2promotion, CUtensorMapSwizzle,
};

use super::context::{Context, Function, Module};
use super::door::refused;
use super::{Arg, Gpu, Launch};
use crate::{DeviceError, Dtype, Misfit, Tensor};

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

/// A matrix on the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Address of element (0, 0).
    pub(super) address: u64,
    rows: usize,
    cols: usize,
    ld: usize,
    dtype: Dtype,
}

impl Place {
    /// `tensor`, with its guard zones, at `start`.
    pub(super) fn of(tensor: &Tensor, start: u64) -> Self {
        let address = start + tensor.guard_bytes() as u64;
        Self { address, rows: tensor.rows, cols: tensor.cols, ld: tensor.ld, dtype: tensor.dtype() }
    }
}

/// Where everything is that arguments can name.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) operands: Vec<Place>,
    pub(super) output: Place,
    /// Start of the scratch memory.
    pub(super) scratch: u64,
}

/// One argument's value as the driver reads it; large and aligned enough for a tensor map.
#[repr(C, align(128))]
#[derive(Clone, Copy)]
struct Slot([u64; 16]);

impl Slot {
    fn word(bits: u64) -> Self {
        let mut slot = [0; 16];
        slot[0] = bits;
        Self(slot)
    }
}

/// A call with every argument resolved.
pub(super) struct Call<'a> {
    launches: Vec<(&'a Ready, Vec<Slot>)>,
}

impl<'a> Call<'a> {
    /// Resolves the arguments of `ready`.
    pub(super) fn new(ready: &'a [Ready], places: &Places) -> Result<Self, DeviceError> {
        let resolve = |ready: &'a Ready| {
            let slots = ready.launch.args.iter().map(|arg| slot(*arg, places)).collect::<Result<Vec<_>, _>>()?;
            Ok((ready, slots))
        };
        Ok(Self { launches: ready.iter().map(resolve).collect::<Result<_, DeviceError>>()? })
    }

    /// How many launches a call is.
    pub(super) fn launches(&self) -> u64 {
        self.launches.len() as u64
    }

    /// Queues one call.
    pub(super) fn queue(&mut self, context: &Context) -> Result<(), DeviceError> {
        for (ready, slots) in &mut self.launches {
            let Launch { grid, block, dynamic_shared_bytes, .. } = ready.launch;
            // Parameters of a kernel number in the tens; addresses are taken anew since the slots may have moved.
            let mut arguments: Vec<*mut c_void> = slots.iter_mut().map(|slot| (&raw mut slot.0).cast()).collect();
            // SAFETY: the family's description gives the arguments in the kernel's order and types (a test compiles and runs every one), and
            // the places outlive the stream's work, since whoever drops them waits first.
            unsafe { ready.function.launch(context, (grid, block, dynamic_shared_bytes), &mut arguments) }?;
        }
        Ok(())
    }
}

fn slot(arg: Arg, places: &Places) -> Result<Slot, DeviceError> {
    Ok(match arg {
        Arg::Operand(index) => Slot::word(places.operands[index].address),
        Arg::Output => Slot::word(places.output.address),
        Arg::Scratch(offset) => Slot::word(places.scratch + offset),
        // Little-endian: the driver reads as many of the low bytes as the parameter has.
        Arg::Int(value) => Slot::word(u64::from(value.cast_unsigned())),
        Arg::Long(value) => Slot::word(value.cast_unsigned()),
        Arg::Float(value) => Slot::word(u64::from(value.to_bits())),
        Arg::Double(value) => Slot::word(value.to_bits()),
        Arg::TensorMap { operand, box_rows, box_cols, swizzle_bytes } => {
            tensor_map(&places.operands[operand], [box_cols, box_rows], swizzle_bytes)?
        }
    })
}

/// A `CUtensorMap` over a row-major matrix: dimensions innermost first. What lies beyond the matrix reads as zero.
fn tensor_map(place: &Place, boxes: [u32; 2], swizzle_bytes: u32) -> Result<Slot, DeviceError> {
    let mut map = sys::CUtensorMap { opaque: [0; 16] };
    let sizes = [place.cols as u64, place.rows as u64];
    let strides = [place.ld as u64 * place.dtype.bytes()];
    // SAFETY: rank 2, and every array has the length that the driver reads for it.
    let code = unsafe {
        sys::cuTensorMapEncodeTiled(
            &raw mut map,
            element(place.dtype),
            2,
            place.address as *mut c_void,
            sizes.as_ptr(),
            strides.as_ptr(),
            boxes.as_ptr(),
            [1, 1].as_ptr(),
            CUtensorMapInterleave::CU_TENSOR_MAP_INTERLEAVE_NONE,
            swizzle(swizzle_bytes),
            CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
            CUtensorMapFloatOOBfill::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
        )
    };
    code.result().map_err(|error| refused("cuTensorMapEncodeTiled", error))?;
    Ok(Slot(map.opaque))
}

fn element(dtype: Dtype) -> CUtensorMapDataType {
    use CUtensorMapDataType as T;
    match dtype {
        Dtype::F32 => T::CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
        Dtype::F64 => T::CU_TENSOR_MAP_DATA_TYPE_FLOAT64,
        Dtype::Tf32 => T::CU_TENSOR_MAP_DATA_TYPE_TFLOAT32,
        Dtype::F16 => T::CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
        Dtype::Bf16 => T::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
        Dtype::Int8 => T::CU_TENSOR_MAP_DATA_TYPE_UINT8,
        Dtype::Int32 => T::CU_TENSOR_MAP_DATA_TYPE_INT32,
    }
}

fn swizzle(bytes: u32) -> CUtensorMapSwizzle {
    use CUtensorMapSwizzle as S;
    match bytes {
        32 => S::CU_TENSOR_MAP_SWIZZLE_32B,
        64 => S::CU_TENSOR_MAP_SWIZZLE_64B,
        128 => S::CU_TENSOR_MAP_SWIZZLE_128B,
        _ => S::CU_TENSOR_MAP_SWIZZLE_NONE,
    }
}
