//! Public REST: instruments, books, candles, tickers, trades.

use super::Venue;
use super::depth::rest_book;
use super::params::Params;
use super::refusal::Refusal;
use super::topics::interval_seconds;
use super::words::{Category, Stepped, id_text, plain, rate_ppm, side_word};
use crate::dialect::binance_spot::candles::{Bar, INTERVALS};
use crate::exchange::linear::{FUNDING_EVERY_NS, FUNDING_PPM};
use crate::market::SymbolInfo;
use serde_json::{Value, json};
use smc_core::TsNs;
use smc_core::instrument::TradingStatus;

/// How far from the mark an order may lie, in ppm: what the venue calls X and Y of the price limit.
pub const PRICE_LIMIT_PPM: i64 = 100_000;

impl Venue {
    /// The rules of the instruments of a category.
    pub(super) fn instruments(&self, params: &Params) -> Result<String, Refusal> {
        let category = params.category()?;
        let wanted = params.get("symbol");
        let base = params.get("baseCoin");
        let all = self.exchange.markets().iter().enumerate();
        let list: Vec<Value> = all
            .filter(|(symbol, _)| self.category_of(*symbol) == category)
            .map(|(symbol, market)| (symbol, &market.info))
            .filter(|(_, info)| wanted.is_none_or(|name| info.spec.symbol.as_str() == name))
            .filter(|(_, info)| base.is_none_or(|name| info.spec.base.as_str() == name))
            .map(|(symbol, info)| self.instrument_row(category, symbol, info))
            .collect();
        if list.is_empty() && wanted.is_some() && matches!(category, Category::Spot | Category::Linear) {
            return Err(Refusal::symbol(category));
        }
        Ok(json!({"category": category.word(), "list": list, "nextPageCursor": ""}).to_string())
    }

    fn instrument_row(&self, category: Category, number: usize, info: &SymbolInfo) -> Value {
        let spec = &info.spec;
        let price = |value| Stepped { value, step: spec.tick.0 }.to_string();
        let qty = |value| Stepped { value, step: spec.lot.0 }.to_string();
        let limit = rate_ppm(PRICE_LIMIT_PPM);
        let status = match spec.status {
            TradingStatus::Trading => "Trading",
            TradingStatus::CancelOnly => "Delivering",
            TradingStatus::Halted | TradingStatus::Unknown => "Closed",
        };
        let mut row = json!({
            "symbolId": number + 1,
            "symbol": spec.symbol.as_str(),
            "baseCoin": spec.base.as_str(),
            "quoteCoin": spec.quote.as_str(),
            "status": status,
            "riskParameters": {"priceLimitRatioX": limit, "priceLimitRatioY": limit},
            "symbolType": "",
            "isPublicRpi": false,
            "myRpiPermission": false,
        });
        let more = if category.is_spot() {
            json!({
                "innovation": "0",
                "marginTrading": "none",
                "stTag": "0",
                "lotSizeFilter": {
                    "basePrecision": plain(spec.lot.0),
                    "quotePrecision": "0.00000001",
                    "minOrderQty": plain(spec.qty_min.0),
                    "maxOrderQty": plain(spec.qty_max.0),
                    "minOrderAmt": plain(spec.notional_min.0),
                    "maxOrderAmt": "8000000",
                    "maxLimitOrderQty": plain(spec.qty_max.0),
                    "maxMarketOrderQty": plain(info.market_qty_max.0),
                    "postOnlyMaxLimitOrderSize": plain(spec.qty_max.0),
                },
                "priceFilter": {"tickSize": plain(spec.tick.0)},
            })
        } else {
            let scale = price(spec.tick.0).split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let leverage_max = self.exchange.brackets().first().map_or(1, |bracket| bracket.leverage_max);
            json!({
                "contractType": "LinearPerpetual",
                "launchTime": "1585526400000",
                "deliveryTime": "0",
                "deliveryFeeRate": "",
                "priceScale": scale.to_string(),
                "leverageFilter": {
                    "minLeverage": "1", "maxLeverage": format!("{leverage_max}.00"), "leverageStep": "1"
                },
                "priceFilter": {
                    "minPrice": price(info.price_min.0), "maxPrice": price(info.price_max.0),
                    "tickSize": price(spec.tick.0),
                },
                "lotSizeFilter": {
                    "maxOrderQty": qty(spec.qty_max.0),
                    "minOrderQty": qty(spec.qty_min.0),
                    "qtyStep": qty(spec.lot.0),
                    "postOnlyMaxOrderQty": qty(spec.qty_max.0),
                    "maxMktOrderQty": qty(info.market_qty_max.0),
                    "minNotionalValue": plain(spec.notional_min.0),
                },
                "unifiedMarginTrade": true,
                "fundingInterval": FUNDING_EVERY_NS / 60_000_000_000,
                "settleCoin": spec.quote.as_str(),
                "copyTrading": "none",
                "upperFundingRate": "0.005",
                "lowerFundingRate": "-0.005",
                "isPreListing": false,
                "preListingInfo": null,
                "displayName": "",
            })
        };
        if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
            row.extend(more);
        }
        row
    }

    /// The best levels of a book.
    pub(super) fn rest_book(&self, params: &Params) -> Result<String, Refusal> {
        let (category, symbol) = self.instrument(params)?;
        let limit = params.limit(if category.is_spot() { 1 } else { 25 }, 1_000)?;
        let book = &self.exchange.market(symbol).ok_or(Refusal::INTERNAL)?.book;
        let feed = self.feeds.get(symbol).ok_or(Refusal::INTERNAL)?;
        Ok(rest_book(feed.paper(), book, limit, feed.changed_at(), self.now))
    }

    /// Candles, newest first.
    pub(super) fn klines(&self, params: &Params) -> Result<String, Refusal> {
        let params = if params.get("category").is_some() {
            params.clone()
        } else {
            params.clone().with("category", "linear")
        };
        let (category, symbol) = self.instrument(&params)?;
        let seconds = interval_seconds(params.required("interval")?).ok_or(Refusal::param("interval"))?;
        let limit = params.limit(200, 1_000)?;
        let (start, end) = (params.whole("start")?, params.whole("end")?);
        let feed = self.feeds.get(symbol).ok_or(Refusal::INTERNAL)?;
        let interval =
            INTERVALS.iter().position(|(_, known)| *known == seconds).ok_or(Refusal::param("interval"))?;
        let is_wanted = |bar: &&Bar| {
            let at = bar.kline.open_ts.as_ms();
            start.is_none_or(|start| at >= start) && end.is_none_or(|end| at <= end)
        };
        // Only the end moves the page: with a start alone, the oldest bars from there are given.
        let bars = feed.candles().bars(interval).filter(is_wanted);
        let rows: Vec<String> = if start.is_some() && end.is_none() {
            let mut oldest: Vec<_> = bars.take(limit).map(|bar| feed.kline_row(bar)).collect();
            oldest.reverse();
            oldest
        } else {
            bars.rev().take(limit).map(|bar| feed.kline_row(bar)).collect()
        };
        let symbol = params.required("symbol")?;
        Ok(format!(r#"{{"symbol":"{symbol}","category":"{}","list":[{}]}}"#, category.word(), rows.join(",")))
    }

    /// Last prices and the day's statistics.
    pub(super) fn tickers(&self, params: &Params) -> Result<String, Refusal> {
        let category = params.category()?;
        let wanted =
            params.get("symbol").map(|_| self.instrument(params)).transpose()?.map(|(_, symbol)| symbol);
        let mut list = Vec::new();
        for (symbol, market) in self.exchange.markets().iter().enumerate() {
            let is_it = self.category_of(symbol) == category && wanted.is_none_or(|only| only == symbol);
            let Some(feed) = self.feeds.get(symbol).filter(|_| is_it) else { continue };
            let mut row = serde_json::Map::new();
            row.insert("symbol".to_owned(), json!(market.info.spec.symbol.as_str()));
            for (name, value) in feed.ticker_fields(&market.book, &self.quote(symbol)) {
                row.insert(name.to_owned(), json!(value));
            }
            list.push(Value::Object(row));
        }
        Ok(json!({"category": category.word(), "list": list}).to_string())
    }

    /// Public trades, newest first.
    pub(super) fn recent_trades(&self, params: &Params) -> Result<String, Refusal> {
        let (category, symbol) = self.instrument(params)?;
        let limit = if category.is_spot() { params.limit(60, 60)? } else { params.limit(500, 1_000)? };
        let feed = self.feeds.get(symbol).ok_or(Refusal::INTERNAL)?;
        let paper = feed.paper();
        let row = |printed: &super::feed::Printed| {
            json!({
                "execId": id_text(category, super::public_trade_number(&printed.trade)),
                "symbol": paper.symbol,
                "price": Stepped { value: printed.trade.price.0, step: paper.tick }.to_string(),
                "size": Stepped { value: printed.trade.qty.0, step: paper.lot }.to_string(),
                "side": side_word(printed.trade.aggressor),
                "time": printed.at.as_ms().to_string(),
                "isBlockTrade": false,
                "isRPITrade": false,
                "seq": printed.seq.to_string(),
            })
        };
        let list: Vec<Value> = feed.trades().rev().take(limit).map(row).collect();
        Ok(json!({"category": category.word(), "list": list}).to_string())
    }

    /// The prices beyond which orders are out of range.
    pub(super) fn price_limit(&self, params: &Params) -> Result<String, Refusal> {
        let params = if params.get("category").is_some() {
            params.clone()
        } else {
            params.clone().with("category", "linear")
        };
        let (_, symbol) = self.instrument(&params)?;
        let (buy, sell) = self.quote(symbol).price_limit.unwrap_or_default();
        let paper = self.feeds.get(symbol).ok_or(Refusal::INTERNAL)?.paper();
        let price = |value| Stepped { value, step: paper.tick }.to_string();
        let row = json!({
            "symbol": paper.symbol, "buyLmt": price(buy), "sellLmt": price(sell), "ts": self.now.as_ms().to_string(),
        });
        Ok(row.to_string())
    }

    /// Rates of the fundings that were paid since the market opened, newest first.
    pub(super) fn funding_history(&self, params: &Params) -> Result<String, Refusal> {
        let (category, symbol) = self.instrument(params)?;
        if category.is_spot() {
            return Err(Refusal::CATEGORY);
        }
        let name = self.feeds.get(symbol).ok_or(Refusal::INTERNAL)?.paper().symbol;
        let limit = params.limit(200, 200)?;
        let last = TsNs(self.now.0 - self.now.0 % FUNDING_EVERY_NS);
        let times = (0u64..).map_while(|nth| last.0.checked_sub(nth * FUNDING_EVERY_NS)).map(TsNs);
        let list: Vec<Value> = times
            .take_while(|at| *at > self.start)
            .take(limit)
            .map(|at| {
                json!({
                    "symbol": name, "fundingRate": rate_ppm(FUNDING_PPM),
                    "fundingRateTimestamp": at.as_ms().to_string(),
                })
            })
            .collect();
        Ok(json!({"category": category.word(), "list": list}).to_string())
    }
}
