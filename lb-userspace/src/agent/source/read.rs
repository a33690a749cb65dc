//! The file → its text.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use sha2::{Digest as _, Sha256};

use crate::decide::slots::Digest;

/// The largest file that is read: far more than the largest instance needs.
const MAX_SIZE: u64 = 64 << 20;

/// A text, and its digest.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Its digest, never 0.
    pub digest: u64,
}

/// Why the file cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Reads a file. Does not wait for writers of a pipe.
pub fn read(path: &Path) -> Result<Text, Unreadable> {
    let system = |error: io::Error| Unreadable(error.to_string());
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(system)?;
    if !file.metadata().map_err(system)?.is_file() {
        return Err(Unreadable("it is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(system)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(Unreadable(format!("it is larger than {} MiB", MAX_SIZE >> 20)));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| Unreadable(format!("it is not UTF-8 text (byte {})", error.utf8_error().valid_up_to() + 1)))?;
    let mut hash = Sha256::new();
    hash.update(&text);
    // 0 stands for no file.
    let digest = Digest::of(hash).0.max(1);
    Ok(Text { text, digest })
}
