//! Why a trade was made: the structures that its signal names, what they came from, all in words.

use crate::meta::Meta;
use crate::text::{fixed, float, grouped};
use smc_backtest::Trade;
use smc_core::output::{REASONS_MAX, Structure, StructureKind};
use smc_core::words::{Direction, Price, TsNs};
use smc_detect::json::label;

/// Links of a chain of causes that are told.
const CHAIN_MAX: usize = 4;

/// What was told of structures, found by object.
pub struct Causes<'a> {
    told: &'a [(TsNs, Structure)],
    /// Places in `told`, by object, each object's in the order of the telling.
    by_id: Vec<u32>,
}

impl<'a> Causes<'a> {
    /// Of a record.
    pub fn new(told: &'a [(TsNs, Structure)]) -> Self {
        let mut by_id: Vec<u32> = (0..told.len() as u32).filter(|at| told[*at as usize].1.id != 0).collect();
        by_id.sort_by_key(|at| told[*at as usize].1.id);
        Self { told, by_id }
    }

    /// What was told at a place of the record.
    pub fn at(&self, place: u32) -> &'a (TsNs, Structure) {
        &self.told[place as usize]
    }

    /// Places at which an object was told of.
    pub fn of(&self, id: u32) -> &[u32] {
        let id_of = |at: &u32| self.told[*at as usize].1.id;
        let from = self.by_id.partition_point(|at| id_of(at) < id);
        let until = self.by_id.partition_point(|at| id_of(at) <= id);
        &self.by_id[from..until]
    }

    /// What each reason of a trade's signal rests on: the event itself, then what it came from. None for a place that the
    /// signal does not use; empty where the record does not have the structure.
    pub fn reasons(&self, trade: &Trade) -> [Option<Vec<u32>>; REASONS_MAX] {
        let ids = trade.signal.map_or([0; REASONS_MAX], |signal| signal.reasons);
        let mut place = 0;
        ids.map(|id| {
            place += 1;
            (id != 0).then(|| self.chain(id, place - 1, trade.opened))
        })
    }

    fn chain(&self, id: u32, place: usize, until: TsNs) -> Vec<u32> {
        let mut chain = Vec::new();
        let known = |places: &[u32]| places.partition_point(|at| self.told[*at as usize].0 <= until);
        let events = self.of(id);
        let events = &events[..known(events)];
        // A sweep or shift is the last that was told of its object, a zone or target what it was when it came to be.
        let is_wanted = |at: &&u32| match place {
            0 => is_sweep(self.at(**at).1.kind),
            1 | 4 => self.at(**at).1.kind.is_break(),
            _ => false,
        };
        let Some(&chosen) = events.iter().rev().find(is_wanted).or(events.first()) else { return chain };
        chain.push(chosen);
        let mut last = chosen;
        if events.first() != Some(&chosen) {
            last = events[0];
            chain.push(last);
        }
        while chain.len() < CHAIN_MAX {
            let cause = self.at(last).1.cause_id;
            // Causes are older: an id that was given later is another engine's.
            let Some(&from) = self.of(cause).first().filter(|from| cause != 0 && **from < last) else {
                break;
            };
            chain.push(from);
            last = from;
        }
        chain
    }

    /// When an object ended, if it did: a zone broken or filled, a pool taken.
    pub fn ended(&self, id: u32) -> Option<TsNs> {
        use StructureKind as K;
        let is_end = |kind: K| {
            matches!(
                kind,
                K::FvgInverted
                    | K::IfvgInvalidated
                    | K::ObBroken
                    | K::BreakerInvalidated
                    | K::PoolSwept
                    | K::PoolRun
                    | K::LevelSwept
                    | K::SessionClosed
                    | K::Expired
            )
        };
        self.of(id).iter().map(|at| self.at(*at)).find(|(_, it)| is_end(it.kind)).map(|(ts, _)| *ts)
    }
}

/// Liquidity that was taken.
pub const fn is_sweep(kind: StructureKind) -> bool {
    matches!(kind, StructureKind::LevelSwept | StructureKind::PoolSwept | StructureKind::PoolRun)
}

/// A structure in words.
pub fn said(it: &Structure, meta: &Meta) -> String {
    use StructureKind as K;
    let price = |price: Price| readable(price, meta.price_decimals(it.instrument));
    let side = if it.direction == Direction::Up { "high" } else { "low" };
    let way = if it.direction == Direction::Up { "bullish" } else { "bearish" };
    let (top, bottom) = (price(it.top), price(it.bottom));
    let zone = format!("{bottom} to {top}");
    let atr = || grouped(it.extra as f64 / 1e6, 2);
    let pool = || format!("equal {side}s at {} ({} of them)", price(pool_level(it)), it.extra);
    let session = |index: i64| {
        let name = usize::try_from(index).ok().and_then(|index| meta.sessions.get(index));
        name.map_or_else(|| format!("session {}", index + 1), |name| format!("{name} session"))
    };
    let broke = |name: &str| {
        let beyond = if it.direction == Direction::Up { "above" } else { "below" };
        format!("{way} {name}: close {beyond} {top}, body {} ATR", atr())
    };
    match it.kind {
        K::PivotConfirmed => format!("pivot {side} at {top}"),
        K::SwingStarted | K::SwingExtended => format!("swing {side} at {top}"),
        K::SwingLocked => label(it.extra)
            .map_or(format!("swing {side} at {top}"), |name| format!("swing {side} at {top} ({name})")),
        K::Bos => broke("break of structure"),
        K::Choch => broke("change of character"),
        K::Mss => broke("market structure shift"),
        K::PatternConfirmed => format!("{way} pattern over {top}"),
        K::PatternBroken => format!("{way} pattern over {top}, broken"),
        K::PatternSuperseded => format!("{way} pattern over {top}, superseded"),
        K::FvgCreated => format!("{way} fair value gap {zone}, {} ATR high", atr()),
        K::FvgJoined => format!("{way} fair value gap {zone}, joined, {} ATR high", atr()),
        K::FvgMitigated => format!("{way} fair value gap {zone}, mitigated"),
        K::FvgInverted => format!("{way} fair value gap {zone}, inverted"),
        K::IfvgInvalidated => format!("{way} fair value gap {zone}, inverted and broken"),
        K::ObCreated => format!("{way} order block {zone}"),
        K::ObTested => format!("{way} order block {zone}, tested"),
        K::ObBroken => format!("{way} order block {zone}, broken: a breaker"),
        K::BreakerInvalidated => format!("{way} order block {zone}, its breaker broken"),
        K::PoolFormed | K::PoolExtended => pool(),
        K::PoolSwept => pool() + " swept",
        K::PoolRun => pool() + " run through",
        K::LevelSwept => {
            let whose = match it.value {
                0 => "pivot".to_owned(),
                code @ 1..=3 => format!("previous {}'s", smc_detect::json::period(code)),
                code @ ..16 => format!("previous {}'s", if code == 4 { "period" } else { "level" }),
                code => session(code - 16),
            };
            format!("{whose} {side} at {top} swept, {} beyond", price(Price(it.extra)))
        }
        K::PeriodRolled => format!("previous {}: high {top}, low {bottom}", period(it.extra)),
        K::PeriodLevelBroken => format!("previous {}'s {side} at {top} broken", period(it.extra)),
        K::SessionOpened => format!("{} open", session(it.extra)),
        K::SessionClosed => format!("{}: high {top}, low {bottom}", session(it.extra)),
        K::RangeChanged => format!("dealing range {zone}"),
        K::ZoneChanged => format!("place in the dealing range {zone}"),
        K::OteEntered => format!("{way} leg: entered its optimal band {zone}"),
        K::OteLeft => format!("{way} leg: left its optimal band {zone}"),
        K::RetracementReached => {
            format!("{way} leg: {} % retraced at {top}", grouped(it.extra as f64 / 1e4, 1))
        }
        K::Expired => format!("{zone}: no longer kept"),
        K::InputRejected => "bar refused".to_owned(),
    }
}

/// The few letters that a chart has room for.
pub fn short(it: &Structure) -> &'static str {
    use StructureKind as K;
    let by = |up, down| if it.direction == Direction::Up { up } else { down };
    match it.kind {
        K::Bos => "BOS",
        K::Choch => "CHoCH",
        K::Mss => "MSS",
        K::FvgInverted | K::IfvgInvalidated => "iFVG",
        K::FvgCreated | K::FvgJoined | K::FvgMitigated => "FVG",
        K::ObBroken | K::BreakerInvalidated => "breaker",
        K::ObCreated | K::ObTested => "OB",
        K::PoolFormed | K::PoolExtended | K::PoolSwept | K::PoolRun => by("EQH", "EQL"),
        K::LevelSwept => "sweep",
        K::PivotConfirmed | K::SwingStarted | K::SwingExtended => by("high", "low"),
        K::SwingLocked => label(it.extra).unwrap_or(by("high", "low")),
        K::PeriodRolled | K::PeriodLevelBroken => match it.extra {
            1 => by("PDH", "PDL"),
            2 => by("PWH", "PWL"),
            3 => by("PMH", "PML"),
            _ => by("PH", "PL"),
        },
        _ => "",
    }
}

/// The level of a pool: the mean of its members, or the middle of its band.
pub fn pool_level(it: &Structure) -> Price {
    if it.value == 0 { Price(i64::midpoint(it.top.0, it.bottom.0)) } else { Price(it.value) }
}

const fn period(code: i64) -> &'static str {
    match code {
        1 => "day",
        2 => "week",
        3 => "month",
        _ => "period",
    }
}

/// A price with the instrument's decimals and no more zeros than that.
fn readable(price: Price, decimals: u8) -> String {
    if decimals == 8 {
        let text = fixed(price.0, 8);
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    grouped(float(price.0), usize::from(decimals))
}

#[cfg(test)]
mod tests {
    use super::*;
    use smc_core::output::{Scope, Signal};
    use smc_core::words::{InstrumentId, Money, Qty, Timeframe};

    fn told(ts: u64, kind: StructureKind, id: u32, cause_id: u32) -> (TsNs, Structure) {
        let structure = Structure {
            instrument: InstrumentId(0),
            timeframe: Timeframe::parse("15m").unwrap(),
            kind,
            direction: Direction::Down,
            id,
            cause_id,
            bar: 1,
            known_bar: 2,
            top: Price(150_000_000),
            bottom: Price(150_000_000),
            extra: 3_000_000,
            value: 0,
            scope: Scope::Swing,
        };
        (TsNs(ts), structure)
    }

    fn trade(opened: u64, reasons: [u32; REASONS_MAX]) -> Trade {
        let (price, qty, money) = (Price(1), Qty(1), Money(0));
        let signal = Signal {
            id: 1,
            strategy: 0,
            instrument: InstrumentId(0),
            direction: Direction::Up,
            entry: price,
            stop: price,
            target: price,
            reasons,
        };
        Trade {
            instrument: InstrumentId(0),
            direction: Direction::Up,
            signal: Some(signal),
            opened: TsNs(opened),
            closed: TsNs(opened),
            qty,
            entry: price,
            exit: price,
            gross: money,
            fees: money,
            cash: money,
            net: money,
            risked: money,
            mae: money,
            mfe: money,
            exit_by: None,
            slippage: money,
            fills: 0,
        }
    }

    #[test]
    fn a_reason_is_what_was_known_when_the_trade_opened_and_leads_back_to_its_cause() {
        use StructureKind as K;
        let record = [
            told(10, K::PivotConfirmed, 1, 0),
            told(20, K::LevelSwept, 1, 0),
            told(25, K::PivotConfirmed, 4, 0),
            told(30, K::Choch, 2, 4),
            told(30, K::ObCreated, 3, 2),
            told(50, K::ObBroken, 3, 2),
            told(60, K::LevelSwept, 1, 0),
        ];
        let causes = Causes::new(&record);
        let chains = causes.reasons(&trade(40, [1, 2, 3, 0, 99, 0]));
        // The sweep came before the fill, and is of a pivot; the break and the block lead to the pivot that broke.
        let expected = [Some(vec![1, 0]), Some(vec![3, 2]), Some(vec![4, 3, 2]), None, Some(vec![]), None];
        assert_eq!(chains, expected);
        assert_eq!(causes.reasons(&trade(15, [1, 2, 0, 0, 0, 0]))[..2], [Some(vec![0]), Some(vec![])]);
        assert_eq!((causes.ended(3), causes.ended(2)), (Some(TsNs(50)), None));
    }

    #[test]
    fn structures_are_said_in_words() {
        let meta = Meta::new("");
        let said = |kind, value| said(&Structure { value, ..told(1, kind, 1, 0).1 }, &meta);
        assert_eq!(said(StructureKind::LevelSwept, 1), "previous day's low at 1.5 swept, 0.03 beyond");
        assert_eq!(said(StructureKind::LevelSwept, 16), "session 1 low at 1.5 swept, 0.03 beyond");
        assert_eq!(said(StructureKind::PoolSwept, 160_000_000), "equal lows at 1.6 (3000000 of them) swept");
        assert_eq!(
            said(StructureKind::Mss, 0),
            "bearish market structure shift: close below 1.5, body 3.00 ATR"
        );
    }
}
