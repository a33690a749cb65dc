//! Decides when a server begins to pass or to fail. Pure.

use crate::config::model::Failure;

/// Whether a server passes, by `rise` and `fall`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckStreak {
    passing: bool,
    /// How many attempts in a row had the other result.
    against: u16,
}

impl CheckStreak {
    /// Before the first attempt.
    pub const fn new(passing: bool) -> Self {
        Self { passing, against: 0 }
    }

    /// Whether the server passes.
    pub const fn passing(&self) -> bool {
        self.passing
    }

    /// Adds an attempt. `true`: the server has begun to pass, or to fail.
    pub fn add(&mut self, outcome: Result<(), Failure>, rise: u16, fall: u16) -> bool {
        if outcome.is_ok() == self.passing {
            self.against = 0;
            return false;
        }
        self.against += 1;
        let needed = if self.passing { fall } else { rise };
        if self.against < needed {
            return false;
        }
        *self = Self::new(!self.passing);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs attempts, `+` good and `-` bad; returns whether the server passes after each.
    fn run(mut streak: CheckStreak, attempts: &str) -> String {
        let outcome = |c: char| if c == '+' { Ok(()) } else { Err(Failure::Timeout) };
        let one = |c: char| {
            let before = streak.passing();
            assert_eq!(streak.add(outcome(c), 2, 3), before != streak.passing());
            if streak.passing() { '+' } else { '-' }
        };
        attempts.chars().map(one).collect()
    }

    #[test]
    fn it_takes_rise_and_fall_in_a_row() {
        assert_eq!(run(CheckStreak::new(true), "--+---+-++--"), "+++++----+++");
        assert_eq!(run(CheckStreak::new(true), "--+--+--"), "++++++++");
        assert_eq!(run(CheckStreak::new(false), "+-+-++"), "-----+");
    }
}
