//! Matrix instructions against plain loops, with the fragment layouts as the PTX manual's tables give them, written out separately here.

use half::{bf16, f16};

use super::rig::{Noise, Rig, kernel};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Elem {
    F16,
    Bf16,
    Tf32,
    S8,
    U8,
    F64,
}

impl Elem {
    fn bits(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 16,
            Self::Tf32 => 32,
            Self::S8 | Self::U8 => 8,
            Self::F64 => 64,
        }
    }
    fn encode(self, x: f64) -> u64 {
        match self {
            Self::F16 => f16::from_f64(x).to_bits().into(),
            Self::Bf16 => bf16::from_f64(x).to_bits().into(),
            Self::Tf32 => (x as f32).to_bits().into(),
            Self::S8 => u64::from(x as i8 as u8),
            Self::U8 => u64::from(x as u8),
            Self::F64 => x.to_bits(),
        }
    }
    fn draw(self, noise: &mut Noise) -> f64 {
        match self {
            Self::S8 => f64::from(noise.next() as i8),
            Self::U8 => f64::from(noise.next() as u8),
            // Few bits, so that sums are exact whatever the order.
            _ => f64::from((noise.next() % 17) as i32 - 8) / 4.0,
        }
    }
}

/// Row and column of element `i` of lane `t` of A, as the manual tabulates it for the shape.
fn a_at(m: usize, k: usize, e: Elem, t: usize, i: usize) -> (usize, usize) {
    let (g, q) = (t >> 2, t & 3);
    match (e.bits(), m, k) {
        (16, 16, 8) => (if i < 2 { g } else { g + 8 }, q * 2 + (i & 1)),
        (16, 16, 16) => (if matches!(i, 0 | 1 | 4 | 5) { g } else { g + 8 }, q * 2 + (i & 1) + if i >= 4 { 8 } else { 0 }),
        (32, 16, 4) => (if i == 0 { g } else { g + 8 }, q),
        (32, 16, 8) => (if i == 0 || i == 2 { g } else { g + 8 }, if i < 2 { q } else { q + 4 }),
        (8, 8, 16) => (g, q * 4 + i),
        (8, 16, 16) => (if i < 4 { g } else { g + 8 }, q * 4 + (i & 3)),
        (8, 16, 32) => (if i < 4 || (8..12).contains(&i) { g } else { g + 8 }, q * 4 + (i & 3) + if i >= 8 { 16 } else { 0 }),
        (64, 8, 4) => (g, q),
        (64, 16, _) => (if i.is_multiple_of(2) { g } else { g + 8 }, q + 4 * (i / 2)),
        _ => panic!("no table for {m}x{k}"),
    }
}

fn b_at(k: usize, e: Elem, t: usize, i: usize) -> (usize, usize) {
    let (g, q) = (t >> 2, t & 3);
    let row = match (e.bits(), k) {
        (16, _) => q * 2 + (i & 1) + if i >= 2 { 8 } else { 0 },
        (32, _) => {
            if i == 0 {
                q
            } else {
                q + 4
            }
        }
        (8, _) => q * 4 + (i & 3) + if i >= 4 { 16 } else { 0 },
        _ => q + 4 * i,
    };
    (row, g)
}

fn c_at(t: usize, i: usize) -> (usize, usize) {
    ((t >> 2) + if i < 2 { 0 } else { 8 }, (t & 3) * 2 + (i & 1))
}

struct Case {
    op: &'static str,
    shape: (usize, usize, usize),
    a: Elem,
    b: Elem,
    /// Bits of C and D elements; 32 is f32 or s32.
    acc: usize,
}

const fn case(op: &'static str, shape: (usize, usize, usize), a: Elem, b: Elem, acc: usize) -> Case {
    Case { op, shape, a, b, acc }
}

const CASES: &[Case] = &[
    case("m16n8k8.row.col.f32.f16.f16.f32", (16, 8, 8), Elem::F16, Elem::F16, 32),
    case("m16n8k16.row.col.f32.f16.f16.f32", (16, 8, 16), Elem::F16, Elem::F16, 32),
    case("m16n8k16.row.col.f16.f16.f16.f16", (16, 8, 16), Elem::F16, Elem::F16, 16),
    case("m16n8k8.row.col.f32.bf16.bf16.f32", (16, 8, 8), Elem::Bf16, Elem::Bf16, 32),
    case("m16n8k16.row.col.f32.bf16.bf16.f32", (16, 8, 16), Elem::Bf16, Elem::Bf16, 32),
    case("m16n8k4.row.col.f32.tf32.tf32.f32", (16, 8, 4), Elem::Tf32, Elem::Tf32, 32),
    case("m16n8k8.row.col.f32.tf32.tf32.f32", (16, 8, 8), Elem::Tf32, Elem::Tf32, 32),
    case("m8n8k16.row.col.s32.s8.s8.s32", (8, 8, 16), Elem::S8, Elem::S8, 32),
    case("m16n8k16.row.col.s32.s8.s8.s32", (16, 8, 16), Elem::S8, Elem::S8, 32),
    case("m16n8k32.row.col.satfinite.s32.s8.s8.s32", (16, 8, 32), Elem::S8, Elem::S8, 32),
    case("m16n8k32.row.col.s32.u8.s8.s32", (16, 8, 32), Elem::U8, Elem::S8, 32),
    case("m8n8k4.row.col.f64.f64.f64.f64", (8, 8, 4), Elem::F64, Elem::F64, 64),
    case("m16n8k4.row.col.f64.f64.f64.f64", (16, 8, 4), Elem::F64, Elem::F64, 64),
    case("m16n8k8.row.col.f64.f64.f64.f64", (16, 8, 8), Elem::F64, Elem::F64, 64),
    case("m16n8k16.row.col.f64.f64.f64.f64", (16, 8, 16), Elem::F64, Elem::F64, 64),
];

fn registers(count: usize, wide: bool, first: usize) -> String {
    let letter = if wide { "%fd" } else { "%f" };
    format!("{{{}}}", (first..first + count).map(|i| format!("{letter}{i}")).collect::<Vec<_>>().join(","))
}

/// Operands of one case as numbers, and how many registers a lane's fragments take.
struct Problem {
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
    registers: [usize; 3],
    /// Bits of a register.
    word: usize,
}

impl Problem {
    fn new(case: &Case) -> Self {
        let (m, n, k) = case.shape;
        let mut noise = Noise(7);
        let a = (0..m * k).map(|_| case.a.draw(&mut noise)).collect();
        let b = (0..k * n).map(|_| case.b.draw(&mut noise)).collect();
        let c = (0..m * n).map(|_| f64::from((noise.next() % 65) as i32 - 32)).collect();
        let word = if case.acc == 64 { 64 } else { 32 };
        let count = |elements: usize, bits: usize| elements * bits / 32 / word;
        let registers = [count(m * k, case.a.bits()), count(k * n, case.b.bits()), count(m * n, case.acc)];
        Self { a, b, c, registers, word }
    }

    /// The registers of all lanes, one after the other, each in a word of eight bytes.
    fn words(&self, case: &Case) -> Vec<u64> {
        let (m, n, k) = case.shape;
        let [na, nb, nc] = self.registers;
        let mut words = vec![0u64; 32 * (na + nb + nc)];
        let mut put = |lane: usize, first: usize, i: usize, bits: usize, value: u64| {
            let per = (self.word / bits).max(1);
            words[lane * (na + nb + nc) + first + i / per] |= value << (bits * (i % per));
        };
        for lane in 0..32 {
            for i in 0..m * k / 32 {
                let (row, col) = a_at(m, k, case.a, lane, i);
                put(lane, 0, i, case.a.bits(), case.a.encode(self.a[row * k + col]));
            }
            for i in 0..k * n / 32 {
                let (row, col) = b_at(k, case.b, lane, i);
                put(lane, na, i, case.b.bits(), case.b.encode(self.b[row * n + col]));
            }
            for i in 0..m * n / 32 {
                let (row, col) = c_at(lane, i);
                put(lane, na + nb, i, case.acc, case.accumulate(self.c[row * n + col]));
            }
        }
        words
    }

    /// Loads a lane's registers, multiplies, stores those of D.
    fn body(&self, case: &Case) -> String {
        let [na, nb, nc] = self.registers;
        let wide = self.word == 64;
        let reg = |i: usize| if wide { format!("%fd{i}") } else { format!("%f{i}") };
        let ty = if wide { "u64" } else { "u32" };
        let all = na + nb + nc;
        let mut body = format!("mul.lo.u32 %r5, %r1, {all}; mul.wide.u32 %rd3, %r5, 8; add.s64 %rd3, %rd0, %rd3;\n");
        (0..all).for_each(|i| body += &format!("ld.global.{ty} {}, [%rd3+{}];\n", reg(i), i * 8));
        let (ra, rb, rc) = (registers(na, wide, 0), registers(nb, wide, na), registers(nc, wide, na + nb));
        body += &format!("mma.sync.aligned.{} {rc}, {ra}, {rb}, {rc};\n", case.op);
        body += &format!("mul.lo.u32 %r5, %r1, {nc}; mul.wide.u32 %rd3, %r5, 8; add.s64 %rd3, %rd1, %rd3;\n");
        (0..nc).for_each(|i| body += &format!("st.global.{ty} [%rd3+{}], {};\n", i * 8, reg(na + nb + i)));
        body
    }
}

impl Case {
    fn is_integer(&self) -> bool {
        matches!(self.a, Elem::S8 | Elem::U8)
    }
    fn accumulate(&self, x: f64) -> u64 {
        match self.acc {
            64 => x.to_bits(),
            16 => f16::from_f64(x).to_bits().into(),
            _ if self.is_integer() => u64::from(x as i32 as u32),
            _ => (x as f32).to_bits().into(),
        }
    }
    fn value(&self, raw: u64) -> f64 {
        match self.acc {
            64 => f64::from_bits(raw),
            16 => f16::from_bits(raw as u16).to_f64(),
            _ if self.is_integer() => f64::from(raw as u32 as i32),
            _ => f64::from(f32::from_bits(raw as u32)),
        }
    }
}

#[test]
fn fragments_lie_as_the_manual_says_and_products_add_up() {
    for case in CASES {
        let (m, n, k) = case.shape;
        let p = Problem::new(case);
        let nc = p.registers[2];
        let rig = Rig::new();
        let (input, output) = (rig.buffer("in", &p.words(case)), rig.buffer("out", &vec![0u64; 32 * nc]));
        rig.run(&kernel("", &p.body(case)), "k", 1, 32, &[input, output, 0, 0]).unwrap();
        let got: Vec<u64> = rig.read(output, 32 * nc);
        for lane in 0..32 {
            for i in 0..m * n / 32 {
                let (row, col) = c_at(lane, i);
                let expected = (0..k).fold(p.c[row * n + col], |s, l| s + p.a[row * k + l] * p.b[l * n + col]);
                let per = (p.word / case.acc).max(1);
                let value = case.value(got[lane * nc + i / per] >> (case.acc * (i % per)));
                let expected = if case.acc == 16 { f16::from_f64(expected).to_f64() } else { expected };
                assert_eq!(value, expected, "{}: D[{row}][{col}]", case.op);
            }
        }
    }
}

#[test]
fn a_saturating_integer_product_stops_at_the_limits() {
    let body = "mov.b32 %f0, 0x7f7f7f7f; mov.b32 %f4, 0x7fffffff;\n\
        mma.sync.aligned.m16n8k16.row.col.OP.s32.s8.s8.s32 {%f4,%f5,%f6,%f7}, {%f0,%f0}, {%f0}, {%f4,%f4,%f4,%f4};\n\
        mul.wide.u32 %rd3, %r1, 4; add.s64 %rd3, %rd0, %rd3; st.global.u32 [%rd3], %f4;";
    for (op, expected) in [(".satfinite", i32::MAX), ("", i32::MAX.wrapping_add(16 * 127 * 127))] {
        let rig = Rig::new();
        let out = rig.buffer("out", &[0i32; 32]);
        rig.run(&kernel("", &body.replace(".OP", op)), "k", 1, 32, &[out, 0, 0, 0]).unwrap();
        assert_eq!(rig.read::<i32>(out, 1), [expected]);
    }
}

/// 8×8 halves numbered by row and column, read by `ldmatrix`.
#[test]
fn ldmatrix_gives_rows_or_columns_to_the_lanes() {
    for count in [1usize, 2, 4] {
        for trans in [false, true] {
            let list: Vec<String> = (0..count).map(|i| format!("%f{i}")).collect();
            let mut body = String::from(
                "shl.b32 %r5, %r1, 4; mov.u32 %r6, tile; add.s32 %r5, %r5, %r6;\n\
                 shl.b32 %r7, %r1, 3; mov.u32 %r8, 0;\n\
                 FILL: add.s32 %r9, %r7, %r8; cvt.u16.u32 %h0, %r9; shl.b32 %r10, %r8, 1; add.s32 %r10, %r10, %r5; st.shared.u16 [%r10], %h0;\n\
                 add.s32 %r8, %r8, 1; setp.lt.u32 %p0, %r8, 8; @%p0 bra FILL;\nbar.warp.sync -1;\n",
            );
            let t = if trans { ".trans" } else { "" };
            body += &format!("ldmatrix.sync.aligned.m8n8.x{count}{t}.shared.b16 {{{}}}, [%r5];\n", list.join(","));
            body += "shl.b32 %r5, %r1, 4; cvt.u64.u32 %rd3, %r5; add.s64 %rd3, %rd0, %rd3;\n";
            (0..count).for_each(|i| body += &format!("st.global.u32 [%rd3+{}], %f{i};\n", 4 * i));
            let rig = Rig::new();
            let out = rig.buffer("out", &[0u32; 128]);
            let report = rig.run(&kernel(".shared .align 16 .b8 tile[512];", &body), "k", 1, 32, &[out, 0, 0, 0]).unwrap();
            assert_eq!(report.findings, []);
            let got: Vec<u32> = rig.read(out, 128);
            for lane in 0..32u32 {
                for i in 0..count as u32 {
                    let (line, at) = (lane / 4, lane % 4 * 2);
                    let value = |row: u32, col: u32| i * 64 + row * 8 + col;
                    let (low, high) =
                        if trans { (value(at, line), value(at + 1, line)) } else { (value(line, at), value(line, at + 1)) };
                    assert_eq!(got[(lane * 4 + i) as usize], low | high << 16, "x{count}{t} lane {lane} register {i}");
                }
            }
        }
    }
}

#[test]
fn stmatrix_and_movmatrix_turn_what_ldmatrix_gives() {
    let body = "mov.u32 %r6, tile; shl.b32 %r5, %r1, 4; and.b32 %r5, %r5, 127; add.s32 %r5, %r5, %r6;\n\
        mov.u32 %f0, %r1; movmatrix.sync.aligned.m8n8.trans.b16 %f1, %f0;\n\
        stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%r5], {%f1};\nbar.warp.sync -1;\n\
        ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%f2}, [%r5];\n\
        mul.wide.u32 %rd3, %r1, 4; add.s64 %rd3, %rd0, %rd3; st.global.u32 [%rd3], %f2;";
    let rig = Rig::new();
    let out = rig.buffer("out", &[0u32; 32]);
    rig.run(&kernel(".shared .align 16 .b8 tile[128];", body), "k", 1, 32, &[out, 0, 0, 0]).unwrap();
    assert_eq!(rig.read::<u32>(out, 32), (0..32).collect::<Vec<u32>>());
}

/// D = A·B + C through opaque fragments, for layouts in memory of every combination.
#[test]
fn wmma_multiplies_whatever_the_layout_in_memory() {
    for (shape, (m, n)) in [("m16n16k16", (16, 16)), ("m32n8k16", (32, 8)), ("m8n32k16", (8, 32))] {
        for (ty, regs) in [("f16", 8), ("bf16", 0)] {
            for (al, bl) in [("row", "col"), ("col", "row"), ("row", "row")] {
                let k = 16;
                let (na, nb) = if regs == 8 { (8, 8) } else { (m * k / 64, k * n / 64) };
                let list = |n: usize, first: usize| registers(n, false, first);
                let (ra, rb, rc) = (list(na, 0), list(nb, na), list(8, na + nb));
                let (lda, ldb) = (if al == "row" { k } else { m }, if bl == "row" { n } else { k });
                let middle = if ty == "f16" { "f32.f32" } else { "f32.bf16.bf16.f32" };
                let body = format!(
                    "mov.u32 %r5, {lda}; mov.u32 %r6, {ldb}; mov.u32 %r7, {n};\n\
                     wmma.load.a.sync.aligned.{al}.{shape}.global.{ty} {ra}, [%rd0], %r5;\n\
                     wmma.load.b.sync.aligned.{bl}.{shape}.global.{ty} {rb}, [%rd1], %r6;\n\
                     wmma.load.c.sync.aligned.row.{shape}.global.f32 {rc}, [%rd2], %r7;\n\
                     wmma.mma.sync.aligned.{al}.{bl}.{shape}.{middle} {rc}, {ra}, {rb}, {rc};\n\
                     wmma.store.d.sync.aligned.row.{shape}.global.f32 [%rd2], {rc}, %r7;"
                );
                let mut noise = Noise(3);
                let a: Vec<f32> = (0..m * k).map(|_| noise.small()).collect();
                let b: Vec<f32> = (0..k * n).map(|_| noise.small()).collect();
                let half = |x: &f32| if ty == "f16" { f16::from_f32(*x).to_bits() } else { bf16::from_f32(*x).to_bits() };
                let value = |x: f32| if ty == "f16" { f16::from_f32(x).to_f64() } else { bf16::from_f32(x).to_f64() };
                let rig = Rig::new();
                let pa = rig.buffer("a", &a.iter().map(half).collect::<Vec<u16>>());
                let pb = rig.buffer("b", &b.iter().map(half).collect::<Vec<u16>>());
                let pc = rig.buffer("c", &vec![1f32; m * n]);
                rig.run(&kernel("", &body), "k", 1, 32, &[pa, pb, pc, 0]).unwrap();
                let got: Vec<f32> = rig.read(pc, m * n);
                for row in 0..m {
                    for col in 0..n {
                        let ax = |l: usize| a[if al == "row" { row * k + l } else { l * m + row }];
                        let bx = |l: usize| b[if bl == "row" { l * n + col } else { col * k + l }];
                        let expected = (0..k).fold(1f64, |s, l| s + value(ax(l)) * value(bx(l)));
                        let error = (f64::from(got[row * n + col]) - expected).abs();
                        assert!(
                            error < 1e-5,
                            "{shape} {ty} {al} {bl}: D[{row}][{col}] is {}, expected {expected}",
                            got[row * n + col]
                        );
                    }
                }
            }
        }
    }
}

/// The element types beside halves.
#[test]
fn wmma_multiplies_every_type() {
    for (shape, (m, n, k), elem, ty, acc) in [
        ("m16n16k8", (16, 16, 8), Elem::Tf32, "tf32", "f32"),
        ("m16n16k16", (16, 16, 16), Elem::S8, "s8", "s32"),
        ("m32n8k16", (32, 8, 16), Elem::S8, "s8", "s32"),
        ("m8n32k16", (8, 32, 16), Elem::U8, "u8", "s32"),
        ("m8n8k4", (8, 8, 4), Elem::F64, "f64", "f64"),
    ] {
        let case = Case { op: shape, shape: (m, n, k), a: elem, b: elem, acc: if acc == "f64" { 64 } else { 32 } };
        let Problem { a, b, c, registers: [na, nb, nc], word } = Problem::new(&case);
        let list = |count: usize, first: usize| registers(count, word == 64, first);
        let (ra, rb, rc) = (list(na, 0), list(nb, na), list(nc, na + nb));
        let body = format!(
            "mov.u32 %r5, {k}; mov.u32 %r7, {n};
            wmma.load.a.sync.aligned.row.{shape}.global.{ty} {ra}, [%rd0], %r5;
            wmma.load.b.sync.aligned.col.{shape}.global.{ty} {rb}, [%rd1], %r5;
            wmma.load.c.sync.aligned.row.{shape}.global.{acc} {rc}, [%rd2], %r7;
            wmma.mma.sync.aligned.row.col.{shape}.{acc}.{ty}.{ty}.{acc} {rc}, {ra}, {rb}, {rc};
            wmma.store.d.sync.aligned.row.{shape}.global.{acc} [%rd2], {rc}, %r7;"
        );
        let bytes =
            |values: Vec<u64>, bits: usize| values.iter().flat_map(|v| v.to_le_bytes()[..bits / 8].to_vec()).collect::<Vec<u8>>();
        let turned = (0..k * n).map(|i| elem.encode(b[i % k * n + i / k])).collect();
        let rig = Rig::new();
        let pa = rig.buffer("a", &bytes(a.iter().map(|&x| elem.encode(x)).collect(), elem.bits()));
        let pb = rig.buffer("b", &bytes(turned, elem.bits()));
        let pc = rig.buffer("c", &bytes(c.iter().map(|&x| case.accumulate(x)).collect(), case.acc));
        rig.run(&kernel("", &body), "k", 1, 32, &[pa, pb, pc, 0]).unwrap();
        let got: Vec<u8> = rig.read(pc, m * n * case.acc / 8);
        for (at, word) in got.chunks_exact(case.acc / 8).enumerate() {
            let raw = word.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
            let expected = (0..k).fold(c[at], |s, l| s + a[at / n * k + l] * b[l * n + at % n]);
            assert_eq!(case.value(raw), expected, "{shape} {ty}: element {at}");
        }
    }
}
