//! A service's health check ↔ [`CheckRecord`].

use std::time::Duration;

use lb_common::record::CheckRecord;

use super::{
    bytes::{address, octets, padded, some_text, text},
    numbers::{initial, initial_number, kind, kind_number, method, method_number},
};
use crate::config::model::{Check, Host};

/// The record; [`CheckRecord::NONE`] where servers are not checked.
pub(super) fn check_record(check: Option<&Check>) -> CheckRecord {
    let Some(check) = check else { return CheckRecord::NONE };
    let Check {
        kind,
        port,
        path,
        host,
        sni,
        method,
        body,
        expect,
        verify,
        interval,
        timeout,
        rise,
        fall,
        source,
        min_up,
        initial,
    } = check;
    let host = host.as_ref().map(Host::to_string).unwrap_or_default();
    CheckRecord {
        path: padded(path),
        host: padded(&host),
        sni: padded(sni.as_deref().unwrap_or_default()),
        body: padded(body.as_deref().unwrap_or_default()),
        source: source.map_or([0; 16], octets),
        interval_ms: interval.as_millis() as u32,
        timeout_ms: timeout.as_millis() as u32,
        rise: *rise,
        fall: *fall,
        port: port.unwrap_or_default(),
        expect_first: expect.0,
        expect_last: expect.1,
        kind: kind_number(*kind),
        verify: (*verify).into(),
        min_up: *min_up,
        method: method_number(*method),
        initial: initial_number(*initial),
        reserved: [0; 6],
    }
}

/// The reverse; `family` is the service's. `None`: servers are not checked.
pub(super) fn check(record: &CheckRecord, family: u8) -> Option<Check> {
    let milliseconds = |number: u32| Duration::from_millis(number.into());
    Some(Check {
        kind: kind(record.kind)?,
        port: Some(record.port).filter(|port| *port != 0),
        path: text(&record.path),
        host: text(&record.host).parse().ok(),
        sni: some_text(&record.sni),
        method: method(record.method).unwrap_or_default(),
        body: some_text(&record.body),
        expect: (record.expect_first, record.expect_last),
        verify: record.verify == 1,
        interval: milliseconds(record.interval_ms),
        timeout: milliseconds(record.timeout_ms),
        rise: record.rise,
        fall: record.fall,
        source: Some(address(&record.source, family)).filter(|address| !address.is_unspecified()),
        min_up: record.min_up,
        initial: initial(record.initial).unwrap_or_default(),
    })
}
