//! An order as the venue keeps it, and the words of its life.

use super::list::ListId;
use smc_core::{Price, Qty, Side, TsNs};

/// The venue's number of an order.
pub type OrderId = u64;

/// What an order asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderType {
    /// A limit price; what does not match rests.
    Limit,
    /// A limit price; refused when it would match at once.
    LimitMaker,
    /// Whatever the book offers.
    Market,
    /// Sleeps until the price reaches the stop price, then acts as [`Self::Limit`].
    StopLossLimit,
    /// Sleeps until the price reaches the stop price, then acts as [`Self::Market`].
    StopMarket,
    /// Sleeps until the price comes back to the stop price from its good side, then acts as [`Self::Limit`].
    TakeProfitLimit,
    /// Sleeps until the price comes back to the stop price from its good side, then acts as [`Self::Market`].
    TakeProfitMarket,
}

impl OrderType {
    /// The spot venue's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::LimitMaker => "LIMIT_MAKER",
            Self::Market => "MARKET",
            Self::StopLossLimit => "STOP_LOSS_LIMIT",
            Self::StopMarket => "STOP_LOSS",
            Self::TakeProfitLimit => "TAKE_PROFIT_LIMIT",
            Self::TakeProfitMarket => "TAKE_PROFIT",
        }
    }

    /// Whether it has no price of its own: it takes whatever the book offers.
    pub const fn is_market(self) -> bool {
        matches!(self, Self::Market | Self::StopMarket | Self::TakeProfitMarket)
    }

    /// Whether it sleeps until a price is reached.
    pub const fn sleeps(self) -> bool {
        matches!(
            self,
            Self::StopLossLimit | Self::StopMarket | Self::TakeProfitLimit | Self::TakeProfitMarket
        )
    }

    /// Whether it waits for a price on the good side of its own.
    pub const fn is_take_profit(self) -> bool {
        matches!(self, Self::TakeProfitLimit | Self::TakeProfitMarket)
    }
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until filled or cancelled.
    Gtc,
    /// What does not match at once expires.
    Ioc,
    /// All at once or nothing.
    Fok,
    /// Until filled or cancelled, and never taking: it expires when it would.
    Gtx,
}

impl TimeInForce {
    /// The venue's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
            Self::Gtx => "GTX",
        }
    }
}

/// Which price wakes a sleeping order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TriggerBy {
    /// The last trade.
    #[default]
    Last,
    /// The mark price.
    Mark,
}

/// What happens when an order meets an order of its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfTradePrevention {
    /// They trade.
    None,
    /// The order that came later ends.
    ExpireTaker,
    /// The order that rested ends.
    ExpireMaker,
    /// Both end.
    ExpireBoth,
}

impl SelfTradePrevention {
    /// All modes, in the order in which `exchangeInfo` lists them.
    pub const ALL: [Self; 4] = [Self::None, Self::ExpireTaker, Self::ExpireMaker, Self::ExpireBoth];

    /// The venue's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::ExpireTaker => "EXPIRE_TAKER",
            Self::ExpireMaker => "EXPIRE_MAKER",
            Self::ExpireBoth => "EXPIRE_BOTH",
        }
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Accepted, nothing filled.
    New,
    /// Something filled, more to come.
    PartiallyFilled,
    /// All filled.
    Filled,
    /// Ended by its owner.
    Canceled,
    /// Ended by its time in force or for want of liquidity.
    Expired,
    /// Ended by self-trade prevention.
    ExpiredInMatch,
}

impl OrderStatus {
    /// The venue's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
            Self::ExpiredInMatch => "EXPIRED_IN_MATCH",
        }
    }

    /// Whether the order can still fill.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::PartiallyFilled)
    }
}

/// What a client asks for, after the dialect has checked its form.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// Index of the account.
    pub account: usize,
    /// Index of the symbol.
    pub symbol: usize,
    /// Direction.
    pub side: Side,
    /// Kind of order.
    pub kind: OrderType,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// Limit price; zero for market orders.
    pub price: Price,
    /// Base quantity; zero when `quote_qty` is given.
    pub qty: Qty,
    /// Quote amount to spend or to earn by a market order, 1e-8; zero when `qty` is given.
    pub quote_qty: i64,
    /// Trigger of a stop order; zero otherwise.
    pub stop_price: Price,
    /// The client's name for it; the venue makes one up when absent.
    pub client_order_id: Option<String>,
    /// What happens when it meets an order of its own account.
    pub stp: SelfTradePrevention,
    /// How it bears on a position; nothing on spot.
    pub scope: Scope,
}

/// How an order bears on the position of its symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// It may only make the position smaller.
    pub is_reduce_only: bool,
    /// It takes the size of the position when it wakes; its own quantity is zero until then.
    pub closes_position: bool,
    /// Which price wakes it, when it sleeps.
    pub trigger_by: TriggerBy,
}

/// An order on the venue, open or ended.
#[derive(Clone, Debug)]
pub struct Order {
    /// The venue's number.
    pub id: OrderId,
    /// Index of the account.
    pub account: usize,
    /// Index of the symbol.
    pub symbol: usize,
    /// The client's name.
    pub client_order_id: String,
    /// Direction.
    pub side: Side,
    /// Kind of order.
    pub kind: OrderType,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// Limit price; zero for market orders.
    pub price: Price,
    /// Base quantity asked for.
    pub qty: Qty,
    /// Quote amount asked for, 1e-8.
    pub quote_qty: i64,
    /// Trigger price; zero when there is none.
    pub stop_price: Price,
    /// Base quantity filled. Invariant: at most `qty`.
    pub filled_qty: Qty,
    /// Quote amount filled, 1e-8.
    pub filled_quote: i64,
    /// Where it stands.
    pub status: OrderStatus,
    /// Funds still held back for it, in the asset it gives away, 1e-8.
    pub locked: i64,
    /// What happens when it meets an order of its own account.
    pub stp: SelfTradePrevention,
    /// Quantity that self-trade prevention took away.
    pub prevented_qty: Qty,
    /// When it was accepted.
    pub created: TsNs,
    /// When it last changed.
    pub updated: TsNs,
    /// When it became able to match; none while a stop order sleeps.
    pub working: Option<TsNs>,
    /// How it bears on a position; nothing on spot.
    pub scope: Scope,
    /// How often its owner changed it.
    pub amendments: u32,
    /// The venue sent it, to close what the account can no longer secure.
    pub is_liquidation: bool,
    /// The list that it belongs to.
    pub list: Option<ListId>,
}

impl Order {
    /// Quantity still to fill.
    pub fn leaves_qty(&self) -> i64 {
        self.qty.0 - self.filled_qty.0
    }

    /// Whether it may only make a position smaller.
    pub const fn is_reducing(&self) -> bool {
        self.scope.is_reduce_only || self.scope.closes_position
    }
}
