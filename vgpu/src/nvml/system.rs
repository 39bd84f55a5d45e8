//! Opening and closing, versions, finding cards.

use std::ffi::{c_char, c_int, c_uint};

use super::calls::{Opened, on_system, set, set_text};
use super::status::Status;
use crate::driver::ffi::{Out, Text};
use crate::state::Inner;

/// Defines exported calls about the whole system; `machine` and `inner` are what the body calls its arguments.
macro_rules! system_calls {
    ($($(#[$doc:meta])* $opened:ident fn $name:ident($machine:ident, $inner:ident $(, $arg:ident: $ty:ty)* $(,)?) $body:block)*) => {
        $(
            $(#[$doc])*
            #[unsafe(no_mangle)]
            #[allow(non_snake_case)] // NVML's names
            pub extern "C" fn $name($($arg: $ty),*) -> Status {
                on_system(stringify!($name), Opened::$opened, move |$machine: &crate::state::Machine, $inner: &mut Inner| $body)
            }
        )*
        /// These calls' names.
        pub(super) const CALLS: &[&str] = &[$(stringify!($name)),*];
    };
}

system_calls! {
    /// Opens the library; each opening wants a `nvmlShutdown`. Works without a card, as NVML does.
    NotNeeded fn nvmlInit_v2(_machine, inner) {
        inner.nvml_users += 1;
        Ok(())
    }

    /// The same; flags have no effect.
    NotNeeded fn nvmlInitWithFlags(_machine, inner, _flags: c_uint) {
        inner.nvml_users += 1;
        Ok(())
    }

    /// Closes it once.
    Needed fn nvmlShutdown(_machine, inner) {
        inner.nvml_users -= 1;
        Ok(())
    }

    /// The driver's version as the scenario says.
    Needed fn nvmlSystemGetDriverVersion(machine, _inner, text: Out<c_char>, length: c_uint) {
        let version = machine.config.devices.first().map_or_else(String::new, |(_, s)| s.driver.version.clone());
        set_text(text, length, &version)
    }

    /// `13.` and the driver's version.
    Needed fn nvmlSystemGetNVMLVersion(machine, _inner, text: Out<c_char>, length: c_uint) {
        let driver = machine.config.devices.first().map(|(_, s)| &s.driver);
        let version = driver.map_or_else(String::new, |d| format!("{}.{}", d.cuda / 1000, d.version));
        set_text(text, length, &version)
    }

    /// Such as 13050.
    Needed fn nvmlSystemGetCudaDriverVersion(machine, _inner, version: Out<c_int>) {
        set(version, machine.config.devices.first().map_or(0, |(_, s)| s.driver.cuda as c_int))
    }

    /// The same.
    Needed fn nvmlSystemGetCudaDriverVersion_v2(machine, _inner, version: Out<c_int>) {
        set(version, machine.config.devices.first().map_or(0, |(_, s)| s.driver.cuda as c_int))
    }

    /// The name of a process on a card.
    Needed fn nvmlSystemGetProcessName(_machine, inner, pid: c_uint, text: Out<c_char>, length: c_uint) {
        let other = inner.cards.iter().flat_map(|c| &c.scenario.process).any(|p| p.pid == pid);
        match (other, pid == std::process::id()) {
            (true, _) => set_text(text, length, "another-process"),
            (_, true) => set_text(text, length, "this-process"),
            _ => Err(Status::NotFound),
        }
    }

    /// How many cards there are.
    Needed fn nvmlDeviceGetCount_v2(_machine, inner, count: Out<c_uint>) {
        set(count, inner.cards.len() as c_uint)
    }

    /// The handle of a card by its place.
    Needed fn nvmlDeviceGetHandleByIndex_v2(_machine, inner, index: c_uint, device: Out<u64>) {
        give(inner, device, |i, _| i == index as usize, Status::InvalidArgument)
    }

    /// By its UUID.
    Needed fn nvmlDeviceGetHandleByUUID(_machine, inner, uuid: Text, device: Out<u64>) {
        let wanted = uuid.get().ok_or(Status::InvalidArgument)?;
        give(inner, device, |_, card| card.uuid_text() == wanted, Status::NotFound)
    }

    /// By its bus.
    Needed fn nvmlDeviceGetHandleByPciBusId_v2(_machine, inner, id: Text, device: Out<u64>) {
        let wanted = id.get().ok_or(Status::InvalidArgument)?;
        give(inner, device, |_, card| card.answers_to_bus_id(&wanted), Status::NotFound)
    }

    /// By its serial number.
    Needed fn nvmlDeviceGetHandleBySerial(_machine, inner, serial: Text, device: Out<u64>) {
        let wanted = serial.get().ok_or(Status::InvalidArgument)?;
        give(inner, device, |_, card| super::identity::serial(card) == wanted, Status::NotFound)
    }
}

/// Handles are places counted from one, so that null is none.
fn give(
    inner: &Inner,
    device: Out<u64>,
    is: impl Fn(usize, &super::card::Card) -> bool,
    otherwise: Status,
) -> Result<(), Status> {
    let found = inner.cards.iter().enumerate().position(|(i, card)| is(i, card)).ok_or(otherwise)?;
    set(device, found as u64 + 1)
}

/// A sentence about a code; works without `nvmlInit`.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn nvmlErrorString(code: c_uint) -> *const c_char {
    Status::from_code(code).unwrap_or(Status::Unknown).text().as_ptr()
}

/// The oldest form of opening.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn nvmlInit() -> Status {
    nvmlInit_v2()
}
