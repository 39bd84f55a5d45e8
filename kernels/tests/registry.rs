//! Folders under `families/` and the registry name the same families.

use std::path::{Path, PathBuf};

use tilecast_kernels::registry;

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).expect("a folder of the crate");
    entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn every_family_folder_is_registered_and_every_registered_family_has_a_folder() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/families");
    let groups = folders(&families);
    let mut found: Vec<String> = groups
        .iter()
        .flat_map(|group| folders(group))
        .filter(|path| path.join("mod.rs").exists())
        .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    let mut registered: Vec<String> = registry().iter().map(|family| family.card().id.to_owned()).collect();
    found.sort_unstable();
    registered.sort_unstable();
    assert_eq!(found, registered);
}

#[test]
fn family_folders_say_math_work_and_knobs() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/families");
    for folder in folders(&families).iter().flat_map(|group| folders(group)) {
        #[allow(clippy::disallowed_methods)] // the source of this crate
        let text = std::fs::read_to_string(folder.join("mod.rs")).expect("a family's mod.rs");
        for heading in ["//! # Math", "//! # Work", "//! # Knobs"] {
            assert!(text.contains(heading), "{} lacks `{heading}`", folder.display());
        }
    }
}
