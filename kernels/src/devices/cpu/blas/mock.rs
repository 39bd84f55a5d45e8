//! A oneDNN of one function, compiled by tests that want a BLAS library, or several: `dnnl_sgemm`, slow and right.

use std::ffi::{c_char, c_int};

/// Row-major `c = alpha·op(a)·op(b) + beta·c`.
///
/// # Safety
/// Pointers are the caller's, valid for the shapes and leading dimensions given.
#[unsafe(no_mangle)]
#[allow(clippy::many_single_char_names, clippy::too_many_arguments)] // the signature is oneDNN's
pub unsafe extern "C" fn dnnl_sgemm(
    a_letter: c_char,
    b_letter: c_char,
    m: i64,
    n: i64,
    k: i64,
    alpha: f32,
    a: *const f32,
    a_ld: i64,
    b: *const f32,
    b_ld: i64,
    beta: f32,
    c: *mut f32,
    c_ld: i64,
) -> c_int {
    let place = |letter: c_char, i: i64, j: i64, ld: i64| (if letter as u8 == b'T' { j * ld + i } else { i * ld + j }) as isize;
    for i in 0..m {
        for j in 0..n {
            // SAFETY: the caller's guarantee; with beta = 0, C is not read.
            unsafe {
                let product = |l| *a.offset(place(a_letter, i, l, a_ld)) * *b.offset(place(b_letter, l, j, b_ld));
                let sum: f32 = (0..k).map(product).sum();
                let at = c.offset((i * c_ld + j) as isize);
                let addend = if beta == 0.0 { 0.0 } else { beta * *at };
                *at = alpha * sum + addend;
            }
        }
    }
    0
}
