//! Public answers: the book, candles, trades, mark prices, funding.

use super::UsdmVenue;
use super::feed::{book_id, kline_row, levels_text};
use super::refusals;
use crate::dialect::binance_spot::candles::{INTERVALS, interval_index};
use crate::dialect::binance_spot::params::Params;
use crate::dialect::json::{D8, Text};
use crate::exchange::linear;
use crate::exchange::reject::Reject;
use serde_json::{Value, json};
use smc_core::{Side, TsNs};

/// Sizes of the book that can be asked for.
const DEPTH_LIMITS: [u64; 7] = [5, 10, 20, 50, 100, 500, 1_000];

impl UsdmVenue {
    pub(super) fn symbol_of(&self, params: &Params) -> Result<usize, Reject> {
        self.exchange.symbol_index(params.required("symbol")?).ok_or(Reject::SYMBOL)
    }

    /// One line for the symbol asked for, or a list of all.
    fn one_or_all(&self, params: &Params, line: impl Fn(usize) -> Value) -> Result<String, Reject> {
        if params.get("symbol").is_some() {
            return Ok(line(self.symbol_of(params)?).to_string());
        }
        let all: Vec<Value> = (0..self.exchange.markets().len()).map(line).collect();
        Ok(Value::from(all).to_string())
    }

    pub(super) fn depth(&self, params: &Params) -> Result<String, Reject> {
        let symbol = self.symbol_of(params)?;
        let limit = params.whole("limit")?.unwrap_or(500);
        if !DEPTH_LIMITS.contains(&limit) {
            return Err(refusals::DEPTH_LIMIT);
        }
        let limit = usize::try_from(limit).unwrap_or(1_000);
        let market = self.exchange.market(symbol).ok_or(Reject::SYMBOL)?;
        let grid = self.grid(symbol);
        Ok(format!(
            r#"{{"lastUpdateId":{},"E":{now},"T":{now},"bids":{},"asks":{}}}"#,
            book_id(market.book.update_id()),
            levels_text(&grid, market.book.levels(Side::Buy).take(limit)),
            levels_text(&grid, market.book.levels(Side::Sell).take(limit)),
            now = self.now.as_ms(),
        ))
    }

    pub(super) fn klines(&self, params: &Params) -> Result<String, Reject> {
        let symbol = self.symbol_of(params)?;
        let interval = interval_index(params.required("interval")?).ok_or(Reject::INTERVAL)?;
        let seconds = INTERVALS.get(interval).map_or(1, |(_, seconds)| *seconds);
        if seconds < 60 {
            return Err(Reject::INTERVAL);
        }
        let (from, to) = (params.whole("startTime")?, params.whole("endTime")?);
        let limit = usize::try_from(params.whole("limit")?.unwrap_or(500).clamp(1, 1_500)).unwrap_or(1_500);
        let (feed, grid) = (self.feeds.get(symbol).ok_or(Reject::SYMBOL)?, self.grid(symbol));
        let is_wanted =
            |open_ms: u64| from.is_none_or(|from| open_ms >= from) && to.is_none_or(|to| open_ms <= to);
        let bars = feed.candles().bars(interval).filter(|bar| is_wanted(bar.kline.open_ts.as_ms()));
        // With a start the oldest bars from there, without one the newest.
        let rows: Vec<String> = if from.is_some() {
            bars.take(limit).map(|bar| kline_row(&grid, bar, seconds)).collect()
        } else {
            let mut newest: Vec<_> =
                bars.rev().take(limit).map(|bar| kline_row(&grid, bar, seconds)).collect();
            newest.reverse();
            newest
        };
        Ok(format!("[{}]", rows.join(",")))
    }

    pub(super) fn recent_trades(&self, params: &Params) -> Result<String, Reject> {
        let symbol = self.symbol_of(params)?;
        let limit = usize::try_from(params.whole("limit")?.unwrap_or(500).clamp(1, 1_000)).unwrap_or(1_000);
        let (trades, grid) = (self.feeds.get(symbol).ok_or(Reject::SYMBOL)?.trades(), self.grid(symbol));
        let skip = trades.len().saturating_sub(limit);
        let line = |(at, trade): &(TsNs, crate::exchange::PublicTrade)| {
            json!({
                "id": trade.trade_id,
                "price": grid.price(trade.price.0),
                "qty": grid.qty(trade.qty.0),
                "quoteQty": grid.quote(trade.price.notional_floor(trade.qty).0),
                "time": at.as_ms(),
                "isBuyerMaker": trade.aggressor == Side::Sell,
                "isRPITrade": false,
            })
        };
        Ok(Value::from(trades.skip(skip).map(line).collect::<Vec<_>>()).to_string())
    }

    pub(super) fn agg_trades(&self, params: &Params) -> Result<String, Reject> {
        let symbol = self.symbol_of(params)?;
        let (from_id, from, to) =
            (params.whole("fromId")?, params.whole("startTime")?, params.whole("endTime")?);
        let limit = usize::try_from(params.whole("limit")?.unwrap_or(500).clamp(1, 1_000)).unwrap_or(1_000);
        if from_id.is_some() && (from.is_some() || to.is_some()) {
            return Err(Reject::COMBINATION);
        }
        let (feed, grid) = (self.feeds.get(symbol).ok_or(Reject::SYMBOL)?, self.grid(symbol));
        let is_wanted = |aggregate: &&super::feed::Aggregate| {
            let at = aggregate.at.as_ms();
            from_id.is_none_or(|id| aggregate.id >= id)
                && from.is_none_or(|from| at >= from)
                && to.is_none_or(|to| at <= to)
        };
        let line = |aggregate: &super::feed::Aggregate| {
            json!({
                "a": aggregate.id,
                "p": grid.price(aggregate.first.price.0),
                "q": grid.qty(aggregate.qty),
                "nq": grid.qty(aggregate.qty),
                "f": aggregate.first.trade_id,
                "l": aggregate.last_id,
                "T": aggregate.at.as_ms(),
                "m": aggregate.first.aggressor == Side::Sell,
            })
        };
        let lines: Vec<Value> = if from_id.is_some() || from.is_some() {
            feed.aggregates().filter(is_wanted).take(limit).map(line).collect()
        } else {
            let mut newest: Vec<_> =
                feed.aggregates().rev().filter(is_wanted).take(limit).map(line).collect();
            newest.reverse();
            newest
        };
        Ok(Value::from(lines).to_string())
    }

    pub(super) fn book_tickers(&self, params: &Params) -> Result<String, Reject> {
        self.one_or_all(params, |symbol| {
            let (grid, book) = (self.grid(symbol), self.exchange.market(symbol).map(|market| &market.book));
            let best = |side| book.and_then(|book| book.best(side)).unwrap_or_default();
            let ((bid, bid_qty), (ask, ask_qty)) = (best(Side::Buy), best(Side::Sell));
            json!({
                "lastUpdateId": book.map_or(0, |book| book_id(book.update_id())),
                "symbol": Text(grid.symbol),
                "bidPrice": grid.price(bid),
                "bidQty": grid.qty(bid_qty),
                "askPrice": grid.price(ask),
                "askQty": grid.qty(ask_qty),
                "time": self.now.as_ms(),
            })
        })
    }

    pub(super) fn prices(&self, params: &Params) -> Result<String, Reject> {
        self.one_or_all(params, |symbol| {
            let grid = self.grid(symbol);
            let last = self.exchange.market(symbol).and_then(|market| market.last_price);
            let price = last.or(self.exchange.mark_price(symbol)).unwrap_or_default();
            json!({"symbol": Text(grid.symbol), "price": grid.price(price.0), "time": self.now.as_ms()})
        })
    }

    pub(super) fn premium_index(&self, params: &Params) -> Result<String, Reject> {
        self.one_or_all(params, |symbol| {
            let mark = D8(self.exchange.mark_price(symbol).unwrap_or_default().0);
            json!({
                "symbol": Text(self.grid(symbol).symbol),
                "markPrice": mark,
                "indexPrice": mark,
                "estimatedSettlePrice": mark,
                "lastFundingRate": linear::funding_rate_text(),
                "interestRate": linear::funding_rate_text(),
                "nextFundingTime": linear::next_funding(self.now).as_ms(),
                "time": self.now.as_ms(),
            })
        })
    }

    /// Past fundings. The rate never changes; the mark price of that moment is the open of its one-minute bar.
    pub(super) fn funding_rates(&self, params: &Params) -> Result<String, Reject> {
        let wanted = params.get("symbol").map(|_| self.symbol_of(params)).transpose()?;
        let (from, to) = (params.whole("startTime")?, params.whole("endTime")?);
        let limit = usize::try_from(params.whole("limit")?.unwrap_or(100).clamp(1, 1_000)).unwrap_or(1_000);
        let minute = interval_index("1m").unwrap_or(1);
        let mut lines = Vec::new();
        for (symbol, feed) in self.feeds.iter().enumerate() {
            if wanted.is_some_and(|wanted| wanted != symbol) {
                continue;
            }
            for bar in feed.candles().bars(minute) {
                let at = bar.kline.open_ts;
                let is_wanted =
                    from.is_none_or(|from| at.as_ms() >= from) && to.is_none_or(|to| at.as_ms() <= to);
                if at.0.is_multiple_of(linear::FUNDING_EVERY_NS) && is_wanted {
                    lines.push(json!({
                        "symbol": Text(self.grid(symbol).symbol),
                        "fundingRate": linear::funding_rate_text(),
                        "fundingTime": at.as_ms(),
                        "markPrice": D8(bar.kline.open.0),
                    }));
                }
            }
        }
        let skip = if from.is_some() { 0 } else { lines.len().saturating_sub(limit) };
        Ok(Value::from(lines.into_iter().skip(skip).take(limit).collect::<Vec<_>>()).to_string())
    }
}
