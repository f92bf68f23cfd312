//! sizing never risks more than the fraction of equity after fees at the stop, and never a lot less than it
//! could; and the reasons are right.

mod money_common;

use money_common::*;
use smc_core::sizing::policy::{Evidence, KellyParams, stake};
use smc_core::sizing::record::TradeRecord;
use smc_core::sizing::{Rate, SizeReason, SizeRequest, is_stop_far_enough, size_entry, size_from_risk};
use smc_core::words::{Money, Price, Qty, SCALE};

/// `SMC_SIZING_INPUTS` random inputs; the long form is 1,000,000.
fn random_inputs() -> u32 {
    #[allow(clippy::disallowed_methods, reason = "the core reads no environment, its tests may")]
    let text = std::env::var("SMC_SIZING_INPUTS").ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

/// Full product of two `u128`, high half first: the oracle must not overflow where the code must not.
fn wide(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let middle = a1 * b0 + ((a0 * b0) >> 64);
    let other = a0 * b1 + (middle & LOW);
    (a1 * b1 + (middle >> 64) + (other >> 64), (other << 64) | ((a0 * b0) & LOW))
}

/// What Kelly's criterion makes of some random past; never more than its cap or than its part of the fraction.
fn random_stake(rng: &mut Rng) -> Rate {
    let cap_ppm = rng.between(1, 100_000) as u32;
    let params = KellyParams {
        fraction_ppm: rng.between(1, 1_000_000) as u32,
        prior_strength: rng.between(1, 200) as u32,
        cap_ppm,
        lower_quantile_ppm: rng.between(1, 500_000) as u32,
        drawdown_limit_ppm: rng.between(1, 1_000_000) as u32,
        probation_trades: rng.between(0, 40) as u32,
        probation_ppm: rng.between(1, cap_ppm.into()) as u32,
        volatility_target_ppm: rng.one_in(2).then(|| rng.between(1, 100_000) as u32),
    };
    let mut record = TradeRecord::default();
    for _ in 0..rng.below(20) {
        record.count(Money(rng.between(-1_000, 2_000)), Money(rng.between(-1, 1_000)));
    }
    let most = 10i64.pow(rng.between(0, 7) as u32);
    let evidence = Evidence {
        wins: rng.between(0, most) as u32,
        losses: rng.between(0, most) as u32,
        record,
        reward: rng.between(0, 100_000) as f64 / 10_000.0,
        cost: rng.between(0, 10_000) as f64 / 10_000.0,
        drawdown: rng.between(-1_000, 11_000) as f64 / 10_000.0,
        volatility: (!rng.one_in(5)).then(|| rng.between(0, 1_000_000) as f64 / 1e7),
    };
    let stake = stake(&params, &evidence);
    assert!((Rate(0)..=Rate::from_ppm(cap_ppm)).contains(&stake.risk_fraction), "{params:?} {stake:?}");
    if evidence.wins + evidence.losses >= params.probation_trades {
        let kelly = stake.fraction * f64::from(params.fraction_ppm) / 1e6;
        assert!(stake.risk_fraction.0 as f64 <= kelly * 1e8, "{params:?} {stake:?}");
    }
    assert!(stake.verdict.is_traded() || stake.risk_fraction == Rate(0));
    stake.risk_fraction
}

#[test]
fn no_size_risks_more_than_the_fraction() {
    let mut rng = Rng::seeded("sizing", 0x5EED_512E_0010);
    let (inputs, mut traded) = (random_inputs(), 0);
    for _ in 0..inputs {
        let price = 10i64.pow(rng.between(4, 14) as u32) / 7 * rng.between(1, 9);
        let distance = price / rng.between(2, 5_000) + rng.between(0, 1);
        let stop = if rng.one_in(2) { price - distance } else { price + distance };
        let lot = 10i64.pow(rng.between(0, 8) as u32);
        let equity_max = 10i64.pow(rng.between(8, 16) as u32);
        let request = SizeRequest {
            equity: Money(rng.between(0, equity_max)),
            risk_fraction: match rng.one_in(2) {
                true => random_stake(&mut rng),
                false => Rate::from_ppm(rng.between(1, 20_000) as u32),
            },
            entry: Price(price),
            stop: Price(stop),
            multiplier: Qty(if rng.one_in(4) { rng.between(1, 100 * SCALE) } else { SCALE }),
            fee: Rate::from_ppm(rng.between(0, 2_000) as u32),
            lot: Qty(lot),
            qty_min: Qty(lot),
            qty_max: Qty(whole(5_000)),
            notional_min: Money(0),
        };
        let size = size_from_risk(&request);
        assert_eq!(size.qty.0 % lot, 0);
        assert!((0..=whole(5_000)).contains(&size.qty.0));
        // The loss at the stop, from the definition, 1e-32 units; the risk in the same.
        let (entry, stop) = (price as u128, stop as u128);
        let per_unit = (entry.abs_diff(stop) * SCALE as u128 + request.fee.0 as u128 * (entry + stop))
            * request.multiplier.0 as u128;
        let risk = wide(request.equity.0 as u128 * request.risk_fraction.0 as u128, 10u128.pow(16));
        let loss = |qty: i64| wide(per_unit, qty as u128);
        assert!(loss(size.qty.0) <= risk, "risks too much: {request:?} {size:?}");
        if size.reason == SizeReason::Ok {
            assert!(loss(size.qty.0 + lot) > risk, "risks too little: {request:?} {size:?}");
        }
        traded += u32::from(size.qty.0 > 0);
    }
    println!("{traded} of {inputs} sized above zero");
    assert!(traded > inputs / 5);
}

fn request() -> SizeRequest {
    SizeRequest {
        equity: Money(whole(10_000)),
        risk_fraction: Rate::from_ppm(5_000),
        entry: Price(whole(65_000)),
        stop: Price(whole(64_350)),
        multiplier: Qty(SCALE),
        fee: Rate::from_ppm(500),
        lot: Qty(SCALE / 1000),
        qty_min: Qty(SCALE / 1000),
        qty_max: Qty(whole(100)),
        notional_min: Money(whole(5)),
    }
}

fn check(change: impl Fn(&mut SizeRequest), qty: i64, reason: SizeReason) {
    let mut request = request();
    change(&mut request);
    let size = size_from_risk(&request);
    assert_eq!((size.qty, size.reason), (Qty(qty), reason), "{request:?}");
}

#[test]
fn reasons_name_what_decided() {
    let milli = SCALE / 1000;
    check(|_| {}, 69 * milli, SizeReason::Ok);
    check(|r| r.qty_max = Qty(69 * milli), 69 * milli, SizeReason::Ok);
    check(|r| r.qty_max = Qty(68 * milli + 1), 68 * milli, SizeReason::Capped);
    check(|r| r.qty_min = Qty(69 * milli), 69 * milli, SizeReason::Ok);
    check(|r| r.qty_min = Qty(70 * milli), 0, SizeReason::BelowMinQty);
    check(|r| r.notional_min = Money(whole(4_485)), 69 * milli, SizeReason::Ok);
    check(|r| r.notional_min = Money(whole(4_485) + 1), 0, SizeReason::BelowMinNotional);
    check(|r| r.stop = r.entry, 0, SizeReason::ZeroStopDistance);
    check(|r| r.equity = Money(0), 0, SizeReason::BelowMinQty);
    check(|r| r.equity = Money(-whole(1)), 0, SizeReason::BelowMinQty);
    check(|r| (r.equity, r.qty_min) = (Money(0), Qty(0)), 0, SizeReason::BelowMinQty);
    check(|r| r.lot = Qty(0), 0, SizeReason::BadInput);
    check(|r| r.entry = Price(0), 0, SizeReason::BadInput);
    check(|r| r.stop = Price(-1), 0, SizeReason::BadInput);
    check(|r| r.fee = Rate(-1), 0, SizeReason::BadInput);
    check(|r| r.multiplier = Qty(i64::MAX), 0, SizeReason::BelowMinQty);
    let huge = |r: &mut SizeRequest| (r.entry, r.multiplier) = (Price(i64::MAX), Qty(i64::MAX));
    check(huge, 0, SizeReason::BadInput);
}

#[test]
fn an_entry_needs_a_stop_outside_the_noise() {
    let spec = spec();
    let size = |stop: i64, spread: i64| {
        let (entry, stop) = (Price(whole(65_000)), Price(whole(65_000) - stop));
        let (rate, fee) = (Rate::from_ppm(5_000), Rate::from_ppm(1_000));
        size_entry(Money(whole(10_000)), rate, entry, stop, Price(spread), fee, Qty(whole(9)), &spec).reason
    };
    let tick = spec.tick.0;
    assert_eq!(size(3 * tick, tick), SizeReason::Ok);
    assert_eq!(size(3 * tick - 1, tick), SizeReason::StopTooClose);
    assert_eq!(size(50 * tick, 50 * tick), SizeReason::Ok);
    assert_eq!(size(50 * tick, 50 * tick + 1), SizeReason::StopTooClose);
    assert_eq!(size(0, tick), SizeReason::ZeroStopDistance);
    assert!(!is_stop_far_enough(Price(5), Price(5), Price(i64::MAX), Price(0)));
}
