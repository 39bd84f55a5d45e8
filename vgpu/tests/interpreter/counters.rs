//! Counters against numbers worked out by hand.

use vgpu::counters::Counters;

use super::rig::{Rig, kernel};

fn count(body: &str, shared: &str, grid: u32, block: u32) -> Counters {
    let rig = Rig::new();
    let (a, b) = (rig.buffer("a", &[0u32; 8192]), rig.buffer("b", &[0u32; 8192]));
    rig.run(&kernel(shared, body), "k", grid, block, &[a, b, 0, 0]).unwrap().counters
}

#[test]
fn only_active_lanes_count_as_operations() {
    let c = count(
        "fma.rn.f32 %f0, %f1, %f2, %f3; add.f32 %f0, %f0, %f1; setp.lt.u32 %p0, %r1, 5; @%p0 mul.f32 %f0, %f0, %f1;",
        "",
        2,
        40,
    );
    assert_eq!(c.flops.fp32, 2 * 40 * 3 + 2 * 5);
    let c = count("fma.rn.f64 %fd0, %fd1, %fd2, %fd3; fma.rn.f16x2 %f0, %f1, %f2, %f3; add.f16 %h0, %h1, %h2;", "", 1, 32);
    assert_eq!((c.flops.fp64, c.flops.fp16), (64, 4 * 32 + 32));
    let c = count(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%f4,%f5,%f6,%f7}, {%f8,%f9}, {%f0,%f1,%f2,%f3};",
        "",
        1,
        64,
    );
    assert_eq!((c.flops.tensor_f16, c.instructions.tensor), (2 * 2 * 16 * 8 * 16, 2));
}

#[test]
fn instructions_are_counted_by_class() {
    // The frame of every test kernel: 4 parameters, 3 cvta, 3 special moves, 1 mad, 1 exit.
    let frame = count("", "", 1, 64).instructions;
    assert_eq!((frame.load_param, frame.convert, frame.moves, frame.int, frame.control, frame.total), (8, 6, 6, 2, 2, 24));
    let c = count(
        "bar.sync 0; ex2.approx.f32 %f0, %f1; mov.u32 %r5, 1; setp.eq.u32 %p0, %r5, 1; ld.global.u32 %f0, [%rd0];",
        "",
        1,
        64,
    );
    let i = c.instructions;
    assert_eq!((i.barrier, i.special, i.load_global, i.moves, i.int, i.total), (2, 2, 2, 8, 4, 34));
    assert_eq!((c.barriers, c.warps, c.blocks, c.max_warp_instructions), (2, 2, 1, 17));
}

#[test]
fn sectors_tell_how_well_lanes_lie_together() {
    let load = |index: &str, op: &str| format!("{index} add.s64 %rd3, %rd0, %rd3; {op}");
    let cases = [
        ("in a row", load("mul.wide.u32 %rd3, %r1, 4;", "ld.global.u32 %f0, [%rd3];"), 4, 128, 128),
        ("shifted by one word", load("mul.wide.u32 %rd3, %r1, 4;", "ld.global.u32 %f0, [%rd3+4];"), 5, 128, 128),
        ("one word a sector", load("mul.wide.u32 %rd3, %r1, 32;", "ld.global.u32 %f0, [%rd3];"), 32, 128, 128),
        ("all the same", "ld.global.u32 %f0, [%rd0];".into(), 1, 128, 4),
        ("16 bytes a lane", load("mul.wide.u32 %rd3, %r1, 16;", "ld.global.v4.u32 {%f0,%f1,%f2,%f3}, [%rd3];"), 16, 512, 512),
        ("twice", load("mul.wide.u32 %rd3, %r1, 4;", "ld.global.u32 %f0, [%rd3]; ld.global.u32 %f0, [%rd3];"), 8, 256, 128),
    ];
    for (name, body, sectors, requested, unique) in cases {
        let t = count(&body, "", 1, 32).global_load;
        assert_eq!((t.sectors, t.requested_bytes, t.unique_bytes), (sectors, requested, unique), "{name}");
    }
    let two_blocks =
        count("mul.wide.u32 %rd3, %r1, 4; add.s64 %rd3, %rd0, %rd3; ld.global.u32 %f0, [%rd3];", "", 2, 32).global_load;
    assert_eq!((two_blocks.requests, two_blocks.sectors, two_blocks.unique_bytes), (2, 8, 128));
}

#[test]
fn bank_conflicts_cost_a_cycle_a_word_and_128_bytes_a_wavefront() {
    let cases = [
        ("a word a bank", 4, "u32 %f0", (0, 1)),
        ("every second bank", 8, "u32 %f0", (1, 2)),
        ("one bank", 128, "u32 %f0", (31, 32)),
        ("one word", 0, "u32 %f0", (0, 1)),
        ("16 bytes in a row", 16, "v4.u32 {%f0,%f1,%f2,%f3}", (0, 4)),
        ("the same 16 bytes", 0, "v4.u32 {%f0,%f1,%f2,%f3}", (0, 1)),
        ("16 bytes on four banks", 128, "v4.u32 {%f0,%f1,%f2,%f3}", (28, 32)),
        ("8 bytes in a row", 8, "v2.u32 {%f0,%f1}", (0, 2)),
        ("33 words apart", 132, "u32 %f0", (0, 1)),
    ];
    for (name, stride, what, cycles) in cases {
        let body = format!("mul.lo.u32 %r5, %r1, {stride}; mov.u32 %r6, tile; add.u32 %r5, %r5, %r6; ld.shared.{what}, [%r5];");
        let c = count(&body, ".shared .align 16 .b8 tile[8192];", 1, 32);
        assert_eq!((c.shared_requests, (c.shared_conflict_cycles, c.shared_wavefronts)), (1, cycles), "{name}");
    }
}

#[test]
fn counters_are_json() {
    let json = serde_json::to_value(count("fma.rn.f32 %f0, %f1, %f2, %f3;", "", 1, 32)).unwrap();
    assert_eq!(json["flops"]["fp32"], 64);
    assert_eq!(json["instructions"]["fp32"], 1);
    assert_eq!(json["global_load"]["sectors"], 0);
}
