//! The WebSocket API: sessions, authorisation, methods, and the frame around their results.
//!
//! Pure. The same methods serve REST (see `rest`), which has many that the WebSocket API of futures lacks.

use super::account::Version;
use super::{ConnId, Frame, UsdmVenue, info, refusals};
use crate::dialect::binance_spot::api::envelope;
use crate::dialect::binance_spot::auth::check_time;
use crate::dialect::binance_spot::params::Params;
use crate::dialect::json::to_text;
use crate::exchange::reject::Reject;
use serde::Deserialize;
use serde_json::value::RawValue;
use smc_core::TsNs;

/// One WebSocket API connection.
#[derive(Clone, Debug)]
pub struct ApiSession {
    /// The account logged on; for REST, the account whose key or signature was checked.
    pub(super) account: Option<usize>,
    /// A REST request: its signature has been checked over its text already.
    pub(super) is_rest: bool,
    authorized_since: Option<u64>,
    connected_since: u64,
    returns_rate_limits: bool,
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
        }
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

/// What the WebSocket API offers; everything else is REST's alone.
const WS_METHODS: [&str; 22] = [
    "session.logon",
    "session.status",
    "session.logout",
    "order.place",
    "order.modify",
    "order.cancel",
    "order.status",
    "algoOrder.place",
    "algoOrder.cancel",
    "account.status",
    "account.balance",
    "account.position",
    "v2/account.status",
    "v2/account.balance",
    "v2/account.position",
    "userDataStream.start",
    "userDataStream.ping",
    "userDataStream.stop",
    "depth",
    "ticker.price",
    "ticker.book",
    "klines",
];

/// Weight of a method, and whether its answers carry the order counts.
pub(super) fn cost(method: &str, params: &Params) -> (u32, bool) {
    let has_symbol = params.get("symbol").is_some();
    let limit = params.get("limit").and_then(|limit| limit.parse::<u32>().ok());
    match method {
        "order.place" | "order.modify" | "algoOrder.place" => (0, true),
        "depth" => match limit.unwrap_or(500) {
            0..=50 => (2, false),
            51..=100 => (5, false),
            101..=500 => (10, false),
            _ => (20, false),
        },
        "klines" => match limit.unwrap_or(500) {
            0..100 => (1, false),
            100..500 => (2, false),
            500..=1_000 => (5, false),
            _ => (10, false),
        },
        "openOrders" | "openAlgoOrders" if !has_symbol => (40, false),
        "premiumIndex" if !has_symbol => (10, false),
        "ticker.book" => (if has_symbol { 2 } else { 5 }, false),
        "ticker.price" => (if has_symbol { 1 } else { 2 }, false),
        "session.logon" | "session.status" | "session.logout" => (2, false),
        "account.status"
        | "v2/account.status"
        | "account.balance"
        | "v2/account.balance"
        | "account.position"
        | "v2/account.position"
        | "allOrders"
        | "userTrades"
        | "trades.recent"
        | "accountConfig"
        | "symbolConfig"
        | "allAlgoOrders" => (5, false),
        "aggTrades" | "commissionRate" => (20, false),
        "income" | "positionSide.dual" | "multiAssetsMargin" => (30, false),
        "countdownCancelAll" => (10, false),
        _ => (1, false),
    }
}

impl UsdmVenue {
    /// Answers one request of a WebSocket API connection.
    pub(super) fn on_api_request(&mut self, conn: ConnId, text: &str) {
        let Some(mut session) = self.api_sessions.remove(&conn) else { return };
        let answer = self.api_answer(&mut session, text);
        self.api_sessions.insert(conn, session);
        self.send(conn, Frame::Text(answer));
        self.publish();
    }

    fn api_answer(&mut self, session: &mut ApiSession, text: &str) -> String {
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
        // A method may carry a version; only the account's differ by it.
        let method = method.strip_prefix("v1/").unwrap_or(&method);
        let result = if WS_METHODS.contains(&method) {
            self.call(session, method, &params)
        } else {
            Err(refusals::UNSUPPORTED)
        };
        let shows_limits = match params.flag("returnRateLimits") {
            Ok(Some(shows)) => shows,
            _ => session.returns_rate_limits,
        };
        let account = cost(method, &params).1.then(|| self.authorize(session, &params).ok()).flatten();
        let limits = shows_limits.then(|| to_text(&self.limits.usage(self.now, account)));
        envelope(id, result.as_ref().map(String::as_str), limits.as_deref(), self.now)
    }

    /// Runs one method.
    pub(super) fn call(
        &mut self,
        session: &mut ApiSession,
        method: &str,
        params: &Params,
    ) -> Result<String, Reject> {
        self.limits.charge(self.now, cost(method, params).0)?;
        match method {
            "ping" => Ok("{}".to_owned()),
            "time" => Ok(format!("{{\"serverTime\":{}}}", self.now.as_ms())),
            "exchangeInfo" => {
                let infos: Vec<_> = self.exchange.markets().iter().map(|market| &market.info).collect();
                Ok(info::exchange_info(&infos, &self.limit_settings, self.now).to_string())
            }
            "depth" => self.depth(params),
            "klines" => self.klines(params),
            "trades.recent" => self.recent_trades(params),
            "aggTrades" => self.agg_trades(params),
            "premiumIndex" => self.premium_index(params),
            "fundingRate" => self.funding_rates(params),
            "ticker.book" => self.book_tickers(params),
            "ticker.price" => self.prices(params),
            "session.logon" => self.log_on(session, params),
            "session.status" => Ok(self.session_status(session)),
            "session.logout" => {
                (session.account, session.authorized_since) = (None, None);
                Ok(self.session_status(session))
            }
            "userDataStream.start" => {
                let account = self.key_only(session, params)?;
                let key = self.listen_keys.start(account, self.now).ok_or(Reject::UNKNOWN)?;
                Ok(format!("{{\"listenKey\":\"{key}\"}}"))
            }
            "userDataStream.ping" => {
                let account = self.key_only(session, params)?;
                let key = self.listen_keys.keep_alive(account, self.now).ok_or(refusals::LISTEN_KEY)?;
                Ok(format!("{{\"listenKey\":\"{key}\"}}"))
            }
            "userDataStream.stop" => {
                let account = self.key_only(session, params)?;
                self.listen_keys.end(account);
                Ok("{}".to_owned())
            }
            "order.place" => self.order_place(session, params),
            "order.modify" => self.order_modify(session, params),
            "order.cancel" => self.order_cancel(session, params),
            "order.status" => self.order_status(session, params),
            "openOrder" => self.open_order(session, params),
            "openOrders" => self.open_orders(session, params),
            "allOrders" => self.all_orders(session, params),
            "allOpenOrders.cancel" => self.cancel_all(session, params),
            "countdownCancelAll" => self.countdown(session, params),
            "userTrades" => self.user_trades(session, params),
            "algoOrder.place" => self.algo_place(session, params),
            "algoOrder.cancel" => self.algo_cancel(session, params),
            "algoOpenOrders.cancel" => self.algo_cancel_all(session, params),
            "algoOrder.status" => self.algo_status(session, params),
            "openAlgoOrders" => self.algo_list(session, params, true),
            "allAlgoOrders" => self.algo_list(session, params, false),
            "account.status" => self.account_status(session, params, Version::Two),
            "v2/account.status" => self.account_status(session, params, Version::Three),
            "account.balance" | "v2/account.balance" => self.balances(session, params),
            "account.position" => self.position_risk(session, params, Version::Two),
            "v2/account.position" => self.position_risk(session, params, Version::Three),
            "leverage" => self.set_leverage(session, params),
            "marginType" => self.set_margin_type(session, params),
            "positionSide.set" => self.set_position_mode(session, params),
            "income" => self.income(session, params),
            "rateLimit.order" => {
                let account = self.authorize(session, params)?;
                let mut lines = self.limits.usage(self.now, Some(account));
                lines.pop(); // the weight, which is no order limit
                Ok(to_text(&lines))
            }
            "positionSide.dual" | "multiAssetsMargin" | "accountConfig" | "symbolConfig"
            | "commissionRate" | "leverageBracket" => self.settings(session, params, method),
            _ => Err(refusals::UNSUPPORTED),
        }
    }

    /// The account behind a request: by its own key and signature, or by the session's logon.
    pub(super) fn authorize(&self, session: &ApiSession, params: &Params) -> Result<usize, Reject> {
        let account = match (params.get("apiKey"), session.account) {
            _ if session.is_rest => session.account.ok_or(Reject::KEY_FORMAT.with_status(401))?,
            (Some(_), _) => self.signed_by(params)?,
            (None, Some(account)) => account,
            (None, None) => return Err(Reject::mandatory("apiKey")),
        };
        check_time(params, self.now)?;
        Ok(account)
    }

    /// The account behind a request that needs no signature, only a key.
    fn key_only(&self, session: &ApiSession, params: &Params) -> Result<usize, Reject> {
        match (params.get("apiKey"), session.account) {
            (Some(key), _) if !session.is_rest => self.keys.account(key),
            (_, Some(account)) => Ok(account),
            _ => Err(Reject::mandatory("apiKey")),
        }
    }

    /// The account that signed the parameters themselves.
    fn signed_by(&self, params: &Params) -> Result<usize, Reject> {
        let account = self.keys.account(params.required("apiKey")?)?;
        let signature = params.required("signature")?;
        self.keys.verify(account, &params.signed_payload(), signature)?;
        Ok(account)
    }

    fn log_on(&self, session: &mut ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.signed_by(params)?;
        check_time(params, self.now)?;
        if !self.keys.may_log_on(account) {
            return Err(Reject::new(-4056, "Invalid api key type."));
        }
        session.account = Some(account);
        session.authorized_since = Some(self.now.as_ms());
        Ok(self.session_status(session))
    }

    fn session_status(&self, session: &ApiSession) -> String {
        let api_key = session.account.map(|account| self.keys.api_key(account));
        format!(
            r#"{{"apiKey":{},"authorizedSince":{},"connectedSince":{},"returnRateLimits":{},"serverTime":{}}}"#,
            to_text(&api_key),
            to_text(&session.authorized_since),
            session.connected_since,
            session.returns_rate_limits,
            self.now.as_ms(),
        )
    }
}
