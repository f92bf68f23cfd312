//! One instrument: its price, the state of its data, its charts, our position in it.

use super::chart::Chart;
use smc_core::event::{EventBody, FeedState, Quote};
use smc_core::output::Position;
use smc_core::words::{Direction, Money, Price, Qty, Timeframe, TsNs};

/// Timeframes followed per instrument.
const CHARTS_MAX: usize = 9;

/// One instrument.
#[derive(Default)]
pub struct Market {
    /// The venue's symbol; empty until told.
    pub symbol: String,
    /// Decimals of its price grid; none until told.
    pub price_decimals: Option<u32>,
    /// Decimals of its quantity grid; none until told.
    pub qty_decimals: Option<u32>,
    /// Last trade's price.
    pub last: Option<Price>,
    /// First trade's price that we saw.
    pub first: Option<Price>,
    /// Where the last change of price went.
    pub move_direction: Option<Direction>,
    /// Best bid and ask.
    pub quote: Option<Quote>,
    /// Whether the data can be trusted.
    pub feed: Option<FeedState>,
    /// By timeframe, ascending.
    pub charts: Vec<Chart>,
    /// After the last fill.
    pub position: Option<Position>,
    /// Smallest quantity and value the venue trades; a position below either is dust.
    smallest: Option<(Qty, Money)>,
}

impl Market {
    pub(super) fn on_event(&mut self, ts: TsNs, body: &EventBody) {
        match body {
            EventBody::Trade(trade) => self.on_trade(ts, trade.price),
            EventBody::Quote(quote) => self.quote = Some(*quote),
            EventBody::Feed(state) => self.feed = Some(*state),
            EventBody::Instrument(spec) => {
                self.symbol = spec.symbol.as_str().to_owned();
                self.price_decimals = Some(decimals(spec.tick.0));
                self.qty_decimals = Some(decimals(spec.lot.0));
                self.smallest = Some((spec.lot.max(spec.qty_min), spec.notional_min));
            }
            _ => {}
        }
    }

    /// The chart of a timeframe; made when first heard of. None beyond [`CHARTS_MAX`].
    pub(super) fn chart_mut(&mut self, timeframe: Timeframe) -> Option<&mut Chart> {
        let at = self.charts.partition_point(|chart| chart.timeframe < timeframe);
        if self.charts.get(at).is_none_or(|chart| chart.timeframe != timeframe) {
            if self.charts.len() >= CHARTS_MAX {
                return None;
            }
            self.charts.insert(at, Chart::new(timeframe));
        }
        self.charts.get_mut(at)
    }

    /// The position of `position`, or none where it is too small for the venue to trade: what fees leave behind.
    pub fn held(&self, position: &Position) -> Qty {
        let qty = position.qty.abs();
        let is_dust = self.smallest.is_some_and(|(smallest, value)| {
            qty < smallest || position.fill_price.notional_floor(qty) < value
        });
        if is_dust { Qty::ZERO } else { position.qty }
    }

    /// Profit of the open position at the last price, in 1e-8 of the quote currency.
    pub fn unrealised(&self) -> Option<i64> {
        let position = self.position.filter(|position| position.qty.0 != 0)?;
        let distance = i128::from(self.last?.0) - i128::from(position.average.0);
        Some(smc_core::words::clamp_i64(
            distance * i128::from(position.qty.0) / i128::from(smc_core::words::SCALE),
        ))
    }

    fn on_trade(&mut self, ts: TsNs, price: Price) {
        match self.last {
            Some(last) if price > last => self.move_direction = Some(Direction::Up),
            Some(last) if price < last => self.move_direction = Some(Direction::Down),
            _ => {}
        }
        self.last = Some(price);
        self.first.get_or_insert(price);
        for chart in &mut self.charts {
            chart.on_trade(ts, price);
        }
    }
}

/// Decimals that a grid of 1e-8 units needs.
fn decimals(step: i64) -> u32 {
    (0..8u32).find(|decimals| step % 10i64.pow(8 - decimals) == 0).unwrap_or(8)
}
