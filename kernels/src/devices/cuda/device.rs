//! A CUDA GPU as a [`Device`].

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::blas::Session;
use super::clock::Clock;
use super::compile::{Ahead, Code, CompileOptions, Compiler, Job, Lines, threads_for};
use super::context::{Context, Module};
use super::door::guarded;
use super::flush::Flush;
use super::loaded::CudaLoaded;
use super::power::{Character, EnergyReport, Limits, Nvml, Own, Selector};
use super::{CudaProgram, Gpu, Unit, info, roofs};
use crate::{Config, Device, DeviceError, DeviceInfo, EnergySource, Family, Loaded, Problem, Roof};

/// A GPU. Opening it only looks; the first measurement makes a context on it.
#[derive(Debug)]
pub struct CudaDevice {
    machine: Rc<Machine>,
}

/// What loaded problems share: one context, one compiler, one flush buffer, code that is loaded once.
pub(super) struct Machine {
    pub(super) info: DeviceInfo,
    pub(super) clock: Clock,
    /// What the board's sensors were found to do; `None` before they were looked at with success.
    pub(super) character: RefCell<Option<Character>>,
    /// The last measurement of energy in full.
    pub(super) report: RefCell<Option<EnergyReport>>,
    /// Why there are roofs that there are none of.
    roofless: RefCell<Vec<String>>,
    sensor: OnceCell<Result<RefCell<Nvml>, String>>,
    ordinal: i32,
    options: CompileOptions,
    // Before the context: dropped before it.
    session: OnceCell<RefCell<Session>>,
    context: OnceCell<Rc<Context>>,
    compiler: OnceCell<Arc<Compiler>>,
    flush: OnceCell<Flush>,
    modules: RefCell<HashMap<String, Weak<Module>>>,
    ahead: RefCell<Option<Ahead>>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("info", &self.info).finish_non_exhaustive()
    }
}

impl CudaDevice {
    /// Opens `cuda:N`.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`] or [`DeviceError::Library`] with the reason where there is no driver, no such GPU, or too old a driver.
    pub fn open(spec: &str, options: CompileOptions) -> Result<Self, DeviceError> {
        let ordinal = info::ordinal(spec)?;
        let count = info::start(spec, &options.libraries)?;
        let info = info::describe(spec, ordinal, count)?;
        let lines = if info.gpu().simulated { Lines::Kept } else { Lines::Dropped };
        let machine = Machine {
            clock: Clock::of(ordinal, info.gpu().simulated),
            info,
            ordinal,
            options: CompileOptions { lines, ..options },
            character: RefCell::default(),
            report: RefCell::default(),
            roofless: RefCell::default(),
            sensor: OnceCell::new(),
            session: OnceCell::new(),
            context: OnceCell::new(),
            compiler: OnceCell::new(),
            flush: OnceCell::new(),
            modules: RefCell::default(),
            ahead: RefCell::default(),
        };
        Ok(Self { machine: Rc::new(machine) })
    }

    /// What is known of the board beside its sensors, with what limits or colours measurements on it; or why nothing is.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn notes(&self) -> Result<Vec<String>, String> {
        let board = self.machine.sensor().map_err(Clone::clone)?.borrow_mut().board().notes();
        let character = self.machine.character.borrow();
        Ok(board.into_iter().chain(character.iter().flat_map(|found| found.notes.clone())).collect())
    }

    /// Why roofs are missing, a sentence each; empty before they were measured.
    #[must_use]
    pub fn missing_roofs(&self) -> Vec<String> {
        self.machine.roofless.borrow().clone()
    }

    /// The last measurement of energy in full, with its windows on the device's clock; `None` before the first.
    #[must_use]
    pub fn last_energy(&self) -> Option<EnergyReport> {
        self.machine.report.borrow().clone()
    }

    /// What the GPU really took between two moments of its clock (s), in J. Only a virtual GPU knows.
    #[must_use]
    pub fn true_energy_j(&self, from_s: f64, to_s: f64) -> Option<f64> {
        self.machine.clock.true_energy_j(from_s, to_s)
    }

    /// The compiler its kernels are made with.
    ///
    /// # Errors
    /// [`DeviceError::Library`] where there is none, or none that serves this device.
    pub fn compiler(&self) -> Result<Arc<Compiler>, DeviceError> {
        self.machine.compiler()
    }
}

impl Machine {
    pub(super) fn gpu(&self) -> &Gpu {
        self.info.gpu()
    }

    /// Made on first use.
    pub(super) fn context(&self) -> Result<&Rc<Context>, DeviceError> {
        if let Some(context) = self.context.get() {
            return Ok(context);
        }
        let context = Context::open(self.ordinal)?;
        Ok(self.context.get_or_init(|| context))
    }

    /// Opened on first use: planning needs none. Refused where the device's driver would load nothing that it makes.
    pub(super) fn compiler(&self) -> Result<Arc<Compiler>, DeviceError> {
        if let Some(compiler) = self.compiler.get() {
            return Ok(Arc::clone(compiler));
        }
        let compiler = Arc::new(Compiler::open(self.options.clone())?);
        compiler.serves(self.gpu())?;
        Ok(Arc::clone(self.compiler.get_or_init(|| compiler)))
    }

    /// The board's sensors, or why there are none; looked for on first use.
    pub(super) fn sensor(&self) -> Result<&RefCell<Nvml>, &String> {
        self.sensor.get_or_init(|| self.nvml().map(RefCell::new)).as_ref()
    }

    /// The board by NVML, through a connection of its own. By its place on the bus: under MIG, CUDA's UUID is that of an instance.
    fn nvml(&self) -> Result<Nvml, String> {
        let selector = Selector::Pci(info::address(self.ordinal).map_err(|error| error.to_string())?);
        Nvml::open(self.options.libraries.nvml.as_deref(), &selector).map_err(|why| why.to_string())
    }

    /// What vendors' calls go through. Made on first use; touches no library before it is asked for one.
    pub(super) fn session(&self) -> Result<&RefCell<Session>, DeviceError> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        // SAFETY: the stream is the context's, which this machine drops after the session; entries make it current.
        let session = unsafe { Session::new(self.context()?.stream()) };
        Ok(self.session.get_or_init(|| RefCell::new(session)))
    }

    /// The vendor's libraries where their path is given; asked before a vendor's call is prepared.
    pub(super) fn open_blas(&self) -> Result<(), DeviceError> {
        self.options.libraries.open_blas()
    }

    /// Made on first use: hot sweeps never pay for it.
    pub(super) fn flush(&self) -> Result<&Flush, DeviceError> {
        if let Some(flush) = self.flush.get() {
            return Ok(flush);
        }
        let flush = Flush::new(self.context()?, self.info.llc_bytes())?;
        Ok(self.flush.get_or_init(|| flush))
    }

    /// Compiles `unit` and loads it, once for all slots that use the same code. A virtual GPU executes PTX; a real one gets the machine code
    /// made for it, so that no driver compiles it anew.
    pub(super) fn load(&self, unit: &Unit) -> Result<(Code, Rc<Module>), DeviceError> {
        let code = self.compiler()?.compile(unit, self.gpu().arch)?;
        let mut modules = self.modules.borrow_mut();
        if let Some(module) = modules.get(&code.id).and_then(Weak::upgrade) {
            return Ok((code, module));
        }
        let context = self.context()?;
        let what = unit.kernels.first().copied().unwrap_or("kernel");
        let module = if self.gpu().simulated {
            context.module(&[code.ptx.as_bytes(), &[0]].concat(), what)?
        } else {
            context.module(&code.cubin, what)?
        };
        let module = Rc::new(module);
        modules.retain(|_, module| module.strong_count() > 0);
        modules.insert(code.id.clone(), Rc::downgrade(&module));
        Ok((code, module))
    }
}

impl Device for CudaDevice {
    fn info(&self) -> &DeviceInfo {
        &self.machine.info
    }

    fn roofs(&self) -> Vec<Roof> {
        let (roofs, missing) = roofs::measure(&self.machine);
        self.machine.roofless.replace(missing);
        roofs
    }

    fn energy_source(&self) -> EnergySource {
        let sensor = match self.machine.sensor() {
            Ok(sensor) => sensor,
            Err(reason) => return EnergySource::Unavailable(reason.clone()),
        };
        let own = self.machine.context.get().map_or(Own::Absent, |_| Own::Present(std::process::id()));
        let obstacle = sensor.borrow_mut().board().obstacle(own);
        obstacle.map_or(EnergySource::Nvml, |why| EnergySource::Unavailable(why.to_string()))
    }

    /// Through a connection of its own: sensors are read while settings are held.
    fn limits(&self) -> Result<Box<dyn Limits>, String> {
        Ok(Box::new(self.machine.nvml()?))
    }

    fn load(&self, family: &'static dyn Family, problem: &Problem) -> Result<Box<dyn Loaded>, DeviceError> {
        guarded("load", || Ok(Box::new(CudaLoaded::new(Rc::clone(&self.machine), family, problem)?) as Box<dyn Loaded>))
    }

    fn ahead(&self, points: Vec<(&'static dyn Family, Problem, Config)>) {
        // Without a compiler every point will say so itself.
        let Ok(compiler) = self.compiler() else { return };
        let info = Arc::new(self.machine.info.clone());
        let job = |(family, problem, config): (&'static dyn Family, Problem, Config)| -> Job {
            let info = Arc::clone(&info);
            Box::new(move || match family.cuda()?.program(&problem, &config, &info) {
                CudaProgram::Compiled(compiled) => Some(compiled.unit),
                CudaProgram::Templated(templated) => Some(templated.unit),
                CudaProgram::Vendor(_) => None,
            })
        };
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = threads_for(processors, crate::devices::cpu::memory().available);
        let jobs = points.into_iter().map(job).collect();
        *self.machine.ahead.borrow_mut() = Some(Ahead::start(&compiler, self.machine.gpu().arch, jobs, threads));
    }
}
