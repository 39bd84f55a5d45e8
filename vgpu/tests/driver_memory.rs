//! Device and host memory: limits, copies, fills, questions about addresses.

mod driver_support;

use driver_support::{alloc, got, machine, ok, on, put, start, take};
use vgpu::driver::code::Code;
use vgpu::driver::copy::{self, Copy2d};
use vgpu::driver::ffi::{In, Out};
use vgpu::driver::{context, device, memory, pointer};
use vgpu::profile::TABLE;
use vgpu::state::scoped;

#[test]
fn a_card_holds_what_its_profile_says_and_no_more() {
    for key in ["t4", "rtx4070", "h100"] {
        on(
            key,
            |_| {},
            || {
                let total = got(|out| device::cuDeviceTotalMem_v2(out, 0));
                let (mut free, mut all) = (0usize, 0usize);
                ok(memory::cuMemGetInfo_v2(Out::to(&mut free), Out::to(&mut all)));
                assert_eq!((all, free), (total, total), "{key}");
                assert_eq!(memory::cuMemAlloc_v2(Out::to(&mut 0), total + 1), Code::OutOfMemory);
                let small = alloc(1 << 20);
                ok(memory::cuMemGetInfo_v2(Out::to(&mut free), Out::to(&mut all)));
                assert!(free <= total - (1 << 20));
                ok(memory::cuMemFree_v2(small));
                ok(memory::cuMemGetInfo_v2(Out::to(&mut free), Out::to(&mut all)));
                assert_eq!(free, total);
            },
        );
    }
}

#[test]
fn other_processes_take_their_part_of_the_memory() {
    let full = on("a100", |_| {}, free);
    let taken = on(
        "a100",
        |c| {
            let process = toml_process();
            c.devices[0].1.process.push(process);
        },
        free,
    );
    assert_eq!(full - taken, 1000 << 20);
}

fn toml_process() -> vgpu::nvml::scenario::Process {
    vgpu::nvml::scenario::Process { pid: 4242, memory_mib: 1000, power_w: 0.0, share: 0.0, from_s: 0.0, to_s: 1e9 }
}

fn free() -> usize {
    let (mut free, mut total) = (0, 0);
    ok(memory::cuMemGetInfo_v2(Out::to(&mut free), Out::to(&mut total)));
    free
}

#[test]
fn freeing_twice_or_in_the_middle_is_an_error_and_freeing_null_is_not() {
    on(
        "a100",
        |_| {},
        || {
            let block = alloc(256);
            assert_eq!(memory::cuMemFree_v2(block + 16), Code::InvalidValue);
            ok(memory::cuMemFree_v2(block));
            assert_eq!(memory::cuMemFree_v2(block), Code::InvalidValue);
            ok(memory::cuMemFree_v2(0));
        },
    );
}

#[test]
fn a_destroyed_context_gives_its_memory_back() {
    on(
        "a100",
        |_| {},
        || {
            let before = free();
            alloc(1 << 22);
            assert!(free() < before);
            ok(context::cuDevicePrimaryCtxReset_v2(0));
            start();
            assert_eq!(free(), before);
        },
    );
}

#[test]
fn copies_go_between_all_kinds_of_places_and_stay_inside() {
    on(
        "a100",
        |_| {},
        || {
            let (a, b) = (alloc(64), alloc(64));
            put(a, &(0..16).collect::<Vec<u32>>());
            ok(copy::cuMemcpyDtoD_v2(b, a + 16, 32));
            assert_eq!(take(b, 8), (4..12).collect::<Vec<u32>>());
            // Unified addresses: the driver finds out which side each is on.
            let mut host = [0u32; 8];
            ok(copy::cuMemcpy(host.as_mut_ptr() as u64, b, 32));
            assert_eq!(host.to_vec(), take(b, 8));
            host.reverse();
            ok(copy::cuMemcpyAsync(a, host.as_ptr() as u64, 32, 0));
            assert_eq!(take(a, 8), host);
            for refused in [
                copy::cuMemcpyDtoD_v2(b, a + 40, 32),
                copy::cuMemcpyHtoD_v2(a + 60, host.as_ptr().cast(), 8),
                copy::cuMemcpyDtoH_v2(host.as_mut_ptr().cast(), a + 64, 4),
                copy::cuMemsetD32_v2(a, 0, 17),
                copy::cuMemsetD32_v2(a + 2, 0, 1),
            ] {
                assert_eq!(refused, Code::InvalidValue);
            }
            ok(copy::cuMemcpyHtoD_v2(a, std::ptr::null(), 0));
            ok(context::cuCtxSynchronize());
        },
    );
}

#[test]
fn fills_write_their_pattern_and_nothing_beside_it() {
    on(
        "a100",
        |_| {},
        || {
            let block = alloc(64);
            put(block, &[0xffff_ffff; 16]);
            ok(copy::cuMemsetD8_v2(block, 0xab, 4));
            ok(copy::cuMemsetD16Async(block + 4, 0x1234, 2, 0));
            ok(copy::cuMemsetD32_v2(block + 8, 7, 2));
            // Two rows of one word, sixteen bytes apart.
            ok(copy::cuMemsetD2D32_v2(block + 32, 16, 5, 1, 2));
            let n = 0xffff_ffff;
            assert_eq!(take(block, 16), [0xabab_abab, 0x1234_1234, 7, 7, n, n, n, n, 5, n, n, n, 5, n, n, n]);
        },
    );
}

#[test]
fn rectangles_are_copied_row_by_row() {
    on(
        "a100",
        |_| {},
        || {
            let mut pitch = 0usize;
            let block = got(|out| memory::cuMemAllocPitch_v2(out, Out::to(&mut pitch), 12, 3, 4));
            assert_eq!(pitch % 512, 0);
            let host: Vec<u32> = (0..20).collect();
            // Rows of three words out of a matrix of five columns, from row 1, column 1.
            let copy = Copy2d {
                src_x_in_bytes: 4,
                src_y: 1,
                src_memory_type: 1,
                src_host: host.as_ptr().cast(),
                src_device: 0,
                src_array: 0,
                src_pitch: 20,
                dst_x_in_bytes: 0,
                dst_y: 0,
                dst_memory_type: 2,
                dst_host: std::ptr::null_mut(),
                dst_device: block,
                dst_array: 0,
                dst_pitch: pitch,
                width_in_bytes: 12,
                height: 3,
            };
            ok(copy::cuMemcpy2D_v2(In::of(&copy)));
            for row in 0..3u32 {
                let at = 6 + row * 5;
                assert_eq!(take(block + u64::from(row) * pitch as u64, 3), [at, at + 1, at + 2]);
            }
            assert_eq!(copy::cuMemcpy2D_v2(In::of(&Copy2d { src_memory_type: 3, ..copy })), Code::NotSupported);
            assert_eq!(copy::cuMemcpy2D_v2(In::of(&Copy2d { dst_pitch: 8, ..copy })), Code::InvalidValue);
            assert_eq!(copy::cuMemcpy2D_v2(In::NULL), Code::InvalidValue);
        },
    );
}

#[test]
fn page_locked_memory_is_usable_known_and_freed_once() {
    on(
        "a100",
        |_| {},
        || {
            let mut block = std::ptr::null_mut();
            ok(memory::cuMemHostAlloc(Out::to(&mut block), 4096, 0));
            // SAFETY: 4096 bytes were just allocated.
            unsafe { block.cast::<u32>().write(77) };
            let there = alloc(4);
            ok(copy::cuMemcpyHtoD_v2(there, block, 4));
            assert_eq!(take(there, 1), [77]);
            let mut kind = 0u32;
            ok(pointer::cuPointerGetAttribute(std::ptr::from_mut(&mut kind).cast(), 2, block as u64));
            assert_eq!(kind, 1);
            ok(pointer::cuPointerGetAttribute(std::ptr::from_mut(&mut kind).cast(), 2, there));
            assert_eq!(kind, 2);
            let (mut base, mut size) = (0, 0);
            ok(memory::cuMemGetAddressRange_v2(Out::to(&mut base), Out::to(&mut size), there + 3));
            assert_eq!((base, size), (there, 4));
            ok(memory::cuMemFreeHost(block));
            assert_eq!(memory::cuMemFreeHost(block), Code::InvalidValue);
            let mut own = [0u8; 16];
            let own = own.as_mut_ptr().cast();
            ok(memory::cuMemHostRegister_v2(own, 16, 0));
            assert_eq!(memory::cuMemHostRegister_v2(own, 16, 0), Code::HostMemoryAlreadyRegistered);
            ok(memory::cuMemHostUnregister(own));
            assert_eq!(memory::cuMemHostUnregister(own), Code::HostMemoryNotRegistered);
        },
    );
}

#[test]
fn two_cards_keep_their_memories_apart_and_copy_between_them() {
    let two = machine("a100", |c| {
        let second = c.devices[0].clone();
        c.devices.push(second);
    });
    scoped(two, || {
        start();
        let here = alloc(16);
        put(here, &[1, 2, 3, 4]);
        let other = got(|out| context::cuDevicePrimaryCtxRetain(out, 1));
        ok(context::cuCtxPushCurrent_v2(other));
        assert_eq!(got(|out| context::cuCtxGetDevice(out)), 1);
        let there = alloc(16);
        assert_ne!(here, there, "unified addresses name one place");
        ok(copy::cuMemcpyPeer(there, other, here, 0, 16));
        assert_eq!(take(there, 4), [1, 2, 3, 4]);
        ok(context::cuCtxPopCurrent_v2(Out::NULL));
        assert_eq!(got(|out| context::cuCtxGetDevice(out)), 0);
    });
}

#[test]
fn every_card_can_be_made_and_calls_itself_virtual() {
    for profile in TABLE {
        on(
            profile.key,
            |_| {},
            || {
                let mut name = [0 as std::ffi::c_char; 64];
                ok(device::cuDeviceGetName(Out::to_slice(&mut name), 64, 0));
                let text: String = name.iter().take_while(|c| **c != 0).map(|c| *c as u8 as char).collect();
                assert_eq!(text, format!("{} (virtual)", profile.name));
                let attribute = |n| got(|out| device::cuDeviceGetAttribute(out, n, 0));
                assert_eq!(attribute(16) as u32, profile.sms);
                assert_eq!((attribute(75) as u32, attribute(76) as u32), profile.compute);
                assert_eq!(attribute(115), 0, "no memory pools");
                let mut id = [0 as std::ffi::c_char; 16];
                ok(device::cuDeviceGetPCIBusId(Out::to_slice(&mut id), 16, 0));
                assert_eq!(device::cuDeviceGetPCIBusId(Out::to_slice(&mut id), 12, 0), Code::InvalidValue);
            },
        );
    }
}
