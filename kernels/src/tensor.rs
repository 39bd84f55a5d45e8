//! Host matrices: row-major, padded leading dimension, guarded by canaries.

use crate::devices::cpu::Pages;
use crate::problem::Dtype;

/// Elements of a matrix.
#[derive(Clone, Copy, Debug)]
pub enum Elements<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Double precision.
    F64(&'a [f64]),
}

/// Elements of a matrix, writable.
#[derive(Debug)]
pub enum ElementsMut<'a> {
    /// Single precision.
    F32(&'a mut [f32]),
    /// Double precision.
    F64(&'a mut [f64]),
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
/// A pattern that is a NaN with a recognisable payload in both types, so that reading it poisons a result.
const CANARY_F32: u32 = 0x7fc0_cafe;
const CANARY_F64: u64 = 0x7ff8_0000_cafe_cafe;

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
        let range = GUARD..GUARD + self.rows * self.ld;
        match self.dtype {
            Dtype::F32 => Elements::F32(&self.pages.slice::<f32>()[range]),
            Dtype::F64 => Elements::F64(&self.pages.slice::<f64>()[range]),
        }
    }

    /// `rows·ld` elements, padding included.
    pub fn elements_mut(&mut self) -> ElementsMut<'_> {
        let range = GUARD..GUARD + self.rows * self.ld;
        match self.dtype {
            Dtype::F32 => ElementsMut::F32(&mut self.pages.slice_mut::<f32>()[range]),
            Dtype::F64 => ElementsMut::F64(&mut self.pages.slice_mut::<f64>()[range]),
        }
    }

    /// Element (i, j), widened.
    #[must_use]
    pub fn at(&self, i: usize, j: usize) -> f64 {
        match self.elements() {
            Elements::F32(data) => f64::from(data[i * self.ld + j]),
            Elements::F64(data) => data[i * self.ld + j],
        }
    }

    /// Sets every element from its position, rounding to the element type; padding keeps its canaries.
    pub fn fill(&mut self, mut value: impl FnMut(usize, usize) -> f64) {
        let (cols, ld) = (self.cols, self.ld);
        match self.elements_mut() {
            #[allow(clippy::cast_possible_truncation)] // rounding to the element type is the point
            ElementsMut::F32(data) => each_row(data, cols, ld, |i, j, x| *x = value(i, j) as f32),
            ElementsMut::F64(data) => each_row(data, cols, ld, |i, j, x| *x = value(i, j)),
        }
    }

    /// Sets every element to NaN, so that one a kernel did not write cannot pass for a result.
    pub fn poison(&mut self) {
        self.fill(|_, _| f64::NAN);
    }

    /// True while no canary in the guard zones or between `cols` and `ld` was touched.
    #[must_use]
    pub fn canaries_intact(&self) -> bool {
        let (rows, cols, ld) = (self.rows, self.cols, self.ld);
        match self.dtype {
            Dtype::F32 => canaries(self.pages.slice::<f32>(), rows, cols, ld).all(|x| x.to_bits() == CANARY_F32),
            Dtype::F64 => canaries(self.pages.slice::<f64>(), rows, cols, ld).all(|x| x.to_bits() == CANARY_F64),
        }
    }

    fn set_canaries(&mut self) {
        let (rows, cols, ld, dtype) = (self.rows, self.cols, self.ld, self.dtype);
        match dtype {
            Dtype::F32 => set_canaries(self.pages.slice_mut::<f32>(), (rows, cols, ld), f32::from_bits(CANARY_F32)),
            Dtype::F64 => set_canaries(self.pages.slice_mut::<f64>(), (rows, cols, ld), f64::from_bits(CANARY_F64)),
        }
    }
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

fn canaries<T>(all: &[T], rows: usize, cols: usize, ld: usize) -> impl Iterator<Item = &T> {
    let end = GUARD + rows * ld;
    let padding = (0..rows).flat_map(move |i| &all[GUARD + i * ld + cols..GUARD + (i + 1) * ld]);
    all[..GUARD].iter().chain(padding).chain(&all[end..end + GUARD])
}

fn set_canaries<T: Copy>(all: &mut [T], (rows, cols, ld): (usize, usize, usize), canary: T) {
    let end = GUARD + rows * ld;
    all[..GUARD].fill(canary);
    all[end..end + GUARD].fill(canary);
    for i in 0..rows {
        all[GUARD + i * ld + cols..GUARD + (i + 1) * ld].fill(canary);
    }
}
