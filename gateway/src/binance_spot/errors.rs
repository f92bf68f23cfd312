//! What a refusal of the venue means for us: status and code in, one of a few reactions out.
//!
//! Pure. The codes are spot's; futures give some of the same numbers other meanings, so they get a table of
//! their own. Whatever could have been executed is [`Reaction::Unknown`]: an order is called refused only where
//! the venue says so.

/// What to do about an error answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nobody can tell whether the request was executed: ask until the venue proves it.
    Unknown,
    /// Not executed, for a passing reason; something new may be tried after a pause.
    Retry,
    /// Not executed; nothing but cancels until this moment of the venue's clock in milliseconds (0: not told).
    WaitUntil(u64),
    /// Not executed and never will be.
    Refuse,
    /// An open order already carries this client id: ours, sent before. Ask for it.
    Duplicate,
    /// A cancel found nothing to cancel: the order is probably done. Ask for it.
    CancelTooLate,
    /// The venue does not know the order. Proof only once the request can no longer be on its way.
    NoSuchOrder,
    /// The order ended without a fill so long ago that the venue archived it.
    Archived,
    /// Our time stamp was refused: measure the clocks again. Not executed.
    Clock,
    /// This session or this server is at its end: connect again. Not executed.
    Reconnect,
    /// Wrong key, permission or signature: no retry can help. Not executed.
    Fatal,
}

/// Reads an error answer. `retry_after_ms` is `error.data.retryAfter` where the venue gives it.
pub fn reaction(status: u16, code: i32, message: &str, retry_after_ms: Option<u64>) -> Reaction {
    match (status, code) {
        // Execution unknown: by status before any code, because a code that usually refuses proves nothing here.
        (500.., _) | (408 | 409, _) | (_, -1000 | -1001 | -1006 | -1007) => Reaction::Unknown,
        (418 | 429, _) | (_, -1003 | -1015) => Reaction::WaitUntil(retry_after_ms.unwrap_or(0)),
        // The firewall: going on would turn it into a ban.
        (403, _) => Reaction::WaitUntil(0),
        (_, -1002 | -1022 | -2014 | -2015) => Reaction::Fatal,
        (401, _) | (_, -1016 | -2035 | -2036 | -2039 | -2042) => Reaction::Reconnect,
        (_, -1021) => Reaction::Clock,
        (_, -1008 | -1034) => Reaction::Retry,
        (_, -2010) if message.starts_with("Duplicate order sent") => Reaction::Duplicate,
        (_, -2011) => Reaction::CancelTooLate,
        (_, -2013) => Reaction::NoSuchOrder,
        (_, -2026) => Reaction::Archived,
        _ => Reaction::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance_spot::testing::shared;

    #[test]
    fn what_may_have_been_executed_is_never_called_refused() {
        for code in [-1000, -1001, -1006, -1007] {
            assert_eq!(reaction(400, code, "", None), Reaction::Unknown, "{code}");
        }
        for status in [408, 500, 502, 503, 504, 599] {
            for code in [0, -1008, -1013, -2010, -2013] {
                assert_eq!(reaction(status, code, "", None), Reaction::Unknown, "{status} {code}");
            }
        }
    }

    #[test]
    fn limits_name_the_moment() {
        assert_eq!(reaction(429, -1003, "", Some(1_700_000_000_123)), Reaction::WaitUntil(1_700_000_000_123));
        assert_eq!(reaction(418, -1003, "", None), Reaction::WaitUntil(0));
        assert_eq!(reaction(429, -1015, "Too many new orders.", None), Reaction::WaitUntil(0));
    }

    #[test]
    fn a_duplicate_is_told_from_other_refusals_by_its_text() {
        assert_eq!(reaction(400, -2010, "Duplicate order sent.", None), Reaction::Duplicate);
        let poor = "Account has insufficient balance for requested action.";
        assert_eq!(reaction(400, -2010, poor, None), Reaction::Refuse);
        assert_eq!(reaction(400, -2011, "Unknown order sent.", None), Reaction::CancelTooLate);
        assert_eq!(reaction(400, -2013, "Order does not exist.", None), Reaction::NoSuchOrder);
    }

    #[test]
    fn bad_parameters_and_filters_are_refusals() {
        let Some(text) = shared("data/binance/errors/spot.json") else { return };
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let codes = all["codes"].as_array().unwrap();
        assert!(codes.len() > 60);
        for entry in codes {
            let code = i32::try_from(entry["code"].as_i64().unwrap()).unwrap();
            let reaction = reaction(400, code, "", None);
            let is_bad_request = code == -1013 || (-1199..=-1100).contains(&code);
            assert!(!is_bad_request || reaction == Reaction::Refuse, "{code}: {reaction:?}");
            let is_key = [-1002, -1022, -2014, -2015].contains(&code);
            assert_eq!(is_key, reaction == Reaction::Fatal, "{code}: {reaction:?}");
        }
    }
}
