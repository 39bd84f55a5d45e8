//! Data caches: from sysfs, or from CPUID where sysfs is silent.

use std::path::Path;

use crate::Cache;

/// Data and unified caches of the first processor, innermost first.
#[must_use]
pub(super) fn caches(sysfs: &Path) -> Vec<Cache> {
    let mut found = from_sysfs(sysfs);
    if found.is_empty() {
        found = from_cpuid();
    }
    found.sort_by_key(|cache| cache.level);
    found.dedup_by_key(|cache| cache.level);
    found
}

fn from_sysfs(sysfs: &Path) -> Vec<Cache> {
    let Ok(entries) = std::fs::read_dir(sysfs.join("devices/system/cpu/cpu0/cache")) else { return Vec::new() };
    entries
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("index"))
        .filter_map(|e| read_index(&e.path()))
        .collect()
}

fn read_index(folder: &Path) -> Option<Cache> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned());
    if read("type")? == "Instruction" {
        return None;
    }
    let shared_by = read("shared_cpu_list").and_then(|list| count_list(&list)).unwrap_or(1);
    Some(Cache { level: read("level")?.parse().ok()?, bytes: parse_size(&read("size")?)?, shared_by })
}

/// `32K`, `1024K`, `32M` → bytes; `None` for zero, which some hypervisors report.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let scale = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(scale).filter(|&bytes| bytes > 0)
}

/// Processors in a list such as `0-3,8`.
fn count_list(text: &str) -> Option<u64> {
    text.split(',')
        .map(|part| match part.split_once('-') {
            Some((first, last)) => last.parse::<u64>().ok()?.checked_sub(first.parse().ok()?).map(|n| n + 1),
            None => part.parse::<u64>().ok().map(|_| 1),
        })
        .sum()
}

/// Deterministic cache parameters: leaf 0x8000001D on AMD, leaf 4 elsewhere (Intel SDM volume 2A, AMD APM volume 3; same layout).
#[cfg(target_arch = "x86_64")]
fn from_cpuid() -> Vec<Cache> {
    use super::cpuid::{cpuid, vendor};
    let leaf = if vendor() == "AuthenticAMD" { 0x8000_001d } else { 4 };
    if cpuid(leaf & 0x8000_0000, 0).eax < leaf {
        return Vec::new();
    }
    (0..16)
        .map(|index| cpuid(leaf, index))
        .take_while(|r| r.eax & 0x1f != 0)
        .filter_map(|r| decode(r.eax, r.ebx, r.ecx))
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn from_cpuid() -> Vec<Cache> {
    Vec::new()
}

/// One entry of the leaf: type in EAX 4:0 (2 is instruction), level in 7:5, sharers − 1 in 25:14; ways, partitions, line and sets − 1.
#[cfg(any(target_arch = "x86_64", test))]
fn decode(eax: u32, ebx: u32, ecx: u32) -> Option<Cache> {
    if eax & 0x1f == 2 {
        return None;
    }
    let (ways, partitions, line) = ((ebx >> 22) + 1, ((ebx >> 12) & 0x3ff) + 1, (ebx & 0xfff) + 1);
    let bytes = u64::from(ways) * u64::from(partitions) * u64::from(line) * (u64::from(ecx) + 1);
    let level = u8::try_from((eax >> 5) & 7).ok()?;
    Some(Cache { level, bytes, shared_by: u64::from((eax >> 14) & 0xfff) + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        let cases = [
            ("32K", Some(32 << 10)),
            ("1024K", Some(1 << 20)),
            ("32M", Some(32 << 20)),
            ("512", Some(512)),
            ("0K", None),
            ("", None),
        ];
        for (text, expected) in cases.into_iter().chain([("K", None), ("12Q", None), ("99999999999999999999K", None)]) {
            assert_eq!(parse_size(text), expected, "{text}");
        }
    }

    #[test]
    fn processor_lists_are_counted() {
        for (text, expected) in [("0", Some(1)), ("0-1", Some(2)), ("0-3,8", Some(5)), ("3-1", None), ("", None), ("a-b", None)] {
            assert_eq!(count_list(text), expected, "{text}");
        }
    }

    #[test]
    fn cpuid_entries_are_decoded() {
        // 32 KiB, 8 ways, 64 B lines, 64 sets, one thread; its instruction twin; 32 MiB, 16 ways, 32768 sets, two threads.
        let ebx = |ways: u32| (ways - 1) << 22 | 63;
        assert_eq!(decode(1 | 1 << 5, ebx(8), 63), Some(Cache { level: 1, bytes: 32 << 10, shared_by: 1 }));
        assert_eq!(decode(2 | 1 << 5, ebx(8), 63), None);
        assert_eq!(decode(3 | 3 << 5 | 1 << 14, ebx(16), 32767), Some(Cache { level: 3, bytes: 32 << 20, shared_by: 2 }));
    }

    fn fake(indices: &[(&str, &str, &str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        for (i, (level, kind, size, shared)) in indices.iter().enumerate() {
            let folder = root.path().join(format!("devices/system/cpu/cpu0/cache/index{i}"));
            std::fs::create_dir_all(&folder).expect("a folder");
            for (name, text) in [("level", level), ("type", kind), ("size", size), ("shared_cpu_list", shared)] {
                std::fs::write(folder.join(name), format!("{text}\n")).expect("a file");
            }
        }
        root
    }

    #[test]
    fn data_and_unified_caches_are_listed_innermost_first() {
        let root = fake(&[
            ("3", "Unified", "32768K", "0-1"),
            ("1", "Data", "48K", "0"),
            ("1", "Instruction", "32K", "0"),
            ("2", "Unified", "1M", "0"),
        ]);
        let expected = [(1, 48 << 10, 1), (2, 1 << 20, 1), (3, 32 << 20, 2)];
        assert_eq!(caches(root.path()), expected.map(|(level, bytes, shared_by)| Cache { level, bytes, shared_by }));
    }

    #[test]
    fn where_sysfs_is_silent_the_processor_is_asked() {
        let root = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(caches(root.path()), {
            let mut asked = from_cpuid();
            asked.sort_by_key(|cache| cache.level);
            asked
        });
    }
}
