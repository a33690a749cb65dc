//! Where a service's sockets are.

use std::{fmt, str::FromStr};

use lb_common::limits::MAX_NETNS_BYTES;

/// Another network namespace than that of the interfaces, with a service's sockets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sockets {
    /// As configured.
    pub netns: Netns,
    /// The id by which the network namespace of the interfaces knows it; `None`: not found, or not looked for.
    pub id: Option<u32>,
}

/// How a network namespace is named: as `ip netns` does, by a path, or `pid:NUMBER` by a process in it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Netns(String);

/// The text is not a [`Netns`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseNetnsError {
    /// It is empty, or no file has such a name.
    #[error("{0:?} is not a name: give a network namespace's name, its absolute path, or \"pid:NUMBER\"")]
    Name(String),
    /// A path that depends on where a command runs.
    #[error("{0:?} is a relative path; write it from the root, as in \"/run/netns/NAME\"")]
    Relative(String),
    /// What follows `pid:`.
    #[error("{0:?} after \"pid:\" is not the number of a process")]
    Process(String),
    /// It does not fit.
    #[error("it has {0} bytes, at most {MAX_NETNS_BYTES} are possible")]
    Long(usize),
}

impl Netns {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Netns {
    type Err = ParseNetnsError;

    fn from_str(text: &str) -> Result<Self, ParseNetnsError> {
        let owned = || text.to_owned();
        if text.len() > MAX_NETNS_BYTES {
            return Err(ParseNetnsError::Long(text.len()));
        }
        if let Some(number) = text.strip_prefix("pid:") {
            let known =
                number.bytes().all(|digit| digit.is_ascii_digit()) && number.parse().is_ok_and(|it: i32| it > 0);
            return if known { Ok(Self(owned())) } else { Err(ParseNetnsError::Process(number.to_owned())) };
        }
        if matches!(text, "" | "." | "..") || text.ends_with('/') || text.chars().any(char::is_control) {
            return Err(ParseNetnsError::Name(owned()));
        }
        if text.contains('/') && !text.starts_with('/') {
            return Err(ParseNetnsError::Relative(owned()));
        }
        Ok(Self(owned()))
    }
}

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_processes() {
        for text in ["blue", "two words", "/run/netns/blue", "/proc/7/ns/net", "pid:7", "pid"] {
            assert_eq!(text.parse::<Netns>().unwrap().as_str(), text);
        }
        for (text, error) in [
            ("", "is not a name"),
            ("..", "is not a name"),
            ("a\0b", "is not a name"),
            ("/run/netns/", "is not a name"),
            ("run/netns/blue", "is a relative path"),
            ("pid:", "is not the number of a process"),
            ("pid:0", "is not the number of a process"),
            ("pid:+7", "is not the number of a process"),
            ("pid:99999999999", "is not the number of a process"),
            (&"n".repeat(MAX_NETNS_BYTES + 1), "it has 129 bytes"),
        ] {
            let refused = text.parse::<Netns>().unwrap_err().to_string();
            assert!(refused.contains(error), "{text}: {refused}");
        }
    }
}
