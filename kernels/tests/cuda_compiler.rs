//! The run-time compiler and its cache, on small kernels whose facts are known.

#![allow(clippy::disallowed_methods)] // a test that needs a library learns its path from the environment
#![allow(clippy::print_stdout)] // a skip must be seen

mod nvrtc;

use std::sync::Arc;
use std::time::Instant;

use tilecast_kernels::DeviceError;
use tilecast_kernels::devices::cuda::compile::{Ahead, Code, Compiler, Job};
use tilecast_kernels::devices::cuda::{Architecture, Include, Unit};

const SWAP: &str = r#"
extern "C" __global__ void swap_pairs(float *out, const float *in, int n) {
    __shared__ float s[WIDTH];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    s[threadIdx.x] = i < n ? in[i] : 0.0f;
    __syncthreads();
    if (i < n) out[i] = s[threadIdx.x ^ 1];
}
"#;

fn unit(text: &'static str, width: &str) -> Unit {
    Unit {
        texts: vec![text],
        defines: vec![("WIDTH", width.to_owned())],
        include: Include::None,
        kernels: vec!["swap_pairs"],
        arch_specific: false,
    }
}

const AMPERE: Architecture = Architecture::new(8, 0);

/// A compiler with a cache of its own; `None` where there is none to test.
fn compiler() -> Option<(tempfile::TempDir, Compiler)> {
    let library = nvrtc::library()?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let compiler = nvrtc::open(library, folder.path(), None);
    Some((folder, compiler))
}

#[test]
fn code_comes_with_its_registers_and_shared_memory_for_every_architecture() {
    let Some((_folder, compiler)) = compiler() else { return };
    assert!(compiler.name().starts_with("nvrtc "), "{}", compiler.name());
    for number in [(7, 5), (8, 0), (9, 0), (12, 0)] {
        let arch = Architecture::new(number.0, number.1);
        let code = compiler.compile(&unit(SWAP, "2048"), arch).expect("compiles");
        let kernel = code.kernel("swap_pairs").expect("its facts");
        assert!((4..64).contains(&kernel.registers), "{arch}: {kernel:?}");
        assert_eq!((kernel.shared_static_bytes, kernel.spill_store_bytes, kernel.barriers), (8192, 0, 1), "{arch}");
        assert!(code.cubin.starts_with(b"\x7fELF") && code.ptx.contains(".entry swap_pairs"), "{arch}");
        assert_eq!((code.arch, code.cached), (arch.name(), false));
    }
}

#[test]
fn code_that_is_wrong_is_refused_in_the_compilers_words_now_and_from_the_cache() {
    let Some((_folder, compiler)) = compiler() else { return };
    for (text, width, words) in [
        ("extern \"C\" __global__ void swap_pairs(float *o) { *o = missing; }", "1", "identifier \"missing\" is undefined"),
        (SWAP, "20000", "80000 bytes smem; 49152 is the most"),
    ] {
        for _ in 0..2 {
            match compiler.compile(&unit(text, width), AMPERE) {
                Err(DeviceError::Compile { kernel, arch, log }) => {
                    assert!(log.contains(words), "{log}");
                    assert_eq!((kernel.as_str(), arch.as_str()), ("swap_pairs", "sm_80"));
                }
                other => panic!("{words}: {other:?}"),
            }
        }
    }
    let unknown = compiler.compile(&unit(SWAP, "64"), Architecture::new(7, 0)).map_err(|error| error.to_string());
    assert!(unknown.clone().is_err_and(|e| e.contains("does not compile for sm_70; it does for sm_75")), "{unknown:?}");
}

fn compiled(compiler: &Compiler, width: &str) -> Code {
    compiler.compile(&unit(SWAP, width), AMPERE).expect("compiles")
}

#[test]
fn the_cache_answers_again_tells_code_apart_and_mends_what_is_damaged() {
    let Some((folder, compiler)) = compiler() else { return };
    let first = compiled(&compiler, "512");
    let again = compiled(&compiler, "512");
    assert_eq!(again, Code { cached: true, ..first.clone() });
    let other = compiled(&compiler, "1024");
    assert!(!other.cached && other.id != first.id, "a definition is part of the key");
    let elsewhere = compiler.compile(&unit(SWAP, "512"), Architecture::new(8, 6)).expect("compiles");
    assert!(!elsewhere.cached && elsewhere.id != first.id, "the architecture is part of the key");
    let file = folder.path().join(&first.id[..2]).join(format!("{}.cubin", first.id));
    std::fs::write(&file, b"damaged").expect("writable");
    let mended = compiled(&compiler, "512");
    assert_eq!((mended.cached, &mended.cubin), (false, &first.cubin));
    assert!(compiled(&compiler, "512").cached);
}

#[test]
fn a_thousand_lookups_take_less_time_than_a_few_compilations() {
    let Some((_folder, compiler)) = compiler() else { return };
    let start = Instant::now();
    for width in ["64", "128", "256", "512"] {
        assert!(!compiled(&compiler, width).cached);
    }
    let compiling = start.elapsed();
    let start = Instant::now();
    for _ in 0..1000 {
        assert!(compiled(&compiler, "512").cached);
    }
    let looking = start.elapsed();
    println!("4 compilations {compiling:?}, 1000 look-ups {looking:?}");
    assert!(looking < 4 * compiling, "4 compilations {compiling:?}, 1000 look-ups {looking:?}");
}

#[test]
fn headers_that_the_compiler_carries_are_at_hand_and_cutlass_is_asked_for_by_name() {
    let Some((folder, compiler)) = compiler() else { return };
    let text = "#include <cuda_fp16.h>\nextern \"C\" __global__ void swap_pairs(__half *o) { *o = __hadd(*o, *o); }";
    let with = |include| Unit { include, ..unit(text, "1") };
    assert!(compiler.compile(&with(Include::None), AMPERE).is_err());
    compiler.compile(&with(Include::Bundled), AMPERE).expect("compiles");
    let named = compiler.compile(&with(Include::Cutlass), AMPERE).map_err(|error| error.to_string());
    assert_eq!(named.map(|code| code.id), Err("library `CUTLASS` is not named: its include folder is needed".to_owned()));
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    let headers = left.iter().filter(|name| name.to_string_lossy().starts_with("headers-")).count();
    assert_eq!(headers, 1, "{left:?}");
}

#[test]
fn what_is_compiled_ahead_is_there_when_it_is_asked_for_and_compiled_once() {
    let Some((folder, compiler)) = compiler() else { return };
    let compiler = Arc::new(compiler);
    let widths = ["64", "96", "128", "160", "192", "224"];
    let job = |width: &str| -> Job {
        let unit = unit(SWAP, width);
        Box::new(move || Some(unit))
    };
    // Every unit twice: the second must wait for the first and find it.
    let jobs = widths.iter().chain(&widths).map(|width| job(width)).collect();
    let ahead = Ahead::start(&compiler, AMPERE, jobs, 2);
    let last = compiled(&compiler, widths[5]);
    ahead.finish();
    assert_eq!(last.id, compiled(&compiler, widths[5]).id);
    assert!(widths.iter().all(|width| compiled(&compiler, width).cached));
    let entries: usize = std::fs::read_dir(folder.path())
        .expect("a folder")
        .flatten()
        .map(|two| std::fs::read_dir(two.path()).expect("a folder").count())
        .sum();
    assert_eq!(entries, 3 * widths.len(), "three files an entry, nothing left over");
}
