//! From a family's description to a program that can be queued.

use std::rc::Rc;

use super::{CudaLoaded, Slot, Starts};
use crate::devices::cuda::blas::VendorGemm;
use crate::devices::cuda::compile::Code;
use crate::devices::cuda::context::{Context, Memory, Module};
use crate::devices::cuda::device::Machine;
use crate::devices::cuda::facts::{Told, facts, heaviest, threads};
use crate::devices::cuda::launch::{Call, Ready, first_element};
use crate::devices::cuda::program::Program;
use crate::devices::cuda::{Compiled, CudaProgram, CudaSource, Launch, OBJECT_BYTES, Templated};
use crate::{Config, DeviceError, KernelFacts, Misfit, Preparation, Tensor};

/// A program and what is known of it.
struct Made {
    program: Program,
    compile_s: f64,
    note: Option<String>,
    code: Option<KernelFacts>,
}

impl CudaLoaded {
    pub(super) fn prepared(&mut self, config: &Config) -> Result<Preparation, DeviceError> {
        self.check(config)?;
        let source = self.family.cuda().expect("checked when the problem was loaded");
        let projected_s = self.upload(source)?;
        let made = match source.program(&self.problem, config, &self.machine.info) {
            CudaProgram::Compiled(compiled) => self.compiled(&compiled)?,
            CudaProgram::Templated(templated) => self.templated(&templated)?,
            CudaProgram::Vendor(gemm) => self.vendor(gemm)?,
        };
        self.slots.push(Slot { program: made.program, starts: Starts::Unknown });
        let prepare_s = projected_s + made.compile_s;
        Ok(Preparation { slot: self.slots.len() - 1, prepare_s, note: made.note, code: made.code })
    }

    fn check(&self, config: &Config) -> Result<(), DeviceError> {
        let info = &self.machine.info;
        for knob in self.family.knobs(info) {
            let Some(value) = config.value(knob.name) else {
                return Err(Misfit::new(format!("`{}` is missing from the configuration", knob.name)).into());
            };
            knob.domain.accept(knob.name, value)?;
        }
        Ok(self.family.check(&self.problem, config, info)?)
    }

    /// Uploads what the kernels take: the operands, or what the family makes of them. Once per problem; the time of making them is part of
    /// every configuration's preparation.
    fn upload(&mut self, source: &dyn CudaSource) -> Result<f64, DeviceError> {
        if let Some(seconds) = self.projected_s {
            return Ok(seconds);
        }
        let start = crate::devices::cpu::wall_s();
        let made = source.prepared(&self.problem, &self.operands);
        let seconds = if made.is_some() { crate::devices::cpu::wall_s() - start } else { 0.0 };
        for tensor in made.as_ref().unwrap_or(&self.operands) {
            let bytes = tensor.guarded_bytes();
            let memory = self.context.memory(&format!("operand `{}`", tensor.name), bytes.len() as u64)?;
            memory.upload(bytes)?;
            self.guard(tensor, &memory);
            self.places.push(first_element(tensor, memory.address()));
            self.memories.push(memory);
        }
        self.projected_s = Some(seconds);
        Ok(seconds)
    }

    /// What lies around an operand in its memory is nobody's.
    fn guard(&self, tensor: &Tensor, memory: &Memory) {
        let (clock, start) = (self.machine.clock, tensor.guard_bytes() as u64);
        let elements = if tensor.cols == 0 { 0 } else { tensor.rows.saturating_sub(1) * tensor.ld + tensor.cols };
        let end = start + elements as u64 * tensor.dtype().bytes();
        clock.guard(memory.address(), start);
        clock.guard(memory.address() + end, memory.bytes() - end);
    }

    fn compiled(&mut self, compiled: &Compiled) -> Result<Made, DeviceError> {
        let machine = Rc::clone(&self.machine);
        let (code, module) = machine.load(&compiled.unit)?;
        self.grow_scratch(compiled.scratch_bytes)?;
        let ready = |launch| ready(launch, &code, &module, &machine);
        let ready = compiled.launches.iter().map(ready).collect::<Result<Vec<_>, DeviceError>>()?;
        let launch = heaviest(&compiled.launches);
        let code_facts = known(&ready, launch, &code, &machine)?;
        Ok(Made { program: Program::Compiled(ready), compile_s: code.compile_s, note: None, code: Some(code_facts) })
    }

    /// Has the library's own code make its parameter object on the device, and reads it back.
    fn templated(&mut self, templated: &Templated) -> Result<Made, DeviceError> {
        let machine = Rc::clone(&self.machine);
        let (code, module) = machine.load(&templated.unit)?;
        let object_bytes = constant(&self.context, &module, templated.object_bytes)?;
        if u64::from(object_bytes) > OBJECT_BYTES {
            let reason = format!("`{}` takes `{object_bytes}` B of parameters; a kernel may have {OBJECT_BYTES}", templated.name);
            return Err(Misfit::new(reason).into());
        }
        self.grow_scratch(OBJECT_BYTES)?;
        let one = [1, 1, 1];
        let maker =
            Launch { kernel: templated.maker, grid: one, block: one, dynamic_shared_bytes: 0, args: templated.args.clone() };
        let maker = [ready(&maker, &code, &module, &machine)?];
        Call::new(&maker, &self.places()).queue(&self.context)?;
        let mut object = vec![0u8; object_bytes as usize];
        self.scratch.as_ref().expect("grown above").download(&mut object)?;
        let dynamic_shared_bytes = constant(&self.context, &module, templated.shared_bytes)?;
        let Templated { kernel, grid, block, .. } = *templated;
        let launch = Launch { kernel, grid, block, dynamic_shared_bytes, args: Vec::new() };
        let ready = ready(&launch, &code, &module, &machine)?;
        let code_facts = known(std::slice::from_ref(&ready), &launch, &code, &machine)?;
        let program = Program::Templated(Box::new(ready), words(&object));
        Ok(Made { program, compile_s: code.compile_s, note: Some(templated.name.clone()), code: Some(code_facts) })
    }

    fn vendor(&mut self, gemm: VendorGemm) -> Result<Made, DeviceError> {
        let machine = Rc::clone(&self.machine);
        machine.open_blas()?;
        let prepared = machine.session()?.borrow_mut().prepare(gemm)?;
        self.grow_scratch(prepared.workspace_bytes)?;
        let note = Some(prepared.note.clone());
        Ok(Made { program: Program::Vendor(Box::new(prepared)), compile_s: 0.0, note, code: None })
    }
}

fn ready(launch: &Launch, code: &Code, module: &Rc<Module>, machine: &Machine) -> Result<Ready, DeviceError> {
    let fixed = code.kernel(launch.kernel).map_or(0, |kernel| kernel.shared_static_bytes);
    Ready::new(launch, module, fixed, machine.gpu())
}

/// Facts of `launch`, which is one of `ready`.
fn known(ready: &[Ready], launch: &Launch, code: &Code, machine: &Machine) -> Result<KernelFacts, DeviceError> {
    let found = ready.iter().find(|ready| ready.launch == *launch).expect("the launch is among them");
    let told = if machine.gpu().simulated {
        None
    } else {
        let [registers, shared_static_bytes, _] = found.function.told()?;
        let blocks_per_sm = found.function.resident(threads(launch), launch.dynamic_shared_bytes)?;
        Some(Told { registers, shared_static_bytes, blocks_per_sm })
    };
    Ok(facts(code, launch, machine.gpu(), told))
}

/// The number that the code exports under `name`.
fn constant(context: &Rc<Context>, module: &Module, name: &str) -> Result<u32, DeviceError> {
    let (address, bytes) = module.global(name)?;
    let mut number = [0; 4];
    if bytes != number.len() {
        return Err(DeviceError::System { call: "cuModuleGetGlobal", reason: format!("`{name}` has {bytes} B, not 4") });
    }
    context.read(address, &mut number)?;
    Ok(u32::from_le_bytes(number))
}

/// Bytes in words, so that they are aligned as a parameter object may have to be.
fn words(bytes: &[u8]) -> Vec<u64> {
    let word = |chunk: &[u8]| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    };
    bytes.chunks(8).map(word).collect()
}
