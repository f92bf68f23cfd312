//! The terms of an order: its kind, how long it lives, what triggers it, what it does to open trades, its names.

use super::wire::{Obj, decimal};
use smc_core::TsNs;

/// The kinds of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At the dealer's price now.
    Market,
    /// At a price or better.
    Limit,
    /// At the market once price has gone against it so far.
    Stop,
    /// At the market once price is touched from either side.
    Touched,
    /// Closes a trade at a price or better.
    TakeProfit,
    /// Closes a trade once price has gone against it so far.
    StopLoss,
    /// The same at a distance from the best price seen.
    Trailing,
}

impl Kind {
    /// Every kind, by its name in requests.
    pub const ALL: [(&'static str, Self); 7] = [
        ("MARKET", Self::Market),
        ("LIMIT", Self::Limit),
        ("STOP", Self::Stop),
        ("MARKET_IF_TOUCHED", Self::Touched),
        ("TAKE_PROFIT", Self::TakeProfit),
        ("STOP_LOSS", Self::StopLoss),
        ("TRAILING_STOP_LOSS", Self::Trailing),
    ];

    /// The name in requests and lists.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The type of the transaction that creates it.
    pub const fn created(self) -> &'static str {
        match self {
            Self::Market => "MARKET_ORDER",
            Self::Limit => "LIMIT_ORDER",
            Self::Stop => "STOP_ORDER",
            Self::Touched => "MARKET_IF_TOUCHED_ORDER",
            Self::TakeProfit => "TAKE_PROFIT_ORDER",
            Self::StopLoss => "STOP_LOSS_ORDER",
            Self::Trailing => "TRAILING_STOP_LOSS_ORDER",
        }
    }

    /// The type of the transaction that refuses it.
    pub const fn rejected(self) -> &'static str {
        match self {
            Self::Market => "MARKET_ORDER_REJECT",
            Self::Limit => "LIMIT_ORDER_REJECT",
            Self::Stop => "STOP_ORDER_REJECT",
            Self::Touched => "MARKET_IF_TOUCHED_ORDER_REJECT",
            Self::TakeProfit => "TAKE_PROFIT_ORDER_REJECT",
            Self::StopLoss => "STOP_LOSS_ORDER_REJECT",
            Self::Trailing => "TRAILING_STOP_LOSS_ORDER_REJECT",
        }
    }

    /// Whether it closes a trade and has no units of its own.
    pub const fn is_for_trade(self) -> bool {
        matches!(self, Self::TakeProfit | Self::StopLoss | Self::Trailing)
    }
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until it is cancelled.
    Gtc,
    /// Until a time.
    Gtd(TsNs),
    /// Until 17:00 in New York.
    Gfd,
    /// All at once or not at all.
    Fok,
    /// What can be had at once.
    Ioc,
}

impl Life {
    const fn name(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Gtd(_) => "GTD",
            Self::Gfd => "GFD",
            Self::Fok => "FOK",
            Self::Ioc => "IOC",
        }
    }
}

/// Which price triggers an order. Whatever does, it fills at the default side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Ask for a buy, bid for a sell.
    Default,
    /// The other one.
    Inverse,
    /// The bid.
    Bid,
    /// The ask.
    Ask,
    /// The middle.
    Mid,
}

impl Trigger {
    /// Every condition, by its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("DEFAULT", Self::Default),
        ("INVERSE", Self::Inverse),
        ("BID", Self::Bid),
        ("ASK", Self::Ask),
        ("MID", Self::Mid),
    ];
}

/// What a fill does to open trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionFill {
    /// As the account does it: reduce first when it nets, open only when it hedges.
    Default,
    /// Never touches open trades of the other side.
    OpenOnly,
    /// Closes trades of the other side first, then opens.
    ReduceFirst,
    /// Only closes.
    ReduceOnly,
}

impl PositionFill {
    /// Every way, by its name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("DEFAULT", Self::Default),
        ("OPEN_ONLY", Self::OpenOnly),
        ("REDUCE_FIRST", Self::ReduceFirst),
        ("REDUCE_ONLY", Self::ReduceOnly),
    ];
}

/// What the client calls an order or a trade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientExtensions {
    /// Its name; empty when it has none.
    pub id: String,
    /// A tag; empty when it has none.
    pub tag: String,
    /// A comment; empty when it has none.
    pub comment: String,
}

impl ClientExtensions {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.id.is_empty() && self.tag.is_empty() && self.comment.is_empty()
    }

    /// Takes over what another says.
    pub fn update(&mut self, other: &Self) {
        for (mine, new) in
            [(&mut self.id, &other.id), (&mut self.tag, &other.tag), (&mut self.comment, &other.comment)]
        {
            if !new.is_empty() {
                mine.clone_from(new);
            }
        }
    }

    /// As JSON.
    pub fn json(&self) -> String {
        let mut object = Obj::new();
        for (key, value) in [("id", &self.id), ("tag", &self.tag), ("comment", &self.comment)] {
            if !value.is_empty() {
                object = object.text(key, value);
            }
        }
        object.done()
    }
}

/// An order that a fill makes for the trade it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnFill {
    /// Price, unless a distance is given.
    pub price: Option<i64>,
    /// Distance from the fill's price.
    pub distance: Option<i64>,
    /// How long it lives.
    pub life: Life,
    /// What triggers it.
    pub trigger: Trigger,
    /// What the client calls it.
    pub client: ClientExtensions,
}

impl OnFill {
    /// As JSON.
    pub fn json(&self, decimals: u32) -> String {
        Obj::new()
            .with(self.price, |o, price| o.text("price", &decimal(price, decimals)))
            .with(self.distance, |o, distance| o.text("distance", &decimal(distance, decimals)))
            .join(&life(self.life))
            .with(Some(&self.client).filter(|it| !it.is_empty()), |o, it| {
                o.raw("clientExtensions", &it.json())
            })
            .done()
    }
}

/// The members that say how long an order lives.
pub fn life(life: Life) -> String {
    let object = Obj::new().text("timeInForce", life.name());
    match life {
        Life::Gtd(until) => object.time("gtdTime", until).members(),
        _ => object.members(),
    }
}

/// The name of a value in a table of all of them.
pub fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], value: T) -> &'static str {
    all.iter().find(|(_, it)| *it == value).map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kinds_name_is_the_one_in_the_table() {
        for (name, kind) in Kind::ALL {
            assert_eq!(kind.name(), name);
            assert_eq!(
                (kind.created(), kind.rejected()),
                (&*format!("{name}_ORDER"), &*format!("{name}_ORDER_REJECT"))
            );
        }
    }
}
