//! Energy counters of the processor packages (running average power limit), read from powercap.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{DeviceError, EnergySource, PowerMeter};

/// The package counters of a machine, summed.
#[derive(Debug)]
pub(super) struct Rapl {
    packages: Vec<Package>,
}

#[derive(Debug)]
struct Package {
    counter: PathBuf,
    /// The counter starts again from zero after this many microjoules.
    range_uj: u64,
    last_uj: u64,
    /// Since it was opened, wrap-around undone.
    total_uj: u64,
}

impl Rapl {
    /// The packages under `<sysfs>/class/powercap`, or the reason why none can be read.
    pub(super) fn open(sysfs: &Path) -> Result<Self, String> {
        let folder = sysfs.join("class/powercap");
        let entries = std::fs::read_dir(&folder).map_err(|_| {
            format!("no RAPL: `{}` does not exist (a virtual machine, or a kernel without powercap)", folder.display())
        })?;
        let mut zones: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_package(path)).collect();
        zones.sort();
        if zones.is_empty() {
            return Err(format!("no RAPL: `{}` holds no package zone (a virtual machine?)", folder.display()));
        }
        zones.iter().map(|zone| Package::open(zone)).collect::<Result<_, _>>().map(|packages| Self { packages })
    }
}

/// Package zones are `intel-rapl:N` (on AMD too) named `package-N`. Zones below them (`intel-rapl:N:M`) are parts of a package, `psys` is the whole
/// board, and `intel-rapl-mmio` repeats what the register zones say: none of these may be added to it.
fn is_package(zone: &Path) -> bool {
    let file = zone.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let top = file.strip_prefix("intel-rapl:").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    top && std::fs::read_to_string(zone.join("name")).is_ok_and(|name| name.starts_with("package"))
}

impl Package {
    fn open(zone: &Path) -> Result<Self, String> {
        let counter = zone.join("energy_uj");
        let last_uj = read_number(&counter)?;
        Ok(Self { range_uj: read_number(&zone.join("max_energy_range_uj"))?, counter, last_uj, total_uj: 0 })
    }

    fn advance(&mut self) -> Result<u64, String> {
        let now = read_number(&self.counter)?;
        // At most one wrap between two reads: a range of 65 kJ lasts over a minute even at 1 kW.
        let step = if now >= self.last_uj { now - self.last_uj } else { now + self.range_uj.saturating_sub(self.last_uj) };
        (self.last_uj, self.total_uj) = (now, self.total_uj + step);
        Ok(self.total_uj)
    }
}

fn read_number(path: &Path) -> Result<u64, String> {
    let file = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => {
            format!("`{file}` cannot be read: permission denied (let the user read it, or run as root)")
        }
        _ => format!("`{file}` cannot be read: {error}"),
    })?;
    text.trim().parse().map_err(|_| format!("`{file}` holds `{}`, not a number of microjoules", text.trim()))
}

impl PowerMeter for Rapl {
    fn source(&self) -> EnergySource {
        EnergySource::Rapl
    }

    fn energy_j(&mut self) -> Result<f64, DeviceError> {
        let total = self.packages.iter_mut().try_fold(0, |sum, package| package.advance().map(|uj| sum + uj));
        #[allow(clippy::cast_precision_loss)] // 2^53 µJ are 9 GJ
        total.map(|uj| uj as f64 * 1e-6).map_err(DeviceError::Sensor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct FakeSysfs(tempfile::TempDir);

    impl FakeSysfs {
        /// Zones as (folder, name, counter, range).
        fn new(zones: &[(&str, &str, &str, &str)]) -> Self {
            let fake = Self(tempfile::tempdir().expect("a temporary folder"));
            std::fs::create_dir_all(fake.0.path().join("class/powercap")).expect("a folder");
            for (folder, name, counter, range) in zones {
                std::fs::create_dir_all(fake.zone(folder)).expect("a folder");
                for (file, text) in [("name", name), ("energy_uj", counter), ("max_energy_range_uj", range)] {
                    fake.write(folder, file, text);
                }
            }
            fake
        }
        fn zone(&self, folder: &str) -> PathBuf {
            self.0.path().join("class/powercap").join(folder)
        }
        fn write(&self, folder: &str, file: &str, text: &str) {
            std::fs::write(self.zone(folder).join(file), format!("{text}\n")).expect("a file");
        }
    }

    #[test]
    fn packages_are_summed_and_their_parts_and_doubles_left_out() {
        let fake = FakeSysfs::new(&[
            ("intel-rapl:0", "package-0", "1000000", "9000000"),
            ("intel-rapl:1", "package-1", "5000000", "9000000"),
            ("intel-rapl:0:0", "core", "1000000", "9000000"),
            ("intel-rapl:2", "psys", "1000000", "9000000"),
            ("intel-rapl-mmio:0", "package-0", "1000000", "9000000"),
        ]);
        let mut rapl = Rapl::open(fake.0.path()).expect("two packages");
        assert_eq!(rapl.source(), EnergySource::Rapl);
        assert_eq!(rapl.energy_j().ok(), Some(0.0));
        for zone in ["intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0", "intel-rapl:2", "intel-rapl-mmio:0"] {
            fake.write(zone, "energy_uj", "7000000");
        }
        assert_eq!(rapl.energy_j().ok(), Some(6.0 + 2.0));
    }

    #[test]
    fn a_counter_that_wraps_goes_on() {
        let fake = FakeSysfs::new(&[("intel-rapl:0", "package-0", "8500000", "9000000")]);
        let mut rapl = Rapl::open(fake.0.path()).expect("a package");
        for (counter, total_j) in [("8900000", 0.4), ("100000", 0.6), ("100000", 0.6), ("8900000", 9.4), ("0", 9.5)] {
            fake.write("intel-rapl:0", "energy_uj", counter);
            let got = rapl.energy_j().expect("a reading");
            assert!((got - total_j).abs() < 1e-9, "after {counter}: {got} J");
        }
    }

    #[test]
    fn a_machine_without_counters_says_why() {
        let nothing = tempfile::tempdir().expect("a temporary folder");
        let folder = nothing.path().join("class/powercap");
        let cases = [
            (
                nothing.path().to_owned(),
                format!("no RAPL: `{}` does not exist (a virtual machine, or a kernel without powercap)", folder.display()),
            ),
            {
                let fake = FakeSysfs::new(&[("intel-rapl:0", "psys", "1", "2")]).0.keep();
                let folder = fake.join("class/powercap");
                (fake, format!("no RAPL: `{}` holds no package zone (a virtual machine?)", folder.display()))
            },
        ];
        for (root, expected) in cases {
            assert_eq!(Rapl::open(&root).err(), Some(expected));
            let _ = std::fs::remove_dir_all(root);
        }
    }

    #[test]
    fn a_counter_that_may_not_be_read_says_so_with_its_path() {
        use std::os::unix::fs::PermissionsExt;
        let fake = FakeSysfs::new(&[("intel-rapl:0", "package-0", "1", "2")]);
        let counter = fake.zone("intel-rapl:0").join("energy_uj");
        std::fs::set_permissions(&counter, std::fs::Permissions::from_mode(0o000)).expect("own file");
        // Root reads it all the same: then there is nothing to refuse.
        if std::fs::read_to_string(&counter).is_ok() {
            #[allow(clippy::print_stderr)] // how a test says that it was skipped
            {
                eprintln!("skipped: this user may read files of mode 0");
            }
            return;
        }
        let expected =
            format!("`{}` cannot be read: permission denied (let the user read it, or run as root)", counter.display());
        assert_eq!(Rapl::open(fake.0.path()).err(), Some(expected));
    }

    #[test]
    fn a_counter_that_dies_or_talks_nonsense_is_an_error_not_a_zero() {
        let fake = FakeSysfs::new(&[("intel-rapl:0", "package-0", "1", "2")]);
        let mut rapl = Rapl::open(fake.0.path()).expect("a package");
        fake.write("intel-rapl:0", "energy_uj", "many");
        let error = rapl.energy_j().expect_err("nonsense").to_string();
        assert!(error.starts_with("power sensor: `") && error.ends_with("holds `many`, not a number of microjoules"), "{error}");
        std::fs::remove_file(fake.zone("intel-rapl:0").join("energy_uj")).expect("own file");
        let error = rapl.energy_j().expect_err("gone").to_string();
        assert!(error.starts_with("power sensor: `") && error.contains("cannot be read"), "{error}");
    }
}
