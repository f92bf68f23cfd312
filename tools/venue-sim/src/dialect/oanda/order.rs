//! One order: what was asked, what became of it, and how it is written in lists and in transactions.

use super::market::Market;
use super::terms::{ClientExtensions, Kind, Life, OnFill, PositionFill, Trigger, life, name_of};
use super::wire::{Obj, decimal};
use smc_core::TsNs;

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits.
    Pending,
    /// It was filled.
    Filled {
        /// By this transaction.
        by: u64,
        /// Then.
        at: TsNs,
    },
    /// It was cancelled.
    Cancelled {
        /// By this transaction.
        by: u64,
        /// Then.
        at: TsNs,
    },
}

/// One order.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its number: that of the transaction that created it.
    pub id: u64,
    /// When.
    pub created: TsNs,
    /// What kind.
    pub kind: Kind,
    /// Index of the instrument.
    pub instrument: usize,
    /// Signed units in 1e-8; zero for an order that closes a trade.
    pub units: i64,
    /// Signed units in 1e-8 that its fill had.
    pub filled: i64,
    /// Price in 1e-8.
    pub price: Option<i64>,
    /// Worst price of a fill after a trigger.
    pub bound: Option<i64>,
    /// Distance in 1e-8.
    pub distance: Option<i64>,
    /// How long it lives.
    pub life: Life,
    /// What triggers it.
    pub trigger: Trigger,
    /// What it does to open trades.
    pub fill: PositionFill,
    /// What the client calls it.
    pub client: ClientExtensions,
    /// What the client calls the trade it may open.
    pub trade_client: ClientExtensions,
    /// Orders for the trade it may open.
    pub take_profit: Option<OnFill>,
    /// See `take_profit`.
    pub stop_loss: Option<OnFill>,
    /// See `take_profit`.
    pub trailing: Option<OnFill>,
    /// The trade it closes.
    pub trade: Option<u64>,
    /// The middle price when it was made: a touched order waits for the other side of its price.
    pub initial: i64,
    /// Where a trailing stop stands now.
    pub trailing_value: Option<i64>,
    /// What became of it.
    pub state: State,
    /// The trade its fill opened.
    pub opened: Option<u64>,
    /// The trade its fill reduced.
    pub reduced: Option<u64>,
    /// The trades its fill closed.
    pub closed: Vec<u64>,
    /// The order it took the place of.
    pub replaces: Option<u64>,
    /// The order that took its place.
    pub replaced_by: Option<u64>,
    /// Why it was made: `CLIENT_ORDER` and the like.
    pub reason: &'static str,
    /// Further members of its transaction: `tradeClose`, `longPositionCloseout` and the like.
    pub closeout: String,
}

impl Order {
    /// An order with nothing but its kind and instrument.
    pub fn new(kind: Kind, instrument: usize) -> Self {
        let life = if kind == Kind::Market { Life::Fok } else { Life::Gtc };
        Self {
            id: 0,
            created: TsNs(0),
            kind,
            instrument,
            units: 0,
            filled: 0,
            price: None,
            bound: None,
            distance: None,
            life,
            trigger: Trigger::Default,
            fill: PositionFill::Default,
            client: ClientExtensions::default(),
            trade_client: ClientExtensions::default(),
            take_profit: None,
            stop_loss: None,
            trailing: None,
            trade: None,
            initial: 0,
            trailing_value: None,
            state: State::Pending,
            opened: None,
            reduced: None,
            closed: Vec::new(),
            replaces: None,
            replaced_by: None,
            reason: "CLIENT_ORDER",
            closeout: String::new(),
        }
    }

    /// Whether it waits.
    pub fn is_pending(&self) -> bool {
        self.state == State::Pending
    }

    /// What lists and transactions have in common. `is_list`: some words differ between the two.
    fn members(&self, market: &Market, is_list: bool) -> Obj {
        let rules = market.rules(self.instrument);
        let price = |value| decimal(value, rules.price_decimals);
        let mut object = Obj::new();
        if !self.kind.is_for_trade() {
            object = object
                .text("instrument", rules.name.as_str())
                .text("units", &decimal(self.units, rules.units_decimals));
        }
        object = object
            .with(self.trade, |o, id| if self.kind.is_for_trade() { o.id("tradeID", id) } else { o })
            .with(self.price, |o, value| o.text("price", &price(value)))
            .with(self.distance, |o, value| o.text("distance", &price(value)))
            .with(self.bound, |o, value| o.text("priceBound", &price(value)))
            .join(&life(self.life));
        if self.kind == Kind::StopLoss {
            object = object.raw("guaranteed", "false");
        }
        if self.kind != Kind::Market {
            object = object.text("triggerCondition", name_of(&Trigger::ALL, self.trigger));
        }
        if !self.kind.is_for_trade() {
            if self.kind != Kind::Market {
                object = object.text("partialFill", if is_list { "DEFAULT_FILL" } else { "DEFAULT" });
            }
            object = object.text("positionFill", name_of(&PositionFill::ALL, self.fill));
        }
        let on_fill = |it: &OnFill| it.json(rules.price_decimals);
        object
            .with(self.take_profit.as_ref(), |o, it| o.raw("takeProfitOnFill", &on_fill(it)))
            .with(self.stop_loss.as_ref(), |o, it| o.raw("stopLossOnFill", &on_fill(it)))
            .with(self.trailing.as_ref(), |o, it| o.raw("trailingStopLossOnFill", &on_fill(it)))
            .with(some(&self.client), |o, it| o.raw("clientExtensions", &it.json()))
            .with(some(&self.trade_client), |o, it| o.raw("tradeClientExtensions", &it.json()))
            .with(self.replaces, |o, id| o.id("replacesOrderID", id))
    }

    /// The members of the transaction that creates it.
    pub fn transaction(&self, market: &Market) -> String {
        self.members(market, false).join(&self.closeout).text("reason", self.reason).members()
    }

    /// As lists have it.
    pub fn json(&self, market: &Market) -> String {
        let decimals = market.rules(self.instrument).price_decimals;
        let head =
            Obj::new().id("id", self.id).time("createTime", self.created).text("type", self.kind.name());
        let mut object = head.join(&self.members(market, true).members());
        if self.kind == Kind::Touched {
            object = object.text("initialMarketPrice", &decimal(self.initial, decimals));
        }
        object =
            object.with(self.trailing_value, |o, at| o.text("trailingStopValue", &decimal(at, decimals)));
        object = match self.state {
            State::Pending => object.text("state", "PENDING"),
            State::Filled { by, at } => {
                object.text("state", "FILLED").id("fillingTransactionID", by).time("filledTime", at)
            }
            State::Cancelled { by, at } => {
                object.text("state", "CANCELLED").id("cancellingTransactionID", by).time("cancelledTime", at)
            }
        };
        object = object
            .with(self.opened, |o, id| o.id("tradeOpenedID", id))
            .with(self.reduced, |o, id| o.id("tradeReducedID", id));
        if !self.closed.is_empty() {
            object = object.ids("tradeClosedIDs", self.closed.iter().copied());
        }
        object.with(self.replaced_by, |o, id| o.id("replacedByOrderID", id)).done()
    }
}

fn some(client: &ClientExtensions) -> Option<&ClientExtensions> {
    Some(client).filter(|it| !it.is_empty())
}
