//! What is known of the processor before anything runs on it.

use std::path::Path;

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::caches::caches;
use super::micro::Isa;
use crate::{DeviceError, DeviceInfo, DeviceKind};

/// Threads asked for by `cpu`, `cpu:1t`, `cpu:Nt`.
pub(super) fn parse_threads(spec: &str, limit: usize) -> Result<usize, DeviceError> {
    let not_found = |reason: String| DeviceError::NotFound { spec: spec.to_owned(), reason };
    if spec == "cpu" {
        return Ok(limit);
    }
    let threads =
        spec.strip_prefix("cpu:").and_then(|rest| rest.strip_suffix('t')).filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let Some(threads) = threads.filter(|n| !n.is_empty()) else {
        return Err(not_found(format!("is not a processor: expected `cpu` or `cpu:Nt` with N from 1 to {limit}")));
    };
    match threads.parse::<usize>() {
        Ok(n) if (1..=limit).contains(&n) => Ok(n),
        _ => Err(not_found(format!("asks for {threads} threads; from 1 to {limit} can be used here"))),
    }
}

/// Describes the processor, with `threads` of it to be used.
pub(super) fn describe(spec: &str, threads: usize, sysfs: &Path) -> DeviceInfo {
    let system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing())).ok();
    let cpu = system.as_ref().and_then(|s| s.cpus().first());
    let name =
        cpu.map(|cpu| cpu.brand().trim().to_owned()).filter(|b| !b.is_empty()).unwrap_or_else(|| "unknown processor".into());
    let vendor = cpu.map(|cpu| cpu.vendor_id().to_owned()).unwrap_or_default();
    DeviceInfo {
        spec: spec.to_owned(),
        kind: DeviceKind::Cpu,
        slug: slug(&vendor, &name, family_model(), threads),
        name,
        threads: threads as u64,
        isa: Isa::available().iter().map(|isa| isa.name().to_owned()).collect(),
        caches: caches(sysfs),
        memory_bytes: memory().total,
        os: os(),
        gpu: None,
    }
}

/// Main memory in bytes, a control group's limit applied.
pub(crate) struct Memory {
    /// All there is.
    pub(crate) total: u64,
    /// What can be had now.
    pub(crate) available: u64,
}

/// Main memory now.
pub(crate) fn memory() -> Memory {
    let Ok(system) = System::new_with_specifics(RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram()))
    else {
        return Memory { total: 0, available: u64::MAX };
    };
    let limits = system.cgroup_limits();
    let total = limits.as_ref().map_or(u64::MAX, |l| l.total_memory).min(system.total_memory());
    let available = limits.as_ref().map_or(u64::MAX, |l| l.free_memory).min(system.available_memory());
    Memory { total, available }
}

/// Operating system and kernel.
pub(crate) fn os() -> String {
    let distribution = System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned());
    match System::kernel_version() {
        Ok(kernel) => format!("{distribution}, kernel {kernel}"),
        Err(_) => distribution,
    }
}

#[cfg(target_arch = "x86_64")]
fn family_model() -> Option<(u32, u32)> {
    Some(super::cpuid::family_model())
}

#[cfg(not(target_arch = "x86_64"))]
fn family_model() -> Option<(u32, u32)> {
    None
}

/// `amd-epyc-9654-f25m17-2t`: vendor, the brand's own words, family and model, threads. Hypervisors shorten brands, so family and model stay.
fn slug(vendor: &str, brand: &str, family_model: Option<(u32, u32)>, threads: usize) -> String {
    let vendor = match vendor {
        "AuthenticAMD" => "amd",
        "GenuineIntel" => "intel",
        other => other,
    };
    let brand = brand.split('@').next().unwrap_or_default().to_lowercase().replace("(r)", " ").replace("(tm)", " ");
    let noise = |word: &&str| !["", "cpu", "processor", "with"].contains(word) && *word != vendor && !word.ends_with("-core");
    let tail = family_model.map(|(family, model)| format!("f{family}m{model}"));
    let words = brand.split_whitespace().filter(noise).map(str::to_owned);
    let parts: Vec<String> = std::iter::once(vendor.to_lowercase())
        .chain(words)
        .chain(tail)
        .chain([format!("{threads}t")])
        .filter(|p| !p.is_empty())
        .collect();
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let joined: String = parts.join("-").chars().map(safe).collect();
    joined.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::super::allowed_processors;
    use super::*;

    #[test]
    fn a_spec_gives_its_threads_or_a_reason_with_the_limit() {
        let good = [("cpu", 2), ("cpu:1t", 1), ("cpu:2t", 2), ("cpu:02t", 2)];
        for (spec, expected) in good {
            assert_eq!(parse_threads(spec, 2).ok(), Some(expected), "{spec}");
        }
        let bad = [
            ("cpu:0t", "device `cpu:0t` asks for 0 threads; from 1 to 2 can be used here"),
            ("cpu:3t", "device `cpu:3t` asks for 3 threads; from 1 to 2 can be used here"),
            (
                "cpu:99999999999999999999t",
                "device `cpu:99999999999999999999t` asks for 99999999999999999999 threads; from 1 to 2 can be used here",
            ),
            ("cpu:", "device `cpu:` is not a processor: expected `cpu` or `cpu:Nt` with N from 1 to 2"),
            ("cpu:t", "device `cpu:t` is not a processor: expected `cpu` or `cpu:Nt` with N from 1 to 2"),
            ("cpu:-1t", "device `cpu:-1t` is not a processor: expected `cpu` or `cpu:Nt` with N from 1 to 2"),
            ("cpu:2", "device `cpu:2` is not a processor: expected `cpu` or `cpu:Nt` with N from 1 to 2"),
            ("gpu", "device `gpu` is not a processor: expected `cpu` or `cpu:Nt` with N from 1 to 2"),
            ("", "device `` is not a processor: expected `cpu` or `cpu:Nt` with N from 1 to 2"),
        ];
        for (spec, expected) in bad {
            assert_eq!(parse_threads(spec, 2).map_err(|e| e.to_string()), Err(expected.to_owned()));
        }
    }

    #[test]
    fn slugs_are_short_stable_and_safe_in_a_path() {
        let cases = [
            (("AuthenticAMD", "AMD EPYC", Some((25, 17)), 2), "amd-epyc-f25m17-2t"),
            (("AuthenticAMD", "AMD EPYC 9654 96-Core Processor", Some((25, 17)), 1), "amd-epyc-9654-f25m17-1t"),
            (
                ("GenuineIntel", "Intel(R) Xeon(R) Platinum 8480+ CPU @ 2.00GHz", Some((6, 143)), 8),
                "intel-xeon-platinum-8480-f6m143-8t",
            ),
            (("", "unknown processor", None, 4), "unknown-4t"),
            (("Apple", "Apple M1/Pro", None, 4), "apple-apple-m1-pro-4t"),
        ];
        for ((vendor, brand, family, threads), expected) in cases {
            assert_eq!(slug(vendor, brand, family, threads), expected);
        }
    }

    #[test]
    fn the_description_of_this_machine_is_complete() {
        let info = describe("cpu:1t", 1, Path::new("/sys"));
        assert_eq!((info.kind, info.threads), (DeviceKind::Cpu, 1));
        assert!(info.slug.ends_with("-1t") && !info.name.is_empty() && !info.os.is_empty(), "{info:?}");
        assert!(info.memory_bytes > 1 << 20, "{info:?}");
        assert_eq!(info.isa.last().map(String::as_str), Some("portable"));
        assert!(info.caches.is_sorted_by_key(|cache| cache.level), "{info:?}");
    }

    #[test]
    fn threads_are_limited_by_what_the_process_may_use() {
        assert!(parse_threads("cpu", allowed_processors().len()).is_ok());
    }
}
