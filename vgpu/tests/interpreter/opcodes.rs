//! Every opcode form against hand-computed results. `{d}`, `{a}`, `{b}`, `{c}`, `{e}` stand for registers; the letter after them in `form` is their width:
//! h 16, r 32, d 64 bits, p predicate (stored as 0 or 1).

use super::rig::{HEADER, Rig};

/// Text, widths of d and the sources, and cases: sources, expected.
type Form = (&'static str, &'static str, &'static [(&'static [u64], u64)]);

const fn f(x: f32) -> u64 {
    x.to_bits() as u64
}
const fn d(x: f64) -> u64 {
    x.to_bits()
}
/// The NaN of f32 results.
const NAN: u64 = 0x7fff_ffff;
const INF: u64 = 0x7f80_0000;
const NINF: u64 = 0xff80_0000;
const M1: u64 = 0xffff_ffff;
const MIN32: u64 = 0x8000_0000;
const MAX32: u64 = 0x7fff_ffff;

const INTEGERS: &[Form] = &[
    ("add.s32 {d}, {a}, {b};", "rrr", &[(&[MAX32, 1], MIN32), (&[M1, 1], 0)]),
    ("add.sat.s32 {d}, {a}, {b};", "rrr", &[(&[MAX32, 1], MAX32), (&[MIN32, M1], MIN32), (&[3, 4], 7)]),
    ("sub.sat.s32 {d}, {a}, {b};", "rrr", &[(&[MIN32, 1], MIN32), (&[MAX32, M1], MAX32)]),
    ("sub.u32 {d}, {a}, {b};", "rrr", &[(&[0, 1], M1)]),
    ("add.u16 {d}, {a}, {b};", "hhh", &[(&[0xffff, 2], 1)]),
    ("sub.s16 {d}, {a}, {b};", "hhh", &[(&[0, 1], 0xffff)]),
    ("add.s64 {d}, {a}, {b};", "ddd", &[(&[u64::MAX, 2], 1), (&[1 << 40, 5], (1 << 40) + 5)]),
    ("mul.lo.s32 {d}, {a}, {b};", "rrr", &[(&[M1, 7], 0xffff_fff9), (&[0x10000, 0x10000], 0)]),
    ("mul.hi.s32 {d}, {a}, {b};", "rrr", &[(&[M1, 7], M1), (&[0x4000_0000, 8], 2)]),
    ("mul.hi.u32 {d}, {a}, {b};", "rrr", &[(&[M1, 7], 6), (&[M1, M1], 0xffff_fffe)]),
    ("mul.wide.s32 {d}, {a}, {b};", "drr", &[(&[M1, 7], (-7i64) as u64), (&[MIN32, MIN32], 1 << 62)]),
    ("mul.wide.u32 {d}, {a}, {b};", "drr", &[(&[M1, M1], 0xffff_fffe_0000_0001)]),
    ("mul.wide.u16 {d}, {a}, {b};", "rhh", &[(&[0xffff, 0xffff], 0xfffe_0001)]),
    ("mul.wide.s16 {d}, {a}, {b};", "rhh", &[(&[0xffff, 5], 0xffff_fffb)]),
    ("mul.lo.s64 {d}, {a}, {b};", "ddd", &[(&[u64::MAX, 3], (-3i64) as u64)]),
    ("mul.hi.u64 {d}, {a}, {b};", "ddd", &[(&[u64::MAX, u64::MAX], u64::MAX - 1)]),
    ("mul.hi.s64 {d}, {a}, {b};", "ddd", &[(&[u64::MAX, 3], u64::MAX)]),
    ("mul24.lo.u32 {d}, {a}, {b};", "rrr", &[(&[0x0100_0003, 5], 15)]),
    ("mul24.hi.s32 {d}, {a}, {b};", "rrr", &[(&[0x00ff_ffff, 0x00ff_ffff], 0), (&[0x0010_0000, 0x0010_0000], 0x0100_0000)]),
    ("mad.lo.s32 {d}, {a}, {b}, {c};", "rrrr", &[(&[3, 4, 5], 17), (&[M1, 4, 5], 1)]),
    ("mad.hi.u32 {d}, {a}, {b}, {c};", "rrrr", &[(&[M1, 2, 5], 6)]),
    ("mad.hi.sat.s32 {d}, {a}, {b}, {c};", "rrrr", &[(&[MAX32, MAX32, MAX32], MAX32)]),
    ("mad.wide.s32 {d}, {a}, {b}, {c};", "drrd", &[(&[M1, 2, 5], 3), (&[MAX32, 4, 1 << 40], (1 << 40) + 0x1_ffff_fffc)]),
    ("mad.wide.u32 {d}, {a}, {b}, {c};", "drrd", &[(&[M1, M1, 1], 0xffff_fffe_0000_0002)]),
    ("mad24.lo.u32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x0100_0003, 5, 1], 16)]),
    ("div.s32 {d}, {a}, {b};", "rrr", &[(&[0xffff_fff9, 2], 0xffff_fffd), (&[MIN32, M1], MIN32)]),
    ("div.u32 {d}, {a}, {b};", "rrr", &[(&[0xffff_fff9, 2], 0x7fff_fffc)]),
    ("rem.s32 {d}, {a}, {b};", "rrr", &[(&[0xffff_fff9, 2], M1), (&[MIN32, M1], 0)]),
    ("rem.u64 {d}, {a}, {b};", "ddd", &[(&[u64::MAX, 10], 5)]),
    ("div.s64 {d}, {a}, {b};", "ddd", &[(&[(-7i64) as u64, 2], (-3i64) as u64)]),
    ("min.s32 {d}, {a}, {b};", "rrr", &[(&[M1, 1], M1)]),
    ("min.u32 {d}, {a}, {b};", "rrr", &[(&[M1, 1], 1)]),
    ("max.s64 {d}, {a}, {b};", "ddd", &[(&[u64::MAX, 1], 1)]),
    ("max.u16 {d}, {a}, {b};", "hhh", &[(&[0xffff, 1], 0xffff)]),
    ("max.s16 {d}, {a}, {b};", "hhh", &[(&[0xffff, 1], 1)]),
    ("sad.s32 {d}, {a}, {b}, {c};", "rrrr", &[(&[M1, 2, 10], 13)]),
    ("sad.u32 {d}, {a}, {b}, {c};", "rrrr", &[(&[M1, 2, 10], 7)]),
    ("neg.s32 {d}, {a};", "rr", &[(&[1], M1), (&[MIN32], MIN32)]),
    ("abs.s32 {d}, {a};", "rr", &[(&[M1], 1), (&[MIN32], MIN32)]),
    ("abs.s64 {d}, {a};", "dd", &[(&[u64::MAX], 1)]),
    ("not.b32 {d}, {a};", "rr", &[(&[0x0f0f_0f0f], 0xf0f0_f0f0)]),
    ("not.b64 {d}, {a};", "dd", &[(&[0], u64::MAX)]),
    ("not.b16 {d}, {a};", "hh", &[(&[0x00ff], 0xff00)]),
    ("cnot.b32 {d}, {a};", "rr", &[(&[0], 1), (&[5], 0)]),
    ("and.b32 {d}, {a}, {b};", "rrr", &[(&[0xff00, 0x0ff0], 0x0f00)]),
    ("or.b64 {d}, {a}, {b};", "ddd", &[(&[1 << 63, 1], 1 << 63 | 1)]),
    ("xor.b16 {d}, {a}, {b};", "hhh", &[(&[0xffff, 0x00ff], 0xff00)]),
    ("shl.b32 {d}, {a}, {b};", "rrr", &[(&[1, 31], MIN32), (&[1, 32], 0), (&[1, 33], 0), (&[1, M1], 0)]),
    ("shr.u32 {d}, {a}, {b};", "rrr", &[(&[MIN32, 31], 1), (&[MIN32, 32], 0), (&[M1, 200], 0)]),
    ("shr.s32 {d}, {a}, {b};", "rrr", &[(&[MIN32, 31], M1), (&[MIN32, 32], M1), (&[MAX32, 99], 0)]),
    ("shl.b64 {d}, {a}, {b};", "ddr", &[(&[1, 63], 1 << 63), (&[1, 64], 0)]),
    ("shr.s64 {d}, {a}, {b};", "ddr", &[(&[1 << 63, 63], u64::MAX), (&[1 << 63, 64], u64::MAX)]),
    ("shr.u64 {d}, {a}, {b};", "ddr", &[(&[1 << 63, 63], 1), (&[1 << 63, 64], 0)]),
    ("shl.b16 {d}, {a}, {b};", "hhr", &[(&[1, 15], 0x8000), (&[1, 16], 0)]),
    ("shr.s16 {d}, {a}, {b};", "hhr", &[(&[0x8000, 4], 0xf800), (&[0x8000, 16], 0xffff)]),
    ("shf.l.wrap.b32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x8000_0000, 1, 1], 3), (&[5, 9, 32], 9), (&[5, 9, 33], 18)]),
    ("shf.r.wrap.b32 {d}, {a}, {b}, {c};", "rrrr", &[(&[2, 1, 1], 0x8000_0001), (&[5, 9, 32], 5)]),
    ("shf.l.clamp.b32 {d}, {a}, {b}, {c};", "rrrr", &[(&[5, 9, 32], 5), (&[5, 9, 40], 5)]),
    ("shf.r.clamp.b32 {d}, {a}, {b}, {c};", "rrrr", &[(&[5, 9, 32], 9), (&[5, 9, 99], 9)]),
    ("popc.b32 {d}, {a};", "rr", &[(&[0xf0f0], 8), (&[0], 0)]),
    ("popc.b64 {d}, {a};", "rd", &[(&[u64::MAX], 64)]),
    ("clz.b32 {d}, {a};", "rr", &[(&[1], 31), (&[0], 32)]),
    ("clz.b64 {d}, {a};", "rd", &[(&[1], 63), (&[0], 64)]),
    ("brev.b32 {d}, {a};", "rr", &[(&[1], MIN32), (&[0x0000_00ff], 0xff00_0000)]),
    ("brev.b64 {d}, {a};", "dd", &[(&[1], 1 << 63)]),
    ("bfind.u32 {d}, {a};", "rr", &[(&[0], M1), (&[0x100], 8)]),
    ("bfind.s32 {d}, {a};", "rr", &[(&[M1], M1), (&[0xffff_feff], 8)]),
    ("bfind.shiftamt.u32 {d}, {a};", "rr", &[(&[0x100], 23)]),
    ("bfind.u64 {d}, {a};", "rd", &[(&[1 << 40], 40)]),
    ("bfe.u32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0xabcd, 4, 8], 0xbc), (&[M1, 28, 8], 0xf), (&[M1, 32, 4], 0), (&[M1, 3, 0], 0)]),
    ("bfe.s32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0xabcd, 4, 8], 0xffff_ffbc), (&[0x7000_0000, 28, 8], 7), (&[MIN32, 40, 4], M1)]),
    ("bfe.u64 {d}, {a}, {b}, {c};", "ddrr", &[(&[u64::MAX, 60, 8], 0xf)]),
    ("bfe.s64 {d}, {a}, {b}, {c};", "ddrr", &[(&[1 << 10, 0, 11], u64::MAX << 10)]),
    ("bfi.b32 {d}, {a}, {b}, {c}, {e};", "rrrrr", &[(&[0xf, 0, 4, 2], 0x30), (&[0, M1, 8, 8], 0xffff_00ff), (&[5, 7, 32, 4], 7)]),
    ("bfi.b64 {d}, {a}, {b}, {c}, {e};", "dddrr", &[(&[0xff, 0, 60, 8], 0xf << 60)]),
    ("prmt.b32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x3322_1100, 0x7766_5544, 0x7410], 0x7744_1100), (&[0x80, 0, 0x8888], M1)]),
    ("prmt.b32.f4e {d}, {a}, {b}, {c};", "rrrr", &[(&[0x3322_1100, 0x7766_5544, 1], 0x4433_2211)]),
    ("prmt.b32.b4e {d}, {a}, {b}, {c};", "rrrr", &[(&[0x3322_1100, 0x7766_5544, 1], 0x6677_0011)]),
    ("prmt.b32.rc8 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x3322_1100, 0, 2], 0x2222_2222)]),
    ("prmt.b32.ecl {d}, {a}, {b}, {c};", "rrrr", &[(&[0x3322_1100, 0, 2], 0x3322_2222)]),
    ("prmt.b32.ecr {d}, {a}, {b}, {c};", "rrrr", &[(&[0x3322_1100, 0, 1], 0x1111_1100)]),
    ("prmt.b32.rc16 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x3322_1100, 0, 1], 0x3322_3322)]),
    ("lop3.b32 {d}, {a}, {b}, {c}, 0x96;", "rrrr", &[(&[0xff, 0x0f, 0x33], 0xff ^ 0x0f ^ 0x33)]),
    ("lop3.b32 {d}, {a}, {b}, {c}, 0xca;", "rrrr", &[(&[0xf0, 0xaa, 0x55], 0xa5)]),
    ("dp4a.s32.s32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0xff02_0304, 0x0102_0304, 10], 38)]),
    ("dp4a.u32.u32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0xff00_0000, 0x0200_0000, 1], 511)]),
    ("dp4a.s32.u32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0xff00_0000, 0xff00_0000, 0], 0xffff_ff01)]),
    ("dp2a.lo.s32.s32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0xffff_0002, 0x0000_0305, 1], 8)]),
    ("dp2a.hi.u32.u32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x0001_0002, 0x0305_0000, 0], 13)]),
    ("szext.clamp.s32 {d}, {a}, {b};", "rrr", &[(&[0x80, 8], 0xffff_ff80), (&[0x80, 32], 0x80)]),
    ("szext.wrap.u32 {d}, {a}, {b};", "rrr", &[(&[0xfff, 36], 0xf)]),
    ("bmsk.clamp.b32 {d}, {a}, {b};", "rrr", &[(&[4, 8], 0xff0), (&[0, 32], M1)]),
    ("selp.b32 {d}, {a}, {b}, {c};", "rrrp", &[(&[1, 2, 1], 1), (&[1, 2, 0], 2)]),
    ("selp.f64 {d}, {a}, {b}, {c};", "dddp", &[(&[5, 6, 0], 6)]),
    ("slct.s32.s32 {d}, {a}, {b}, {c};", "rrrr", &[(&[1, 2, M1], 2), (&[1, 2, 0], 1)]),
    ("slct.u64.f32 {d}, {a}, {b}, {c};", "dddr", &[(&[1, 2, f(-1.0)], 2), (&[1, 2, f(-0.0)], 1)]),
    ("setp.lt.s32 {d}, {a}, {b};", "prr", &[(&[M1, 0], 1), (&[0, M1], 0)]),
    ("setp.lo.u32 {d}, {a}, {b};", "prr", &[(&[M1, 0], 0), (&[0, M1], 1)]),
    ("setp.ge.s64 {d}, {a}, {b};", "pdd", &[(&[u64::MAX, 0], 0), (&[0, 0], 1)]),
    ("setp.ne.b16 {d}, {a}, {b};", "phh", &[(&[1, 2], 1), (&[7, 7], 0)]),
    ("setp.eq.and.s32 {d}, {a}, {b}, {c};", "prrp", &[(&[1, 1, 1], 1), (&[1, 1, 0], 0), (&[1, 2, 1], 0)]),
    ("setp.eq.or.s32 {d}, {a}, {b}, !{c};", "prrp", &[(&[1, 2, 1], 0), (&[1, 2, 0], 1)]),
    ("set.gt.u32.s32 {d}, {a}, {b};", "rrr", &[(&[1, M1], M1), (&[M1, 1], 0)]),
    ("set.gt.f32.s32 {d}, {a}, {b};", "rrr", &[(&[1, M1], f(1.0))]),
    ("mov.b64 {d}, {{a}, {b}};", "drr", &[(&[1, 2], 2 << 32 | 1)]),
    ("mov.b32 {d}, {{a}, {b}};", "rhh", &[(&[0x1234, 0xabcd], 0xabcd_1234)]),
    ("{.reg .b32 lo; mov.b64 {lo, {d}}, {a};}", "rd", &[(&[7 << 32 | 9], 7)]),
    ("mov.u32 {d}, -5;", "r", &[(&[], 0xffff_fffb)]),
    ("mov.b64 {d}, 0d3FF0000000000000;", "d", &[(&[], d(1.0))]),
    ("mov.f32 {d}, 0f40000000;", "r", &[(&[], f(2.0))]),
    ("max.relu.s32 {d}, {a}, {b};", "rrr", &[(&[0xffff_fffb, 0xffff_fffb], 0), (&[3, 0xffff_fffb], 3)]),
    ("min.relu.s32 {d}, {a}, {b};", "rrr", &[(&[5, 3], 3), (&[0xffff_fffb, 3], 0)]),
    ("mad24.hi.u32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x00ff_ffff, 0x00ff_ffff, 1], 0xffff_fe01)]),
    ("mad24.hi.s32 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x007f_ffff, 0x007f_ffff, MAX32], 0xbfff_feff)]),
    (
        "mad24.hi.sat.s32 {d}, {a}, {b}, {c};",
        "rrrr",
        &[(&[0x007f_ffff, 0x007f_ffff, MAX32], MAX32), (&[0x10000, 0x10000, 1], 0x10001)],
    ),
    ("bmsk.wrap.b32 {d}, {a}, {b};", "rrr", &[(&[36, 40], 0xff0), (&[4, 8], 0xff0)]),
    ("add.cc.u64 {d}, {a}, {b}; addc.u64 {d}, {c}, 0;", "dddd", &[(&[u64::MAX, 1, 5], 6), (&[1, 1, 5], 5)]),
    ("sub.cc.u64 {d}, {a}, {b}; subc.u64 {d}, {c}, 0;", "dddd", &[(&[0, 1, 5], 4), (&[1, 1, 5], 5)]),
    (
        "sub.cc.u32 {d}, {a}, {b}; subc.cc.u32 {d}, {c}, 0; subc.u32 {d}, {e}, 0;",
        "rrrrr",
        &[(&[0, 1, 0, 5], 4), (&[0, 1, 1, 5], 5), (&[1, 1, 0, 5], 5)],
    ),
    ("mad.hi.cc.u32 {d}, {a}, {b}, {c}; addc.u32 {d}, 0, 0;", "rrrr", &[(&[M1, M1, 2], 1), (&[2, 3, 4], 0)]),
    ("add.cc.u32 {d}, {a}, {a}; madc.lo.u32 {d}, {a}, {b}, {c};", "rrrr", &[(&[MIN32, 3, 5], 0x8000_0006), (&[1, 3, 5], 8)]),
    ("add.cc.u32 {d}, {a}, {b}; addc.u32 {d}, {c}, 0;", "rrrr", &[(&[M1, 1, 5], 6), (&[1, 1, 5], 5)]),
    ("sub.cc.u32 {d}, {a}, {b}; subc.u32 {d}, {c}, 0;", "rrrr", &[(&[0, 1, 5], 4), (&[1, 1, 5], 5)]),
    ("mad.lo.cc.u32 {d}, {a}, {b}, {c}; madc.hi.u32 {d}, {a}, {b}, 0;", "rrrr", &[(&[M1, M1, M1], M1), (&[2, 3, 4], 0)]),
];

const FLOATS: &[Form] = &[
    (
        "add.rn.f32 {d}, {a}, {b};",
        "rrr",
        &[(&[f(1.0), f(5.960_464_5e-8)], f(1.0)), (&[INF, NINF], NAN), (&[0x7f80_0001, 0], NAN)],
    ),
    (
        "add.rz.f32 {d}, {a}, {b};",
        "rrr",
        &[(&[f(1.0), f(-1e-20)], 0x3f7f_ffff), (&[f(3.4028235e38), f(3.4028235e38)], 0x7f7f_ffff)],
    ),
    ("add.rm.f32 {d}, {a}, {b};", "rrr", &[(&[f(-1.0), f(-1e-20)], 0xbf80_0001), (&[f(1.0), f(1e-20)], f(1.0))]),
    ("add.rp.f32 {d}, {a}, {b};", "rrr", &[(&[f(1.0), f(1e-20)], 0x3f80_0001), (&[f(-1.0), f(-1e-20)], f(-1.0))]),
    ("add.sat.f32 {d}, {a}, {b};", "rrr", &[(&[f(0.75), f(0.75)], f(1.0)), (&[f(-1.0), 0], 0), (&[NAN, 0], 0)]),
    ("add.ftz.f32 {d}, {a}, {b};", "rrr", &[(&[1, 1], 0), (&[0x8000_0001, 0x8000_0001], 0x8000_0000)]),
    ("add.f32 {d}, {a}, {b};", "rrr", &[(&[1, 1], 2)]),
    ("sub.f32 {d}, {a}, {b};", "rrr", &[(&[f(1.0), f(1.0)], 0), (&[INF, INF], NAN)]),
    ("mul.rn.f32 {d}, {a}, {b};", "rrr", &[(&[f(1e-30), f(1e-10)], f(1e-30f32 * 1e-10)), (&[INF, 0], NAN)]),
    ("mul.rp.f32 {d}, {a}, {b};", "rrr", &[(&[0x3f80_0001, 0x3f80_0001], 0x3f80_0003), (&[1, 1], 1)]),
    ("mul.rz.f32 {d}, {a}, {b};", "rrr", &[(&[0x3f80_0001, 0x3f80_0001], 0x3f80_0002), (&[1, 1], 0)]),
    ("mul.ftz.f32 {d}, {a}, {b};", "rrr", &[(&[f(1e-30), f(1e-10)], 0), (&[1, f(1e30)], 0)]),
    ("mul.sat.f32 {d}, {a}, {b};", "rrr", &[(&[f(2.0), f(2.0)], f(1.0))]),
    (
        "fma.rn.f32 {d}, {a}, {b}, {c};",
        "rrrr",
        &[
            (&[0x3f80_0002, 0x3f80_0002, f(-1.0)], 0x3500_0001),
            (&[0x3f80_0001, 0x3f80_0001, f(-1.0)], 0x3480_0000),
            (&[INF, 0, 0], NAN),
        ],
    ),
    ("fma.rm.f32 {d}, {a}, {b}, {c};", "rrrr", &[(&[f(1.0), f(1.0), f(-1e-20)], 0x3f7f_ffff)]),
    ("fma.rp.f32 {d}, {a}, {b}, {c};", "rrrr", &[(&[f(1.0), f(1.0), f(1e-20)], 0x3f80_0001)]),
    ("fma.rn.ftz.f32 {d}, {a}, {b}, {c};", "rrrr", &[(&[1, f(1.0), f(1.0)], f(1.0))]),
    ("fma.rn.sat.f32 {d}, {a}, {b}, {c};", "rrrr", &[(&[f(2.0), f(2.0), 0], f(1.0))]),
    ("div.rn.f32 {d}, {a}, {b};", "rrr", &[(&[f(1.0), f(3.0)], f(1.0 / 3.0)), (&[f(1.0), 0], INF), (&[0, 0], NAN)]),
    ("div.rz.f32 {d}, {a}, {b};", "rrr", &[(&[f(2.0), f(3.0)], 0x3f2a_aaaa)]),
    ("div.rp.f32 {d}, {a}, {b};", "rrr", &[(&[f(-2.0), f(3.0)], 0xbf2a_aaaa), (&[f(1.0), f(3.0)], 0x3eaa_aaab)]),
    ("div.approx.f32 {d}, {a}, {b};", "rrr", &[(&[f(1.0), f(4.0)], f(0.25))]),
    ("div.full.ftz.f32 {d}, {a}, {b};", "rrr", &[(&[f(9.0), f(3.0)], f(3.0))]),
    ("rcp.rn.f32 {d}, {a};", "rr", &[(&[f(3.0)], f(1.0 / 3.0)), (&[0x8000_0000], NINF)]),
    ("rcp.approx.ftz.f32 {d}, {a};", "rr", &[(&[f(4.0)], f(0.25)), (&[1], INF)]),
    ("sqrt.rn.f32 {d}, {a};", "rr", &[(&[f(2.0)], 0x3fb5_04f3), (&[f(-1.0)], NAN), (&[0x8000_0000], 0x8000_0000)]),
    ("sqrt.rp.f32 {d}, {a};", "rr", &[(&[f(2.0)], 0x3fb5_04f4)]),
    ("sqrt.rm.f32 {d}, {a};", "rr", &[(&[f(2.0)], 0x3fb5_04f3), (&[f(9.0)], f(3.0))]),
    ("rsqrt.approx.f32 {d}, {a};", "rr", &[(&[f(4.0)], f(0.5)), (&[0], INF)]),
    ("ex2.approx.f32 {d}, {a};", "rr", &[(&[f(3.0)], f(8.0)), (&[NINF], 0), (&[f(-130.0)], 0x0008_0000)]),
    ("ex2.approx.ftz.f32 {d}, {a};", "rr", &[(&[f(-130.0)], 0)]),
    ("lg2.approx.f32 {d}, {a};", "rr", &[(&[f(8.0)], f(3.0)), (&[0], NINF), (&[f(-1.0)], NAN)]),
    ("sin.approx.f32 {d}, {a};", "rr", &[(&[0], 0), (&[INF], NAN)]),
    ("cos.approx.f32 {d}, {a};", "rr", &[(&[0], f(1.0))]),
    ("tanh.approx.f32 {d}, {a};", "rr", &[(&[INF], f(1.0))]),
    ("neg.f32 {d}, {a};", "rr", &[(&[f(1.5)], f(-1.5)), (&[0], 0x8000_0000)]),
    ("neg.ftz.f32 {d}, {a};", "rr", &[(&[1], 0x8000_0000)]),
    ("abs.f32 {d}, {a};", "rr", &[(&[f(-1.5)], f(1.5))]),
    ("min.f32 {d}, {a}, {b};", "rrr", &[(&[0, 0x8000_0000], 0x8000_0000), (&[NAN, f(2.0)], f(2.0)), (&[NAN, NAN], NAN)]),
    ("max.f32 {d}, {a}, {b};", "rrr", &[(&[0x8000_0000, 0], 0), (&[f(1.0), 0x7fc0_0000], f(1.0))]),
    ("min.NaN.f32 {d}, {a}, {b};", "rrr", &[(&[f(1.0), NAN], NAN)]),
    ("max.ftz.f32 {d}, {a}, {b};", "rrr", &[(&[1, 0x8000_0000], 0)]),
    ("copysign.f32 {d}, {a}, {b};", "rrr", &[(&[f(-1.0), f(3.0)], f(-3.0)), (&[f(1.0), f(-3.0)], f(3.0))]),
    ("copysign.f64 {d}, {a}, {b};", "ddd", &[(&[d(-1.0), d(3.0)], d(-3.0))]),
    ("testp.finite.f32 {d}, {a};", "pr", &[(&[INF], 0), (&[f(1.0)], 1)]),
    ("testp.infinite.f32 {d}, {a};", "pr", &[(&[NINF], 1), (&[NAN], 0)]),
    ("testp.notanumber.f32 {d}, {a};", "pr", &[(&[NAN], 1), (&[INF], 0)]),
    ("testp.number.f64 {d}, {a};", "pd", &[(&[d(1.0)], 1), (&[d(f64::NAN)], 0)]),
    ("testp.subnormal.f32 {d}, {a};", "pr", &[(&[1], 1), (&[0], 0)]),
    ("testp.normal.f64 {d}, {a};", "pd", &[(&[d(1.0)], 1), (&[1], 0)]),
    ("setp.lt.f32 {d}, {a}, {b};", "prr", &[(&[f(1.0), f(2.0)], 1), (&[NAN, f(2.0)], 0)]),
    ("setp.ltu.f32 {d}, {a}, {b};", "prr", &[(&[NAN, f(2.0)], 1), (&[f(3.0), f(2.0)], 0)]),
    ("setp.ne.f32 {d}, {a}, {b};", "prr", &[(&[NAN, NAN], 0), (&[f(1.0), f(2.0)], 1)]),
    ("setp.neu.f32 {d}, {a}, {b};", "prr", &[(&[NAN, NAN], 1), (&[0, 0x8000_0000], 0)]),
    ("setp.num.f32 {d}, {a}, {b};", "prr", &[(&[NAN, 0], 0), (&[0, 0], 1)]),
    ("setp.nan.f64 {d}, {a}, {b};", "pdd", &[(&[d(f64::NAN), 0], 1)]),
    ("setp.gt.ftz.f32 {d}, {a}, {b};", "prr", &[(&[1, 0], 0)]),
    ("setp.gt.f16 {d}, {a}, {b};", "phh", &[(&[0x3c00, 0x3800], 1), (&[0x7fff, 0], 0)]),
    ("set.eq.f16x2.f16x2 {d}, {a}, {b};", "rrr", &[(&[0x3c00_4000, 0x3c00_3c00], 0x3c00_0000)]),
    ("set.lt.u32.f16x2 {d}, {a}, {b};", "rrr", &[(&[0x3c00_3c00, 0x4000_3c00], 0xffff_0000)]),
    ("add.rn.f64 {d}, {a}, {b};", "ddd", &[(&[d(0.1), d(0.2)], d(0.1 + 0.2))]),
    ("add.rm.f64 {d}, {a}, {b};", "ddd", &[(&[d(1.0), d(-1e-300)], d(1.0) - 1), (&[d(1.0), d(1e-300)], d(1.0))]),
    ("add.rp.f64 {d}, {a}, {b};", "ddd", &[(&[d(1.0), d(1e-300)], d(1.0) + 1)]),
    ("mul.rz.f64 {d}, {a}, {b};", "ddd", &[(&[d(1.0) + 1, d(1.0) + 1], d(1.0) + 2)]),
    ("mul.rp.f64 {d}, {a}, {b};", "ddd", &[(&[d(1.0) + 1, d(1.0) + 1], d(1.0) + 3)]),
    ("fma.rn.f64 {d}, {a}, {b}, {c};", "dddd", &[(&[d(1.0) + 2, d(1.0) + 2, d(-1.0)], 0x3cd0_0000_0000_0001)]),
    ("fma.rz.f64 {d}, {a}, {b}, {c};", "dddd", &[(&[d(1.0), d(1.0), d(-1e-300)], d(1.0) - 1)]),
    ("div.rn.f64 {d}, {a}, {b};", "ddd", &[(&[d(1.0), d(3.0)], d(1.0 / 3.0))]),
    ("div.rp.f64 {d}, {a}, {b};", "ddd", &[(&[d(1.0), d(3.0)], d(1.0 / 3.0) + 1)]),
    ("sqrt.rn.f64 {d}, {a};", "dd", &[(&[d(2.0)], d(std::f64::consts::SQRT_2))]),
    ("rcp.rn.f64 {d}, {a};", "dd", &[(&[d(4.0)], d(0.25))]),
    ("min.f64 {d}, {a}, {b};", "ddd", &[(&[d(f64::NAN), d(2.0)], d(2.0))]),
    ("add.f16 {d}, {a}, {b};", "hhh", &[(&[0x3c00, 0x3c00], 0x4000), (&[0x7bff, 0x7bff], 0x7c00), (&[1, 1], 2)]),
    ("add.f16x2 {d}, {a}, {b};", "rrr", &[(&[0x3c00_4000, 0x3c00_3c00], 0x4000_4200)]),
    ("mul.f16x2 {d}, {a}, {b};", "rrr", &[(&[0x4000_3800, 0x4200_3800], 0x4600_3400)]),
    (
        "fma.rn.f16 {d}, {a}, {b}, {c};",
        "hhhh",
        &[(&[0x3c02, 0x3c02, 0xbc00], 0x1c01), (&[0x3c01, 0x3c01, 0xbc00], 0x1800), (&[0x7c00, 0, 0], 0x7fff)],
    ),
    ("fma.rn.f16x2 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x3c00_4000, 0x4000_4000, 0x3c00_0000], 0x4200_4400)]),
    ("fma.rn.relu.f16 {d}, {a}, {b}, {c};", "hhhh", &[(&[0xbc00, 0x3c00, 0], 0)]),
    ("fma.rn.bf16x2 {d}, {a}, {b}, {c};", "rrrr", &[(&[0x3f80_4000, 0x4000_4000, 0x3f80_0000], 0x4040_4080)]),
    ("fma.rn.bf16 {d}, {a}, {b}, {c};", "hhhh", &[(&[0x3f80, 0x3f80, 0x3b80], 0x3f80), (&[0x3f80, 0x3f80, 0x3b81], 0x3f81)]),
    ("neg.f16x2 {d}, {a};", "rr", &[(&[0x3c00_bc00], 0xbc00_3c00)]),
    ("abs.bf16 {d}, {a};", "hh", &[(&[0xbf80], 0x3f80)]),
    ("max.f16x2 {d}, {a}, {b};", "rrr", &[(&[0x3c00_7fff, 0x4000_3c00], 0x4000_3c00)]),
    ("max.NaN.bf16 {d}, {a}, {b};", "hhh", &[(&[0x3f80, 0x7fc0], 0x7fff)]),
    ("ex2.approx.f16 {d}, {a};", "hh", &[(&[0x4200], 0x4800)]),
    ("sub.f16 {d}, {a}, {b};", "hhh", &[(&[0x4000, 0x3c00], 0x3c00)]),
    ("min.f16 {d}, {a}, {b};", "hhh", &[(&[0x3c00, 0xbc00], 0xbc00), (&[0x7fff, 0x3c00], 0x3c00)]),
    ("mul.bf16 {d}, {a}, {b};", "hhh", &[(&[0x4000, 0x4040], 0x40c0)]),
    ("tanh.approx.f16 {d}, {a};", "hh", &[(&[0], 0), (&[0x7c00], 0x3c00), (&[0xfc00], 0xbc00)]),
    ("neg.ftz.f16 {d}, {a};", "hh", &[(&[1], 0x8000), (&[0x3c00], 0xbc00), (&[0x8000], 0)]),
    ("abs.ftz.f16 {d}, {a};", "hh", &[(&[0x8001], 0), (&[0xbc00], 0x3c00)]),
    ("add.ftz.f16 {d}, {a}, {b};", "hhh", &[(&[1, 0x0400], 0x0400), (&[1, 1], 0)]),
    ("mul.f16 {d}, {a}, {b};", "hhh", &[(&[1, 0x7800], 0x1800)]),
    ("mul.ftz.f16 {d}, {a}, {b};", "hhh", &[(&[1, 0x7800], 0), (&[0x8001, 0x7800], 0x8000), (&[0x3c00, 0x7800], 0x7800)]),
    ("mul.ftz.f16x2 {d}, {a}, {b};", "rrr", &[(&[0x0001_3c00, 0x7800_7800], 0x7800)]),
    ("fma.rn.ftz.f16 {d}, {a}, {b}, {c};", "hhhh", &[(&[1, 0x7800, 0], 0), (&[0x3c00, 0x3c00, 1], 0x3c00)]),
    ("max.ftz.f16 {d}, {a}, {b};", "hhh", &[(&[1, 0x8000], 0)]),
    ("setp.gt.f16 {d}, {a}, {b};", "phh", &[(&[1, 0], 1)]),
    ("setp.gt.ftz.f16 {d}, {a}, {b};", "phh", &[(&[1, 0], 0), (&[0x0400, 0], 1)]),
    ("set.gt.ftz.f16x2.f16x2 {d}, {a}, {b};", "rrr", &[(&[0x0001_3c00, 0], 0x3c00)]),
    ("slct.f32.f32 {d}, {a}, {b}, {c};", "rrrr", &[(&[f(1.0), f(2.0), 0x8000_0001], f(2.0))]),
    ("slct.ftz.f32.f32 {d}, {a}, {b}, {c};", "rrrr", &[(&[f(1.0), f(2.0), 0x8000_0001], f(1.0)), (&[1, 2, f(-1.0)], 2)]),
    ("div.rz.f64 {d}, {a}, {b};", "ddd", &[(&[d(1.0), 0], d(f64::INFINITY)), (&[d(1e300), d(1e-300)], d(f64::MAX))]),
    ("div.rp.f64 {d}, {a}, {b};", "ddd", &[(&[d(-1.0), 0], d(f64::NEG_INFINITY))]),
    ("rcp.rz.f64 {d}, {a};", "dd", &[(&[0], d(f64::INFINITY)), (&[d(-0.0)], d(f64::NEG_INFINITY))]),
    ("rcp.rz.f32 {d}, {a};", "rr", &[(&[0], INF)]),
    ("add.rm.f32 {d}, {a}, {b};", "rrr", &[(&[f(1.0), f(-1.0)], MIN32), (&[0, MIN32], MIN32), (&[0, 0], 0)]),
    ("add.rp.f32 {d}, {a}, {b};", "rrr", &[(&[f(1.0), f(-1.0)], 0), (&[MIN32, MIN32], MIN32)]),
    ("sub.rm.f32 {d}, {a}, {b};", "rrr", &[(&[f(1.0), f(1.0)], MIN32), (&[0, MIN32], 0)]),
    ("fma.rm.f32 {d}, {a}, {b}, {c};", "rrrr", &[(&[f(1.0), f(1.0), f(-1.0)], MIN32), (&[0, f(1.0), 0], 0)]),
    ("add.rm.f64 {d}, {a}, {b};", "ddd", &[(&[d(1.0), d(-1.0)], d(-0.0)), (&[0, 0], 0)]),
    ("fma.rm.f64 {d}, {a}, {b}, {c};", "dddd", &[(&[d(1.0), d(1.0), d(-1.0)], d(-0.0))]),
];

const CONVERSIONS: &[Form] = &[
    ("cvt.s32.s8 {d}, {a};", "rh", &[(&[0x80], 0xffff_ff80)]),
    ("cvt.u32.u8 {d}, {a};", "rr", &[(&[0x1234], 0x34)]),
    ("cvt.s16.s32 {d}, {a};", "hr", &[(&[0x1_8001], 0x8001)]),
    ("cvt.s64.s32 {d}, {a};", "dr", &[(&[M1], u64::MAX)]),
    ("cvt.u64.u32 {d}, {a};", "dr", &[(&[M1], M1)]),
    ("cvt.u32.u64 {d}, {a};", "rd", &[(&[5 << 32 | 7], 7)]),
    ("cvt.sat.u8.s32 {d}, {a};", "rr", &[(&[M1], 0), (&[300], 255)]),
    ("cvt.sat.s8.s32 {d}, {a};", "rr", &[(&[300], 127), (&[0xffff_fe00], 0xffff_ff80)]),
    ("cvt.sat.s32.u32 {d}, {a};", "rr", &[(&[M1], MAX32)]),
    ("cvt.u64.u16 {d}, {a};", "dh", &[(&[0xffff], 0xffff)]),
    ("cvt.s64.s16 {d}, {a};", "dh", &[(&[0xffff], u64::MAX)]),
    ("cvt.u16.u64 {d}, {a};", "hd", &[(&[0x12345], 0x2345)]),
    ("cvt.rn.f32.s32 {d}, {a};", "rr", &[(&[0x0100_0001], f(16_777_216.0)), (&[M1], f(-1.0))]),
    ("cvt.rp.f32.s32 {d}, {a};", "rr", &[(&[0x0100_0001], f(16_777_218.0))]),
    ("cvt.rn.f32.u32 {d}, {a};", "rr", &[(&[M1], f(4_294_967_296.0))]),
    ("cvt.rz.f32.u64 {d}, {a};", "rd", &[(&[u64::MAX], 0x5f7f_ffff)]),
    ("cvt.rn.f32.s64 {d}, {a};", "rd", &[(&[u64::MAX], f(-1.0))]),
    ("cvt.rn.f64.s32 {d}, {a};", "dr", &[(&[M1], d(-1.0))]),
    ("cvt.rn.f64.u64 {d}, {a};", "dd", &[(&[u64::MAX], d(18_446_744_073_709_551_616.0))]),
    ("cvt.rz.f64.u64 {d}, {a};", "dd", &[(&[u64::MAX], d(18_446_744_073_709_551_616.0) - 1)]),
    ("cvt.rni.s32.f32 {d}, {a};", "rr", &[(&[f(2.5)], 2), (&[f(3.5)], 4), (&[f(-2.5)], 0xffff_fffe)]),
    ("cvt.rzi.s32.f32 {d}, {a};", "rr", &[(&[f(-2.9)], 0xffff_fffe), (&[f(1e20)], MAX32), (&[f(-1e20)], MIN32), (&[NAN], 0)]),
    ("cvt.rmi.s32.f32 {d}, {a};", "rr", &[(&[f(-2.1)], 0xffff_fffd)]),
    ("cvt.rpi.s32.f32 {d}, {a};", "rr", &[(&[f(2.1)], 3)]),
    ("cvt.rzi.u32.f32 {d}, {a};", "rr", &[(&[f(-1.0)], 0), (&[f(5e9)], M1)]),
    ("cvt.rzi.u8.f32 {d}, {a};", "rr", &[(&[f(300.0)], 255)]),
    ("cvt.rzi.s64.f32 {d}, {a};", "dr", &[(&[NAN], 1 << 63), (&[f(-1.5)], u64::MAX)]),
    ("cvt.rzi.s32.f64 {d}, {a};", "rd", &[(&[d(f64::NAN)], MIN32), (&[d(-7.9)], 0xffff_fff9)]),
    ("cvt.rzi.u64.f64 {d}, {a};", "dd", &[(&[d(1e30)], u64::MAX), (&[d(-1.0)], 0)]),
    ("cvt.rni.f32.f32 {d}, {a};", "rr", &[(&[f(2.5)], f(2.0)), (&[f(-0.4)], 0x8000_0000)]),
    ("cvt.rpi.f32.f32 {d}, {a};", "rr", &[(&[f(2.1)], f(3.0))]),
    ("cvt.rmi.f64.f64 {d}, {a};", "dd", &[(&[d(-2.1)], d(-3.0))]),
    ("cvt.sat.f32.f32 {d}, {a};", "rr", &[(&[f(1.5)], f(1.0)), (&[f(-3.0)], 0), (&[NAN], 0)]),
    ("cvt.ftz.f32.f32 {d}, {a};", "rr", &[(&[1], 0)]),
    ("cvt.f64.f32 {d}, {a};", "dr", &[(&[f(1.5)], d(1.5)), (&[1], d(1.401_298_464_324_817e-45))]),
    ("cvt.rn.f32.f64 {d}, {a};", "rd", &[(&[d(0.1)], f(0.1)), (&[d(1e300)], INF), (&[d(1e-300)], 0)]),
    ("cvt.rz.f32.f64 {d}, {a};", "rd", &[(&[d(1e300)], 0x7f7f_ffff), (&[d(0.1)], 0x3dcc_cccc)]),
    ("cvt.rp.f32.f64 {d}, {a};", "rd", &[(&[d(1e-300)], 1), (&[d(-1e300)], 0xff7f_ffff)]),
    ("cvt.rm.f32.f64 {d}, {a};", "rd", &[(&[d(-1e-300)], 0x8000_0001)]),
    (
        "cvt.rn.f16.f32 {d}, {a};",
        "hr",
        &[(&[f(65_519.0)], 0x7bff), (&[f(65_520.0)], 0x7c00), (&[f(2.98e-8)], 0), (&[f(2.99e-8)], 1)],
    ),
    ("cvt.rz.f16.f32 {d}, {a};", "hr", &[(&[f(1e9)], 0x7bff), (&[f(0.1)], 0x2e66)]),
    ("cvt.rp.f16.f32 {d}, {a};", "hr", &[(&[f(0.1)], 0x2e67), (&[f(1e-30)], 1)]),
    ("cvt.rn.sat.f16.f32 {d}, {a};", "hr", &[(&[f(2.0)], 0x3c00), (&[f(-2.0)], 0)]),
    ("cvt.rn.bf16.f32 {d}, {a};", "hr", &[(&[0x3f80_8000], 0x3f80), (&[0x3f81_8000], 0x3f82), (&[NAN], 0x7fff)]),
    ("cvt.rn.relu.bf16.f32 {d}, {a};", "hr", &[(&[f(-2.0)], 0)]),
    ("cvt.rz.bf16.f32 {d}, {a};", "hr", &[(&[0x3f80_ffff], 0x3f80)]),
    (
        "cvt.rna.tf32.f32 {d}, {a};",
        "rr",
        &[(&[0x3f80_1000], 0x3f80_2000), (&[0x3f80_0fff], 0x3f80_0000), (&[0xbf80_1000], 0xbf80_2000)],
    ),
    ("cvt.rn.f16x2.f32 {d}, {a}, {b};", "rrr", &[(&[f(1.0), f(2.0)], 0x3c00_4000)]),
    ("cvt.rz.bf16x2.f32 {d}, {a}, {b};", "rrr", &[(&[0x3f80_ffff, f(2.0)], 0x3f80_4000)]),
    ("cvt.rn.relu.f16x2.f32 {d}, {a}, {b};", "rrr", &[(&[f(-1.0), f(2.0)], 0x4000)]),
    ("cvt.rn.f16.s32 {d}, {a};", "hr", &[(&[M1], 0xbc00), (&[100_000], 0x7c00)]),
    ("cvt.rzi.s32.f16 {d}, {a};", "rh", &[(&[0xc100], 0xffff_fffe)]),
    ("cvt.rni.f16.f16 {d}, {a};", "hh", &[(&[0x4100], 0x4000)]),
    ("cvt.f64.f16 {d}, {a};", "dh", &[(&[0x3c00], d(1.0))]),
    ("cvt.rn.f16.f64 {d}, {a};", "hd", &[(&[d(1.0 + 1.0 / 2048.0 + 1e-12)], 0x3c01), (&[d(1.0 + 1.0 / 2048.0)], 0x3c00)]),
    ("cvt.pack.sat.s8.s32.b32 {d}, {a}, {b}, {c};", "rrrr", &[(&[300, M1, 0xaaaa], 0xaaaa_7fff)]),
    ("cvt.pack.sat.u16.s32 {d}, {a}, {b};", "rrr", &[(&[M1, 70_000], 0xffff)]),
    ("cvt.u64.u32 {d}, {a};", "dr", &[(&[0], 0)]),
];

fn register(width: u8) -> (&'static str, &'static str) {
    match width {
        b'h' => ("b16", "h"),
        b'r' => ("b32", "r"),
        b'd' => ("b64", "q"),
        _ => ("pred", "p"),
    }
}

/// A kernel whose thread i computes case i: sources at `in + 32 i`, result at `out + 8 i`.
fn program(text: &str, widths: &str) -> String {
    let names = ["d", "a", "b", "c", "e"];
    let (mut declared, mut loads, mut op) = (String::new(), String::new(), text.to_owned());
    for (at, width) in widths.bytes().enumerate() {
        let (ty, letter) = register(width);
        let name = format!("%{letter}{}", names[at]);
        declared += &format!(".reg .{ty} {name};\n");
        op = op.replace(&format!("{{{}}}", names[at]), &name);
        if at > 0 {
            let from = format!("[%in+{}]", (at - 1) * 8);
            loads += &match width {
                b'h' => format!("ld.global.u16 {name}, {from};\n"),
                b'r' => format!("ld.global.u32 {name}, {from};\n"),
                b'd' => format!("ld.global.u64 {name}, {from};\n"),
                _ => format!("ld.global.u32 %t, {from};\nsetp.ne.u32 {name}, %t, 0;\n"),
            };
        }
    }
    let (_, letter) = register(widths.as_bytes()[0]);
    let result = format!("%{letter}d");
    let store = match widths.as_bytes()[0] {
        b'h' => format!("cvt.u64.u16 %res, {result};"),
        b'r' => format!("cvt.u64.u32 %res, {result};"),
        b'd' => format!("mov.u64 %res, {result};"),
        _ => format!("selp.u64 %res, 1, 0, {result};"),
    };
    format!(
        "{HEADER}.visible .entry op(.param .u64 pin, .param .u64 pout)\n{{\n.reg .b64 %in, %out, %res, %o; .reg .b32 %t, %i;\n{declared}\
         ld.param.u64 %in, [pin];\nld.param.u64 %out, [pout];\nmov.u32 %i, %tid.x;\nmul.wide.u32 %o, %i, 32;\nadd.s64 %in, %in, %o;\n\
         mul.wide.u32 %o, %i, 8;\nadd.s64 %out, %out, %o;\n{loads}{op}\n{store}\nst.global.u64 [%out], %res;\nret;\n}}\n"
    )
}

fn failures(forms: &[Form]) -> Vec<String> {
    let mut out = Vec::new();
    for (text, widths, cases) in forms {
        let rig = Rig::new();
        let mut input = Vec::new();
        for (sources, _) in *cases {
            let mut four = [0u64; 4];
            four[..sources.len()].copy_from_slice(sources);
            input.extend(four);
        }
        let (pin, pout) = (rig.buffer("in", &input), rig.buffer("out", &vec![0u64; cases.len()]));
        let ptx = program(text, widths);
        let module = match vgpu::ptx::parse(&ptx) {
            Ok(_) => rig.image(&ptx),
            Err(error) => {
                out.push(format!("{text}: {error}"));
                continue;
            }
        };
        rig.launch(&module, "op", [1, 1, 1], [cases.len() as u32, 1, 1], 0, &[pin, pout]).unwrap();
        let got: Vec<u64> = rig.read(pout, cases.len());
        for ((sources, expected), got) in cases.iter().zip(got) {
            if got != *expected {
                out.push(format!("{text} of {sources:x?}: {got:#x}, expected {expected:#x}"));
            }
        }
    }
    out
}

#[test]
fn integer_forms_give_the_results_of_the_manual() {
    let failures = failures(INTEGERS);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn floating_forms_round_saturate_and_flush_as_asked() {
    let failures = failures(FLOATS);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn conversions_round_clamp_and_extend_as_asked() {
    let failures = failures(CONVERSIONS);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
