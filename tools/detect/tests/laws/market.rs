//! Recorded markets, as the command reads them.

use smc_core::calendar::Calendar;
use smc_core::event::Bar;
use smc_core::smc::{
    BlockBar, FvgMitigation, InternalParams, ObMitigation, Periods, RangeBands, SmcParams, Tolerance,
    VolatilityFilter,
};
use smc_core::words::{Price, Timeframe};
use smc_detect::csv::{Row, Rows, open};
use smc_detect::live::{Live, Said};
use smc_settings::calendar::{CalendarSection, SessionEntry};
use std::path::{Path, PathBuf};

/// A file of bars.
pub struct Market {
    pub name: &'static str,
    pub timeframe: Timeframe,
    pub rows: Vec<Row>,
    pub bars: Vec<Bar>,
    /// Greatest price step that all prices are multiples of.
    pub tick: i64,
}

/// All that are there; the rest is told.
pub fn markets() -> Vec<Market> {
    let files = [
        ("smc/EURUSD_15M.csv", "15m"),
        ("market/crypto-1m/btc-perp-20211231-20220201_1m.csv.gz", "1m"),
        ("market/fxcm/gbpusd-m1-bid-2012.csv.gz", "1m"),
    ];
    files.into_iter().filter_map(|(name, timeframe)| Market::read(name, timeframe)).collect()
}

impl Market {
    fn read(name: &'static str, timeframe: &str) -> Option<Self> {
        let path = shared(name)?;
        let timeframe = Timeframe::parse(timeframe).unwrap();
        let rows: Vec<Row> = Rows::new(open(&path).unwrap()).unwrap().map(Result::unwrap).collect();
        let quiet = SmcParams { order_blocks: false, gaps: false, liquidity: false, ..SmcParams::default() };
        let mut live = Live::new(timeframe, &[timeframe], &quiet, &Calendar::default()).unwrap();
        let mut bars = vec![];
        for row in &rows {
            live.on_row(row, &mut |said| {
                if let Said::Bar(_, bar) = said {
                    bars.push(*bar);
                }
            });
        }
        assert_eq!(bars.len(), rows.len(), "{name} has rows that are no bars");
        let prices = bars.iter().flat_map(|bar| [bar.open, bar.high, bar.low, bar.close]);
        let tick = prices.fold(0, |tick, price| divisor(tick, price.0));
        Some(Self { name, timeframe, rows, bars, tick })
    }
}

const fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

fn shared(name: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|at| at.join("shared/data").join(name)).find(|path| path.exists());
    if found.is_none() {
        println!("skipped: shared/data/{name} absent");
    }
    found
}

/// A trading day that begins at 17:00 in New York, and the sessions that people watch.
pub fn calendar() -> Calendar {
    let words = ["london", "new-york", "ict-asia", "ict-london", "ict-ny-am", "ict-london-close"];
    let sessions = words.map(|word| SessionEntry::Preset(word.into())).into();
    CalendarSection { roll: Some("17:00 America/New_York".into()), sessions }.resolve().unwrap()
}

/// Everything that can be said, three ways.
pub fn variants(tick: i64) -> [SmcParams; 3] {
    let everything = SmcParams {
        tick: Price(tick),
        periods: Periods { minutes: 240, ..Periods::CALENDAR },
        ..SmcParams::everything()
    };
    let joined = SmcParams {
        fvg_join: true,
        fvg_auto_threshold: true,
        fvg_mitigation: FvgMitigation::Half,
        pool_tolerance: Tolerance::RangePct { ppm: 10_000, bars: 500 },
        ob_block: BlockBar::LastOpposite,
        ob_filter: VolatilityFilter::MeanTrueRange,
        range_bands: RangeBands::Bands,
        internal: Some(InternalParams::window(2)),
        ..everything
    };
    let leg = SmcParams {
        close_break: false,
        displacement_min_ppm: 200_000,
        ob_filter: VolatilityFilter::Atr,
        ob_mitigation: ObMitigation::MeanThreshold,
        pool_tolerance: Tolerance::FixedTicks(Price(5 * tick)),
        fvg_cap: 8,
        ob_cap: 8,
        pool_cap: 8,
        level_cap: 8,
        ..everything.with_leg(10)
    };
    [everything, joined, leg]
}
