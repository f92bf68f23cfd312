//! Everything the engine keeps about one instrument: rules, book, bars, structure, the trade under way.

use super::bracket::{Bracket, Facts, Plan};
use crate::bars::BarBuilder;
use crate::book::Book;
use crate::config::EngineConfig;
use crate::instrument::{InstrumentSpec, TradingStatus};
use crate::orders::Orders;
use crate::position::PositionBook;
use crate::smc::SmcEngine;
use crate::strategy::MarketView;
use crate::words::{Direction, InstrumentId, Price, Qty, Timeframe, TsNs, clamp_i64, div_ceil};
use alloc::vec::Vec;

/// One instrument.
pub(super) struct Market {
    pub(super) id: InstrumentId,
    /// The venue's rules; none until told.
    pub(super) spec: Option<InstrumentSpec>,
    pub(super) book: Book,
    /// One per timeframe, ascending.
    pub(super) builders: Vec<BarBuilder>,
    /// One per timeframe, ascending.
    pub(super) smc: Vec<SmcEngine>,
    pub(super) bracket: Bracket,
}

impl Market {
    pub(super) fn new(id: InstrumentId, config: &EngineConfig) -> Self {
        let timeframes = || config.timeframes.iter().copied();
        Self {
            id,
            spec: None,
            book: Book::new(),
            builders: timeframes()
                .map(|timeframe| BarBuilder::new(timeframe).with_grace(config.bars.close_grace_ns))
                .collect(),
            smc: timeframes().map(|timeframe| SmcEngine::new(id, timeframe, &config.smc)).collect(),
            bracket: Bracket::default(),
        }
    }

    pub(super) fn view<'a>(
        &'a self,
        now: TsNs,
        position: Qty,
        timeframes: &'a [Timeframe],
    ) -> MarketView<'a> {
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
            Some(spec) if spec.lot.0 > 0 => Qty(qty.0 - qty.0.rem_euclid(spec.lot.0)),
            _ => Qty::ZERO,
        }
    }

    /// `price` on the tick, rounded away from the market for an order of that direction: down for a long's
    /// entry, stop and target, up for a short's.
    pub(super) fn on_tick(&self, price: Price, direction: Direction) -> Price {
        let Some(tick) = self.spec.map(|spec| spec.tick.0).filter(|&tick| tick > 0) else { return price };
        let over = price.0.rem_euclid(tick);
        match direction {
            Direction::Up => Price(price.0 - over),
            Direction::Down if over == 0 => price,
            Direction::Down => Price(price.0.saturating_add(tick - over)),
        }
    }

    /// Limit price of the plan's protective stop: beyond its trigger, so that it still fills when the market
    /// jumps a little.
    pub(super) fn stop_limit(&self, plan: &Plan, offset_ppm: u32) -> Price {
        let offset = clamp_i64(i128::from(plan.stop.0) * i128::from(offset_ppm) / 1_000_000);
        let away = plan.direction.side().sign();
        self.on_tick(Price(plan.stop.0.saturating_sub(away.saturating_mul(offset))), plan.direction)
    }

    /// The smallest quantity the venue takes at the lowest price a closing order may have.
    pub(super) fn sellable_min(&self, offset_ppm: u32) -> Qty {
        let Some(spec) = self.spec else { return Qty(i64::MAX) };
        let mark = self.book.mark();
        let price = match self.bracket.plan {
            Some(plan) => self.stop_limit(&plan, offset_ppm).min(mark),
            None => mark,
        };
        if price.0 <= 0 {
            return spec.qty_min;
        }
        let scaled = i128::from(spec.notional_min.0) * i128::from(crate::words::SCALE);
        let by_value = clamp_i64(div_ceil(scaled, i128::from(price.0)));
        let lot = spec.lot.0.max(1);
        let over = by_value.rem_euclid(lot);
        let in_lots = if over == 0 { by_value } else { by_value.saturating_add(lot - over) };
        Qty(in_lots.max(spec.qty_min.0))
    }

    /// What the bracket must know about the market; the engine adds the rest.
    pub(super) fn held(&self, position: Qty) -> Qty {
        self.whole_lots(position.abs())
    }

    /// A position large enough to be closed by an order.
    pub(super) fn is_holding(&self, position: Qty, offset_ppm: u32) -> bool {
        let held = self.held(position);
        held.0 > 0 && held >= self.sellable_min(offset_ppm)
    }
}

/// What of the position an order may close: never more than we count as held, nor than the venue really gave us
/// after taking its fee in the base asset.
pub(super) fn closable(positions: &PositionBook, instrument: InstrumentId) -> Qty {
    let counted = positions.qty(instrument).0;
    let owned = counted.saturating_sub(positions.base_fees(instrument).0);
    match counted.signum() * owned.signum() {
        1 if owned.abs() < counted.abs() => Qty(owned),
        1 => Qty(counted),
        _ => Qty::ZERO,
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
    pub(super) fn facts(&self, market: &Market, position: Qty, orders: &Orders, offset_ppm: u32) -> Facts {
        let stray = orders.of(market.id).map(|order| order.client_order_id);
        Facts {
            stray: stray.filter(|&id| market.bracket.is_stray(id)).min(),
            now: self.now,
            held: market.held(position),
            sellable_min: market.sellable_min(offset_ppm),
            can_send: self.is_gateway_ready && market.is_trading(),
            may_enter: self.may_enter,
            is_halted: self.is_halted,
            may_close: self.may_close,
            retry_ns: self.retry_ns,
        }
    }
}
