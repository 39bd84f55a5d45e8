//! What every NVML call begins with: an open library, a known card, its cost, the errors a scenario wants.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::card::Card;
use super::scenario::Settings;
use super::settings;
use super::status::Status;
use crate::driver::ffi::{Out, panic_text};
use crate::memory::Memory;
use crate::state::{Inner, Machine, machine};
use crate::time::costs;

/// What a call about one card works with.
pub(super) struct Desk<'a> {
    pub(super) card: &'a mut Card,
    pub(super) memory: &'a Memory,
    /// Whether this process has a context on the card.
    pub(super) in_use: bool,
}

impl Desk<'_> {
    /// # Errors
    /// The scenario does not let callers change settings.
    pub(super) fn may_set(&self) -> Result<(), Status> {
        match self.card.scenario.settings {
            Settings::Allowed => Ok(()),
            Settings::NoPermission => Err(Status::NoPermission),
            Settings::NotSupported => Err(Status::NotSupported),
        }
    }
}

/// Gives a result; a null pointer is `NVML_ERROR_INVALID_ARGUMENT`.
pub(super) fn set<T>(place: Out<T>, value: T) -> Result<(), Status> {
    place.give(value).ok_or(Status::InvalidArgument)
}

/// NVML's way of giving a list: without enough room, the length and `NVML_ERROR_INSUFFICIENT_SIZE`.
pub(super) fn set_list<T: Copy>(count: Out<u32>, places: Out<T>, values: &[T]) -> Result<(), Status> {
    let room = count.get().ok_or(Status::InvalidArgument)?;
    set(count, values.len() as u32)?;
    if values.is_empty() {
        return Ok(());
    }
    if places.is_null() || (room as usize) < values.len() {
        return Err(Status::InsufficientSize);
    }
    places.give_all(values.iter().copied());
    Ok(())
}

/// Gives text; too little room is `NVML_ERROR_INSUFFICIENT_SIZE`.
pub(super) fn set_text(place: Out<std::ffi::c_char>, length: u32, text: &str) -> Result<(), Status> {
    if place.is_null() {
        return Err(Status::InvalidArgument);
    }
    if length as usize <= text.len() {
        return Err(Status::InsufficientSize);
    }
    place.give_text(text, length as usize).ok_or(Status::InvalidArgument)
}

/// Runs a call about the whole system. A panic becomes `NVML_ERROR_UNKNOWN`.
pub(super) fn on_system(name: &str, opened: Opened, body: impl FnOnce(&Machine, &mut Inner) -> Result<(), Status>) -> Status {
    guard(name, || {
        let machine = machine().ok_or(Status::DriverNotLoaded)?;
        let mut inner = machine.lock();
        if let Some(wanted) = inner.cards.first().and_then(|c| c.scenario.errors.get(name)) {
            return Err(*wanted);
        }
        if opened == Opened::Needed && inner.nvml_users == 0 {
            return Err(Status::Uninitialized);
        }
        body(&machine, &mut inner)
    })
}

/// Whether a call needs `nvmlInit`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opened {
    Needed,
    NotNeeded,
}

/// Runs a call about the card a handle names.
pub(super) fn on_device(name: &str, handle: u64, body: impl FnOnce(&mut Desk<'_>) -> Result<(), Status>) -> Status {
    guard(name, || {
        let machine = machine().ok_or(Status::DriverNotLoaded)?;
        let mut inner = machine.lock();
        if inner.nvml_users == 0 {
            return Err(Status::Uninitialized);
        }
        let index = (handle as usize).checked_sub(1).filter(|i| *i < inner.cards.len()).ok_or(Status::InvalidArgument)?;
        let in_use = inner.contexts.values().any(|c| c.device == index);
        let state = machine.config.state.as_deref();
        if let Some(path) = state {
            settings::load(path, &mut inner.cards);
        }
        let before = inner.cards[index].settings;
        let card = &mut inner.cards[index];
        card.clock.pass(costs::ns(card.scenario.call_cost_s));
        if let Some(wanted) = card.scenario.errors.get(name) {
            return Err(*wanted);
        }
        body(&mut Desk { card, memory: &machine.memories[index], in_use })?;
        match state {
            Some(path) if inner.cards[index].settings != before => {
                settings::save(path, &inner.cards).map_err(|_| Status::Unknown)
            }
            _ => Ok(()),
        }
    })
}

fn guard(name: &str, body: impl FnOnce() -> Result<(), Status>) -> Status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => Status::Success,
        Ok(Err(status)) => status,
        Err(panic) => {
            crate::driver::log::say(&format!("{name}: {}", panic_text(panic.as_ref())));
            Status::Unknown
        }
    }
}

/// Defines exported calls about one card: the first name is what the body calls its [`Desk`].
macro_rules! device_calls {
    ($($(#[$doc:meta])* fn $name:ident($desk:ident $(, $arg:ident: $ty:ty)* $(,)?) $body:block)*) => {
        $(
            $(#[$doc])*
            #[unsafe(no_mangle)]
            #[allow(non_snake_case)] // NVML's names
            pub extern "C" fn $name(device: u64 $(, $arg: $ty)*) -> $crate::nvml::status::Status {
                $crate::nvml::calls::on_device(stringify!($name), device, move |$desk: &mut $crate::nvml::calls::Desk<'_>| $body)
            }
        )*
        /// These calls' names.
        pub(super) const CALLS: &[&str] = &[$(stringify!($name)),*];
    };
}
pub(super) use device_calls;
