//! Host matrices: row-major, padded leading dimension, guarded by canaries.

use half::{bf16, f16};

use crate::devices::cpu::{Pages, Plain};
use crate::problem::Dtype;

/// Elements of a matrix.
#[derive(Clone, Copy, Debug)]
pub enum Elements<'a> {
    /// Single precision, or TF32 stored as such.
    F32(&'a [f32]),
    /// Double precision.
    F64(&'a [f64]),
    /// Half precision.
    F16(&'a [f16]),
    /// bfloat16.
    Bf16(&'a [bf16]),
    /// Signed bytes.
    Int8(&'a [i8]),
    /// Signed 32-bit integers.
    Int32(&'a [i32]),
}

/// Elements of a matrix, writable.
#[derive(Debug)]
pub enum ElementsMut<'a> {
    /// Single precision, or TF32 stored as such.
    F32(&'a mut [f32]),
    /// Double precision.
    F64(&'a mut [f64]),
    /// Half precision.
    F16(&'a mut [f16]),
    /// bfloat16.
    Bf16(&'a mut [bf16]),
    /// Signed bytes.
    Int8(&'a mut [i8]),
    /// Signed 32-bit integers.
    Int32(&'a mut [i32]),
}

/// A `rows × cols` matrix, row-major: element (i, j) is at `i·ld + j`. What lies between `cols` and `ld`, and one guard zone before and
/// after the matrix, belongs to no one: it holds canaries that [`Tensor::canaries_intact`] checks.
#[derive(Debug)]
pub struct Tensor {
    /// Operand name (`a`, `b`, `c`, `d`).
    pub name: &'static str,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Leading dimension in elements, at least `cols`.
    pub ld: usize,
    dtype: Dtype,
    pages: Pages,
}

/// Elements in each guard zone: one 4 KiB page of f64.
const GUARD: usize = 512;
/// A pattern that is a NaN with a recognisable payload in floating point, so that reading it poisons a result, and an improbable integer.
const CANARY_F32: u32 = 0x7fc0_cafe;
const CANARY_F64: u64 = 0x7ff8_0000_cafe_cafe;
const CANARY_16: u16 = 0x7fca;
const CANARY_INT8: i8 = -128;
const CANARY_INT32: i32 = 0x5afe_cafe;
/// What an integer element holds while no result was written: no sum of products of [`Dtype::Int8`] within its legal depth reaches it.
const POISON_INT32: i32 = i32::MIN;

impl Tensor {
    /// A matrix of zeros with its canaries set.
    #[must_use]
    pub fn zeros(name: &'static str, dtype: Dtype, (rows, cols): (usize, usize), ld: usize) -> Self {
        assert!(ld >= cols, "leading dimension `{ld}` of `{name}` is below its `{cols}` columns");
        let elements = 2 * GUARD + rows * ld;
        let bytes = elements * usize::try_from(dtype.bytes()).expect("small");
        let mut tensor = Self { name, rows, cols, ld, dtype, pages: Pages::zeroed(bytes) };
        tensor.set_canaries();
        tensor
    }

    /// Element type.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// `rows·ld` elements, padding included.
    #[must_use]
    pub fn elements(&self) -> Elements<'_> {
        match self.dtype {
            Dtype::F32 | Dtype::Tf32 => Elements::F32(self.body()),
            Dtype::F64 => Elements::F64(self.body()),
            Dtype::F16 => Elements::F16(self.body()),
            Dtype::Bf16 => Elements::Bf16(self.body()),
            Dtype::Int8 => Elements::Int8(self.body()),
            Dtype::Int32 => Elements::Int32(self.body()),
        }
    }

    /// `rows·ld` elements, padding included.
    pub fn elements_mut(&mut self) -> ElementsMut<'_> {
        match self.dtype {
            Dtype::F32 | Dtype::Tf32 => ElementsMut::F32(self.body_mut()),
            Dtype::F64 => ElementsMut::F64(self.body_mut()),
            Dtype::F16 => ElementsMut::F16(self.body_mut()),
            Dtype::Bf16 => ElementsMut::Bf16(self.body_mut()),
            Dtype::Int8 => ElementsMut::Int8(self.body_mut()),
            Dtype::Int32 => ElementsMut::Int32(self.body_mut()),
        }
    }

    /// The matrix with its guard zones as bytes: what travels to a device and back, so that canaries guard it there too.
    #[must_use]
    pub fn guarded_bytes(&self) -> &[u8] {
        &self.pages.slice::<u8>()[..self.guarded_len()]
    }

    /// As [`Tensor::guarded_bytes`], writable.
    pub fn guarded_bytes_mut(&mut self) -> &mut [u8] {
        let len = self.guarded_len();
        &mut self.pages.slice_mut::<u8>()[..len]
    }

    /// Bytes from the start of [`Tensor::guarded_bytes`] to element (0, 0); a multiple of 512.
    #[must_use]
    pub fn guard_bytes(&self) -> usize {
        GUARD * self.element_bytes()
    }

    fn guarded_len(&self) -> usize {
        (2 * GUARD + self.rows * self.ld) * self.element_bytes()
    }

    fn element_bytes(&self) -> usize {
        usize::try_from(self.dtype.bytes()).expect("small")
    }

    fn body<T: Plain>(&self) -> &[T] {
        &self.pages.slice::<T>()[GUARD..GUARD + self.rows * self.ld]
    }

    fn body_mut<T: Plain>(&mut self) -> &mut [T] {
        let range = GUARD..GUARD + self.rows * self.ld;
        &mut self.pages.slice_mut::<T>()[range]
    }

    /// Element (i, j), widened.
    #[must_use]
    pub fn at(&self, i: usize, j: usize) -> f64 {
        let at = i * self.ld + j;
        match self.elements() {
            Elements::F32(data) => f64::from(data[at]),
            Elements::F64(data) => data[at],
            Elements::F16(data) => data[at].to_f64(),
            Elements::Bf16(data) => data[at].to_f64(),
            Elements::Int8(data) => f64::from(data[at]),
            Elements::Int32(data) => f64::from(data[at]),
        }
    }

    /// Sets every element from its position, rounding to the element type; padding keeps its canaries.
    #[allow(clippy::cast_possible_truncation)] // rounding to the element type is the point
    pub fn fill(&mut self, mut value: impl FnMut(usize, usize) -> f64) {
        let (cols, ld, tf32) = (self.cols, self.ld, self.dtype == Dtype::Tf32);
        match self.elements_mut() {
            ElementsMut::F32(data) if tf32 => each_row(data, cols, ld, |i, j, x| *x = to_tf32(value(i, j) as f32)),
            ElementsMut::F32(data) => each_row(data, cols, ld, |i, j, x| *x = value(i, j) as f32),
            ElementsMut::F64(data) => each_row(data, cols, ld, |i, j, x| *x = value(i, j)),
            ElementsMut::F16(data) => each_row(data, cols, ld, |i, j, x| *x = f16::from_f64(value(i, j))),
            ElementsMut::Bf16(data) => each_row(data, cols, ld, |i, j, x| *x = bf16::from_f64(value(i, j))),
            ElementsMut::Int8(data) => each_row(data, cols, ld, |i, j, x| *x = value(i, j).round() as i8),
            ElementsMut::Int32(data) => each_row(data, cols, ld, |i, j, x| *x = value(i, j).round() as i32),
        }
    }

    /// Sets every element to NaN, or to an integer that no result can be, so that one a kernel did not write cannot pass for a result.
    pub fn poison(&mut self) {
        let (cols, ld) = (self.cols, self.ld);
        match self.elements_mut() {
            ElementsMut::Int8(data) => each_row(data, cols, ld, |_, _, x| *x = i8::MIN),
            ElementsMut::Int32(data) => each_row(data, cols, ld, |_, _, x| *x = POISON_INT32),
            _ => self.fill(|_, _| f64::NAN),
        }
    }

    /// True while no canary in the guard zones or between `cols` and `ld` was touched.
    #[must_use]
    pub fn canaries_intact(&self) -> bool {
        match self.dtype {
            Dtype::F32 | Dtype::Tf32 => self.canaries::<f32>().all(|x| x.to_bits() == CANARY_F32),
            Dtype::F64 => self.canaries::<f64>().all(|x| x.to_bits() == CANARY_F64),
            Dtype::F16 => self.canaries::<f16>().all(|x| x.to_bits() == CANARY_16),
            Dtype::Bf16 => self.canaries::<bf16>().all(|x| x.to_bits() == CANARY_16),
            Dtype::Int8 => self.canaries::<i8>().all(|x| *x == CANARY_INT8),
            Dtype::Int32 => self.canaries::<i32>().all(|x| *x == CANARY_INT32),
        }
    }

    fn set_canaries(&mut self) {
        match self.dtype {
            Dtype::F32 | Dtype::Tf32 => self.guard_with(f32::from_bits(CANARY_F32)),
            Dtype::F64 => self.guard_with(f64::from_bits(CANARY_F64)),
            Dtype::F16 => self.guard_with(f16::from_bits(CANARY_16)),
            Dtype::Bf16 => self.guard_with(bf16::from_bits(CANARY_16)),
            Dtype::Int8 => self.guard_with(CANARY_INT8),
            Dtype::Int32 => self.guard_with(CANARY_INT32),
        }
    }

    fn canaries<T: Plain + 'static>(&self) -> impl Iterator<Item = &T> {
        let (rows, cols, ld, all) = (self.rows, self.cols, self.ld, self.pages.slice::<T>());
        let end = GUARD + rows * ld;
        let padding = (0..rows).flat_map(move |i| &all[GUARD + i * ld + cols..GUARD + (i + 1) * ld]);
        all[..GUARD].iter().chain(padding).chain(&all[end..end + GUARD])
    }

    fn guard_with<T: Plain>(&mut self, canary: T) {
        let (rows, cols, ld) = (self.rows, self.cols, self.ld);
        let all = self.pages.slice_mut::<T>();
        let end = GUARD + rows * ld;
        all[..GUARD].fill(canary);
        all[end..end + GUARD].fill(canary);
        for i in 0..rows {
            all[GUARD + i * ld + cols..GUARD + (i + 1) * ld].fill(canary);
        }
    }
}

/// Rounds to the nearest value with a significand of 11 bits (10 stored), ties to even. Infinities and NaN stay.
#[must_use]
pub fn to_tf32(value: f32) -> f32 {
    if !value.is_finite() {
        return value;
    }
    let bits = value.to_bits();
    f32::from_bits((bits + 0x0fff + ((bits >> 13) & 1)) & !0x1fff)
}

fn each_row<T>(data: &mut [T], cols: usize, ld: usize, mut f: impl FnMut(usize, usize, &mut T)) {
    if cols == 0 {
        return;
    }
    for (i, row) in data.chunks_mut(ld).enumerate() {
        for (j, x) in row[..cols].iter_mut().enumerate() {
            f(i, j, x);
        }
    }
}
