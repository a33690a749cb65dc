//! A record → a line.

use std::{
    io,
    os::fd::AsFd,
    time::{SystemTime, UNIX_EPOCH},
};

use log::Level;
use nix::sys::stat::fstat;
use serde::Serialize;

use super::options::LogFormat;
use crate::trace::clock::rfc3339;

/// The form of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// The level and the text.
    Plain,
    /// The same after the time.
    Text,
    /// The text after systemd's priority.
    Journal,
    /// An object.
    Json,
}

#[derive(Serialize)]
struct Object<'a> {
    time: &'a str,
    level: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<u64>,
}

impl Style {
    /// What the command line asks for.
    pub fn of(format: LogFormat) -> Self {
        match format {
            LogFormat::Auto if is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref(), io::stderr()) => {
                Self::Journal
            }
            LogFormat::Auto | LogFormat::Text => Self::Text,
            LogFormat::Journal => Self::Journal,
            LogFormat::Json => Self::Json,
        }
    }

    /// A record as it is written.
    pub fn line(self, time: SystemTime, level: Level, text: &str, repeated: Option<u64>) -> String {
        let name = level.as_str().to_lowercase();
        let time = || {
            let full = rfc3339(time.duration_since(UNIX_EPOCH).unwrap_or_default());
            // To the millisecond.
            format!("{}Z", full.get(..23).unwrap_or(&full))
        };
        match self {
            Self::Plain => format!("{name}: {text}\n"),
            Self::Text => format!("{} {name}: {text}\n", time()),
            // Each line is an entry of its own, with its own priority.
            Self::Journal => text.lines().map(|line| format!("<{}>{line}\n", priority(level))).collect(),
            Self::Json => {
                let object = Object { time: &time(), level: &name, message: text, repeated };
                // Strings and a number can always be written.
                serde_json::to_string(&object).unwrap_or_default() + "\n"
            }
        }
    }
}

/// As syslog numbers them.
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Whether a file is the stream to the journal, whose device and inode systemd names.
fn is_journal(named: Option<&str>, file: impl AsFd) -> bool {
    let Some((device, inode)) = named.and_then(|named| named.split_once(':')) else { return false };
    fstat(file).is_ok_and(|found| device.parse() == Ok(found.st_dev) && inode.parse() == Ok(found.st_ino))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::MetadataExt as _, time::Duration};

    use super::*;

    fn line(style: Style) -> String {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_530_187_123);
        style.line(time, Level::Warn, "eth0 is \"down\"\nfor now", None)
    }

    #[test]
    fn each_form_has_what_its_reader_needs() {
        assert_eq!(line(Style::Plain), "warn: eth0 is \"down\"\nfor now\n");
        assert_eq!(line(Style::Text), "2026-11-24T14:23:07.123Z warn: eth0 is \"down\"\nfor now\n");
        assert_eq!(line(Style::Journal), "<4>eth0 is \"down\"\n<4>for now\n");
        let object: serde_json::Value = serde_json::from_str(&line(Style::Json)).unwrap();
        let expected = serde_json::json!({"time": "2026-11-24T14:23:07.123Z", "level": "warn", "message": "eth0 is \"down\"\nfor now"});
        assert_eq!(object, expected);
        assert_eq!(line(Style::Json).lines().count(), 1);
    }

    #[test]
    fn the_journal_is_known_by_its_device_and_inode() {
        let file = tempfile::tempfile().unwrap();
        let found = file.metadata().unwrap();
        let named = format!("{}:{}", found.dev(), found.ino());
        assert!(is_journal(Some(&named), &file));
        // A redirected child inherits the variable.
        assert!(!is_journal(Some(&named), tempfile::tempfile().unwrap()));
        for other in [None, Some(""), Some("1"), Some("a:b")] {
            assert!(!is_journal(other, &file));
        }
    }
}
