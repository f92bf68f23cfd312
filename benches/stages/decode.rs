//! One market message to checked numbers: every kind that a scanner knows, a thousand distinct ones in turn.

use super::{Named, Stage, Turn};
use crate::spelled::Numbers;
use crate::{BTC, Random, SEED};
use smc_core::event::{Level, Quote, Trade};
use smc_core::words::{InstrumentId, Name, Price, Qty, SCALE, Side};
use smc_feeds::binance_spot::{Decoded, SbeDecoder, TimeUnit};
use smc_feeds::{binance_spot, binance_usdm, bybit, oanda};
use std::hint::black_box;
use std::ops::Range;

pub const STAGES: &[Named] = &[
    ("decode/spot/trade", || spot(&numbers().spot_trades())),
    ("decode/spot/bookTicker", || spot(&numbers().spot_tickers())),
    ("decode/spot/depth", || spot(&numbers().spot_depths())),
    ("decode/spot/sbe trade", || sbe(Numbers::trade_frames)),
    ("decode/spot/sbe bestBidAsk", || sbe(Numbers::quote_frames)),
    ("decode/spot/sbe depth", || sbe(Numbers::depth_frames)),
    ("decode/usdm/aggTrade", || usdm(&numbers().agg_trades())),
    ("decode/usdm/trade", || usdm(&numbers().usdm_trades())),
    ("decode/usdm/bookTicker", || usdm(&numbers().usdm_tickers())),
    ("decode/usdm/depth", || usdm(&numbers().usdm_depths())),
    ("decode/usdm/markPrice by tape", || usdm_by_tape(&numbers().mark_prices())),
    ("decode/bybit/publicTrade", || bybit(&numbers().bybit_trades())),
    ("decode/bybit/orderbook.1", || bybit(&numbers().bybit_quotes())),
    ("decode/bybit/orderbook.50", || bybit(&numbers().bybit_deltas(50, 4))),
    ("decode/oanda/PRICE", || oanda(&numbers().oanda_prices())),
];

/// Distinct messages of a kind.
const MESSAGES: u64 = 1_024;
/// Levels that a depth message changes on a side.
const LEVELS: Range<u64> = 4..28;

/// What the messages say: a seeded walk near 61 837.63.
fn numbers() -> Numbers {
    const CENT: i64 = SCALE / 100;
    let mut random = Random(SEED);
    let mut bid = 6_183_763;
    let mut numbers = Numbers::default();
    for n in 0..MESSAGES {
        let mut qty = || Qty((1 + random.below(400_000) as i64) * 1_000);
        let (bid_qty, ask_qty, trade_qty) = (qty(), qty(), qty());
        bid += random.below(101) as i64 - 50;
        let (bid_price, ask_price) = (Price(bid * CENT), Price((bid + 1) * CENT));
        let is_sale = random.below(2) == 0;
        let (price, aggressor) = if is_sale { (bid_price, Side::Sell) } else { (ask_price, Side::Buy) };
        numbers.trades.push(Trade { price, qty: trade_qty, aggressor, trade_id: 3_735_683_259 + n });
        let (bid, ask, update_id) = (bid_price, ask_price, 50_093_239_212 + n);
        numbers.quotes.push(Quote { bid, bid_qty, ask, ask_qty, update_id });
        numbers.depths.push([(bid, -CENT), (ask, CENT)].map(|(best, away)| {
            let count = LEVELS.start + random.below(LEVELS.end - LEVELS.start);
            let mut price = best.0;
            let mut level = |_| {
                price += away * (1 + random.below(300) as i64);
                // Every fourth is taken away.
                let qty = random.below(4).min(1) as i64 * (1 + random.below(400_000) as i64) * 1_000;
                Level { price: Price(price), qty: Qty(qty) }
            };
            (0..count).map(&mut level).collect()
        }));
    }
    numbers
}

/// Messages and what decodes them.
struct Decode<F> {
    pristine: Turn<Vec<u8>>,
    batch: Turn<Place>,
    decode: F,
}

/// Where a message lies while it is decoded: it may be written into, so it is copied anew before its batch. It begins
/// with a page of memory, wherever the buffer is, for a comparison of bytes takes another way where a page ends.
struct Place {
    buffer: Vec<u8>,
    message: Range<usize>,
}

const PAGE_BYTES: usize = 4_096;

impl<F: FnMut(&mut [u8])> Decode<F> {
    fn boxed(messages: &[Vec<u8>], decode: F) -> Box<dyn Stage>
    where
        F: 'static,
    {
        assert_eq!(messages.len() as u64, MESSAGES);
        let place = |_| Place { buffer: vec![0; 3 * PAGE_BYTES], message: 0..0 };
        let batch = Turn::new((0..64).map(place).collect());
        Box::new(Self { pristine: Turn::new(messages.to_vec()), batch, decode })
    }
}

impl<F: FnMut(&mut [u8])> Stage for Decode<F> {
    fn prepare(&mut self) {
        for _ in 0..self.batch() {
            let (message, place) = (self.pristine.next(), self.batch.next());
            let start = place.buffer.as_ptr().align_offset(PAGE_BYTES);
            place.message = start..start + message.len();
            place.buffer[place.message.clone()].copy_from_slice(message);
        }
    }

    #[inline]
    fn step(&mut self) {
        let Place { buffer, message } = self.batch.next();
        (self.decode)(black_box(&mut buffer[message.clone()]));
    }
}

fn names(symbol: &str) -> [(InstrumentId, Name); 1] {
    [(BTC, Name::new(symbol).expect("a name"))]
}

fn text(message: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(message)
}

fn spot(messages: &[Vec<u8>]) -> Box<dyn Stage> {
    let mut decoder = binance_spot::Decoder::new(&names("BTCUSDT"), TimeUnit::Millis);
    for message in messages {
        let scanned = format!("{:?}", decoder.scan(message).expect("the scanner knows the venue's own form"));
        let by_tape = decoder.decode_by_tape(&mut message.clone()).map(|told| format!("{told:?}"));
        assert_eq!(Ok(scanned), by_tape, "{}", text(message));
    }
    Decode::boxed(messages, move |text| _ = black_box(binance_spot::decode(text, &mut decoder)))
}

fn sbe(spell: fn(&Numbers) -> Vec<Vec<u8>>) -> Box<dyn Stage> {
    let mut decoder = SbeDecoder::new(&names("BTCUSDT"));
    let numbers = numbers();
    let frames = spell(&numbers);
    for (nth, frame) in frames.iter().enumerate() {
        let told = decoder.decode(frame, &mut |told| match told {
            Decoded::Trade { trade, .. } => assert_eq!(trade, numbers.trades[nth]),
            Decoded::BookTicker { quote, .. } => assert_eq!(quote, numbers.quotes[nth]),
            Decoded::Depth { bids, asks, .. } => assert_eq!([bids, asks], numbers.depths[nth]),
            other => unreachable!("{other:?}"),
        });
        assert_eq!(told, Ok(1));
    }
    Decode::boxed(&frames, move |frame| _ = decoder.decode(frame, &mut |told| _ = black_box(told)))
}

fn usdm(messages: &[Vec<u8>]) -> Box<dyn Stage> {
    let mut decoder = binance_usdm::Decoder::new(&names("BTCUSDT"));
    for message in messages {
        let scanned = format!("{:?}", decoder.scan(message).expect("the scanner knows the venue's own form"));
        let by_tape = decoder.decode_by_tape(&mut message.clone()).map(|told| format!("{told:?}"));
        assert_eq!(Ok(scanned), by_tape, "{}", text(message));
    }
    Decode::boxed(messages, move |text| _ = black_box(decoder.decode(text)))
}

/// What comes once a second and has no scanner.
fn usdm_by_tape(messages: &[Vec<u8>]) -> Box<dyn Stage> {
    let mut decoder = binance_usdm::Decoder::new(&names("BTCUSDT"));
    for message in messages {
        assert!(decoder.scan(message).is_none(), "{}", text(message));
        assert!(decoder.decode(&mut message.clone()).is_ok(), "{}", text(message));
    }
    Decode::boxed(messages, move |text| _ = black_box(decoder.decode(text)))
}

fn bybit(messages: &[Vec<u8>]) -> Box<dyn Stage> {
    let mut decoder = bybit::Decoder::new(&names("BTCUSDT"));
    for message in messages {
        let scanned = format!("{:?}", decoder.scan(message).expect("the scanner knows the venue's own form"));
        let by_tape = decoder.decode_by_tape(&mut message.clone()).map(|told| format!("{told:?}"));
        assert_eq!(Ok(scanned), by_tape, "{}", text(message));
    }
    Decode::boxed(messages, move |text| _ = black_box(bybit::decode(text, &mut decoder)))
}

fn oanda(messages: &[Vec<u8>]) -> Box<dyn Stage> {
    let mut decoder = oanda::Decoder::new(&names("EUR_USD"));
    for message in messages {
        let scanned = decoder.scan(message).expect("the scanner knows the venue's own form");
        assert_eq!(Ok(scanned), decoder.decode_by_tape(&mut message.clone()), "{}", text(message));
    }
    Decode::boxed(messages, move |text| _ = black_box(decoder.decode(text)))
}
