use std::collections::BTreeSet;

use super::*;

#[test]
fn the_catalogue_is_well_formed() {
    let devices = parse(include_str!("../../devices.toml")).expect("it parses");
    assert!(devices.len() >= 25, "{}", devices.len());
    let slugs: BTreeSet<&str> = devices.iter().map(|device| device.slug.as_str()).collect();
    assert_eq!(slugs.len(), devices.len(), "slugs are apart");
    for device in &devices {
        assert_eq!(crate::id::slug(&device.slug, '-'), device.slug);
        assert!(device.facts.memory_bandwidth_bytes_per_s.is_some() || device.facts.sm_count.is_some(), "{}", device.slug);
        assert!(!device.sources.is_empty(), "{}", device.slug);
        for name in &device.names {
            assert_eq!(lookup(name).slug, device.slug, "{name} leads to one device");
        }
    }
}

#[test]
fn stated_and_derived_peaks_agree() {
    // Sources round, and some state a rate at another clock than the boost clock: tensor cores of H100 and H200 at 1830 of 1980 MHz (8 %).
    for device in catalogue() {
        for rate in [Rate::Fp32, Rate::Fp16Tensor] {
            let clock = device.facts.boost_clock_hz;
            let (Some(stated), Some(derived)) = (device.stated(rate), clock.and_then(|clock| device.derived(rate, clock))) else {
                continue;
            };

            let limit = if device.slug.starts_with('h') { 0.08 } else { 0.04 };
            assert!((stated / derived - 1.0).abs() < limit, "{} {rate:?}: stated {stated}, derived {derived}", device.slug);
        }
    }
}

#[test]
fn few_facts_are_from_memory_and_none_of_them_is_a_size_of_memory_or_a_clock() {
    let mut all = 0;
    let mut remembered = Vec::new();
    for device in catalogue() {
        all += device.sources.len();
        let of_memory = device.sources.iter().filter(|(_, source)| source.contains("from memory"));
        remembered.extend(of_memory.map(|(fact, _)| (device.slug.as_str(), fact.as_str())));
    }
    assert!(all > 500 && remembered.len() <= 46, "{} of {all}: {remembered:?}", remembered.len());
    let read = ["sm_count", "boost_clock_hz", "memory_bytes", "compute_capability"];
    assert!(remembered.iter().all(|(_, fact)| !read.contains(fact)), "{remembered:?}");
}

#[test]
fn names_are_found_without_regard_to_case_spacing_and_maker() {
    let check = |name: &str, expected: &str| {
        let found = lookup(name);
        assert_eq!(found.slug, expected, "{name}");
        assert!(found.device.is_some() && found.warning.is_none(), "{name}");
    };
    check("NVIDIA H100 80GB HBM3", "h100-sxm");
    check("NVIDIA GeForce RTX 2080 Ti", "rtx-2080-ti");
    check("RTX_2080_Ti", "rtx-2080-ti");
    check("rtx2080ti", "rtx-2080-ti");
    check("RTX_Titan", "titan-rtx");
    check("NVIDIA TITAN RTX", "titan-rtx");
    check("NVIDIA A100-PCIE-40GB", "a100-pcie-40gb");
    check("NVIDIA RTX A4000", "rtx-a4000");
    check("Tesla V100-PCIE-32GB", "v100-pcie-32gb");
    check("AMD Instinct MI210", "mi210");
    check("a100-sxm4-80gb", "a100-sxm4-80gb");
}

#[test]
fn unknown_and_ambiguous_names_are_not_guessed() {
    let check = |name: &str, slug: &str, warning: &str| {
        let found = lookup(name);
        assert!(found.device.is_none(), "{name}");
        assert_eq!(found.slug, slug);
        assert!(found.warning.as_deref().is_some_and(|text| text.contains(warning)), "{:?}", found.warning);
    };
    check("NVIDIA GeForce RTX 9999 Super", "rtx-9999-super", "is not in the catalogue");
    check("A100", "a100", "may be any of `a100-pcie-40gb`, `a100-sxm4-40gb`, `a100-pcie-80gb`, `a100-sxm4-80gb`");
    check("", "unknown", "no device is named");
    check("../..", "unknown", "is not in the catalogue");
}

#[test]
fn file_names_speak_of_devices() {
    let check = |name: &str, slug: &str, known: bool| {
        let found = lookup_in_file_name(name, "kernel-tuner");
        assert_eq!((found.slug.as_str(), found.device.is_some()), (slug, known), "{name}");
        let said = found.warning.expect("a device from a file's name is always said");
        assert_eq!(said.contains("is taken from the file's name"), known, "{said}");
    };
    check("kt2023__gemm__RTX_2080_Ti.json.gz", "rtx-2080-ti", true);
    check("kt2023__gemm__RTX_Titan.json.gz", "titan-rtx", true);
    check("cur__convolution_milo__A4000.json.gz", "rtx-a4000", true);
    check("gemm-rtx-3090.json", "rtx-3090", true);
    check("cur__convolution_milo__A100.json.gz", "a100", false);
    check("cur__convolution_milo__W6600.json.gz", "w6600", false);
    check("cache.json", "unknown", false);
    check("tesla_t4.json", "t4", true);
    check("H100-80GB-HBM3.json", "h100-sxm", true);
    check("gemm_8192_A4000.json", "rtx-a4000", true);
}

#[test]
fn file_names_that_speak_of_two_devices_or_of_the_format_decide_nothing() {
    for (name, format, slug, word) in [
        ("A100_T4.json", "kernel-tuner", "unknown", "speaks of `t4` and of `a100`: no device is taken"),
        ("A100_T4.json", "t4", "a100", "device `a100` may be any of"),
        ("t4.json", "t4", "unknown", "no device is named"),
        ("best__t4.json", "t4", "unknown", "no device is named"),
        ("best_t4_results.json", "t4", "unknown", "no device is named"),
        ("t4_L4.json", "t4", "l4", "device `l4` is taken from the file's name `t4_L4.json`"),
    ] {
        let found = lookup_in_file_name(name, format);
        let said = found.warning.expect("said");
        assert!(found.slug == slug && said.contains(word), "{name}: {} {said}", found.slug);
        assert_eq!(found.device.is_some(), word.contains("is taken from"), "{name}");
    }
}

#[test]
fn peaks_scale_with_the_clock() {
    let found = lookup("RTX 2080 Ti").device.expect("known");
    assert_eq!(found.peak_flop_per_s(Rate::Fp32), Some(13.45e12));
    assert_eq!(found.peak_flop_per_s_at(Rate::Fp32, 1e9), Some(68.0 * 128.0 * 1e9));
    assert_eq!(found.architecture().as_deref(), Some("sm_75"));
    assert_eq!(found.peak_flop_per_s(Rate::Fp4Tensor), None);
    let balance = found.balance_flop_per_byte(Rate::Fp32).expect("both are known");
    assert!((balance - 13.45e12 / 616e9).abs() < 1e-9);
    assert_eq!(Rate::of_dtype("f32"), Some(Rate::Fp32));
    assert_eq!(Rate::of_dtype("text"), None);
}

#[test]
fn a_wrong_catalogue_is_refused_with_device_and_fact() {
    let check = |facts: &str, expected: &str| {
        let text = format!("[sources]\na = \"A\"\n[[device]]\nslug = \"x\"\nkind = \"cuda\"\nnames = []\n{facts}");
        let error = parse(&text).expect_err("it is wrong");
        assert!(error.contains(expected), "{error}");
    };
    check("[[device.facts]]\nsource = \"b\"\n", "device `x`, source `b`: is not among the sources");
    check("[[device.facts]]\nsource = \"a\"\nsm_cuont = 3\n", "sm_cuont");
    let twice = "[[device.facts]]\nsource = \"a\"\nsm_count = 3\n".repeat(2);
    check(&twice, "`sm_count` is stated twice");
}
