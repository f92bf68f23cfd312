//! The binary market streams: frames of schema 1, version 0, as the venue lays them out.
//!
//! Pure. Little-endian, no padding; every amount is told with eight decimals. The venue has these streams on a host of
//! their own; here, where all hosts are one port, the header that only they want tells them apart. The live venue sends
//! changes of the book every 20 ms; here they come with the ticks of 100 ms, as those of the JSON streams do.

use super::streams::StreamKind;
use crate::exchange::PublicTrade;
use smc_core::{Side, TsNs};

/// The header by which a client asks for binary streams, and the name of whose key it has to hold.
pub const KEY_HEADER: &str = "x-mbx-apikey";

const SCHEMA: u16 = 1;
const VERSION: u16 = 0;
/// Eight decimals, of prices and of quantities.
const EXPONENTS: [u8; 2] = [(-8i8).cast_unsigned(); 2];

/// Splits the name of a binary stream into its lower-case symbol and what it carries; none when it is malformed.
pub fn parse_name(name: &str) -> Option<(&str, StreamKind)> {
    let (symbol, what) = name.split_once('@')?;
    let kind = match what {
        "trade" => StreamKind::BinaryTrade,
        "bestBidAsk" => StreamKind::BinaryBest,
        "depth" => StreamKind::BinaryDepth,
        "depth20" => StreamKind::BinaryDepth20,
        _ => return None,
    };
    (!symbol.is_empty()).then_some((symbol, kind))
}

/// Trades of one taker, in their order.
pub fn trades(symbol: &str, trades: &[PublicTrade], at: TsNs, now: TsNs) -> Vec<u8> {
    let mut frame = Frame::new(18, 10_000);
    frame.stamps(&[now, at]).bytes(&EXPONENTS).bytes(&25u16.to_le_bytes());
    frame.bytes(&(trades.len() as u32).to_le_bytes());
    for trade in trades {
        frame.ids(&[trade.trade_id]).numbers(&[trade.price.0, trade.qty.0]);
        frame.bytes(&[u8::from(trade.aggressor == Side::Sell)]);
    }
    frame.end(symbol)
}

/// Best bid and ask, each price and quantity.
pub fn best(symbol: &str, update_id: u64, bid: (i64, i64), ask: (i64, i64), now: TsNs) -> Vec<u8> {
    let mut frame = Frame::new(50, 10_001);
    frame.stamps(&[now]).ids(&[update_id]).bytes(&EXPONENTS).numbers(&[bid.0, bid.1, ask.0, ask.1]);
    frame.end(symbol)
}

/// The best levels of both sides.
pub fn depth20(symbol: &str, update_id: u64, levels: [&[(i64, i64)]; 2], now: TsNs) -> Vec<u8> {
    let mut frame = Frame::new(18, 10_002);
    frame.stamps(&[now]).ids(&[update_id]).bytes(&EXPONENTS).levels(levels);
    frame.end(symbol)
}

/// Changed levels of both sides.
pub fn depth(symbol: &str, ids: [u64; 2], levels: [&[(i64, i64)]; 2], now: TsNs) -> Vec<u8> {
    let mut frame = Frame::new(26, 10_003);
    frame.stamps(&[now]).ids(&ids).bytes(&EXPONENTS).levels(levels);
    frame.end(symbol)
}

/// A frame in the making.
struct Frame(Vec<u8>);

impl Frame {
    fn new(block_len: u16, template: u16) -> Self {
        Self([block_len, template, SCHEMA, VERSION].iter().flat_map(|word| word.to_le_bytes()).collect())
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn ids(&mut self, ids: &[u64]) -> &mut Self {
        ids.iter().for_each(|id| self.0.extend_from_slice(&id.to_le_bytes()));
        self
    }

    /// In microseconds.
    fn stamps(&mut self, stamps: &[TsNs]) -> &mut Self {
        stamps.iter().for_each(|stamp| self.0.extend_from_slice(&(stamp.0 / 1_000).to_le_bytes()));
        self
    }

    fn numbers(&mut self, numbers: &[i64]) -> &mut Self {
        numbers.iter().for_each(|number| self.0.extend_from_slice(&number.to_le_bytes()));
        self
    }

    /// Bids, then asks. What two bytes cannot count is left out, as no book of the simulator has it.
    fn levels(&mut self, sides: [&[(i64, i64)]; 2]) -> &mut Self {
        for side in sides {
            let side = side.get(..usize::from(u16::MAX)).unwrap_or(side);
            self.bytes(&16u16.to_le_bytes()).bytes(&(side.len() as u16).to_le_bytes());
            side.iter().for_each(|&(price, qty)| _ = self.numbers(&[price, qty]));
        }
        self
    }

    fn end(mut self, symbol: &str) -> Vec<u8> {
        self.0.push(symbol.len() as u8);
        self.0.extend_from_slice(symbol.as_bytes());
        self.0
    }
}
