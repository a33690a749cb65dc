//! The names of IP protocols, for configurations, the command line and output.

use std::borrow::Cow;

use lb_common::flow::protocol::NAMES;

/// The text is neither a protocol's name nor a number from 0 to 255.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown protocol {0:?}; it is one of {names}, or a number from 0 to 255", names = names())]
pub struct ParseProtocolError(String);

/// The protocol's name, or its number where it has none.
pub fn protocol_name(protocol: u8) -> Cow<'static, str> {
    match known_name(protocol) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(protocol.to_string()),
    }
}

/// The number of a protocol given by its name or number.
///
/// # Errors
///
/// The text is neither.
pub fn parse_protocol(text: &str) -> Result<u8, ParseProtocolError> {
    let named = NAMES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    // `str::parse` also accepts "+6".
    let numbered = || text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    named.or_else(numbered).ok_or_else(|| ParseProtocolError(text.to_owned()))
}

/// The protocol's name, if it has one.
pub(super) fn known_name(protocol: u8) -> Option<&'static str> {
    NAMES.iter().find(|(_, number)| *number == protocol).map(|(name, _)| *name)
}

fn names() -> String {
    NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_text_that_reads_back() {
        for protocol in 0..=u8::MAX {
            assert_eq!(parse_protocol(&protocol_name(protocol)), Ok(protocol));
            assert_eq!(parse_protocol(&protocol.to_string()), Ok(protocol));
        }
        assert_eq!(protocol_name(136), "udplite");
        assert_eq!(protocol_name(89), "89");
    }

    #[test]
    fn other_text_is_refused_with_a_list_of_names() {
        for text in ["", "TCP", "tcp ", "256", "+6", "-1", "ospf"] {
            let message = parse_protocol(text).unwrap_err().to_string();
            assert!(message.contains("tcp, udp, sctp") && message.contains("0 to 255"), "{message}");
        }
    }
}
