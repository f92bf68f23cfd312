//! The venue's error numbers as a few reactions.

/// What an error asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing was done, and asking again will not help.
    Refuse,
    /// Nothing was done; asking again later may work.
    Retry,
    /// Too many: nothing was done, and nothing of the kind before the limit's reset.
    Wait,
    /// Nothing was done: our time stamp lies outside the venue's window.
    Clock,
    /// It may have been done or not: ask.
    Unknown,
    /// Our id was used before: the first one was accepted, ask about that.
    Duplicate,
    /// There is no such order now; it may have ended.
    NoSuchOrder,
    /// The order has ended, or is what it was asked to become.
    TooLate,
    /// Nothing to change: as good as done.
    Done,
    /// The server is going down: take another connection.
    Reconnect,
    /// Key, signature, permission or address: no retry can help.
    Fatal,
}

/// What the venue's number means. A number we do not know refuses where it is certain that nothing was done, and is
/// unknown otherwise: business errors (11xxxx, 17xxxx and the like) are refusals, the rest is in doubt.
pub const fn reaction(code: i64) -> Reaction {
    match code {
        10_000 | 10_014 | 10_016 | 40_004 | 170_007 | 170_146 | 170_147 => Reaction::Unknown,
        10_002 => Reaction::Clock,
        10_003 | 10_004 | 10_005 | 10_007 | 10_010 | 33_004 => Reaction::Fatal,
        10_006 | 10_018 | 10_403 | 10_429 | 20_003 | 170_222 => Reaction::Wait,
        10_019 => Reaction::Reconnect,
        110_001 | 170_143 | 170_213 => Reaction::NoSuchOrder,
        110_008 | 110_010 | 170_139 | 170_142 | 170_190 => Reaction::TooLate,
        110_025 | 110_026 | 110_043 => Reaction::Done,
        110_072 | 170_141 => Reaction::Duplicate,
        110_079 | 170_212 => Reaction::Retry,
        10_001 | 10_017 | 10_024 | 10_027..=10_029 | 10_404 | 20_001 | 20_006 => Reaction::Refuse,
        30_000..=39_999 | 110_000..=119_999 | 170_000..=179_999 | 180_000..=189_999 => Reaction::Refuse,
        _ => Reaction::Unknown,
    }
}

/// What an HTTP status means where the body has no number of the venue's.
pub const fn reaction_to_status(status: u16) -> Reaction {
    match status {
        401 => Reaction::Fatal,
        403 | 429 => Reaction::Wait,
        400 | 404 | 405 => Reaction::Refuse,
        _ => Reaction::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference's table, section 11, row by row.
    #[test]
    fn each_row_of_the_table_is_one_reaction() {
        let rows: &[(&[i64], Reaction)] = &[
            (&[10_000, 10_016, 170_007, 170_146, 170_147, 10_014, 40_004], Reaction::Unknown),
            (&[10_002], Reaction::Clock),
            (&[10_003, 10_004, 10_005, 10_007, 10_010], Reaction::Fatal),
            (&[10_006, 10_429, 170_222, 20_003], Reaction::Wait),
            (&[10_001, 10_017, 10_404, 10_024, 10_029, 110_066, 110_123, 110_132], Reaction::Refuse),
            (&[110_001, 170_213, 170_143], Reaction::NoSuchOrder),
            (
                &[110_003, 30_208, 170_132, 170_194, 170_372, 110_004, 110_007, 170_033, 170_131],
                Reaction::Refuse,
            ),
            (&[110_008, 110_010, 170_139, 170_142, 170_190], Reaction::TooLate),
            (&[110_009, 110_020, 170_810, 110_017, 110_021, 30_228, 110_064, 170_313], Reaction::Refuse),
            (&[110_025, 110_026, 110_043], Reaction::Done),
            (&[110_072, 170_141], Reaction::Duplicate),
            (&[110_079, 170_212], Reaction::Retry),
            (
                &[110_074, 170_121, 110_092, 110_094, 170_140, 110_095, 170_115, 170_210, 170_218],
                Reaction::Refuse,
            ),
            (&[10_019], Reaction::Reconnect),
            // Never heard of: in doubt.
            (&[7, -1, 99_999, 1_000_000], Reaction::Unknown),
        ];
        for (codes, expected) in rows {
            for &code in *codes {
                assert_eq!(reaction(code), *expected, "{code}");
            }
        }
    }
}
