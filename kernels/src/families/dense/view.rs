//! The operands of one call as kernels want them: slices and strides.

use super::gemm::Gemm;
use crate::devices::cpu::CpuIo;
use crate::devices::cpu::micro::Real;

/// beta·C, where beta is not 0.
#[derive(Clone, Copy, Debug)]
pub struct Addend<'a, T> {
    /// Factor.
    pub beta: T,
    /// Row-major m×n.
    pub c: &'a [T],
    /// Leading dimension of C.
    pub ld: usize,
}

/// D = alpha·op(A)·op(B) + beta·C as slices: op(A)[i, p] = `a[i·a_strides.0 + p·a_strides.1]`, likewise op(B)[p, j].
#[derive(Debug)]
pub struct View<'a, T> {
    /// Rows, columns, depth.
    pub size: (usize, usize, usize),
    /// Factor of the product.
    pub alpha: T,
    /// A as stored.
    pub a: &'a [T],
    /// Elements from row to row and from column to column of op(A).
    pub a_strides: (usize, usize),
    /// B as stored.
    pub b: &'a [T],
    /// Elements from row to row and from column to column of op(B).
    pub b_strides: (usize, usize),
    /// beta·C; `None` where C must not be read.
    pub addend: Option<Addend<'a, T>>,
    /// Row-major m×n.
    pub d: &'a mut [T],
    /// Leading dimension of D.
    pub d_ld: usize,
}

/// The view of `io` for `gemm`.
pub fn gemm_view<'a, T: Real>(gemm: &Gemm, io: &'a mut CpuIo<'_>) -> View<'a, T> {
    let [a, b, c] = io.operands else { panic!("a dense problem has three operands") };
    let strides = |ld, transposed| if transposed { (1, ld) } else { (ld, 1) };
    let addend = (gemm.beta != 0.0).then(|| Addend { beta: T::from_f64(gemm.beta), c: T::of(c), ld: c.ld });
    let d_ld = io.output.ld;
    View {
        size: (gemm.m, gemm.n, gemm.k),
        alpha: T::from_f64(gemm.alpha),
        a: T::of(a),
        a_strides: strides(a.ld, gemm.layout.a_transposed()),
        b: T::of(b),
        b_strides: strides(b.ld, gemm.layout.b_transposed()),
        addend,
        d: T::of_mut(io.output),
        d_ld,
    }
}

impl<T: Real> View<'_, T> {
    /// Sets row `i` of D to beta·C, or to zeros.
    #[inline(always)]
    pub fn start_row(&mut self, i: usize) {
        let n = self.size.1;
        let row = &mut self.d[i * self.d_ld..][..n];
        match self.addend {
            None => row.fill(T::ZERO),
            Some(Addend { beta, c, ld }) => row.iter_mut().zip(&c[i * ld..][..n]).for_each(|(d, &c)| *d = beta * c),
        }
    }

    /// beta·C at (i, j), or zero.
    #[inline(always)]
    #[must_use]
    pub fn addend_at(&self, i: usize, j: usize) -> T {
        self.addend.map_or(T::ZERO, |Addend { beta, c, ld }| beta * c[i * ld + j])
    }

    /// op(A) at (i, p).
    #[inline(always)]
    #[must_use]
    pub fn a_at(&self, i: usize, p: usize) -> T {
        self.a[i * self.a_strides.0 + p * self.a_strides.1]
    }

    /// op(B) at (p, j).
    #[inline(always)]
    #[must_use]
    pub fn b_at(&self, p: usize, j: usize) -> T {
        self.b[p * self.b_strides.0 + j * self.b_strides.1]
    }
}
