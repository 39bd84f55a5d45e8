//! A worker that is restarted when it is lost, with its device and roofs known.

use tilecast_kernels::devices::cuda::power::LONGEST_S;
use tilecast_kernels::{Config, DeviceInfo, DeviceKind, EnergySource, Problem, Roof};

use crate::fail::Fail;
use crate::owed;
use crate::worker::{Ask, Busy, Lost, Reply, Said, Worker, WorkerOptions};

/// What a request came to.
#[derive(Debug)]
pub enum SessionFail {
    /// The device refused; the worker lives.
    Refused {
        /// Row status.
        status: String,
        /// Why.
        reason: String,
    },
    /// The board may not be set as the point asks; the worker lives.
    Denied(String),
    /// The worker was lost; all slots are gone and a new worker has been started.
    Lost(Lost),
    /// No new worker could be started.
    Over(Fail),
}

impl SessionFail {
    /// Status and reason for the row this failure belongs to.
    #[must_use]
    pub fn row(&self) -> (String, String) {
        match self {
            Self::Refused { status, reason } => (status.clone(), reason.clone()),
            Self::Denied(reason) => ("unsupported".to_owned(), reason.clone()),
            Self::Lost(lost @ Lost::TimedOut(_)) => ("timeout".to_owned(), lost.to_string()),
            Self::Lost(lost) => ("runtime_error".to_owned(), lost.to_string()),
            Self::Over(fail) => ("not_run".to_owned(), fail.to_string()),
        }
    }
}

/// A live worker and what it said of its device.
#[derive(Debug)]
pub struct Session {
    options: WorkerOptions,
    worker: Worker,
    /// The device.
    pub device: DeviceInfo,
    /// Where energy would come from.
    pub energy: EnergySource,
    /// Time spent inside workers, by what on.
    pub busy: Busy,
    /// Workers lost so far.
    pub restarts: u32,
    /// What every new worker begins with.
    ahead: Option<Ask>,
    /// The board whose settings a worker has changed, by NVML's name: under MIG, CUDA has another.
    board: Option<String>,
}

impl Session {
    /// Starts a worker and asks for its device.
    ///
    /// # Errors
    /// [`Fail`] with the worker's own words.
    pub fn start(options: WorkerOptions) -> Result<Self, Fail> {
        let mut worker = Worker::start(&options).map_err(|lost| Fail::new(lost.to_string()))?;
        match worker.ask_device(&Ask::Info).map(|reply| reply.said) {
            Ok(Said::Info { device, energy }) => Ok(Self {
                options,
                worker,
                device: *device,
                energy,
                busy: Busy::default(),
                restarts: 0,
                ahead: None,
                board: None,
            }),
            Ok(other) => Err(Fail::new(format!("worker answered {other:?} to a question about its device"))),
            Err(lost) => Err(Fail::new(lost.to_string()).hint("`tilecast devices` says what can be measured here")),
        }
    }

    /// Measures the device's roofs.
    ///
    /// # Errors
    /// [`SessionFail`] where the worker is lost.
    pub fn roofs(&mut self) -> Result<Vec<Roof>, SessionFail> {
        let reply = self.worker.ask_device(&Ask::Roofs).map_err(|lost| self.replace(lost))?;
        match self.accept(reply)? {
            Said::Roofs { roofs } => Ok(roofs),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks and waits.
    ///
    /// # Errors
    /// [`SessionFail`].
    pub fn ask(&mut self, ask: &Ask) -> Result<Said, SessionFail> {
        self.send(ask);
        self.receive()
    }

    /// Asks to finish a point. Where there is a sensor, windows of energy take their time beside the time-out of a kernel; what would take longer than
    /// [`LONGEST_S`] the worker ends by itself, at the cost of the energy alone.
    ///
    /// # Errors
    /// As [`Session::ask`].
    pub fn finish(&mut self, ask: &Ask) -> Result<Said, SessionFail> {
        if let EnergySource::Unavailable(_) = self.energy {
            return self.ask(ask);
        }
        let reply = self.worker.ask_beside(ask, LONGEST_S).map_err(|lost| self.replace(lost))?;
        self.accept(reply)
    }

    /// Sends without waiting; answers come in order through [`Session::receive`].
    pub fn send(&mut self, ask: &Ask) {
        self.worker.send(ask);
    }

    /// The next answer.
    ///
    /// # Errors
    /// [`SessionFail`]; after [`SessionFail::Lost`] a new worker stands ready with no slots.
    pub fn receive(&mut self) -> Result<Said, SessionFail> {
        let reply = self.worker.receive().map_err(|lost| self.replace(lost))?;
        self.accept(reply)
    }

    /// Has the worker, and every one after it, compile `points` while others are measured. On a CPU there is nothing to do.
    pub fn ahead(&mut self, points: Vec<(Problem, Config)>) {
        if self.device.kind == DeviceKind::Cuda && !points.is_empty() {
            self.ahead = Some(Ask::Ahead { points });
            self.look_ahead();
        }
    }

    /// A worker that is lost over this shows it at the next question.
    fn look_ahead(&mut self) {
        if let Some(ask) = &self.ahead {
            let _ = self.worker.ask_device(ask);
        }
    }

    fn accept(&mut self, Reply { said, busy }: Reply) -> Result<Said, SessionFail> {
        self.busy.add(&busy);
        match &said {
            Said::Prepared { saved: Some(saved), .. } => {
                owed::owe(saved);
                self.board = Some(saved.board.clone());
            }
            Said::Forgotten { kept: None } => self.board.iter().for_each(|board| owed::settled(board)),
            _ => {}
        }
        match said {
            Said::Refused { status, reason } => Err(SessionFail::Refused { status, reason }),
            Said::Denied { reason } => Err(SessionFail::Denied(reason)),
            Said::DeviceLost { reason } => {
                let lost = self.worker.device_lost(reason);
                Err(self.replace(lost))
            }
            said => Ok(said),
        }
    }

    /// Puts back what workers changed, once none can change it any more.
    fn put_back(&self) {
        self.board.iter().for_each(|board| owed::put_back(Some(board)));
    }

    /// The lost worker is dead by now: what it changed of the board is put back before another one looks at it.
    fn replace(&mut self, lost: Lost) -> SessionFail {
        self.restarts += 1;
        self.put_back();
        match Worker::start(&self.options) {
            Ok(worker) => {
                self.worker = worker;
                self.look_ahead();
                SessionFail::Lost(lost)
            }
            Err(error) => SessionFail::Over(Fail::new(format!("{lost}; {error}"))),
        }
    }
}

impl Drop for Session {
    /// A worker that is still measuring has clocks and power limit in hand: it is ended first, so that it cannot change them again.
    fn drop(&mut self) {
        self.worker.end();
        self.put_back();
    }
}

/// An answer that does not belong to the question: a defect of the program itself.
pub(super) fn unexpected(said: &Said) -> SessionFail {
    SessionFail::Over(Fail::new(format!("worker gave an answer that was not asked for: {said:?}")))
}
