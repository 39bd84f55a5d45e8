//! A SIMT sgemm as PTX: blocks of 128×128 in steps of 8 over k, 256 threads of 8×8, tiles in shared memory, vector loads. Written out by a generator because
//! its inner product is 512 lines of the same.

use std::fmt::Write;

/// Side of a block's tile; sizes are multiples of it.
pub(crate) const TILE: u32 = 128;
/// Threads of a block.
pub(crate) const THREADS: u32 = 256;

/// `sgemm(a, b, d, n)`: D = A·B, all n×n and row-major.
pub(crate) fn ptx() -> String {
    let mut t = String::from(HEAD);
    for r in 0..64 {
        let _ = writeln!(t, "\tmov.f32 %acc{r}, 0f00000000;");
    }
    t.push_str(LOAD);
    for k in 0..8 {
        for (half, at) in [(0, 0), (4, 256)] {
            for (side, base) in [("ra", "a"), ("rb", "b")] {
                let regs: Vec<String> = (half..half + 4).map(|i| format!("%{side}{i}")).collect();
                let _ = writeln!(t, "\tld.shared.v4.f32 {{{}}}, [%{base}read+{}];", regs.join(", "), k * 512 + at);
            }
        }
        for i in 0..8 {
            for j in 0..8 {
                let _ = writeln!(t, "\tfma.rn.f32 %acc{0}, %ra{i}, %rb{j}, %acc{0};", i * 8 + j);
            }
        }
    }
    t.push_str(NEXT);
    for i in 0..8 {
        let row = if i < 4 { i } else { 60 + i };
        let _ = writeln!(
            t,
            "\tadd.s32 %t0, %drow, {row};\n\tmad.lo.s32 %t1, %t0, %n, %dcol;\n\tmul.wide.s32 %w0, %t1, 4;\n\tadd.s64 %w1, %pd, %w0;"
        );
        for (half, at) in [(0, 0), (4, 256)] {
            let regs: Vec<String> = (half..half + 4).map(|j| format!("%acc{}", i * 8 + j)).collect();
            let _ = writeln!(t, "\tst.global.v4.f32 [%w1+{at}], {{{}}};", regs.join(", "));
        }
    }
    t.push_str("\tret;\n}\n");
    t
}

const HEAD: &str = "\
.version 8.0
.target sm_80
.address_size 64
.visible .entry sgemm(.param .u64 pa, .param .u64 pb, .param .u64 pd, .param .u32 pn)
.maxntid 256, 1, 1
{
	.reg .pred %p<2>;
	.reg .b32 %r<16>, %t<4>;
	.reg .b32 %n, %k, %drow, %dcol, %aread, %bread, %awrite, %bwrite;
	.reg .f32 %acc<64>, %ra<8>, %rb<8>, %va<4>, %vb<4>;
	.reg .b64 %pa, %pb, %pd, %step, %w<6>;
	.shared .align 16 .b8 tile_a[4096];
	.shared .align 16 .b8 tile_b[4096];
	ld.param.u64 %w0, [pa];
	cvta.to.global.u64 %pa, %w0;
	ld.param.u64 %w0, [pb];
	cvta.to.global.u64 %pb, %w0;
	ld.param.u64 %w0, [pd];
	cvta.to.global.u64 %pd, %w0;
	ld.param.u32 %n, [pn];
	mov.u32 %r0, %tid.x;
	mov.u32 %r1, %ctaid.x;
	mov.u32 %r2, %ctaid.y;
	// A: two threads a row of 8; B: 32 threads a row of 128
	shr.u32 %r3, %r0, 1;
	and.b32 %r4, %r0, 1;
	shl.b32 %r4, %r4, 2;
	shl.b32 %r5, %r2, 7;
	add.s32 %r6, %r5, %r3;
	mad.lo.s32 %r6, %r6, %n, %r4;
	mul.wide.s32 %w0, %r6, 4;
	add.s64 %pa, %pa, %w0;
	shr.u32 %r7, %r0, 5;
	and.b32 %r8, %r0, 31;
	shl.b32 %r8, %r8, 2;
	shl.b32 %r9, %r1, 7;
	add.s32 %r10, %r9, %r8;
	mad.lo.s32 %r10, %r7, %n, %r10;
	mul.wide.s32 %w0, %r10, 4;
	add.s64 %pb, %pb, %w0;
	mul.wide.s32 %step, %n, 32;
	// A is kept transposed: [k][row]
	mov.u32 %r11, tile_a;
	shl.b32 %t0, %r4, 9;
	shl.b32 %t1, %r3, 2;
	add.s32 %awrite, %t0, %t1;
	add.s32 %awrite, %awrite, %r11;
	mov.u32 %r12, tile_b;
	shl.b32 %t0, %r7, 9;
	shl.b32 %t1, %r8, 2;
	add.s32 %bwrite, %t0, %t1;
	add.s32 %bwrite, %bwrite, %r12;
	and.b32 %r13, %r0, 15;
	shr.u32 %r14, %r0, 4;
	shl.b32 %t0, %r14, 4;
	add.s32 %aread, %t0, %r11;
	shl.b32 %t0, %r13, 4;
	add.s32 %bread, %t0, %r12;
	shl.b32 %t0, %r14, 2;
	add.s32 %drow, %r5, %t0;
	shl.b32 %t0, %r13, 2;
	add.s32 %dcol, %r9, %t0;
	mov.u32 %k, 0;
";

const LOAD: &str = "\
STEP:
	ld.global.v4.f32 {%va0, %va1, %va2, %va3}, [%pa];
	ld.global.v4.f32 {%vb0, %vb1, %vb2, %vb3}, [%pb];
	st.shared.f32 [%awrite], %va0;
	st.shared.f32 [%awrite+512], %va1;
	st.shared.f32 [%awrite+1024], %va2;
	st.shared.f32 [%awrite+1536], %va3;
	st.shared.v4.f32 [%bwrite], {%vb0, %vb1, %vb2, %vb3};
	bar.sync 0;
";

const NEXT: &str = "\
	bar.sync 0;
	add.s64 %pa, %pa, 32;
	add.s64 %pb, %pb, %step;
	add.s32 %k, %k, 8;
	setp.lt.s32 %p0, %k, %n;
	@%p0 bra STEP;
";
