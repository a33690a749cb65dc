//! Reports failures of this host to make attempts: at once, then counted for a while instead of repeated. Pure.

use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;

use crate::{config::model::count, observe::local_error::LocalError};

/// How often the same reason is reported.
const REPEAT: Duration = Duration::from_secs(60);

/// What was reported, and since when.
#[derive(Default)]
pub(super) struct LocalReports {
    /// For each reason, when it was reported last, and how many attempts it has cost since.
    reported: [Option<(Instant, u64)>; LocalError::ALL.len()],
    /// Servers to which this host has no route.
    no_route: HashSet<u64>,
    /// It was reported that there is a route to none.
    isolated: bool,
}

impl LocalReports {
    /// An attempt for a server failed because of this host. Returns a line to report, if it is time.
    pub fn failed(&mut self, id: u64, what: &str, error: LocalError, now: Instant) -> Option<String> {
        if error == LocalError::NoRoute {
            self.no_route.insert(id);
        } else {
            self.no_route.remove(&id);
        }
        let last = &mut self.reported[error as usize];
        if let Some((at, more)) = last
            && now < *at + REPEAT
        {
            *more += 1;
            return None;
        }
        let more = last.map_or(0, |(_, more)| more);
        *last = Some((now, 0));
        let again = match more {
            0 => String::new(),
            more => format!("; so did {} since the last report", count(more as usize, "other attempt")),
        };
        Some(format!(
            "the health check of {what} could not be made: {error}; it does not count against the server{again}"
        ))
    }

    /// An attempt for a server was made.
    pub fn made(&mut self, id: u64) {
        self.no_route.remove(&id);
    }

    /// Forgets servers that are no longer checked.
    pub fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        self.no_route.retain(|id| keep(*id));
    }

    /// Reports when this host begins to have a route to none of the servers, and when that ends.
    pub fn isolation(&mut self, servers: usize) -> Option<(bool, String)> {
        let now = servers > 0 && self.no_route.len() == servers;
        if std::mem::replace(&mut self.isolated, now) == now {
            return None;
        }
        Some((
            now,
            match now {
                true => format!(
                    "this host has no route to any of the {} that it checks; until it has one, checks change nothing",
                    count(servers, "server")
                ),
                false => "this host has a route to servers again; checks count".to_owned(),
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_reported_once_and_then_counted() {
        let (now, mut reports) = (Instant::now(), LocalReports::default());
        let mut failed = |error, seconds| reports.failed(1, "web 10.0.0.1", error, now + Duration::from_secs(seconds));
        let line = failed(LocalError::Ports, 0).unwrap();
        assert!(
            line.starts_with("the health check of web 10.0.0.1 could not be made: no local port is free"),
            "{line}"
        );
        assert_eq!((failed(LocalError::Ports, 1), failed(LocalError::Ports, 59)), (None, None));
        assert!(failed(LocalError::Files, 2).is_some());
        let line = failed(LocalError::Ports, 61).unwrap();
        assert!(line.ends_with("; so did 2 other attempts since the last report"), "{line}");
    }

    #[test]
    fn a_host_without_any_route_says_so_once() {
        let (now, mut reports) = (Instant::now(), LocalReports::default());
        assert_eq!(reports.isolation(0), None);
        reports.failed(1, "a", LocalError::NoRoute, now);
        assert_eq!(reports.isolation(2), None);
        reports.failed(2, "b", LocalError::NoRoute, now);
        let (isolated, line) = reports.isolation(2).unwrap();
        assert!(isolated && line.contains("no route to any of the 2 servers"), "{line}");
        assert_eq!(reports.isolation(2), None);
        reports.made(1);
        assert!(!reports.isolation(2).unwrap().0);
    }
}
