use std::path::PathBuf;
use std::process::Command;

use libloading::Library;

use super::super::limits::Axes;
use super::super::{Guard, Saved, Setting, Wish, restore};
use super::*;

/// The mock library, compiled for one test, so that tests share no state.
struct Mock {
    path: PathBuf,
    library: Library,
    _folder: tempfile::TempDir,
}

/// Slots of the mock's state; see `mock.rs`.
const COUNTER: u32 = 0;
const POWER: u32 = 1;
const INSTANT: u32 = 2;
const AVERAGE: u32 = 3;
const MIG: u32 = 4;
const OTHER: u32 = 5;
const LIMIT: u32 = 6;
const CLOCK: u32 = 7;
const MEMORY_CLOCK: u32 = 8;
const SET_CODE: u32 = 9;
const COUNTER_CODE: u32 = 10;
const CAPABILITY: u32 = 11;
const OWN: u32 = 12;
const POWER_CODE: u32 = 13;

impl Mock {
    /// `None`, said aloud, where there is no compiler to make one with.
    fn new(bare: bool) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("libnvidia-ml.so.1");
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/devices/cuda/power/nvml/mock.rs");
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2024", "--crate-type", "cdylib", "--cap-lints", "allow", "-o"]).arg(&path).arg(source);
        rustc.args(if bare { &["--cfg", "bare"][..] } else { &[] });
        match rustc.output() {
            Ok(done) => assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr)),
            Err(error) => {
                #[allow(clippy::print_stderr)] // how a test says that it was skipped
                {
                    eprintln!("skipped: no rustc to build the NVML mock with: {error}");
                }
                return None;
            }
        }
        // SAFETY: the mock has no initialisers.
        let library = unsafe { Library::new(&path) }.expect("just built");
        let mock = Self { path, library, _folder: folder };
        for (slot, value) in [(COUNTER, 123_456), (POWER, 301_000), (INSTANT, 310_500), (AVERAGE, 300_250)] {
            mock.set(slot, value);
        }
        mock.set(LIMIT, 350_000);
        mock.set(CAPABILITY, 90);
        mock.set(OWN, std::process::id().into());
        Some(mock)
    }

    fn set(&self, slot: u32, value: u64) {
        // SAFETY: the signature is the mock's own.
        unsafe {
            let set = self.library.get::<unsafe extern "C" fn(u32, u64) -> u32>(b"mock_set").expect("in the mock");
            set(slot, value);
        }
    }

    fn get(&self, slot: u32) -> u64 {
        let mut value = 0;
        // SAFETY: the signature is the mock's own, and `value` outlives the call.
        unsafe {
            let get = self.library.get::<unsafe extern "C" fn(u32, *mut u64) -> u32>(b"mock_get").expect("in the mock");
            get(slot, &raw mut value);
        }
        value
    }

    fn open(&self) -> Nvml {
        Nvml::open(Some(&self.path), &Selector::Index(0)).expect("the mock starts")
    }
}

#[test]
fn no_library_and_no_board_are_reasons() {
    let nowhere = Nvml::open(Some(Path::new("/nowhere/libnvidia-ml.so.1")), &Selector::Index(0)).expect_err("nothing there");
    let said = nowhere.to_string();
    assert!(said.starts_with("NVML cannot be used: /nowhere/libnvidia-ml.so.1: cannot open shared object file"), "{said}");
    let Some(mock) = Mock::new(false) else { return };
    for (selector, board) in [(Selector::Index(3), "3"), (Selector::Uuid("GPU-other".into()), "GPU-other")] {
        let said = Nvml::open(Some(&mock.path), &selector).expect_err("no such board").to_string();
        assert!(said.starts_with(&format!("NVML knows no board `{board}`: ")), "{said}");
    }
    assert!(Nvml::open(Some(&mock.path), &Selector::Uuid("GPU-mock".into())).is_ok());
}

#[test]
fn readings_come_in_si_units() {
    let Some(mock) = Mock::new(false) else { return };
    let mut nvml = mock.open();
    assert_eq!(nvml.energy_j(), Ok(Stamped::plain(123.456)));
    assert_eq!(nvml.instant_w(), Ok(Stamped { value: 310.5, stamp_s: Some(1.7e9) }));
    assert_eq!(nvml.average_w().map(|read| read.value), Ok(300.25));
    assert_eq!((nvml.clock_hz(), nvml.memory_clock_hz(), nvml.temperature_c()), (Ok(1.98e9), Ok(1.593e9), Ok(41.0)));
    assert_eq!(nvml.throttle().map(|reasons| reasons.to_string()), Ok("power_cap,reliability".to_owned()));
    let board = nvml.board();
    assert_eq!((board.uuid.as_str(), board.name.as_str(), board.architecture.as_str()), ("GPU-mock", "Mock 80GB", "hopper"));
    assert_eq!((board.driver.as_deref(), board.mig, board.persistence), (Some("580.95.05"), Some(false), Some(false)));
    assert_eq!((board.power_limit_w, board.power_limit_range_w), (Some(350.0), Some((200.0, 350.0))));
    assert_eq!(board.notes(), ["persistence mode is off: the driver unloads between processes and idle power differs"]);
}

#[test]
fn a_driver_that_lacks_symbols_costs_those_readings_only() {
    let Some(mock) = Mock::new(true) else { return };
    // What the plain power call means depends on the architecture: instant before Ampere, a second's average after.
    for (capability, instant, average) in [(61, true, false), (80, true, false), (86, false, true), (90, false, true)] {
        mock.set(CAPABILITY, capability);
        let mut nvml = mock.open();
        let readings = [nvml.energy_j(), nvml.instant_w(), nvml.average_w()];
        assert_eq!(
            readings[0],
            Err(Absent::Unsupported("this driver's library has no `nvmlDeviceGetTotalEnergyConsumption`".into()))
        );
        assert_eq!([readings[1].is_ok(), readings[2].is_ok()], [instant, average], "{capability}: {readings:?}");
        assert!(readings[1..].iter().flatten().all(|read| *read == Stamped::plain(301.0)));
        assert!([nvml.clock_hz(), nvml.temperature_c()].iter().all(|read| matches!(read, Err(Absent::Unsupported(_)))));
        assert!(matches!(nvml.throttle(), Err(Absent::Unsupported(_))));
        assert!(nvml.attributable().is_ok());
        assert!(nvml.board().notes().iter().any(|note| note.starts_with("other processes on the GPU cannot be seen")));
    }
}

#[test]
fn errors_are_told_apart() {
    let Some(mock) = Mock::new(false) else { return };
    let mut nvml = mock.open();
    let call = "nvmlDeviceGetTotalEnergyConsumption";
    let cases = [
        (3, Absent::Unsupported(format!("`{call}` is not offered by this board"))),
        (4, Absent::Denied(format!("`{call}` is denied to this user"))),
        (15, Absent::Lost(format!("`{call}`: device fell off the bus or has otherwise become inacessible"))),
    ];
    for (code, expected) in cases {
        mock.set(COUNTER_CODE, code);
        assert_eq!(nvml.energy_j(), Err(expected));
    }
}

#[test]
fn a_board_that_cannot_be_attributed_says_why() {
    let Some(mock) = Mock::new(false) else { return };
    let mut nvml = mock.open();
    assert!(nvml.attributable().is_ok(), "only this process");
    let mut say = |slot: u32, value: u64| {
        mock.set(slot, value);
        let said = nvml.attributable().expect_err("an obstacle").to_string();
        mock.set(slot, 0);
        said
    };
    assert_eq!(say(OTHER, 4242), "another process is on the GPU (pid 4242): its energy cannot be told apart");
    assert_eq!(say(MIG, 1), "MIG is on: power and energy are those of the whole board, not of one instance");
    mock.set(COUNTER_CODE, 4);
    let said = say(POWER_CODE, 4);
    assert!(said.starts_with("the board offers no power reading: energy counter: "), "{said}");
    assert_eq!(said.matches("is denied to this user").count(), 3, "{said}");
}

#[test]
fn settings_are_made_read_back_and_put_back() {
    let Some(mock) = Mock::new(false) else { return };
    let settings = || [mock.get(LIMIT), mock.get(CLOCK), mock.get(MEMORY_CLOCK)];
    let mut nvml = mock.open();
    let axes = Axes::of(&mut nvml);
    // More than the 128 that nvml-wrapper has room for.
    let clocks: Vec<u32> = (0..132).map(|step| 2475 - 15 * step).collect();
    let (memory_clocks, range) = (Ok(vec![1593, 810]), Ok((200_000, 350_000)));
    assert_eq!(axes, Axes { clocks_mhz: Ok(clocks), memory_clocks_mhz: memory_clocks, power_limit_range_mw: range });
    let wish = Wish { clock_mhz: Some(1410), memory_clock_mhz: Some(810), power_limit_mw: Some(250_000) };
    assert!(axes.check(&wish).is_ok());
    let saved = Saved::of(&mut nvml, &wish).expect("readable");
    let mut guard = Guard::apply(&mut nvml, wish, saved.clone());
    guard.read_back(None);
    assert_eq!(Setting::ALL.map(|setting| guard.of(setting).name()), [Some("held"); 3]);
    assert_eq!(settings(), [250_000, 1410, 810]);
    std::mem::forget(guard); // the worker is killed
    restore(&mut mock.open(), &saved).expect("another process restores by its own connection");
    assert_eq!(settings(), [350_000, 0, 0]);
    let mut guard = Guard::apply(&mut nvml, wish, saved);
    mock.set(SET_CODE, 4);
    let said = guard.restore().expect_err("denied");
    assert_eq!(said, "`nvml_clock` was not put back: `nvmlDeviceResetGpuLockedClocks` is denied to this user");
    let again = guard.change(wish).expect_err("denied").to_string();
    assert_eq!(again, "`nvml_clock` cannot be set: `nvmlDeviceSetGpuLockedClocks` is denied to this user");
}
