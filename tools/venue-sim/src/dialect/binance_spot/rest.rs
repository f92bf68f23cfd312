//! REST: from an HTTP request to a method of the WebSocket API, and its result to an HTTP answer.
//!
//! Pure. Answers carry no date, so that a seeded run gives the same bytes each time.

use super::Venue;
use super::api::{ApiSession, error_text};
use super::params::Params;
use crate::dialect::{ConnId, Frame, HttpRequest, answer};
use crate::exchange::reject::Reject;
use std::fmt::Write;

/// The WebSocket API method behind a path, and whether it must be signed.
fn route(method: &str, path: &str) -> Option<(&'static str, bool)> {
    Some(match (method, path) {
        ("GET", "/api/v3/ping") => ("ping", false),
        ("GET", "/api/v3/time") => ("time", false),
        ("GET", "/api/v3/exchangeInfo") => ("exchangeInfo", false),
        ("GET", "/api/v3/depth") => ("depth", false),
        ("GET", "/api/v3/klines") => ("klines", false),
        ("GET", "/api/v3/trades") => ("trades.recent", false),
        ("GET", "/api/v3/ticker/bookTicker") => ("ticker.book", false),
        ("POST", "/api/v3/order") => ("order.place", true),
        ("POST", "/api/v3/order/test") => ("order.test", true),
        ("POST", "/api/v3/order/cancelReplace") => ("order.cancelReplace", true),
        ("DELETE", "/api/v3/order") => ("order.cancel", true),
        ("GET", "/api/v3/order") => ("order.status", true),
        ("GET", "/api/v3/openOrders") => ("openOrders.status", true),
        ("DELETE", "/api/v3/openOrders") => ("openOrders.cancelAll", true),
        ("POST", "/api/v3/orderList/oco") => ("orderList.place.oco", true),
        ("DELETE", "/api/v3/orderList") => ("orderList.cancel", true),
        ("GET", "/api/v3/orderList") => ("orderList.status", true),
        ("GET", "/api/v3/openOrderList") => ("openOrderLists.status", true),
        ("GET", "/api/v3/allOrderList") => ("allOrderLists", true),
        ("GET", "/api/v3/myTrades") => ("myTrades", true),
        ("GET", "/api/v3/account") => ("account.status", true),
        ("GET", "/api/v3/rateLimit/order") => ("account.rateLimits.orders", true),
        _ => return None,
    })
}

impl Venue {
    /// Answers one HTTP request.
    pub(super) fn answer_http(&mut self, conn: ConnId, request: &HttpRequest) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let (status, retry_after_ms, body) = match route(&request.method, path) {
            None => (404, None, "{\"code\":-1000,\"msg\":\"Path not found.\"}".to_owned()),
            Some((method, is_signed)) => match self.rest_call(conn, request, query, method, is_signed) {
                Ok(result) => (200, None, result),
                Err(reject) => (reject.status, reject.retry_after_ms, error_text(&reject, self.now)),
            },
        };
        let weight = self.limits.weight_used(self.now);
        let mut head = String::new();
        if let Some(retry_after_ms) = retry_after_ms {
            let seconds = retry_after_ms.saturating_sub(self.now.as_ms()).div_ceil(1_000);
            let _ = write!(head, "Retry-After: {seconds}\r\n");
        }
        let _ = write!(head, "X-MBX-USED-WEIGHT: {weight}\r\nX-MBX-USED-WEIGHT-1M: {weight}\r\n");
        self.send(conn, Frame::Http(answer(status, &head, &body)));
        self.publish();
    }

    fn rest_call(
        &mut self,
        conn: ConnId,
        request: &HttpRequest,
        query: &str,
        method: &str,
        is_signed: bool,
    ) -> Result<String, Reject> {
        let mut session = ApiSession::open("", self.now);
        session.is_rest = true;
        let form = Params::from_query(&request.body)?;
        let params = Params::from_query(query)?.or(form);
        if is_signed {
            session.account = Some(self.rest_account(request, query, &params)?);
        }
        self.call(&mut session, conn, method, &params).0
    }

    /// The account whose key and signature a request carries. Signed is the text of query and body as sent.
    fn rest_account(&self, request: &HttpRequest, query: &str, params: &Params) -> Result<usize, Reject> {
        let api_key = request.header("x-mbx-apikey").ok_or(Reject::KEY_FORMAT.with_status(401))?;
        let account = self.keys.account(api_key)?;
        let signature = params.required("signature")?;
        let payload = format!("{}{}", without_signature(query), without_signature(&request.body));
        self.keys.verify(account, &payload, signature)?;
        Ok(account)
    }
}

/// A query or form without the signature, in the order in which it was sent: what is signed.
pub fn without_signature(text: &str) -> String {
    let kept: Vec<&str> = text.split('&').filter(|pair| !pair.starts_with("signature=")).collect();
    kept.join("&")
}
