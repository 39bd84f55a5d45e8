//! Another name for a library that is open already.
//!
//! The loader knows an open library by the name it was opened under and by its SONAME. A library without code, with the other name for a SONAME and the
//! real one for a dependency, makes the loader know that name too: symbols are looked for in a library and in what it depends on.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_NOW};

/// Sizes of an ELF64 header, of a program header, of an entry of the dynamic section and of a symbol.
const HEADER: usize = 64;
const SEGMENT: usize = 56;
const ENTRY: usize = 16;
const SYMBOL: usize = 24;
/// The largest page of any machine that CUDA runs on.
const PAGE: u64 = 1 << 16;

/// What keeps a name known. The file stays open: the loader knows libraries by their path, and the next one must have another.
pub(super) type Alias = (Library, File);

/// Makes the loader find the open library `path` under `name` too, unless it knows another by that name already: the first one counts. Asking it before
/// would be a mistake, since it keeps what it finds in its folders.
pub(super) fn give(path: &Path, name: &str) -> io::Result<Alias> {
    // SAFETY: a valid name. The descriptor is new and owned by the file alone.
    let mut file = unsafe {
        match libc::memfd_create(c"alias".as_ptr(), libc::MFD_CLOEXEC) {
            -1 => return Err(io::Error::last_os_error()),
            descriptor => File::from_raw_fd(descriptor),
        }
    };
    file.write_all(&image(&machine()?, path.as_os_str().as_bytes(), name.as_bytes()))?;
    let place = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: it has no code; what it depends on is open.
    let library = unsafe { Library::open(Some(place), RTLD_NOW) }.map_err(io::Error::other)?;
    Ok((library, file))
}

/// Header of the program that runs: it says for which machine code is.
fn machine() -> io::Result<[u8; HEADER]> {
    let mut header = [0; HEADER];
    File::open("/proc/self/exe")?.read_exact(&mut header)?;
    Ok(header)
}

/// A shared object of no code for the machine of `header`. ELF-64 Object File Format, version 1.5.
fn image(header: &[u8; HEADER], needed: &[u8], soname: &[u8]) -> Vec<u8> {
    const DYNAMIC: usize = HEADER + 3 * SEGMENT;
    const SYMBOLS: usize = DYNAMIC + 7 * ENTRY;
    const STRINGS: usize = SYMBOLS + SYMBOL;
    let strings = [&[0], needed, &[0], soname, &[0]].concat();
    let whole = wide(STRINGS + strings.len());
    // NEEDED, SONAME, STRTAB, STRSZ, SYMTAB, SYMENT, NULL.
    let dynamic = [
        [1, 1],
        [14, wide(needed.len()) + 2],
        [5, wide(STRINGS)],
        [10, wide(strings.len())],
        [6, wide(SYMBOLS)],
        [11, wide(SYMBOL)],
        [0, 0],
    ];
    // Kind, flags (4 reads, 2 writes: the loader adds its base to addresses in place), from, to, alignment: LOAD, DYNAMIC, GNU_STACK. Without the last
    // one the loader would want a stack that code can run on.
    let segments = [(1, 6, 0, whole, PAGE), (2, 6, wide(DYNAMIC), wide(SYMBOLS), 8), (0x6474_e551, 6, 0, 0, 16)];
    let mut image = header[..16].to_vec();
    image.extend(3u16.to_ne_bytes());
    image.extend(&header[18..24]);
    image.extend([0, wide(HEADER), 0].map(u64::to_ne_bytes).concat());
    image.extend(&header[48..52]);
    image.extend([HEADER, SEGMENT, 3, HEADER, 0, 0].map(|size| u16::try_from(size).expect("small").to_ne_bytes()).concat());
    for (kind, flags, from, to, align) in segments {
        image.extend([kind, flags].map(u32::to_ne_bytes).concat());
        image.extend([from, from, from, to - from, to - from, align].map(u64::to_ne_bytes).concat());
    }
    image.extend(dynamic.as_flattened().iter().flat_map(|word| word.to_ne_bytes()));
    image.extend([0; SYMBOL]);
    image.extend(strings);
    image
}

fn wide(size: usize) -> u64 {
    size as u64
}

#[cfg(test)]
mod tests {
    use std::ffi::c_void;

    use super::*;

    #[test]
    fn an_open_library_is_found_under_the_other_name_with_its_own_symbols() {
        // SAFETY: a library of the system, open in every program.
        let real = unsafe { Library::open(Some("libc.so.6"), RTLD_NOW) }.expect("every program has it");
        let alias = give(Path::new("libc.so.6"), "libnobody-has-this.so").expect("can be named");
        // SAFETY: loads nothing; the symbol is not called.
        unsafe {
            let named = Library::open(Some("libnobody-has-this.so"), RTLD_NOW | libc::RTLD_NOLOAD).expect("known by now");
            assert_eq!(*named.get::<*const c_void>(b"malloc").expect("there"), *real.get(b"malloc").expect("there"));
        }
        drop(alias);
    }
}
