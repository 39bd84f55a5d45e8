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
        let character = match machine.character.get() {
            Some(character) => character,
            None => {
                // Once per worker, under the first kernel that is measured. What cannot be found out is taken as published.
                let found = power::characterise(&mut busy, &mut *sensor, architecture, SEED);
                let found = found.unwrap_or_else(|_| Character::published(architecture));
                machine.character.get_or_init(|| found)
            }
        };
        // Another seed each time: with one and the same, ticks and polls fall alike and every measurement errs to the same side.
        let settings = Settings { min_window_s: window_s, seed: machine.clock.now_s().to_bits(), ..Settings::default() };
        let report = power::measure(&mut busy, &mut *sensor, character, &settings)?;
        let energy = Energy::from(&report);
        machine.report.replace(Some(report));
        Ok(Some(energy))
    }
}
