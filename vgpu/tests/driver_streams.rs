//! Streams and events in virtual time.

mod driver_support;

use std::ffi::c_void;

use driver_support::{Arg, NEXT, WORK, alloc, got, launch_on, load, ok, on, put, run, take};
use vgpu::driver::code::Code;
use vgpu::driver::ffi::Out;
use vgpu::driver::virtual_time::{vgpuAdvance, vgpuNow};
use vgpu::driver::{context, copy, event, stream};

fn recorded(on: u64) -> u64 {
    let event = got(|out| event::cuEventCreate(out, 0));
    ok(event::cuEventRecord(event, on));
    event
}

fn milliseconds(start: u64, end: u64) -> f32 {
    got(|out| event::cuEventElapsedTime(out, start, end))
}

#[test]
fn launching_is_not_waiting_and_events_tell_when_the_work_is_done() {
    on(
        "a100",
        |_| {},
        || {
            let out = alloc(4 * 128 * 256);
            let work = load(WORK, "work");
            let start = recorded(0);
            let before = vgpuNow(0);
            for _ in 0..20 {
                ok(run(work, 128, 256, &[Arg::P(out), Arg::U(300)]));
            }
            let end = recorded(0);
            let queued = vgpuNow(0);
            assert_eq!(event::cuEventQuery(end), Code::NotReady);
            assert_eq!(stream::cuStreamQuery(0), Code::NotReady);
            let mut early = 0f32;
            assert_eq!(event::cuEventElapsedTime(Out::to(&mut early), start, end), Code::NotReady);
            ok(event::cuEventSynchronize(end));
            let took = milliseconds(start, end);
            assert!(
                f64::from(took) * 1e6 > (queued - before) as f64 * 2.0,
                "the device works longer than the host enqueues: {took} ms"
            );
            assert!(vgpuNow(0) >= before + (f64::from(took) * 1e6) as u64);
            ok(event::cuEventQuery(end));
            ok(stream::cuStreamQuery(0));
            assert!(milliseconds(end, start) < 0.0);
        },
    );
}

#[test]
fn polling_an_event_reaches_its_end() {
    on(
        "a100",
        |_| {},
        || {
            let out = alloc(4 * 128 * 256);
            ok(run(load(WORK, "work"), 128, 256, &[Arg::P(out), Arg::U(300)]));
            let end = recorded(0);
            let polls = (0..1_000_000).take_while(|_| event::cuEventQuery(end) == Code::NotReady).count();
            assert!((1..1_000_000).contains(&polls));
        },
    );
}

#[test]
fn a_stream_waits_for_the_events_it_was_told_to_wait_for() {
    on(
        "a100",
        |_| {},
        || {
            let [a, b] = [(); 2].map(|()| got(|out| stream::cuStreamCreate(out, 1)));
            let out = alloc(4 * 128 * 256);
            let work = load(WORK, "work");
            let host = vec![0u8; 1 << 20];
            let there = alloc(1 << 20);
            ok(launch_on(a, work, 128, 256, &[Arg::P(out), Arg::U(300)]));
            let after_kernel = recorded(a);
            // A copy on a stream of its own overlaps the kernel …
            ok(copy::cuMemcpyHtoDAsync_v2(there, host.as_ptr().cast(), 1 << 10, b));
            let free_copy = recorded(b);
            // … until it is told to wait.
            ok(stream::cuStreamWaitEvent(b, after_kernel, 0));
            ok(copy::cuMemcpyHtoDAsync_v2(there, host.as_ptr().cast(), 1 << 10, b));
            let held_copy = recorded(b);
            ok(context::cuCtxSynchronize());
            assert!(milliseconds(free_copy, after_kernel) > 0.0);
            assert!(milliseconds(after_kernel, held_copy) > 0.0);
            // An event never recorded holds nothing up.
            let never = got(|out| event::cuEventCreate(out, 0));
            ok(stream::cuStreamWaitEvent(b, never, 0));
            ok(event::cuEventQuery(never));
            assert_eq!(event::cuEventElapsedTime(Out::to(&mut 0.0), never, held_copy), Code::InvalidHandle);
            let untimed = got(|out| event::cuEventCreate(out, 2));
            ok(event::cuEventRecord(untimed, 0));
            ok(event::cuEventSynchronize(untimed));
            assert_eq!(event::cuEventElapsedTime(Out::to(&mut 0.0), untimed, held_copy), Code::InvalidHandle);
        },
    );
}

#[test]
fn blocking_streams_and_the_default_stream_wait_for_each_other_and_free_ones_do_not() {
    on(
        "a100",
        |_| {},
        || {
            let (blocking, free) = (got(|out| stream::cuStreamCreate(out, 0)), got(|out| stream::cuStreamCreate(out, 1)));
            let out = alloc(4 * 128 * 256);
            let host = [0u8; 64];
            ok(launch_on(0, load(WORK, "work"), 128, 256, &[Arg::P(out), Arg::U(300)]));
            let kernel = recorded(0);
            let copied = |on: u64| {
                ok(copy::cuMemcpyHtoDAsync_v2(out, host.as_ptr().cast(), 64, on));
                recorded(on)
            };
            let beside = copied(free);
            let behind = copied(blocking);
            ok(context::cuCtxSynchronize());
            assert!(milliseconds(beside, kernel) > 0.0, "a free stream goes on beside the default one");
            assert!(milliseconds(kernel, behind) > 0.0, "a blocking stream waits");
        },
    );
}

#[test]
fn kernels_of_two_streams_take_turns_on_the_multiprocessors() {
    on(
        "a100",
        |_| {},
        || {
            let [a, b] = [(); 2].map(|()| got(|out| stream::cuStreamCreate(out, 1)));
            let out = alloc(4 * 128 * 256);
            let work = load(WORK, "work");
            let args = [Arg::P(out), Arg::U(300)];
            let start = recorded(a);
            ok(launch_on(a, work, 128, 256, &args));
            let one = recorded(a);
            ok(launch_on(b, work, 128, 256, &args));
            let two = recorded(b);
            ok(context::cuCtxSynchronize());
            let (first, both) = (milliseconds(start, one), milliseconds(start, two));
            assert!((both / first - 2.0).abs() < 0.2, "{first} ms, then {both} ms");
        },
    );
}

#[test]
fn work_is_seen_in_the_order_it_was_enqueued() {
    on(
        "a100",
        |_| {},
        || {
            let (x, y) = (alloc(128), alloc(128));
            let stream = got(|out| stream::cuStreamCreateWithPriority(out, 1, -9));
            assert_eq!(got(|out| stream::cuStreamGetPriority(stream, out)), -5, "clamped to what there is");
            let next = load(NEXT, "next");
            put(x, &[5; 32]);
            for (to, from) in [(y, x), (x, y), (y, x)] {
                ok(launch_on(stream, next, 1, 32, &[Arg::P(to), Arg::P(from), Arg::U(32)]));
            }
            let mut calls = 0u32;
            extern "C" fn count(data: *mut c_void) {
                // SAFETY: the test passes the address of its own counter, which outlives the call.
                unsafe { *data.cast::<u32>() += 1 };
            }
            ok(stream::cuLaunchHostFunc(stream, Some(count), std::ptr::from_mut(&mut calls).cast()));
            ok(stream::cuStreamSynchronize(stream));
            assert_eq!((take(y, 32), calls), (vec![8; 32], 1));
            ok(stream::cuStreamDestroy_v2(stream));
            assert_eq!(stream::cuStreamSynchronize(stream), Code::InvalidHandle);
        },
    );
}

#[test]
fn work_of_a_destroyed_stream_is_still_waited_for() {
    for (flags, behind) in [(0, true), (1, false)] {
        on(
            "a100",
            |_| {},
            || {
                let (gone, out) = (got(|out| stream::cuStreamCreate(out, flags)), alloc(4 * 128 * 256));
                ok(launch_on(gone, load(WORK, "work"), 128, 256, &[Arg::P(out), Arg::U(300)]));
                let worked = recorded(gone);
                ok(stream::cuStreamDestroy_v2(gone));
                ok(copy::cuMemcpyHtoDAsync_v2(out, [0u8; 64].as_ptr().cast(), 64, 0));
                let copied = recorded(0);
                assert_eq!(event::cuEventQuery(worked), Code::NotReady);
                ok(context::cuCtxSynchronize());
                ok(event::cuEventQuery(worked));
                assert_eq!(milliseconds(worked, copied) > 0.0, behind, "the default stream waits for blocking ones");
            },
        );
    }
}

#[test]
fn waiting_lets_the_device_finish() {
    on(
        "a100",
        |_| {},
        || {
            let out = alloc(4 * 128 * 256);
            ok(run(load(WORK, "work"), 128, 256, &[Arg::P(out), Arg::U(300)]));
            let end = recorded(0);
            assert_eq!(event::cuEventQuery(end), Code::NotReady);
            let before = vgpuNow(0);
            assert_eq!(vgpuAdvance(0, 50_000_000), before + 50_000_000);
            ok(event::cuEventQuery(end));
            assert_eq!(vgpuNow(7), 0, "there is no such card");
        },
    );
}
