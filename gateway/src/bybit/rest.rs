//! REST requests, signed: what the sockets cannot be asked, and cancels when the trade socket is down.
//!
//! Cold: it allocates. Pure: makes the request, sends nothing.

use super::orders::VenueId;
use super::settings::Category;
use super::sign::Signer;
use smc_core::words::{ClientOrderId, Name};
use smc_net::{Call, Method};

/// Who asks, and about which market.
pub(super) struct Rest {
    pub category: Category,
    pub api_key: String,
    pub signer: Signer,
    pub recv_window_ms: u32,
}

/// A request before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub path: &'static str,
    /// The query of a GET; the body of a POST.
    pub text: String,
    pub is_post: bool,
}

impl Ask {
    fn get(path: &'static str, text: String) -> Self {
        Self { path, text, is_post: false }
    }

    fn post(path: &'static str, text: String) -> Self {
        Self { path, text, is_post: true }
    }
}

/// The venue's time. Not signed by the venue's rules; a signature does no harm.
pub(super) fn time() -> Ask {
    Ask::get("/v5/market/time", String::new())
}

/// What the key may do.
pub(super) fn key() -> Ask {
    Ask::get("/v5/user/query-api", String::new())
}

/// The account's coins and margin.
pub(super) fn wallet() -> Ask {
    Ask::get("/v5/account/wallet-balance", "accountType=UNIFIED".to_owned())
}

/// After how many seconds of silence the venue cancels everything.
pub(super) fn dead_man(category: Category, seconds: u16) -> Ask {
    let product = match category {
        Category::Spot => "SPOT",
        Category::Linear => "DERIVATIVES",
    };
    let body = format!("{{\"product\":\"{product}\",\"timeWindow\":{seconds}}}");
    Ask::post("/v5/order/disconnected-cancel-all", body)
}

impl Rest {
    /// A page of open orders: of a settlement coin, or of the whole spot account.
    pub fn open_orders(&self, settle: Option<Name>, cursor: &str) -> Ask {
        let mut text = format!("category={}&limit=50&openOnly=0", self.category.word());
        push(&mut text, "settleCoin", settle.as_ref().map_or("", Name::as_str));
        push(&mut text, "cursor", cursor);
        Ask::get("/v5/order/realtime", text)
    }

    /// An order by our id, among those that work or have ended lately.
    pub fn order(&self, symbol: Name, id: ClientOrderId) -> Ask {
        let category = self.category.word();
        Ask::get("/v5/order/realtime", format!("category={category}&orderLinkId={id}&symbol={symbol}"))
    }

    /// An order by our id, among those that have ended.
    pub fn past_order(&self, symbol: Name, id: ClientOrderId) -> Ask {
        let category = self.category.word();
        Ask::get("/v5/order/history", format!("category={category}&orderLinkId={id}&symbol={symbol}"))
    }

    /// A page of one order's fills.
    pub fn fills(&self, symbol: Name, order: &str, cursor: &str) -> Ask {
        let mut text = format!("category={}&limit=100&orderId={order}&symbol={symbol}", self.category.word());
        push(&mut text, "cursor", cursor);
        Ask::get("/v5/execution/list", text)
    }

    /// A page of everything that happened since, newest first.
    pub fn fills_since(&self, start_ms: u64, cursor: &str) -> Ask {
        let mut text = format!("category={}&limit=100&startTime={start_ms}", self.category.word());
        push(&mut text, "cursor", cursor);
        Ask::get("/v5/execution/list", text)
    }

    /// A page of the positions of a settlement coin: those that are not flat.
    pub fn positions(&self, settle: Name, cursor: &str) -> Ask {
        let mut text = format!("category={}&limit=200&settleCoin={settle}", self.category.word());
        push(&mut text, "cursor", cursor);
        Ask::get("/v5/position/list", text)
    }

    /// A cancel by our id.
    pub fn cancel(&self, symbol: Name, id: ClientOrderId, is_waiting: bool) -> Ask {
        Ask::post("/v5/order/cancel", self.cancel_body(symbol, "orderLinkId", &id.to_string(), is_waiting))
    }

    /// A cancel of another hand's order.
    pub fn cancel_foreign(&self, symbol: Name, id: &VenueId) -> Ask {
        Ask::post("/v5/order/cancel", self.cancel_body(symbol, "orderId", id.as_str(), false))
    }

    /// A cancel of everything that works in an instrument, whoever made it.
    pub fn cancel_all(&self, symbol: Name) -> Ask {
        let category = self.category.word();
        let body = format!("{{\"category\":\"{category}\",\"symbol\":\"{symbol}\"}}");
        Ask::post("/v5/order/cancel-all", body)
    }

    fn cancel_body(&self, symbol: Name, name: &str, id: &str, is_waiting: bool) -> String {
        let filter = match (self.category, is_waiting) {
            (Category::Spot, true) => ",\"orderFilter\":\"StopOrder\"",
            _ => "",
        };
        let category = self.category.word();
        format!("{{\"category\":\"{category}\",\"symbol\":\"{symbol}\",\"{name}\":\"{id}\"{filter}}}")
    }

    /// Signs a request at the venue's time.
    pub fn call(&self, tag: u64, ask: &Ask, time_ms: u64) -> Call {
        let sign = self.signer.rest(time_ms, &self.api_key, self.recv_window_ms, &ask.text);
        let header = |name: &str, value: String| (name.to_owned(), value);
        let mut headers = vec![
            header("X-BAPI-API-KEY", self.api_key.clone()),
            header("X-BAPI-TIMESTAMP", time_ms.to_string()),
            header("X-BAPI-RECV-WINDOW", self.recv_window_ms.to_string()),
            header("X-BAPI-SIGN", sign),
        ];
        let (method, path, body) = match ask.is_post {
            true => {
                headers.push(header("Content-Type", "application/json".to_owned()));
                (Method::Post, ask.path.to_owned(), ask.text.clone().into_bytes())
            }
            false if ask.text.is_empty() => (Method::Get, ask.path.to_owned(), Vec::new()),
            false => (Method::Get, format!("{}?{}", ask.path, ask.text), Vec::new()),
        };
        Call { tag, method, path, headers, body, is_repeatable: !ask.is_post }
    }
}

fn push(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        text.push('&');
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
}

/// A cursor as the venue gave it; none when it holds bytes that would break the request apart.
pub(super) fn cursor(text: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%._~:,+/=-".contains(&byte);
    text.bytes().all(is_plain).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest() -> Rest {
        Rest {
            category: Category::Linear,
            api_key: "testApiKey0000001".to_owned(),
            signer: Signer::new(&crate::sign::Secret::new("test_secret")).unwrap(),
            recv_window_ms: 5_000,
        }
    }

    #[test]
    fn a_request_carries_the_signature_of_what_it_sends() {
        let rest = rest();
        let symbol = Name::new("BTCUSDT").unwrap();
        let call = rest.call(5, &rest.cancel(symbol, ClientOrderId::new(7, 1, 1), false), 1_700_000_000_000);
        let header = |name: &str| call.headers.iter().find(|h| h.0 == name).unwrap().1.clone();
        let body = std::str::from_utf8(&call.body).unwrap();
        assert_eq!(header("X-BAPI-SIGN"), rest.signer.rest(1_700_000_000_000, &rest.api_key, 5_000, body));
        assert!(!call.is_repeatable, "nothing that changes anything is sent twice");
        let call = rest.call(6, &rest.positions(Name::new("USDT").unwrap(), ""), 1);
        let (path, query) = call.path.split_once('?').unwrap();
        assert_eq!((path, query), ("/v5/position/list", "category=linear&limit=200&settleCoin=USDT"));
        assert!(call.is_repeatable);
    }

    #[test]
    fn a_cursor_is_taken_as_it_is_or_not_at_all() {
        let given = "page_args%3Dfd4300ae-7847-404e-b947-b46980a4d140%26symbol%3D6%26";
        assert_eq!(cursor(given), Some(given));
        assert_eq!(cursor("a&limit=1"), None);
        assert_eq!(cursor("a b"), None);
        assert_eq!(cursor("a\r\nX: y"), None);
    }
}
