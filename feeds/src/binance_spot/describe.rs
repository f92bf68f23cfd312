//! Messages in words: what `smc decode` prints. Cold: takes any symbol and uses the tape decoder alone.

pub use crate::binance::describe::{Description, Value};
use crate::binance::describe::{LEVELS_MAX, describe as words};
use crate::binance::message::{Levels, TimeUnit};

use super::tape::TapeDecoder;

/// Describes one message of the venue, whatever its symbol. Never panics.
pub fn describe(payload: &mut [u8]) -> Description {
    Describer::new().describe(payload)
}

/// Describes many messages with the same memory.
pub struct Describer {
    tape: TapeDecoder,
    levels: Levels,
}

impl Default for Describer {
    fn default() -> Self {
        Self::new()
    }
}

impl Describer {
    /// Takes its memory.
    pub fn new() -> Self {
        Self { tape: TapeDecoder::new(0), levels: Levels::new(LEVELS_MAX) }
    }

    /// Describes one message.
    pub fn describe(&mut self, payload: &mut [u8]) -> Description {
        words(self.tape.decode(payload, TimeUnit::Millis, Some, &mut self.levels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let mut out = String::new();
        describe(&mut text.as_bytes().to_vec()).write_json(7, &mut out);
        out
    }

    #[test]
    fn a_message_is_told_exactly() {
        assert_eq!(
            line(r#"{"u":400900217,"s":"BNBUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}"#),
            concat!(
                r#"{"line":7,"kind":"quote","event":"bookTicker","symbol":"BNBUSDT","update_id":400900217,"#,
                r#""bid":"25.35","bid_qty":"31.21","ask":"25.36","ask_qty":"40.66"}"#
            )
        );
        assert_eq!(line(r#"{"result":null,"id":312}"#), r#"{"line":7,"kind":"control_ack","id":312}"#);
        assert_eq!(
            line(r#"{"stream":"btcusdt@depth5","data":{"lastUpdateId":1,"bids":[["2","3"]],"asks":[]}}"#),
            concat!(
                r#"{"line":7,"kind":"snapshot","event":"partialDepth","symbol":"BTCUSDT","last_update_id":1,"#,
                r#""bids":[["2","3"]],"asks":[]}"#
            )
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "not JSON at byte 0"),
            ("[1]", "not a JSON object"),
            ("{}", "an object without any known mark"),
            (r#"{"e":"nonsense"}"#, "unknown event nonsense"),
            (r#"{"method":"SUBSCRIBE","id":1}"#, "a client's request, not a venue's message"),
        ] {
            assert_eq!(line(text), format!(r#"{{"line":7,"kind":"refused","reason":"{reason}"}}"#));
        }
    }
}
