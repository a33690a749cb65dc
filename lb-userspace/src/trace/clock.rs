//! The kernel's time as wall-clock time.

use std::time::Duration;

/// The offset between the clock that programs read and the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    ahead: Duration,
}

impl Clock {
    /// The current offset: the wall clock may be set at any time.
    pub fn now() -> Self {
        Self { ahead: read(libc::CLOCK_REALTIME).saturating_sub(read(libc::CLOCK_MONOTONIC)) }
    }

    /// A kernel time in nanoseconds, as time since 1970.
    pub fn wall(self, nanoseconds: u64) -> Duration {
        self.ahead + Duration::from_nanos(nanoseconds)
    }
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the value is live. Both clocks exist, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The time of day in this host's zone, as in `14:03:07.123456`.
pub fn of_day(since_1970: Duration) -> String {
    let parts = parts(since_1970, libc::localtime_r);
    format!("{:02}:{:02}:{:02}.{:06}", parts.tm_hour, parts.tm_min, parts.tm_sec, since_1970.subsec_micros())
}

/// Date and time in UTC, as in `2026-11-24T14:03:07.123456789Z` (RFC 3339).
pub fn rfc3339(since_1970: Duration) -> String {
    let parts = parts(since_1970, libc::gmtime_r);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        since_1970.subsec_nanos()
    )
}

/// Date and time in UTC, as in `2026-11-24 14:03 UTC`.
pub fn minute(since_1970: Duration) -> String {
    let text = rfc3339(since_1970).replace('T', " ");
    format!("{} UTC", text.get(..16).unwrap_or(&text))
}

type Convert = unsafe extern "C" fn(*const libc::time_t, *mut libc::tm) -> *mut libc::tm;

fn parts(since_1970: Duration, convert: Convert) -> libc::tm {
    let seconds = since_1970.as_secs() as libc::time_t;
    // SAFETY: all zeros are a valid value: numbers, and a pointer that is not followed.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both point to live values.
    unsafe { convert(&raw const seconds, &raw mut parts) };
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        let time = Duration::new(1_795_530_187, 123_456_789);
        assert_eq!(rfc3339(time), "2026-11-24T14:23:07.123456789Z");
        assert_eq!(rfc3339(Duration::ZERO), "1970-01-01T00:00:00.000000000Z");
        assert!(of_day(time).ends_with(":07.123456"));
    }

    #[test]
    fn the_offset_gives_the_current_time() {
        let monotonic = read(libc::CLOCK_MONOTONIC);
        let wall = Clock::now().wall(monotonic.as_nanos() as u64);
        let system = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!(system.abs_diff(wall) < Duration::from_millis(500), "{system:?} {wall:?}");
    }
}
