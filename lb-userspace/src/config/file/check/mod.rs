//! `service.check` in the file ↔ the model.

use std::{net::IpAddr, time::Duration};

use lb_common::limits::MAX_CHECK_TEXT_BYTES;
use serde::{Deserialize, Serialize};

use crate::config::{
    model::{Check, Host, Initial, Kind, Method, host::is_dns_name},
    report::Report,
};

const PATH: &str = "/";
const EXPECT: (u16, u16) = (200, 399);
const INTERVAL: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_millis(800);
const RISE: u16 = 2;
const FALL: u16 = 3;
const MIN_UP: u32 = 1;

/// The allowed intervals.
const INTERVALS_MS: std::ops::RangeInclusive<f64> = 100.0..=3_600_000.0;
const MAX_ATTEMPTS: i64 = 1_000;

impl Check {
    /// The check in one line, for comparisons.
    pub fn summary(&self) -> String {
        toml::to_string(&FileCheck::from(self)).unwrap_or_default().trim_end().replace('\n', ", ")
    }
}

/// `service.check` in the file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileCheck {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<FileExpect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<FileSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<FileSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rise: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fall: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_up: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "expect is a status such as 200, or a range such as \"200-399\"")]
enum FileExpect {
    One(i64),
    Range(String),
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(untagged, expecting = "a time is a number of seconds, such as 2 or 0.5")]
enum FileSeconds {
    Whole(i64),
    Part(f64),
}

impl FileSeconds {
    fn milliseconds(self) -> f64 {
        match self {
            Self::Whole(seconds) => seconds as f64 * 1_000.0,
            Self::Part(seconds) => (seconds * 1_000.0).round(),
        }
    }

    fn new(duration: Duration) -> Self {
        let milliseconds = duration.as_millis() as i64;
        if milliseconds % 1_000 == 0 {
            Self::Whole(milliseconds / 1_000)
        } else {
            Self::Part(milliseconds as f64 / 1_000.0)
        }
    }
}

/// The check of a service. Each message begins with `check: ` and the key that it is about.
pub(super) fn read(check: FileCheck, report: &mut Report<'_>) -> Check {
    let path = report.key("check");
    if check.kind.is_none() {
        report.add_unless("check", vec![path.key("kind")], "check: it has no kind");
    }
    check.check(&mut |problem: String| {
        let key = problem.trim_start_matches("check: ").split(' ').next().unwrap_or_default().to_owned();
        report.add_at(path.key(key), problem);
    })
}

impl FileCheck {
    /// The check. Invalid values are reported and replaced by the default.
    fn check(self, report: &mut impl FnMut(String)) -> Check {
        let mut report = |problem: String| report(format!("check: {problem}"));
        let written = self.kind.as_deref().unwrap_or(Kind::Tcp.name());
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == written).unwrap_or_else(|| {
            let names = Kind::ALL.map(|kind| format!("{:?}", kind.name()));
            report(format!("kind {written:?} is not known; it is {}", names.join(" or ")));
            Kind::Tcp
        });
        self.report_inapplicable_keys(kind, &mut report);
        let interval = seconds("interval", self.interval, INTERVAL, &mut report);
        let timeout = match self.timeout {
            None => TIMEOUT.min(interval),
            some => seconds("timeout", some, TIMEOUT, &mut report),
        };
        if timeout > interval {
            report("timeout is longer than interval".to_owned());
        }
        let method = method(self.method, &mut report);
        if method == Method::Head && self.body.is_some() {
            report("body means nothing with method = \"HEAD\", whose answers have none".to_owned());
        }
        let (path, body) = (path(self.path, &mut report), body(self.body, &mut report));
        let (host, sni) = (host(self.host, &mut report), sni(self.sni, &mut report));
        Check {
            kind,
            port: number("port", self.port, 1..=65_535, &mut report),
            path,
            host,
            sni,
            method,
            body,
            expect: expect(self.expect, &mut report),
            verify: self.verify.unwrap_or_default(),
            interval,
            timeout,
            rise: number("rise", self.rise, 1..=MAX_ATTEMPTS, &mut report).unwrap_or(RISE),
            fall: number("fall", self.fall, 1..=MAX_ATTEMPTS, &mut report).unwrap_or(FALL),
            source: source(self.source, &mut report),
            min_up: number("min_up", self.min_up, 0..=65_536, &mut report).unwrap_or(MIN_UP),
            initial: initial(self.initial, &mut report),
        }
    }

    /// Reports keys that mean nothing with this kind.
    fn report_inapplicable_keys(&self, kind: Kind, report: &mut impl FnMut(String)) {
        let pages = kind.has_pages();
        for (key, there, fits) in [
            ("port", self.port.is_some(), kind != Kind::Icmp),
            ("method", self.method.is_some(), pages),
            ("path", self.path.is_some(), pages),
            ("host", self.host.is_some(), pages),
            ("sni", self.sni.is_some(), kind == Kind::Https),
            ("expect", self.expect.is_some(), pages),
            ("body", self.body.is_some(), pages),
            ("verify", self.verify.is_some(), kind == Kind::Https),
        ] {
            if there && !fits {
                report(format!("{key} means nothing with kind = {:?}", kind.name()));
            }
        }
    }
}

fn number<T: TryFrom<i64>>(
    key: &str,
    value: Option<i64>,
    allowed: std::ops::RangeInclusive<i64>,
    report: &mut impl FnMut(String),
) -> Option<T> {
    let value = value?;
    if !allowed.contains(&value) {
        report(format!("{key} {value} is not from {} to {}", allowed.start(), allowed.end()));
        return None;
    }
    T::try_from(value).ok()
}

fn seconds(key: &str, value: Option<FileSeconds>, default: Duration, report: &mut impl FnMut(String)) -> Duration {
    let Some(value) = value else { return default };
    let milliseconds = value.milliseconds();
    if INTERVALS_MS.contains(&milliseconds) {
        return Duration::from_millis(milliseconds as u64);
    }
    report(format!("{key} {} is not from 0.1 to 3600 seconds", milliseconds / 1_000.0));
    default
}

fn path(text: Option<String>, report: &mut impl FnMut(String)) -> String {
    let Some(text) = text else { return PATH.to_owned() };
    if !text.starts_with('/') || text.len() > MAX_CHECK_TEXT_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic())
    {
        report(format!(
            "path {text:?} must start with /, be at most {MAX_CHECK_TEXT_BYTES} bytes, and contain only printable ASCII \
             without spaces"
        ));
        return PATH.to_owned();
    }
    text
}

fn host(text: Option<String>, report: &mut impl FnMut(String)) -> Option<Host> {
    let text = text?;
    if text.len() > MAX_CHECK_TEXT_BYTES {
        report(format!("host {text:?} has more than {MAX_CHECK_TEXT_BYTES} bytes"));
        return None;
    }
    text.parse().map_err(|error| report(format!("host {text:?} is no host: {error}"))).ok()
}

fn sni(text: Option<String>, report: &mut impl FnMut(String)) -> Option<String> {
    let text = text?;
    if !is_dns_name(&text) || text.len() > MAX_CHECK_TEXT_BYTES {
        report(format!(
            "sni {text:?} is not a DNS name of at most {MAX_CHECK_TEXT_BYTES} bytes, such as www.example.org; TLS has no \
             addresses there"
        ));
        return None;
    }
    Some(text)
}

fn method(text: Option<String>, report: &mut impl FnMut(String)) -> Method {
    let Some(text) = text else { return Method::default() };
    Method::ALL.into_iter().find(|method| method.name() == text).unwrap_or_else(|| {
        let names = Method::ALL.map(|method| format!("{:?}", method.name()));
        report(format!("method {text:?} is not known; it is {}", names.join(" or ")));
        Method::default()
    })
}

fn body(text: Option<String>, report: &mut impl FnMut(String)) -> Option<String> {
    let text = text?;
    if text.is_empty() || text.len() > MAX_CHECK_TEXT_BYTES || text.contains('\0') {
        report(format!("body {text:?} must have 1 to {MAX_CHECK_TEXT_BYTES} bytes, and no zero among them"));
        return None;
    }
    Some(text)
}

fn initial(text: Option<String>, report: &mut impl FnMut(String)) -> Initial {
    let Some(text) = text else { return Initial::default() };
    Initial::ALL.into_iter().find(|initial| initial.name() == text).unwrap_or_else(|| {
        report(format!("initial {text:?} is not known; it is \"up\" or \"down\""));
        Initial::default()
    })
}

fn expect(value: Option<FileExpect>, report: &mut impl FnMut(String)) -> (u16, u16) {
    let range = match &value {
        None => return EXPECT,
        Some(FileExpect::One(status)) => u16::try_from(*status).ok().map(|status| (status, status)),
        Some(FileExpect::Range(text)) => text
            .split_once('-')
            .and_then(|(first, last)| Some((first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?))),
    };
    range.filter(|(first, last)| (100..=*last).contains(first) && *last <= 599).unwrap_or_else(|| {
        report("expect is not a status from 100 to 599, nor a range of them such as \"200-399\"".to_owned());
        EXPECT
    })
}

fn source(text: Option<String>, report: &mut impl FnMut(String)) -> Option<IpAddr> {
    let text = text?;
    let address = text.parse::<IpAddr>().ok().filter(|address| !address.is_unspecified());
    if address.is_none() {
        report(format!("source {text:?} is not an IP address of this host"));
    }
    address
}

impl From<&Check> for FileCheck {
    fn from(check: &Check) -> Self {
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
        let status = |(first, last): (u16, u16)| match first == last {
            true => FileExpect::One(first.into()),
            false => FileExpect::Range(format!("{first}-{last}")),
        };
        Self {
            kind: Some(kind.name().to_owned()),
            port: port.map(i64::from),
            method: (*method != Method::default()).then(|| method.name().to_owned()),
            path: (path != PATH).then(|| path.clone()),
            host: host.as_ref().map(Host::to_string),
            sni: sni.clone(),
            expect: (*expect != EXPECT).then(|| status(*expect)),
            body: body.clone(),
            verify: verify.then_some(true),
            interval: (*interval != INTERVAL).then(|| FileSeconds::new(*interval)),
            timeout: (*timeout != TIMEOUT.min(*interval)).then(|| FileSeconds::new(*timeout)),
            rise: (*rise != RISE).then(|| i64::from(*rise)),
            fall: (*fall != FALL).then(|| i64::from(*fall)),
            source: source.map(|source| source.to_string()),
            min_up: (*min_up != MIN_UP).then(|| i64::from(*min_up)),
            initial: (*initial != Initial::default()).then(|| initial.name().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
