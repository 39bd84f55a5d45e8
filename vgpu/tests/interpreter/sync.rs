//! Barriers, votes, exchanges, copies and mbarriers.

use vgpu::check::FindingKind;
use vgpu::launch::Fault;

use super::rig::{Rig, kernel, kinds};

fn words(body: &str, shared: &str, threads: u32) -> (Vec<u32>, Vec<FindingKind>) {
    let rig = Rig::new();
    let out = rig.buffer("out", &vec![0u32; threads as usize]);
    let text =
        kernel(shared, &format!("{body}\nmul.wide.u32 %rd3, %r1, 4; add.s64 %rd3, %rd0, %rd3; st.global.u32 [%rd3], %f0;"));
    let report = rig.run(&text, "k", 1, threads, &[out, 0, 0, 0]).unwrap();
    (rig.read(out, threads as usize), kinds(&report))
}

type Expected = fn(u32) -> u32;

#[test]
fn lanes_exchange_as_asked() {
    let cases: &[(&str, Expected)] = &[
        ("shfl.sync.bfly.b32 %f0, %r1, 1, 31, -1;", |l| l ^ 1),
        ("shfl.sync.down.b32 %f0, %r1, 4, 31, -1;", |l| if l + 4 < 32 { l + 4 } else { l }),
        ("shfl.sync.up.b32 %f0, %r1, 4, 0, -1;", |l| if l >= 4 { l - 4 } else { l }),
        ("shfl.sync.idx.b32 %f0, %r1, 3, 31, -1;", |_| 3),
        // Segments of eight lanes.
        ("shfl.sync.idx.b32 %f0, %r1, 3, 0x181f, -1;", |l| (l & 24) + 3),
        ("shfl.sync.down.b32 %f0, %r1, 1, 0x181f, -1;", |l| if l % 8 == 7 { l } else { l + 1 }),
        ("shfl.sync.up.b32 %f0|%p0, %r1, 1, 0x1800, -1; selp.u32 %f0, 1, 0, %p0;", |l| u32::from(l % 8 != 0)),
        ("setp.lt.u32 %p0, %r1, 5; vote.sync.ballot.b32 %f0, %p0, -1;", |_| 31),
        ("setp.lt.u32 %p0, %r1, 5; vote.sync.any.pred %p1, !%p0, -1; selp.u32 %f0, 1, 0, %p1;", |_| 1),
        ("setp.lt.u32 %p0, %r1, 5; vote.sync.all.pred %p1, %p0, -1; selp.u32 %f0, 1, 0, %p1;", |_| 0),
        ("setp.lt.u32 %p0, %r1, 99; vote.sync.uni.pred %p1, %p0, -1; selp.u32 %f0, 1, 0, %p1;", |_| 1),
        ("and.b32 %r5, %r1, 1; match.any.sync.b32 %f0, %r5, -1;", |l| 0x5555_5555 << (l & 1)),
        ("match.all.sync.b32 %f0|%p0, 7, -1;", |_| u32::MAX),
        ("match.all.sync.b32 %f0|%p0, %r1, -1; selp.u32 %f0, 1, 0, %p0;", |_| 0),
        ("redux.sync.add.u32 %f0, %r1, -1;", |_| 496),
        ("redux.sync.min.s32 %f0, %r1, -1;", |_| 0),
        ("sub.s32 %r5, %r1, 3; redux.sync.max.u32 %f0, %r5, -1;", |_| u32::MAX),
        ("redux.sync.xor.b32 %f0, %r1, -1;", |_| 0),
        ("elect.sync %f0|%p0, -1; selp.u32 %f0, 1, 0, %p0;", |l| u32::from(l == 0)),
        // Halves of the warp, each with its own membermask.
        ("HALVES redux.sync.add.u32 %f0, 1, %r6;", |_| 16),
        ("HALVES redux.sync.max.u32 %f0, %r1, %r6;", |l| l | 15),
        ("HALVES match.any.sync.b32 %f0, 7, %r6;", |l| 0xffff << (l & 16)),
        ("HALVES match.all.sync.b32 %f0|%p1, %r7, %r6;", |l| 0xffff << (l & 16)),
        ("HALVES vote.sync.ballot.b32 %f0, 1, %r6;", |l| 0xffff << (l & 16)),
        ("HALVES vote.sync.all.pred %p1, %p0, %r6; selp.u32 %f0, 1, 0, %p1;", |l| u32::from(l < 16)),
        ("HALVES shfl.sync.bfly.b32 %f0, %r1, 3, 31, %r6;", |l| l ^ 3),
        ("HALVES elect.sync %f0|%p1, %r6;", |l| l & 16),
        ("setp.lt.u32 %p0, %r1, 4; mov.u32 %f0, 0; @%p0 redux.sync.add.u32 %f0, 1, 15;", |l| if l < 4 { 4 } else { 0 }),
        ("setp.lt.u32 %p0, %r1, 4; mov.u32 %f0, 0; @%p0 vote.ballot.b32 %f0, 1;", |l| if l < 4 { 15 } else { 0 }),
        ("mov.u32 %f0, %lanemask_lt;", |l| (1 << l) - 1),
        ("mov.u32 %f0, %lanemask_ge;", |l| !((1 << l) - 1)),
    ];
    let halves = "setp.lt.u32 %p0, %r1, 16; selp.b32 %r6, 0xffff, 0xffff0000, %p0; and.b32 %r7, %r1, 16;";
    for (body, expected) in cases {
        let (got, findings) = words(&body.replace("HALVES", halves), "", 32);
        assert_eq!(got, (0..32).map(expected).collect::<Vec<u32>>(), "{body}");
        assert_eq!(findings, [], "{body}");
    }
}

#[test]
fn an_exchange_without_all_the_lanes_it_names_is_found() {
    let tile = "shl.b32 %r6, %r1, 4; mov.u32 %r5, tile; add.u32 %r6, %r6, %r5; st.shared.v4.u32 [%r6], {%r1, %r1, %r1, %r1}; bar.sync 0;";
    let mma = "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f1,%f2,%f3,%f4}, {%r8,%r8}, {%r8}, {%f1,%f2,%f3,%f4};";
    for (found, body) in [
        (true, "shfl.sync.bfly.b32 %f1, %r1, 1, 31, -1;"),
        (false, "shfl.sync.bfly.b32 %f1, %r1, 1, 31, 0xffff;"),
        (true, "shfl.sync.bfly.b32 %f1, %r1, 1, 31, 0xfffe;"),
        (true, "vote.sync.ballot.b32 %f1, 1, 0x1ffff;"),
        (true, "match.any.sync.b32 %f1, 1, -1;"),
        (true, "match.all.sync.b32 %f1, 1, -1;"),
        (true, "redux.sync.add.u32 %f1, 1, -1;"),
        (true, "elect.sync %f1|%p1, -1;"),
        (true, "bar.warp.sync -1;"),
        (false, "bar.warp.sync 0xffff;"),
        (false, "activemask.b32 %r9; bar.warp.sync %r9;"),
        (true, mma),
        (true, "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%f1}, [%r6];"),
        (true, "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r6], {%f1};"),
        (true, "movmatrix.sync.aligned.m8n8.trans.b16 %f1, %f2;"),
        (true, "wmma.load.a.sync.aligned.row.m16n16k16.shared.f16 {%f1,%f2,%f3,%f4,%f5,%f6,%f7,%f8}, [%r5], 16;"),
    ] {
        let kind = [FindingKind::DivergentBarrier];
        let branch = format!("{tile} setp.lt.u32 %p0, %r1, 16; @!%p0 bra J; {body}\nJ: mov.u32 %f0, 0;");
        assert_eq!(words(&branch, TILE, 32).1, if found { &kind[..] } else { &[] }, "{body}");
        // Lanes that left are not missed.
        let left = format!("{tile} setp.lt.u32 %p0, %r1, 16; @!%p0 exit; {body} mov.u32 %f0, 0;");
        if !body.contains("0xfffe") {
            assert_eq!(words(&left, TILE, 32).1, [], "after an exit: {body}");
        }
    }
}

#[test]
fn a_matrix_product_writes_the_lanes_that_execute_it() {
    let body = "mov.b32 %r8, 0x3c003c00; mov.b32 %f0, 7; mov.b32 %f1, 7; setp.lt.u32 %p0, %r1, 16;
        @%p0 mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%r8,%r8}, {%r8}, {%f0,%f1,%f2,%f3};";
    let (got, findings) = words(body, "", 32);
    assert_eq!((&got[16..], findings), (&[7; 16][..], vec![FindingKind::DivergentBarrier]));
    assert_ne!(got[..16], [7; 16]);
}

#[test]
fn reducing_barriers_count_and_combine_the_whole_block() {
    let cases = [
        ("setp.lt.u32 %p0, %r1, 40; bar.red.popc.u32 %f0, 0, %p0;", 40),
        ("setp.lt.u32 %p0, %r1, 40; bar.red.popc.u32 %f0, 0, !%p0;", 56),
        ("setp.lt.u32 %p0, %r1, 40; barrier.cta.red.and.pred %p1, 0, %p0; selp.u32 %f0, 1, 0, %p1;", 0),
        ("setp.lt.u32 %p0, %r1, 96; barrier.red.and.aligned.pred %p1, 0, %p0; selp.u32 %f0, 1, 0, %p1;", 1),
        ("setp.eq.u32 %p0, %r1, 70; bar.red.or.pred %p1, 0, %p0; selp.u32 %f0, 1, 0, %p1;", 1),
    ];
    for (body, expected) in cases {
        assert_eq!(words(body, "", 96), (vec![expected; 96], vec![]), "{body}");
    }
}

const TILE: &str = ".shared .align 16 .b8 tile[1024]; .shared .align 8 .b8 bar[8];";
const PLACE: &str = "mov.u32 %r5, tile; shl.b32 %r6, %r1, 2; add.u32 %r6, %r6, %r5; shr.u32 %r7, %r1, 5;";

#[test]
fn named_barriers_order_only_those_who_take_part() {
    // Warps 0 and 1 meet at barrier 1, warps 2 and 3 at barrier 2; each reads what its partner wrote.
    let paired = format!(
        "{PLACE} st.shared.u32 [%r6], %r1; shr.u32 %r8, %r7, 1; add.u32 %r8, %r8, 1; bar.sync %r8, 64; xor.b32 %r9, %r6, 128; ld.shared.u32 %f0, [%r9];"
    );
    assert_eq!(words(&paired, TILE, 128), ((0..128).map(|t| t ^ 32).collect(), vec![]));
    // The same, reading across the pairs.
    let crossed = paired.replace("xor.b32 %r9, %r6, 128", "xor.b32 %r9, %r6, 256");
    let (_, findings) = words(&crossed, TILE, 128);
    assert!(findings.contains(&FindingKind::SharedRace) || findings.contains(&FindingKind::UninitialisedShared), "{findings:?}");
}

#[test]
fn named_barriers_order_updates_too() {
    let paired = format!(
        "{PLACE} st.shared.u32 [%r6], 5; shr.u32 %r8, %r7, 1; add.u32 %r8, %r8, 1; bar.sync %r8, 64; xor.b32 %r9, %r6, 128;
        red.shared.add.u32 [%r9], 1; bar.sync %r8, 64; ld.shared.u32 %f0, [%r6];"
    );
    assert_eq!(words(&paired, TILE, 128), (vec![6; 128], vec![]));
    for (name, wrong) in [
        ("across the pairs", paired.replace("xor.b32 %r9, %r6, 128", "xor.b32 %r9, %r6, 256")),
        ("read with no barrier between", paired.replace("bar.sync %r8, 64; ld", "ld")),
        (
            "updated with no barrier between",
            paired.replace("bar.sync %r8, 64; xor", "bar.sync %r8, 64; bar.sync %r8, 64; ld.shared.u32 %f1, [%r6]; xor"),
        ),
    ] {
        let mut found = words(&wrong, TILE, 128).1;
        found.dedup();
        assert_eq!(found, [FindingKind::SharedRace], "{name}");
    }
}

#[test]
fn a_producer_that_only_arrives_hands_over_to_the_consumer() {
    let body = format!(
        "{PLACE} setp.eq.u32 %p0, %r7, 0; @!%p0 bra CONSUME;
        st.shared.u32 [%r6], %r1; bar.arrive 3, 64; mov.u32 %f0, 0; bra.uni END;
    CONSUME: bar.sync 3, 64; xor.b32 %r9, %r6, 128; ld.shared.u32 %f0, [%r9];
    END:"
    );
    let expected = (0..64u32).map(|t| t.saturating_sub(32)).collect();
    assert_eq!(words(&body, TILE, 64), (expected, vec![]));
}

#[test]
fn an_mbarrier_hands_over_between_warps() {
    let body = format!(
        "{PLACE} mov.u32 %r10, bar; setp.eq.u32 %p0, %r1, 0; @%p0 mbarrier.init.shared.b64 [%r10], 32; bar.sync 0;
        setp.eq.u32 %p1, %r7, 0; @!%p1 bra CONSUME;
        st.shared.u32 [%r6], %r1; mbarrier.arrive.shared.b64 %rd4, [%r10]; mov.u32 %f0, 0; bra.uni END;
    CONSUME: mbarrier.try_wait.parity.shared.b64 %p2, [%r10], 0; @!%p2 bra CONSUME;
        xor.b32 %r9, %r6, 128; ld.shared.u32 %f0, [%r9];
    END:"
    );
    let expected = (0..64u32).map(|t| t.saturating_sub(32)).collect();
    assert_eq!(words(&body, TILE, 64), (expected, vec![]));
}

#[test]
fn warps_that_left_do_not_hold_up_a_barrier() {
    let body = format!(
        "{PLACE} setp.ge.u32 %p0, %r1, 64; @%p0 exit; st.shared.u32 [%r6], %r1; bar.sync 0; xor.b32 %r9, %r6, 128; ld.shared.u32 %f0, [%r9];"
    );
    let expected = (0..96).map(|t| if t < 64 { t ^ 32 } else { 0 }).collect();
    assert_eq!(words(&body, TILE, 96), (expected, vec![]));
}

#[test]
fn a_barrier_in_divergent_code_is_found() {
    let (_, findings) = words("setp.lt.u32 %p0, %r1, 16; @%p0 bar.sync 0; mov.u32 %f0, 0;", "", 32);
    assert_eq!(findings, [FindingKind::DivergentBarrier]);
}

#[test]
fn warps_that_wait_for_nobody_are_a_deadlock() {
    let rig = Rig::new();
    let body = "shr.u32 %r7, %r1, 5; setp.eq.u32 %p0, %r7, 0; @%p0 bra A; bar.sync 1; bra E;\nA: bar.sync 2;\nE:";
    let fault = rig.run(&kernel("", body), "k", 1, 64, &[0, 0, 0, 0]).unwrap_err();
    let Fault::Timeout(finding) = fault else { panic!("{fault}") };
    assert_eq!(finding.kind, FindingKind::Deadlock);
    assert!(finding.what.contains("warp 0 at barrier 2") && finding.what.contains("warp 1 at barrier 1"), "{}", finding.what);
}

/// Copies of 16 bytes a thread, the last eight bytes of odd threads filled with zeros.
#[test]
fn copies_land_at_their_wait_and_fill_with_zeros() {
    let rig = Rig::new();
    let (input, output) = (rig.buffer("in", &(0..128u32).collect::<Vec<_>>()), rig.buffer("out", &[7u32; 128]));
    let body = "
        shl.b32 %r5, %r1, 4; cvt.u64.u32 %rd3, %r5; add.s64 %rd4, %rd0, %rd3; add.s64 %rd5, %rd1, %rd3;
        mov.u32 %r6, tile; add.u32 %r6, %r6, %r5; and.b32 %r7, %r1, 1; shl.b32 %r7, %r7, 3; sub.u32 %r7, 16, %r7;
        cp.async.ca.shared.global [%r6], [%rd4], 16, %r7; cp.async.commit_group; cp.async.wait_group 0; bar.sync 0;
        ld.shared.v4.u32 {%f0, %f1, %f2, %f3}, [%r6]; st.global.v4.u32 [%rd5], {%f0, %f1, %f2, %f3};";
    let report = rig.run(&kernel(TILE, body), "k", 1, 32, &[input, output, 0, 0]).unwrap();
    assert_eq!(kinds(&report), []);
    let expected: Vec<u32> = (0..128).map(|i| if i / 4 % 2 == 1 && i % 4 >= 2 { 0 } else { i }).collect();
    assert_eq!(rig.read::<u32>(output, 128), expected);
}

/// A predicate, or its opposite, says that the source is to be ignored.
#[test]
fn a_copy_that_ignores_its_source_fills_with_zeros() {
    for (ignore, expected) in [("%p0", [0, 1]), ("!%p0", [0, 0])] {
        let rig = Rig::new();
        let (input, output) = (rig.buffer("in", &[0u32, 1]), rig.buffer("out", &[7u32; 2]));
        let body = format!(
            "mul.wide.u32 %rd3, %r1, 4; add.s64 %rd4, %rd0, %rd3; add.s64 %rd5, %rd1, %rd3; mov.u32 %r6, tile; shl.b32 %r5, %r1, 2; add.u32 %r6, %r6, %r5;
            setp.eq.u32 %p0, %r1, 0; cp.async.ca.shared.global [%r6], [%rd4], 4, {ignore}; cp.async.wait_all; ld.shared.u32 %f0, [%r6]; st.global.u32 [%rd5], %f0;"
        );
        rig.run(&kernel(TILE, &body), "k", 1, 2, &[input, output, 0, 0]).unwrap();
        assert_eq!(rig.read::<u32>(output, 2), expected, "{ignore}");
    }
}

/// Three groups in flight; waiting for all but one leaves the last one out.
#[test]
fn a_wait_that_keeps_groups_lands_only_the_older_ones() {
    let stage = |n: u32| format!("cp.async.cg.shared.global [%r6+{}], [%rd4+{}], 16; cp.async.commit_group;\n", n * 512, n * 512);
    let body = |wait: &str, read: u32| {
        format!(
            "shl.b32 %r5, %r1, 4; cvt.u64.u32 %rd5, %r5; add.s64 %rd4, %rd1, %rd5; mov.u32 %r6, tile; add.u32 %r6, %r6, %r5;
            {}{}{} {wait} bar.sync 0; ld.shared.u32 %f0, [%r6+{}];
            mul.wide.u32 %rd3, %r1, 4; add.s64 %rd3, %rd0, %rd3; st.global.u32 [%rd3], %f0;",
            stage(0),
            stage(1),
            stage(2),
            read * 512
        )
    };
    let run = |wait: &str, read: u32| {
        let rig = Rig::new();
        let (out, input) = (rig.buffer("out", &[0u32; 32]), rig.buffer("in", &(0..384u32).collect::<Vec<_>>()));
        let report =
            rig.run(&kernel(".shared .align 16 .b8 tile[1536];", &body(wait, read)), "k", 1, 32, &[out, input, 0, 0]).unwrap();
        (rig.read::<u32>(out, 32), kinds(&report))
    };
    let stage_of = |n: u32| (0..32).map(|t| n * 128 + t * 4).collect::<Vec<u32>>();
    assert_eq!(run("cp.async.wait_group 1;", 1), (stage_of(1), vec![]));
    assert_eq!(run("cp.async.wait_all;", 2), (stage_of(2), vec![]));
    let (got, findings) = run("cp.async.wait_group 1;", 2);
    assert_eq!(findings, [FindingKind::UnwaitedCopy]);
    assert_eq!(got, vec![0xcdcd_cdcd; 32], "the bytes are not there yet");
}
