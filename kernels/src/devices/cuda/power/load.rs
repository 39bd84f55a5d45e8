//! Keeps a GPU busy with one kernel while the host looks at sensors.

use crate::DeviceError;

use super::Stage;

/// Work queued ahead: above the slowest sensor read seen (6.6 ms for an energy counter), so that the GPU never waits for the host.
const QUEUE_S: f64 = 0.02;
/// Work per call of [`Stage::launch`]: progress is known to this granularity, and queueing it holds up a poll no longer than this.
const BATCH_S: f64 = 0.002;
/// What the launch time is measured over at the start.
const CALIBRATE_S: f64 = 0.02;

/// A stage that is kept busy.
pub(super) struct Load<'a> {
    pub(super) stage: &'a mut dyn Stage,
    /// Time of one launch, back to back.
    pub(super) launch_s: f64,
    launched: u64,
    /// Calls of [`Load::feed`] that found the queue empty though it had been filled, and all calls.
    dry: u64,
    fed: u64,
    filled: bool,
}

impl<'a> Load<'a> {
    /// Runs the kernel a few times to learn how long it takes.
    pub(super) fn calibrate(stage: &'a mut dyn Stage) -> Result<Self, DeviceError> {
        let launched = stage.completed()?;
        let mut load = Self { stage, launch_s: 0.0, launched, dry: 0, fed: 0, filled: false };
        load.time_of(1)?;
        let mut n = 1;
        loop {
            let time_s = load.time_of(n)?;
            load.launch_s = (time_s / float(n)).max(1e-9);
            if time_s >= CALIBRATE_S || n >= 1 << 22 {
                return Ok(load);
            }
            n = count(CALIBRATE_S * 1.2 / load.launch_s).clamp(n + 1, n * 10);
        }
    }

    fn time_of(&mut self, n: u64) -> Result<f64, DeviceError> {
        let start = self.stage.clock_s();
        self.stage.launch(n)?;
        self.launched += n;
        self.stage.wait()?;
        Ok(self.stage.clock_s() - start)
    }

    /// Tops the queue up and says how many launches are done.
    pub(super) fn feed(&mut self) -> Result<u64, DeviceError> {
        let done = self.stage.completed()?;
        self.fed += 1;
        self.dry += u64::from(self.filled && done == self.launched);
        let (batch, target) = (count(BATCH_S / self.launch_s), count(QUEUE_S / self.launch_s).max(2));
        while self.launched - done < target {
            self.stage.launch(batch)?;
            self.launched += batch;
        }
        self.filled = true;
        Ok(done)
    }

    /// Waits for what is queued; says how many launches are done, which is all.
    pub(super) fn drain(&mut self) -> Result<u64, DeviceError> {
        self.filled = false;
        self.stage.wait()?;
        self.stage.completed()
    }

    /// True when nothing is queued any more.
    pub(super) fn is_done(&mut self) -> Result<bool, DeviceError> {
        self.filled = false;
        Ok(self.stage.completed()? >= self.launched)
    }

    /// Share of feeds that found the GPU idle, since the last call.
    pub(super) fn dry_share(&mut self) -> f64 {
        let share = float(self.dry) / float(self.fed.max(1));
        (self.dry, self.fed) = (0, 0);
        share
    }
}

#[allow(clippy::cast_precision_loss)] // launches of one measurement
pub(super) fn float(n: u64) -> f64 {
    n as f64
}

/// At least one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a positive number of launches
fn count(n: f64) -> u64 {
    (n.round() as u64).max(1)
}
