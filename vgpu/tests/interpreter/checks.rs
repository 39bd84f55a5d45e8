//! Wrong kernels are caught, right ones are not, and what is said about them can be read.

use vgpu::check::FindingKind::{SharedRace, UninitialisedShared, UnwaitedCopy, WarpRace};
use vgpu::check::{Check, Checks, FindingKind};
use vgpu::launch::Fault;

use super::rig::{Rig, kernel, kinds};

const TILE: &str = ".shared .align 16 .b8 tile[512];";
const PLACE: &str = "mov.u32 %r5, tile; shl.b32 %r6, %r1, 2; add.u32 %r6, %r6, %r5; xor.b32 %r7, %r6, 128; xor.b32 %r8, %r6, 4; shr.u32 %r9, %r1, 5;";

/// Name, body, findings. `COPY`, `MMA` and `OUT` stand for the texts below.
const SHARED: &[(&str, &str, &[FindingKind])] = &[
    ("a barrier between", "st.shared.u32 [%r6], %r1; bar.sync 0; ld.shared.u32 %f0, [%r7];", &[]),
    (
        "written, then read by another warp",
        "st.shared.u32 [%r6], %r1; ld.shared.u32 %f0, [%r7];",
        &[SharedRace, UninitialisedShared],
    ),
    (
        "read, then written by another warp",
        "st.shared.u32 [%r6], %r1; bar.sync 0; ld.shared.u32 %f0, [%r7]; st.shared.u32 [%r6], 1;",
        &[SharedRace],
    ),
    (
        "read, barrier, written",
        "st.shared.u32 [%r6], %r1; bar.sync 0; ld.shared.u32 %f0, [%r7]; bar.sync 0; st.shared.u32 [%r6], 1;",
        &[],
    ),
    ("written by two warps", "st.shared.u32 [tile], %r9;", &[SharedRace]),
    (
        "never written, but never used",
        "ld.shared.u32 %f0, [%r6]; mov.u32 %f1, %f0; add.u32 %f1, %f1, 1; mov.u32 %f1, 0; OUT",
        &[],
    ),
    (
        "never written, moved and used",
        "ld.shared.u32 %f0, [%r6]; mov.u32 %f1, %f0; mov.u32 %f0, 0; add.u32 %f1, %f1, 1; OUT",
        &[UninitialisedShared],
    ),
    (
        "one of four never written, the others used",
        "shl.b32 %r10, %r1, 3; add.u32 %r10, %r10, %r5; st.shared.u32 [%r10], 1; ld.shared.v2.u32 {%f1, %f2}, [%r10]; OUT",
        &[],
    ),
    ("never written, stored", "ld.shared.u32 %f1, [%r6]; OUT", &[UninitialisedShared]),
    ("half written", "st.shared.u16 [%r6], %h0; ld.shared.u32 %f1, [%r6]; OUT", &[UninitialisedShared]),
    (
        "halves of a word by neighbours",
        "and.b32 %r10, %r1, 31; shl.b32 %r10, %r10, 2; shl.b32 %r11, %r9, 1; add.u32 %r10, %r10, %r11; add.u32 %r10, %r10, %r5; st.shared.u16 [%r10], %h0; ld.shared.u16 %h1, [%r10];",
        &[],
    ),
    ("another lane's, no __syncwarp", "st.shared.u32 [%r6], %r1; ld.shared.u32 %f0, [%r8];", &[WarpRace]),
    ("another lane's, after __syncwarp", "st.shared.u32 [%r6], %r1; bar.warp.sync -1; ld.shared.u32 %f0, [%r8];", &[]),
    // %r10 stands 64 bytes on: in the other half of the warp. %r11 is this lane's half.
    (
        "half a warp synchronises, the other half reads",
        "HALVES st.shared.u32 [%r6], %r1; @%p0 bar.warp.sync 0xffff; ld.shared.u32 %f0, [%r10];",
        &[WarpRace],
    ),
    ("a __syncwarp of one lane", "HALVES st.shared.u32 [%r6], %r1; @%p1 bar.warp.sync 1; ld.shared.u32 %f0, [%r8];", &[WarpRace]),
    (
        "each half synchronises and reads its own",
        "HALVES st.shared.u32 [%r6], %r1; bar.warp.sync %r11; ld.shared.u32 %f0, [%r8]; ld.shared.u32 %f0, [%r12];",
        &[],
    ),
    (
        "each half synchronises and reads the other's",
        "HALVES st.shared.u32 [%r6], %r1; bar.warp.sync %r11; ld.shared.u32 %f0, [%r10];",
        &[WarpRace],
    ),
    (
        "each half reads the other's, synchronises and writes",
        "HALVES st.shared.u32 [%r6], %r1; bar.sync 0; ld.shared.u32 %f0, [%r10]; bar.warp.sync %r11; st.shared.u32 [%r6], 1;",
        &[WarpRace],
    ),
    (
        "each half synchronises, then all do",
        "HALVES st.shared.u32 [%r6], %r1; bar.warp.sync %r11; bar.warp.sync -1; ld.shared.u32 %f0, [%r10];",
        &[],
    ),
    (
        "each half writes, synchronises with a third that overlaps both, and hands on",
        "HALVES @%p0 st.shared.u32 [%r6], %r1; @%p0 bar.warp.sync 0xffff; @%p2 bar.warp.sync 0xff00ff00; and.b32 %r13, %r6, 0xffffff9f; @%p3 ld.shared.u32 %f0, [%r13];",
        &[],
    ),
    (
        "read by another lane, then written, no __syncwarp",
        "st.shared.u32 [%r6], %r1; bar.sync 0; ld.shared.u32 %f0, [%r8]; st.shared.u32 [%r6], 1;",
        &[WarpRace],
    ),
    (
        "read by another lane, __syncwarp, written",
        "st.shared.u32 [%r6], %r1; bar.sync 0; ld.shared.u32 %f0, [%r8]; bar.warp.sync 0xffffffff; st.shared.u32 [%r6], 1;",
        &[],
    ),
    (
        "read by another lane, barrier, written",
        "st.shared.u32 [%r6], %r1; bar.sync 0; ld.shared.u32 %f0, [%r8]; bar.sync 0; st.shared.u32 [%r6], 1;",
        &[],
    ),
    (
        "a shuffle orders no memory",
        "st.shared.u32 [%r6], %r1; bar.sync 0; ld.shared.u32 %f0, [%r8]; shfl.sync.idx.b32 %f1, %f0, 0, 31, 0xffffffff; st.shared.u32 [%r6], 1;",
        &[WarpRace],
    ),
    (
        "read by all lanes, then written by one of them",
        "st.shared.u32 [%r6], %r1; bar.sync 0; and.b32 %r10, %r1, 0xffffffe0; shl.b32 %r10, %r10, 2; add.u32 %r10, %r10, %r5; ld.shared.u32 %f0, [%r10]; st.shared.u32 [%r6], 1;",
        &[WarpRace],
    ),
    (
        "matrices belong to all lanes",
        "st.shared.u32 [%r6], %r1; bar.sync 0; and.b32 %r10, %r1, 0xffffffe0; shl.b32 %r10, %r10, 2; add.u32 %r10, %r10, %r5; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%f0}, [%r10]; st.shared.u32 [%r6], 1;",
        &[WarpRace],
    ),
    (
        "a copy over what another lane still reads",
        "st.shared.u32 [%r6], 1; bar.sync 0; ld.shared.u32 %f0, [%r8]; COPY cp.async.wait_all;",
        &[WarpRace],
    ),
    (
        "rows of a matrix that are not there, in lanes that drop them",
        "and.b32 %r11, %r1, 31; shl.b32 %r10, %r11, 4; add.u32 %r10, %r10, %r5; shl.b32 %r12, %r9, 8; add.u32 %r10, %r10, %r12; setp.lt.u32 %p0, %r11, 4; @%p0 st.shared.v4.u32 [%r10], {%r1, %r1, %r1, %r1}; bar.warp.sync -1; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%f1}, [%r10]; setp.ge.u32 %p1, %r11, 16; @%p1 bra END; OUT END:",
        &[],
    ),
    (
        "rows of a matrix that are not there, stored",
        "and.b32 %r11, %r1, 31; shl.b32 %r10, %r11, 4; add.u32 %r10, %r10, %r5; shl.b32 %r12, %r9, 8; add.u32 %r10, %r10, %r12; setp.lt.u32 %p0, %r11, 4; @%p0 st.shared.v4.u32 [%r10], {%r1, %r1, %r1, %r1}; bar.warp.sync -1; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%f1}, [%r10]; OUT",
        &[UninitialisedShared],
    ),
    ("own, read and written", "st.shared.u32 [%r6], %r1; ld.shared.u32 %f0, [%r6]; st.shared.u32 [%r6], 1;", &[]),
    ("own, no barrier", "st.shared.u32 [%r6], %r1; ld.shared.u32 %f0, [%r6];", &[]),
    (
        "atomics by all",
        "st.shared.u32 [%r6], 0; bar.sync 0; atom.shared.add.u32 %f0, [tile], 1; red.shared.max.u32 [tile+4], %r1;",
        &[],
    ),
    ("written plainly, then updated by another warp", "st.shared.u32 [%r6], 0; red.shared.add.u32 [%r7], 1;", &[SharedRace]),
    ("written, barrier, updated by another warp", "st.shared.u32 [%r6], 0; bar.sync 0; red.shared.add.u32 [%r7], 1;", &[]),
    (
        "updated, then read plainly by another warp",
        "st.shared.u32 [%r6], 0; bar.sync 0; red.shared.add.u32 [%r6], 1; ld.shared.u32 %f0, [%r7];",
        &[SharedRace],
    ),
    (
        "read plainly, then updated by another warp",
        "st.shared.u32 [%r6], 0; bar.sync 0; ld.shared.u32 %f0, [%r7]; red.shared.add.u32 [%r6], 1;",
        &[SharedRace],
    ),
    (
        "updated, then read by the same warp",
        "st.shared.u32 [%r6], 0; bar.sync 0; red.shared.add.u32 [%r6], 1; ld.shared.u32 %f0, [%r6];",
        &[],
    ),
    ("written plainly, read by a volatile load", "st.shared.u32 [%r6], 1; ld.volatile.shared.u32 %f0, [%r7];", &[SharedRace]),
    (
        "volatile by all, read plainly by its owner",
        "st.volatile.shared.u32 [%r6], 1; ld.shared.u32 %f0, [%r6]; ld.volatile.shared.u32 %f0, [%r7]; st.volatile.shared.u32 [%r6], 2;",
        &[],
    ),
    ("a copy read before its wait", "COPY ld.shared.u32 %f0, [%r6];", &[UnwaitedCopy]),
    (
        "a copy read by another warp after the wait, no barrier",
        "COPY cp.async.wait_all; ld.shared.u32 %f0, [%r7];",
        &[SharedRace, UnwaitedCopy, UninitialisedShared],
    ),
    ("a copy read after wait and barrier", "COPY cp.async.wait_all; bar.sync 0; ld.shared.u32 %f0, [%r7];", &[]),
    ("barrier, but no wait", "COPY bar.sync 0; ld.shared.u32 %f0, [%r7];", &[UnwaitedCopy]),
    (
        "a copy over what another warp still reads",
        "st.shared.u32 [%r6], 1; bar.sync 0; ld.shared.u32 %f0, [%r7]; COPY cp.async.wait_all;",
        &[SharedRace],
    ),
];

#[test]
fn each_kind_of_mistake_in_shared_memory_has_its_finding() {
    let copy = "cvt.u64.u32 %rd5, %r6; mul.wide.u32 %rd4, %r1, 4; add.s64 %rd4, %rd0, %rd4; cp.async.ca.shared.global [%r6], [%rd4], 4; cp.async.commit_group;";
    let out = "mul.wide.u32 %rd6, %r1, 4; add.s64 %rd6, %rd0, %rd6; st.global.u32 [%rd6], %f1;";
    // Rows 1 to 7 of A (lanes 4 and up) are not there; their rows of D lie in the same lanes.
    let mma = "and.b32 %r10, %r1, 31; setp.ge.u32 %p0, %r10, 4; @!%p0 st.shared.u32 [%r6], 0; bar.warp.sync -1; ld.shared.u32 %f4, [%r6]; mov.b32 %f5, 0;
        mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f1,%f2,%f3,%f6}, {%f4,%f5}, {%f5}, {%f5,%f5,%f5,%f5};";
    let halves = "xor.b32 %r10, %r6, 64; and.b32 %r12, %r1, 31; setp.lt.u32 %p0, %r12, 16; selp.b32 %r11, 0xffff, 0xffff0000, %p0; setp.eq.u32 %p1, %r12, 0;
        and.b32 %r13, %r12, 8; setp.ne.u32 %p2, %r13, 0; setp.ge.u32 %p3, %r12, 24; and.b32 %r12, %r6, 0xffffffc0;";
    for (name, body, expected) in SHARED {
        for seed in [0, 1, 2, 5] {
            let mut rig = Rig::new();
            rig.options.seed = seed;
            let input = rig.buffer("in", &[0u32; 64]);
            let body = body.replace("COPY", copy).replace("MMA", mma).replace("OUT", out).replace("HALVES", halves);
            let body = format!("{PLACE} {body}");
            let report = rig.run(&kernel(TILE, &body), "k", 1, 64, &[input, 0, 0, 0]).unwrap();
            let found = kinds(&report);
            // Where two mistakes overlap, the order of the warps decides which of them is seen.
            if expected.len() > 1 {
                assert!(!found.is_empty() && found.iter().all(|k| expected.contains(k)), "{name}, seed {seed}: {found:?}");
            } else {
                assert_eq!(found, *expected, "{name}, seed {seed}");
            }
        }
    }
}

#[test]
fn checks_can_be_switched_off_one_by_one() {
    let body = format!("{PLACE} st.shared.u32 [tile], %r9; ld.shared.u32 %f0, [tile+256]; st.global.u32 [%rd0], %f0;");
    for (checks, expected) in [
        (Checks::ALL, vec![FindingKind::UninitialisedShared, FindingKind::SharedRace, FindingKind::GlobalRace]),
        (Checks::NONE, vec![]),
        (Checks::NONE.with(Check::SharedRaces), vec![FindingKind::SharedRace]),
        (Checks::NONE.with(Check::Uninitialised), vec![FindingKind::UninitialisedShared]),
        (Checks::ALL.without(Check::SharedRaces).without(Check::Uninitialised), vec![FindingKind::GlobalRace]),
    ] {
        let mut rig = Rig::new();
        rig.options.checks = checks;
        let out = rig.buffer("out", &[0u32]);
        let mut found = kinds(&rig.run(&kernel(TILE, &body), "k", 2, 64, &[out, 0, 0, 0]).unwrap());
        found.sort();
        assert_eq!(found, expected, "{checks:?}");
    }
}

#[test]
fn blocks_that_touch_the_same_word_are_caught_unless_they_use_atomics() {
    let word = "mul.wide.u32 %rd3, %r1, 4; add.s64 %rd3, %rd0, %rd3;";
    let own = "mul.wide.u32 %rd4, %r4, 4; add.s64 %rd4, %rd0, %rd4;";
    let half = "mul.wide.u32 %rd4, %r4, 2; add.s64 %rd4, %rd0, %rd4;";
    let cases: &[(&str, String, &[FindingKind], bool)] = &[
        ("each its own", format!("{own} st.global.u32 [%rd4], %r1;"), &[], true),
        ("all the same", format!("{word} st.global.u32 [%rd3], %r1;"), &[FindingKind::GlobalRace], true),
        (
            "one writes what others read",
            format!("{word} {own} ld.global.u32 %f0, [%rd3]; st.global.u32 [%rd4], %f0;"),
            &[FindingKind::GlobalRace],
            false,
        ),
        (
            "reads shared by all",
            format!("{word} {own} ld.global.u32 %f0, [%rd3]; add.s64 %rd4, %rd4, 1024; st.global.u32 [%rd4], %f0;"),
            &[],
            true,
        ),
        (
            "reads and writes its own",
            format!("{own} ld.global.u32 %f0, [%rd4]; add.u32 %f0, %f0, 1; st.global.u32 [%rd4], %f0;"),
            &[],
            false,
        ),
        ("atomics", format!("{word} red.global.add.u32 [%rd3], 1;"), &[], false),
        ("halves of one word", format!("{half} st.global.u16 [%rd4], %h0;"), &[], true),
    ];
    for (name, body, expected, idempotent) in cases {
        let rig = Rig::new();
        let out = rig.buffer("out", &[0u32; 512]);
        let report = rig.run(&kernel("", body), "k", 3, 33, &[out, 0, 0, 0]).unwrap();
        assert_eq!((&kinds(&report)[..], report.idempotent), (*expected, *idempotent), "{name}");
    }
}

#[test]
fn blocks_are_in_order_where_one_hands_on_and_the_other_takes_over() {
    let own = "mul.wide.u32 %rd3, %r2, 4; add.s64 %rd3, %rd1, %rd3;";
    let last = "setp.ne.u32 %p0, %r5, 3; @%p0 exit;";
    let sum = "ld.global.u32 %r6, [%rd1]; ld.global.u32 %r7, [%rd1+8]; add.u32 %r6, %r6, %r7; st.global.u32 [%rd0+4], %r6;";
    let count = |order: &str| format!("atom{order}.global.add.u32 %r5, [%rd0], 1; {last}");
    // Block 0 raises a flag, the others wait for it.
    let flag = |raise: &str, look: &str| {
        format!(
            "setp.ne.u32 %p0, %r2, 0; @%p0 bra LOOK; st.global.u32 [%rd1], 7; {raise} exit;
        LOOK: {look} setp.eq.u32 %p1, %r5, 0; @%p1 bra LOOK; ld.global.u32 %r6, [%rd1];"
        )
    };
    let acquire = "ld.acquire.gpu.global.u32 %r5, [%rd0];";
    let cases: &[(&str, String, bool)] = &[
        ("the last block adds up", format!("{own} st.global.u32 [%rd3], 1; {} {sum}", count(".acq_rel.gpu")), false),
        ("with a fence", format!("{own} st.global.u32 [%rd3], 1; membar.gl; {} {sum}", count("")), false),
        (
            "with a fence of today",
            format!("{own} st.global.u32 [%rd3], 1; fence.acq_rel.gpu; {} {sum}", count(".relaxed.gpu")),
            false,
        ),
        ("without a fence", format!("{own} st.global.u32 [%rd3], 1; {} {sum}", count("")), true),
        ("the fence before the store", format!("{own} membar.gl; st.global.u32 [%rd3], 1; {} {sum}", count("")), true),
        ("the fence after the atomic", format!("{own} st.global.u32 [%rd3], 1; {} membar.gl; {sum}", count("")), true),
        ("a fence within the block", format!("{own} st.global.u32 [%rd3], 1; membar.cta; {} {sum}", count("")), true),
        ("a release within the block", format!("{own} st.global.u32 [%rd3], 1; {} {sum}", count(".acq_rel.cta")), true),
        (
            "an atomic on shared memory",
            format!(
                "{own} st.global.u32 [%rd3], 1; membar.gl; atom.shared.add.u32 %r5, [tile], 1; {} {sum}",
                count("").replace(last, "")
            ),
            true,
        ),
        ("flag, release and acquire", flag("st.release.gpu.global.u32 [%rd0], 1;", acquire), false),
        ("flag, released by red", flag("red.release.gpu.global.add.u32 [%rd0], 1;", acquire), false),
        (
            "flag, fence and volatile",
            flag("membar.gl; st.volatile.global.u32 [%rd0], 1;", "ld.volatile.global.u32 %r5, [%rd0];"),
            false,
        ),
        ("flag, relaxed", flag("st.relaxed.gpu.global.u32 [%rd0], 1;", acquire), true),
        ("flag, stored plainly", flag("membar.gl; st.global.u32 [%rd0], 1;", acquire), true),
        (
            "a word zeroed by one block, updated by others",
            "setp.eq.u32 %p0, %r2, 0; @%p0 st.global.u32 [%rd0], 0; @!%p0 red.global.add.u32 [%rd0], 1;".into(),
            true,
        ),
        ("a word updated by all, read plainly", "red.global.add.u32 [%rd0], 1; ld.global.u32 %r5, [%rd0];".into(), true),
        ("a word read plainly, then updated", "ld.global.u32 %r5, [%rd0]; red.global.add.u32 [%rd0], 1;".into(), true),
        (
            "a word updated by all, read strongly",
            "red.global.add.u32 [%rd0], 1; ld.relaxed.gpu.global.u32 %r5, [%rd0];".into(),
            false,
        ),
        (
            "written over what many read, an unrelated atomic between",
            format!("ld.global.u32 %r6, [%rd1]; {} st.global.u32 [%rd1], 1;", count("")),
            true,
        ),
        (
            "written over what many read, in order",
            format!("ld.global.u32 %r6, [%rd1]; {} st.global.u32 [%rd1], 1;", count(".acq_rel.gpu")),
            false,
        ),
        ("the last block resets the counter", format!("membar.gl; {} st.global.u32 [%rd0], 0;", count("")), false),
    ];
    for (name, body, racy) in cases {
        for (seed, threads) in [(0, 1), (1, 1), (2, 2), (5, 2)] {
            let mut rig = Rig::new();
            (rig.options.seed, rig.options.threads) = (seed, threads);
            let (words, data) = (rig.buffer("words", &[0u32; 4]), rig.buffer("data", &[0u32; 4]));
            let report = rig.run(&kernel(TILE, body), "k", 4, 1, &[words, data, 0, 0]).unwrap();
            let expected: &[FindingKind] = if *racy { &[FindingKind::GlobalRace] } else { &[] };
            let mut found = kinds(&report);
            found.dedup();
            assert_eq!(found, expected, "{name}, seed {seed}: {:?}", report.findings);
        }
    }
}

#[test]
fn two_blocks_that_hand_a_word_to_and_fro_are_in_order() {
    // Each adds to what the other wrote; the semaphore says whose turn it is, and the last one puts it back plainly.
    let body = "LOOK: ld.acquire.gpu.global.u32 %r5, [%rd0]; setp.ne.u32 %p0, %r5, %r2; @%p0 bra LOOK;
        ld.global.u32 %r6, [%rd1]; add.u32 %r6, %r6, 5; st.global.u32 [%rd1], %r6;
        setp.eq.u32 %p1, %r2, 1; @%p1 st.global.u32 [%rd0], 0; @!%p1 red.release.gpu.global.add.u32 [%rd0], 1;";
    let rig = Rig::new();
    let (turn, sum) = (rig.buffer("turn", &[0u32]), rig.buffer("sum", &[0u32]));
    let report = rig.run(&kernel("", body), "k", 2, 1, &[turn, sum, 0, 0]).unwrap();
    assert_eq!((kinds(&report), rig.read::<u32>(sum, 1), rig.read::<u32>(turn, 1)), (vec![], vec![10], vec![0]));
}

/// A fault's finding.
fn fault(body: &str, shared: &str) -> (Rig, Box<vgpu::check::Finding>) {
    let rig = Rig::new();
    let (a, b) = (rig.buffer("weights", &[0u32; 100]), rig.buffer("bias", &[0u32; 8]));
    let fault = rig.run(&kernel(shared, body), "k", 2, 64, &[a, b, 0, 1]).unwrap_err();
    let finding = match fault {
        Fault::Address(f) | Fault::Misaligned(f) | Fault::Trap(f) | Fault::Timeout(f) => f,
        other => panic!("{other}"),
    };
    (rig, finding)
}

#[test]
fn addresses_outside_every_allocation_say_what_is_near() {
    let index = "mul.wide.u32 %rd3, %r4, 4; add.s64 %rd3, %rd0, %rd3;";
    let cases: &[(String, FindingKind, &str)] = &[
        (
            format!("{index} ld.global.u32 %f0, [%rd3];"),
            FindingKind::OutOfBounds,
            "0 bytes past the end of `weights` (400 bytes)",
        ),
        (
            format!("{index} st.global.u32 [%rd3+40], %f0;"),
            FindingKind::OutOfBounds,
            "0 bytes past the end of `weights` (400 bytes)",
        ),
        ("ld.global.u32 %f0, [%rd0+-4];".into(), FindingKind::OutOfBounds, "4 bytes before `weights` (400 bytes)"),
        ("ld.global.u32 %f0, [%rd2];".into(), FindingKind::OutOfBounds, "no allocation is near it"),
        ("ld.global.u32 %f0, [%rd0+2];".into(), FindingKind::Misaligned, "not a multiple of 4"),
        ("ld.global.v4.u32 {%f0,%f1,%f2,%f3}, [%rd0+8];".into(), FindingKind::Misaligned, "not a multiple of 16"),
        ("atom.global.add.u32 %f0, [%rd1+32], 1;".into(), FindingKind::OutOfBounds, "updates 4 bytes of global memory"),
        (
            "mov.u32 %r5, tile; ld.shared.u32 %f0, [%r5+512];".into(),
            FindingKind::OutOfBounds,
            "0 bytes past the end of the block's 512 bytes",
        ),
        ("mov.u32 %r5, tile; st.shared.v2.u32 [%r5+4], {%f0,%f1};".into(), FindingKind::Misaligned, "not a multiple of 8"),
        ("ld.shared.u32 %f0, [%r5+-4];".into(), FindingKind::OutOfBounds, "past the end"),
        ("trap;".into(), FindingKind::Trap, "trap"),
        (
            "mov.u32 %r5, tile; mov.u32 %r6, 4; cp.async.ca.shared.global [%r5], [%rd0+4], 16, %r6;".into(),
            FindingKind::Misaligned,
            "not a multiple of 16",
        ),
        (
            "mov.u32 %r5, tile; mov.u32 %r6, 12; cp.async.cg.shared.global [%r5], [%rd0+2], 16, %r6;".into(),
            FindingKind::Misaligned,
            "not a multiple of 16",
        ),
        (
            "mov.u32 %r5, tile; cp.async.ca.shared.global [%r5], [%rd0+400], 4;".into(),
            FindingKind::OutOfBounds,
            "past the end of `weights`",
        ),
    ];
    for (body, kind, text) in cases {
        let (_, finding) = fault(body, TILE);
        assert_eq!(finding.kind, *kind, "{body}");
        assert!(finding.what.contains(text), "{body}: {}", finding.what);
    }
}

#[test]
fn a_copy_cannot_read_more_than_it_copies() {
    for (size, expected) in [(0, vec![]), (16, vec![]), (20, vec![FindingKind::OutOfBounds])] {
        let rig = Rig::new();
        let input = rig.buffer("in", &[0u32; 64]);
        // Of no bytes the address does not matter.
        let at = if size == 0 { 2 } else { 0 };
        let body = format!(
            "{PLACE} shl.b32 %r6, %r1, 4; add.u32 %r6, %r6, %r5; mov.u32 %r7, {size}; cp.async.cg.shared.global [%r6], [%rd0+{at}], 16, %r7; cp.async.wait_all;"
        );
        let report = rig.run(&kernel(TILE, &body), "k", 1, 32, &[input, 0, 0, 0]).unwrap();
        assert_eq!(kinds(&report), expected, "{size} of 16 bytes");
        assert!(report.findings.iter().all(|f| f.what.contains("copies `20` bytes")), "{:?}", report.findings);
    }
}

#[test]
fn a_failed_assertion_says_what_failed_and_where() {
    let bytes = |text: &str| text.bytes().chain([0]).map(|b| b.to_string()).collect::<Vec<_>>().join(", ");
    let variable = |name: &str, text: &str| format!(".global .align 1 .b8 {name}[{}] = {{{}}};\n", text.len() + 1, bytes(text));
    let globals = variable("what", "i < n") + &variable("file", "gemm.cu") + &variable("place", "void k()");
    let pointer =
        |name: &str, param: &str| format!("mov.u64 %rd5, {name}; cvta.global.u64 %rd5, %rd5; st.param.b64 [{param}], %rd5;");
    let body = format!(
        "setp.ne.u32 %p0, %r1, 5; @%p0 bra END;
        {{ .param .b64 q0; .param .b64 q1; .param .b32 q2; .param .b64 q3; .param .b64 q4; {} {} {} st.param.b32 [q2], 42; st.param.b64 [q4], 1;
        call.uni __assertfail, (q0, q1, q2, q3, q4); }}
    END:",
        pointer("what", "q0"),
        pointer("file", "q1"),
        pointer("place", "q3"),
    );
    let declared = ".extern .func __assertfail(.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);\n";
    let text = kernel("", &body).replacen(".visible", &format!("{declared}{globals}.visible"), 1);
    let fault = Rig::new().run(&text, "k", 1, 32, &[0; 4]).unwrap_err();
    let Fault::Assert(finding) = fault else { panic!("{fault}") };
    assert_eq!((finding.kind, finding.thread), (FindingKind::Assert, [5, 0, 0]));
    assert_eq!(finding.what, "fails the assertion `i < n` in `void k()` (gemm.cu:42)");
}

#[test]
fn guarded_bytes_at_either_end_of_an_allocation_are_nobodys() {
    let rig = Rig::new();
    let words = rig.buffer("words", &[0u32; 64]);
    rig.memory.guard(words, 16).unwrap();
    rig.memory.guard(words + 240, 16).unwrap();
    assert!(rig.memory.guard(words + 20, 4).is_err() && rig.memory.guard(words + 250, 16).is_err());
    let body = "mul.wide.u32 %rd3, %r4, 4; add.s64 %rd3, %rd0, %rd3; ld.global.u32 %f0, [%rd3]; st.global.u32 [%rd3], %f0;";
    let at = |first: u64, threads: u32| rig.run(&kernel("", body), "k", 1, threads, &[words + first, 0, 0, 0]);
    assert!(at(16, 56).is_ok());
    for (first, threads, place) in [
        (12, 32, "4 bytes before the first that kernels may touch of `words` (256 bytes)"),
        (116, 32, "1 bytes past the last that kernels may touch of `words` (256 bytes)"),
    ] {
        let Err(Fault::Address(finding)) = at(first, threads) else { panic!("{first} was let through") };
        assert!(finding.kind == FindingKind::OutOfBounds && finding.what.contains(place), "{finding}");
    }
    rig.memory.write(words, &[7; 256]).unwrap();
    assert_eq!(rig.read::<u32>(words + 240, 4), [0x0707_0707; 4]);
}

#[test]
fn freed_memory_is_known_for_what_it_was() {
    let rig = Rig::new();
    let (old, new) = (rig.buffer("old", &[0u32; 8]), rig.buffer("new", &[0u32; 8]));
    rig.memory.free(old).unwrap();
    let fault = rig.run(&kernel("", "ld.global.u32 %f0, [%rd0+12];"), "k", 1, 1, &[old, new, 0, 0]).unwrap_err();
    let Fault::Address(finding) = fault else { panic!("{fault}") };
    assert_eq!(finding.kind, FindingKind::Freed);
    assert!(finding.what.contains("12 bytes into `old` (32 bytes), which was freed"), "{}", finding.what);
    assert!(rig.memory.free(old).unwrap_err().to_string().contains("which was freed"));
}

#[test]
fn a_finding_reads_like_a_person_wrote_it() {
    let body = ".file 1 \"gemm.cu\"\n.loc 1 42 7\n setp.eq.u32 %p0, %r4, 70; @%p0 st.global.u32 [%rd0+400], %r1;";
    let (rig, finding) = fault(body, TILE);
    let base = finding.address.unwrap() - 400;
    let line = finding.ptx_line;
    let expected = format!(
        "access out of bounds in `k`\n\
         \x20 thread (6, 0, 0) of block (1, 0, 0) writes 4 bytes of global memory at {:#x}: 0 bytes past the end of `weights` (400 bytes)\n\
         \x20 launched as 2 blocks of 64 threads\n\
         \x20 at ptx line {line}: setp.eq.u32 %p0, %r4, 70; @%p0 st.global.u32 [%rd0+400], %r1;\n\
         \x20 from gemm.cu:42",
        base + 400
    );
    assert_eq!(finding.to_string(), expected);
    assert_eq!(rig.memory.find(base).map(|f| (f.1, f.2)), Some((base, 400)));
}

#[test]
fn many_findings_at_one_instruction_are_told_once_with_their_number() {
    let rig = Rig::new();
    let out = rig.buffer("out", &[0u32]);
    let report = rig
        .run(
            &kernel(TILE, &format!("{PLACE} ld.shared.u32 %f0, [%r6]; setp.eq.u32 %p0, %f0, 1; @%p0 exit;")),
            "k",
            5,
            96,
            &[out, 0, 0, 0],
        )
        .unwrap();
    assert_eq!(report.findings.len(), 1);
    assert_eq!((report.findings[0].times, report.findings[0].block), (15, [0, 0, 0]));
}

#[test]
fn what_a_launch_read_and_wrote_is_told_and_versions_move() {
    let rig = Rig::new();
    let (a, b, c) = (rig.buffer("a", &[1u32; 64]), rig.buffer("b", &[0u32; 64]), rig.buffer("c", &[0u32; 64]));
    let id = |p: u64| rig.memory.find(p).unwrap().0;
    let before = [a, b, c].map(|p| rig.memory.version(id(p)));
    let body = "mul.wide.u32 %rd3, %r1, 4; add.s64 %rd4, %rd0, %rd3; add.s64 %rd5, %rd1, %rd3; ld.global.u32 %f0, [%rd4]; st.global.u32 [%rd5], %f0;";
    let report = rig.run(&kernel("", body), "k", 1, 64, &[a, b, c, 0]).unwrap();
    assert_eq!((report.reads, report.writes), (vec![id(a)], vec![id(b)]));
    let after = [a, b, c].map(|p| rig.memory.version(id(p)));
    assert_eq!([after[0] - before[0], after[1] - before[1], after[2] - before[2]], [0, 1, 0]);
}

#[test]
fn memory_keeps_to_its_capacity_and_its_ranges() {
    let memory = vgpu::memory::Memory::new(4096);
    let a = memory.alloc(1000, "a").unwrap();
    assert_eq!((a % 512, memory.free_bytes()), (0, 3072));
    assert_eq!(memory.alloc(3073, "b").unwrap_err().to_string(), "`3073` bytes do not fit: `3072` of `4096` bytes are free");
    memory.fill(a + 1, &[1, 2, 3], 300).unwrap();
    memory.copy(a + 3, a + 1, 600).unwrap();
    let mut got = [0u8; 8];
    memory.read(a, &mut got).unwrap();
    assert_eq!(got, [0, 1, 2, 1, 2, 3, 1, 2]);
    assert!(memory.write(a + 999, &[0, 0]).is_err() && memory.read(a + 1000, &mut got[..1]).is_err());
    memory.free(a).unwrap();
    assert_eq!(memory.free_bytes(), 4096);
    assert!(memory.write(a, &[0]).unwrap_err().to_string().contains("which was freed"));
}
