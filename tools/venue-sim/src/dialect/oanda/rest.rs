//! REST: from an HTTP request to a call, from what it gives to the bytes of an answer.
//!
//! Pure. Answers carry no date, so that a seeded run gives the same bytes each time.

use super::Oanda;
use super::orders::{self, Room};
use super::query::{self, Query};
use super::refusal::{Answer, Refusal};
use super::request;
use super::streams::{self, Stream};
use super::wire::{self, Obj};
use super::{history, prices, report, trades};
use crate::dialect::{ConnId, Frame, HttpRequest, SeenOrder, answer};
use serde_json::Value;

/// What is said of a token that nobody has.
const UNAUTHORIZED: &str = "Insufficient authorization to perform request.";
/// What is said of a token that may not see the account.
const FORBIDDEN: &str = "The provided request was forbidden.";

/// One request, taken apart.
struct Call<'a> {
    method: &'a str,
    parts: Vec<&'a str>,
    query: &'a Query,
    body: &'a str,
    host: &'a str,
    /// The venue's number of it.
    request: u64,
}

/// An order request for the audit.
struct Asked {
    method: &'static str,
    symbol: String,
    client_order_id: String,
}

/// The methods of a path below an account; none when there is no such path.
fn methods(parts: &[&str]) -> Option<&'static [&'static str]> {
    Some(match parts {
        []
        | ["summary" | "instruments" | "changes" | "pricing" | "pendingOrders" | "openTrades"]
        | ["trades" | "positions" | "openPositions" | "transactions"]
        | ["candles", "latest"]
        | ["instruments", _, "candles"]
        | ["pricing" | "transactions", "stream"]
        | ["trades" | "positions" | "transactions", _] => &["GET"],
        ["configuration"] => &["PATCH"],
        ["orders"] => &["GET", "POST"],
        ["orders", _] => &["GET", "PUT"],
        ["orders", _, "cancel" | "clientExtensions"]
        | ["trades", _, "close" | "orders" | "clientExtensions"]
        | ["positions", _, "close"] => &["PUT"],
        _ => return None,
    })
}

impl Oanda {
    /// Answers one request, or opens the stream that it asks for.
    pub(super) fn answer_http(&mut self, conn: ConnId, request: &HttpRequest) {
        if self.streams.contains_key(&conn) {
            return; // a connection that streams says nothing else
        }
        self.requests += 1;
        let number = self.first_request + self.requests;
        let is_unix =
            request.header("accept-datetime-format").is_some_and(|it| it.eq_ignore_ascii_case("UNIX"));
        let given = self.give(conn, request, number, is_unix);
        let is_change = request.method != "GET";
        let is_cut = is_change && self.dice.falls(self.faults.cut_after_order);
        let is_answer_first = is_change && self.dice.falls(self.faults.answer_first);
        if !is_answer_first {
            self.tell();
        }
        if let Some(answer) = given {
            let frame = if is_cut { Frame::Close } else { self.bytes(&answer, number, is_unix) };
            self.send(conn, frame);
        }
        self.tell();
    }

    /// The bytes of an answer.
    fn bytes(&mut self, given: &Answer, number: u64, is_unix: bool) -> Frame {
        let mut head = format!("RequestID: {number}\r\n");
        if let Some(location) = &given.location {
            head.push_str(&format!("Location: {location}\r\n"));
        }
        let mut body = if is_unix { wire::unix_times(&given.body) } else { given.body.clone() };
        if self.dice.falls(self.faults.extra_field) {
            body = with_extra_field(&body);
        }
        Frame::Http(answer(given.status, &head, &body))
    }

    /// The answer to a request; none when it opened a stream.
    fn give(&mut self, conn: ConnId, request: &HttpRequest, number: u64, is_unix: bool) -> Option<Answer> {
        let most = self.limits.requests_per_second;
        if !self.budget.take(self.now, most) || self.dice.falls(self.faults.too_many) {
            return Some(Answer::sentence(429, "Too many requests"));
        }
        if self.dice.falls(self.faults.unavailable) {
            return Some(Answer::sentence(503, "Service Unavailable"));
        }
        let token = request.header("authorization").and_then(|it| it.strip_prefix("Bearer "));
        let token = token
            .map(str::trim)
            .filter(|it| !self.is_withdrawn && self.accounts.iter().any(|account| account.token == *it));
        let Some(token) = token else { return Some(Answer::sentence(401, UNAUTHORIZED)) };
        let Some((parts, query)) = query::split(&request.target) else {
            return Some(Answer::sentence(400, "Malformed request"));
        };
        let call = Call {
            method: &request.method,
            parts: parts.iter().map(String::as_str).collect(),
            query: &query,
            body: &request.body,
            host: request.header("host").unwrap_or("api-fxpractice.oanda.com"),
            request: number,
        };
        let absent = Answer::sentence(404, "The requested resource does not exist");
        let (id, below) = match call.parts.as_slice() {
            ["v3", "accounts"] if call.method == "GET" => return Some(self.account_list(token)),
            ["v3", "accounts"] => return Some(not_allowed()),
            ["v3", "accounts", id, below @ ..] => (*id, below),
            ["v3", "instruments", _, "candles"] if call.method == "GET" => {
                let below = call.parts.get(1..).unwrap_or_default();
                return Some(self.candles(&query, below).unwrap_or_else(refused));
            }
            _ => return Some(absent),
        };
        let Some(account) = self.accounts.iter().position(|account| account.id == id) else {
            return Some(Answer::sentence(404, "The Account specified does not exist"));
        };
        if self.accounts.get(account).is_none_or(|it| it.token != token) {
            return Some(Answer::sentence(403, FORBIDDEN));
        }
        match methods(below) {
            None => return Some(absent),
            Some(methods) if !methods.contains(&call.method) => return Some(not_allowed()),
            Some(_) => {}
        }
        if let [what, "stream"] = below {
            return self.open_stream(conn, account, what, &call, is_unix).err().map(refused);
        }
        if call.method != "GET" {
            return Some(self.change(account, &call, below));
        }
        Some(self.look(account, &call, below).unwrap_or_else(refused))
    }

    fn account_list(&self, token: &str) -> Answer {
        let mine = self.accounts.iter().filter(|account| account.token == token);
        let one =
            |account: &super::account::Account| Obj::new().text("id", &account.id).raw("tags", "[]").done();
        Answer::ok(Obj::new().list("accounts", mine.map(one)))
    }

    /// What changes nothing.
    fn look(&self, account: usize, call: &Call<'_>, below: &[&str]) -> Result<Answer, Refusal> {
        let (Some(account), market, query) = (self.accounts.get(account), &self.market, call.query) else {
            return Err(Refusal::value("accountID"));
        };
        let last = account.last_id();
        let whole =
            |body: Obj| Answer::ok(Obj::new().raw("account", &body.done()).id("lastTransactionID", last));
        Ok(match below {
            [] => whole(report::details(account, market)),
            ["summary"] => whole(report::summary(account, market)),
            ["instruments"] => {
                let asked = self.instruments(query, "instruments")?;
                let all = if asked.is_empty() { (0..market.len()).collect() } else { asked };
                let one = |it: &usize| prices::instrument(market.rules(*it), account.margin_ppm);
                Answer::ok(Obj::new().list("instruments", all.iter().map(one)).id("lastTransactionID", last))
            }
            ["changes"] => history::changes(account, market, query, self.limits.changes_back)?,
            ["pricing"] => self.pricing(account, query)?,
            ["candles", "latest"] => self.latest(query)?,
            ["instruments", _, "candles"] => self.candles(query, below)?,
            ["orders"] => orders::list(account, market, query)?,
            ["pendingOrders"] => orders::pending(account, market),
            ["orders", specifier] => orders::single(account, market, specifier),
            ["trades"] => trades::list(account, market, query)?,
            ["openTrades"] => trades::open(account, market),
            ["trades", specifier] => trades::single(account, market, specifier),
            ["positions"] => trades::positions(account, market, false),
            ["openPositions"] => trades::positions(account, market, true),
            ["positions", name] => trades::position(account, market, name)?,
            ["transactions"] => history::pages(account, query, call.host, self.now)?,
            ["transactions", "idrange"] => history::range(account, query)?,
            ["transactions", "sinceid"] => history::since(account, query)?,
            ["transactions", id] => history::single(account, id),
            _ => Answer::sentence(404, "The requested resource does not exist"),
        })
    }

    /// What changes the account.
    fn change(&mut self, account: usize, call: &Call<'_>, below: &[&str]) -> Answer {
        let body = request::body(call.body);
        let asked = asked(call.method, below, body.as_ref());
        let is_factor_hidden = self.dice.falls(self.faults.null_factor);
        self.market.hide_factor(is_factor_hidden);
        let given = match body {
            Some(body) => self.apply(account, call, below, &body),
            None => Ok((Answer::sentence(400, "Malformed JSON body"), None)),
        };
        let (answer, id) = given.unwrap_or_else(|refusal| (refused(refusal), None));
        if let Some(asked) = asked {
            self.note(asked, account, &answer, id);
        }
        answer
    }

    fn apply(
        &mut self,
        account: usize,
        call: &Call<'_>,
        below: &[&str],
        body: &Value,
    ) -> Result<(Answer, Option<u64>), Refusal> {
        let account = self.accounts.get_mut(account).ok_or_else(|| Refusal::value("accountID"))?;
        account.begin(self.now, Some(call.request));
        let mut room = Room { account, market: &mut self.market, limits: &self.limits };
        match below {
            ["orders"] => room.create(body),
            ["orders", specifier] => room.replace(specifier, body),
            ["orders", specifier, "cancel"] => Ok(room.cancel(specifier)),
            ["orders", specifier, "clientExtensions"] => room.rename(specifier, body).map(|it| (it, None)),
            ["trades", specifier, "close"] => room.close_trade(specifier, body),
            ["trades", specifier, "orders"] => room.carry(specifier, body).map(|it| (it, None)),
            ["trades", specifier, "clientExtensions"] => {
                room.rename_trade(specifier, body).map(|it| (it, None))
            }
            ["positions", name, "close"] => room.close_position(name, body),
            _ => room.configure(body).map(|it| (it, None)),
        }
    }

    /// Keeps an order request for the audit and the counts.
    fn note(&mut self, asked: Asked, account: usize, answer: &Answer, id: Option<u64>) {
        let is_order = asked.method != "orders.cancel";
        self.summary.orders_received += u64::from(is_order);
        self.summary.orders_accepted += u64::from(is_order && id.is_some());
        let order = id.and_then(|id| self.accounts.get(account)?.orders.get(&id));
        let symbol = match order {
            Some(order) => self.market.rules(order.instrument).name.as_str().to_owned(),
            None => asked.symbol,
        };
        let client_order_id = order.map_or(asked.client_order_id, |order| order.client.id.clone());
        let outcome = id.ok_or(i32::from(answer.status));
        let (ts, method) = (self.now, asked.method.to_owned());
        self.seen.push(SeenOrder { ts, symbol, client_order_id, method, outcome });
    }

    /// Opens a stream on a connection; its head and the snapshot are queued.
    fn open_stream(
        &mut self,
        conn: ConnId,
        account: usize,
        what: &str,
        call: &Call<'_>,
        is_unix: bool,
    ) -> Result<(), Refusal> {
        let query = call.query;
        let kind = match what {
            "transactions" => streams::Kind::Transactions,
            _ => {
                let asked = self.instruments(query, "instruments")?;
                if asked.is_empty() {
                    return Err(Refusal::missing("instruments"));
                }
                streams::Kind::Prices(asked)
            }
        };
        let has_snapshot = query.flag("snapshot", true)?;
        if self.streams.len() >= self.limits.streams {
            return Err(Refusal::Malformed("Maximum number of streams exceeded".to_owned()));
        }
        self.tell();
        let purpose = format!("{} {}", call.parts.join("/"), query.list("instruments").join(","));
        let mut stream = Stream::new(account, kind, purpose, self.now, self.window_ns, is_unix);
        if let (streams::Kind::Prices(asked), true) = (&stream.kind, has_snapshot) {
            for instrument in asked.clone() {
                stream.say(&prices::price(&self.market, self.market.quote(instrument)).done());
            }
        }
        self.streams.insert(conn, stream);
        self.send(conn, streams::head(call.request));
        self.sort_streams();
        self.flush_streams();
        Ok(())
    }
}

fn not_allowed() -> Answer {
    Answer::sentence(405, "Method Not Allowed")
}

/// The answer to a request that was not understood.
fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Malformed(sentence) => Answer::sentence(400, &sentence),
        Refusal::Code(code) => {
            let body =
                Obj::new().text("errorMessage", &super::refusal::message(code)).text("errorCode", code);
            Answer::new(super::refusal::status(code), body)
        }
    }
}

/// An answer as a later version of the venue might give it.
pub(super) fn with_extra_field(body: &str) -> String {
    match body.strip_prefix('{') {
        Some(rest) if rest != "}" => format!("{{\"fieldOfTomorrow\":{{\"value\":[1,\"2\",null]}},{rest}"),
        _ => body.to_owned(),
    }
}

/// What an order request asked for; none when it is no order request.
fn asked(method: &str, below: &[&str], body: Option<&Value>) -> Option<Asked> {
    let name = match (method, below) {
        ("POST", ["orders"]) => "orders.create",
        ("PUT", ["orders", _]) => "orders.replace",
        ("PUT", ["orders", _, "cancel"]) => "orders.cancel",
        ("PUT", ["trades", _, "close"]) => "trades.close",
        ("PUT", ["positions", _, "close"]) => "positions.close",
        _ => return None,
    };
    let text =
        |path: &str| body.and_then(|it| it.pointer(path)).and_then(Value::as_str).unwrap_or("").to_owned();
    let symbol = match below {
        ["positions", name, _] => (*name).to_owned(),
        _ => text("/order/instrument"),
    };
    Some(Asked { method: name, symbol, client_order_id: text("/order/clientExtensions/id") })
}
