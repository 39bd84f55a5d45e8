//! Stable identifiers: the same parts give the same id on every machine and in every version.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// The first 128 bits of the SHA-256 of `parts`, as 32 hexadecimal digits.
///
/// Each part is preceded by its length, so that `["ab", "c"]` and `["a", "bc"]` differ.
#[must_use]
pub fn id(parts: &[&str]) -> String {
    Prefix::of(&[]).id(parts).as_str().to_owned()
}

/// The beginning of the parts of many identifiers, hashed once.
#[derive(Clone)]
pub(crate) struct Prefix(Sha256);

impl Prefix {
    pub(crate) fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        take(&mut hash, parts);
        Self(hash)
    }

    /// The identifier of the parts so far and `rest`.
    pub(crate) fn id(&self, rest: &[&str]) -> Id {
        let mut hash = self.0.clone();
        take(&mut hash, rest);
        let mut digits = [0; 32];
        put_hex(&hash.finalize()[..16], &mut digits);
        Id(digits)
    }
}

fn take(hash: &mut Sha256, parts: &[&str]) {
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
}

/// An identifier without an allocation of its own: an import of millions of rows makes three for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id([u8; 32]);

impl Id {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

/// The SHA-256 of `bytes`, as 64 hexadecimal digits: what `source_sha256` holds.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// [`sha256`] of all that `reader` gives, piece by piece.
///
/// # Errors
/// What the reader says.
pub fn sha256_of(mut reader: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Ok(length) => hash.update(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    put_hex(bytes, &mut digits);
    digits.into_iter().map(char::from).collect()
}

fn put_hex(bytes: &[u8], digits: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// `name` in lower case with every run of other characters than letters, digits and dots as one `joint`: file and device names.
#[must_use]
pub fn slug(name: &str, joint: char) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_ascii_alphanumeric() || (character == '.' && !out.is_empty()) {
            out.push(character.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with(joint) {
            out.push(joint);
        }
    }
    out.truncate(out.trim_end_matches([joint, '.']).len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_give_the_same_id_everywhere() {
        assert_eq!(id(&[]), "e3b0c44298fc1c149afbf4c8996fb924");
        assert_eq!(id(&["gemm", "m=4"]), id(&["gemm", "m=4"]));
        assert_eq!(id(&["gemm", "m=4"]).len(), 32);
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(id(&["ab", "c"]), id(&["a", "bc"]));
        assert_ne!(id(&["ab"]), id(&["ab", ""]));
    }

    #[test]
    fn it_does_not_matter_how_much_was_hashed_before() {
        let parts =
            ["experiment", "import:table", "", "gemm m=4096 n=4096 k=4096 f32, long enough for more than a block of the hash"];
        for cut in 0..=parts.len() {
            assert_eq!(Prefix::of(&parts[..cut]).id(&parts[cut..]).as_str(), id(&parts), "{cut}");
        }
    }

    #[test]
    fn a_slug_is_safe_in_a_path() {
        let check = |name: &str, expected: &str| assert_eq!(slug(name, '-'), expected);
        check("NVIDIA GeForce RTX 2080 Ti", "nvidia-geforce-rtx-2080-ti");
        check("../../etc/passwd", "etc-passwd");
        check("AMD EPYC (2 threads)", "amd-epyc-2-threads");
        check("v1.5.", "v1.5");
        check("", "");
    }
}
