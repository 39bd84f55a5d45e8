//! Matrix instructions: fragments spread over the lanes, gathered into plain matrices, multiplied, spread again.
//!
//! Products of f16, bf16 and tf32 are exact in f32 and are added to C one after the other in order of k, each sum rounded to f32. Tensor cores add several products
//! at once and drop bits on the way, so last bits may differ from silicon.

use super::access::{Access, Request};
use super::lanes::{FULL, Regs, lane_fn, lanes};
use super::number::{bf16_to_f32, f16_to_f32, f32_to_f16};
use super::step::Turn;
use super::warp::Warp;
use super::worker::{BlockMemory, Worker};
use crate::launch::Fault;
use crate::ptx::op::{AccTy, Mma, MmaTy, Order, Space, WmmaMem};
use crate::ptx::types::{Class, Reg, Ty};

/// Largest side of any fragment.
const SIDE: usize = 32;

/// A matrix as numbers of one kind.
#[derive(Clone, Copy)]
struct Tile<T>([[T; SIDE]; SIDE]);

/// Where element `j` of register `r` of a lane lies: row and column.
type Spot = fn(lane: usize, r: usize, j: usize, per: usize, tall: bool) -> (usize, usize);

fn spot_a(lane: usize, r: usize, j: usize, per: usize, tall: bool) -> (usize, usize) {
    let (group, member) = (lane / 4, lane % 4);
    if tall { (group + 8 * (r & 1), member * per + j + (r >> 1) * 4 * per) } else { (group, member * per + j + r * 4 * per) }
}

fn spot_b(lane: usize, r: usize, j: usize, per: usize, _: bool) -> (usize, usize) {
    (lane % 4 * per + j + r * 4 * per, lane / 4)
}

/// C and D hold pairs of neighbours; `per` is the number of elements in a register, one or two.
fn spot_c(lane: usize, r: usize, j: usize, per: usize, _: bool) -> (usize, usize) {
    let element = r * per + j;
    (lane / 4 + 8 * (element >> 1), lane % 4 * 2 + (element & 1))
}

/// Opaque fragments of wmma: element number `lane * unique + slot` in row-major order; slots beyond the unique ones repeat them.
fn wmma_spot(lane: usize, slot: usize, unique: usize, cols: usize) -> (usize, usize) {
    let element = lane * unique + slot % unique;
    (element / cols, element % cols)
}

fn word(regs: Regs, reg: Reg, lane: usize) -> u64 {
    // SAFETY: `Regs`' invariant.
    unsafe { if reg.class() == Class::R64 { (*regs.s64(reg))[lane] } else { u64::from((*regs.s32(reg))[lane]) } }
}

#[inline(always)]
fn float(ty: MmaTy, bits: u32) -> f32 {
    match ty {
        MmaTy::F16 => f16_to_f32(bits & 0xffff),
        MmaTy::Bf16 => bf16_to_f32(bits & 0xffff),
        // Tensor cores read 19 bits of a tf32.
        _ => f32::from_bits(bits & 0xffff_e000),
    }
}

#[inline(always)]
fn small_int(ty: MmaTy, bits: u32) -> i32 {
    if ty == MmaTy::S8 { i32::from(bits as i8) } else { i32::from(bits as u8) }
}

/// Fills a matrix from registers by element.
#[inline(always)]
fn gather<T: Copy>(out: &mut Tile<T>, regs: Regs, list: &[Reg], bits: u32, spot: Spot, tall: bool, decode: impl Fn(u64) -> T) {
    let per = (32 / bits).max(1) as usize;
    for (r, &reg) in list.iter().enumerate() {
        for lane in 0..32 {
            let whole = word(regs, reg, lane);
            for j in 0..per {
                let (row, col) = spot(lane, r, j, per, tall);
                out.0[row][col] = decode(whole >> (bits as usize * j));
            }
        }
    }
}

/// D = A·B + C, in order of k.
#[inline(always)]
fn multiply<T: Copy>(shape: Mma, a: &Tile<T>, b: &Tile<T>, c: &mut Tile<T>, fma: impl Fn(T, T, T) -> T) {
    for i in 0..usize::from(shape.m) {
        for block in (0..usize::from(shape.n)).step_by(8) {
            let mut row = [c.0[i][0]; 8];
            row.copy_from_slice(&c.0[i][block..block + 8]);
            for k in 0..usize::from(shape.k) {
                let left = a.0[i][k];
                for (sum, right) in row.iter_mut().zip(&b.0[k][block..block + 8]) {
                    *sum = fma(left, *right, *sum);
                }
            }
            c.0[i][block..block + 8].copy_from_slice(&row);
        }
    }
}

/// Splits the sources of a multiplication into A, B and C.
fn parts(r: &[Reg], dst: usize, a: usize, b: usize) -> (&[Reg], &[Reg], &[Reg], &[Reg]) {
    let (d, srcs) = r.split_at(dst);
    (d, &srcs[..a], &srcs[a..a + b], &srcs[a + b..])
}

/// Registers of an m×n fragment of `bits`-bit elements, without repetition.
fn count(rows: u8, cols: u8, bits: u32) -> usize {
    (u32::from(rows) * u32::from(cols) * bits / 32 / bits.max(32)) as usize
}

lane_fn! {
    /// `mma.sync`: registers are D, A, B, C.
    fn mma(shape: Mma, regs: Regs, r: &[Reg], mask: u32) {
        let (d, a, b, c) = parts(
            r, count(shape.m, shape.n, shape.d.bits()), count(shape.m, shape.k, shape.a.bits()), count(shape.k, shape.n, shape.b.bits()),
        );
        let tall = shape.m == 16;
        let (abits, bbits, cbits) = (shape.a.bits(), shape.b.bits(), shape.c.bits());
        match shape.a {
            MmaTy::S8 | MmaTy::U8 => {
                let (mut ta, mut tb, mut tc) = (Tile([[0i32; SIDE]; SIDE]), Tile([[0i32; SIDE]; SIDE]), Tile([[0i32; SIDE]; SIDE]));
                gather(&mut ta, regs, a, abits, spot_a, tall, |w| small_int(shape.a, w as u32));
                gather(&mut tb, regs, b, bbits, spot_b, tall, |w| small_int(shape.b, w as u32));
                gather(&mut tc, regs, c, cbits, spot_c, tall, |w| w as u32 as i32);
                ints(shape, &ta, &tb, &mut tc);
                scatter(regs, d, 32, mask, |lane, r, j| { let (x, y) = spot_c(lane, r, j, 1, tall); u64::from(tc.0[x][y] as u32) });
            }
            MmaTy::F64 => {
                let (mut ta, mut tb, mut tc) = (Tile([[0f64; SIDE]; SIDE]), Tile([[0f64; SIDE]; SIDE]), Tile([[0f64; SIDE]; SIDE]));
                gather(&mut ta, regs, a, 64, spot_a, tall, f64::from_bits);
                gather(&mut tb, regs, b, 64, spot_b, tall, f64::from_bits);
                gather(&mut tc, regs, c, 64, spot_c, tall, f64::from_bits);
                multiply(shape, &ta, &tb, &mut tc, |a: f64, b, c| a.mul_add(b, c));
                scatter(regs, d, 64, mask, |lane, r, j| { let (x, y) = spot_c(lane, r, j, 1, tall); tc.0[x][y].to_bits() });
            }
            _ => {
                let (mut ta, mut tb, mut tc) = (Tile([[0f32; SIDE]; SIDE]), Tile([[0f32; SIDE]; SIDE]), Tile([[0f32; SIDE]; SIDE]));
                gather(&mut ta, regs, a, abits, spot_a, tall, |w| float(shape.a, w as u32));
                gather(&mut tb, regs, b, bbits, spot_b, tall, |w| float(shape.b, w as u32));
                gather(&mut tc, regs, c, cbits, spot_c, tall, |w| accumulator(shape.c, w));
                multiply(shape, &ta, &tb, &mut tc, |a: f32, b, c| a.mul_add(b, c));
                let bits = shape.d.bits();
                let per = (32 / bits) as usize;
                scatter(regs, d, bits, mask, |lane, r, j| { let (x, y) = spot_c(lane, r, j, per, tall); result(shape.d, tc.0[x][y]) });
            }
        }
    }
}

#[inline(always)]
fn accumulator(ty: AccTy, w: u64) -> f32 {
    if ty == AccTy::F16 { f16_to_f32(w as u32 & 0xffff) } else { f32::from_bits(w as u32) }
}

#[inline(always)]
fn result(ty: AccTy, x: f32) -> u64 {
    match ty {
        AccTy::F16 => f32_to_f16(x).into(),
        _ if x.is_nan() => 0x7fff_ffff,
        _ => x.to_bits().into(),
    }
}

/// Integer sums wrap, or are clamped where that is asked for.
#[inline(always)]
fn ints(shape: Mma, a: &Tile<i32>, b: &Tile<i32>, c: &mut Tile<i32>) {
    if !shape.sat {
        return multiply(shape, a, b, c, |a, b, c| a.wrapping_mul(b).wrapping_add(c));
    }
    for i in 0..usize::from(shape.m) {
        for j in 0..usize::from(shape.n) {
            let sum: i64 = (0..usize::from(shape.k)).map(|k| i64::from(a.0[i][k]) * i64::from(b.0[k][j])).sum();
            c.0[i][j] = (sum + i64::from(c.0[i][j])).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        }
    }
}

/// Writes registers from elements of `bits` bits.
#[inline(always)]
fn scatter(regs: Regs, list: &[Reg], bits: u32, mask: u32, element: impl Fn(usize, usize, usize) -> u64) {
    let per = (32 / bits).max(1) as usize;
    for (r, &reg) in list.iter().enumerate() {
        let mut out = [0u64; 32];
        for (lane, o) in out.iter_mut().enumerate() {
            *o = (0..per).fold(0, |w, j| w | element(lane, r, j) << (bits as usize * j));
        }
        if reg.class() == Class::R64 {
            regs.set64(reg, &out, mask);
        } else {
            regs.set32(reg, &out.map(|w| w as u32), mask);
        }
    }
}

/// Fills a matrix from an opaque fragment.
fn gather_wmma<T: Copy>(
    out: &mut Tile<T>,
    regs: Regs,
    list: &[Reg],
    bits: u32,
    (rows, cols): (u8, u8),
    decode: impl Fn(u64) -> T,
) {
    let (per, unique) = ((32 / bits).max(1) as usize, usize::from(rows) * usize::from(cols) / 32);
    for (r, &reg) in list.iter().enumerate() {
        for lane in 0..32 {
            for j in 0..per {
                let (row, col) = wmma_spot(lane, r * per + j, unique, cols.into());
                out.0[row][col] = decode(word(regs, reg, lane) >> (bits as usize * j));
            }
        }
    }
}

lane_fn! {
    /// `wmma.mma`: registers are D, A, B, C.
    fn wmma(shape: Mma, dst: usize, regs: Regs, r: &[Reg], mask: u32) {
        let (na, nb) = shape.wmma_registers();
        let (na, nb) = (na as usize, nb as usize);
        let (d, a, b, c) = parts(r, dst, na, nb);
        let (m, n, k) = (shape.m, shape.n, shape.k);
        let unique = usize::from(m) * usize::from(n) / 32;
        let at = |lane: usize, r: usize, j: usize, per: usize| wmma_spot(lane, r * per + j, unique, n.into());
        match shape.a {
            MmaTy::S8 | MmaTy::U8 => {
                let (mut ta, mut tb, mut tc) = (Tile([[0i32; SIDE]; SIDE]), Tile([[0i32; SIDE]; SIDE]), Tile([[0i32; SIDE]; SIDE]));
                gather_wmma(&mut ta, regs, a, 8, (m, k), |w| small_int(shape.a, w as u32));
                gather_wmma(&mut tb, regs, b, 8, (k, n), |w| small_int(shape.b, w as u32));
                gather_wmma(&mut tc, regs, c, 32, (m, n), |w| w as u32 as i32);
                ints(shape, &ta, &tb, &mut tc);
                scatter(regs, d, 32, mask, |lane, r, j| { let (x, y) = at(lane, r, j, 1); u64::from(tc.0[x][y] as u32) });
            }
            MmaTy::F64 => {
                let (mut ta, mut tb, mut tc) = (Tile([[0f64; SIDE]; SIDE]), Tile([[0f64; SIDE]; SIDE]), Tile([[0f64; SIDE]; SIDE]));
                gather_wmma(&mut ta, regs, a, 64, (m, k), f64::from_bits);
                gather_wmma(&mut tb, regs, b, 64, (k, n), f64::from_bits);
                gather_wmma(&mut tc, regs, c, 64, (m, n), f64::from_bits);
                multiply(shape, &ta, &tb, &mut tc, |a: f64, b, c| a.mul_add(b, c));
                scatter(regs, d, 64, mask, |lane, r, j| { let (x, y) = at(lane, r, j, 1); tc.0[x][y].to_bits() });
            }
            _ => {
                let (mut ta, mut tb, mut tc) = (Tile([[0f32; SIDE]; SIDE]), Tile([[0f32; SIDE]; SIDE]), Tile([[0f32; SIDE]; SIDE]));
                gather_wmma(&mut ta, regs, a, shape.a.bits(), (m, k), |w| float(shape.a, w as u32));
                gather_wmma(&mut tb, regs, b, shape.b.bits(), (k, n), |w| float(shape.b, w as u32));
                gather_wmma(&mut tc, regs, c, shape.c.bits(), (m, n), |w| accumulator(shape.c, w));
                multiply(shape, &ta, &tb, &mut tc, |a: f32, b, c| a.mul_add(b, c));
                let bits = shape.d.bits();
                let per = (32 / bits) as usize;
                scatter(regs, d, bits, mask, |lane, r, j| { let (x, y) = at(lane, r, j, per); result(shape.d, tc.0[x][y]) });
            }
        }
    }
}

/// Eight rows of eight halves; `rows[i]` is one row.
type Rows = [[u16; 8]; 8];

/// What a lane gets of an 8×8 matrix: two neighbours of a row, or of a column.
fn pair(rows: &Rows, lane: usize, trans: bool) -> u32 {
    let (line, at) = (lane / 4, lane % 4 * 2);
    let (low, high) = if trans { (rows[at][line], rows[at + 1][line]) } else { (rows[line][at], rows[line][at + 1]) };
    u32::from(low) | u32::from(high) << 16
}

/// `movmatrix`: an 8×8 matrix transposed across the lanes.
pub(crate) fn movmatrix(regs: Regs, r: &[Reg], mask: u32) {
    let words = regs.get32(r[1]);
    let mut rows: Rows = [[0; 8]; 8];
    for (lane, w) in words.iter().enumerate() {
        rows[lane / 4][lane % 4 * 2] = *w as u16;
        rows[lane / 4][lane % 4 * 2 + 1] = (*w >> 16) as u16;
    }
    regs.set32(r[0], &std::array::from_fn(|lane| pair(&rows, lane, true)), mask);
}

impl Worker<'_> {
    /// `ldmatrix`: the first `8 * count` lanes give the addresses of rows of 16 bytes.
    pub(crate) fn ldmatrix(
        &mut self,
        b: &mut BlockMemory,
        w: &Warp,
        turn: Turn<'_>,
        (count, trans): (u8, bool),
    ) -> Result<(), Fault> {
        let Turn { inst, r, regs, mask } = turn;
        let dst = usize::from(inst.dst);
        let pointers = self.row_pointers(b, w, turn, (count, Access::Read))?;
        for (matrix, &d) in r[..dst].iter().enumerate() {
            let mut rows: Rows = [[0; 8]; 8];
            for (row, out) in rows.iter_mut().enumerate() {
                // SAFETY: checked for 16 aligned bytes of the block's own memory.
                *out = unsafe { *pointers[matrix * 8 + row].cast::<[u16; 8]>() };
            }
            regs.set32(d, &std::array::from_fn(|lane| pair(&rows, lane, trans)), mask);
        }
        Ok(())
    }

    /// `stmatrix`: the way back.
    pub(crate) fn stmatrix(
        &mut self,
        b: &mut BlockMemory,
        w: &Warp,
        turn: Turn<'_>,
        (count, trans): (u8, bool),
    ) -> Result<(), Fault> {
        let Turn { r, regs, .. } = turn;
        let pointers = self.row_pointers(b, w, turn, (count, Access::Write))?;
        for (matrix, &s) in r[1..].iter().enumerate() {
            for (lane, word) in regs.get32(s).into_iter().enumerate() {
                for (half, value) in [word as u16, (word >> 16) as u16].into_iter().enumerate() {
                    let (line, at) = (lane / 4, lane % 4 * 2 + half);
                    let (row, col) = if trans { (at, line) } else { (line, at) };
                    // SAFETY: checked for 16 aligned bytes of the block's own memory.
                    unsafe { *pointers[matrix * 8 + row].cast::<u16>().add(col) = value };
                }
            }
        }
        Ok(())
    }

    fn row_pointers(
        &mut self,
        b: &mut BlockMemory,
        w: &Warp,
        turn: Turn<'_>,
        (count, access): (u8, Access),
    ) -> Result<[*mut u8; 32], Fault> {
        self.all_here(b, turn, w);
        let inst = turn.inst;
        let base = turn.r[inst.dst as usize];
        let addresses = self.addresses(inst, base, Space::Shared, turn.regs).map(|a| a & 0xffff_ffff);
        let mask = if count == 4 { FULL } else { (1 << (8 * u32::from(count))) - 1 };
        let req = Request { inst, addresses: &addresses, mask, bytes: 16, access, order: Order::Weak, slot: inst.slot };
        self.shared(b, w, &req)
    }

    /// `wmma.load` and `wmma.store`. In row-major memory a lane's elements are neighbours and move in pieces of up to 16 bytes; else one by one.
    pub(crate) fn wmma_memory(&mut self, b: &mut BlockMemory, w: &mut Warp, turn: Turn<'_>, mem: WmmaMem) -> Result<(), Fault> {
        self.all_here(b, turn, w);
        let Turn { inst, r, regs, mask: active } = turn;
        let dst = usize::from(inst.dst);
        let base = self.addresses(inst, r[dst], mem.space, regs)[0];
        let stride = u64::from(regs.get32(r[dst + 1])[0]);
        let (rows, cols) = mem.extent();
        let (size, unique) = (mem.ty.bytes(), (rows * cols / 32) as usize);
        let piece = if mem.col { 1 } else { (16 / size as usize).min(unique) };
        let data = if dst > 0 { &r[..dst] } else { &r[2..] };
        let access = if dst > 0 { Access::Read } else { Access::Write };
        let mut elements = vec![[0u64; 32]; unique];
        if access == Access::Write {
            take_elements(mem.ty, data, regs, &mut elements);
        }
        for first in (0..unique).step_by(piece) {
            let addresses: [u64; 32] = std::array::from_fn(|lane| {
                let (row, col) = wmma_spot(lane, first, unique, cols as usize);
                let at = if mem.col { col as u64 * stride + row as u64 } else { row as u64 * stride + col as u64 };
                base.wrapping_add(at * u64::from(size))
            });
            self.by_space(mem.space, &addresses, FULL, |worker, space, offsets, mask| {
                let bytes = size * piece as u32;
                let req = Request { inst, addresses: offsets, mask, bytes, access, order: Order::Weak, slot: inst.slot };
                let pointers = worker.pointers(b, w, space, &req)?;
                for lane in lanes(mask) {
                    for (at, element) in elements[first..first + piece].iter_mut().enumerate() {
                        // SAFETY: checked for `bytes` aligned bytes.
                        unsafe { move_element(pointers[lane].add(at * size as usize), size, access, &mut element[lane]) };
                    }
                }
                Ok(())
            })?;
        }
        if access == Access::Read {
            give_elements(mem.ty, data, regs, active, &elements);
        }
        Ok(())
    }
}

/// # Safety
/// `p` is valid for `size` bytes and aligned to them.
unsafe fn move_element(p: *mut u8, size: u32, access: Access, element: &mut u64) {
    use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};
    // SAFETY: the caller's promise.
    unsafe {
        match (size, access) {
            (1, Access::Read) => *element = AtomicU8::from_ptr(p).load(Relaxed).into(),
            (1, _) => AtomicU8::from_ptr(p).store(*element as u8, Relaxed),
            (2, Access::Read) => *element = AtomicU16::from_ptr(p.cast()).load(Relaxed).into(),
            (2, _) => AtomicU16::from_ptr(p.cast()).store(*element as u16, Relaxed),
            (4, Access::Read) => *element = AtomicU32::from_ptr(p.cast()).load(Relaxed).into(),
            (4, _) => AtomicU32::from_ptr(p.cast()).store(*element as u32, Relaxed),
            (_, Access::Read) => *element = AtomicU64::from_ptr(p.cast()).load(Relaxed),
            _ => AtomicU64::from_ptr(p.cast()).store(*element, Relaxed),
        }
    }
}

/// Elements of a fragment's registers.
fn take_elements(ty: Ty, data: &[Reg], regs: Regs, elements: &mut [[u64; 32]]) {
    let bits = ty.bytes() * 8;
    let per = (32 / bits).max(1) as usize;
    for (slot, element) in elements.iter_mut().enumerate() {
        for (lane, e) in element.iter_mut().enumerate() {
            *e = word(regs, data[slot / per], lane) >> (bits as usize * (slot % per));
        }
    }
}

/// Registers of a fragment's elements, repeated as often as the registers want.
fn give_elements(ty: Ty, data: &[Reg], regs: Regs, mask: u32, elements: &[[u64; 32]]) {
    let bits = ty.bytes() * 8;
    scatter(regs, data, bits, mask, |lane, r, j| {
        let per = (32 / bits).max(1) as usize;
        elements[(r * per + j) % elements.len()][lane]
    });
}
