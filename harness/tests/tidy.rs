//! House rules that a machine can check: the map is true, files stay small, nothing says `utils`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Files git knows or would take: built and ignored ones are left out.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8(listed.stdout)
        .expect("paths are text")
        .lines()
        .filter(|path| root().join(path).is_file())
        .map(str::to_owned)
        .collect()
}

fn sources() -> Vec<String> {
    files().into_iter().filter(|path| path.ends_with(".rs")).collect()
}

/// Words in backticks that look like paths of this repository.
fn paths_in(text: &str) -> Vec<String> {
    let looks_like_path = |word: &&str| {
        let tops = ["kernels/", "runs/", "models/", "reports/", "harness/", "vgpu/", "sweeps/", "scripts/", "docs/", ".ci/"];
        tops.iter().any(|top| word.starts_with(top)) && !word.contains(['*', '<', ' ', '{', '…'])
    };
    text.split('`').skip(1).step_by(2).filter(looks_like_path).map(str::to_owned).collect()
}

#[test]
fn every_path_the_documents_name_exists() {
    for document in ["ARCHITECTURE.md", "README.md", "STYLE.md", "docs/measuring.md"] {
        let paths = paths_in(&read(root().join(document)));
        let missing: Vec<_> = paths.into_iter().filter(|path| !root().join(path).exists()).collect();
        assert!(missing.is_empty(), "{document} names what is not there: {missing:?}");
    }
    assert!(paths_in(&read(root().join("ARCHITECTURE.md"))).len() > 20, "the map names the rooms");
}

#[test]
fn every_crate_is_on_the_map() {
    let map = read(root().join("ARCHITECTURE.md"));
    for file in files().iter().filter(|file| file.ends_with("/Cargo.toml")) {
        let folder = file.trim_end_matches("Cargo.toml");
        assert!(map.contains(&format!("`{folder}`")), "{folder} is not on the map");
    }
}

#[test]
fn files_stay_under_six_hundred_lines() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|path| (read(root().join(&path)).lines().count(), path))
        .filter(|(lines, _)| *lines > 600)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let banned = ["utils", "util", "base", "common", "helpers", "helper", "misc"];
    let named =
        |path: &&String| Path::new(path).file_stem().is_some_and(|stem| banned.contains(&stem.to_string_lossy().as_ref()));
    let found: Vec<_> = files().into_iter().filter(|path| named(&path)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn unsafe_stays_in_devices_cpu_sources_and_the_virtual_gpu() {
    // A planted overrun in the device's own test writes where no safe code can.
    let places = ["kernels/src/devices/", "kernels/tests/cpu_device.rs", "vgpu/"];
    let allowed = |path: &str| {
        places.iter().any(|place| path.starts_with(place))
            || (path.starts_with("kernels/src/families/") && path.ends_with("cpu.rs"))
    };
    let marker = concat!("unsafe", " {");
    let stray: Vec<_> = sources().into_iter().filter(|path| !allowed(path) && read(root().join(path)).contains(marker)).collect();
    assert!(stray.is_empty(), "{stray:?}");
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() {
    let marks = [
        concat!("#[ign", "ore"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
    ];
    let found: Vec<_> = sources()
        .into_iter()
        .flat_map(|path| {
            let text = read(root().join(&path));
            marks.iter().filter(|mark| text.contains(**mark)).map(|mark| format!("{path}: {mark}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn every_warning_identifier_is_a_heading() {
    let headings = read(root().join("docs/measuring.md"));
    let measured = tilecast_harness::record::WARNINGS.map(|(id, _)| id);
    for id in measured.into_iter().chain(tilecast_runs::import::WARNINGS.iter().copied()) {
        assert!(headings.contains(&format!("\n### {id}\n")), "docs/measuring.md has no heading `{id}`");
    }
}

#[test]
fn scripts_say_what_they_need_and_can_be_started() {
    use std::os::unix::fs::PermissionsExt;
    for path in files().iter().filter(|path| path.starts_with("scripts/") && !path.ends_with(".py") && !path.ends_with(".md")) {
        let file = root().join(path);
        let text = read(&file);
        assert!(text.starts_with("#!"), "{path} has no interpreter line");
        assert!(text.lines().take(12).any(|line| line.to_lowercase().contains("needs")), "{path} does not say what it needs");
        assert!(file.metadata().expect("exists").permissions().mode() & 0o111 != 0, "{path} is not executable");
    }
}
