//! The element types, as kernels see them.

use std::ops::{Add, AddAssign, Mul};

use super::{Isa, Kernels, portable};
use crate::devices::cpu::Pages;
use crate::{Dtype, Elements, ElementsMut, Tensor};

/// An element type with micro-kernels.
pub trait Real:
    Copy + Send + Sync + PartialEq + Default + Add<Output = Self> + Mul<Output = Self> + AddAssign + std::fmt::Debug + 'static
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Which type it is.
    const DTYPE: Dtype;

    /// Rounds to this type.
    fn from_f64(value: f64) -> Self;
    /// Widens.
    fn to_f64(self) -> f64;
    /// The micro-kernels for `isa`; `None` where this processor lacks it.
    #[must_use]
    fn kernels(isa: Isa) -> Option<&'static Kernels<Self>> {
        Self::table(isa).filter(|_| isa.is_available())
    }
    /// The micro-kernels this build holds for `isa`, whether or not this processor can run them: for planning.
    #[must_use]
    fn table(isa: Isa) -> Option<&'static Kernels<Self>>;
    /// Turns a block of `LANES` (4 or 2) lanes by four steps of depth: `from` is (first element, elements from lane to lane) with steps next to
    /// each other, `to` is (first element, elements from step to step) with lanes next to each other.
    ///
    /// # Safety
    /// `from` is readable for 4 elements in each lane, `to` writable for `LANES` elements at each of 4 steps.
    unsafe fn turn<const LANES: usize>(from: (*const Self, usize), to: (*mut Self, usize));
    /// The elements of `tensor`, padding included.
    ///
    /// # Panics
    /// Where the tensor is of another type.
    fn of(tensor: &Tensor) -> &[Self];
    /// The elements of `tensor`, padding included.
    ///
    /// # Panics
    /// Where the tensor is of another type.
    fn of_mut(tensor: &mut Tensor) -> &mut [Self];
    /// Scratch as elements.
    fn scratch(pages: &mut Pages) -> &mut [Self];
}

macro_rules! real {
    ($real:ty, $variant:ident, $turn:ident) => {
        impl Real for $real {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const DTYPE: Dtype = Dtype::$variant;

            #[allow(clippy::cast_possible_truncation)] // rounding to the element type is the point
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            #[allow(clippy::useless_conversion)] // f64 among the types
            fn to_f64(self) -> f64 {
                self.into()
            }
            fn table(isa: Isa) -> Option<&'static Kernels<Self>> {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => Some(&super::avx512::$variant),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => Some(&super::avx2::$variant),
                    #[cfg(not(target_arch = "x86_64"))]
                    Isa::Avx512 | Isa::Avx2 => None,
                    Isa::Portable => Some(&portable::$variant),
                }
            }
            #[inline(always)]
            unsafe fn turn<const LANES: usize>(from: (*const Self, usize), to: (*mut Self, usize)) {
                // SAFETY: the caller's guarantee.
                unsafe { super::turn::$turn::<LANES>(from, to) }
            }
            fn of(tensor: &Tensor) -> &[Self] {
                match tensor.elements() {
                    Elements::$variant(data) => data,
                    _ => panic!("`{}` is not {}", tensor.name, Self::DTYPE),
                }
            }
            fn of_mut(tensor: &mut Tensor) -> &mut [Self] {
                let name = tensor.name;
                match tensor.elements_mut() {
                    ElementsMut::$variant(data) => data,
                    _ => panic!("`{name}` is not {}", Self::DTYPE),
                }
            }
            fn scratch(pages: &mut Pages) -> &mut [Self] {
                pages.slice_mut()
            }
        }
    };
}

real!(f32, F32, single);
real!(f64, F64, double);
