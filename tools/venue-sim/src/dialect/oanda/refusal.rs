//! How a request is refused: the codes that the venue keeps in its log, and the sentences it says with them.

use super::wire::Obj;

/// Why an order or another wish was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request is malformed: a sentence, and nothing in the log.
    Malformed(String),
    /// The request was understood and refused: a code, kept in the log.
    Code(&'static str),
}

impl Refusal {
    /// A member whose value is none that it can have.
    pub fn value(path: &str) -> Self {
        Self::Malformed(format!("Invalid value specified for '{path}'"))
    }

    /// A member that must be there.
    pub fn missing(path: &str) -> Self {
        Self::Malformed(format!("Missing value for '{path}'"))
    }
}

/// One answer: its status and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// Where the thing that was made can be found, for the `Location` header.
    pub location: Option<String>,
}

impl Answer {
    /// Any status.
    pub fn new(status: u16, body: Obj) -> Self {
        Self { status, body: body.done(), location: None }
    }

    /// Done.
    pub fn ok(body: Obj) -> Self {
        Self::new(200, body)
    }

    /// Only a sentence.
    pub fn sentence(status: u16, sentence: &str) -> Self {
        Self::new(status, Obj::new().text("errorMessage", sentence))
    }

    /// Something asked for that is not there.
    pub fn absent(code: &str, last_id: u64) -> Self {
        let body = Obj::new().id("lastTransactionID", last_id);
        Self::new(404, body.text("errorMessage", &message(code)).text("errorCode", code))
    }
}

/// The HTTP status of a refusal that is in the log.
pub fn status(code: &str) -> u16 {
    match code {
        "ORDER_DOESNT_EXIST" | "TRADE_DOESNT_EXIST" | "CLOSEOUT_POSITION_DOESNT_EXIST" => 404,
        _ => 400,
    }
}

/// What the venue says with a code.
pub fn message(code: &str) -> String {
    let text = match code {
        "CLIENT_ORDER_ID_ALREADY_EXISTS" => {
            "The client Order ID specified is already assigned to another pending Order"
        }
        "CLIENT_ORDER_ID_INVALID" => "The client Order ID specified is invalid",
        "CLOSEOUT_POSITION_DOESNT_EXIST" => "The Position requested to be closed out does not exist",
        "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE" => "The units specified exceed the Trade's current size",
        "INSTRUMENT_UNKNOWN" => "The instrument specified is unknown",
        "INSUFFICIENT_MARGIN" => "The Account does not have sufficient margin for the Order",
        "NO_SUCH_ORDER" => "The order ID specified does not exist",
        "NO_SUCH_POSITION" => "The Position requested does not exist",
        "NO_SUCH_TRADE" => "The trade ID specified does not exist",
        "NO_SUCH_TRANSACTION" => "The transaction ID specified does not exist",
        "ORDER_DOESNT_EXIST" => "The Order specified does not exist",
        "PRICE_INVALID" => "The price specified is invalid",
        "PRICE_MISSING" => "The price is missing",
        "PRICE_PRECISION_EXCEEDED" => {
            "The price specified contains more precision than is allowed for the instrument"
        }
        "TRADE_DOESNT_EXIST" => "The Trade specified does not exist",
        "UNITS_INVALID" => "Order units specified are invalid",
        "UNITS_LIMIT_EXCEEDED" => "Order units exceed the maximum allowed",
        "UNITS_MINIMUM_NOT_MET" => "Order units are below the minimum allowed",
        "UNITS_MISSING" => "The units are missing",
        "UNITS_PRECISION_EXCEEDED" => {
            "The units specified contain more precision than is allowed for the instrument"
        }
        _ => return words(code),
    };
    text.to_owned()
}

/// `STOP_LOSS_ORDER_ALREADY_EXISTS` as a sentence.
fn words(code: &str) -> String {
    let mut text = code.to_ascii_lowercase().replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_sentence() {
        assert_eq!(message("STOP_LOSS_ORDER_ALREADY_EXISTS"), "Stop loss order already exists");
        assert_eq!(message("UNITS_INVALID"), "Order units specified are invalid");
        assert_eq!(message(""), "");
    }
}
