//! Stream names of futures, the paths that carry them, and the sessions on those paths.
//!
//! Pure. Since the split of the addresses a path decides what it carries: a stream subscribed on the wrong one is
//! answered as if all were well, and stays silent for ever.

use crate::dialect::binance_spot::candles::{INTERVALS, interval_index};
use crate::dialect::binance_spot::params::percent_decode;
use crate::dialect::binance_spot::streams::{Kind, StreamSession};

/// Stands for all symbols in the place of one's index.
pub const ALL_SYMBOLS: usize = usize::MAX;
/// What stands for all symbols in a stream's name.
pub const ALL_NAME: &str = "!";

/// What a stream carries, without its symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// Every trade. Not documented, and there on the wire.
    Trade,
    /// Trades of one taker at one price.
    AggTrade,
    /// Best bid and ask.
    BookTicker,
    /// Changes of the book, every so many ticks of 50 ms; each at once when zero.
    Depth(u64),
    /// The best levels, every so many ticks of 50 ms.
    PartialDepth(usize, u64),
    /// Candles of one interval, by index.
    Kline(usize),
    /// Mark price and funding; every second, or every three.
    MarkPrice {
        /// Every second.
        is_fast: bool,
    },
    /// Private events of an account, named by its listen key.
    User,
    /// Changes of contracts' terms.
    Contract,
    /// A stream that the venue has and the simulator keeps silent.
    Silent,
}

/// Mark price streams with their speeds in ticks of 50 ms.
pub const MARK_SPEEDS: [(StreamKind, u64); 2] =
    [(StreamKind::MarkPrice { is_fast: true }, 20), (StreamKind::MarkPrice { is_fast: false }, 60)];

impl Kind for StreamKind {
    fn parse(name: &str) -> Option<(&str, Self)> {
        let Some((symbol, what)) = name.split_once('@') else {
            let is_key = (20..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric());
            return match name {
                "!bookTicker" => Some((ALL_NAME, Self::Silent)),
                "!contractInfo" => Some((ALL_NAME, Self::Contract)),
                key => is_key.then_some((key, Self::User)),
            };
        };
        if let "!forceOrder" | "!miniTicker" | "!ticker" = symbol {
            return (what == "arr").then_some((ALL_NAME, Self::Silent));
        }
        if symbol == "!markPrice" {
            return match what {
                "arr" => Some((ALL_NAME, Self::MarkPrice { is_fast: false })),
                "arr@1s" => Some((ALL_NAME, Self::MarkPrice { is_fast: true })),
                _ => None,
            };
        }
        let kind = match what.split_once('@').unwrap_or((what, "")) {
            ("trade", "") => Self::Trade,
            ("aggTrade", "") => Self::AggTrade,
            ("bookTicker", "") => Self::BookTicker,
            ("markPrice", "") => Self::MarkPrice { is_fast: false },
            ("markPrice", "1s") => Self::MarkPrice { is_fast: true },
            ("forceOrder" | "ticker" | "miniTicker", "") => Self::Silent,
            ("depth", "0ms") => Self::Depth(0),
            ("depth", speed) => Self::Depth(ticks(speed)?),
            ("depth5", speed) => Self::PartialDepth(5, ticks(speed)?),
            ("depth10", speed) => Self::PartialDepth(10, ticks(speed)?),
            ("depth20", speed) => Self::PartialDepth(20, ticks(speed)?),
            (kline, "") => {
                let interval = interval_index(kline.strip_prefix("kline_")?)?;
                // The one-second candle is spot's alone.
                INTERVALS
                    .get(interval)
                    .filter(|(_, seconds)| *seconds >= 60)
                    .map(|_| Self::Kline(interval))?
            }
            _ => return None,
        };
        (!symbol.is_empty()).then_some((symbol, kind))
    }

    fn is_exact(self) -> bool {
        self == Self::User
    }
}

fn ticks(speed: &str) -> Option<u64> {
    match speed {
        "" | "250ms" => Some(5),
        "100ms" => Some(2),
        "500ms" => Some(10),
        _ => None,
    }
}

/// Which path a connection came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/public`: book and best prices.
    Public,
    /// `/market`: trades, candles, mark prices.
    Market,
    /// `/private`: account events.
    Private,
    /// None of these: the old form, which still carries what is public, and account events.
    Old,
}

impl Route {
    /// Whether what a stream carries comes out on this path.
    pub const fn carries(self, kind: StreamKind) -> bool {
        match kind {
            StreamKind::BookTicker | StreamKind::Depth(_) | StreamKind::PartialDepth(..) => {
                matches!(self, Self::Public | Self::Old)
            }
            StreamKind::User => matches!(self, Self::Private | Self::Old),
            _ => matches!(self, Self::Market),
        }
    }
}

/// Which private events a connection wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEvents(Option<Vec<String>>);

impl UserEvents {
    /// Whether an event is wanted. The end of the listen key always is.
    pub fn includes(&self, name: &str) -> bool {
        name == "listenKeyExpired" || self.0.as_ref().is_none_or(|names| names.iter().any(|n| n == name))
    }
}

/// A session from the path and query of its upgrade request; none when the venue has no such path or a stream's name
/// is malformed.
pub fn open(
    target: &str,
    resolve: &dyn Fn(&str) -> Option<usize>,
) -> Option<(Route, StreamSession<StreamKind>, UserEvents)> {
    let routes = [("/public", Route::Public), ("/market", Route::Market), ("/private", Route::Private)];
    let split = routes.into_iter().find_map(|(prefix, route)| Some((route, target.strip_prefix(prefix)?)));
    let (route, rest) = split.unwrap_or((Route::Old, target));
    let mut session = StreamSession::open(rest, resolve)?.ok()?;
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let value = |name: &str| {
        query.split('&').find_map(|pair| pair.split_once('=').filter(|(n, _)| *n == name)).map(|(_, v)| v)
    };
    if let Some(key) = value("listenKey") {
        session.subscribe(&percent_decode(key), resolve)?;
    }
    let events = value("events").map(|names| percent_decode(names).split('/').map(str::to_owned).collect());
    Some((route, session, UserEvents(events)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8A65a1";

    fn resolve(text: &str) -> Option<usize> {
        match text {
            "BTCUSDT" => Some(0),
            ALL_NAME => Some(ALL_SYMBOLS),
            KEY => Some(7),
            _ => None,
        }
    }

    #[test]
    fn names_are_futures_own() {
        let parse = |name| <StreamKind as Kind>::parse(name).map(|(_, kind)| kind);
        assert_eq!(parse("btcusdt@depth"), Some(StreamKind::Depth(5)));
        assert_eq!(parse("btcusdt@depth@0ms"), Some(StreamKind::Depth(0)));
        assert_eq!(parse("btcusdt@depth5@500ms"), Some(StreamKind::PartialDepth(5, 10)));
        assert_eq!(parse("btcusdt@markPrice@1s"), Some(StreamKind::MarkPrice { is_fast: true }));
        assert_eq!(parse("!markPrice@arr"), Some(StreamKind::MarkPrice { is_fast: false }));
        assert_eq!(parse(KEY), Some(StreamKind::User));
        for name in ["btcusdt@kline_1s", "btcusdt@depth@1000ms", "!markPrice@arr@5s", "btcusdt", "@depth", ""]
        {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_path_carries_only_its_own() {
        let book = StreamKind::Depth(2);
        assert!(Route::Public.carries(book) && Route::Old.carries(book) && !Route::Market.carries(book));
        assert!(Route::Market.carries(StreamKind::AggTrade) && !Route::Old.carries(StreamKind::AggTrade));
        assert!(Route::Private.carries(StreamKind::User) && !Route::Public.carries(StreamKind::User));
    }

    #[test]
    fn private_paths_name_key_and_events() {
        let session = |target: &str| {
            let (route, session, events) = open(target, &resolve)?;
            Some((route, session.streams().count(), session.is_combined, events.includes("TRADE_LITE")))
        };
        let with = |path: &str| path.replace("KEY", KEY);
        assert_eq!(session(&with("/private/ws/KEY")), Some((Route::Private, 1, false, true)));
        let some = with("/private/stream?listenKey=KEY&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE");
        assert_eq!(session(&some), Some((Route::Private, 1, true, false)));
        assert_eq!(session(&with("/ws/KEY")), Some((Route::Old, 1, false, true)));
        assert_eq!(
            session("/market/stream?streams=btcusdt@aggTrade/nosuch@trade"),
            Some((Route::Market, 1, true, true))
        );
        assert_eq!(session("/public/ws/btcusdt@nothing"), None);
        assert_eq!(session("/fapi/v1/time"), None);
    }
}
