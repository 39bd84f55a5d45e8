//! The worker's hand on the clocks and the power limit of its board: what a point names is in force while it runs, and what stood before when it does not.

use tilecast_kernels::devices::cuda::power::limits::Axes;
use tilecast_kernels::devices::cuda::power::{Absent, Guard, Held, Limits, Refused, Saved, Wish};
use tilecast_kernels::{Device, DeviceError, Sample};

/// The board's settings; reached for by the first point that names one.
#[derive(Default)]
pub(super) struct Hand {
    board: Option<Board>,
    /// Something was changed, and nothing was timed since.
    unsettled: bool,
}

struct Board {
    guard: Guard<Box<dyn Limits>>,
    axes: Axes,
}

impl Hand {
    /// Looks at what `wish` asks for without changing anything, and gives what stands before any change; `None` where nothing is asked for.
    ///
    /// # Errors
    /// [`DeviceError::Misfit`] where the board does not offer a value, [`DeviceError::Setting`] where it has no such setting.
    pub(super) fn look(&mut self, device: &dyn Device, wish: Wish) -> Result<Option<Saved>, DeviceError> {
        let Some(setting) = wish.settings().next() else { return Ok(None) };
        let board = match &mut self.board {
            Some(board) => board,
            None => {
                let limits = device.limits().map_err(|why| Refused::set(setting, Absent::Unsupported(why)))?;
                self.board.insert(Board::new(limits))
            }
        };
        board.axes.check(&wish)?;
        Ok(Some(board.guard.save(&wish)?))
    }

    /// Makes `wish` what is in force. Where a setting is refused, nothing is.
    ///
    /// # Errors
    /// [`DeviceError::Setting`].
    pub(super) fn hold(&mut self, wish: Wish) -> Result<(), DeviceError> {
        let Some(board) = &mut self.board else { return Ok(()) };
        self.unsettled |= board.guard.wish() != wish;
        board.guard.change(wish).map_err(|refused| {
            // What was refused first is the reason, whatever else goes wrong.
            let _ = board.guard.change(Wish::default());
            refused.into()
        })
    }

    /// What is in force.
    pub(super) fn wish(&self) -> Wish {
        self.board.as_ref().map(|board| board.guard.wish()).unwrap_or_default()
    }

    /// Whether clocks may still be on their way.
    pub(super) const fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// They stand still now, where `steady`.
    pub(super) const fn settle(&mut self, steady: bool) {
        self.unsettled &= !steady;
    }

    /// What became of the settings in force, by what was read while `sample` ran and by what stands now.
    pub(super) fn seen(&mut self, sample: &Sample) -> Held {
        let Some(board) = &mut self.board else { return Held::Unasked };
        board.guard.read_back(sample.clock_hz.map(mhz));
        board.guard.held()
    }

    /// Puts everything back; gives what could not be.
    pub(super) fn release(&mut self) -> Option<String> {
        self.board.as_mut().and_then(|board| board.guard.restore().err())
    }
}

impl Board {
    fn new(mut limits: Box<dyn Limits>) -> Self {
        let axes = Axes::of(limits.as_mut());
        Self { guard: Guard::new(limits), axes }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a clock of a few thousand MHz
fn mhz(hz: f64) -> u32 {
    (hz * 1e-6).round() as u32
}

#[cfg(test)]
mod tests;
