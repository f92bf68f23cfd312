//! REST: from an HTTP request to what it asks for, and its result to the venue's envelope.
//!
//! Business errors come with HTTP 200. Answers carry no date header, so that a seeded run gives the same bytes each time.

use super::limits::{Endpoint, Usage};
use super::orders::Action;
use super::params::Params;
use super::refusal::Refusal;
use super::words::Category;
use super::{ConnId, Frame, Venue};
use crate::dialect::json::to_text;
use crate::dialect::{HttpRequest, answer};
use serde_json::{Value, json};

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Time,
    Instruments,
    Book,
    Klines,
    Tickers,
    RecentTrades,
    PriceLimit,
    FundingHistory,
    Act(Action),
    ActAll(Action),
    CancelAll,
    OpenOrders,
    OrderHistory,
    Executions,
    Positions,
    SetLeverage,
    SwitchMode,
    TradingStop,
    SetDcp,
    DcpInfo,
    Wallet,
    AccountInfo,
    FeeRate,
    ApiKey,
    Coins,
}

/// What a path asks for, by which method, and what limits it; market data is limited by address only.
fn route(path: &str) -> Option<(&'static str, Call, Option<Endpoint>)> {
    let get = |call| Some(("GET", call, None));
    let asks = |call, endpoint| Some(("GET", call, Some(endpoint)));
    let does = |call, endpoint| Some(("POST", call, Some(endpoint)));
    match path.strip_prefix("/v5/")? {
        "market/time" => get(Call::Time),
        "market/instruments-info" => get(Call::Instruments),
        "market/orderbook" => get(Call::Book),
        "market/kline" => get(Call::Klines),
        "market/tickers" => get(Call::Tickers),
        "market/recent-trade" => get(Call::RecentTrades),
        "market/price-limit" => get(Call::PriceLimit),
        "market/funding/history" => get(Call::FundingHistory),
        "order/create" => does(Call::Act(Action::Create), Action::Create.endpoint(false)),
        "order/amend" => does(Call::Act(Action::Amend), Action::Amend.endpoint(false)),
        "order/cancel" => does(Call::Act(Action::Cancel), Action::Cancel.endpoint(false)),
        "order/create-batch" => does(Call::ActAll(Action::Create), Action::Create.endpoint(true)),
        "order/amend-batch" => does(Call::ActAll(Action::Amend), Action::Amend.endpoint(true)),
        "order/cancel-batch" => does(Call::ActAll(Action::Cancel), Action::Cancel.endpoint(true)),
        "order/cancel-all" => does(Call::CancelAll, Endpoint::CancelAll),
        "order/disconnected-cancel-all" => does(Call::SetDcp, Endpoint::Slow),
        "order/realtime" => asks(Call::OpenOrders, Endpoint::Orders),
        "order/history" => asks(Call::OrderHistory, Endpoint::Orders),
        "execution/list" => asks(Call::Executions, Endpoint::Executions),
        "position/list" => asks(Call::Positions, Endpoint::Positions),
        "position/set-leverage" => does(Call::SetLeverage, Endpoint::PositionSettings),
        "position/switch-mode" => does(Call::SwitchMode, Endpoint::PositionSettings),
        "position/trading-stop" => does(Call::TradingStop, Endpoint::PositionSettings),
        "account/wallet-balance" => asks(Call::Wallet, Endpoint::Account),
        "account/info" => asks(Call::AccountInfo, Endpoint::Account),
        "account/query-dcp-info" => asks(Call::DcpInfo, Endpoint::Account),
        "account/fee-rate" => asks(Call::FeeRate, Endpoint::Slow),
        "user/query-api" => asks(Call::ApiKey, Endpoint::Account),
        "asset/coin/query-info" => asks(Call::Coins, Endpoint::Account),
        _ => None,
    }
}

/// What the body of an answer is made of.
struct Reply {
    status: u16,
    result: Result<(String, Value), Refusal>,
    usage: Option<Usage>,
}

impl Reply {
    fn refused(status: u16, refusal: Refusal) -> Self {
        Self { status, result: Err(refusal), usage: None }
    }
}

impl Venue {
    /// Answers one HTTP request.
    pub(super) fn answer_http(&mut self, conn: ConnId, request: &HttpRequest) {
        let reply = if self.limits.is_let_in(self.now) {
            self.rest_reply(request)
        } else {
            Reply::refused(403, Refusal::SHUT_OUT)
        };
        let frame = Frame::Http(self.http_bytes(&reply));
        if self.is_told_first() {
            self.publish();
            self.send(conn, frame);
        } else {
            self.send(conn, frame);
            self.publish();
        }
    }

    fn http_bytes(&self, reply: &Reply) -> Vec<u8> {
        let head = reply.usage.map(Usage::head).unwrap_or_default();
        answer(reply.status, &head, &envelope(&reply.result, self.now.as_ms()))
    }

    fn rest_reply(&mut self, request: &HttpRequest) -> Reply {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let Some((method, call, endpoint)) = route(path) else { return Reply::refused(404, Refusal::ROUTE) };
        if method != request.method {
            return Reply::refused(400, Refusal::ROUTE);
        }
        let Some(endpoint) = endpoint else {
            let result = self.ask_market(call, &Params::from_query(query));
            return Reply { status: 200, result: result.map(|text| (text, json!({}))), usage: None };
        };
        let payload = if method == "GET" { query } else { &request.body };
        let account = match self.keys.rest(request, payload, self.now) {
            None => return Reply::refused(401, Refusal::new(10003, "API key is missing.")),
            Some(Err(refusal)) => return Reply::refused(200, refusal),
            Some(Ok(account)) => account,
        };
        let params = match (method, Params::from_json(&request.body)) {
            ("GET", _) => Params::from_query(query),
            (_, Ok(params)) => params,
            (_, Err(refusal)) => return Reply::refused(200, refusal),
        };
        let category = params.category().unwrap_or(Category::Linear);
        let rows = match call {
            Call::ActAll(_) => match Self::batch(&params) {
                Ok((_, rows)) => rows,
                Err(refusal) => return Reply::refused(200, refusal),
            },
            _ => Vec::new(),
        };
        let (usage, room) = self.limits.charge(self.now, account, endpoint, category, rows.len().max(1));
        let result = room.and_then(|()| match call {
            Call::ActAll(action) => {
                let (list, codes) = self.act_all(action, account, &rows);
                Ok((list.to_string(), codes))
            }
            _ => self.ask_account(call, account, &params).map(|result| (result.to_string(), json!({}))),
        });
        Reply { status: 200, result, usage: Some(usage) }
    }

    fn ask_market(&mut self, call: Call, params: &Params) -> Result<String, Refusal> {
        match call {
            Call::Time => Ok(format!(
                r#"{{"timeSecond":"{}","timeNano":"{}"}}"#,
                self.now.0 / 1_000_000_000,
                self.now.0
            )),
            Call::Instruments => self.instruments(params),
            Call::Book => self.rest_book(params),
            Call::Klines => self.klines(params),
            Call::Tickers => self.tickers(params),
            Call::RecentTrades => self.recent_trades(params),
            Call::PriceLimit => self.price_limit(params),
            Call::FundingHistory => self.funding_history(params),
            _ => Err(Refusal::ROUTE),
        }
    }

    fn ask_account(&mut self, call: Call, account: usize, params: &Params) -> Result<Value, Refusal> {
        match call {
            Call::Act(action) => self.act(action, account, params).map(|ids| ids.value()),
            Call::CancelAll => self.cancel_all(account, params),
            Call::OpenOrders => self.open_orders(account, params),
            Call::OrderHistory => self.order_history(account, params),
            Call::Executions => self.executions(account, params),
            Call::Positions => self.positions(account, params),
            Call::SetLeverage => self.set_leverage(account, params),
            Call::SwitchMode => self.switch_mode(params),
            Call::TradingStop => self.trading_stop(account, params).map(|()| json!({})),
            Call::SetDcp => self.set_dcp(account, params).map(|()| json!({})),
            Call::DcpInfo => Ok(self.dcp_info(account)),
            Call::Wallet => self.wallet_balance(account, params),
            Call::AccountInfo => Ok(self.account_info()),
            Call::FeeRate => self.fee_rate(account, params),
            Call::ApiKey => Ok(self.api_key_info(account)),
            Call::Coins => Ok(json!({"rows": []})), // deposits and withdrawals, of which there are none
            _ => Err(Refusal::ROUTE),
        }
    }
}

/// The body of every answer.
pub(super) fn envelope(result: &Result<(String, Value), Refusal>, now_ms: u64) -> String {
    match result {
        Ok((result, ext)) => {
            format!(r#"{{"retCode":0,"retMsg":"OK","result":{result},"retExtInfo":{ext},"time":{now_ms}}}"#)
        }
        Err(refusal) => format!(
            r#"{{"retCode":{},"retMsg":{},"result":{{}},"retExtInfo":{{}},"time":{now_ms}}}"#,
            refusal.code,
            to_text(&refusal.msg),
        ),
    }
}
