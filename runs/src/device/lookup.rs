//! Finding a device by whatever name a file or a driver gives it.

use super::{Device, catalogue};
use crate::id::slug;

/// What a name led to.
#[derive(Clone, Debug)]
pub struct Found {
    /// The device, where the catalogue knows it.
    pub device: Option<&'static Device>,
    /// Its slug, or one made from the name.
    pub slug: String,
    /// Why there is no device, or what is uncertain about it.
    pub warning: Option<String>,
}

/// Words that makers put before names and that names are found without.
const MAKERS: [&str; 12] =
    ["nvidia", "geforce", "tesla", "quadro", "amd", "ati", "intel", "corporation", "instinct", "radeon", "graphics", "gpu"];

/// Words of a name in lower case, without makers; `2080Ti` and `2080 Ti` are the same in [`joined`].
fn words(name: &str) -> Vec<String> {
    let spaced = name.to_lowercase().replace("(r)", " ").replace("(tm)", " ");
    let words = spaced.split(|character: char| !character.is_alphanumeric());
    words.filter(|word| !word.is_empty() && !MAKERS.contains(word)).map(str::to_owned).collect()
}

fn joined(name: &str) -> String {
    words(name).concat()
}

fn exact(key: &str) -> Option<&'static Device> {
    catalogue().iter().find(|device| device.slug.replace('-', "") == key || device.names.iter().any(|name| joined(name) == key))
}

/// The device called `name`, without regard to case, spacing and maker (`NVIDIA GeForce RTX 2080 Ti`, `RTX_2080_Ti`).
///
/// A name that fits several devices (`A100`) is not guessed: the warning lists them.
#[must_use]
pub fn lookup(name: &str) -> Found {
    if let Some(device) = exact(&joined(name)) {
        return Found { device: Some(device), slug: device.slug.clone(), warning: None };
    }
    let wanted = words(name);
    let fits = |device: &&Device| {
        device.names.iter().any(|known| {
            let known = words(known);
            !wanted.is_empty() && wanted.iter().all(|word| known.contains(word))
        })
    };
    let like: Vec<&str> = catalogue().iter().filter(fits).map(|device| device.slug.as_str()).collect();
    let made = slug(&words(name).join(" "), '-');
    let made = if made.is_empty() { "unknown".to_owned() } else { made };
    let warning = match like.as_slice() {
        [] if name.trim().is_empty() => "no device is named: no peak rates or bandwidth are known".to_owned(),
        [] => format!("device `{name}` is not in the catalogue: no peak rates or bandwidth are known for it"),
        like => format!("device `{name}` may be any of `{}`: no peak rates or bandwidth are taken", like.join("`, `")),
    };
    Found { device: None, slug: made, warning: Some(warning) }
}

/// The device that a file name speaks of (`kt2023__gemm__RTX_2080_Ti.json.gz`): the longest run of its words that names one. `format`,
/// a word for the file's kind, is none (`t4`). The warning says that the name was believed, or, where another word is of other devices
/// (`A100_T4`), that it was not.
#[must_use]
pub fn lookup_in_file_name(file_name: &str, format: &str) -> Found {
    let stem = file_name.split('.').next().unwrap_or_default();
    let all: Vec<String> = words(stem).into_iter().filter(|word| word != format).collect();
    let named =
        |length: usize| all.windows(length).enumerate().find_map(|(at, run)| Some((at..at + length, exact(&run.concat())?)));
    let Some((run, device)) = (1..=all.len()).rev().find_map(named) else {
        // What fits several is said, as of any name.
        let like = |word: &&String| {
            let model = word.starts_with(char::is_alphabetic) && word.bytes().any(|byte| byte.is_ascii_digit());
            model && catalogue().iter().any(|device| device.names.iter().any(|name| words(name).contains(word)))
        };
        let last = stem.rsplit_once("__").map(|(_, last)| last).filter(|last| joined(last) != format);
        return lookup(all.iter().find(like).map(String::as_str).or(last).unwrap_or_default());
    };
    let of_others = |word: &&String| {
        let with = |device: &Device| device.names.iter().any(|name| words(name).contains(word));
        // Words without a digit (`super`, `server`) are common words too.
        word.bytes().any(|byte| byte.is_ascii_digit()) && !with(device) && catalogue().iter().any(with)
    };
    let other = all.iter().enumerate().filter(|(at, _)| !run.contains(at)).map(|(_, word)| word).find(of_others);
    match other {
        None => {
            let warning = format!("device `{}` is taken from the file's name `{file_name}`", device.slug);
            Found { device: Some(device), slug: device.slug.clone(), warning: Some(warning) }
        }
        Some(other) => {
            let warning = format!("file name `{file_name}` speaks of `{}` and of `{other}`: no device is taken", device.slug);
            Found { device: None, slug: "unknown".to_owned(), warning: Some(warning) }
        }
    }
}
