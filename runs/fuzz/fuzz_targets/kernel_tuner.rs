#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tilecast_runs_fuzz::import(tilecast_runs::import::Format::KernelTuner, "cache.json", bytes));
