//! Everything the engine keeps about one instrument: rules, book, bars, structure, the trade under way.

use super::bracket::{Bracket, Facts, Known};
use super::plan::{Plan, Sight, on_tick};
use super::reconcile::Reconcile;
use crate::bars::BarSet;
use crate::book::Book;
use crate::config::{BarSource, EngineConfig};
use crate::event::FeedState;
use crate::instrument::{Contract, InstrumentSpec, TradingStatus};
use crate::orders::Orders;
use crate::output::Purpose;
use crate::position::PositionBook;
use crate::risk::FlashWatch;
use crate::sizing::record::TradeRecord;
use crate::smc::SmcEngine;
use crate::state::{State, StateError, StateIo};
use crate::strategy::MarketView;
use crate::words::{
    Direction, InstrumentId, Money, Name, Price, Qty, SCALE, Timeframe, TsNs, clamp_i64, div_ceil, ppm_of,
    scale_ceil,
};
use alloc::vec::Vec;

/// One instrument.
pub(super) struct Market {
    pub(super) id: InstrumentId,
    /// The venue's rules; none until told.
    pub(super) spec: Option<InstrumentSpec>,
    pub(super) book: Book,
    /// What the bars are made of.
    pub(super) bar_source: BarSource,
    /// All timeframes.
    pub(super) bars: BarSet,
    /// Its market data has been live since the last time the connection was down: no trade is missing.
    pub(super) is_watched: bool,
    /// One per timeframe, ascending.
    pub(super) smc: Vec<SmcEngine>,
    pub(super) bracket: Bracket,
    pub(super) flash: FlashWatch,
    /// How its trades ended.
    pub(super) record: TradeRecord,
    pub(super) reconcile: Reconcile,
    /// What the last trade left because no order could close it. Until the position is something else, nobody
    /// tries again, however the price moves the smallest order.
    dust: Qty,
    stop_limit_offset_ppm: u32,
}

impl Market {
    pub(super) fn new(id: InstrumentId, config: &EngineConfig) -> Self {
        let timeframes = || config.timeframes.iter().copied();
        Self {
            id,
            spec: None,
            book: Book::new(),
            bar_source: config.bar_source(id),
            bars: BarSet::new(&config.timeframes).with_grace(config.bars.close_grace_ns),
            is_watched: false,
            smc: timeframes()
                .map(|timeframe| SmcEngine::with_calendar(id, timeframe, &config.smc, &config.calendar))
                .collect(),
            bracket: Bracket::default(),
            flash: FlashWatch::new(),
            record: TradeRecord::default(),
            reconcile: Reconcile::default(),
            dust: Qty::ZERO,
            stop_limit_offset_ppm: config.execution.stop_limit_offset_ppm,
        }
    }

    pub(super) fn view<'a>(
        &'a self,
        now: TsNs,
        positions: &PositionBook,
        timeframes: &'a [Timeframe],
    ) -> MarketView<'a> {
        let position = if self.is_holding(positions) { positions.qty(self.id) } else { Qty::ZERO };
        MarketView {
            now,
            instrument: self.id,
            spec: self.spec.as_ref(),
            book: &self.book,
            position,
            is_engaged: self.bracket.is_engaged(),
            timeframes,
            smc: &self.smc,
        }
    }

    /// The venue takes orders for it now.
    pub(super) fn is_trading(&self) -> bool {
        self.spec.is_some_and(|spec| spec.status == TradingStatus::Trading)
    }

    /// `qty` in whole lots, rounded down; 0 until the lot is known.
    pub(super) fn whole_lots(&self, qty: Qty) -> Qty {
        match self.spec {
            Some(spec) if spec.lot.0 > 0 => Qty(qty.0.saturating_sub(qty.0.rem_euclid(spec.lot.0))),
            _ => Qty::ZERO,
        }
    }

    /// `price` on the tick, rounded away from the market for an order of that direction: down for a long's
    /// entry, stop and target, up for a short's.
    pub(super) fn on_tick(&self, price: Price, direction: Direction) -> Price {
        on_tick(price, direction, self.tick())
    }

    /// The price grid; 0 until it is known.
    pub(super) fn tick(&self) -> Price {
        self.spec.map_or(Price::ZERO, |spec| spec.tick)
    }

    /// What one unit of it is, and what the venue can do with its orders; the asset itself and nothing until told.
    pub(super) fn contract(&self) -> Contract {
        self.spec.map_or(Contract::SPOT, |spec| spec.contract)
    }

    /// Limit price of a protective stop at `stop`: beyond its trigger, so that it still fills when the market jumps a
    /// little.
    pub(super) fn stop_limit(&self, direction: Direction, stop: Price) -> Price {
        let offset = ppm_of(stop.0, self.stop_limit_offset_ppm);
        let away = direction.side().sign();
        self.on_tick(Price(stop.0.saturating_sub(away.saturating_mul(offset))), direction)
    }

    /// The target rests beside the stop. Not in a trade that is to be changed on its way, where the venue could
    /// replace a single stop: a pair would have to be cancelled.
    pub(super) fn pairs(&self, plan: &Plan, can_pair: bool) -> bool {
        can_pair && (plan.manage.is_plain() || !self.contract().can_replace)
    }

    /// Remembers how large the trade's position has been.
    pub(super) fn note_held(&mut self, positions: &PositionBook) {
        let Some(plan) = self.bracket.plan else { return };
        let is_along = plan.direction.side().sign() * positions.qty(self.id).0.signum() > 0;
        if !plan.manage.is_plain() && is_along && self.is_holding(positions) {
            let held = self.held(positions);
            self.bracket.progress.note_held(held);
        }
    }

    /// Lets the trade look at the best prices: parts that are due, where the stop belongs, the target. True when
    /// something is to be done.
    pub(super) fn watch(&mut self, positions: &PositionBook, fee_ppm: u32) -> bool {
        let Some(plan) = self.bracket.plan.filter(|_| self.bracket.leaving.is_none()) else { return false };
        let Some(top) = self.book.trusted_top() else { return false };
        let (bid, ask) = (top.bid.price, top.ask.price);
        if plan.is_target_reached(bid, ask) && !self.bracket.target.is_live() {
            self.bracket.leave(Purpose::Target);
            return true;
        }
        if plan.manage.is_plain() || self.bracket.stop_reached.is_some() || !self.is_holding(positions) {
            return false;
        }
        let tick = self.tick();
        let even = plan.even_price(positions.average(self.id), fee_ppm, tick);
        let (exit, is_entering) = (plan.exit_of(bid, ask), self.bracket.entry.is_live());
        self.bracket.progress.watch(&plan, &Sight { exit, even, tick, is_entering })
    }

    /// The smallest quantity the venue takes at the lowest price a closing order may have. After a refusal it is
    /// taken to be twice that: the venue values orders by a price of its own.
    fn order_min(&self) -> Qty {
        let mark = self.book.mark();
        let price = match self.bracket.plan {
            Some(plan) => self.stop_limit(plan.direction, self.bracket.progress.stop).min(mark),
            None => mark,
        };
        let least = self.order_min_at(price);
        if self.bracket.refusals > 0 { Qty(least.0.saturating_mul(2)) } else { least }
    }

    /// The smallest quantity the venue takes at `price`; a position below it is dust.
    pub(super) fn order_min_at(&self, price: Price) -> Qty {
        let Some(spec) = self.spec else { return Qty(i64::MAX) };
        let least = spec.qty_min.max(spec.lot);
        if price.0 <= 0 {
            return least;
        }
        let by_value = div_ceil(i128::from(spec.notional_min.0) * i128::from(SCALE), i128::from(price.0));
        let lot = i128::from(spec.lot.0.max(1));
        Qty(clamp_i64(div_ceil(by_value, lot) * lot)).max(least)
    }

    /// The order that would close the position, in whole lots: never more than all of a long, never so much
    /// bought that a short would turn.
    fn held(&self, positions: &PositionBook) -> Qty {
        self.whole_lots(positions.closing_qty(self.id))
    }

    /// The position is no more than what the last trade had to leave.
    fn is_left_over(&self, position: Qty) -> bool {
        position.0.signum() * self.dust.0.signum() >= 0 && position.abs() <= self.dust.abs()
    }

    /// A position that an order can close. Everything else is dust: counted to the last unit in every report
    /// and limit, but no reason for an order, and not a trade.
    pub(super) fn is_holding(&self, positions: &PositionBook) -> bool {
        let held = self.held(positions);
        held.0 > 0 && held >= self.order_min() && !self.is_left_over(positions.qty(self.id))
    }

    /// The trade is over; what it left is dust.
    pub(super) fn finish(&mut self, positions: &PositionBook) {
        self.bracket = Bracket::default();
        self.dust = positions.qty(self.id);
    }

    /// What the trade put at risk, in quote currency: the distance to its stop times what was entered, rounded up; 0 without
    /// a plan.
    pub(super) fn planned_risk(&self) -> Money {
        let Some(plan) = self.bracket.plan else { return Money::ZERO };
        let distance = i128::from(plan.entry.0.abs_diff(plan.stop.0));
        let per_price = i128::from(self.contract().gain_per_price(plan.entry).0);
        let per_unit = scale_ceil(distance * per_price);
        Money(clamp_i64(scale_ceil(per_unit.saturating_mul(self.bracket.entered.0.into()))))
    }

    /// A person wants out of everything: what was left over is tried once more.
    pub(super) fn flatten(&mut self) {
        self.bracket.leave(Purpose::Flatten);
        self.dust = Qty::ZERO;
    }

    /// Too late for the plan: the market is at its stop already, or at its target without us.
    pub(super) fn is_missed(&self, plan: &Plan) -> bool {
        self.book.trusted_top().is_some_and(|top| {
            let (bid, ask) = (top.bid.price, top.ask.price);
            let exit = plan.exit_of(bid, ask);
            plan.is_stop_reached(plan.stop, exit) || plan.is_target_reached(bid, ask)
        })
    }
}

/// The parts of [`Facts`] that are the same for all instruments at one event.
#[derive(Clone, Copy)]
pub(super) struct Permissions {
    pub(super) now: TsNs,
    pub(super) is_gateway_ready: bool,
    pub(super) may_enter: bool,
    pub(super) may_close: bool,
    pub(super) is_halted: bool,
    pub(super) retry_ns: u64,
}

impl Permissions {
    pub(super) fn facts(&self, market: &Market, positions: &PositionBook, orders: &Orders) -> Facts {
        let stray = orders.of(market.id).map(|order| order.client_order_id);
        let position = positions.qty(market.id).0;
        let plan = market.bracket.plan;
        // What closed more than is known to be open had been opened: the report of it is on the way.
        let mut own = orders.of(market.id);
        let awaits_entry = own.any(|o| o.purpose == Purpose::Entry && o.missing_qty() > Qty::ZERO);
        let is_opposed = plan.is_some_and(|plan| plan.direction.side().sign() * position.signum() < 0);
        let is_holding = market.is_holding(positions) && !(is_opposed && awaits_entry);
        let is_rounded = position < 0 && positions.base_fee(market.id).0 > 0;
        Facts {
            stray: stray.filter(|&id| market.bracket.is_stray(id)).min(),
            now: self.now,
            held: if is_holding { market.held(positions) } else { Qty::ZERO },
            is_opposed,
            order_min: market.order_min(),
            lot: market.spec.map_or(Qty::ZERO, |spec| spec.lot),
            can_replace: market.contract().can_replace,
            rounding: market.spec.filter(|_| is_rounded).map_or(Qty::ZERO, |spec| spec.lot),
            can_send: self.is_gateway_ready && market.is_trading(),
            may_enter: self.may_enter,
            is_halted: self.is_halted,
            may_close: self.may_close,
            retry_ns: self.retry_ns,
        }
    }
}

impl Market {
    /// `symbol` is the configuration's.
    pub(super) fn state(
        &mut self,
        io: &mut StateIo<'_>,
        symbol: Name,
        known: &Known<'_>,
    ) -> Result<(), StateError> {
        let Self {
            id: _,
            spec,
            book,
            bar_source: _,
            bars,
            is_watched,
            smc,
            bracket,
            flash,
            record,
            reconcile,
            dust,
            stop_limit_offset_ppm: _,
        } = self;
        io.option(spec, || InstrumentSpec::blank(symbol), |io, spec| spec.state(io))?;
        book.state(io, known.now)?;
        bars.state(io, known.now)?;
        io.flag(is_watched)?;
        io.sound(match book.feed() {
            FeedState::Live => *is_watched,
            FeedState::Down => !*is_watched,
            FeedState::Syncing | FeedState::Stale => true,
        })?;
        smc.iter_mut().try_for_each(|smc| smc.state(io))?;
        bracket.state(io, known)?;
        flash.state(io, known.now)?;
        record.state(io)?;
        reconcile.state(io, known.orders.rounds_begun())?;
        io.number(dust)
    }
}
