//! What is not PTX, or not supported, is refused with its line.

use super::kernels::SCAN;
use super::rig::{HEADER, Noise, Rig, kernel};

fn refusal(body: &str) -> String {
    let text =
        format!("{HEADER}.visible .entry k()\n{{\n.reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .pred %p<9>;\n{body}\nret;\n}}\n");
    vgpu::ptx::parse(&text).map(|_| String::from("accepted")).unwrap_or_else(|e| e.to_string())
}

#[test]
fn what_is_not_supported_is_named_with_its_line() {
    let cases = [
        ("frobnicate.u32 %r1, %r2;", "ptx line 7: opcode `frobnicate.u32` is not supported"),
        ("wgmma.fence.sync.aligned;", "ptx line 7: opcode `wgmma.fence.sync.aligned` is not supported"),
        ("cp.async.bulk.commit_group;", "ptx line 7: opcode `cp.async.bulk.commit_group` is not supported"),
        ("add.wrong.u32 %r1, %r2, %r3;", "ptx line 7: `add.wrong.u32`: modifier `.wrong` is not supported"),
        ("\nadd.u32 %r1, %rd2, %r3;", "ptx line 8: operand `%rd2` is a R64 where a R32 is wanted"),
        ("add.u32 %r1, %nope, %r3;", "ptx line 7: `%nope` is not declared"),
        ("add.u32 %r1, %r2;", "ptx line 7: operand 3 is missing"),
        ("bra NOWHERE;", "ptx line 7: label `NOWHERE` is not in this function"),
        ("add.f8 %r1, %r2, %r3;", "ptx line 7: `add.f8` has no type this GPU knows"),
        ("ld.global.v4.u32 %r1, [%rd1];", "ptx line 7: `ld.global.v4.u32` wants `4` registers, not `1`"),
        (
            "mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%r1}, {%r2}, {%r3}, {%r4};",
            "ptx line 7: opcode `mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32` (Volta's layout) is not supported",
        ),
        ("call.uni missing;", "ptx line 7: call of `missing`, which is not in this module, is not supported"),
    ];
    for (body, expected) in cases {
        assert_eq!(refusal(body), expected, "{body}");
    }
}

#[test]
fn a_text_that_is_no_ptx_is_refused() {
    for text in
        ["", "hello", "\u{7f}ELF", ".version 8.0\n.target sm_80\n.address_size 32\n", ".version 8.0 .entry k() { mov.u32 %r1"]
    {
        assert!(vgpu::ptx::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn names_in_inner_scopes_hide_outer_ones() {
    let body = "mov.u32 %f0, 1; {.reg .b32 %f0; mov.u32 %f0, 2; { .reg.b32 %f0, hl; mov.u32 %f0, 3; bra L; L: } }\n\
        { bra L; mov.u32 %f0, 9; L: }\nst.global.u32 [%rd0], %f0;";
    let rig = Rig::new();
    let out = rig.buffer("out", &[0u32]);
    rig.run(&kernel("", body), "k", 1, 1, &[out, 0, 0, 0]).unwrap();
    assert_eq!(rig.read::<u32>(out, 1), [1]);
}

#[test]
fn a_module_says_what_its_kernels_need() {
    let text = format!(
        "{HEADER}.file 1 \"a.cu\"\n.extern .shared .align 16 .b8 dyn[];\n.shared .align 8 .b8 outer[24];\n\
         .visible .entry k(.param .u8 a, .param .align 8 .b8 b[12], .param .f64 c) .maxntid 8, 4, 2 .minnctapersm 1\n\
         {{ .reg .b32 %r<4>; .shared .align 4 .f32 tile[10]; mov.u32 %r0, outer; mov.u32 %r1, dyn; ret; }}\n\
         .entry empty() {{ ret; }}"
    );
    let module = vgpu::ptx::parse(&text).unwrap();
    let k = module.function("k").unwrap();
    assert_eq!((k.max_threads, k.static_shared_bytes, k.param_bytes), (Some(64), 64, 32));
    assert_eq!(k.params.iter().map(|p| (p.offset, p.size)).collect::<Vec<_>>(), [(0, 1), (8, 12), (24, 8)]);
    assert_eq!((module.version, module.target.as_str()), ((8, 0), "sm_80"));
    assert_eq!(module.function("empty").unwrap().static_shared_bytes, 0);
}

/// Words dropped, doubled or swapped: whatever comes of it, it is refused, faults, or runs; nothing falls over.
#[test]
fn mutilated_texts_are_refused_or_run_but_never_bring_the_device_down() {
    let whole = kernel(
        ".shared .align 16 .b8 sums[32]; .local .align 8 .b8 stack[16];",
        &format!(
            "st.local.u32 [stack], %r1; ld.local.v2.u32 {{%f8, %f9}}, [stack]; mov.b64 %rd7, {{%f8, %f9}};
            mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {{%f1,%f2,%f3,%f6}}, {{%f4,%f5}}, {{%f5}}, {{%f5,%f5,%f5,%f5}};
            cp.async.ca.shared.global [sums], [%rd0], 16; cp.async.wait_all; atom.global.add.u32 %f7, [%rd0], 1; {SCAN}"
        ),
    );
    let words: Vec<&str> = whole.split_inclusive([' ', ',', ';', '\n', '.']).collect();
    let mut noise = Noise(11);
    let mut outcomes = [0; 3];
    for _ in 0..1500 {
        let mut cut = words.clone();
        let (at, other) = (noise.next() as usize % cut.len(), noise.next() as usize % cut.len());
        match noise.next() % 3 {
            0 => drop(cut.remove(at)),
            1 => cut.insert(at, words[other]),
            _ => cut.swap(at, other),
        }
        let Ok(module) = vgpu::ptx::parse(&cut.concat()) else {
            outcomes[0] += 1;
            continue;
        };
        let mut rig = Rig::new();
        rig.options.limits.warp_instructions = 20_000;
        let memory = rig.buffer("memory", &[0u32; 256]);
        let image = vgpu::launch::Image::load(std::sync::Arc::new(module), &rig.memory).unwrap();
        let Some(function) = image.module.functions.first() else { continue };
        let mut params = vec![0u8; function.param_bytes as usize];
        params.chunks_exact_mut(8).for_each(|p| p.copy_from_slice(&memory.to_le_bytes()));
        let launch = vgpu::launch::Launch { grid: [2, 1, 1], block: [96, 1, 1], dynamic_shared_bytes: 0, params };
        let ran = vgpu::launch::run(&image, &function.name, &launch, &rig.memory, &rig.options).is_ok();
        outcomes[1 + usize::from(ran)] += 1;
    }
    assert!(outcomes.iter().all(|&n| n > 0), "refused, faulted, ran: {outcomes:?}");
}

/// What would silently mean something else, or fall over when run.
#[test]
fn what_an_instruction_cannot_mean_is_refused() {
    let mma = |types: &str, a: &str, b: &str, c: &str| {
        format!("mma.sync.aligned.{types} {{%f0,%f1,%f2,%f3}}, {{{a}}}, {{{b}}}, {{{c}}};")
    };
    let four = "%f4,%f5,%f6,%f7";
    for (body, says) in [
        ("add.ftz.s32 %r5, %r1, %r1;".to_owned(), "`.ftz`"),
        ("add.sat.u32 %r5, %r1, %r1;".into(), "`.sat`"),
        ("mul.lo.sat.s32 %r5, %r1, %r1;".into(), "`.sat`"),
        ("mad.lo.sat.s32 %r5, %r1, %r1, %r1;".into(), "`.sat`"),
        ("max.relu.u32 %r5, %r1, %r1;".into(), "`.relu`"),
        ("neg.rn.s32 %r5, %r1;".into(), "`.rn`"),
        ("div.sat.s32 %r5, %r1, %r1;".into(), "`.sat`"),
        ("fma.rn.ftz.f64 %fd0, %fd1, %fd2, %fd3;".into(), "`.ftz`"),
        ("add.sat.f64 %fd0, %fd1, %fd2;".into(), "`.sat`"),
        ("neg.ftz.f64 %fd0, %fd1;".into(), "`.ftz`"),
        ("copysign.ftz.f32 %f0, %f1, %f2;".into(), "`.ftz`"),
        ("setp.gt.ftz.s32 %p0, %r1, 0;".into(), "`.ftz`"),
        ("selp.ftz.f32 %f0, %f1, %f2, %p0;".into(), "`.ftz`"),
        ("slct.ftz.s32.s32 %r5, %r1, %r1, %r1;".into(), "`.ftz`"),
        ("cp.async.cg.shared.global [tile], [%rd0], 4;".into(), "only 16"),
        (
            "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%f0,%f1,%f2,%f3,%f4,%f5}, [tile];".into(),
            "`6` registers for the matrices: it wants 4",
        ),
        ("stmatrix.sync.aligned.m8n8.x2.shared.b16 [tile], {%f0};".into(), "`1` registers for the matrices: it wants 2"),
        ("ldmatrix.sync.aligned.m8n8.shared.b16 {%f0}, [tile];".into(), "how many"),
        (mma("m16n8k8.row.col.f32.f16.f16.f32", "%f4,%f5", "%f6,%f7", four), "`2` registers for B: it wants 1"),
        (mma("m16n8k8.row.col.f32.f16.f16.f32", "%f4,%f5", "%f6", "%f4,%f5"), "`2` registers for C: it wants 4"),
        (mma("m16n8k8.row.col.f32.f16.f16.f32", "%fd4,%f5", "%f6", four), "%fd4"),
        (mma("m16n8k8.row.col.s32.f16.bf16.s32", "%f4,%f5", "%f6", four), "do not go together"),
        (mma("m16n8k16.row.col.s32.s8.s8.f32", "%f4,%f5", "%f6", four), "do not go together"),
        (mma("m16n8k32.row.col.f32.f16.f16.f32", "%f4,%f5", "%f6", four), "do not go together"),
        (mma("m16n8k8.row.col.satfinite.f32.f16.f16.f32", "%f4,%f5", "%f6", four), "`.satfinite`"),
        ("wmma.load.a.sync.aligned.row.m5n3k2.global.f16 {%f0}, [%rd0];".into(), "do not go together"),
        ("wmma.load.c.sync.aligned.row.m16n16k16.global.f32 {%f0,%f1,%f2,%f3}, [%rd0];".into(), "it wants 8"),
    ] {
        let said = vgpu::ptx::parse(&kernel(".shared .align 16 .b8 tile[512];", &body)).err().map(|e| e.to_string());
        assert!(said.as_ref().is_some_and(|said| said.contains(says)), "{body}: {said:?}");
    }
}
