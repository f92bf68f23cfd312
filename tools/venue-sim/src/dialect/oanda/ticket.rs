//! From an `order` object to an [`Order`], with every check that the venue makes before it takes one.
//!
//! What is refused with a code is written to the log as it was asked, with the defaults filled in.

use super::account::Account;
use super::market::Market;
use super::order::Order;
use super::refusal::Refusal;
use super::request::{Amount, Members};
use super::settings::OandaLimits;
use super::terms::{ClientExtensions, Kind, Life, OnFill, PositionFill};
use super::wire::Obj;
use serde_json::Value;
use smc_core::TsNs;

/// What a new order is checked against.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// Whose order it is.
    pub account: &'a Account,
    /// The quotes and rules.
    pub market: &'a Market,
    /// The venue's limits.
    pub limits: &'a OandaLimits,
    /// Market time.
    pub now: TsNs,
    /// The order it takes the place of.
    pub replaces: Option<u64>,
}

/// A kind by its name in requests.
pub fn kind(order: &Members<'_>) -> Result<Kind, Refusal> {
    order.choice("type", &Kind::ALL)?.ok_or_else(|| Refusal::missing(&order.path("type")))
}

impl Desk<'_> {
    /// Reads and checks an order.
    pub fn order(&self, kind: Kind, members: &Members<'_>) -> Result<Order, Refusal> {
        let mut order = if kind.is_for_trade() {
            self.for_trade(kind, members)?
        } else {
            self.with_units(kind, members)?
        };
        let is_allowed = |name: &str| match kind {
            Kind::Market => matches!(name, "FOK" | "IOC"),
            Kind::Limit | Kind::Stop => true,
            _ => matches!(name, "GTC" | "GTD" | "GFD"),
        };
        order.life = members.life(order.life, is_allowed, self.now)?;
        if kind != Kind::Market {
            order.trigger = members.trigger()?;
        }
        order.client = members.client("clientExtensions")?;
        self.check_client(&order.client)?;
        let waiting = self.account.pending.len() - usize::from(self.replaces.is_some());
        if waiting >= self.limits.pending_orders {
            return Err(Refusal::Code("PENDING_ORDERS_ALLOWED_EXCEEDED"));
        }
        Ok(order)
    }

    /// Refuses a name that another waiting order has.
    pub fn check_client(&self, client: &ClientExtensions) -> Result<(), Refusal> {
        let has = |order: &Order| order.client.id == client.id && Some(order.id) != self.replaces;
        if !client.id.is_empty() && self.account.pending_orders().any(has) {
            return Err(Refusal::Code("CLIENT_ORDER_ID_ALREADY_EXISTS"));
        }
        Ok(())
    }

    /// An order that buys or sells units of its own.
    fn with_units(&self, kind: Kind, members: &Members<'_>) -> Result<Order, Refusal> {
        let name =
            members.text("instrument")?.ok_or_else(|| Refusal::missing(&members.path("instrument")))?;
        let is_name = name.split_once('_').is_some_and(|(base, quote)| {
            [base, quote].iter().all(|it| !it.is_empty() && it.bytes().all(|b| b.is_ascii_alphanumeric()))
        });
        if !is_name {
            return Err(Refusal::value(&members.path("instrument")));
        }
        let instrument = self.market.index(&name).ok_or(Refusal::Code("INSTRUMENT_UNKNOWN"))?;
        let mut order = Order::new(kind, instrument);
        order.units = self.units(instrument, members)?;
        if kind == Kind::Market {
            order.bound = self.price(instrument, members, "priceBound", "PRICE_BOUND")?;
        } else {
            order.price = self.price(instrument, members, "price", "PRICE")?;
            if order.price.is_none() {
                return Err(Refusal::Code("PRICE_MISSING"));
            }
            if kind != Kind::Limit {
                order.bound = self.price(instrument, members, "priceBound", "PRICE_BOUND")?;
            }
        }
        order.fill = members.choice("positionFill", &PositionFill::ALL)?.unwrap_or(PositionFill::Default);
        order.trade_client = members.client("tradeClientExtensions")?;
        order.take_profit = self.on_fill(instrument, members, "takeProfitOnFill", Kind::TakeProfit)?;
        order.stop_loss = self.on_fill(instrument, members, "stopLossOnFill", Kind::StopLoss)?;
        order.trailing = self.on_fill(instrument, members, "trailingStopLossOnFill", Kind::Trailing)?;
        if members.get("guaranteedStopLossOnFill").is_some() {
            return Err(Refusal::Code("GUARANTEED_STOP_LOSS_ON_FILL_NOT_ALLOWED"));
        }
        Ok(order)
    }

    /// An order that closes a trade.
    fn for_trade(&self, kind: Kind, members: &Members<'_>) -> Result<Order, Refusal> {
        let specifier = match members.text("tradeID")? {
            Some(id) => id,
            None => match members.text("clientTradeID")? {
                Some(name) => format!("@{name}"),
                None => return Err(Refusal::Code("TRADE_IDENTIFIER_MISSING")),
            },
        };
        let open = self.account.find_trade(&specifier).filter(|id| self.account.open.contains(id));
        let trade = open.and_then(|id| self.account.trades.get(&id));
        let trade = trade.ok_or(Refusal::Code("TRADE_DOESNT_EXIST"))?;
        self.for_this_trade(kind, members, trade.id, trade.instrument)
    }

    /// An order that closes a trade which is known to be open.
    pub fn for_this_trade(
        &self,
        kind: Kind,
        members: &Members<'_>,
        trade: u64,
        instrument: usize,
    ) -> Result<Order, Refusal> {
        let mut order = Order::new(kind, instrument);
        order.trade = Some(trade);
        let standing = self.account.order_of_trade(trade, kind).map(|it| it.id);
        if standing.is_some() && standing != self.replaces {
            return Err(Refusal::Code(match kind {
                Kind::TakeProfit => "TAKE_PROFIT_ORDER_ALREADY_EXISTS",
                Kind::StopLoss => "STOP_LOSS_ORDER_ALREADY_EXISTS",
                _ => "TRAILING_STOP_LOSS_ORDER_ALREADY_EXISTS",
            }));
        }
        if members.get("guaranteed").and_then(Value::as_bool) == Some(true) {
            return Err(Refusal::Code("STOP_LOSS_ORDER_GUARANTEED_NOT_ALLOWED"));
        }
        (order.price, order.distance) = self.levels(instrument, members, kind, "")?;
        if let (Kind::StopLoss, None, Some(distance)) = (kind, order.price, order.distance) {
            let is_long = self.account.trades.get(&trade).is_some_and(|it| it.units > 0);
            let price = super::triggers::stop_at(self.market, instrument, is_long, distance);
            if price <= 0 {
                return Err(Refusal::Code("PRICE_DISTANCE_MAXIMUM_EXCEEDED"));
            }
            order.price = Some(price);
        }
        Ok(order)
    }

    fn units(&self, instrument: usize, members: &Members<'_>) -> Result<i64, Refusal> {
        let rules = self.market.rules(instrument);
        let units = members.amount("units")?.ok_or(Refusal::Code("UNITS_MISSING"))?;
        if units.value == 0 && units.decimals <= rules.units_decimals {
            return Err(Refusal::Code("UNITS_INVALID"));
        }
        if units.decimals > rules.units_decimals {
            return Err(Refusal::Code("UNITS_PRECISION_EXCEEDED"));
        }
        if units.value.abs() < rules.units_min {
            return Err(Refusal::Code("UNITS_MINIMUM_NOT_MET"));
        }
        if units.value.abs() > rules.units_max {
            return Err(Refusal::Code("UNITS_LIMIT_EXCEEDED"));
        }
        Ok(units.value)
    }

    /// A price on the instrument's grid. `family` begins the codes of what is wrong with it.
    fn price(
        &self,
        instrument: usize,
        members: &Members<'_>,
        key: &str,
        family: &'static str,
    ) -> Result<Option<i64>, Refusal> {
        let (invalid, precision) = match family {
            "PRICE_BOUND" => ("PRICE_BOUND_INVALID", "PRICE_BOUND_PRECISION_EXCEEDED"),
            "STOP_LOSS_ON_FILL" => {
                ("STOP_LOSS_ON_FILL_PRICE_INVALID", "STOP_LOSS_ON_FILL_PRICE_PRECISION_EXCEEDED")
            }
            "TAKE_PROFIT_ON_FILL" => {
                ("TAKE_PROFIT_ON_FILL_PRICE_INVALID", "TAKE_PROFIT_ON_FILL_PRICE_PRECISION_EXCEEDED")
            }
            _ => ("PRICE_INVALID", "PRICE_PRECISION_EXCEEDED"),
        };
        let Some(Amount { value, decimals }) = members.amount(key)? else { return Ok(None) };
        if decimals > self.market.rules(instrument).price_decimals {
            return Err(Refusal::Code(precision));
        }
        if value <= 0 {
            return Err(Refusal::Code(invalid));
        }
        Ok(Some(value))
    }

    /// Price or distance of an order that closes a trade. `on_fill` begins the codes when a fill is to make it.
    fn levels(
        &self,
        instrument: usize,
        members: &Members<'_>,
        kind: Kind,
        on_fill: &'static str,
    ) -> Result<(Option<i64>, Option<i64>), Refusal> {
        let rules = self.market.rules(instrument);
        let price = match kind {
            Kind::Trailing => None,
            _ => self.price(instrument, members, "price", on_fill)?,
        };
        let distance = match (kind, members.amount("distance")?) {
            (Kind::TakeProfit, _) | (_, None) => None,
            (_, Some(it)) if it.decimals > rules.price_decimals => {
                return Err(Refusal::Code("PRICE_DISTANCE_PRECISION_EXCEEDED"));
            }
            (_, Some(it)) if it.value <= 0 => return Err(Refusal::Code("PRICE_DISTANCE_INVALID")),
            (Kind::Trailing, Some(it)) if it.value < rules.trailing_min => {
                return Err(Refusal::Code("PRICE_DISTANCE_MINIMUM_NOT_MET"));
            }
            (Kind::Trailing, Some(it)) if it.value > rules.trailing_max => {
                return Err(Refusal::Code("PRICE_DISTANCE_MAXIMUM_EXCEEDED"));
            }
            (_, Some(it)) => Some(it.value),
        };
        let is_on_fill = !on_fill.is_empty();
        match (kind, price, distance) {
            (Kind::StopLoss, Some(_), Some(_)) => Err(Refusal::Code(if is_on_fill {
                "STOP_LOSS_ON_FILL_PRICE_AND_DISTANCE_BOTH_SPECIFIED"
            } else {
                "STOP_LOSS_ORDER_PRICE_AND_DISTANCE_BOTH_SPECIFIED"
            })),
            (Kind::StopLoss, None, None) => Err(Refusal::Code(if is_on_fill {
                "STOP_LOSS_ON_FILL_PRICE_AND_DISTANCE_BOTH_MISSING"
            } else {
                "STOP_LOSS_ORDER_PRICE_AND_DISTANCE_BOTH_MISSING"
            })),
            (Kind::Trailing, _, None) => Err(Refusal::Code(if is_on_fill {
                "TRAILING_STOP_LOSS_ON_FILL_PRICE_DISTANCE_MISSING"
            } else {
                "PRICE_DISTANCE_MISSING"
            })),
            (Kind::TakeProfit, None, _) => Err(Refusal::Code(if is_on_fill {
                "TAKE_PROFIT_ON_FILL_PRICE_MISSING"
            } else {
                "PRICE_MISSING"
            })),
            levels => Ok((levels.1, levels.2)),
        }
    }

    fn on_fill(
        &self,
        instrument: usize,
        members: &Members<'_>,
        key: &str,
        kind: Kind,
    ) -> Result<Option<OnFill>, Refusal> {
        let Some(value) = members.get(key) else { return Ok(None) };
        let path = members.path(key);
        let members = Members::of(value, &path)?;
        let (family, in_past) = match kind {
            Kind::TakeProfit => ("TAKE_PROFIT_ON_FILL", "TAKE_PROFIT_ON_FILL_GTD_TIMESTAMP_IN_PAST"),
            Kind::StopLoss => ("STOP_LOSS_ON_FILL", "STOP_LOSS_ON_FILL_GTD_TIMESTAMP_IN_PAST"),
            _ => ("TRAILING_STOP_LOSS_ON_FILL", "TRAILING_STOP_LOSS_ON_FILL_GTD_TIMESTAMP_IN_PAST"),
        };
        if members.get("guaranteed").and_then(Value::as_bool) == Some(true) {
            return Err(Refusal::Code("STOP_LOSS_ON_FILL_GUARANTEED_NOT_ALLOWED"));
        }
        let (price, distance) = self.levels(instrument, &members, kind, family)?;
        let is_allowed = |name: &str| matches!(name, "GTC" | "GTD" | "GFD");
        let life = members.life(Life::Gtc, is_allowed, self.now).map_err(|refusal| match refusal {
            Refusal::Code("TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST") => Refusal::Code(in_past),
            other => other,
        })?;
        let client = members.client("clientExtensions")?;
        self.check_client(&client)?;
        Ok(Some(OnFill { price, distance, life, trigger: members.trigger()?, client }))
    }
}

/// The members of the transaction that refuses an order: what was asked, defaults filled in.
pub fn echo(kind: Kind, members: &Members<'_>) -> Obj {
    let text =
        |key: &str| members.get(key).and_then(|it| members.text(key).ok().flatten().map(|text| (it, text)));
    let mut object = Obj::new();
    let mut add = |key: &str, default: &str| {
        let value = text(key).map_or_else(|| default.to_owned(), |it| it.1);
        if !value.is_empty() {
            object = std::mem::take(&mut object).text(key, &value);
        }
    };
    if kind.is_for_trade() {
        add("tradeID", "");
        add("clientTradeID", "");
    } else {
        add("instrument", "");
        add("units", "");
    }
    add("price", "");
    add("distance", "");
    add("priceBound", "");
    add("timeInForce", if kind == Kind::Market { "FOK" } else { "GTC" });
    add("gtdTime", "");
    if kind != Kind::Market {
        add("triggerCondition", "DEFAULT");
    }
    if !kind.is_for_trade() {
        if kind != Kind::Market {
            add("partialFill", "DEFAULT");
        }
        add("positionFill", "DEFAULT");
    }
    if kind == Kind::StopLoss {
        object = object.raw("guaranteed", "false");
    }
    for key in [
        "takeProfitOnFill",
        "stopLossOnFill",
        "trailingStopLossOnFill",
        "guaranteedStopLossOnFill",
        "clientExtensions",
        "tradeClientExtensions",
    ] {
        if let Some(value) = members.get(key).filter(|value| value.is_object()) {
            object = object.raw(key, &value.to_string());
        }
    }
    object
}
