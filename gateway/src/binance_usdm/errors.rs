//! What a refusal of the venue means for us: status, code and words in, one of a few reactions out.
//!
//! Pure. The codes are futures'; spot gives some of the same numbers other meanings. Whatever could have been executed is
//! [`Reaction::Unknown`]: an order is called refused only where the venue says so.

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
    /// An order carries this client id already, or is being triggered right now: ask for it.
    AskForIt,
    /// The venue does not know the order, or it is done. Proof that it never arrived only once the request can no longer
    /// be on its way.
    NoSuchOrder,
    /// Our time stamp was refused: measure the clocks again. Not executed.
    Clock,
    /// This session or this server is at its end: connect again. Not executed.
    Reconnect,
    /// The listen key is no more: get another.
    ListenKey,
    /// Wrong key, permission, signature or position mode: no retry can help. Not executed.
    Fatal,
}

/// Reads an error answer. `retry_after_ms` is the venue's moment where it gives one beside the message.
pub fn reaction(status: u16, code: i32, message: &str, retry_after_ms: Option<u64>) -> Reaction {
    match (status, code) {
        // The venue's own load: said before the order reached anything.
        (_, -1008) => Reaction::Retry,
        (503, _) | (_, -1001) if is_surely_failed(message) => Reaction::Retry,
        // Execution unknown: by status before any code, because a code that usually refuses proves nothing here.
        (500.., _) | (408, _) | (_, -1000 | -1001 | -1006 | -1007 | -1010 | -2012) => Reaction::Unknown,
        (418 | 429, _) | (_, -1003 | -1015) => {
            Reaction::WaitUntil(retry_after_ms.or_else(|| banned_until_ms(message)).unwrap_or(0))
        }
        // The firewall: going on would turn it into a ban.
        (403, _) => Reaction::WaitUntil(0),
        (_, -1002 | -1022 | -2014 | -2015 | -2017) => Reaction::Fatal,
        (_, -4056 | -4057 | -4061 | -4088 | -4109 | -4531) => Reaction::Fatal,
        (401, _) | (_, -1016) => Reaction::Reconnect,
        (_, -1021 | -5028) => Reaction::Clock,
        (_, -1125) => Reaction::ListenKey,
        (_, -2011 | -2013) => Reaction::NoSuchOrder,
        (_, -4116 | -4117) => Reaction::AskForIt,
        _ => Reaction::Refuse,
    }
}

/// The words that say that nothing was done, where their status alone would leave it open.
fn is_surely_failed(message: &str) -> bool {
    message.starts_with("Service Unavailable") || message.starts_with("Internal error; unable to process")
}

/// "…banned until 1611646737479…": the venue's milliseconds.
fn banned_until_ms(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("banned until ")?;
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::shared;
    use std::collections::BTreeMap;

    /// Each code of the venue's list, but those that merely refuse.
    const ROWS: [(&str, &[i32]); 9] = [
        ("AskForIt", &[-4117, -4116]),
        ("Clock", &[-5028, -1021]),
        ("Fatal", &[-4531, -4109, -4088, -4061, -4057, -4056, -2017, -2015, -2014, -1022, -1002]),
        ("ListenKey", &[-1125]),
        ("NoSuchOrder", &[-2013, -2011]),
        ("Reconnect", &[-1016]),
        ("Retry", &[-1008]),
        ("Unknown", &[-2012, -1010, -1007, -1006, -1001, -1000]),
        ("WaitUntil(0)", &[-1015, -1003]),
    ];

    #[test]
    fn every_code_of_the_list_has_its_reaction() {
        let Some(text) = shared("data/binance/errors/usdm.json") else { return };
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut found: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for entry in all["codes"].as_array().unwrap() {
            let code = i32::try_from(entry["code"].as_i64().unwrap()).unwrap();
            found.entry(format!("{:?}", reaction(400, code, "", None))).or_default().push(code);
        }
        found.values_mut().for_each(|codes| codes.sort_unstable());
        assert_eq!(found.remove("Refuse").map(|codes| codes.len()), Some(207 - 28));
        let rows: BTreeMap<String, Vec<i32>> =
            ROWS.iter().map(|(name, codes)| ((*name).to_owned(), codes.to_vec())).collect();
        assert_eq!(found, rows);
    }

    #[test]
    fn what_may_have_been_executed_is_never_called_refused() {
        for status in [408, 500, 502, 503, 504, 599] {
            for code in [0, -1013, -2010, -2013, -2019] {
                assert_eq!(reaction(status, code, "", None), Reaction::Unknown, "{status} {code}");
            }
        }
        let unknown = "Unknown error, please check your request or try again later.";
        assert_eq!(reaction(503, 0, unknown, None), Reaction::Unknown);
        assert_eq!(reaction(503, 0, "Service Unavailable.", None), Reaction::Retry);
        let internal = "Internal error; unable to process your request. Please try again.";
        assert_eq!(reaction(503, -1001, internal, None), Reaction::Retry);
        assert_eq!(
            reaction(503, -1008, "Request throttled by system-level protection.", None),
            Reaction::Retry
        );
    }

    #[test]
    fn bans_name_their_end() {
        let banned =
            "Way too many requests; IP(1.2.3.4) banned until 1611646737479. Please use the websocket.";
        assert_eq!(reaction(418, -1003, banned, None), Reaction::WaitUntil(1_611_646_737_479));
        assert_eq!(reaction(429, -1003, banned, Some(7)), Reaction::WaitUntil(7));
        assert_eq!(reaction(429, -1015, "Too many new orders.", None), Reaction::WaitUntil(0));
    }
}
