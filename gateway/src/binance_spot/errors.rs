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

/// What every reaction comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not executed; something new may be tried.
    Retry,
    /// Not executed; not before a moment.
    WaitUntil,
    /// Not executed and never will be.
    Refuse,
    /// May have been executed.
    Unknown,
    /// No retry can help.
    Fatal,
}

impl Reaction {
    /// What it comes down to.
    pub const fn class(self) -> Class {
        match self {
            Self::Unknown | Self::Duplicate => Class::Unknown,
            Self::Retry | Self::Clock | Self::Reconnect => Class::Retry,
            Self::WaitUntil(_) => Class::WaitUntil,
            Self::Refuse | Self::CancelTooLate | Self::NoSuchOrder | Self::Archived => Class::Refuse,
            Self::Fatal => Class::Fatal,
        }
    }
}

/// Reads an error answer. `retry_after_ms` is `error.data.retryAfter` where the venue gives it.
pub fn reaction(status: u16, code: i32, message: &str, retry_after_ms: Option<u64>) -> Reaction {
    match (status, code) {
        // Execution unknown: by status before any code, because a code that usually refuses proves nothing here.
        (500.., _) | (408 | 409, _) => Reaction::Unknown,
        (418 | 429, _) => Reaction::WaitUntil(retry_after_ms.unwrap_or(0)),
        (_, -1003 | -1015) => Reaction::WaitUntil(retry_after_ms.unwrap_or(0)),
        // The firewall: going on would turn it into a ban.
        (403, _) => Reaction::WaitUntil(0),
        (_, -2010) if message.starts_with("Duplicate order sent") => Reaction::Duplicate,
        (status, code) => match known(code) {
            Some(reaction) if reaction.class() == Class::Fatal || status != 401 => reaction,
            _ if status == 401 => Reaction::Reconnect,
            // A number the venue's list does not hold, in an answer that says "refused".
            _ => Reaction::Refuse,
        },
    }
}

/// What each number of the venue's list means by itself; none for a number that is not in it.
pub const fn known(code: i32) -> Option<Reaction> {
    Some(match code {
        // UNKNOWN, DISCONNECTED, UNEXPECTED_RESP, TIMEOUT.
        -1_000 | -1_001 | -1_006 | -1_007 => Reaction::Unknown,
        // UNAUTHORIZED, INVALID_SIGNATURE, BAD_API_KEY_FMT, REJECTED_MBX_KEY.
        -1_002 | -1_022 | -2_014 | -2_015 => Reaction::Fatal,
        // TOO_MANY_REQUESTS, TOO_MANY_ORDERS.
        -1_003 | -1_015 => Reaction::WaitUntil(0),
        // SERVER_BUSY, TOO_MANY_CONNECTIONS, TOO_MANY_MESSAGES, TOO_MANY_SUBSCRIPTIONS.
        -1_008 | -1_034 | -1_181 | -1_191 => Reaction::Retry,
        // SERVICE_SHUTTING_DOWN, LOGGED_OUT, SUBSCRIPTION_ACTIVE, SUBSCRIPTION_INACTIVE, CLIENT_ORDER_ID_INVALID,
        // MAXIMUM_SUBSCRIPTION_IDS, INVALID_LISTEN_KEY.
        -1_016 | -1_035 | -2_035 | -2_036 | -2_039 | -2_042 | -1_125 => Reaction::Reconnect,
        -1_021 => Reaction::Clock,
        -2_011 => Reaction::CancelTooLate,
        -2_013 => Reaction::NoSuchOrder,
        -2_026 => Reaction::Archived,
        // Filters, parameters, what the venue cannot do, and the engine's refusals.
        -1_010 | -1_013 | -1_014 | -1_020 | -1_033 | -2_010 | -2_016 | -2_038 | -2_043 => Reaction::Refuse,
        // The halves of a replacement; each is told by a number of its own.
        -2_021 | -2_022 => Reaction::Refuse,
        -1_299..=-1_100 => Reaction::Refuse,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::shared;

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
    fn every_number_of_the_venues_list_has_a_meaning() {
        let Some(text) = shared("data/binance/errors/spot.json") else { return };
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let codes = all["codes"].as_array().unwrap();
        assert!(codes.len() > 60);
        let mut classes = Vec::new();
        for entry in codes {
            let code = i32::try_from(entry["code"].as_i64().unwrap()).unwrap();
            let meaning = known(code).unwrap_or_else(|| panic!("{entry}"));
            assert_eq!(reaction(400, code, "", None), meaning, "{entry}");
            assert_eq!(reaction(503, code, "", None).class(), Class::Unknown, "{entry}");
            let is_key = [-1002, -1022, -2014, -2015].contains(&code);
            assert_eq!(is_key, meaning.class() == Class::Fatal, "{entry}");
            let is_bad_request = code == -1013 || (-1130..=-1100).contains(&code) && code != -1125;
            assert!(!is_bad_request || meaning == Reaction::Refuse, "{entry}");
            classes.push(meaning.class());
        }
        for class in [Class::Retry, Class::WaitUntil, Class::Refuse, Class::Unknown, Class::Fatal] {
            assert!(classes.contains(&class), "{class:?}");
        }
    }

    #[test]
    fn every_message_of_the_matching_engine_is_a_refusal_but_for_a_duplicate() {
        let Some(text) = shared("data/binance/errors/spot.json") else { return };
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        for message in all["engine_messages_for_-1010_-2010_-2011_-2038"].as_array().unwrap() {
            let message = message.as_str().unwrap();
            let expected = match message {
                "Duplicate order sent." => Reaction::Duplicate,
                _ => Reaction::Refuse,
            };
            assert_eq!(reaction(400, -2010, message, None), expected, "{message}");
        }
    }
}
