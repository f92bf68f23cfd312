//! The WebSocket API: sessions, authorisation, methods, and the frame around their results.
//!
//! Pure. The same methods serve REST (see `rest`), whose results are the `result` objects of this file.

use super::auth::check_time;
use super::candles::{INTERVALS, interval_index};
use super::feed::{depth_text, kline_row};
use super::params::Params;
use super::{ConnId, Frame, Venue, info};
use crate::dialect::json::{D8, to_text};
use crate::exchange::reject::Reject;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use smc_core::{Side, TsNs};

/// One subscription to an account's private events.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    id: u64,
    account: usize,
    /// Made by the session's logon rather than by a signature of its own.
    is_by_logon: bool,
}

/// One WebSocket API connection.
#[derive(Clone, Debug)]
pub struct ApiSession {
    /// The account logged on; for REST, the account whose signature was checked.
    pub(super) account: Option<usize>,
    /// A REST request: its signature has been checked over its text already.
    pub(super) is_rest: bool,
    authorized_since: Option<u64>,
    connected_since: u64,
    returns_rate_limits: bool,
    subscriptions: Vec<Subscription>,
    next_subscription: u64,
}

impl ApiSession {
    /// A session from the path of its upgrade request.
    pub fn open(target: &str, now: TsNs) -> Self {
        Self {
            account: None,
            is_rest: false,
            authorized_since: None,
            connected_since: now.as_ms(),
            returns_rate_limits: !target.contains("returnRateLimits=false"),
            subscriptions: Vec::new(),
            next_subscription: 0,
        }
    }

    /// The subscriptions of this connection to an account's events.
    pub fn subscriptions_of(&self, account: usize) -> impl Iterator<Item = u64> + '_ {
        self.subscriptions.iter().filter(move |s| s.account == account).map(|s| s.id)
    }

    /// Ends all subscriptions and logs off, as the venue does of its own accord; gives what ended.
    pub(super) fn end_subscriptions(&mut self) -> Vec<u64> {
        self.account = None;
        self.authorized_since = None;
        self.subscriptions.drain(..).map(|s| s.id).collect()
    }
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// Weight of a method, and whether it is about orders: those are free when they succeed, and their answers
/// carry the order counts.
fn cost(method: &str, params: &Params) -> (u32, bool) {
    match method {
        "depth" => match params.get("limit").and_then(|limit| limit.parse::<u32>().ok()).unwrap_or(100) {
            0..=100 => (5, false),
            101..=500 => (25, false),
            501..=1_000 => (50, false),
            _ => (250, false),
        },
        "order.place"
        | "order.cancel"
        | "order.cancelReplace"
        | "openOrders.cancelAll"
        | "orderList.place.oco"
        | "orderList.cancel" => (1, true),
        "order.status" | "orderList.status" => (4, false),
        "openOrderLists.status" => (6, false),
        "openOrders.status" if params.get("symbol").is_some() => (6, false),
        "openOrders.status" => (80, false),
        "myTrades" if params.get("orderId").is_some() => (5, false),
        "exchangeInfo" | "account.status" | "myTrades" | "allOrderLists" => (20, false),
        "account.rateLimits.orders" => (40, false),
        "trades.recent" => (25, false),
        "klines"
        | "ticker.book"
        | "session.logon"
        | "session.status"
        | "session.logout"
        | "userDataStream.subscribe"
        | "userDataStream.subscribe.signature"
        | "userDataStream.unsubscribe"
        | "session.subscriptions" => (2, false),
        _ => (1, false),
    }
}

impl Venue {
    /// Answers one request of a WebSocket API connection.
    pub(super) fn on_api_request(&mut self, conn: ConnId, text: &str) {
        let Some(mut session) = self.api_sessions.remove(&conn) else { return };
        let answer = self.api_answer(&mut session, conn, text);
        self.api_sessions.insert(conn, session);
        self.send(conn, Frame::Text(answer));
        self.publish();
    }

    fn api_answer(&mut self, session: &mut ApiSession, conn: ConnId, text: &str) -> String {
        let Ok(request) = serde_json::from_str::<Request<'_>>(text) else {
            let reject = Reject::new(-1135, "Invalid JSON Request");
            return envelope("null", Err(&reject), None, self.now);
        };
        let id = request.id.map_or("null", RawValue::get);
        let (method, params) = match (request.method, Params::from_json(request.params)) {
            (Some(method), Ok(params)) => (method, params),
            (None, _) => return envelope(id, Err(&Reject::mandatory("method")), None, self.now),
            (_, Err(reject)) => return envelope(id, Err(&reject), None, self.now),
        };
        // A method may carry a version: `v3/order.place`.
        let method = method.strip_prefix("v3/").unwrap_or(&method);
        let (result, account) = self.call(session, conn, method, &params);
        let shows_limits = match params.flag("returnRateLimits") {
            Ok(Some(shows)) => shows,
            _ => session.returns_rate_limits,
        };
        let limits = shows_limits.then(|| to_text(&self.limits.usage(self.now, account)));
        envelope(id, result.as_ref().map(String::as_str), limits.as_deref(), self.now)
    }

    /// Runs one method: its result, and the account whose order counts the answer shows.
    pub(super) fn call(
        &mut self,
        session: &mut ApiSession,
        conn: ConnId,
        method: &str,
        params: &Params,
    ) -> (Result<String, Reject>, Option<usize>) {
        let (weight, is_order) = cost(method, params);
        if let Err(reject) = self.limits.charge(self.now, weight) {
            return (Err(reject), None);
        }
        let result = self.dispatch(session, conn, method, params);
        if is_order && result.is_ok() {
            self.limits.refund(weight);
        }
        let shows_orders = matches!(method, "order.place" | "order.cancelReplace" | "orderList.place.oco");
        let account = shows_orders.then(|| self.authorize(session, params).ok()).flatten();
        (result, account)
    }

    fn dispatch(
        &mut self,
        session: &mut ApiSession,
        conn: ConnId,
        method: &str,
        params: &Params,
    ) -> Result<String, Reject> {
        match method {
            "ping" => Ok("{}".to_owned()),
            "time" => Ok(format!("{{\"serverTime\":{}}}", self.now.as_ms())),
            "exchangeInfo" => self.exchange_info(params),
            "depth" => self.depth(params),
            "klines" => self.klines(params),
            "trades.recent" => self.recent_trades(params),
            "ticker.book" => self.book_tickers(params),
            "session.logon" => self.log_on(session, params),
            "session.status" => Ok(self.session_status(session)),
            "session.logout" => Ok(self.log_out(session, conn)),
            "session.subscriptions" => {
                let ids: Vec<_> =
                    session.subscriptions.iter().map(|s| json!({ "subscriptionId": s.id })).collect();
                Ok(to_text(&ids))
            }
            "userDataStream.subscribe" => self.subscribe(session, params, true),
            "userDataStream.subscribe.signature" => self.subscribe(session, params, false),
            "userDataStream.unsubscribe" => unsubscribe(session, params),
            "order.place" => self.order_place(session, params),
            "order.test" => self.order_test(session, params),
            "order.cancel" => self.order_cancel(session, params),
            "order.cancelReplace" => self.cancel_replace(session, params),
            "order.status" => self.order_status(session, params),
            "openOrders.status" => self.open_orders(session, params),
            "openOrders.cancelAll" => self.cancel_all(session, params),
            "orderList.place.oco" => self.list_place(session, params),
            "orderList.cancel" => self.list_cancel(session, params),
            "orderList.status" => self.list_status(session, params),
            "openOrderLists.status" => self.open_lists(session, params),
            "allOrderLists" => self.all_lists(session, params),
            "myTrades" => self.my_trades(session, params),
            "account.status" => {
                let account = self.authorize(session, params)?;
                let owner = self.exchange.account(account).ok_or(Reject::UNKNOWN)?;
                let omit_zero = params.flag("omitZeroBalances")?.unwrap_or(false);
                Ok(info::account_status(account, owner, omit_zero, self.now))
            }
            "account.rateLimits.orders" => {
                let account = self.authorize(session, params)?;
                let mut lines = self.limits.usage(self.now, Some(account));
                lines.pop(); // the weight, which is no order limit
                Ok(to_text(&lines))
            }
            _ => Err(Reject::new(-1020, "This operation is not supported.")),
        }
    }

    /// The account behind a request: by its own key and signature, or by the session's logon.
    pub(super) fn authorize(&self, session: &ApiSession, params: &Params) -> Result<usize, Reject> {
        if session.is_rest {
            let account = session.account.ok_or(Reject::KEY_FORMAT.with_status(401))?;
            check_time(params, self.now)?;
            return Ok(account);
        }
        let account = match (params.get("apiKey"), session.account) {
            (Some(_), _) => self.signed_by(params)?,
            (None, Some(account)) => account,
            (None, None) => return Err(Reject::mandatory("apiKey")),
        };
        check_time(params, self.now)?;
        Ok(account)
    }

    /// The account that signed the parameters themselves.
    fn signed_by(&self, params: &Params) -> Result<usize, Reject> {
        let account = self.keys.account(params.required("apiKey")?)?;
        let signature = params.required("signature")?;
        self.keys.verify(account, &params.signed_payload(), signature)?;
        Ok(account)
    }

    fn log_on(&mut self, session: &mut ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.signed_by(params)?;
        check_time(params, self.now)?;
        if !self.keys.may_log_on(account) {
            return Err(Reject::KEY.with_status(401));
        }
        session.account = Some(account);
        session.authorized_since = Some(self.now.as_ms());
        Ok(self.session_status(session))
    }

    fn log_out(&mut self, session: &mut ApiSession, conn: ConnId) -> String {
        session.account = None;
        session.authorized_since = None;
        let (ended, kept) = session.subscriptions.drain(..).partition::<Vec<_>, _>(|s| s.is_by_logon);
        session.subscriptions = kept;
        for Subscription { id, .. } in ended {
            let event = format!("{{\"e\":\"eventStreamTerminated\",\"E\":{}}}", self.now.as_ms());
            self.send(conn, Frame::Text(format!("{{\"subscriptionId\":{id},\"event\":{event}}}")));
        }
        self.session_status(session)
    }

    fn session_status(&self, session: &ApiSession) -> String {
        let api_key = session.account.map(|account| self.keys.api_key(account));
        format!(
            r#"{{"apiKey":{},"authorizedSince":{},"connectedSince":{},"returnRateLimits":{},"serverTime":{},"userDataStream":{}}}"#,
            to_text(&api_key),
            to_text(&session.authorized_since),
            session.connected_since,
            session.returns_rate_limits,
            self.now.as_ms(),
            !session.subscriptions.is_empty(),
        )
    }

    fn subscribe(
        &mut self,
        session: &mut ApiSession,
        params: &Params,
        is_by_logon: bool,
    ) -> Result<String, Reject> {
        let account = if is_by_logon {
            session.account.ok_or(Reject::KEY.with_status(401))?
        } else {
            let account = self.signed_by(params)?;
            check_time(params, self.now)?;
            account
        };
        if session.subscriptions.iter().any(|s| s.account == account) {
            return Err(Reject::SUBSCRIPTION_ACTIVE);
        }
        let id = session.next_subscription;
        session.next_subscription += 1;
        session.subscriptions.push(Subscription { id, account, is_by_logon });
        Ok(format!("{{\"subscriptionId\":{id}}}"))
    }

    pub(super) fn exchange_info(&self, params: &Params) -> Result<String, Reject> {
        let wanted = params.list("symbols", "symbol")?;
        let infos = self.exchange.markets().iter().map(|market| &market.info);
        let symbols = match wanted {
            None => infos.collect::<Vec<_>>(),
            Some(names) => {
                let find = |name: &String| {
                    let index = self.exchange.symbol_index(name).ok_or(Reject::SYMBOL)?;
                    self.exchange.market(index).map(|market| &market.info).ok_or(Reject::SYMBOL)
                };
                names.iter().map(find).collect::<Result<_, _>>()?
            }
        };
        Ok(info::exchange_info(&symbols, &self.limit_settings, self.now))
    }

    pub(super) fn symbol_of(&self, params: &Params) -> Result<usize, Reject> {
        self.exchange.symbol_index(params.required("symbol")?).ok_or(Reject::SYMBOL)
    }

    fn depth(&self, params: &Params) -> Result<String, Reject> {
        let symbol = self.symbol_of(params)?;
        let limit = params.whole("limit")?.unwrap_or(100).clamp(1, 5_000);
        let market = self.exchange.market(symbol).ok_or(Reject::SYMBOL)?;
        Ok(depth_text(&market.book, usize::try_from(limit).unwrap_or(5_000)))
    }

    fn klines(&self, params: &Params) -> Result<String, Reject> {
        let symbol = self.symbol_of(params)?;
        let interval = interval_index(params.required("interval")?).ok_or(Reject::INTERVAL)?;
        let (from, to) = (params.whole("startTime")?, params.whole("endTime")?);
        let limit = usize::try_from(params.whole("limit")?.unwrap_or(500).clamp(1, 1_000)).unwrap_or(1_000);
        let feed = self.feeds.get(symbol).ok_or(Reject::SYMBOL)?;
        let seconds = INTERVALS.get(interval).map_or(1, |(_, seconds)| *seconds);
        let is_wanted =
            |open_ms: u64| from.is_none_or(|from| open_ms >= from) && to.is_none_or(|to| open_ms <= to);
        let bars = feed.candles().bars(interval).filter(|bar| is_wanted(bar.kline.open_ts.as_ms()));
        // With a start the oldest bars from there, without one the newest.
        let rows: Vec<String> = if from.is_some() {
            bars.take(limit).map(|bar| kline_row(bar, seconds)).collect()
        } else {
            let mut newest: Vec<_> = bars.rev().take(limit).map(|bar| kline_row(bar, seconds)).collect();
            newest.reverse();
            newest
        };
        Ok(format!("[{}]", rows.join(",")))
    }

    fn recent_trades(&self, params: &Params) -> Result<String, Reject> {
        let symbol = self.symbol_of(params)?;
        let limit = usize::try_from(params.whole("limit")?.unwrap_or(500).clamp(1, 1_000)).unwrap_or(1_000);
        let trades = self.feeds.get(symbol).ok_or(Reject::SYMBOL)?.trades();
        let skip = trades.len().saturating_sub(limit);
        let row = |(at, trade): &(TsNs, crate::exchange::PublicTrade)| {
            format!(
                r#"{{"id":{},"price":"{}","qty":"{}","quoteQty":"{}","time":{},"isBuyerMaker":{},"isBestMatch":true}}"#,
                trade.trade_id,
                D8::from(trade.price),
                D8::from(trade.qty),
                D8(trade.price.notional_floor(trade.qty).0),
                at.as_ms(),
                trade.aggressor == Side::Sell,
            )
        };
        Ok(format!("[{}]", trades.skip(skip).map(row).collect::<Vec<_>>().join(",")))
    }

    fn book_tickers(&self, params: &Params) -> Result<String, Reject> {
        let row = |symbol: usize| {
            let book = self.exchange.market(symbol).map(|market| &market.book);
            let best = |side| book.and_then(|book| book.best(side)).unwrap_or_default();
            let ((bid, bid_qty), (ask, ask_qty)) = (best(Side::Buy), best(Side::Sell));
            format!(
                r#"{{"symbol":"{}","bidPrice":"{}","bidQty":"{}","askPrice":"{}","askQty":"{}"}}"#,
                self.symbol_name(symbol),
                D8(bid),
                D8(bid_qty),
                D8(ask),
                D8(ask_qty),
            )
        };
        if params.get("symbol").is_some() {
            return Ok(row(self.symbol_of(params)?));
        }
        let rows: Vec<String> = match params.list("symbols", "symbol")? {
            Some(names) => names
                .iter()
                .map(|name| self.exchange.symbol_index(name).map(row).ok_or(Reject::SYMBOL))
                .collect::<Result<_, _>>()?,
            None => (0..self.exchange.markets().len()).map(row).collect(),
        };
        Ok(format!("[{}]", rows.join(",")))
    }
}

fn unsubscribe(session: &mut ApiSession, params: &Params) -> Result<String, Reject> {
    if session.subscriptions.is_empty() {
        return Err(Reject::SUBSCRIPTION_INACTIVE);
    }
    match params.whole("subscriptionId")? {
        None => session.subscriptions.clear(),
        Some(id) => {
            let before = session.subscriptions.len();
            session.subscriptions.retain(|s| s.id != id);
            if session.subscriptions.len() == before {
                return Err(Reject::SUBSCRIPTION_INACTIVE);
            }
        }
    }
    Ok("{}".to_owned())
}

/// The frame around a result or a refusal.
pub fn envelope(id: &str, result: Result<&str, &Reject>, limits: Option<&str>, now: TsNs) -> String {
    let limits = limits.map_or_else(String::new, |limits| format!(",\"rateLimits\":{limits}"));
    match result {
        Ok(result) => format!("{{\"id\":{id},\"status\":200,\"result\":{result}{limits}}}"),
        Err(reject) => {
            let error = error_text(reject, now);
            format!("{{\"id\":{id},\"status\":{},\"error\":{error}{limits}}}", reject.status)
        }
    }
}

/// A refusal as the venue writes it.
pub fn error_text(reject: &Reject, now: TsNs) -> String {
    let wait = |retry_after: u64| format!("{{\"serverTime\":{},\"retryAfter\":{retry_after}}}", now.as_ms());
    let data = reject.data.as_deref().map(str::to_owned).or_else(|| reject.retry_after_ms.map(wait));
    let data = data.map_or_else(String::new, |data| format!(",\"data\":{data}"));
    format!("{{\"code\":{},\"msg\":{}{data}}}", reject.code, to_text(&reject.msg))
}
