//! Energy of a prepared configuration, by the board's own sensors.

use std::rc::Rc;

use super::CudaLoaded;
use crate::devices::cuda::power::{self, Character, Settings};
use crate::devices::cuda::program::{Busy, Queue};
use crate::{DeviceError, Energy};

/// Seed of the pulses a sensor is characterised with.
const SEED: u64 = 1;

impl CudaLoaded {
    /// `None` where there is no sensor; [`DeviceError::Sensor`] with the reason where there is one and it cannot be used now.
    pub(super) fn metered(&mut self, slot: usize, window_s: f64) -> Result<Option<Energy>, DeviceError> {
        let machine = Rc::clone(&self.machine);
        let Ok(sensor) = machine.sensor() else { return Ok(None) };
        let mut sensor = sensor.borrow_mut();
        self.last = Some(slot);
        let places = self.places();
        let queue = Queue::new(&self.slots[slot].program, &places, machine.session()?);
        let mut busy = Busy::new(queue, &self.context, machine.clock);
        let architecture = sensor.architecture();
        // Once per worker, under the first kernel that is measured. What cannot be found out is taken as published, and tried again at the next point.
        let known = machine.character.borrow().clone();
        let found = known.map_or_else(|| power::characterise(&mut busy, &mut *sensor, architecture, SEED), Ok);
        let (character, flag) = Character::believed(found, architecture)?;
        if flag.is_none() {
            machine.character.replace(Some(character.clone()));
        }
        // Another seed each time: with one and the same, ticks and polls fall alike and every measurement errs to the same side.
        let settings = Settings { min_window_s: window_s, seed: machine.clock.now_s().to_bits(), ..Settings::default() };
        let mut report = power::measure(&mut busy, &mut *sensor, &character, &settings)?;
        report.flags.extend(flag);
        let mut energy = Energy::from(&report);
        energy.detail.character = serde_json::to_string(&character).ok();
        machine.report.replace(Some(report));
        Ok(Some(energy))
    }
}
