//! Every importer on a small file of its format: what comes out, in our units.
#![allow(clippy::print_stderr)] // says what it skips

use std::path::{Path, PathBuf};

use tilecast_runs::frame;
use tilecast_runs::import::{Format, Imported, Mapping, Options, import, import_bytes};
use tilecast_runs::row::{Cell, Row};
use tilecast_runs::schema::col;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn imported(format: Format, name: &str) -> (Imported, Vec<Row>) {
    let imported = import(format, &fixture(name), &Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let rows = frame::to_rows(&imported.frame).expect("rows");
    (imported, rows)
}

/// Real columns of a row, by name.
fn check_reals(row: &Row, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        let found = row.real(name).unwrap_or_else(|| panic!("{name} is there"));
        assert!((found / value - 1.0).abs() < 1e-9, "{name}: {found}, expected {value}");
    }
}

fn check_texts(row: &Row, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(row.text(name), Some(*value), "{name}");
    }
}

fn extra(row: &Row) -> serde_json::Value {
    row.text(col::extra).map_or(serde_json::Value::Null, |text| serde_json::from_str(text).expect("extra is JSON"))
}

#[test]
fn every_row_names_its_source_file_tool_and_hash() {
    for (format, name) in [
        (Format::T4, "t4.json"),
        (Format::Cutlass, "cutlass.gemm.csv"),
        (Format::Nvbench, "nvbench.json"),
        (Format::Nvbench, "nvbench.csv"),
        (Format::Ktt, "ktt.json"),
        (Format::Clblast, "clblast.json"),
        (Format::Triton, "matmul_kernel.autotune.json"),
        (Format::GoogleBenchmark, "google_benchmark.json"),
        (Format::Hyperfine, "hyperfine.json"),
        (Format::Gpperf, "gpperf.csv"),
        (Format::Gpperf, "tiled_times.csv"),
        (Format::Gpperf, "tiled_powers.csv"),
        (Format::UciSgemm, "sgemm_product.csv"),
    ] {
        let (imported, rows) = imported(format, name);
        let source = format!("import:{}", format.name());
        let bytes = std::fs::read(fixture(name)).expect("readable");
        let hash = tilecast_runs::id::sha256(&bytes);
        assert!(!rows.is_empty(), "{name}");
        for row in &rows {
            check_texts(row, &[(col::source, &source), (col::source_file, name), (col::source_sha256, &hash)]);
            check_texts(row, &[(col::run_id, &imported.run_id)]);
        }
        let again = frame::to_rows(&import(format, &fixture(name), &Options::default()).expect("again").frame).expect("rows");
        assert_eq!(rows, again, "{name}: the same file gives the same rows");
    }
}

#[test]
fn t4_results_keep_failures_and_both_spellings_of_compilation() {
    let (imported, rows) = imported(Format::T4, "t4.json");
    let status: Vec<&str> = rows.iter().filter_map(|row| row.text(col::status)).collect();
    assert_eq!(status, ["ok", "ok", "compile_error", "timeout"]);
    check_reals(&rows[0], &[(col::time_s, 1.26e-3), (col::time_reported_s, 1.2766666666666666e-3), (col::prepare_s, 0.41275)]);
    check_reals(&rows[1], &[(col::time_s, 0.75e-3), (col::prepare_s, 0.38), ("knob.block_size_x", 256.0)]);
    check_texts(&rows[0], &[("knob.layout", "nt"), (col::measured_at, "2024-03-01T10:00:00.250000Z")]);
    assert_eq!(rows[2].text(col::reason), Some("the tuner reports `compile`"));
    assert!(imported.warnings.iter().any(|text| text.contains("kernel and problem are not in the file")));
}

#[test]
fn cutlass_reports_are_read_by_header_with_labels_held_against_the_name() {
    let (_, rows) = imported(Format::Cutlass, "cutlass.gemm.csv");
    let status: Vec<&str> = rows.iter().filter_map(|row| row.text(col::status)).collect();
    assert_eq!(status, ["ok", "ok", "ok", "unsupported", "incorrect"]);
    let first = &rows[0];
    check_reals(first, &[(col::time_s, 0.05e-3), ("problem.m", 1024.0), ("knob.tile_k", 8.0), ("knob.stages", 2.0)]);
    // 2^30 bytes each, and FLOP over time by our own count of 2mnk.
    check_reals(
        first,
        &[(col::reported_bytes_per_s, 68.359375 * 1_073_741_824.0), (col::reported_flop_per_s, 5_368_709_120_000.0)],
    );
    check_reals(first, &[(col::useful_flop, 2.0 * 1024.0 * 512.0 * 256.0)]);
    check_texts(
        first,
        &[("problem.layout", "nt"), (col::dtype, "f32"), (col::family, "gemm_cutlass"), (col::time_statistic, "mean")],
    );
    check_texts(first, &[(col::kernel, "cutlass_simt_sgemm_128x128_8x2_nt_align1"), ("knob.provider", "CUTLASS")]);
    assert_eq!(first.text(col::warnings), None);
    assert_eq!(extra(first)["Tag"], "run7", "a tag of the user is kept");
    assert_eq!(
        rows[1].text(col::warnings),
        Some("label-contradicts-kernel,not-verified-by-source"),
        "its tile is 64 wide by name"
    );
    assert_eq!(extra(&rows[1])["contradicts"], "tile_n");
    check_reals(&rows[2], &[("knob.cluster_m", 2.0), ("knob.tile_k", 64.0)]);
    assert_eq!(rows[2].text(col::warnings), None, "stages 0 in a 3.x name leave the choice to the builder");
    assert_eq!(rows[2].real(col::reported_flop_per_s), None, "empty cells are no rate");
    assert_eq!(rows[3].text(col::reason), Some("cutlass_profiler reports `not_supported`"));
    assert_eq!(rows[4].text(col::reason), Some("cutlass_profiler reports `incorrect`"));
}

/// Reports of one kernel each, with the columns given beside the needed ones.
fn cutlass(kernel: &str, columns: &str, cells: &str) -> Row {
    let text = format!(
        "Operation,Disposition,Status,m,n,k,{columns},Bytes,Runtime,GFLOPs\n{kernel},passed,success,512,512,512,{cells},1,0.5,2147.483648\n"
    );
    let imported = import_bytes(Format::Cutlass, Path::new("x.gemm.csv"), text.as_bytes(), &Options::default());
    frame::to_rows(&imported.unwrap_or_else(|error| panic!("{error}")).frame).expect("rows").remove(0)
}

#[test]
fn what_a_cutlass_report_has_no_column_for_the_kernels_name_says() {
    let name = "cutlass3x_sm90_tensorop_gemm_f16_f16_f32_f16_f16_128x256x64_2x1x1_0_tnn_align8";
    let bare = cutlass(name, "A,B", "f16,f16");
    check_reals(&bare, &[("knob.tile_m", 128.0), ("knob.tile_n", 256.0), ("knob.tile_k", 64.0), ("knob.align", 8.0)]);
    check_reals(&bare, &[("knob.cluster_m", 2.0), ("knob.cluster_n", 1.0)]);
    check_texts(&bare, &[("problem.layout", "tn")]);
    assert_eq!(bare.real("knob.stages"), None, "the builder chose them");
    // Some versions say 1 for every cluster: the name tells the experiment, and the false column is a label.
    let columns = "A,B,cta_m,cta_n,cta_k,cluster_m,cluster_n,cluster_k";
    let right = cutlass(name, columns, "f16:row,f16:column,128,256,64,2,1,1");
    let wrong = cutlass(name, columns, "f16:column,f16:column,128,256,64,1,1,1");
    assert_eq!(right.text(col::warnings), None);
    assert_eq!((wrong.text(col::warnings), wrong.real("knob.cluster_m")), (Some("label-contradicts-kernel"), Some(1.0)));
    assert_eq!(
        (extra(&wrong)["contradicts"].as_str(), extra(&wrong)["A"].as_str()),
        (Some("cluster_m,layout"), Some("f16:column"))
    );
    check_texts(&wrong, &[("problem.layout", "tn")]);
    assert_eq!(wrong.text(col::experiment_id), right.text(col::experiment_id), "labels are no part of what ran");
    assert_ne!(wrong.text(col::config_id), right.text(col::config_id));
    let findings = tilecast_runs::audit::audit(&frame::from_rows(&[wrong]).expect("rows fit")).expect("audited");
    assert!(findings.iter().any(|finding| finding.subject.as_deref() == Some("knob.cluster_m")), "{findings:#?}");
}

#[test]
fn element_types_of_cutlass_are_ours_and_complex_work_counts_four_times() {
    let findings = |row: &Row| -> Vec<&'static str> {
        let found =
            tilecast_runs::audit::audit(&frame::from_rows(std::slice::from_ref(row)).expect("rows fit")).expect("audited");
        found.iter().map(|finding| finding.id).collect()
    };
    let complex = cutlass("cutlass_simt_cgemm_64x64_8x2_nn_align1", "A,B", "cf32:column,cf32:column");
    check_texts(&complex, &[(col::dtype, "c32")]);
    check_reals(&complex, &[(col::useful_flop, 8.0 * 512f64.powi(3)), (col::compulsory_bytes, 3.0 * 8.0 * 512.0 * 512.0)]);
    assert_eq!(findings(&complex), [""; 0], "neither its type nor its rate is doubted");
    let whole = cutlass("cutlass_tensorop_i16832gemm_s8_64x64_64x3_tn_align16", "A,B", "s8:row,s8:column");
    check_texts(&whole, &[(col::dtype, "int8")]);
    check_reals(&whole, &[(col::compulsory_bytes, 3.0 * 512.0 * 512.0)]);
}

#[test]
fn nvbench_samples_come_from_sidecars() {
    let (imported, rows) = imported(Format::Nvbench, "nvbench.json");
    assert_eq!(rows.len(), 5);
    let first = &rows[0];
    let Some(Cell::Reals(samples)) = first.0.get(col::time_samples_s) else { panic!("samples are read") };
    assert_eq!(samples.iter().map(|sample| *sample as f32).collect::<Vec<_>>(), [3.1e-4, 1.2e-4, 1.25e-4, 1.3e-4]);
    check_reals(first, &[(col::time_reported_s, 1.25e-4), (col::clock_hz, 1.41e9), (col::reported_bytes_per_s, 6.2e11)]);
    check_reals(first, &[("problem.m", 1024.0), ("knob.Stages", 2.0)]);
    check_texts(
        first,
        &[(col::family, "gemm"), (col::dtype, "f32"), (col::device, "a100-sxm4-80gb"), (col::time_basis, "event")],
    );
    assert_eq!(first.text(col::warnings), Some("not-verified-by-source,cold-first-sample"));
    assert_eq!(rows[2].text(col::device), Some("l4"));
    check_reals(&rows[2], &[(col::time_s, 2.0e-4), (col::samples, 50.0)]);
    check_texts(&rows[3], &[(col::status, "not_run"), (col::reason, "nvbench skipped it: Deadlock detected")]);
    check_texts(&rows[4], &[(col::family, "copy"), (col::status, "ok")]);
    assert!(!imported.warnings.iter().any(|text| text.contains("beside the file")), "{:?}", imported.warnings);
    let folder = tempfile::tempdir().expect("a folder");
    let alone = folder.path().join("nvbench.json");
    std::fs::copy(fixture("nvbench.json"), &alone).expect("copied");
    let alone = import(Format::Nvbench, &alone, &Options::default()).expect("sidecars may be lost");
    assert!(alone.warnings.iter().any(|text| text.contains("are not beside the file")), "{:?}", alone.warnings);
}

#[test]
fn a_sidecar_outside_the_folder_is_not_read() {
    let text = std::fs::read_to_string(fixture("nvbench.json")).expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("in")).expect("a folder");
    std::fs::write(folder.path().join("secret.bin"), [0u8; 16]).expect("written");
    let path = folder.path().join("in/nvbench.json");
    std::fs::write(&path, text.replace("nvbench.json-bin/0.bin", "../secret.bin")).expect("written");
    let imported = import(Format::Nvbench, &path, &Options::default()).expect("it is a file of the format");
    assert!(
        imported.warnings.iter().any(|text| text.contains("`../secret.bin` are not beside the file")),
        "{:?}",
        imported.warnings
    );
}

#[test]
fn nvbench_tables_tell_their_repeated_columns_apart() {
    let (_, rows) = imported(Format::Nvbench, "nvbench.csv");
    check_reals(
        &rows[0],
        &[(col::time_s, 0.000125), (col::samples, 400.0), (col::reported_bytes_per_s, 2.1e11), ("problem.m", 1024.0)],
    );
    let extra = extra(&rows[0]);
    assert_eq!(extra["Noise of CPU Time (sec)"], 0.02);
    assert_eq!(extra["Noise of GPU Time (sec)"], 0.01);
    assert_eq!(extra["Samples of Batch GPU (sec)"], 900);
    assert_eq!(rows[2].text(col::status), Some("not_run"));
    assert!(rows[0].0.keys().all(|name| !name.contains("pow2")), "a power of two is the same axis twice");
}

#[test]
fn nvbench_times_of_isolated_launches_are_cold_and_those_of_batches_hot() {
    let (_, rows) = imported(Format::Nvbench, "nvbench.json");
    assert!(rows.iter().all(|row| row.text(col::cache_mode).is_some() == (row.text(col::status) == Some("ok"))));
    check_texts(&rows[0], &[(col::cache_mode, "cold")]);
    let text = std::fs::read_to_string(fixture("nvbench.json")).expect("readable");
    let batches = text.replace("nv/cold/time/gpu/mean", "nv/batch/time/gpu/mean").replace("nv/json/bin:", "other:");
    let one = |text: &str, name: &str, row: usize| {
        let imported = import_bytes(Format::Nvbench, Path::new(name), text.as_bytes(), &Options::default()).expect("results");
        frame::to_rows(&imported.frame).expect("rows").swap_remove(row)
    };
    let (cold, hot) = (one(&text, "nvbench.json", 2), one(&batches, "nvbench.json", 2));
    assert_eq!((hot.text(col::cache_mode), hot.real(col::time_s)), (Some("hot"), cold.real(col::time_s)));
    assert_eq!((hot.real(col::samples), hot.real(col::time_min_s)), (None, None), "those are of cold launches");
    assert_ne!(hot.text(col::experiment_id), cold.text(col::experiment_id), "the cache mode is part of what ran");
    let (_, rows) = imported(Format::Nvbench, "nvbench.csv");
    check_texts(&rows[0], &[(col::cache_mode, "cold")]);
    let table = "Benchmark,Device,Device Name,M,Skipped,Samples,Batch GPU (sec)\ngemm,0,NVIDIA L4,512,No,900,0.0001\n";
    let row = one(table, "x.csv", 0);
    assert_eq!((row.text(col::cache_mode), row.real(col::iterations), row.real(col::samples)), (Some("hot"), Some(900.0), None));
}

#[test]
fn the_cache_mode_of_a_table_is_part_of_what_ran() {
    let mapping = "name = \"mine\"\nfamily = \"gemm\"\n[columns]\ncache_mode = \"c\"\ntime_s = { from = \"t\", unit = \"s\" }\n";
    let options = Options { mapping: Some(Mapping::parse("mine.toml", mapping).expect("a mapping")), ..Options::default() };
    let table = import_bytes(Format::Table, Path::new("t.csv"), b"c,t\nhot,1\ncold,2\ncold,3\n", &options).expect("a table");
    let ids = frame::texts(&table.frame, col::experiment_id).expect("ids");
    assert!(ids[0] != ids[1] && ids[1] == ids[2], "{ids:?}");
}

#[test]
fn ktt_results_are_read_in_the_unit_of_the_file() {
    let (_, rows) = imported(Format::Ktt, "ktt.json");
    check_reals(&rows[0], &[(col::time_s, 450.5e-6), (col::energy_j, 0.0946), (col::power_w, 210.0), (col::prepare_s, 0.12)]);
    check_reals(&rows[0], &[("knob.MWG", 64.0), ("knob.SA", 1.0)]);
    check_texts(&rows[0], &[(col::device, "rtx-2080-ti"), (col::energy_source, "import"), (col::kernel, "gemm")]);
    assert_eq!(extra(&rows[0])["ComputationResults"][0]["CompilationData"]["RegistersCount"], 128);
    check_texts(&rows[1], &[(col::status, "incorrect"), (col::reason, "ktt reports `ValidationFailed`")]);
    check_texts(&rows[2], &[(col::status, "unsupported")]);
    let file = &extra(&rows[0])["file"];
    assert_eq!((file["Metadata"]["Platform"].as_str(), file["UserData"].is_object()), (Some("NVIDIA CUDA"), true));
    assert!(extra(&rows[1]).get("file").is_none(), "once is enough");
    rows.iter().for_each(|row| check_texts(row, &[(col::measured_at, "2022-02-02T12:00:00Z")]));
}

#[test]
fn clblast_results_are_least_times_of_a_known_problem() {
    let (_, rows) = imported(Format::Clblast, "clblast.json");
    check_reals(&rows[0], &[(col::time_s, 0.52e-3), (col::useful_flop, 2.0 * 1024f64.powi(3)), ("knob.MWG", 64.0)]);
    check_texts(
        &rows[0],
        &[(col::time_statistic, "min"), (col::time_basis, "host"), (col::dtype, "f32"), (col::device, "titan-rtx")],
    );
    check_reals(&rows[1], &[(col::time_s, 0.75e-3), ("problem.alpha", 2.0)]);
    let file = &extra(&rows[0])["file"];
    assert_eq!((file["best_parameters"].as_str(), file["device_core_clock"].as_str()), (Some("KWG=32 MWG=64"), Some("1770")));
    assert!(file.get("results").is_none() && extra(&rows[1]).get("file").is_none());
}

#[test]
fn triton_times_are_medians_and_infinite_ones_failures() {
    let (imported, rows) = imported(Format::Triton, "matmul_kernel.autotune.json");
    check_reals(&rows[0], &[(col::time_s, 0.2048e-3), ("problem.m", 4096.0), ("knob.BLOCK_N", 256.0), ("knob.num_stages", 3.0)]);
    check_texts(&rows[0], &[(col::family, "matmul_kernel"), (col::dtype, "f16"), (col::time_statistic, "median")]);
    assert_eq!(extra(&rows[0])["p80_ms"], 0.2061);
    check_texts(&rows[1], &[(col::status, "runtime_error")]);
    assert!(imported.warnings.iter().any(|text| text.contains("taken for `m`, `n` and `k`")));
}

#[test]
fn without_an_element_type_there_is_no_roof_of_arithmetic() {
    // 4096 cubed in 0.6 ms on an A100: 230 TFLOP/s, twelve times its FP32 rate and three quarters of that of its tensor units.
    let text = r#"{"key": [4096, 4096, 4096], "configs_timings": [[{"kwargs": {"BLOCK_M": 128}}, [0.6, 0.59, 0.61]]]}"#;
    let options = Options { device: Some("A100-SXM4-80GB".to_owned()), ..Options::default() };
    let triton = |text: &str| {
        let imported =
            import_bytes(Format::Triton, Path::new("matmul.autotune.json"), text.as_bytes(), &options).expect("results");
        let findings = tilecast_runs::audit::audit(&imported.frame).expect("audited");
        let faster = findings.iter().any(|finding| finding.id == "faster-than-roofline");
        (frame::to_rows(&imported.frame).expect("rows").remove(0).real("roof.flop_per_s"), faster)
    };
    assert_eq!(triton(text), (None, false));
    let single = text.replace("4096]", "4096, \"torch.float32\"]");
    assert_eq!(triton(&single), (Some(19.5e12), true), "not even TF32 is so fast");
    let mapping =
        "name = \"mine\"\nfamily = \"gemm\"\n[columns]\n\"problem.m\" = \"m\"\ntime_s = { from = \"t\", unit = \"s\" }\n";
    let options = Options { mapping: Some(Mapping::parse("mine.toml", mapping).expect("a mapping")), ..options.clone() };
    let table = import_bytes(Format::Table, Path::new("t.csv"), b"m,t\n4,1\n", &options).expect("a table");
    let row = frame::to_rows(&table.frame).expect("rows").remove(0);
    assert_eq!((row.real("roof.flop_per_s"), row.real("roof.dram_bytes_per_s").is_some()), (None, true));
}

#[test]
fn repetitions_of_google_benchmark_are_samples() {
    let (_, rows) = imported(Format::GoogleBenchmark, "google_benchmark.json");
    assert_eq!(rows.len(), 3);
    check_reals(&rows[0], &[(col::time_s, 910e-6), (col::samples, 3.0), (col::iterations, 100.0), ("problem.k", 256.0)]);
    check_texts(&rows[0], &[(col::device_kind, "cpu"), (col::host, "bench-1"), (col::time_basis, "host")]);
    check_reals(&rows[1], &[(col::time_s, 12e-9), ("knob.threads", 4.0), ("problem.arg_0", 4096.0)]);
    check_texts(&rows[1], &[(col::time_statistic, "mean")]);
    assert_eq!(rows[1].real(col::iterations), None, "of an aggregate it counts repetitions");
    check_texts(&rows[2], &[(col::status, "runtime_error"), (col::reason, "the benchmark reports `no device`")]);
}

#[test]
fn hyperfine_runs_are_samples_and_a_bad_exit_is_a_failure() {
    let (_, rows) = imported(Format::Hyperfine, "hyperfine.json");
    check_reals(
        &rows[0],
        &[(col::time_s, 0.204), (col::time_reported_s, 0.205), ("knob.size", 512.0), (col::workspace_bytes, 4_100_096.0)],
    );
    check_texts(&rows[0], &[(col::kernel, "gemm 512")]);
    check_texts(&rows[1], &[(col::status, "runtime_error"), (col::reason, "the command ended with code `1`")]);
}

#[test]
fn gpperf_labels_survive_beside_what_the_kernel_says() {
    let (_, rows) = imported(Format::Gpperf, "gpperf.csv");
    check_texts(&rows[1], &[("knob.layout", "nt"), ("problem.layout", "nn"), (col::device, "rtx-4070")]);
    assert_eq!(rows[0].text(col::warnings), Some("energy-derived"));
    assert_eq!(rows[1].text(col::warnings), Some("label-contradicts-kernel,power-at-idle,energy-derived"));
    assert_eq!(extra(&rows[1])["contradicts"], "layout,block1");
    assert_eq!(rows[2].text(col::warnings), Some("label-contradicts-kernel"));
    assert_eq!(rows[0].text(col::experiment_id), rows[1].text(col::experiment_id), "labels are no part of what ran");
    assert_ne!(rows[0].text(col::config_id), rows[1].text(col::config_id));
    check_reals(&rows[0], &[(col::time_s, 0.04e-3), (col::power_w, 70.0), (col::energy_j, 0.003), (col::utilisation, 1.0)]);
    check_reals(&rows[0], &[(col::clock_hz, 2.76e9), (col::power_limit_w, 200.0), (col::reported_flop_per_s, 6.7109e12)]);
    check_texts(&rows[0], &[(col::measured_at, "2024-11-07T17:20:00Z")]);
    assert_eq!(rows[2].real(col::power_w), None);
    check_texts(&rows[2], &[(col::energy_source, "unavailable"), (col::energy_reason, "the source has no power for this row")]);
    assert_eq!(extra(&rows[2])["mem_clock_mhz"], 10251);
    let (_, times) = imported_tiled("tiled_times.csv");
    check_reals(&times[1], &[(col::time_s, 5.5e-3), ("knob.tile", 16.0)]);
    let (_, powers) = imported_tiled("tiled_powers.csv");
    check_reals(&powers[0], &[(col::power_w, 32.0)]);
    check_texts(&powers[0], &[(col::status, "ok"), (col::energy_reason, "the source file has power only")]);
}

fn imported_tiled(name: &str) -> (Imported, Vec<Row>) {
    imported(Format::Gpperf, name)
}

#[test]
fn uci_runs_are_samples_of_a_known_problem() {
    let (_, rows) = imported(Format::UciSgemm, "sgemm_product.csv");
    check_reals(&rows[0], &[(col::time_s, (115.5 + 115.75) / 2.0 * 1e-3), (col::samples, 4.0), ("knob.KWI", 2.0)]);
    check_reals(&rows[0], &[(col::useful_flop, 2.0 * 2048f64.powi(3)), ("problem.k", 2048.0)]);
    check_texts(&rows[0], &[(col::device, "gtx-680"), (col::family, "xgemm"), (col::time_statistic, "median")]);
    assert_eq!(rows[1].text(col::warnings), Some("cold-first-sample"));
    assert_eq!(
        rows[0].text(col::config),
        Some("MWG=16 NWG=16 KWG=16 MDIMC=8 NDIMC=8 MDIMA=8 NDIMB=8 KWI=2 VWM=1 VWN=1 STRM=0 STRN=0 SA=0 SB=0")
    );
}

#[test]
fn a_mapping_of_ones_own_reads_any_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("runs.csv");
    let lines = "card;rows;t [us];watts;state;note\nRTX 3090;64;12,5;x;done;\nRTX 3090;64;12.5;300;done;\"a;b\"\nRTX 3090;-4;1;300;done;\nRTX 3090;8;;;broken;\n";
    std::fs::write(&path, lines).expect("written");
    let text = r#"
name = "mine"
family = "gemm"
delimiter = ";"
[constants]
dtype = "f16"
"problem.n" = 32
"problem.k" = 16
[columns]
device_name = "card"
"problem.m" = "rows"
time_s = { from = "t [us]", unit = "us" }
power_w = { from = "watts", unit = "W" }
status = { from = "state", values = { done = "ok", broken = "runtime_error" } }
absent_s = "no"
"#;
    let error = Mapping::parse("mine.toml", text).expect_err("a column we do not have");
    assert!(error.to_string().contains("`absent_s` is not in the schema"), "{error}");
    let mapping = Mapping::parse("mine.toml", &text.replace("absent_s = \"no\"", "")).expect("a mapping");
    let options = Options { mapping: Some(mapping), ..Options::default() };
    let imported = import(Format::Table, &path, &options).expect("a table");
    let rows = frame::to_rows(&imported.frame).expect("rows");
    let status: Vec<&str> = rows.iter().filter_map(|row| row.text(col::status)).collect();
    assert_eq!(status, ["runtime_error", "ok", "runtime_error", "runtime_error"]);
    assert_eq!(rows[0].text(col::reason), Some("time is no finite number"), "a decimal comma is not guessed");
    assert_eq!(rows[2].text(col::reason), Some("size m = `-4`, expected 0 to 2^40"));
    assert_eq!(rows[3].text(col::reason), Some("the source reports `runtime_error`"));
    check_reals(&rows[1], &[(col::time_s, 12.5e-6), (col::power_w, 300.0), (col::useful_flop, 2.0 * 64.0 * 32.0 * 16.0)]);
    check_texts(&rows[1], &[(col::source, "import:mine"), (col::problem, "gemm m=64 n=32 k=16 f16"), (col::config, "default")]);
    assert_eq!(extra(&rows[1])["note"], "a;b");
    assert!(imported.warnings.iter().any(|text| text.contains("column `power_w`: 1 cells are no number (the first is `x`)")));
}
