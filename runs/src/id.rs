//! Stable identifiers: the same parts give the same id on every machine and in every version.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The first 128 bits of the SHA-256 of `parts`, as 32 hexadecimal digits.
///
/// Each part is preceded by its length, so that `["ab", "c"]` and `["a", "bc"]` differ.
#[must_use]
pub fn id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize()[..16])
}

/// The SHA-256 of `bytes`, as 64 hexadecimal digits: what `source_sha256` holds.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
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
    fn a_slug_is_safe_in_a_path() {
        let check = |name: &str, expected: &str| assert_eq!(slug(name, '-'), expected);
        check("NVIDIA GeForce RTX 2080 Ti", "nvidia-geforce-rtx-2080-ti");
        check("../../etc/passwd", "etc-passwd");
        check("AMD EPYC (2 threads)", "amd-epyc-2-threads");
        check("v1.5.", "v1.5");
        check("", "");
    }
}
