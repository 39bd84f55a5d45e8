//! Whole kernels, written by hand in PTX.

use vgpu::check::FindingKind;
use vgpu::launch::{Fault, Options};

use super::rig::{HEADER, Noise, Rig, kernel};

/// Inclusive sum of a block's numbers by shuffles and shared memory.
pub(crate) const SCAN: &str = "
    mul.wide.u32 %rd3, %r4, 4; add.s64 %rd4, %rd0, %rd3; add.s64 %rd5, %rd1, %rd3;
    ld.global.u32 %f0, [%rd4];
    mov.u32 %r5, %laneid; mov.u32 %r6, 1;
UP: shfl.sync.up.b32 %f1|%p0, %f0, %r6, 0, -1;
    @%p0 add.u32 %f0, %f0, %f1;
    shl.b32 %r6, %r6, 1; setp.lt.u32 %p1, %r6, 32; @%p1 bra UP;
    shr.u32 %r7, %r1, 5; shl.b32 %r8, %r7, 2; mov.u32 %r9, sums; add.u32 %r8, %r8, %r9;
    setp.eq.u32 %p2, %r5, 31; @%p2 st.shared.u32 [%r8], %f0;
    bar.sync 0;
    mov.u32 %r10, 0; mov.u32 %r11, %r9;
ADD: setp.ge.u32 %p3, %r10, %r7; @%p3 bra DONE;
    ld.shared.u32 %f2, [%r11]; add.u32 %f0, %f0, %f2;
    add.u32 %r11, %r11, 4; add.u32 %r10, %r10, 1; bra ADD;
DONE: st.global.u32 [%rd5], %f0;";

#[test]
fn a_scan_by_shuffles_and_shared_memory_adds_up_for_every_seed() {
    for seed in 0..8 {
        let mut rig = Rig::new();
        rig.options = Options { seed, threads: 2, ..Options::default() };
        let values: Vec<u32> = (0..512).map(|i| i * 7 % 13).collect();
        let (input, output) = (rig.buffer("in", &values), rig.buffer("out", &[0u32; 512]));
        let report = rig.run(&kernel(".shared .align 4 .b8 sums[32];", SCAN), "k", 2, 256, &[input, output, 0, 0]).unwrap();
        assert_eq!(report.findings, [], "seed {seed}");
        assert!(report.idempotent);
        let scan = |part: &[u32]| {
            part.iter()
                .scan(0, |s, v| {
                    *s += v;
                    Some(*s)
                })
                .collect::<Vec<u32>>()
        };
        let expected: Vec<u32> = values.chunks(256).flat_map(scan).collect();
        assert_eq!(rig.read::<u32>(output, 512), expected);
    }
}

/// Lanes take 1 to 32 turns through a loop whose body itself branches.
#[test]
fn lanes_that_diverge_meet_again() {
    let body = "
        mov.u32 %r5, 0; mov.u32 %r6, 0;
    LOOP: and.b32 %r7, %r6, 1; setp.eq.u32 %p0, %r7, 0; @%p0 bra EVEN;
        add.u32 %r5, %r5, 100; bra.uni NEXT;
    EVEN: add.u32 %r5, %r5, 1;
    NEXT: add.u32 %r6, %r6, 1; setp.le.u32 %p1, %r6, %r1; @%p1 bra LOOP;
        activemask.b32 %r8;
        mul.wide.u32 %rd3, %r1, 8; add.s64 %rd3, %rd0, %rd3; st.global.v2.u32 [%rd3], {%r5, %r8};";
    let rig = Rig::new();
    let out = rig.buffer("out", &[0u32; 64]);
    let report = rig.run(&kernel("", body), "k", 1, 32, &[out, 0, 0, 0]).unwrap();
    let got: Vec<u32> = rig.read(out, 64);
    for lane in 0..32 {
        let turns = lane as u32 + 1;
        assert_eq!(got[2 * lane], turns.div_ceil(2) + turns / 2 * 100, "lane {lane}");
        assert_eq!(got[2 * lane + 1], u32::MAX, "all lanes store together");
    }
    assert!(report.counters.divergent_branches >= 31);
}

#[test]
fn an_indexed_branch_sends_each_lane_its_own_way() {
    let body = "
        and.b32 %r5, %r1, 3;
    T: .branchtargets A, B, C, D;
        brx.idx %r5, T;
    A: mov.u32 %r6, 10; bra E;
    B: mov.u32 %r6, 20; bra E;
    C: mov.u32 %r6, 30; bra E;
    D: mov.u32 %r6, 40;
    E: mul.wide.u32 %rd3, %r1, 4; add.s64 %rd3, %rd0, %rd3; st.global.u32 [%rd3], %r6;";
    let rig = Rig::new();
    let out = rig.buffer("out", &[0u32; 32]);
    rig.run(&kernel("", body), "k", 1, 32, &[out, 0, 0, 0]).unwrap();
    assert_eq!(rig.read::<u32>(out, 32), (0..32).map(|l| (l % 4 + 1) * 10).collect::<Vec<u32>>());
}

#[test]
fn device_functions_are_called_with_parameters_and_results() {
    let text = format!(
        "{HEADER}
        .func (.param .b32 out) fma2(.param .b32 x, .param .align 4 .b8 pair[8])
        {{ .reg .b32 %r<8>; .reg .pred %p;
          ld.param.b32 %r0, [x]; ld.param.b32 %r1, [pair]; ld.param.b32 %r2, [pair+4];
          setp.eq.u32 %p, %r0, 5; @%p bra FIVE;
          mad.lo.u32 %r3, %r0, %r1, %r2; st.param.b32 [out], %r3; ret;
        FIVE: st.param.b32 [out], 555; ret; }}
        .visible .entry k(.param .u64 p0)
        {{ .reg .b32 %r<8>; .reg .b64 %rd<4>; .reg .pred %p;
          ld.param.u64 %rd0, [p0]; mov.u32 %r0, %tid.x; setp.gt.u32 %p, %r0, 3; mov.u32 %r4, 1;
          {{ .param .b32 a; .param .align 4 .b8 b[8]; .param .b32 r;
            st.param.b32 [a], %r0; st.param.b32 [b], 10; st.param.b32 [b+4], 7;
            call.uni (r), fma2, (a, b); ld.param.b32 %r4, [r]; }}
          mul.wide.u32 %rd1, %r0, 4; add.s64 %rd1, %rd0, %rd1; st.global.u32 [%rd1], %r4; ret; }}"
    );
    let rig = Rig::new();
    let out = rig.buffer("out", &[0u32; 8]);
    rig.run(&text, "k", 1, 8, &[out]).unwrap();
    assert_eq!(rig.read::<u32>(out, 8), [7, 17, 27, 37, 47, 555, 67, 77]);
}

#[test]
fn module_variables_hold_their_initial_values_and_addresses() {
    let text = format!(
        "{HEADER}.const .align 4 .u32 four[4] = {{1, 0x2, 3U, -4}};
        .global .align 8 .u64 where[2] = {{four, generic(count)+4}};
        .global .align 4 .f32 count[2] = {{0f3F800000, 2.5}};
        .visible .entry k(.param .u64 p0)
        {{ .reg .b32 %r<4>; .reg .b64 %rd<8>;
          ld.param.u64 %rd0, [p0]; ld.const.u32 %r0, [four+12]; st.global.u32 [%rd0], %r0;
          ld.global.u64 %rd1, [where]; ld.u32 %r1, [%rd1+4]; st.u32 [%rd0+4], %r1;
          mov.u64 %rd2, where; ld.global.u64 %rd3, [%rd2+8]; ld.global.u32 %r2, [%rd3]; st.global.u32 [%rd0+8], %r2; ret; }}"
    );
    let rig = Rig::new();
    let out = rig.buffer("out", &[0u32; 3]);
    let image = rig.image(&text);
    rig.launch(&image, "k", [1, 1, 1], [1, 1, 1], 0, &[out]).unwrap();
    assert_eq!(rig.read::<u32>(out, 3), [0xffff_fffc, 2, 2.5f32.to_bits()]);
    assert_eq!(image.globals["four"].1, 16);
}

#[test]
fn generic_addresses_reach_shared_local_and_parameter_memory() {
    let body = "
        mov.u64 %rd3, tile; cvta.shared.u64 %rd3, %rd3; mul.wide.u32 %rd4, %r1, 4; add.s64 %rd3, %rd3, %rd4; st.u32 [%rd3], %r1;
        mov.u64 %rd5, stack; cvta.local.u64 %rd5, %rd5; st.u32 [%rd5+8], 77; ld.local.u32 %r5, [stack+8];
        mov.b64 %rd6, p3; cvta.param.u64 %rd6, %rd6; ld.u32 %r6, [%rd6];
        isspacep.shared %p0, %rd3; selp.u32 %r7, 1000, 0, %p0; isspacep.global %p1, %rd3; @%p1 add.u32 %r7, %r7, 1;
        bar.sync 0;
        xor.b32 %r8, %r1, 1; mul.wide.u32 %rd7, %r8, 4; mov.u64 %rd8, tile; add.s64 %rd8, %rd8, %rd7; ld.shared.u32 %r9, [%rd8];
        add.u32 %r9, %r9, %r5; add.u32 %r9, %r9, %r6; add.u32 %r9, %r9, %r7;
        add.s64 %rd9, %rd0, %rd4; st.global.u32 [%rd9], %r9;";
    let rig = Rig::new();
    let out = rig.buffer("out", &[0u32; 64]);
    let text = kernel(".shared .align 4 .b8 tile[256]; .local .align 8 .b8 stack[16];", body);
    let report = rig.run(&text, "k", 1, 64, &[out, 0, 0, 5000]).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(rig.read::<u32>(out, 64), (0..64).map(|t| (t ^ 1) + 77 + 5000 + 1000).collect::<Vec<u32>>());
}

#[test]
fn atomics_of_parallel_blocks_lose_nothing() {
    let body = "
        red.global.add.u32 [%rd0], 1; atom.global.add.f32 %f0, [%rd0+4], 0f3F800000; atom.global.max.s32 %f1, [%rd0+8], %r4;
        atom.global.add.u64 %rd3, [%rd1], 3; atom.global.add.f64 %fd0, [%rd1+8], 0d3FE0000000000000;
        red.global.add.noftz.f16x2 [%rd0+12], %r5; atom.global.inc.u32 %f2, [%rd0+16], 9; red.global.or.b32 [%rd0+20], %r3;
    TRY: ld.relaxed.gpu.global.u32 %r6, [%rd0+24]; add.u32 %r7, %r6, 2; atom.global.cas.b32 %r8, [%rd0+24], %r6, %r7;
        setp.ne.u32 %p0, %r8, %r6; @%p0 bra TRY;
        atom.global.exch.b32 %f3, [%rd0+28], 42;";
    let rig = Rig::new();
    let (words, wide) = (rig.buffer("words", &[0u32, 0, 0x8000_0000, 0, 0, 0, 0, 0]), rig.buffer("wide", &[0u64, 0]));
    let report = rig.run(&kernel("", &body.replace("%r5;", "0x3c003c00;")), "k", 4, 64, &[words, wide, 0, 0]).unwrap();
    assert_eq!(report.findings, []);
    assert!(!report.idempotent, "atomics cannot be left out of a repetition");
    assert_eq!(rig.read::<u32>(words, 8), [256, 256f32.to_bits(), 255, 0x5c00_5c00, 6, 64, 512, 42]);
    assert_eq!(rig.read::<u64>(wide, 2), [768, 128f64.to_bits()]);
}

#[test]
fn small_loads_extend_and_rarer_atomics_do_as_the_manual_says() {
    // %h0 holds more than 16 bits once a signed half was loaded: a comparison of halves looks at 16.
    let body = "
        ld.global.s16 %h0, [%rd0]; mov.u16 %h1, 7; atom.global.cas.b16 %h2, [%rd0+2], %h0, %h1;
        ld.global.s8 %r5, [%rd0+4]; st.global.u32 [%rd1], %r5; ld.global.s16 %r6, [%rd0+4]; st.global.u32 [%rd1+4], %r6;
        ld.global.u8 %r5, [%rd0+4]; st.global.u32 [%rd1+8], %r5;
        atom.global.min.s32 %r7, [%rd0+8], -3; st.global.u32 [%rd1+12], %r7; atom.global.min.u32 %r7, [%rd0+12], 5;
        atom.global.dec.u32 %r7, [%rd0+16], 9; atom.global.dec.u32 %r7, [%rd0+20], 9; atom.global.dec.u32 %r7, [%rd0+24], 9;";
    let rig = Rig::new();
    let words = rig.buffer("words", &[0xffff_ffffu32, 0x80fe, 2, 7, 4, 0, 12]);
    let out = rig.buffer("out", &[0u32; 4]);
    rig.run(&kernel("", body), "k", 1, 1, &[words, out, 0, 0]).unwrap();
    assert_eq!(rig.read::<u32>(out, 4), [0xffff_fffe, 0xffff_80fe, 0xfe, 2]);
    assert_eq!(rig.read::<u32>(words, 7), [0x0007_ffff, 0x80fe, 0xffff_fffd, 5, 3, 9, 9]);
}

#[test]
fn results_do_not_depend_on_seed_or_threads() {
    let mut noise = Noise(1);
    let values: Vec<f32> = (0..1024).map(|_| noise.small()).collect();
    let body = "
        mul.wide.u32 %rd3, %r4, 4; add.s64 %rd4, %rd0, %rd3; ld.global.f32 %f0, [%rd4];
        mov.f32 %f1, %f0; mov.u32 %r5, 0;
    L: fma.rn.f32 %f1, %f1, 0f3F7F0000, %f0; add.u32 %r5, %r5, 1; setp.lt.u32 %p0, %r5, %r2; @%p0 bra L;
        add.s64 %rd5, %rd1, %rd3; st.global.f32 [%rd5], %f1;";
    let mut all = Vec::new();
    for (seed, threads) in [(0, 1), (1, 1), (2, 2), (99, 4)] {
        let mut rig = Rig::new();
        rig.options = Options { seed, threads, ..Options::default() };
        let (input, output) = (rig.buffer("in", &values), rig.buffer("out", &[0f32; 1024]));
        let report = rig.run(&kernel("", body), "k", 16, 64, &[input, output, 0, 0]).unwrap();
        all.push((rig.read::<u32>(output, 1024), report.counters));
    }
    assert!(all.windows(2).all(|w| w[0] == w[1]));
}

#[test]
fn a_block_that_waits_for_another_lets_it_run() {
    // Block 0 spins until the last block has raised its flag; one thread runs them all.
    let body = "
        setp.ne.u32 %p0, %r2, 0; @%p0 bra RAISE;
    SPIN: ld.acquire.gpu.global.u32 %r5, [%rd0]; setp.ne.u32 %p1, %r5, 3; @%p1 bra SPIN;
        ld.global.u32 %r6, [%rd1]; st.global.u32 [%rd0+4], %r6; ret;
    RAISE: setp.ne.u32 %p2, %r2, 3; @%p2 bra COUNT; st.global.u32 [%rd1], 99;
    COUNT: membar.gl; atom.global.add.u32 %r7, [%rd0], 1;";
    let mut rig = Rig::new();
    rig.options.threads = 1;
    let (flag, data) = (rig.buffer("flag", &[0u32; 2]), rig.buffer("data", &[0u32]));
    let report = rig.run(&kernel("", body), "k", 4, 1, &[flag, data, 0, 0]).unwrap();
    assert_eq!(rig.read::<u32>(flag, 2), [3, 99]);
    assert_eq!(report.findings, [], "a fence and an atomic order the blocks");
}

#[test]
fn a_barrier_over_the_grid_opens_for_as_many_blocks_as_are_kept_waiting() {
    let body = "membar.gl; red.global.add.u32 [%rd0], 1;
    SPIN: nanosleep.u32 20; ld.acquire.gpu.global.u32 %r5, [%rd0]; mov.u32 %r6, %nctaid.x; setp.lt.u32 %p0, %r5, %r6; @%p0 bra SPIN;";
    for (blocks, opens) in [(4, true), (64, true), (65, false)] {
        let mut rig = Rig::new();
        rig.options.threads = 1;
        rig.options.limits.warp_instructions = 1_000_000;
        let count = rig.buffer("count", &[0u32]);
        let ran = rig.run(&kernel("", body), "k", blocks, 1, &[count, 0, 0, 0]);
        match ran {
            Ok(report) => assert!(opens && report.findings.is_empty(), "{blocks} blocks: {:?}", report.findings),
            Err(fault) => assert!(!opens && matches!(fault, Fault::Timeout(_)), "{blocks} blocks: {fault}"),
        }
    }
}

#[test]
fn a_kernel_that_never_ends_is_stopped() {
    let mut rig = Rig::new();
    rig.options.limits.warp_instructions = 10_000_000;
    let fault = rig.run(&kernel("", "L: add.u32 %r5, %r5, 1; bra L;"), "k", 1, 32, &[0, 0, 0, 0]).unwrap_err();
    assert!(matches!(&fault, Fault::Timeout(f) if f.kind == FindingKind::Deadlock), "{fault}");
}

#[test]
fn launches_that_cannot_be_are_refused_with_the_reason() {
    let rig = Rig::new();
    let image = rig.image(&kernel("", ""));
    let refuse = |kernel: &str, block: [u32; 3], grid: [u32; 3]| {
        let params = vec![0; 28];
        let launch = vgpu::launch::Launch { grid, block, dynamic_shared_bytes: 0, params };
        vgpu::launch::run(&image, kernel, &launch, &rig.memory, &rig.options).unwrap_err().to_string()
    };
    assert_eq!(refuse("nope", [1, 1, 1], [1, 1, 1]), "`nope` is not in the module");
    assert!(refuse("k", [1025, 1, 1], [1, 1, 1]).contains("1 to 1024 threads"));
    assert!(refuse("k", [1, 0, 1], [1, 1, 1]).contains("1 to 1024 threads"));
    assert!(refuse("k", [1, 1, 1], [0, 1, 1]).contains("grid"));
}
