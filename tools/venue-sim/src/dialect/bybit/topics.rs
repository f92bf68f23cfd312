//! Names of topics: public ones by instrument, private ones by category.
//!
//! Pure. What a topic carries is made by `feed` and `reports`.

use super::words::Category;

/// Depths of the order book topics, and how many ticks of 10 ms lie between two of their messages.
pub const DEPTHS: [(usize, u64); 4] = [(1, 1), (50, 2), (200, 10), (1_000, 20)];

/// Intervals of candles: the venue's word and seconds. Weeks and months are not offered by the simulator.
pub const INTERVALS: [(&str, u64); 11] = [
    ("1", 60),
    ("3", 180),
    ("5", 300),
    ("15", 900),
    ("30", 1_800),
    ("60", 3_600),
    ("120", 7_200),
    ("240", 14_400),
    ("360", 21_600),
    ("720", 43_200),
    ("D", 86_400),
];

/// Seconds of an interval by the venue's word.
pub fn interval_seconds(word: &str) -> Option<u64> {
    INTERVALS.iter().find(|(known, _)| *known == word).map(|(_, seconds)| *seconds)
}

/// The venue's word for an interval in seconds.
pub fn interval_word(seconds: u64) -> &'static str {
    INTERVALS.iter().find(|(_, known)| *known == seconds).map_or("", |(word, _)| word)
}

/// What a public topic carries, without its instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Public {
    /// A book, by index into [`DEPTHS`].
    Book(usize),
    /// Every trade.
    Trade,
    /// Prices and the day's statistics.
    Ticker,
    /// Candles of so many seconds.
    Kline(u64),
    /// The prices beyond which orders are refused or adjusted.
    PriceLimit,
    /// Liquidations: nobody is liquidated in public here, so it stays silent.
    Liquidation,
}

impl Public {
    /// Splits a name into what it carries and the symbol; none when the category has no such topic.
    pub fn parse(category: Category, name: &str) -> Option<(Self, &str)> {
        let (kind, rest) = name.split_once('.')?;
        Some(match kind {
            "orderbook" => {
                let (word, symbol) = rest.split_once('.')?;
                (Self::Book(DEPTHS.iter().position(|(depth, _)| depth.to_string() == word)?), symbol)
            }
            "kline" => {
                let (word, symbol) = rest.split_once('.')?;
                (Self::Kline(interval_seconds(word)?), symbol)
            }
            "publicTrade" => (Self::Trade, rest),
            "tickers" => (Self::Ticker, rest),
            "priceLimit" => (Self::PriceLimit, rest),
            "allLiquidation" if !category.is_spot() => (Self::Liquidation, rest),
            _ => return None,
        })
    }
}

/// What a private topic carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Private {
    /// Orders as they change.
    Order,
    /// Fills, fees and all.
    Execution,
    /// Fills, early and brief.
    FastExecution,
    /// Positions.
    Position,
    /// Amounts.
    Wallet,
    /// Sensitivities of options: nobody has any here, so it stays silent.
    Greeks,
    /// Says nothing; its connection keeps the orders of the category alive.
    Dcp,
}

impl Private {
    /// A private topic and the one category it is about, if one was named.
    pub fn parse(name: &str) -> Option<(Self, Option<Category>)> {
        let category = |word: &str| Category::parse(word).map(Some);
        Some(match name {
            "order" => (Self::Order, None),
            "execution" => (Self::Execution, None),
            "execution.fast" => (Self::FastExecution, None),
            "position" => (Self::Position, None),
            "wallet" => (Self::Wallet, None),
            "greeks" => (Self::Greeks, None),
            "dcp.future" => (Self::Dcp, Some(Category::Linear)),
            "dcp.spot" => (Self::Dcp, Some(Category::Spot)),
            "dcp.option" => (Self::Dcp, Some(Category::Option)),
            _ => {
                let (kind, word) = name.rsplit_once('.')?;
                let topic = match kind {
                    "order" => Self::Order,
                    "execution" => Self::Execution,
                    "execution.fast" => Self::FastExecution,
                    "position" if word != "spot" => Self::Position,
                    _ => return None,
                };
                (topic, category(word)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_names_say_what_and_of_which_symbol() {
        for (name, topic) in [
            ("orderbook.1.BTCUSDT", Public::Book(0)),
            ("orderbook.1000.BTCUSDT", Public::Book(3)),
            ("publicTrade.BTCUSDT", Public::Trade),
            ("tickers.BTCUSDT", Public::Ticker),
            ("kline.5.BTCUSDT", Public::Kline(300)),
            ("kline.D.BTCUSDT", Public::Kline(86_400)),
            ("priceLimit.BTCUSDT", Public::PriceLimit),
            ("allLiquidation.BTCUSDT", Public::Liquidation),
        ] {
            assert_eq!(Public::parse(Category::Linear, name), Some((topic, "BTCUSDT")), "{name}");
        }
        for name in
            ["orderbook.500.BTCUSDT", "orderbook.BTCUSDT", "kline.7.BTCUSDT", "liquidation.X", "", "x."]
        {
            assert_eq!(Public::parse(Category::Linear, name), None, "{name}");
        }
        assert_eq!(Public::parse(Category::Spot, "allLiquidation.BTCUSDT"), None);
    }

    #[test]
    fn private_names_may_name_a_category() {
        assert_eq!(Private::parse("order"), Some((Private::Order, None)));
        let fast = Some((Private::FastExecution, Some(Category::Linear)));
        assert_eq!(Private::parse("execution.fast.linear"), fast);
        assert_eq!(Private::parse("execution.spot"), Some((Private::Execution, Some(Category::Spot))));
        for name in ["position.spot", "order.futures", "orders", "wallet.linear", ""] {
            assert_eq!(Private::parse(name), None, "{name}");
        }
    }
}
