//! REST: from an HTTP request to a method, and its result to an HTTP answer.
//!
//! Pure. Answers carry no date, so that a seeded run gives the same bytes each time.

use super::UsdmVenue;
use super::api::{ApiSession, cost};
use crate::dialect::binance_spot::api::error_text;
use crate::dialect::binance_spot::params::Params;
use crate::dialect::binance_spot::rest::without_signature;
use crate::dialect::{ConnId, Frame, HttpRequest, answer};
use crate::exchange::reject::Reject;
use std::fmt::Write;

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Anybody.
    Public,
    /// Who names a key.
    Key,
    /// Who signs.
    Signed,
}

/// The method behind a path, and who may call it.
fn route(method: &str, path: &str) -> Option<(&'static str, Access)> {
    use Access::{Key, Public, Signed};
    let (version, name) = path.strip_prefix("/fapi/v")?.split_once('/')?;
    let found = match (method, version, name) {
        ("GET", "1", "ping") => ("ping", Public),
        ("GET", "1", "time") => ("time", Public),
        ("GET", "1", "exchangeInfo") => ("exchangeInfo", Public),
        ("GET", "1", "depth") => ("depth", Public),
        ("GET", "1", "klines") => ("klines", Public),
        ("GET", "1", "trades") => ("trades.recent", Public),
        ("GET", "1", "aggTrades") => ("aggTrades", Public),
        ("GET", "1", "premiumIndex") => ("premiumIndex", Public),
        ("GET", "1", "fundingRate") => ("fundingRate", Public),
        ("GET", "1", "ticker/bookTicker") => ("ticker.book", Public),
        ("GET", "1" | "2", "ticker/price") => ("ticker.price", Public),
        ("POST", "1", "listenKey") => ("userDataStream.start", Key),
        ("PUT", "1", "listenKey") => ("userDataStream.ping", Key),
        ("DELETE", "1", "listenKey") => ("userDataStream.stop", Key),
        ("POST", "1", "order") => ("order.place", Signed),
        ("PUT", "1", "order") => ("order.modify", Signed),
        ("DELETE", "1", "order") => ("order.cancel", Signed),
        ("GET", "1", "order") => ("order.status", Signed),
        ("GET", "1", "openOrder") => ("openOrder", Signed),
        ("GET", "1", "openOrders") => ("openOrders", Signed),
        ("GET", "1", "allOrders") => ("allOrders", Signed),
        ("DELETE", "1", "allOpenOrders") => ("allOpenOrders.cancel", Signed),
        ("POST", "1", "countdownCancelAll") => ("countdownCancelAll", Signed),
        ("GET", "1", "userTrades") => ("userTrades", Signed),
        ("POST", "1", "algoOrder") => ("algoOrder.place", Signed),
        ("DELETE", "1", "algoOrder") => ("algoOrder.cancel", Signed),
        ("GET", "1", "algoOrder") => ("algoOrder.status", Signed),
        ("GET", "1", "openAlgoOrders") => ("openAlgoOrders", Signed),
        ("GET", "1", "allAlgoOrders") => ("allAlgoOrders", Signed),
        ("DELETE", "1", "algoOpenOrders") => ("algoOpenOrders.cancel", Signed),
        ("GET", "2", "account") => ("account.status", Signed),
        ("GET", "3", "account") => ("v2/account.status", Signed),
        ("GET", "2" | "3", "balance") => ("v2/account.balance", Signed),
        ("GET", "2", "positionRisk") => ("account.position", Signed),
        ("GET", "3", "positionRisk") => ("v2/account.position", Signed),
        ("POST", "1", "leverage") => ("leverage", Signed),
        ("POST", "1", "marginType") => ("marginType", Signed),
        ("GET", "1", "positionSide/dual") => ("positionSide.dual", Signed),
        ("POST", "1", "positionSide/dual") => ("positionSide.set", Signed),
        ("GET", "1", "multiAssetsMargin") => ("multiAssetsMargin", Signed),
        ("GET", "1", "accountConfig") => ("accountConfig", Signed),
        ("GET", "1", "symbolConfig") => ("symbolConfig", Signed),
        ("GET", "1", "commissionRate") => ("commissionRate", Signed),
        ("GET", "1", "leverageBracket") => ("leverageBracket", Signed),
        ("GET", "1", "income") => ("income", Signed),
        ("GET", "1", "rateLimit/order") => ("rateLimit.order", Signed),
        _ => return None,
    };
    Some(found)
}

impl UsdmVenue {
    /// Answers one HTTP request.
    pub(super) fn answer_http(&mut self, conn: ConnId, request: &HttpRequest) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let mut counts = None;
        let (status, retry_after_ms, body) = match route(&request.method, path) {
            None => (404, None, "{\"code\":-5000,\"msg\":\"Path is invalid\"}".to_owned()),
            Some((method, access)) => match self.rest_call(request, query, method, access, &mut counts) {
                Ok(result) => (200, None, result),
                Err(reject) => (reject.status, reject.retry_after_ms, error_text(&reject, self.now)),
            },
        };
        let mut head = String::new();
        if let Some(retry_after_ms) = retry_after_ms {
            let seconds = retry_after_ms.saturating_sub(self.now.as_ms()).div_ceil(1_000);
            let _ = write!(head, "Retry-After: {seconds}\r\n");
        }
        let weight = self.limits.weight_used(self.now);
        let _ = write!(head, "X-MBX-USED-WEIGHT-1M: {weight}\r\n");
        if let Some((in_ten_seconds, in_a_minute)) =
            counts.and_then(|account| self.limits.orders_used(self.now, account))
        {
            let _ = write!(
                head,
                "X-MBX-ORDER-COUNT-10S: {in_ten_seconds}\r\nX-MBX-ORDER-COUNT-1M: {in_a_minute}\r\n"
            );
        }
        self.send(conn, Frame::Http(answer(status, &head, &body)));
        self.publish();
    }

    /// Runs one request; `counts` becomes the account whose order counts the answer shows.
    fn rest_call(
        &mut self,
        request: &HttpRequest,
        query: &str,
        method: &'static str,
        access: Access,
        counts: &mut Option<usize>,
    ) -> Result<String, Reject> {
        let mut session = ApiSession::open("", self.now);
        session.is_rest = true;
        let form = Params::from_query(&request.body)?;
        let params = Params::from_query(query)?.or(form);
        if access != Access::Public {
            let api_key = request.header("x-mbx-apikey").ok_or(Reject::KEY_FORMAT.with_status(401))?;
            session.account = Some(self.keys.account(api_key)?);
        }
        if let (Access::Signed, Some(account)) = (access, session.account) {
            // Signed is the text of query and body as sent.
            let payload = format!("{}{}", without_signature(query), without_signature(&request.body));
            self.keys.verify(account, &payload, params.required("signature")?)?;
        }
        *counts = session.account.filter(|_| cost(method, &params).1);
        self.call(&mut session, method, &params)
    }
}
