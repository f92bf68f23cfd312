//! Market structure on bars that nobody would draw: no bar and no saved state can make it panic, and a sound
//! state goes on with the same words.
//!
//! The first byte chooses: small steps or any numbers at all for the bars, and what is loaded half way: the
//! engine's own state, that state with bytes changed, or what the input holds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smc_core::calendar::{Calendar, OffsetStep, Roll, SessionWindow, ZoneOffsets};
use smc_core::event::Bar;
use smc_core::output::Structure;
use smc_core::smc::{
    BlockBar, BlockZone, FvgMiddle, FvgMitigation, IdSource, InternalParams, ObMitigation, Periods,
    PivotProfile, RangeBands, SmcEngine, SmcParams, Tolerance, VolatilityFilter,
};
use smc_core::words::{InstrumentId, Name, Price, Qty, Timeframe, TsNs};

const MINUTE_NS: u64 = 60_000_000_000;
/// Version and fingerprint, which a loaded state must bear.
const STATE_HEAD: usize = 9;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let choice = input.byte();
    let (params, calendar) = (params(&mut input), calendar(&mut input));
    let (cut, changes) = (usize::from(input.byte()), input.byte() % 4);
    let changes: Vec<(u16, u8)> = (0..changes).map(|_| (input.short(), input.byte() | 1)).collect();
    let bars: Vec<Bar> = if choice & 1 == 0 { steps(input) } else { wild(input) };
    let cut = cut.min(bars.len());

    let new = || {
        let timeframe = Timeframe::from_secs(60).expect("a minute");
        SmcEngine::with_calendar(InstrumentId(0), timeframe, &params, &calendar)
    };
    let (mut first, mut ids) = (new(), IdSource::new());
    feed(&mut first, &mut ids, &bars[..cut]);
    let mut saved = vec![];
    first.save(&mut saved);
    match choice >> 1 & 3 {
        0 | 1 => {
            let (mut second, mut second_ids) = (new(), ids.clone());
            assert_eq!(second.load(&saved), Ok(()), "a sound state is refused");
            let mut again = vec![];
            second.save(&mut again);
            assert!(again == saved, "a state does not read back");
            let rest = feed(&mut first, &mut ids, &bars[cut..]);
            assert!(feed(&mut second, &mut second_ids, &bars[cut..]) == rest, "a snapshot went another way");
        }
        2 => {
            for (at, flip) in changes {
                let at = STATE_HEAD + usize::from(at) % (saved.len() - STATE_HEAD);
                saved[at] ^= flip;
            }
            load_and_run(new(), &saved, &bars[cut..]);
        }
        _ => {
            saved.truncate(STATE_HEAD);
            saved.extend_from_slice(input.0);
            load_and_run(new(), &saved, &bars[cut..]);
        }
    }
});

/// A state that nobody vouches for is refused or runs.
fn load_and_run(mut engine: SmcEngine, saved: &[u8], bars: &[Bar]) {
    if engine.load(saved).is_ok() {
        feed(&mut engine, &mut IdSource::new(), bars);
    }
}

fn feed(engine: &mut SmcEngine, ids: &mut IdSource, bars: &[Bar]) -> Vec<Structure> {
    let mut said = vec![];
    for bar in bars {
        engine.on_bar(bar, ids, &mut |fact: Structure| {
            assert!(fact.bar <= fact.known_bar, "{fact:?}");
            said.push(fact);
        });
    }
    said
}

/// Bytes, and zeros after their end.
#[derive(Clone, Copy)]
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    fn word(&mut self) -> u32 {
        u32::from(self.short()) << 16 | u32::from(self.short())
    }

    fn long(&mut self) -> i64 {
        (u64::from(self.word()) << 32 | u64::from(self.word())) as i64
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }
}

/// One of the flags of a byte.
const fn bit(of: u8, nth: u8) -> bool {
    of >> nth & 1 == 1
}

/// Bars of small steps.
fn steps(mut input: Input<'_>) -> Vec<Bar> {
    let (mut ts, mut close) = (0u64, 10_000i64);
    let mut bars = vec![];
    while !input.0.is_empty() {
        let [minutes, body, wicks] = [input.byte(), input.byte(), input.byte()];
        ts += if minutes > 250 { u64::from(minutes) * 40 } else { u64::from(minutes) } * MINUTE_NS;
        let open = close + i64::from(minutes >> 5);
        close = open + i64::from(body as i8);
        let (high, low) = (open.max(close) + i64::from(wicks >> 4), open.min(close) - i64::from(wicks & 15));
        let [open, high, low, close] = [open, high, low, close].map(Price);
        bars.push(Bar { open_ts: TsNs(ts), open, high, low, close, volume: Qty(body.into()), trades: 1 });
    }
    bars
}

/// Any numbers; in order when the first bit says so, so that most are bars.
fn wild(mut input: Input<'_>) -> Vec<Bar> {
    let mut bars = vec![];
    let mut ts = 0u64;
    while !input.0.is_empty() {
        let kind = input.byte();
        // The unused bits make the numbers small or huge.
        let mut prices = [0; 4].map(|_| input.long() >> (kind & 62));
        if kind & 1 == 0 {
            prices.sort_unstable();
        }
        let [low, open, close, high] = prices.map(Price);
        ts = ts.wrapping_add(if kind & 64 == 0 { MINUTE_NS } else { input.long() as u64 });
        let volume = Qty(input.long() >> (kind & 62));
        bars.push(Bar { open_ts: TsNs(ts), open, high, low, close, volume, trades: 0 });
    }
    bars
}

/// Settings in range and out of it; small enough that a try is quick.
fn params(input: &mut Input<'_>) -> SmcParams {
    let [a, b, c] = [input.byte(), input.byte(), input.byte()];
    let profiles = [PivotProfile::Window, PivotProfile::Leg];
    let internal = InternalParams {
        pivot_profile: input.of(&profiles),
        pivot_left: u16::from(input.byte() % 8),
        pivot_right: u16::from(input.byte() % 8),
        pivot_first: u32::from(input.byte() % 16),
        ignores_swing_level: bit(a, 0),
        order_blocks: bit(a, 1),
    };
    let tolerance = match input.byte() % 4 {
        0 => Tolerance::AtrMult(input.word()),
        1 => Tolerance::FixedTicks(Price(input.long() >> (input.byte() % 64))),
        2 => Tolerance::PctOfPrice(input.word()),
        _ => Tolerance::RangePct { ppm: input.word(), bars: u16::from(input.byte()) },
    };
    let depth = input.word() % 1_100_000;
    SmcParams {
        pivot_profile: input.of(&profiles),
        pivot_left: u16::from(input.byte() % 16),
        pivot_right: u16::from(input.byte() % 16),
        pivot_first: u32::from(input.byte() % 32),
        pivot_ties: bit(a, 2),
        pivot_high_first: bit(a, 3),
        internal: bit(a, 4).then_some(internal),
        close_break: bit(a, 5),
        displacement_min_ppm: if bit(a, 6) { input.word() } else { 0 },
        mss_min_ppm: if bit(a, 7) { input.word() } else { 0 },
        patterns: !bit(b, 0),
        order_blocks: !bit(b, 1),
        ob_block: input.of(&[BlockBar::Extreme, BlockBar::LastOpposite]),
        ob_zone: input.of(&[BlockZone::Wick, BlockZone::Body]),
        ob_mitigation: input.of(&[
            ObMitigation::Wick,
            ObMitigation::Close,
            ObMitigation::Body,
            ObMitigation::MeanThreshold,
        ]),
        ob_filter: input.of(&[VolatilityFilter::Off, VolatilityFilter::Atr, VolatilityFilter::MeanTrueRange]),
        gaps: !bit(b, 2),
        fvg_middle: input.of(&[FvgMiddle::Body, FvgMiddle::CloseBeyond, FvgMiddle::Any]),
        fvg_size_min: Price(if bit(b, 3) { input.long() } else { 0 }),
        fvg_size_min_atr_ppm: if bit(b, 4) { input.word() } else { 0 },
        fvg_auto_threshold: bit(b, 5),
        fvg_join: bit(b, 6),
        fvg_mitigation: input.of(&[
            FvgMitigation::Touch,
            FvgMitigation::Half,
            FvgMitigation::Full,
            FvgMitigation::DepthPpm(depth),
        ]),
        liquidity: !bit(b, 7),
        pool_tolerance: tolerance,
        periods: Periods {
            day: !bit(c, 0),
            week: !bit(c, 1),
            month: !bit(c, 2),
            minutes: if bit(c, 3) { input.short().into() } else { 0 },
        },
        range_events: !bit(c, 4),
        range_bands: input.of(&[RangeBands::Halves, RangeBands::Bands]),
        retracement_levels_ppm: if bit(c, 5) {
            [0; 8].map(|_: u32| input.word() >> 10)
        } else {
            SmcParams::default().retracement_levels_ppm
        },
        ote_from_ppm: input.word() >> 11,
        ote_to_ppm: input.word() >> 11,
        tick: Price(if bit(c, 6) { input.long() } else { 1 }),
        atr_len: u16::from(input.byte()),
        vol_len: u16::from(input.byte()),
        fvg_cap: u16::from(input.byte() % 32),
        ob_cap: u16::from(input.byte() % 32),
        pool_cap: u16::from(input.byte() % 32),
        level_cap: u16::from(input.byte() % 32),
    }
}

/// Up to three windows and a roll, each on clocks of its own.
fn calendar(input: &mut Input<'_>) -> Calendar {
    let mut zone = || {
        let mut since = 0;
        let steps: Vec<OffsetStep> = (0..=input.byte() % 4)
            .map(|_| {
                let step =
                    OffsetStep { since: TsNs(since), offset_secs: i32::from(input.short() as i16) * 2 };
                since += (1 + u64::from(input.short())) * MINUTE_NS;
                step
            })
            .collect();
        (ZoneOffsets::new(&steps).unwrap_or_default(), u32::from(input.short()) * 3, input.word() % 100_000)
    };
    let (offsets, at_secs, count) = zone();
    let sessions = (0..count % 4)
        .map(|_| {
            let (offsets, start_secs, end_secs) = zone();
            SessionWindow { name: Name::default(), offsets, start_secs, end_secs }
        })
        .collect();
    Calendar { roll: Roll { offsets, at_secs }, sessions }
}
