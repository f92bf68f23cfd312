//! Market messages spelled as the venue spells its own, with numbers that are given: seeded ones in `stages`, so that the
//! messages are the same on every machine, and those of the Binance captures in `compare`, for messages of which no long
//! recording is at hand. Of the binary frames of Binance spot there is no public recording at all.
//!
//! `compare`, a workspace of its own, reads this file too.

use smc_core::event::{Level, Quote, Trade};
use smc_core::words::{Qty, SCALE, Side};
use smc_feeds::binance_spot::Decoded;

/// What the messages say, in the engine's words, in order.
#[derive(Default)]
pub struct Numbers {
    /// Trades.
    pub trades: Vec<Trade>,
    /// Best prices.
    pub quotes: Vec<Quote>,
    /// Changes of bids and of asks.
    pub depths: Vec<[Vec<Level>; 2]>,
}

/// Milliseconds at which the n-th message was sent.
const fn at_ms(n: usize) -> usize {
    1_790_134_712_383 + 17 * n
}

/// Each with its number.
fn spell<T>(from: &[T], say: impl Fn(usize, &T) -> String) -> Vec<Vec<u8>> {
    from.iter().enumerate().map(|(n, one)| say(n, one).into_bytes()).collect()
}

impl Numbers {
    /// Keeps what a message says.
    pub fn take(&mut self, told: Decoded<'_>) {
        match told {
            Decoded::Trade { trade, .. } => self.trades.push(trade),
            Decoded::BookTicker { quote, .. } => self.quotes.push(quote),
            Decoded::Depth { bids, asks, .. } => self.depths.push([bids.to_vec(), asks.to_vec()]),
            _ => {}
        }
    }

    /// Binance spot `trade`.
    pub fn spot_trades(&self) -> Vec<Vec<u8>> {
        spell(&self.trades, |n, trade| {
            format!(
                "{{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{},\"s\":\"BTCUSDT\",\"t\":{},\
                 \"p\":\"{}\",\"q\":\"{}\",\"T\":{},\"m\":{},\"M\":true}}}}",
                at_ms(n) + 1,
                trade.trade_id,
                in_full(trade.price.0),
                in_full(trade.qty.0),
                at_ms(n),
                trade.aggressor == Side::Sell,
            )
        })
    }

    /// Binance spot `bookTicker`.
    pub fn spot_tickers(&self) -> Vec<Vec<u8>> {
        spell(&self.quotes, |_, quote| {
            let [bid, bid_qty] = [quote.bid.0, quote.bid_qty.0].map(in_full);
            let [ask, ask_qty] = [quote.ask.0, quote.ask_qty.0].map(in_full);
            format!(
                "{{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"u\":{},\"s\":\"BTCUSDT\",\
                 \"b\":\"{bid}\",\"B\":\"{bid_qty}\",\"a\":\"{ask}\",\"A\":\"{ask_qty}\"}}}}",
                quote.update_id,
            )
        })
    }

    /// Binance spot `depth@100ms`.
    pub fn spot_depths(&self) -> Vec<Vec<u8>> {
        spell(&self.depths, |n, sides| {
            let [bids, asks] = levels(sides, in_full, in_full);
            let first = 50_093_421_585 + 28 * n;
            format!(
                "{{\"stream\":\"btcusdt@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{},\"s\":\"BTCUSDT\",\
                 \"U\":{first},\"u\":{},\"b\":[{bids}],\"a\":[{asks}]}}}}",
                at_ms(n),
                first + 27,
            )
        })
    }

    /// Binance USD-M `trade`.
    pub fn usdm_trades(&self) -> Vec<Vec<u8>> {
        spell(&self.trades, |n, trade| {
            format!(
                "{{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{ms},\"T\":{ms},\"s\":\"BTCUSDT\",\
                 \"t\":{},\"p\":\"{}\",\"q\":\"{}\",\"X\":\"MARKET\",\"m\":{}}}}}",
                trade.trade_id,
                hundredths(trade.price.0),
                thousandths(trade.qty.0),
                trade.aggressor == Side::Sell,
                ms = at_ms(n),
            )
        })
    }

    /// Binance USD-M `bookTicker`.
    pub fn usdm_tickers(&self) -> Vec<Vec<u8>> {
        spell(&self.quotes, |n, quote| {
            format!(
                "{{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"e\":\"bookTicker\",\"u\":{},\"s\":\"BTCUSDT\",\
                 \"b\":\"{}\",\"B\":\"{}\",\"a\":\"{}\",\"A\":\"{}\",\"T\":{ms},\"E\":{ms}}}}}",
                quote.update_id,
                hundredths(quote.bid.0),
                thousandths(quote.bid_qty.0),
                hundredths(quote.ask.0),
                thousandths(quote.ask_qty.0),
                ms = at_ms(n),
            )
        })
    }

    /// Binance USD-M `depth@0ms`.
    pub fn usdm_depths(&self) -> Vec<Vec<u8>> {
        spell(&self.depths, |n, sides| {
            let [bids, asks] = levels(sides, hundredths, thousandths);
            let first = 5_123_107_832_006 + 28 * n;
            format!(
                "{{\"stream\":\"btcusdt@depth@0ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{},\"T\":{},\
                 \"s\":\"BTCUSDT\",\"U\":{first},\"u\":{},\"pu\":{},\"b\":[{bids}],\"a\":[{asks}]}}}}",
                at_ms(n) + 1,
                at_ms(n),
                first + 27,
                first - 1,
            )
        })
    }

    /// Binance USD-M `aggTrade`.
    pub fn agg_trades(&self) -> Vec<Vec<u8>> {
        spell(&self.trades, |n, trade| {
            format!(
                "{{\"stream\":\"btcusdt@aggTrade\",\"data\":{{\"e\":\"aggTrade\",\"E\":{},\"a\":{},\"s\":\"BTCUSDT\",\
                 \"p\":\"{}\",\"q\":\"{}\",\"f\":{id},\"l\":{id},\"T\":{},\"m\":{}}}}}",
                at_ms(n) + 4,
                16_599_292 + n,
                trade.price,
                trade.qty,
                at_ms(n),
                trade.aggressor == Side::Sell,
                id = trade.trade_id,
            )
        })
    }

    /// Binance USD-M `markPrice@1s`.
    pub fn mark_prices(&self) -> Vec<Vec<u8>> {
        spell(&self.quotes, |n, quote| {
            format!(
                "{{\"stream\":\"btcusdt@markPrice@1s\",\"data\":{{\"e\":\"markPriceUpdate\",\"E\":{},\"s\":\"BTCUSDT\",\
                 \"p\":\"{}000000\",\"i\":\"{}659091\",\"P\":\"{}641265\",\"r\":\"0.0003{:04}\",\"T\":1790136000000}}}}",
                at_ms(n),
                hundredths(quote.bid.0),
                hundredths(quote.ask.0),
                hundredths(quote.bid.0),
                n % 10_000,
            )
        })
    }

    /// Bybit `publicTrade`, one trade a message.
    pub fn bybit_trades(&self) -> Vec<Vec<u8>> {
        spell(&self.trades, |n, trade| {
            format!(
                "{{\"topic\":\"publicTrade.BTCUSDT\",\"type\":\"snapshot\",\"ts\":{},\"data\":[{{\"T\":{},\
                 \"s\":\"BTCUSDT\",\"S\":\"{:?}\",\"v\":\"{}\",\"p\":\"{}\",\"L\":\"PlusTick\",\
                 \"i\":\"{:08x}-dcc0-58e8-a4c5-{:012x}\",\"BT\":false,\"RPI\":false,\"seq\":{}}}]}}",
                at_ms(n) + 1,
                at_ms(n),
                trade.aggressor,
                trade.qty,
                hundredths(trade.price.0),
                trade.trade_id & 0xffff_ffff,
                trade.trade_id,
                821_670_598_155 + n,
            )
        })
    }

    /// The best prices, which the venue tells as a book of one level.
    pub fn bybit_quotes(&self) -> Vec<Vec<u8>> {
        spell(&self.quotes, |n, quote| {
            let sides = [(quote.bid, quote.bid_qty), (quote.ask, quote.ask_qty)];
            let [bid, ask] = sides.map(|(price, qty)| format!("[\"{price}\",\"{qty}\"]"));
            book(n, 1, "snapshot", &bid, &ask)
        })
    }

    /// Changes of a book of `depth` levels, at most `levels_max` a side in one message.
    pub fn bybit_deltas(&self, depth: u16, levels_max: usize) -> Vec<Vec<u8>> {
        spell(&self.depths, |n, sides| {
            let few = sides.each_ref().map(|side| side.iter().take(levels_max).copied().collect());
            let [bids, asks] = levels(&few, hundredths, |qty| Qty(qty).to_string());
            book(n, depth, "delta", &bids, &asks)
        })
    }

    /// Bybit `tickers`.
    pub fn bybit_tickers(&self) -> Vec<Vec<u8>> {
        spell(&self.quotes, |n, quote| {
            format!(
                "{{\"topic\":\"tickers.BTCUSDT\",\"type\":\"delta\",\"data\":{{\"symbol\":\"BTCUSDT\",\
                 \"markPrice\":\"{}\",\"indexPrice\":\"{}\",\"openInterestValue\":\"5250990127.10\",\
                 \"singleOpenInterestValue\":\"2625495106.91\"}},\"cs\":{},\"ts\":{}}}",
                hundredths(quote.bid.0),
                hundredths(quote.ask.0),
                814_547_789_569 + n,
                at_ms(n),
            )
        })
    }

    /// Two buckets a side. The price is that of the recorded quote, put where a currency pair's would be.
    pub fn oanda_prices(&self) -> Vec<Vec<u8>> {
        spell(&self.quotes, |n, quote| {
            let rate = |points: i64| format!("1.{:05}", quote.bid.0 / 10_000_000 % 90_000 + points);
            format!(
                "{{\"type\":\"PRICE\",\"time\":\"2026-07-22T07:{:02}:{:02}.{:09}Z\",\
                 \"bids\":[{{\"price\":\"{}\",\"liquidity\":500000}},{{\"price\":\"{}\",\"liquidity\":500000}}],\
                 \"asks\":[{{\"price\":\"{}\",\"liquidity\":500000}},{{\"price\":\"{}\",\"liquidity\":2500000}}],\
                 \"closeoutBid\":\"{}\",\"closeoutAsk\":\"{}\",\"status\":\"tradeable\",\"tradeable\":true,\
                 \"instrument\":\"EUR_USD\"}}",
                n / 60 % 60,
                n % 60,
                quote.update_id % 1_000_000_000,
                rate(9),
                rate(8),
                rate(24),
                rate(26),
                rate(0),
                rate(34),
            )
        })
    }

    /// Binance spot, binary: `TradesStreamEvent`.
    pub fn trade_frames(&self) -> Vec<Vec<u8>> {
        let say = |(n, trade): (usize, &Trade)| {
            let amounts = [trade.trade_id as i64, trade.price.0 / CENT, trade.qty.0 / LOT];
            let stamps = words(&[stamp(n) + 1_123, stamp(n)]);
            let is_buyer_maker = u8::from(trade.aggressor == Side::Sell);
            frame(
                18,
                10_000,
                &[&stamps, &EXPONENTS, &[25, 0, 1, 0, 0, 0], &words(&amounts), &[is_buyer_maker]],
            )
        };
        self.trades.iter().enumerate().map(say).collect()
    }

    /// Binance spot, binary: `BestBidAskStreamEvent`.
    pub fn quote_frames(&self) -> Vec<Vec<u8>> {
        let say = |(n, quote): (usize, &Quote)| {
            let ids = words(&[stamp(n), quote.update_id as i64]);
            let amounts =
                [quote.bid.0 / CENT, quote.bid_qty.0 / LOT, quote.ask.0 / CENT, quote.ask_qty.0 / LOT];
            frame(50, 10_001, &[&ids, &EXPONENTS, &words(&amounts)])
        };
        self.quotes.iter().enumerate().map(say).collect()
    }

    /// Binance spot, binary: `DepthDiffStreamEvent`.
    pub fn depth_frames(&self) -> Vec<Vec<u8>> {
        let say = |(n, sides): (usize, &[Vec<Level>; 2])| {
            let first = 157 + 4 * n as i64;
            let ids = words(&[stamp(n), first, first + 3]);
            let [bids, asks] = sides.each_ref().map(|side| {
                let amounts: Vec<i64> =
                    side.iter().flat_map(|level| [level.price.0 / CENT, level.qty.0 / LOT]).collect();
                let mut group = [16u16, side.len() as u16].map(u16::to_le_bytes).concat();
                group.extend(words(&amounts));
                group
            });
            frame(26, 10_003, &[&ids, &EXPONENTS, &bids, &asks])
        };
        self.depths.iter().enumerate().map(say).collect()
    }
}

fn book(n: usize, depth: u16, kind: &str, bids: &str, asks: &str) -> String {
    format!(
        "{{\"topic\":\"orderbook.{depth}.BTCUSDT\",\"type\":\"{kind}\",\"ts\":{ts},\"data\":{{\"s\":\"BTCUSDT\",\
         \"b\":[{bids}],\"a\":[{asks}],\"u\":{},\"seq\":{}}},\"cts\":{}}}",
        31_071_061 + n,
        763_537_012_912 + n,
        at_ms(n),
        ts = at_ms(n) + 1,
    )
}

/// The levels of both sides as JSON arrays of price and quantity.
fn levels(
    sides: &[Vec<Level>; 2],
    price: impl Fn(i64) -> String,
    qty: impl Fn(i64) -> String,
) -> [String; 2] {
    let level = |level: &Level| format!("[\"{}\",\"{}\"]", price(level.price.0), qty(level.qty.0));
    sides.each_ref().map(|side| side.iter().map(level).collect::<Vec<_>>().join(","))
}

/// A price with two decimals.
fn hundredths(value: i64) -> String {
    format!("{}.{:02}", value / SCALE, value % SCALE / CENT)
}

/// A quantity with three decimals.
fn thousandths(value: i64) -> String {
    format!("{}.{:03}", value / SCALE, value % SCALE / 100_000)
}

/// All eight decimals, as spot writes them.
fn in_full(value: i64) -> String {
    format!("{}.{:08}", value / SCALE, value % SCALE)
}

/// The recorded instrument's tick and lot, in 1e-8: two decimals and five.
const CENT: i64 = 1_000_000;
const LOT: i64 = 1_000;
const EXPONENTS: [u8; 2] = [(-2i8).cast_unsigned(), (-5i8).cast_unsigned()];

fn stamp(n: usize) -> i64 {
    1_723_161_255_342_000 + n as i64
}

fn words(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Header, block and groups as the venue writes them, and the symbol behind.
fn frame(block_len: u16, template: u16, body: &[&[u8]]) -> Vec<u8> {
    let mut frame = [block_len, template, 1, 0].map(u16::to_le_bytes).concat();
    body.iter().for_each(|part| frame.extend_from_slice(part));
    frame.push(7);
    frame.extend_from_slice(b"BTCUSDT");
    frame
}
