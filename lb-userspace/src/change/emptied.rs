//! Refuses a file that would leave nothing to balance, as an emptied or half-written one does.

use crate::config::model::{Config, count};

/// A file would remove every service of a running instance, or every server.
#[derive(Debug, thiserror::Error)]
#[error(
    "it has {left}, and {have} would be removed, which stops all traffic; if that is meant, write `empty = true` at its top"
)]
pub struct Emptied {
    left: &'static str,
    have: String,
}

/// Refuses a configuration that would leave nothing of what is in force. `meant`: whether the file says so, which is
/// asked only then.
///
/// # Errors
///
/// It would, and the file does not say so.
pub fn refuse(have: &Config, want: &Config, meant: impl FnOnce() -> bool) -> Result<(), Emptied> {
    if !empties(have, want) || meant() {
        return Ok(());
    }
    let left = if want.services.is_empty() { "no service" } else { "no server in any service" };
    Err(Emptied { left, have: have.summary() })
}

/// Whether nothing is left of what is in force.
pub fn empties(have: &Config, want: &Config) -> bool {
    (!have.services.is_empty() && want.services.is_empty()) || (servers(have) > 0 && servers(want) == 0)
}

/// What a file has less of than what is in force, as when its writer is half-way; `None`: nothing.
pub fn loss(have: &Config, want: &Config) -> Option<String> {
    let less = |had: usize, has: usize, what| (has < had).then(|| format!("{} instead of {had}", count(has, what)));
    less(have.services.len(), want.services.len(), "service").or_else(|| less(servers(have), servers(want), "server"))
}

fn servers(config: &Config) -> usize {
    config.services.iter().map(|service| service.listed().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::parse;

    fn config(servers: &[usize]) -> Config {
        let service = |(number, servers): (usize, &usize)| {
            let servers = (1..=*servers).map(|server| format!("[[service.server]]\naddress = \"10.0.0.{server}\"\n"));
            let servers: String = servers.collect();
            format!("[[service]]\nname = \"s{number}\"\naddress = \"203.0.113.{number}\"\n{servers}")
        };
        parse(&servers.iter().enumerate().map(service).collect::<String>()).unwrap()
    }

    #[test]
    fn nothing_left_is_refused_unless_it_is_meant() {
        let have = config(&[2, 1]);
        let text = refuse(&have, &config(&[]), || false).unwrap_err().to_string();
        assert!(text.starts_with("it has no service, and 2 services, 3 servers would be removed"), "{text}");
        let text = refuse(&have, &config(&[0, 0]), || false).unwrap_err().to_string();
        assert!(text.starts_with("it has no server in any service") && text.contains("`empty = true`"), "{text}");
        refuse(&have, &config(&[]), || true).unwrap();
        refuse(&have, &config(&[0, 1]), || false).unwrap();
        // Where nothing was, nothing is lost.
        refuse(&config(&[]), &config(&[]), || false).unwrap();
        refuse(&config(&[0]), &config(&[0]), || false).unwrap();
        refuse(&config(&[0]), &config(&[]), || false).unwrap_err();
    }

    #[test]
    fn less_than_before_is_noticed() {
        let have = config(&[2, 1]);
        assert_eq!(loss(&have, &config(&[2])).unwrap(), "1 service instead of 2");
        assert_eq!(loss(&have, &config(&[1, 1])).unwrap(), "2 servers instead of 3");
        assert_eq!(loss(&have, &config(&[1, 2])), None);
        assert_eq!(loss(&have, &config(&[2, 1, 1])), None);
    }
}
