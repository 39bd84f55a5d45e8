#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(name) = tilecast_runs::kernel_name::parse(text)
    {
        for part in ["layout", "tile_m", "tile_n", "tile_k", "stages", "align"] {
            let _ = name.agrees(part, text);
        }
    }
});
