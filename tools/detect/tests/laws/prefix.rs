//! The prefix law over all events of all concepts, and restarts from a snapshot at any bar.

use crate::market::{calendar, markets, variants};
use crate::record::{Record, Speaker};
use crate::{number, seed};

/// Bars after a snapshot that must go on with the same bytes.
const RESUMED: usize = 2_000;

/// At every cut a fresh engine takes the bars before it and says the first bytes of the whole run, no more and
/// no less; its snapshot, loaded into another fresh engine, goes on with the next ones.
#[test]
fn nothing_looks_ahead_and_every_snapshot_goes_on() {
    let (calendar, markets) = (calendar(), markets());
    let cuts = number("SMC_LAWS_CUTS", 500);
    let mut random = seed();
    for (nth, market) in markets.iter().enumerate() {
        for (variant, params) in variants(market.tick).iter().enumerate() {
            let whole = Record::of(&market.bars, market.timeframe, params, &calendar);
            let place = (3 * nth + variant) as u64;
            let share = (place..cuts).step_by(3 * markets.len()).count();
            println!("{} {variant}: {} facts, {share} cuts", market.name, whole.facts.len());
            for _ in 0..share {
                let cut = (next(&mut random) % (market.bars.len() as u64 + 1)) as usize;
                let mut first = Speaker::new(market.timeframe, params, &calendar);
                check(&mut first, &whole, market, 0, cut);
                let saved = first.save();
                let mut second = Speaker::new(market.timeframe, params, &calendar);
                second.load(&saved);
                assert!(second.save() == saved, "{} {variant} cut {cut}: saved again", market.name);
                check(&mut second, &whole, market, cut, market.bars.len().min(cut + RESUMED));
            }
        }
    }
}

/// Feeds bars `from..to` and compares what is said with the bytes of the whole run, bar by bar.
fn check(speaker: &mut Speaker, whole: &Record, market: &crate::market::Market, from: usize, to: usize) {
    for k in from..to {
        let mut at = whole.before[k];
        speaker.on_bar(&market.bars[k], &mut |fact, bytes| {
            assert!(whole.bytes[at..].starts_with(bytes), "{} {from}..{to}: {fact:?}", market.name);
            assert_eq!(fact.known_bar as usize, k, "{fact:?}");
            at += bytes.len();
        });
        assert_eq!(at, whole.before[k + 1], "{} {from}..{to}: bar {k} said less", market.name);
    }
}

/// splitmix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
