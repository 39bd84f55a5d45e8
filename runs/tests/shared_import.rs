//! Published data sets import whole, with the counts their description states. Skipped, visibly, where they are absent.
#![allow(clippy::print_stderr)] // says what it skips

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tilecast_runs::import::{Format, Mapping, Options, Report, import_into};
use tilecast_runs::schema::col;

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: `{name}` of the published data sets is absent");
    None
}

/// Imports in batches, counting distinct values of text columns on the way.
fn counted(format: Format, mapping: Option<&str>, path: &Path, columns: &[&str]) -> (Report, Vec<BTreeMap<String, usize>>) {
    let mapping = mapping.map(|name| Mapping::ready(name).expect("a ready mapping"));
    let options = Options { mapping, ..Options::default() };
    let mut counts = vec![BTreeMap::new(); columns.len()];
    let report = import_into(format, path, &options, &mut |frame, _| {
        for (counts, name) in counts.iter_mut().zip(columns) {
            for value in tilecast_runs::frame::texts(frame, name)?.into_iter().flatten() {
                *counts.entry(value).or_default() += 1;
            }
        }
        Ok(())
    });
    (report.unwrap_or_else(|error| panic!("{error}")), counts)
}

#[test]
fn tables_have_the_rows_that_their_description_states() {
    for (format, mapping, name, rows) in [
        (Format::Gpperf, None, "gpperf/gpperf_cutlass_rtx4070_16128.csv", 16_128),
        (Format::Gpperf, None, "gpperf/tiled_execution_times_all.csv", 141),
        (Format::Gpperf, None, "gpperf/tiled_power_usage_results_all.csv", 195),
        (Format::Table, Some("hkbu-dvfs"), "hkbu_dvfs/gtx1080ti-dvfs-real-Performance-Power.csv", 600),
        (Format::Table, Some("hkbu-dvfs"), "hkbu_dvfs/gtx2070s-dvfs-real-Performance-Power.csv", 400),
        (Format::Table, Some("input-dependent-power"), "input_dependent_power/power_summary.csv", 9_423),
        (Format::Table, Some("vidur"), "vidur/matmul__a100_a40.parquet", 43_830),
        (Format::Table, Some("aiconfigurator"), "aiconfigurator/a100_sxm__trtllm__1.0.0.parquet", 27_384),
        (Format::Table, Some("aiconfigurator"), "aiconfigurator/gemm_power__h200__vllm_0.22.0.parquet", 65_268),
    ] {
        let Some(path) = data(name) else { continue };
        let (report, _) = counted(format, mapping, &path, &[]);
        assert_eq!((report.rows, report.by_status.get("ok").copied()), (rows, Some(rows)), "{name}: {:?}", report.warnings);
    }
}

#[test]
fn the_gpperf_log_is_576_experiments_under_16128_labels() {
    let Some(path) = data("gpperf/gpperf_cutlass_rtx4070_16128.csv") else { return };
    let columns = [col::experiment_id, col::warnings, col::energy_source];
    let (_, counts) = counted(Format::Gpperf, None, &path, &columns);
    assert_eq!(counts[0].len(), 576);
    assert!(counts[0].values().all(|count| *count == 28), "28 repeats each");
    assert_eq!(counts[2].get("unavailable"), Some(&13_533));
    let with = |word: &str| {
        counts[1].iter().filter(|(warnings, _)| warnings.split(',').any(|w| w == word)).map(|(_, n)| n).sum::<usize>()
    };
    // 44.7 % of the 2,595 rows with power.
    assert_eq!(with("power-at-idle"), 1_159, "{:?}", counts[1]);
    assert_eq!(with("energy-derived"), 2_595);
    assert!(with("label-contradicts-kernel") > 12_096, "layouts alone contradict in 75 % of rows");
}

#[test]
fn launches_of_neusight_agree_with_the_catalogue() {
    let Some(path) = data("neusight/matmul__p4_p100_v100_t4_a100-40.parquet") else { return };
    let (report, counts) = counted(Format::Table, Some("neusight"), &path, &[col::device]);
    assert_eq!(report.rows, 131_386);
    assert_eq!(
        counts[0].keys().map(String::as_str).collect::<Vec<_>>(),
        ["a100-pcie-40gb", "p100-pcie-16gb", "p4", "t4", "v100-pcie-32gb"]
    );
    assert!(!report.warnings.iter().any(|text| text.contains("launches imply")), "{:?}", report.warnings);
}

#[test]
fn the_uci_archive_is_read_as_it_comes() {
    let Some(path) = data("uci_sgemm/sgemm_product_dataset.zip") else { return };
    let (report, counts) = counted(Format::UciSgemm, None, &path, &[col::device]);
    assert_eq!((report.rows, counts[0].get("gtx-680")), (241_600, Some(&241_600)));
}
