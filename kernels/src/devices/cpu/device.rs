//! The processor as a [`Device`].

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::clock::giving_back;
use super::flush::Flush;
use super::loaded::CpuLoaded;
use super::rapl::Rapl;
use super::{Team, allowed_processors, info, roofs};
use crate::{Device, DeviceError, DeviceInfo, EnergySource, Family, Loaded, Problem, Roof};

/// The machine's processor, or some of its threads.
///
/// Loading a problem pins the calling thread to the first processor the process may use; opening the device only looks, and measuring its roofs leaves the
/// thread as it was: a process that then starts others, or threads that predict, would hand on the pin.
#[derive(Debug)]
pub struct CpuDevice {
    machine: Rc<Machine>,
}

/// What loaded problems share: one set of threads, one flush buffer.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) info: DeviceInfo,
    team: OnceCell<Team>,
    pub(super) sysfs: PathBuf,
    pub(super) energy: EnergySource,
    flush: OnceCell<Flush>,
}

impl Machine {
    /// Started on first use: a process that only asks what the device is must not pin itself beside the one that measures.
    pub(super) fn team(&self) -> &Team {
        self.team.get_or_init(|| Team::new(usize::try_from(self.info.threads).expect("threads of one machine")))
    }

    /// Made on first use: hot sweeps never pay for it.
    pub(super) fn flush(&self) -> &Flush {
        self.flush.get_or_init(|| Flush::new(self.info.llc_bytes()))
    }
}

impl CpuDevice {
    /// Opens `cpu` (every thread the process may use), `cpu:1t` or `cpu:Nt`. Caches and energy counters are looked up under `sysfs`, which is `/sys`
    /// but in tests.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`] where `spec` is no processor or asks for more threads than there are.
    pub fn open(spec: &str, sysfs: &Path) -> Result<Self, DeviceError> {
        let threads = info::parse_threads(spec, allowed_processors().len().max(1))?;
        let energy = match Rapl::open(sysfs) {
            Ok(_) => EnergySource::Rapl,
            Err(reason) => EnergySource::Unavailable(reason),
        };
        let info = info::describe(spec, threads, sysfs);
        let machine = Machine { info, team: OnceCell::new(), sysfs: sysfs.to_owned(), energy, flush: OnceCell::new() };
        Ok(Self { machine: Rc::new(machine) })
    }
}

impl Device for CpuDevice {
    fn info(&self) -> &DeviceInfo {
        &self.machine.info
    }

    fn roofs(&self) -> Vec<Roof> {
        giving_back(|| roofs::measure(&self.machine.info, self.machine.team()))
    }

    fn energy_source(&self) -> EnergySource {
        self.machine.energy.clone()
    }

    fn load(&self, family: &'static dyn Family, problem: &Problem) -> Result<Box<dyn Loaded>, DeviceError> {
        Ok(Box::new(CpuLoaded::new(Rc::clone(&self.machine), family, problem)?))
    }
}
