//! Wrong codes: each beyond a few makes the next try wait longer, and a hundred end it (NIST SP 800-63B, section 5.2.2).

/// Wrong ones that cost nothing: fingers slip.
const FREE: u32 = 4;
/// Wrong ones in a row after which none is looked at any more.
const FAILURES_MAX: u32 = 100;
/// The first wait, seconds; each further one is twice as long.
const WAIT_FIRST_S: u64 = 30;
/// The longest wait, seconds.
const WAIT_MAX_S: u64 = 3_600;

/// Failures in a row of one secret.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guesses {
    failures: u32,
    waits_until_s: u64,
}

/// Why a code is not even looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many wrong ones: again after so many seconds.
    Wait {
        /// Seconds from now.
        for_s: u64,
    },
    /// A hundred wrong ones in a row: a new secret, and a new start of the process.
    Ended,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wait { for_s } => write!(f, "too many wrong codes: wait {for_s} s"),
            Self::Ended => write!(f, "{FAILURES_MAX} wrong codes in a row: none is taken any more"),
        }
    }
}

impl Guesses {
    /// May another one be tried at `now_s`, seconds of any clock that goes on?
    pub fn check(&self, now_s: u64) -> Result<(), Refused> {
        if self.failures >= FAILURES_MAX {
            return Err(Refused::Ended);
        }
        match self.waits_until_s.saturating_sub(now_s) {
            0 => Ok(()),
            for_s => Err(Refused::Wait { for_s }),
        }
    }

    /// It was wrong.
    pub fn fail(&mut self, now_s: u64) {
        self.failures = self.failures.saturating_add(1);
        if let Some(doublings) = self.failures.checked_sub(FREE + 1) {
            let wait = WAIT_FIRST_S.saturating_mul(1 << doublings.min(16)).min(WAIT_MAX_S);
            self.waits_until_s = now_s.saturating_add(wait);
        }
    }

    /// It was right.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S6: ten thousand guesses, each as soon as it is allowed: how many of the million codes can be tried in a day.
    #[test]
    fn guessing_is_bounded() {
        let mut guesses = Guesses::default();
        let (mut now, mut looked_at) = (0, 0);
        for _ in 0..10_000 {
            match guesses.check(now) {
                Ok(()) => {
                    looked_at += 1;
                    guesses.fail(now);
                }
                Err(Refused::Wait { for_s }) => now += for_s,
                Err(Refused::Ended) => {}
            }
        }
        assert_eq!(looked_at, 100);
        assert!(now > 86_400 * 3, "{now}");
        assert_eq!(guesses.check(u64::MAX), Err(Refused::Ended));
    }

    #[test]
    fn waits_double_from_half_a_minute_to_an_hour_and_a_right_one_ends_them() {
        let mut guesses = Guesses::default();
        let mut waits = Vec::new();
        for _ in 0..14 {
            guesses.fail(1_000);
            waits.push(match guesses.check(1_000) {
                Err(Refused::Wait { for_s }) => for_s,
                _ => 0,
            });
        }
        assert_eq!(waits[..8], [0, 0, 0, 0, 30, 60, 120, 240]);
        assert_eq!(waits[12..], [3_600, 3_600]);
        guesses.succeed();
        assert_eq!(guesses.check(1_000), Ok(()));
    }
}
