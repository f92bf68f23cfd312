//! Laws of value at risk: one return at a time is the batch, bit for bit; a book is its returns; a saved state goes on.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use smc_core::state::{State, StateIo};
use smc_core::var::{
    BookRisk, Decay, Ewma, FilteredHistorical, NormalTail, PortfolioVar, PortfolioVarSettings,
    RESIDUALS_DROPPED, SlidingHistorical, Tail, TailRisk, ewma, filtered_historical, historical,
};

/// Returns with quiet and wild times; some are equal and some are zero.
struct Market(u64);

impl Market {
    fn random(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn draw(&mut self, nth: usize) -> f64 {
        let sum: i64 = (0..4).map(|_| (self.random() % 2_001) as i64 - 1_000).sum();
        let wild = if nth / 300 % 4 == 3 { 5.0 } else { 1.0 };
        // Whole hundred-thousandths, so that values meet again.
        (sum as f64 / 40.0 * wild).trunc() / 100_000.0
    }
}

fn tail(basis_points: u64) -> Tail {
    Tail::from_basis_points(basis_points).unwrap()
}

fn bits(risk: Option<TailRisk>) -> Option<(u64, u64)> {
    risk.map(|risk| (risk.var.to_bits(), risk.es.to_bits()))
}

fn reload<S: State>(from: &mut S, mut into: S) -> S {
    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    StateIo::save(from, &mut bytes);
    StateIo::load(&mut into, &bytes).unwrap();
    StateIo::save(&mut into, &mut again);
    assert!(bytes == again, "the same state, the same bytes");
    for cut in [0, bytes.len() / 2, bytes.len() - 1] {
        assert!(StateIo::load(from, &bytes[..cut]).is_err());
    }
    into
}

/// the limit's engines and the recomputation agree at every one of 100,000 updates.
#[test]
fn one_return_at_a_time_is_the_batch_bit_for_bit() {
    const UPDATES: usize = 100_000;
    const WINDOW: usize = 500;
    let (tail, decay) = (tail(130), Decay::USUAL);
    let normal = NormalTail::new(tail.fraction()).unwrap();
    let new = || {
        (
            SlidingHistorical::new(WINDOW, tail).unwrap(),
            Ewma::new(decay),
            FilteredHistorical::new(WINDOW, decay, RESIDUALS_DROPPED, tail).unwrap(),
        )
    };
    let (mut sliding, mut weighted, mut filtered) = new();
    let mut market = Market(17);
    let returns: Vec<f64> = (0..UPDATES).map(|nth| market.draw(nth)).collect();
    let mut room = vec![0.0; WINDOW];
    let (mut variance, mut residuals) = (returns[0] * returns[0], Vec::with_capacity(UPDATES));
    for (nth, value) in returns.iter().enumerate() {
        sliding.on_return(*value);
        weighted.on_return(*value);
        filtered.on_return(*value);
        let seen = &returns[..=nth];

        // The textbook's lines, written out again.
        residuals.push(*value / variance.sqrt());
        variance = 0.94 * variance + (1.0 - 0.94) * (value * value);
        let sigma = variance.sqrt();
        assert_eq!(weighted.sigma().map(f64::to_bits), Some(sigma.to_bits()), "update {nth}");
        let last = |all: &[f64]| all[all.len() - WINDOW..].to_vec();
        let expected = (seen.len() >= WINDOW).then(|| historical(&mut last(seen), tail).unwrap());
        assert_eq!(bits(sliding.risk()), bits(expected), "update {nth}");
        let expected = (seen.len() >= WINDOW + RESIDUALS_DROPPED).then(|| {
            let risk = historical(&mut last(&residuals), tail).unwrap();
            TailRisk { var: risk.var * sigma, es: risk.es * sigma }
        });
        assert_eq!(bits(filtered.risk()), bits(expected), "update {nth}");

        // The shipped batch forms begin at the first return every time, so they are asked now and then.
        if nth % 499 == 0 || nth + 1 == UPDATES {
            assert_eq!(ewma(seen, decay).map(f64::to_bits), Some(sigma.to_bits()));
            let batch = filtered_historical(seen, decay, RESIDUALS_DROPPED, tail, &mut room);
            assert_eq!(batch.sigma.map(f64::to_bits), Some(sigma.to_bits()));
            if batch.residuals == WINDOW {
                assert_eq!(bits(batch.risk), bits(filtered.risk()), "update {nth}");
            }
            let risk = normal.risk(0.0, sigma).unwrap();
            assert_eq!(risk.var.to_bits(), (-normal.z() * sigma).to_bits());
            let blank = new();
            sliding = reload(&mut sliding, blank.0);
            weighted = reload(&mut weighted, blank.1);
            filtered = reload(&mut filtered, blank.2);
        }
    }
}

/// Behind a hole everything is as at the start.
#[test]
fn a_hole_begins_the_history_anew() {
    let (tail, decay) = (tail(500), Decay::USUAL);
    let mut market = Market(3);
    for hole in [f64::NAN, f64::NEG_INFINITY, 1e200] {
        let mut sliding = SlidingHistorical::new(40, tail).unwrap();
        let mut filtered = FilteredHistorical::new(40, decay, 5, tail).unwrap();
        let mut fresh = (sliding.clone(), filtered.clone());
        (0..100).for_each(|nth| {
            sliding.on_return(market.draw(nth));
            filtered.on_return(market.draw(nth));
        });
        sliding.on_return(hole);
        filtered.on_return(hole);
        for nth in 0..100 {
            let value = market.draw(nth);
            sliding.on_return(value);
            fresh.0.on_return(value);
            filtered.on_return(value);
            fresh.1.on_return(value);
            assert_eq!(bits(sliding.risk()), bits(fresh.0.risk()));
            assert_eq!(bits(filtered.risk()), bits(fresh.1.risk()));
            assert_eq!((sliding.risk().is_some(), filtered.risk().is_some()), (nth >= 39, nth >= 44));
        }
    }
}

/// A return after none that moved has no residual: no figure until it has left the window.
#[test]
fn a_residual_over_nothing_makes_no_figure() {
    let mut filtered = FilteredHistorical::new(10, Decay::USUAL, 0, tail(1_000)).unwrap();
    let returns = [0.0, 0.0, 0.01, -0.02, 0.01, -0.01, 0.02, 0.01, -0.01, 0.01, 0.02, -0.01, 0.01, 0.01];
    let given: Vec<bool> = returns
        .iter()
        .map(|value| {
            filtered.on_return(*value);
            filtered.risk().is_some()
        })
        .collect();
    // Ten residuals without the first three: the thirteenth is the first to have none of them.
    assert_eq!(given.iter().position(|is_given| *is_given), Some(12), "{given:?}");
}

/// The slow twin of a portfolio: every return kept, the sum of each step written out, the batch forms over it.
fn twin(history: &[Vec<f64>], weights: &[f64], settings: &PortfolioVarSettings) -> Option<BookRisk> {
    let held = |nth: usize| weights[nth] != 0.0;
    let last = history.get(history.len().checked_sub(settings.window)?..)?;
    if last.iter().any(|step| (0..weights.len()).any(|nth| held(nth) && !step[nth].is_finite())) {
        return None;
    }
    let sum = |step: &Vec<f64>| {
        (0..weights.len()).filter(|nth| held(*nth)).fold(0.0, |sum, nth| sum + weights[nth] * step[nth])
    };
    let book: Vec<f64> = last.iter().map(sum).collect();
    let sigma = ewma(&book, settings.decay)?;
    let mut room = vec![0.0; book.len()];
    Some(BookRisk {
        historical: historical(&mut book.clone(), settings.tail)?,
        ewma: NormalTail::new(settings.tail.fraction())?.risk(0.0, sigma)?,
        filtered: filtered_historical(&book, settings.decay, RESIDUALS_DROPPED, settings.tail, &mut room)
            .risk?,
    })
}

fn all_bits(risk: Option<BookRisk>) -> Option<[(u64, u64); 3]> {
    risk.map(|risk| [risk.historical, risk.ewma, risk.filtered].map(|r| (r.var.to_bits(), r.es.to_bits())))
}

#[test]
fn the_risk_of_a_book_is_that_of_its_returns_bit_for_bit() {
    let mut market = Market(29);
    for (instruments, window, basis_points) in [
        (1, 21, 100),
        (2, 60, 1_000),
        (3, 200, 250),
        (8, 500, 100),
        (9, 250, 3_000),
        (17, 100, 9_999),
        (64, 50, 500),
    ] {
        let settings =
            PortfolioVarSettings { instruments, window, tail: tail(basis_points), decay: Decay::USUAL };
        let mut portfolio = PortfolioVar::new(settings).unwrap();
        let (mut history, mut given) = (Vec::new(), 0);
        for nth in 0..3 * window + 40 {
            let mut step: Vec<f64> = (0..instruments).map(|_| market.draw(nth)).collect();
            if market.random().is_multiple_of(90) {
                step[market.random() as usize % instruments] = f64::NAN;
            }
            portfolio.push(&step);
            history.push(step);
            if nth % 7 == 0 {
                portfolio = reload(&mut portfolio, PortfolioVar::new(settings).unwrap());
            }
            let holds_few = nth % 2 == 0;
            let weights: Vec<f64> = (0..instruments)
                .map(|_| {
                    let is_held = !holds_few || market.random().is_multiple_of(4);
                    if is_held { market.random() as f64 / 1e9 - 1.0 } else { 0.0 }
                })
                .collect();
            if weights.iter().all(|weight| *weight == 0.0) {
                continue;
            }
            let risk = portfolio.of_book(&weights);
            assert_eq!(
                all_bits(risk),
                all_bits(twin(&history, &weights, &settings)),
                "{settings:?} step {nth}"
            );
            given += u32::from(risk.is_some());
            if let Some(risk) = risk {
                let of_three = [risk.historical, risk.ewma, risk.filtered];
                assert!(of_three.iter().all(|one| one.var <= risk.var() && one.es <= risk.es()));
                assert!(risk.var() <= risk.es() + 1e-15 * risk.es().abs(), "{risk:?}");
            }
        }
        assert!(given > 0, "{settings:?}: no book had a risk");
    }
}

#[test]
fn a_book_of_nothing_has_no_risk_and_an_unknown_one_is_undefined() {
    let settings = PortfolioVarSettings { instruments: 2, window: 30, tail: tail(500), decay: Decay::USUAL };
    let mut portfolio = PortfolioVar::new(settings).unwrap();
    assert_eq!(portfolio.of_book(&[0.0, -0.0]).unwrap().var(), 0.0);
    let mut market = Market(1);
    for nth in 0..30 {
        assert_eq!(portfolio.of_book(&[1.0, 0.0]), None, "after {nth}");
        portfolio.push(&[market.draw(nth)]);
    }
    assert!(portfolio.of_book(&[1.0, 0.0]).unwrap().var() > 0.0);
    assert_eq!(portfolio.with_order(&[1.0, 1e-9]), None, "the second one was never told");
    for weights in [&[1.0][..], &[1.0, 0.0, 0.0], &[f64::NAN, 0.0], &[f64::INFINITY, 0.0], &[1e308, 0.0]] {
        assert!(portfolio.of_book(weights).is_none_or(|risk| risk.var().is_finite()));
    }
    assert_eq!(portfolio.of_book(&[f64::NAN, 0.0]), None);
    for settings in [
        PortfolioVarSettings { instruments: 0, ..settings },
        PortfolioVarSettings { instruments: 65, ..settings },
        PortfolioVarSettings { window: RESIDUALS_DROPPED, ..settings },
        PortfolioVarSettings { window: 1_001, ..settings },
        PortfolioVarSettings { tail: tail(0), ..settings },
        PortfolioVarSettings { tail: tail(10_000), ..settings },
    ] {
        assert!(PortfolioVar::new(settings).is_none(), "{settings:?}");
    }
}
