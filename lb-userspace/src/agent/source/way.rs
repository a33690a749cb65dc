//! The names that lead to a file: of itself, of each directory above it, and the same for each link on the way.

use std::{
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

/// A directory without links in its path, and a name in it whose change may be a change of the file.
pub type Step = (PathBuf, OsString);

/// The steps to a file, as far as they exist; the last one may be a name that does not exist yet.
pub fn way(path: &Path) -> Vec<Step> {
    let (mut steps, mut links) = (Vec::new(), 0);
    let mut here = PathBuf::from("/");
    // The names that are still to be followed, the next one last.
    let mut ahead = names(path);
    while let Some(name) = ahead.pop() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        steps.push((here.clone(), name));
        match fs::read_link(&next) {
            Ok(target) if links < MAX_LINKS => {
                links += 1;
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                ahead.extend(names(&target));
            }
            Ok(_) => break,
            Err(_) if next.exists() => here = next,
            Err(_) => break,
        }
    }
    steps
}

/// The names in a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect::<Vec<_>>().into_iter().rev().collect()
}
