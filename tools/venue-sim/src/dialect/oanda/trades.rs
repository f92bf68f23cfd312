//! Trades and positions as clients ask for them: close, attach orders, rename, list.

use super::account::{Account, Trade};
use super::dealing;
use super::market::Market;
use super::order::Order;
use super::orders::{Room, count};
use super::query::Query;
use super::refusal::{Answer, Refusal, message, status};
use super::report;
use super::request::Members;
use super::terms::Kind;
use super::ticket;
use super::triggers::{self, Placed};
use super::wire::Obj;
use serde_json::Value;

/// How much of a trade or a position is to be closed.
enum Part {
    All,
    None,
    Units(i64),
}

/// The kinds of order that a trade carries, by their names in requests and in answers.
const CARRIED: [(&str, &str, Kind); 3] = [
    ("takeProfit", "takeProfitOrder", Kind::TakeProfit),
    ("stopLoss", "stopLossOrder", Kind::StopLoss),
    ("trailingStopLoss", "trailingStopLossOrder", Kind::Trailing),
];

impl Room<'_> {
    fn open_trade(&self, specifier: &str) -> Option<&Trade> {
        let id = self.account.find_trade(specifier).filter(|id| self.account.open.contains(id))?;
        self.account.trades.get(&id)
    }

    /// Reads `ALL`, `NONE` or a number of units more than zero.
    fn part(&self, members: &Members<'_>, key: &str, instrument: usize) -> Result<Part, Refusal> {
        match members.text(key)?.as_deref() {
            None | Some("ALL") => return Ok(Part::All),
            Some("NONE") => return Ok(Part::None),
            Some(_) => {}
        }
        let units = members.amount(key)?.ok_or_else(|| Refusal::value(key))?;
        if units.value <= 0 {
            return Err(Refusal::Code("UNITS_INVALID"));
        }
        if units.decimals > self.market.rules(instrument).units_decimals {
            return Err(Refusal::Code("UNITS_PRECISION_EXCEEDED"));
        }
        Ok(Part::Units(units.value))
    }

    /// `PUT /trades/{specifier}/close`.
    pub fn close_trade(&mut self, specifier: &str, body: &Value) -> Result<(Answer, Option<u64>), Refusal> {
        let members = Members::of(body, "")?;
        let asked = members.text("units")?.unwrap_or_else(|| "ALL".to_owned());
        let spoken = |id: &str| Obj::new().text("units", &asked).text("tradeID", id).done();
        let market_order = || Obj::new().text("timeInForce", "FOK").text("positionFill", "REDUCE_ONLY");
        let Some(trade) = self.open_trade(specifier).cloned() else {
            let object = market_order().text("reason", "TRADE_CLOSE").raw("tradeClose", &spoken(specifier));
            let key = "orderRejectTransaction";
            return Ok((self.refuse(Kind::Market.rejected(), key, object, "TRADE_DOESNT_EXIST"), None));
        };
        let units = match self.part(&members, "units", trade.instrument) {
            Ok(Part::All) => Ok(trade.units.abs()),
            Ok(Part::None) => Err("UNITS_INVALID"),
            Ok(Part::Units(units)) if units > trade.units.abs() => Err("CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE"),
            Ok(Part::Units(units)) => Ok(units),
            Err(Refusal::Code(code)) => Err(code),
            Err(refusal) => return Err(refusal),
        };
        let close = spoken(&trade.id.to_string());
        let units = match units {
            Ok(units) => units,
            Err(code) => {
                let object = Obj::new()
                    .text("instrument", self.market.rules(trade.instrument).name.as_str())
                    .text("units", &asked)
                    .join(&market_order().members())
                    .text("reason", "TRADE_CLOSE")
                    .raw("tradeClose", &close);
                let key = "orderRejectTransaction";
                return Ok((self.refuse(Kind::Market.rejected(), key, object, code), None));
            }
        };
        let why = Obj::new().raw("tradeClose", &close).members();
        let signed = -trade.units.signum() * units;
        let mut order = triggers::closing(trade.instrument, signed, "TRADE_CLOSE", why);
        order.trade = Some(trade.id);
        let placed = self.place(order);
        let made = Obj::new().raw("orderCreateTransaction", &self.account.json(placed.create));
        let made = self.with(made, "orderFillTransaction", placed.fill);
        let made = self.with(made, "orderCancelTransaction", placed.cancel);
        Ok((Answer::ok(self.finish(made, placed.create)), Some(placed.create)))
    }

    /// `PUT /trades/{specifier}/orders`: absent keeps, null takes away, an object takes the place. All checks
    /// come before the first change.
    pub fn carry(&mut self, specifier: &str, body: &Value) -> Result<Answer, Refusal> {
        let members = Members::of(body, "")?;
        let Some((trade, instrument)) = self.open_trade(specifier).map(|it| (it.id, it.instrument)) else {
            return Ok(Answer::absent("NO_SUCH_TRADE", self.account.last_id()));
        };
        if members.get("guaranteedStopLoss").is_some() {
            return Ok(Answer::sentence(400, &message("GUARANTEED_STOP_LOSS_ORDER_NOT_ALLOWED")));
        }
        let mut new: Vec<(&str, Kind, Option<Order>)> = Vec::new();
        for (key, name, kind) in CARRIED {
            if members.is_null(key) {
                new.push((name, kind, None));
            }
            let Some(value) = members.get(key) else { continue };
            let asked = Members::of(value, key)?;
            let standing = self.account.order_of_trade(trade, kind).map(|it| it.id);
            match self.carried(kind, &asked, trade, instrument, standing) {
                Ok(order) => new.push((name, kind, Some(order))),
                Err(Refusal::Code(code)) => {
                    let echo = Obj::new().id("tradeID", trade).join(&ticket::echo(kind, &asked).members());
                    let echo = echo.text("reason", "CLIENT_ORDER");
                    let key = format!("{name}RejectTransaction");
                    return Ok(self.refuse(kind.rejected(), &key, echo, code));
                }
                Err(refusal) => return Err(refusal),
            }
        }
        let first = self.account.next_id();
        let mut done = Obj::new();
        for (name, kind, order) in new {
            done = self.exchange(done, name, kind, trade, order);
        }
        let last = self.account.last_id();
        Ok(Answer::ok(done.ids("relatedTransactionIDs", first..=last).id("lastTransactionID", last)))
    }

    fn carried(
        &self,
        kind: Kind,
        asked: &Members<'_>,
        trade: u64,
        instrument: usize,
        standing: Option<u64>,
    ) -> Result<Order, Refusal> {
        let desk = self.desk(standing);
        let mut order = desk.for_this_trade(kind, asked, trade, instrument)?;
        let is_allowed = |name: &str| matches!(name, "GTC" | "GTD" | "GFD");
        order.life = asked.life(order.life, is_allowed, desk.now)?;
        order.trigger = asked.trigger()?;
        order.client = asked.client("clientExtensions")?;
        desk.check_client(&order.client)?;
        Ok(order)
    }

    /// Takes an order of a trade away and puts another in its place, unless the trade has closed meanwhile.
    fn exchange(&mut self, done: Obj, name: &str, kind: Kind, trade: u64, order: Option<Order>) -> Obj {
        let mut done = done;
        let standing = self.account.order_of_trade(trade, kind).map(|it| it.id);
        let is_open = self.account.open.contains(&trade);
        if let Some(old) = standing {
            let (reason, next) = match order {
                Some(_) => ("CLIENT_REQUEST_REPLACED", Some(self.account.next_id() + 1)),
                None => ("CLIENT_REQUEST", None),
            };
            let by = dealing::cancel(self.account, old, reason, next);
            done = done.raw(&format!("{name}CancelTransaction"), &self.account.json(by));
        }
        let Some(mut order) = order.filter(|_| is_open) else { return done };
        if let Some(old) = standing {
            order.replaces = Some(old);
            order.reason = "REPLACEMENT";
        }
        let Placed { create, fill, cancel, .. } = self.place(order);
        done = done.raw(&format!("{name}Transaction"), &self.account.json(create));
        done = self.with(done, &format!("{name}FillTransaction"), fill);
        self.with(done, &format!("{name}CreatedCancelTransaction"), cancel)
    }

    /// `PUT /trades/{specifier}/clientExtensions`.
    pub fn rename_trade(&mut self, specifier: &str, body: &Value) -> Result<Answer, Refusal> {
        let members = Members::of(body, "")?;
        let client = members.client("clientExtensions").map_err(|refusal| match refusal {
            Refusal::Code(_) => Refusal::value("clientExtensions"),
            other => other,
        })?;
        let said = Obj::new().raw("tradeClientExtensionsModify", &client.json());
        let key = "tradeClientExtensionsModifyRejectTransaction";
        let kind = "TRADE_CLIENT_EXTENSIONS_MODIFY_REJECT";
        let Some(id) = self.open_trade(specifier).map(|it| it.id) else {
            let object = Obj::new().text("tradeID", specifier).join(&said.members());
            return Ok(self.refuse(kind, key, object, "TRADE_DOESNT_EXIST"));
        };
        let object = Obj::new().id("tradeID", id).join(&said.members());
        let has = |trade: &Trade| !client.id.is_empty() && trade.client.id == client.id && trade.id != id;
        if self.account.open_trades().any(has) {
            return Ok(self.refuse(kind, key, object, "CLIENT_TRADE_ID_ALREADY_EXISTS"));
        }
        let by = self.account.log("TRADE_CLIENT_EXTENSIONS_MODIFY", object.members());
        if let Some(trade) = self.account.trades.get_mut(&id) {
            trade.client.update(&client);
        }
        let body = Obj::new().raw("tradeClientExtensionsModifyTransaction", &self.account.json(by));
        Ok(Answer::ok(self.finish(body, by)))
    }

    /// `PUT /positions/{instrument}/close`. A side that is not named and holds nothing is left alone.
    pub fn close_position(&mut self, name: &str, body: &Value) -> Result<(Answer, Option<u64>), Refusal> {
        let instrument = self.market.index(name).ok_or_else(|| Refusal::value("instrument"))?;
        let members = Members::of(body, "")?;
        let mut plans: Vec<(&str, i64, String)> = Vec::new();
        let mut nothing = None;
        let is_named = |key| members.get(key).is_some();
        for (side, key, is_long) in [("long", "longUnits", true), ("short", "shortUnits", false)] {
            let held = self.account.units(instrument, is_long);
            let asked = members.text(key)?.unwrap_or_else(|| "ALL".to_owned());
            let units = match self.part(&members, key, instrument) {
                Ok(Part::None) => continue,
                Ok(Part::All) if held == 0 && !is_named(key) => {
                    // Nothing to do on this side; refused below if there is nothing on the other either.
                    nothing.get_or_insert((side, asked));
                    continue;
                }
                Ok(_) if held == 0 => Err("CLOSEOUT_POSITION_DOESNT_EXIST"),
                Ok(Part::All) => Ok(held.abs()),
                Ok(Part::Units(units)) if units > held.abs() => {
                    Err("CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE")
                }
                Ok(Part::Units(units)) => Ok(units),
                Err(Refusal::Code(code)) => Err(code),
                Err(refusal) => return Err(refusal),
            };
            match units {
                Ok(units) => plans.push((side, -held.signum() * units, asked)),
                Err(code) => return Ok((self.no_closeout(instrument, side, &asked, code), None)),
            }
        }
        if let Some((side, asked)) = nothing.filter(|_| plans.is_empty()) {
            return Ok((self.no_closeout(instrument, side, &asked, "CLOSEOUT_POSITION_DOESNT_EXIST"), None));
        }
        if plans.is_empty() {
            return Err(Refusal::value("longUnits"));
        }
        let first = self.account.next_id();
        let mut done = Obj::new();
        for (side, units, asked) in plans {
            let why = Obj::new().raw(&format!("{side}PositionCloseout"), &self.closeout(instrument, &asked));
            let order = triggers::closing(instrument, units, "POSITION_CLOSEOUT", why.members());
            let placed = self.place(order);
            done = done.raw(&format!("{side}OrderCreateTransaction"), &self.account.json(placed.create));
            done = self.with(done, &format!("{side}OrderFillTransaction"), placed.fill);
            done = self.with(done, &format!("{side}OrderCancelTransaction"), placed.cancel);
        }
        Ok((Answer::ok(self.finish(done, first)), Some(first)))
    }

    fn closeout(&self, instrument: usize, units: &str) -> String {
        let name = self.market.rules(instrument).name;
        Obj::new().text("instrument", name.as_str()).text("units", units).done()
    }

    fn no_closeout(&mut self, instrument: usize, side: &str, asked: &str, code: &'static str) -> Answer {
        let members = Obj::new()
            .text("instrument", self.market.rules(instrument).name.as_str())
            .text("timeInForce", "FOK")
            .text("positionFill", "REDUCE_ONLY")
            .text("reason", "POSITION_CLOSEOUT")
            .raw(&format!("{side}PositionCloseout"), &self.closeout(instrument, asked));
        self.refuse(Kind::Market.rejected(), &format!("{side}OrderRejectTransaction"), members, code)
    }

    /// `PATCH /configuration`.
    pub fn configure(&mut self, body: &Value) -> Result<Answer, Refusal> {
        let members = Members::of(body, "")?;
        let (alias, rate) = (members.text("alias")?, members.amount("marginRate")?);
        let object = Obj::new()
            .with(alias.as_ref(), |o, it| o.text("alias", it))
            .with(rate, |o, it| o.text("marginRate", &super::wire::plain(it.value)));
        let ppm = rate.map(|rate| u32::try_from(rate.value / 100).unwrap_or(u32::MAX));
        let code = match ppm {
            Some(ppm) if !(10_000..=1_000_000).contains(&ppm) => Some("MARGIN_RATE_INVALID"),
            Some(ppm) if self.would_close_out(ppm) => Some("MARGIN_RATE_WOULD_TRIGGER_CLOSEOUT"),
            _ => None,
        };
        if let Some(code) = code {
            let id = self.account.log("CLIENT_CONFIGURE_REJECT", object.text("rejectReason", code).members());
            let body = Obj::new()
                .raw("clientConfigureRejectTransaction", &self.account.json(id))
                .id("lastTransactionID", id)
                .text("errorMessage", &message(code))
                .text("errorCode", code);
            return Ok(Answer::new(status(code), body));
        }
        let id = self.account.log("CLIENT_CONFIGURE", object.members());
        if let Some(alias) = alias {
            self.account.alias = alias;
        }
        self.account.margin_ppm = ppm.or(self.account.margin_ppm);
        let body =
            Obj::new().raw("clientConfigureTransaction", &self.account.json(id)).id("lastTransactionID", id);
        Ok(Answer::ok(body))
    }

    fn would_close_out(&mut self, ppm: u32) -> bool {
        let before = self.account.margin_ppm.replace(ppm);
        let share = super::figures::Figures::of(self.account, self.market).closeout_share();
        self.account.margin_ppm = before;
        share >= super::wire::UNIT
    }
}

/// `GET /trades`, newest first.
pub fn list(account: &Account, market: &Market, query: &Query) -> Result<Answer, Refusal> {
    let state = query.get("state").unwrap_or("OPEN");
    if !["ALL", "OPEN", "CLOSED", "CLOSE_WHEN_TRADEABLE"].contains(&state) {
        return Err(Refusal::value("state"));
    }
    let is_state = |trade: &&Trade| match state {
        "ALL" => true,
        "OPEN" => trade.is_open(),
        "CLOSED" => !trade.is_open(),
        _ => false,
    };
    let count = count(query)?;
    let before = query.number("beforeID")?.unwrap_or(u64::MAX);
    let ids = query.list("ids");
    let instruments = query.list("instrument");
    let is_asked = |trade: &&Trade| {
        trade.id <= before
            && (ids.is_empty() || ids.contains(&trade.id.to_string().as_str()))
            && (instruments.is_empty() || instruments.contains(&market.rules(trade.instrument).name.as_str()))
    };
    let found = account.trades.values().rev().filter(is_state).filter(is_asked).take(count);
    Ok(trades(account, market, found))
}

/// `GET /openTrades`, newest first.
pub fn open(account: &Account, market: &Market) -> Answer {
    trades(account, market, account.open_trades().rev())
}

fn trades<'a>(account: &Account, market: &Market, found: impl Iterator<Item = &'a Trade>) -> Answer {
    Answer::ok(
        Obj::new()
            .list("trades", found.map(|trade| report::trade(account, market, trade, false)))
            .id("lastTransactionID", account.last_id()),
    )
}

/// `GET /trades/{specifier}`.
pub fn single(account: &Account, market: &Market, specifier: &str) -> Answer {
    match account.find_trade(specifier).and_then(|id| account.trades.get(&id)) {
        Some(trade) => Answer::ok(
            Obj::new()
                .raw("trade", &report::trade(account, market, trade, false))
                .id("lastTransactionID", account.last_id()),
        ),
        None => Answer::absent("NO_SUCH_TRADE", account.last_id()),
    }
}

/// `GET /positions` (every one ever) and `GET /openPositions`.
pub fn positions(account: &Account, market: &Market, is_open_only: bool) -> Answer {
    let all: Vec<usize> = match is_open_only {
        true => report::open_positions(account).collect(),
        false => account.earned.keys().copied().collect(),
    };
    Answer::ok(
        Obj::new()
            .list("positions", all.into_iter().map(|it| report::position(account, market, it)))
            .id("lastTransactionID", account.last_id()),
    )
}

/// `GET /positions/{instrument}`.
pub fn position(account: &Account, market: &Market, name: &str) -> Result<Answer, Refusal> {
    let instrument = market.index(name).ok_or_else(|| Refusal::value("instrument"))?;
    if !account.earned.contains_key(&instrument) {
        return Ok(Answer::absent("NO_SUCH_POSITION", account.last_id()));
    }
    Ok(Answer::ok(
        Obj::new()
            .raw("position", &report::position(account, market, instrument))
            .id("lastTransactionID", account.last_id()),
    ))
}
