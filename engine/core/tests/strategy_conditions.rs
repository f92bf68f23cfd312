//! Each condition of the confluence strategy: with it on, every signal meets it; with it off, some do not.
//! What meets it is worked out here, from what was said and the minutes, not by the strategy's own words.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod strategy_common;

use smc_core::event::Bar;
use smc_core::output::{Scope, Structure, StructureKind as Kind};
use smc_core::strategy::{BiasSource, ConfluenceParams, SessionSet, ShiftScope, StopAt};
use smc_core::words::{Direction, Timeframe};
use std::collections::BTreeMap;
use strategy_common::*;

const SWEEP: usize = 0;
const SHIFT: usize = 1;
const ZONE: usize = 2;
const TARGET: usize = 3;
const BIAS: usize = 4;
const SESSION: usize = 5;

/// Few conditions, so that there are many signals.
fn loose() -> ConfluenceParams {
    ConfluenceParams {
        require_bias: false,
        require_discount: false,
        reward_to_risk_ppm_min: 500_000,
        reward_to_risk_ppm_max: 20_000_000,
        cooldown_bars: 0,
        ..ConfluenceParams::default()
    }
}

/// How many signals there are, and how many of them meet it.
fn count(params: ConfluenceParams, bars: &[Bar], is_met: fn(&Moment) -> bool) -> (u32, u32) {
    let (mut strategy, config) = confluence(params);
    let (mut signals, mut met) = (0, 0);
    watch(&mut strategy, &config, bars, |moment| {
        signals += 1;
        met += u32::from(is_met(moment));
        false
    });
    (signals, met)
}

#[track_caller]
fn check_from(base: ConfluenceParams, change: fn(&mut ConfluenceParams), is_met: fn(&Moment) -> bool) {
    let bars = minutes(11, 30);
    let mut params = base;
    change(&mut params);
    assert_ne!(params, base);
    let (signals, met) = count(params, &bars, is_met);
    let (without, met_without) = count(base, &bars, is_met);
    println!("on: {met} of {signals}; off: {met_without} of {without}");
    assert_eq!(met, signals, "a signal breaks the condition");
    assert!(signals >= 3, "only {signals} signals");
    assert!(met_without < without, "never broken without it either: nothing is shown");
}

#[track_caller]
fn check(change: fn(&mut ConfluenceParams), is_met: fn(&Moment) -> bool) {
    check_from(loose(), change, is_met);
}

fn is_swept_level(moment: &Moment, code: i64) -> bool {
    let id = moment.reasons[SWEEP];
    let mut said = moment.said.iter().filter(|s| s.id == id && s.kind == Kind::LevelSwept);
    said.any(|s| s.value == code && s.direction == moment.direction.opposite())
}

/// None of the kinds of sweep.
fn deaf(params: &mut ConfluenceParams) {
    (params.accept_pool_sweeps, params.accept_level_sweeps) = (false, false);
}

/// None of the kinds of zone.
fn blind(params: &mut ConfluenceParams) {
    (params.accept_order_blocks, params.accept_gaps) = (false, false);
}

/// Liquidity or nothing, and none of the kinds of it.
fn aimless(params: &mut ConfluenceParams) {
    (params.require_liquidity_target, params.target_pools, params.target_swings) = (true, false, false);
}

fn last_break(said: &[Structure], timeframe: Timeframe) -> Option<&Structure> {
    said.iter().rev().find(|s| s.kind.is_break() && s.scope == Scope::Swing && s.timeframe == timeframe)
}

/// Highest high and lowest low.
fn extremes<'a>(bars: impl Iterator<Item = &'a Bar>) -> (i64, i64) {
    // Far beyond any price, and sums of two still fit.
    let none = (i64::MIN / 4, i64::MAX / 4);
    bars.fold(none, |(high, low), bar| (high.max(bar.high.0), low.min(bar.low.0)))
}

fn of_day(bars: &[Bar], day: u64) -> impl Iterator<Item = &Bar> {
    bars.iter().filter(move |bar| bar.open_ts.0 / DAY == day)
}

/// The day of the last closed bar, and the one before it.
fn days(moment: &Moment) -> (u64, u64) {
    let today = moment.bars.last().unwrap().open_ts.0 / DAY;
    (today, today - 1)
}

// The hour.

#[test]
fn signals_are_made_in_the_named_sessions_only() {
    check(
        |p| p.entry_sessions = SessionSet::of(LONDON).and(SessionSet::of(NEW_YORK)),
        |m| HOURS[1..].iter().any(|(from, to)| (from * 60..to * 60).contains(&m.minute())),
    );
}

#[test]
fn the_last_minutes_of_a_session_make_no_signal() {
    let base = ConfluenceParams { entry_sessions: SessionSet::of(LONDON), ..loose() };
    check_from(base, |p| p.entry_margin_min = 90, |m| m.minute() < HOURS[LONDON].1 * 60 - 90);
}

#[test]
fn a_session_and_a_day_have_no_more_signals_than_allowed() {
    let bars = minutes(11, 20);
    let most = |params: ConfluenceParams, key: fn(&Moment) -> u64| {
        let (mut strategy, config) = confluence(params);
        let mut counts = BTreeMap::new();
        watch(&mut strategy, &config, &bars, |moment| {
            *counts.entry(key(moment)).or_insert(0) += 1;
            false
        });
        counts.values().copied().max().unwrap()
    };
    let by_session: fn(&Moment) -> u64 = |m| m.day() * 10 + u64::from(m.minute() >= 12 * 60);
    let hours = SessionSet::of(LONDON).and(SessionSet::of(NEW_YORK));
    let base = ConfluenceParams { entry_sessions: hours, ..loose() };
    assert!(most(base, by_session) > 2, "too few to prove anything");
    assert_eq!(most(ConfluenceParams { signals_per_session_max: 2, ..base }, by_session), 2);
    assert_eq!(most(ConfluenceParams { signals_per_day_max: 1, ..base }, |m| m.day()), 1);
    assert_eq!(most(ConfluenceParams { signals_per_day_max: 3, ..loose() }, |m| m.day()), 3);
}

/// Held from the first signal on: out at the margin before the end, and no signal until the end.
#[test]
fn positions_are_closed_before_the_session_ends() {
    let bars = minutes(11, 30);
    let params = ConfluenceParams {
        exit_sessions: SessionSet::of(NEW_YORK),
        exit_margin_min: 30,
        entry_sessions: SessionSet::of(LONDON).and(SessionSet::of(NEW_YORK)),
        ..loose()
    };
    let run = |params: ConfluenceParams| {
        let (mut strategy, config) = confluence(params);
        let (mut held_days, mut late) = (vec![], 0);
        let exits = watch(&mut strategy, &config, &bars, |moment| {
            held_days.push(moment.day());
            late += u32::from(moment.minute() >= HOURS[NEW_YORK].1 * 60 - 30);
            true
        });
        (exits, held_days, late)
    };
    let (exits, held_days, late) = run(params);
    assert!(held_days.len() > 10);
    assert_eq!(late, 0, "a signal that would have to be closed at once");
    assert_eq!(exits.iter().map(|at| at.0 / DAY).collect::<Vec<_>>(), held_days);
    assert!(exits.iter().all(|at| at.0 % DAY / MINUTE == HOURS[NEW_YORK].1 * 60 - 30), "{exits:?}");
    let (exits, held_days, _) =
        run(ConfluenceParams { exit_sessions: SessionSet::NONE, exit_margin_min: 0, ..params });
    assert_eq!((exits.len(), held_days.len()), (0, 1), "without it the first is held for ever");
}

// The bias.

#[test]
fn the_bias_is_the_last_break_of_the_timeframe_named() {
    fn agrees(m: &Moment, timeframe: &str) -> bool {
        let last = last_break(m.said, Timeframe::parse(timeframe).unwrap());
        last.is_some_and(|s| s.direction == m.direction && (m.reasons[BIAS] == s.id || m.reasons[BIAS] == 0))
    }
    check(|p| p.require_bias = true, |m| agrees(m, "15m") && m.reasons[BIAS] != 0);
    let base = ConfluenceParams { require_bias: true, entry_timeframes: 1, ..loose() };
    check_from(base, |p| p.bias_timeframe = Timeframe::parse("5m"), |m| agrees(m, "5m"));
}

#[test]
fn the_bias_is_the_half_of_the_previous_days_range() {
    check(
        |p| (p.require_bias, p.bias_source) = (true, BiasSource::PreviousDayHalf),
        |m| {
            let (high, low) = extremes(of_day(m.bars, days(m).1));
            let close = m.smc().last_bar().unwrap().close.0;
            (2 * close - high - low).signum() == m.sign()
        },
    );
}

#[test]
fn the_bias_is_the_previous_days_level_that_is_left() {
    check(
        |p| (p.require_bias, p.bias_source) = (true, BiasSource::PreviousDayDraw),
        |m| {
            // Bars of the chart, not minutes, are what the chart has seen of today.
            let seen = m.smc().last_bar().unwrap().open_ts.0 + m.timeframe.nanos();
            let (today, yesterday) = days(m);
            let (high, low) = extremes(of_day(m.bars, yesterday));
            let (top, bottom) = extremes(of_day(m.bars, today).filter(|bar| bar.open_ts.0 < seen));
            let drawn = if m.direction == Direction::Up {
                (top <= high, bottom < low)
            } else {
                (high < top, bottom >= low)
            };
            drawn == (true, true)
        },
    );
}

// The sweep.

#[test]
fn the_sweep_is_of_the_kind_accepted() {
    check(|p| p.accept_level_sweeps = false, |m| m.reason(SWEEP).unwrap().kind == Kind::PoolSwept);
    check(|p| p.accept_pool_sweeps = false, |m| is_swept_level(m, 0));
    check(
        |p| {
            deaf(p);
            (p.accept_day_sweeps, p.sweep_age_bars_max, p.shift_age_bars_max) = (true, 200, 200);
        },
        |m| is_swept_level(m, 1),
    );
    check(
        |p| {
            deaf(p);
            (p.accept_week_sweeps, p.sweep_age_bars_max, p.shift_age_bars_max) = (true, 500, 500);
        },
        |m| is_swept_level(m, 2),
    );
}

#[test]
fn the_previous_months_low_is_liquidity_when_accepted() {
    let bars = minutes(5, 150);
    let mut params = loose();
    deaf(&mut params);
    (params.accept_month_sweeps, params.sweep_age_bars_max) = (true, 3_000);
    (params.shift_age_bars_max, params.zone_age_bars_max) = (3_000, 3_000);
    let (signals, met) = count(params, &bars, |m| is_swept_level(m, 3));
    assert_eq!(met, signals);
    assert!(signals > 0);
}

#[test]
fn the_sweep_is_of_the_session_named() {
    check(
        |p| {
            deaf(p);
            (p.sweep_sessions, p.sweep_age_bars_max) = (SessionSet::of(ASIA), 200);
            p.shift_age_bars_max = 200;
        },
        |m| is_swept_level(m, 16 + ASIA as i64) && m.first(SWEEP).unwrap().kind == Kind::SessionOpened,
    );
}

#[test]
fn the_session_itself_swept_where_that_is_asked_for() {
    let base = ConfluenceParams { entry_sessions: SessionSet::of(LONDON), ..loose() };
    check_from(
        base,
        |p| p.require_sweep_in_session = true,
        |m| {
            let swept = swept_bar(m).unwrap();
            let closed_min = (u64::from(swept) + 1) * m.timeframe.nanos() / MINUTE % 1_440;
            (HOURS[LONDON].0 * 60..HOURS[LONDON].1 * 60).contains(&closed_min)
        },
    );
}

#[test]
fn a_sweep_above_counts_where_it_is_accepted() {
    let is_from_above = |m: &Moment| m.reason(SWEEP).unwrap().timeframe > m.timeframe;
    let bars = minutes(11, 20);
    let base = ConfluenceParams { entry_timeframes: 1, ..loose() };
    assert_eq!(count(base, &bars, is_from_above).1, 0);
    let (signals, above) =
        count(ConfluenceParams { accept_higher_sweeps: true, ..base }, &bars, is_from_above);
    assert!(0 < above && above < signals, "{above} of {signals}");
}

// The shift.

#[test]
fn the_shift_is_of_the_kind_and_scope_asked_for() {
    check(|p| p.accept_bos = false, |m| m.reason(SHIFT).unwrap().kind.is_turn());
    let turns = ConfluenceParams { accept_bos: false, ..loose() };
    check_from(turns, |p| p.require_mss = true, |m| m.reason(SHIFT).unwrap().kind == Kind::Mss);
    check(|p| p.shift_scope = ShiftScope::Internal, |m| m.reason(SHIFT).unwrap().scope == Scope::Internal);
    let either = ConfluenceParams { shift_scope: ShiftScope::Either, ..loose() };
    check_from(
        either,
        |p| p.shift_scope = ShiftScope::Swing,
        |m| m.reason(SHIFT).unwrap().scope == Scope::Swing,
    );
}

#[test]
fn an_opposite_turn_of_the_scope_ends_the_trade() {
    let bars = minutes(11, 10);
    let exits = |exit_on_opposite_choch, shift_scope| {
        let params = ConfluenceParams { exit_on_opposite_choch, shift_scope, entry_timeframes: 1, ..loose() };
        let (mut strategy, config) = confluence(params);
        // The chart holds longs only.
        watch(&mut strategy, &config, &bars, |m| m.direction == Direction::Up).len()
    };
    assert_eq!(exits(false, ShiftScope::Swing), 0);
    assert!(exits(true, ShiftScope::Swing) > 3);
    assert!(exits(true, ShiftScope::Internal) > exits(true, ShiftScope::Swing));
}

// The zone.

#[test]
fn the_zone_is_of_the_kind_accepted() {
    check(|p| p.accept_gaps = false, |m| m.first(ZONE).unwrap().kind == Kind::ObCreated);
    check(|p| p.accept_order_blocks = false, |m| m.first(ZONE).unwrap().kind == Kind::FvgCreated);
    check(
        |p| {
            blind(p);
            p.accept_internal_blocks = true;
        },
        |m| m.first(ZONE).is_some_and(|s| s.kind == Kind::ObCreated && s.scope == Scope::Internal),
    );
}

/// Born on the other side, turned at the sweep or later, not ended.
fn is_turned(m: &Moment, turned: Kind) -> bool {
    let Some(flip) = m.all(ZONE).find(|s| s.kind == turned) else { return false };
    flip.direction == m.direction.opposite()
        && swept_bar(m).is_some_and(|known| known <= flip.known_bar)
        && m.reason(ZONE).unwrap().kind == turned
}

fn swept_bar(m: &Moment) -> Option<u32> {
    let sweeps = m.all(SWEEP).filter(|s| matches!(s.kind, Kind::PoolSwept | Kind::LevelSwept));
    sweeps.map(|s| s.known_bar).last()
}

#[test]
fn breakers_and_inverted_gaps_are_zones_once_they_have_turned_after_the_sweep() {
    check(
        |p| {
            blind(p);
            p.accept_breakers = true;
        },
        |m| is_turned(m, Kind::ObBroken),
    );
    check(
        |p| {
            blind(p);
            p.accept_inverted_gaps = true;
        },
        |m| is_turned(m, Kind::FvgInverted),
    );
}

/// The last leg in the trade's direction, from the swings said: origin and end.
fn last_leg(m: &Moment) -> Option<(i64, i64)> {
    let mut swings = m.said.iter().rev().filter(|s| {
        s.timeframe == m.timeframe
            && s.scope == Scope::Swing
            && matches!(s.kind, Kind::SwingStarted | Kind::SwingExtended)
    });
    let end = swings.next()?;
    let origin = swings.find(|s| s.id != end.id)?;
    (end.direction == m.direction).then_some((origin.top.0, end.top.0))
}

fn retraced_ppm(m: &Moment) -> Option<i64> {
    let (origin, end) = last_leg(m)?;
    Some((end - m.entry) * 1_000_000 / (end - origin))
}

#[test]
fn the_optimal_entry_band_is_a_zone_and_a_filter() {
    check(
        |p| {
            blind(p);
            p.accept_ote = true;
        },
        |m| {
            let is_swing =
                m.reason(ZONE).is_some_and(|s| s.kind == Kind::SwingStarted || s.kind == Kind::SwingExtended);
            let behind_origin = last_leg(m).is_some_and(|(origin, _)| (origin - m.stop) * m.sign() > 0);
            is_swing && behind_origin && (619_000..=791_000).contains(&retraced_ppm(m).unwrap())
        },
    );
    check(
        |p| p.require_ote = true,
        |m| retraced_ppm(m).is_some_and(|ppm| (619_000..=791_000).contains(&ppm)),
    );
}

#[test]
fn the_entry_is_as_deep_in_the_zone_as_asked_for() {
    check(
        |p| p.entry_depth_ppm = 500_000,
        |m| {
            let zone = m.first(ZONE).unwrap();
            let middle = (zone.top.0 + zone.bottom.0) / 2;
            (middle - m.entry) * m.sign() >= -TICK
        },
    );
}

// The stop.

#[test]
fn the_stop_stands_behind_the_sweep() {
    check(
        |p| p.stop_at = StopAt::Sweep,
        |m| {
            let known = swept_bar(m).unwrap();
            let width = m.timeframe.nanos();
            // Bars of the chart begin with the first minute and none is missing.
            let from = START + u64::from(known) * width;
            let swept = m.bars.iter().filter(|bar| (from..from + width).contains(&bar.open_ts.0));
            let (high, low) = extremes(swept);
            let extreme = if m.direction == Direction::Up { low } else { high };
            (extreme - m.stop) * m.sign() > 0
        },
    );
}

// The target.

fn is_target(m: &Moment, kinds: &[Kind]) -> bool {
    m.first(TARGET).is_some_and(|s| kinds.contains(&s.kind))
}

#[test]
fn the_target_is_of_the_kind_asked_for() {
    check(
        |p| {
            aimless(p);
            p.target_pools = true;
        },
        |m| is_target(m, &[Kind::PoolFormed]),
    );
    check(
        |p| {
            aimless(p);
            p.target_swings = true;
        },
        |m| is_target(m, &[Kind::SwingStarted]),
    );
    check(
        |p| {
            aimless(p);
            p.target_week = true;
        },
        |m| is_target(m, &[Kind::PeriodRolled]),
    );
}

#[test]
fn the_previous_days_level_is_a_target_while_unbroken() {
    check(
        |p| {
            aimless(p);
            p.target_day = true;
        },
        |m| {
            let seen = m.smc().last_bar().unwrap().open_ts.0;
            let (today, yesterday) = (seen / DAY, seen / DAY - 1);
            let (high, low) = extremes(of_day(m.bars, yesterday));
            let (top, bottom) =
                extremes(of_day(m.bars, today).filter(|bar| bar.open_ts.0 < seen + m.timeframe.nanos()));
            match m.direction {
                Direction::Up => m.target == high && top <= high,
                Direction::Down => m.target == low && low <= bottom,
            }
        },
    );
}

#[test]
fn the_level_of_a_closed_session_is_a_target_while_nothing_went_beyond() {
    check(
        |p| {
            aimless(p);
            p.target_sessions = SessionSet::of(ASIA);
        },
        |m| {
            // The last Asian session that the chart has seen close.
            let seen = m.smc().last_bar().unwrap().open_ts.0;
            let day = if seen % DAY / MINUTE >= HOURS[ASIA].1 * 60 { seen / DAY } else { seen / DAY - 1 };
            let is_asian = |bar: &&Bar| bar.open_ts.0 % DAY / MINUTE < HOURS[ASIA].1 * 60;
            let (high, low) = extremes(of_day(m.bars, day).filter(is_asian));
            let end = day * DAY + HOURS[ASIA].1 * 60 * MINUTE;
            let after = m.bars.iter().filter(|b| (end..seen + m.timeframe.nanos()).contains(&b.open_ts.0));
            let (top, bottom) = extremes(after);
            match m.direction {
                Direction::Up => m.target == high && top <= high,
                Direction::Down => m.target == low && low <= bottom,
            }
        },
    );
}

#[test]
fn a_strong_swing_is_no_target_where_weak_ones_are_asked_for() {
    let base = ConfluenceParams {
        require_shift: false,
        require_liquidity_target: true,
        target_pools: false,
        ..loose()
    };
    check_from(
        base,
        |p| p.require_weak_target = true,
        |m| {
            let bias = last_break(m.said, m.timeframe).map(|s| s.direction);
            bias != Some(m.direction.opposite())
        },
    );
}

// The reasons.

#[test]
fn the_reasons_name_the_open_session() {
    let bars = minutes(11, 10);
    let params = ConfluenceParams { entry_sessions: SessionSet::of(LONDON), ..loose() };
    let (signals, named) = count(params, &bars, |m| {
        let is_running = m.minute() > HOURS[LONDON].0 * 60 + 15;
        let is_named =
            m.reason(SESSION).is_some_and(|s| s.kind == Kind::SessionOpened && s.extra == LONDON as i64);
        is_named || !is_running
    });
    assert!(signals > 5);
    assert_eq!(named, signals);
    assert_eq!(count(loose(), &bars, |m| m.reasons[SESSION] != 0).1, 0);
}

// What contradicts itself.

#[test]
fn contradictions_are_refused_by_name() {
    type Fault = (&'static str, fn(&mut ConfluenceParams));
    let faults: [Fault; 20] = [
        ("entry_margin_min", |p| p.entry_margin_min = 5),
        ("entry_margin_min", |p| (p.entry_margin_min, p.entry_sessions) = (240, SessionSet::of(LONDON))),
        ("signals_per_session_max", |p| p.signals_per_session_max = 1),
        ("exit_margin_min", |p| p.exit_margin_min = 1),
        ("exit_margin_min", |p| (p.exit_margin_min, p.exit_sessions) = (1_440, SessionSet::of(0))),
        ("entry_sessions", |p| p.entry_sessions = SessionSet::of(3)),
        ("exit_sessions", |p| p.exit_sessions = SessionSet::of(15)),
        ("sweep_sessions", |p| p.sweep_sessions = SessionSet::of(4)),
        ("target_sessions", |p| p.target_sessions = SessionSet::of(3)),
        ("bias_timeframe", |p| p.bias_timeframe = Timeframe::parse("4h")),
        ("bias_timeframe", |p| {
            (p.bias_timeframe, p.bias_source) = (Timeframe::parse("5m"), BiasSource::PreviousDayHalf);
        }),
        ("require_sweep", deaf),
        ("require_sweep_in_session", |p| p.require_sweep_in_session = true),
        ("accept_order_blocks", blind),
        ("require_mss", |p| p.require_mss = true),
        ("stop_at", |p| (p.stop_at, p.require_sweep) = (StopAt::Sweep, false)),
        ("stop_at", |p| (p.stop_at, p.require_zone) = (StopAt::Sweep, false)),
        ("require_liquidity_target", aimless),
        ("require_weak_target", |p| (p.require_weak_target, p.target_swings) = (true, false)),
        ("entry_depth_ppm", |p| p.entry_depth_ppm = 1_000_001),
    ];
    for (field, change) in faults {
        let mut params = loose();
        change(&mut params);
        let error = config(params).check().unwrap_err().to_string();
        assert!(error.contains(&format!("strategy.{field}")), "{field}: {error}");
    }
}

#[test]
fn what_the_structure_does_not_keep_cannot_be_asked_for() {
    type Ask = (&'static str, fn(&mut ConfluenceParams));
    let asks: [Ask; 10] = [
        ("bias_source", |p| (p.require_bias, p.bias_source) = (true, BiasSource::PreviousDayDraw)),
        ("accept_day_sweeps", |p| p.accept_day_sweeps = true),
        ("accept_week_sweeps", |p| p.accept_week_sweeps = true),
        ("accept_month_sweeps", |p| p.accept_month_sweeps = true),
        ("target_day", |p| p.target_day = true),
        ("target_week", |p| p.target_week = true),
        ("shift_scope", |p| p.shift_scope = ShiftScope::Internal),
        ("accept_internal_blocks", |p| p.accept_internal_blocks = true),
        ("require_mss", |p| (p.require_mss, p.accept_bos) = (true, false)),
        ("entry_sessions", |p| p.entry_sessions = SessionSet::of(0)),
    ];
    for (field, ask) in asks {
        let mut params = loose();
        ask(&mut params);
        let kept = config(params);
        assert_eq!(kept.check(), Ok(()), "{field}");
        let mut bare = kept.clone();
        bare.smc = smc_core::smc::SmcParams::default();
        bare.calendar.sessions.clear();
        let error = bare.check().unwrap_err().to_string();
        assert!(error.contains(&format!("strategy.{field}")), "{field}: {error}");
    }
}
