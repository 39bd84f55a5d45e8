//! The launch memo, the time of launches, and that everything repeats.

mod driver_support;

use driver_support::{Arg, BUMP, FILL, NEXT, WORK, alloc, got, load, machine, ok, on, put, run, start, take};
use vgpu::driver::config::Config;
use vgpu::driver::ffi::Out;
use vgpu::driver::log::Sink;
use vgpu::driver::virtual_time::{vgpuLastCounters, vgpuLaunches, vgpuNow};
use vgpu::driver::{context, copy, event, function, memory, occupancy};
use vgpu::nvml::{clocks, readings, system};
use vgpu::state::scoped;

fn counts() -> (u64, u64) {
    let (mut executed, mut remembered) = (0, 0);
    vgpuLaunches(Out::to(&mut executed), Out::to(&mut remembered));
    (executed, remembered)
}

#[test]
fn a_launch_that_would_change_nothing_is_not_run_again() {
    on(
        "a100",
        |_| {},
        || {
            let (x, y) = (alloc(128), alloc(128));
            let next = load(NEXT, "next");
            let args = [Arg::P(y), Arg::P(x), Arg::U(32)];
            put(x, &[1; 32]);
            for _ in 0..10 {
                ok(run(next, 1, 32, &args));
            }
            assert_eq!(counts(), (1, 9));
            assert_eq!(take(y, 32), [2; 32]);
        },
    );
}

#[test]
fn whatever_changes_what_a_launch_touches_makes_it_run_again() {
    on(
        "a100",
        |_| {},
        || {
            let (x, y, z) = (alloc(128), alloc(128), alloc(128));
            let (next, fill) = (load(NEXT, "next"), load(FILL, "fill"));
            let args = [Arg::P(y), Arg::P(x), Arg::U(32)];
            put(x, &[1; 32]);
            put(z, &[40; 32]);
            ok(run(next, 1, 32, &args));
            let mut expected = 2;
            let changes: [(&str, &dyn Fn()); 6] = [
                ("a copy to its input", &|| put(x, &[10; 32])),
                ("a copy within the card", &|| ok(copy::cuMemcpyDtoD_v2(x, z, 128))),
                ("a fill of its input", &|| ok(copy::cuMemsetD32_v2(x, 70, 32))),
                ("a kernel that writes its input", &|| ok(run(fill, 1, 32, &[Arg::P(x), Arg::U(90), Arg::U(32)]))),
                ("a copy over its output", &|| put(y, &[0; 32])),
                ("a kernel over its output", &|| ok(run(fill, 1, 32, &[Arg::P(y), Arg::U(3), Arg::U(32)]))),
            ];
            for (what, change) in changes {
                change();
                let before = counts().0;
                ok(run(next, 1, 32, &args));
                assert_eq!(counts().0, before + 1, "{what}");
                expected = take(x, 1)[0] + 1;
                assert_eq!(take(y, 32), [expected; 32], "{what}");
            }
            // Reading is no change, nor is another allocation.
            let before = counts().0;
            put(alloc(64), &[1; 16]);
            ok(run(next, 1, 32, &args));
            assert_eq!((counts().0, take(y, 1)[0]), (before, expected));
        },
    );
}

#[test]
fn other_parameters_sizes_or_kernels_are_other_launches() {
    on(
        "a100",
        |_| {},
        || {
            let (x, y) = (alloc(256), alloc(256));
            let fill = load(FILL, "fill");
            for (at, value, n, grid, block) in
                [(x, 1, 32, 1, 32), (y, 1, 32, 1, 32), (x, 2, 32, 1, 32), (x, 2, 31, 1, 32), (x, 2, 32, 2, 32), (x, 2, 32, 1, 64)]
            {
                let before = counts().0;
                ok(run(fill, grid, block, &[Arg::P(at), Arg::U(value), Arg::U(n)]));
                assert_eq!(counts().0, before + 1);
            }
        },
    );
}

#[test]
fn a_kernel_that_reads_what_it_writes_always_runs() {
    on(
        "a100",
        |_| {},
        || {
            let x = alloc(128);
            put(x, &[0; 32]);
            let bump = load(BUMP, "bump");
            for _ in 0..25 {
                ok(run(bump, 1, 32, &[Arg::P(x)]));
            }
            assert_eq!((take(x, 32), counts()), (vec![25; 32], (25, 0)));
        },
    );
}

#[test]
fn memory_freed_and_allocated_again_is_not_remembered() {
    on(
        "a100",
        |_| {},
        || {
            let fill = load(FILL, "fill");
            for _ in 0..3 {
                let x = alloc(128);
                put(x, &[0; 32]);
                ok(run(fill, 1, 32, &[Arg::P(x), Arg::U(6), Arg::U(32)]));
                assert_eq!(take(x, 32), [6; 32]);
                ok(memory::cuMemFree_v2(x));
            }
        },
    );
}

/// Milliseconds of `n` launches of the working kernel.
fn time_of(n: u32, grid: u32, rounds: u32) -> f32 {
    let out = alloc(4 * 256 * grid as usize);
    let work = load(WORK, "work");
    let (start, end) = (got(|out| event::cuEventCreate(out, 0)), got(|out| event::cuEventCreate(out, 0)));
    ok(event::cuEventRecord(start, 0));
    for _ in 0..n {
        ok(run(work, grid, 256, &[Arg::P(out), Arg::U(rounds)]));
    }
    ok(event::cuEventRecord(end, 0));
    ok(event::cuEventSynchronize(end));
    got(|out| event::cuEventElapsedTime(out, start, end))
}

#[test]
fn remembered_launches_take_as_long_as_executed_ones() {
    on(
        "a100",
        |_| {},
        || {
            let out = alloc(4 * 256 * 108);
            let work = load(WORK, "work");
            let timed = || {
                let (start, end) = (got(|out| event::cuEventCreate(out, 0)), got(|out| event::cuEventCreate(out, 0)));
                ok(event::cuEventRecord(start, 0));
                ok(run(work, 108, 256, &[Arg::P(out), Arg::U(200)]));
                ok(event::cuEventRecord(end, 0));
                ok(event::cuEventSynchronize(end));
                got(|out| event::cuEventElapsedTime(out, start, end)).to_bits()
            };
            let (executed, remembered) = (timed(), timed());
            assert_eq!((executed, counts()), (remembered, (1, 1)));
        },
    );
}

#[test]
fn faster_cards_lower_clocks_and_limits_show_in_the_time() {
    let on_card = |key: &str, before: &dyn Fn()| {
        on(
            key,
            |_| {},
            || {
                before();
                time_of(20, 132, 1500)
            },
        )
    };
    let full = on_card("a100", &|| {});
    let fast = on_card("h100", &|| {});
    let slow = on_card("a100", &|| {
        assert_eq!(system::nvmlInit_v2() as u32, 0);
        assert_eq!(clocks::nvmlDeviceSetGpuLockedClocks(1, 705, 705) as u32, 0);
    });
    let capped = on_card("a100", &|| {
        assert_eq!(system::nvmlInit_v2() as u32, 0);
        assert_eq!(readings::nvmlDeviceSetPowerManagementLimit(1, 100_000) as u32, 0);
    });
    assert!(fast < full, "{fast} ms on the H100, {full} ms on the A100");
    assert!((slow / full - 2.0).abs() < 0.2, "half the clock: {slow} ms against {full} ms");
    assert!(capped > full * 1.05, "a quarter of the power: {capped} ms against {full} ms");
}

#[test]
fn the_same_calls_give_the_same_nanoseconds_and_counters_whatever_the_threads() {
    let run_with = |threads: usize, seed: u64| {
        let change = |c: &mut Config| (c.threads, c.seed) = (threads, seed);
        on("h100", change, || {
            let took = time_of(3, 40, 50);
            let mut text = vec![0; 4096];
            let length = vgpuLastCounters(Out::to_slice(&mut text), 4096);
            let counters: Vec<u8> = text[..length].iter().map(|c| *c as u8).collect();
            (took.to_bits(), vgpuNow(0), String::from_utf8(counters).unwrap())
        })
    };
    let first = run_with(1, 0);
    for (threads, seed) in [(1, 0), (2, 0), (2, 99)] {
        assert_eq!(run_with(threads, seed), first, "{threads} threads, seed {seed}");
    }
}

#[test]
fn counters_are_written_as_one_json_line_for_each_launch_that_ran() {
    let folder = std::env::temp_dir().join(format!("vgpu-counters-{}", std::process::id()));
    let path = folder.with_extension("jsonl");
    on(
        "a100",
        |c| c.counters = Sink::File(path.clone()),
        || {
            let x = alloc(128);
            let fill = load(FILL, "fill");
            for value in [1, 1, 2] {
                ok(run(fill, 1, 32, &[Arg::P(x), Arg::U(value), Arg::U(32)]));
            }
        },
    );
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2, "the second launch was remembered");
    for line in &lines {
        assert_eq!((line["kernel"].as_str(), line["source"].as_str()), (Some("fill"), Some("vgpu")));
        assert_eq!(line["counters"]["global_store"]["sectors"], 4);
        assert!(line["time_s"].as_f64().unwrap() > 0.0);
        assert_eq!(line["block"][0], 32);
    }
}

#[test]
fn kernels_tell_their_attributes_and_occupancy_follows_from_them() {
    on(
        "rtx4070",
        |_| {},
        || {
            let fill = load(FILL, "fill");
            let attribute = |n| got(|out| function::cuFuncGetAttribute(out, n, fill));
            let registers = attribute(4);
            assert!((16..=40).contains(&registers), "{registers} registers for a small kernel");
            assert_eq!((attribute(1), attribute(3), attribute(5), attribute(6)), (0, 0, 80, 89));
            assert_eq!(attribute(8), 48 * 1024);
            let resident =
                |threads, dynamic| got(|out| occupancy::cuOccupancyMaxActiveBlocksPerMultiprocessor(out, fill, threads, dynamic));
            assert_eq!((resident(256, 0), resident(1024, 0), resident(256, 50 * 1024), resident(256, 200 * 1024)), (6, 1, 1, 0));
            let (mut grid, mut block) = (0, 0);
            ok(occupancy::cuOccupancyMaxPotentialBlockSize(Out::to(&mut grid), Out::to(&mut block), fill, None, 0, 0));
            assert_eq!(resident(block, 0) * block, 1536, "all threads of a multiprocessor with blocks of {block}");
            assert_eq!(grid, 46 * 1536 / block);
            let bytes = got(|out| occupancy::cuOccupancyAvailableDynamicSMemPerBlock(out, fill, 2, 256));
            assert_eq!(resident(256, bytes), 2);
            assert!(resident(256, bytes + 256) < 2);
            assert_eq!(got(|out| function::cuFuncGetParamCount(fill, out)), 3);
        },
    );
}

#[test]
fn another_process_lengthens_kernels_by_its_share() {
    let took = |share: f64| {
        on(
            "a100",
            |c| {
                let process =
                    vgpu::nvml::scenario::Process { pid: 9, memory_mib: 0, power_w: 30.0, share, from_s: 0.0, to_s: 1e9 };
                c.devices[0].1.process.push(process);
            },
            || time_of(20, 108, 200),
        )
    };
    assert!((took(0.5) / took(0.0) - 2.0).abs() < 0.1);
}

#[test]
fn a_machine_of_its_own_leaves_others_alone() {
    let (one, two) = (machine("a100", |_| {}), machine("h100", |_| {}));
    let now = |m: &std::sync::Arc<vgpu::state::Machine>| scoped(m.clone(), || vgpuNow(0));
    scoped(one.clone(), || {
        start();
        ok(context::cuCtxSynchronize());
    });
    assert!(now(&one) > now(&two));
}
