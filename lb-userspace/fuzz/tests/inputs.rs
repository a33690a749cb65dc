//! Runs every target with every stored input: seeds, and inputs that fuzzers found.

use std::{fs, path::Path};

/// Feeds each file of `seeds/TARGET` and `regressions/TARGET` to the target.
fn feed(target: &str, run: impl Fn(&[u8])) {
    for kept in ["seeds", "regressions"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(kept).join(target);
        let Ok(files) = fs::read_dir(&directory) else {
            assert_eq!(kept, "regressions", "{} is missing", directory.display());
            continue;
        };
        let mut count = 0;
        for file in files {
            let path = file.unwrap().path();
            // Shown if this input fails.
            println!("{}", path.display());
            run(&fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} is empty", directory.display());
    }
}

#[test]
fn parse() {
    feed("parse", lb_fuzz::targets::parse);
}

#[test]
fn config() {
    feed("config", lb_fuzz::targets::config);
}

#[test]
fn capture() {
    feed("capture", lb_fuzz::targets::capture);
}
