#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tilecast_runs_fuzz::import_table("neusight", "t.csv", bytes));
