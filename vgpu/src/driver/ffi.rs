//! The edge to C: pointers that may be null, and a guard that lets no panic out.
//!
//! `Out`, `In` and `Text` are what C calls pointers. C callers promise, as CUDA's and NVML's manuals ask, that each is null or valid; Rust callers get them from references.
//! So every dereference of the two interfaces is in this file.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::code::Code;

/// A pointer through which a result is given.
#[repr(transparent)]
#[derive(Debug)]
pub struct Out<T>(*mut T);

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Out<T> {}

impl<T> Out<T> {
    /// One that nothing can be given through.
    pub const NULL: Self = Self(std::ptr::null_mut());

    /// The address of `place`, which must outlive the call it is passed to.
    pub fn to(place: &mut T) -> Self {
        Self(place)
    }

    /// The address of the first of `places`.
    pub fn to_slice(places: &mut [T]) -> Self {
        Self(places.as_mut_ptr())
    }

    /// An address that came in as a plain pointer.
    pub(crate) fn at(address: usize) -> Self {
        Self(address as *mut T)
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Gives `value`; `None` for a null pointer.
    pub(crate) fn give(self, value: T) -> Option<()> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not null, so by the caller's promise valid for a write of one `T`; it may be unaligned for a sloppy caller.
        unsafe { self.0.write_unaligned(value) };
        Some(())
    }

    /// Gives `value`.
    ///
    /// # Errors
    /// `CUDA_ERROR_INVALID_VALUE` for a null pointer.
    pub(crate) fn set(self, value: T) -> Result<(), Code> {
        self.give(value).ok_or(Code::InvalidValue)
    }

    /// Gives `values` to consecutive places.
    pub(crate) fn give_all(self, values: impl IntoIterator<Item = T>) {
        for (i, value) in values.into_iter().enumerate() {
            // SAFETY: the caller of this function checked that the C caller promised room for all values.
            unsafe { self.0.add(i).write_unaligned(value) };
        }
    }
}

impl<T: Copy> Out<T> {
    /// What lies there now; `None` for a null pointer.
    pub(crate) fn get(self) -> Option<T> {
        // SAFETY: not null, so by the caller's promise it points to a `T`.
        (!self.0.is_null()).then(|| unsafe { self.0.read_unaligned() })
    }

    /// What lies at place `i`.
    pub(crate) fn get_at(self, i: usize) -> Option<T> {
        // SAFETY: the caller promised an array longer than `i` by the count it passed beside it.
        (!self.0.is_null()).then(|| unsafe { self.0.add(i).read_unaligned() })
    }

    /// Gives `value` at place `i`.
    pub(crate) fn give_at(self, i: usize, value: T) {
        if !self.0.is_null() {
            // SAFETY: the caller promised an array longer than `i` by the count it passed beside it.
            unsafe { self.0.add(i).write_unaligned(value) };
        }
    }
}

impl Out<c_char> {
    /// Gives `text` with its end, cut to `length` bytes; `None` for a null pointer or no room.
    pub(crate) fn give_text(self, text: &str, length: usize) -> Option<()> {
        if self.0.is_null() || length == 0 {
            return None;
        }
        let kept = text.len().min(length - 1);
        // SAFETY: not null, and the caller promised `length` bytes, of which `kept + 1` are written.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), self.0, kept);
            self.0.add(kept).write(0);
        }
        Some(())
    }
}

/// A pointer to something read.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct In<T>(*const T);

impl<T: Copy> In<T> {
    /// A pointer to nothing.
    pub const NULL: Self = Self(std::ptr::null());

    /// The address of `place`.
    pub fn of(place: &T) -> Self {
        Self(place)
    }

    /// The address of the first of `places`.
    pub fn of_slice(places: &[T]) -> Self {
        Self(places.as_ptr())
    }

    /// An address that came in as a plain pointer.
    pub(crate) fn at(address: usize) -> Self {
        Self(address as *const T)
    }

    pub(crate) fn get(self) -> Option<T> {
        // SAFETY: not null, so by the caller's promise it points to a `T`.
        (!self.0.is_null()).then(|| unsafe { self.0.read_unaligned() })
    }

    pub(crate) fn get_at(self, i: usize) -> Option<T> {
        // SAFETY: the caller promised an array longer than `i`.
        (!self.0.is_null()).then(|| unsafe { self.0.add(i).read_unaligned() })
    }
}

/// A C string.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Text(*const c_char);

impl Text {
    /// The address of `text`, which must outlive the call.
    pub fn of(text: &CStr) -> Self {
        Self(text.as_ptr())
    }

    /// The text; `None` where null or not UTF-8.
    pub(crate) fn get(self) -> Option<String> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not null, so by the caller's promise it ends with a zero byte.
        unsafe { CStr::from_ptr(self.0) }.to_str().ok().map(str::to_owned)
    }
}

/// `bytes` bytes of host memory to read; `None` for a null address.
pub(crate) fn host_bytes<'a>(address: *const c_void, bytes: usize) -> Option<&'a [u8]> {
    // SAFETY: not null, and the caller of a copy promises that so many bytes can be read and are not changed meanwhile.
    (!address.is_null()).then(|| unsafe { std::slice::from_raw_parts(address.cast(), bytes) })
}

/// `bytes` bytes of host memory to write; `None` for a null address.
pub(crate) fn host_bytes_mut<'a>(address: *mut c_void, bytes: usize) -> Option<&'a mut [u8]> {
    // SAFETY: not null, and the caller of a copy promises that so many bytes can be written and that nobody else uses them meanwhile.
    (!address.is_null()).then(|| unsafe { std::slice::from_raw_parts_mut(address.cast(), bytes) })
}

/// The module image at `address`: machine code is recognised by its first bytes, everything else is text that ends with a zero byte.
pub(crate) fn image(address: *const c_void) -> Option<Image> {
    if address.is_null() {
        return None;
    }
    // SAFETY: the shortest image is longer than the magic numbers: PTX begins with `.version`, a text shorter than four bytes ends early and is compared byte by byte.
    let starts = |magic: &[u8]| magic.iter().enumerate().all(|(i, byte)| unsafe { *address.cast::<u8>().add(i) == *byte });
    if starts(b"\x7fELF") {
        return Some(Image::Cubin);
    }
    // `0xba55ed50`, little-endian: a fat binary; and the wrapper nvcc puts round one.
    if starts(&[0x50, 0xed, 0x55, 0xba]) || starts(&[0xb1, 0x43, 0x62, 0x46]) {
        return Some(Image::FatBinary);
    }
    // SAFETY: by the caller's promise the image is text that ends with a zero byte.
    Some(Image::Text(unsafe { CStr::from_ptr(address.cast()) }.to_string_lossy().into_owned()))
}

/// What a module is loaded from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// Machine code for one architecture.
    Cubin,
    /// Several images in one.
    FatBinary,
    /// PTX.
    Text(String),
}

/// Runs the body of a CUDA call; a panic becomes `CUDA_ERROR_UNKNOWN` and a line in the log.
pub(crate) fn guard(name: &str, body: impl FnOnce() -> Result<(), Code>) -> Code {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => Code::Success,
        Ok(Err(code)) => code,
        Err(panic) => {
            crate::driver::log::say(&format!("{name}: {}", panic_text(panic.as_ref())));
            Code::Unknown
        }
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the virtual GPU stumbled: {}", text.unwrap_or_else(|| "no message".into()))
}

/// Defines exported CUDA calls. Each body is a closure that gives `Result<(), Code>`; `SYMBOLS` lists them for `cuGetProcAddress`.
macro_rules! cuda {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block)*) => {
        $(
            $(#[$doc])*
            #[unsafe(no_mangle)]
            #[allow(non_snake_case, clippy::too_many_arguments)] // CUDA's names and signatures
            pub extern "C" fn $name($($arg: $ty),*) -> $crate::driver::code::Code {
                $crate::driver::ffi::guard(stringify!($name), move || $body)
            }
        )*
        /// Names and addresses of the calls above.
        pub(crate) const SYMBOLS: &[(&str, *const ())] = &[$((stringify!($name), $name as *const ())),*];
    };
}
pub(crate) use cuda;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_pointers_give_errors_and_texts_are_cut() {
        assert_eq!(Out::<i32>::NULL.set(1), Err(Code::InvalidValue));
        let mut text = [1i8 as c_char; 4];
        Out::to_slice(&mut text).give_text("abcdef", 4).unwrap();
        assert_eq!(text.map(|c| c as u8), *b"abc\0");
        assert!(Out::to_slice(&mut text).give_text("a", 0).is_none());
        assert!(host_bytes(std::ptr::null(), 4).is_none());
    }

    #[test]
    fn a_panic_becomes_an_unknown_error() {
        assert_eq!(guard("cuTest", || panic!("on purpose")), Code::Unknown);
    }

    #[test]
    fn machine_code_is_told_from_text() {
        assert_eq!(image(c"\x7fELF rest".as_ptr().cast()), Some(Image::Cubin));
        assert_eq!(image([0x50u8, 0xed, 0x55, 0xba, 1, 0].as_ptr().cast()), Some(Image::FatBinary));
        assert_eq!(image(c".v".as_ptr().cast()), Some(Image::Text(".v".into())));
        assert_eq!(image(std::ptr::null()), None);
    }
}
