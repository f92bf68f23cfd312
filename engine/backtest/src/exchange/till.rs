//! The exchange's own books: what is owned, what is owed, what was told.

use crate::outcome::Costs;
use crate::settings::VenueSettings;
use smc_core::event::{Balance, EventBody, OrderUpdate, OrderUpdateKind};
use smc_core::instrument::InstrumentSpec;
use smc_core::output::NewOrder;
use smc_core::words::{
    ClientOrderId, InstrumentId, Money, Name, Qty, SCALE, Side, TsNs, clamp_i64, div_ceil, scale_ceil,
    scale_floor,
};
use smc_metrics::Random;
use std::collections::{BTreeMap, VecDeque};

/// Something the exchange says about our orders or our money.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// When it happened at the exchange.
    pub at: TsNs,
    /// Which instrument; [`InstrumentId::NONE`] of balances.
    pub instrument: InstrumentId,
    /// What.
    pub body: EventBody,
    /// Of a fill: half spread, impact and slippage in its price, in quote currency.
    pub slippage: Money,
}

/// One asset of a spot account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owned {
    pub total: i128,
    pub locked: i128,
}

/// Account, counters and what is still to be said.
pub(super) struct Till {
    pub settings: VenueSettings,
    pub random: Random,
    pub reports: VecDeque<Report>,
    pub costs: Costs,
    /// What the price of the next fill costs beyond the middle.
    pub slipped: Money,
    account: BTreeMap<Name, Owned>,
    next_order: u64,
    next_trade: u64,
}

impl Till {
    pub fn new(settings: VenueSettings) -> Self {
        let owned =
            settings.balances.iter().map(|&(asset, qty)| (asset, Owned { total: qty.0.into(), locked: 0 }));
        Self {
            random: Random::of_run(settings.seed, 1),
            reports: VecDeque::new(),
            costs: Costs::default(),
            slipped: Money::ZERO,
            account: owned.collect(),
            next_order: 1,
            next_trade: 1,
            settings,
        }
    }

    pub fn order_id(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order - 1
    }

    pub fn trade_id(&mut self) -> u64 {
        self.next_trade += 1;
        self.next_trade - 1
    }

    pub fn say(&mut self, at: TsNs, order: &NewOrder, venue_order_id: u64, kind: OrderUpdateKind) {
        self.say_of(at, order.instrument, order.client_order_id, venue_order_id, kind);
    }

    pub fn say_of(
        &mut self,
        at: TsNs,
        instrument: InstrumentId,
        client_order_id: ClientOrderId,
        venue_order_id: u64,
        kind: OrderUpdateKind,
    ) {
        let body = EventBody::Order(OrderUpdate { client_order_id, venue_order_id, kind });
        self.reports.push_back(Report { at, instrument, body, slippage: Money::ZERO });
    }

    /// Of spot: what changed hands. Money is rounded against us: up when it goes, down when it comes.
    pub fn exchange(&mut self, spec: &InstrumentSpec, side: Side, value_e16: i128, qty: Qty, fee: Money) {
        let sign = i128::from(side.sign());
        let paid = match side {
            Side::Buy => scale_ceil(value_e16),
            Side::Sell => scale_floor(value_e16),
        };
        self.account.entry(spec.quote).or_default().total -= sign * paid + i128::from(fee.0);
        self.account.entry(spec.base).or_default().total += sign * i128::from(qty.0);
    }

    /// What a spot order takes from the account, at most, at this price.
    pub fn cost(spec: &InstrumentSpec, side: Side, qty: Qty, price: i64) -> (Name, i128) {
        match side {
            Side::Sell => (spec.base, qty.0.into()),
            Side::Buy => (spec.quote, div_ceil(i128::from(qty.0) * i128::from(price), SCALE.into())),
        }
    }

    pub fn free(&self, asset: Name) -> i128 {
        self.account.get(&asset).map_or(0, |owned| owned.total - owned.locked)
    }

    pub fn lock(&mut self, asset: Name, amount: i128) {
        self.account.entry(asset).or_default().locked += amount;
    }

    pub fn tell_balances(&mut self, at: TsNs, spec: &InstrumentSpec) {
        for asset in [spec.quote, spec.base] {
            let body = EventBody::Balance(self.balance(asset));
            let (instrument, slippage) = (InstrumentId::NONE, Money::ZERO);
            self.reports.push_back(Report { at, instrument, body, slippage });
        }
    }

    pub fn balance(&self, asset: Name) -> Balance {
        let owned = self.account.get(&asset).copied().unwrap_or_default();
        let (free, locked) = (owned.total - owned.locked, owned.locked);
        Balance { asset, free: Qty(clamp_i64(free)), locked: Qty(clamp_i64(locked)) }
    }
}
