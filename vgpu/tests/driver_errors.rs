//! CUDA's error codes: what is refused, what poisons a context, and what never crashes.

mod driver_support;

use std::ffi::{CStr, CString, c_char};

use driver_support::{Arg, CLAIM, FILL, POKE, RACE, SPIN, TRAP, alloc, got, load, machine, ok, on, put, run, start, take};
use vgpu::driver::code::Code;
use vgpu::driver::config::OnFinding;
use vgpu::driver::ffi::{Out, Text};
use vgpu::driver::{context, copy, device, event, function, launch, memory, module, occupancy, stream};
use vgpu::state::scoped;

#[test]
fn nothing_works_before_the_driver_is_started() {
    scoped(machine("a100", |_| {}), || {
        let mut count = 0;
        assert_eq!(device::cuDeviceGetCount(Out::to(&mut count)), Code::NotInitialized);
        assert_eq!(context::cuCtxSynchronize(), Code::NotInitialized);
        assert_eq!(device::cuInit(1), Code::InvalidValue);
        ok(device::cuInit(0));
        assert_eq!(got(|out| device::cuDeviceGetCount(out)), 1);
        assert_eq!(context::cuCtxSynchronize(), Code::InvalidContext);
        assert_eq!(memory::cuMemAlloc_v2(Out::to(&mut 0), 16), Code::InvalidContext);
    });
}

#[test]
fn a_machine_without_cards_says_so() {
    scoped(machine("a100", |c| c.devices.clear()), || assert_eq!(device::cuInit(0), Code::NoDevice));
}

#[test]
fn null_pointers_and_wrong_handles_are_errors_everywhere() {
    on(
        "rtx4070",
        |_| {},
        || {
            let bad = 0xdead_0000;
            let invalid_value = [
                device::cuDeviceGetCount(Out::NULL),
                device::cuDeviceGetName(Out::NULL, 10, 0),
                device::cuDeviceGetAttribute(Out::NULL, 1, 0),
                device::cuDeviceGetAttribute(Out::to(&mut 0), 100_000, 0),
                memory::cuMemAlloc_v2(Out::to(&mut 0), 0),
                memory::cuMemFree_v2(bad),
                stream::cuStreamCreate(Out::NULL, 0),
                stream::cuStreamCreate(Out::to(&mut 0), 9),
                event::cuEventCreate(Out::NULL, 0),
                module::cuModuleLoadData(Out::NULL, c".version 8.0".as_ptr().cast()),
                module::cuModuleLoadData(Out::to(&mut 0), std::ptr::null()),
                copy::cuMemcpyHtoD_v2(bad, [0u8; 4].as_ptr().cast(), 4),
                copy::cuMemcpyDtoH_v2(std::ptr::null_mut(), bad, 4),
                copy::cuMemsetD8_v2(bad, 0, 4),
            ];
            let invalid_handle = [
                stream::cuStreamSynchronize(bad),
                stream::cuStreamDestroy_v2(0),
                event::cuEventRecord(bad, 0),
                event::cuEventQuery(bad),
                module::cuModuleUnload(bad),
                function::cuFuncGetAttribute(Out::to(&mut 0), 0, bad),
                run(bad, 1, 1, &[]),
            ];
            assert_eq!(invalid_value, [Code::InvalidValue; 14]);
            assert_eq!(invalid_handle, [Code::InvalidHandle; 7]);
            assert_eq!(context::cuCtxSetCurrent(bad), Code::InvalidContext);
            assert_eq!(device::cuDeviceGet(Out::to(&mut 0), 1), Code::InvalidDevice);
        },
    );
}

#[test]
fn errors_have_cudas_names_and_sentences() {
    let text = |code: u32, of: extern "C" fn(u32, Out<*const c_char>) -> Code| {
        let mut pointer = std::ptr::null();
        ok(of(code, Out::to(&mut pointer)));
        // SAFETY: the call succeeded, so the pointer is one of the driver's own texts.
        unsafe { CStr::from_ptr(pointer) }.to_str().unwrap().to_owned()
    };
    assert_eq!(text(700, device::cuGetErrorName), "CUDA_ERROR_ILLEGAL_ADDRESS");
    assert_eq!(text(2, device::cuGetErrorString), "out of memory");
    let mut pointer = std::ptr::null();
    assert_eq!(device::cuGetErrorName(12_345, Out::to(&mut pointer)), Code::InvalidValue);
    assert!(pointer.is_null());
}

#[test]
fn faults_poison_the_context_and_the_next_context_is_sound() {
    let cases = [
        ("poke", POKE, 0x10, Code::IllegalAddress),
        ("spin", SPIN, 0, Code::LaunchTimeout),
        ("halt", TRAP, 0, Code::LaunchFailed),
        ("claim", CLAIM, 0, Code::Assert),
    ];
    for (name, ptx, address, expected) in cases {
        on(
            "a100",
            |c| c.max_instructions = 100_000,
            || {
                let buffer = alloc(64);
                let kernel = load(ptx, name);
                // As on a GPU, the launch succeeds and the calls after it tell.
                ok(run(kernel, 1, 1, &[Arg::P(address)]));
                assert_eq!(context::cuCtxSynchronize(), expected, "{name}");
                assert_eq!(memory::cuMemAlloc_v2(Out::to(&mut 0), 16), expected);
                assert_eq!(copy::cuMemcpyDtoH_v2([0u8; 4].as_mut_ptr().cast(), buffer, 4), expected);
                assert_eq!(run(kernel, 1, 1, &[Arg::P(buffer)]), expected);
                assert_eq!(stream::cuStreamSynchronize(0), expected);
                // What needs no context goes on.
                assert_eq!(got(|out| device::cuDeviceGetCount(out)), 1);
                ok(context::cuDevicePrimaryCtxReset_v2(0));
                assert_eq!(context::cuCtxSynchronize(), Code::ContextIsDestroyed);
                start();
                let fresh = alloc(64);
                ok(run(load(POKE, "poke"), 1, 1, &[Arg::P(fresh)]));
                ok(context::cuCtxSynchronize());
                assert_eq!(take(fresh, 1), [7]);
            },
        );
    }
}

#[test]
fn a_misaligned_store_is_told_apart_from_a_wild_one() {
    on(
        "a100",
        |_| {},
        || {
            let buffer = alloc(64);
            ok(run(load(POKE, "poke"), 1, 1, &[Arg::P(buffer + 2)]));
            assert_eq!(context::cuCtxSynchronize(), Code::MisalignedAddress);
        },
    );
    on(
        "a100",
        |_| {},
        || {
            let buffer = alloc(64);
            ok(run(load(POKE, "poke"), 1, 1, &[Arg::P(buffer + 64)]));
            assert_eq!(context::cuCtxSynchronize(), Code::IllegalAddress, "one word behind the end");
        },
    );
}

#[test]
fn a_finding_is_told_or_fails_as_wished() {
    for (wish, expected) in [(OnFinding::Tell, Code::Success), (OnFinding::Fail, Code::LaunchFailed)] {
        on(
            "a100",
            |c| c.on_finding = wish,
            || {
                let out = alloc(4 * 64);
                ok(run(load(RACE, "race"), 1, 64, &[Arg::P(out)]));
                assert_eq!(context::cuCtxSynchronize(), expected, "{wish:?}");
            },
        );
    }
}

#[test]
fn images_that_cannot_run_are_refused_with_the_reason() {
    let newer = FILL.replace(".version 8.0", ".version 99.0");
    let other = FILL.replace("sm_70", "sm_90");
    let broken = FILL.replace("st.global.u32", "frobnicate.u32");
    let cases: [(&[u8], Code, &str); 5] = [
        (b"\x7fELF\x02\x01", Code::NoBinaryForGpu, "machine code"),
        (b"\x50\xed\x55\xba\x01", Code::NoBinaryForGpu, "fat binary"),
        (newer.as_bytes(), Code::UnsupportedPtxVersion, "99.0"),
        (other.as_bytes(), Code::InvalidPtx, "sm_90"),
        (broken.as_bytes(), Code::InvalidPtx, "frobnicate"),
    ];
    on(
        "a100",
        |_| {},
        || {
            for (image, code, says) in cases {
                let image = CString::new(image).unwrap();
                let mut log = [0 as c_char; 400];
                let mut options = [5u32, 6];
                let mut values = [log.as_mut_ptr().cast::<std::ffi::c_void>(), 400usize as *mut _];
                let mut handle = 0;
                let loaded = module::cuModuleLoadDataEx(
                    Out::to(&mut handle),
                    image.as_ptr().cast(),
                    2,
                    Out::to_slice(&mut options),
                    Out::to_slice(&mut values),
                );
                // SAFETY: the driver ends what it writes with a zero byte, and the buffer was zero before.
                let said = unsafe { CStr::from_ptr(log.as_ptr()) }.to_string_lossy().into_owned();
                assert_eq!(loaded, code, "{said}");
                assert!(said.contains(says), "`{said}` does not say `{says}`");
            }
        },
    );
}

#[test]
fn launches_a_gpu_would_refuse_are_refused() {
    on(
        "rtx4070",
        |_| {},
        || {
            let out = alloc(4096);
            let fill = load(FILL, "fill");
            let args = [Arg::P(out), Arg::U(1), Arg::U(0)];
            let full = |grid: [u32; 3], block: [u32; 3], shared: u32| {
                let mut values = [out, 1, 0];
                let mut pointers = values.each_mut().map(|v| std::ptr::from_mut(v).cast());
                launch::cuLaunchKernel(
                    fill,
                    grid[0],
                    grid[1],
                    grid[2],
                    block[0],
                    block[1],
                    block[2],
                    shared,
                    0,
                    Out::to_slice(&mut pointers),
                    Out::NULL,
                )
            };
            ok(run(fill, 1, 1024, &args));
            let one = [1, 1, 1];
            for (grid, block, shared, why) in [
                ([0, 1, 1], one, 0, "an empty grid"),
                ([1, 70_000, 1], one, 0, "more than 65,535 in y"),
                (one, [0, 1, 1], 0, "an empty block"),
                (one, [1025, 1, 1], 0, "more than 1024 in x"),
                (one, [32, 32, 2], 0, "more than 1024 threads"),
                (one, [1, 1, 65], 0, "more than 64 in z"),
                (one, one, 48 * 1024 + 1, "more than 48 KiB without asking"),
            ] {
                assert_eq!(full(grid, block, shared), Code::InvalidValue, "{why}");
            }
            // After asking, 99 KiB are there on 8.9 and not one byte more.
            assert_eq!(function::cuFuncSetAttribute(fill, 8, 99 * 1024 + 1), Code::InvalidValue);
            ok(function::cuFuncSetAttribute(fill, 8, 99 * 1024));
            ok(full(one, one, 99 * 1024));
            ok(context::cuCtxSynchronize());
            assert_eq!(
                launch::cuLaunchKernel(fill, 1, 1, 1, 1, 1, 1, 0, 0, Out::NULL, Out::NULL),
                Code::InvalidValue,
                "no parameters"
            );
        },
    );
}

#[test]
fn a_cooperative_grid_must_fit_the_card() {
    on(
        "rtx4070",
        |_| {},
        || {
            let fill = load(FILL, "fill");
            let resident = got(|out| occupancy::cuOccupancyMaxActiveBlocksPerMultiprocessor(out, fill, 256, 0)) as u32;
            let launch = |grid: u32| {
                let mut values = [alloc(4), 1, 0];
                let mut pointers = values.each_mut().map(|v| std::ptr::from_mut(v).cast());
                launch::cuLaunchCooperativeKernel(fill, grid, 1, 1, 256, 1, 1, 0, 0, Out::to_slice(&mut pointers))
            };
            ok(launch(resident * 46));
            assert_eq!(launch(resident * 46 + 1), Code::CooperativeLaunchTooLarge);
        },
    );
}

#[test]
fn what_is_not_here_says_not_supported_and_export_tables_are_not_found() {
    on(
        "a100",
        |_| {},
        || {
            assert_eq!(stream::cuStreamBeginCapture_v2(0, 0), Code::NotSupported);
            assert_eq!(memory::cuMemAllocManaged(Out::to(&mut 0), 16, 1), Code::NotSupported);
            let mut table = std::ptr::dangling();
            assert_eq!(device::cuGetExportTable(Out::to(&mut table), vgpu::driver::ffi::In::NULL), Code::NotFound);
            assert!(table.is_null());
            let mut address = std::ptr::null();
            ok(device::cuGetProcAddress_v2(Text::of(c"cuMemAlloc"), Out::to(&mut address), 13_000, 0, Out::NULL));
            assert!(!address.is_null());
            let mut status = -1;
            assert_eq!(
                device::cuGetProcAddress_v2(Text::of(c"cuTeleport"), Out::to(&mut address), 13_000, 0, Out::to(&mut status)),
                Code::NotFound
            );
            assert_eq!(status, 1);
        },
    );
}

#[test]
fn put_and_take_agree_through_every_way_of_passing_parameters() {
    on(
        "a100",
        |_| {},
        || {
            let out = alloc(4 * 32);
            put(out, &[9; 32]);
            let fill = load(FILL, "fill");
            // `CU_LAUNCH_PARAM_BUFFER_POINTER`, `..._SIZE`, end.
            let mut buffer = [0u8; 16];
            buffer[..8].copy_from_slice(&out.to_le_bytes());
            buffer[8..12].copy_from_slice(&5u32.to_le_bytes());
            buffer[12..].copy_from_slice(&20u32.to_le_bytes());
            let mut size = buffer.len();
            let mut extra = [
                std::ptr::without_provenance_mut(1),
                buffer.as_mut_ptr().cast(),
                std::ptr::without_provenance_mut(2),
                std::ptr::from_mut(&mut size).cast(),
                std::ptr::null_mut(),
            ];
            ok(launch::cuLaunchKernel(fill, 1, 1, 1, 32, 1, 1, 0, 0, Out::NULL, Out::to_slice(&mut extra)));
            assert_eq!(take(out, 32), [[5; 20].as_slice(), &[9; 12]].concat());
        },
    );
}
