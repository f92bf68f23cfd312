//! The risk of a whole book as it is weighted now, over what its instruments did before.
//!
//! `R_t = sum of w_i r_i,t` in the order of instruments, where a weight is the signed notional over the equity; then
//! three methods over `R`. Weights change with every order, so nothing of `R` can be kept: each question is answered
//! anew, in `O(window x instruments)`, in memory taken at the start. What makes it quick:
//!
//! - Returns lie in columns, one an instrument, and each is written twice, `window` apart, so that the last `window`
//!   are always one slice. Four columns at a time are added up, in the same order as one by one.
//! - Nothing is sorted: a VaR of the worst per cent needs the worst five of 500, which one pass finds.
//! - Only the variance is a chain, where each step waits for the one before; the rest runs beside it.
//!
//! Bench `var`: 2.7 us for 8 instruments held and a window of 500, 8 us for 64. One instrument costs as much as 8: the
//! chain of the variance and the roots beside it are most of it.

use alloc::boxed::Box;
use alloc::vec;

use libm::sqrt;

use crate::state::{State, StateError, StateIo};

use super::ewma::Decay;
use super::filtered::{RESIDUALS_DROPPED, residual};
use super::parametric::NormalTail;
use super::{Tail, TailRisk, WINDOW_MAX, is_return};

/// Instruments of one book.
pub const INSTRUMENTS_MAX: usize = 64;

/// What a [`PortfolioVar`] is made for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PortfolioVarSettings {
    /// 1 to [`INSTRUMENTS_MAX`].
    pub instruments: usize,
    /// Returns that are looked back on: more than [`RESIDUALS_DROPPED`], at most [`WINDOW_MAX`].
    pub window: usize,
    /// Not of nothing and not of everything.
    pub tail: Tail,
    /// Of the exponentially weighted variance.
    pub decay: Decay,
}

/// The three methods of the limit, over the same returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BookRisk {
    /// By exact rank.
    pub historical: TailRisk,
    /// Normal, with the exponentially weighted deviation.
    pub ewma: TailRisk,
    /// Residuals by exact rank, times the deviation now.
    pub filtered: TailRisk,
}

impl BookRisk {
    const NONE: Self = Self { historical: TailRisk::NONE, ewma: TailRisk::NONE, filtered: TailRisk::NONE };

    /// What a VaR limit is compared with: the largest of the three.
    pub const fn var(&self) -> f64 {
        self.historical.var.max(self.ewma.var).max(self.filtered.var)
    }

    /// The largest expected shortfall. But for rounding it is never below [`var`](Self::var), so a limit that must be
    /// conservative is compared with this instead.
    pub const fn es(&self) -> f64 {
        self.historical.es.max(self.ewma.es).max(self.filtered.es)
    }
}

/// Returns of up to [`INSTRUMENTS_MAX`] instruments on one grid of time, and the risk of books of them.
#[derive(Clone, Debug)]
pub struct PortfolioVar {
    settings: PortfolioVarSettings,
    normal: NormalTail,
    /// One column of `2 window` places an instrument: place `n` and `n + window` hold the same return.
    columns: Box<[f64]>,
    /// Returns of each instrument since its last hole, at most `window`.
    known: Box<[usize]>,
    /// The column place that is written next, below `window`; the oldest return stands there.
    next: usize,
    scratch: Scratch,
}

/// Means nothing between two questions.
#[derive(Clone, Debug)]
struct Scratch {
    /// `R`, oldest first.
    book: Box<[f64]>,
    residuals: Box<[f64]>,
    worst: Box<[f64]>,
}

impl PortfolioVar {
    /// `None` for settings out of their ranges. All memory is taken here.
    pub fn new(settings: PortfolioVarSettings) -> Option<Self> {
        let PortfolioVarSettings { instruments, window, tail, .. } = settings;
        let is_possible = (1..=INSTRUMENTS_MAX).contains(&instruments)
            && (RESIDUALS_DROPPED + 1..=WINDOW_MAX).contains(&window);
        let normal = NormalTail::new(tail.fraction())?;
        let zeros = |len: usize| vec![0.0; len].into_boxed_slice();
        is_possible.then(|| Self {
            settings,
            normal,
            columns: zeros(instruments * 2 * window),
            known: vec![0; instruments].into_boxed_slice(),
            next: 0,
            scratch: Scratch {
                book: zeros(window),
                residuals: zeros(window - RESIDUALS_DROPPED),
                worst: zeros(window),
            },
        })
    }

    /// Takes one return of each instrument, once a step of the grid. One that is missing or not a number is a hole, not
    /// a 0: the history of that instrument begins anew behind it.
    pub fn push(&mut self, returns: &[f64]) {
        let window = self.settings.window;
        for (nth, column) in self.columns.chunks_exact_mut(2 * window).enumerate() {
            let value = returns.get(nth).copied().unwrap_or(f64::NAN);
            let (value, known) =
                if is_return(value) { (value, window.min(self.known[nth] + 1)) } else { (0.0, 0) };
            column[self.next] = value;
            column[self.next + window] = value;
            self.known[nth] = known;
        }
        self.next = if self.next + 1 == window { 0 } else { self.next + 1 };
    }

    /// The risk of a book with these weights, one an instrument. `None` if it is not defined: an instrument that is
    /// held has not been seen for a whole window, nothing moved, or a weight is not a number. A book of nothing has no
    /// risk, whatever is known.
    pub fn of_book(&mut self, weights: &[f64]) -> Option<BookRisk> {
        if weights.len() != self.settings.instruments {
            return None;
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return Some(BookRisk::NONE);
        }
        self.weigh(weights)?;
        self.measure()
    }

    /// [`of_book`](Self::of_book) for the weights as an order would leave them: what the gate asks. The order has not
    /// happened, and nothing is remembered of it.
    pub fn with_order(&mut self, weights_after: &[f64]) -> Option<BookRisk> {
        self.of_book(weights_after)
    }

    /// Makes `R`. Instruments that are not held add nothing, so their columns are not read.
    fn weigh(&mut self, weights: &[f64]) -> Option<()> {
        let window = self.settings.window;
        let (columns, next) = (&self.columns, self.next);
        let column = |nth: usize| &columns[2 * nth * window + next..][..window];
        // A column of weight 0 stands where fewer than four are left: adding its zeros changes no bit.
        let (mut held, mut count) = ([(0.0, column(0)); 4], 0);
        let book = &mut self.scratch.book[..];
        book.fill(0.0);
        for (nth, weight) in weights.iter().enumerate() {
            if *weight == 0.0 {
                continue;
            }
            if self.known[nth] < window || !weight.is_finite() {
                return None;
            }
            held[count] = (*weight, column(nth));
            count += 1;
            if count == held.len() {
                add_columns(book, &held);
                (held, count) = ([(0.0, column(0)); 4], 0);
            }
        }
        if count > 0 {
            add_columns(book, &held);
        }
        Some(())
    }

    fn measure(&mut self) -> Option<BookRisk> {
        let PortfolioVarSettings { tail, decay, window, .. } = self.settings;
        let Scratch { book, residuals, worst } = &mut self.scratch;
        let lowest = worst_of(book, tail.rank(window), worst);
        let historical = tail.of_worst(lowest, window)?;

        let (settling, used) = book.split_at(RESIDUALS_DROPPED);
        let mut variance = book[0] * book[0];
        for value in settling {
            variance = decay.step(variance, value * value);
        }
        for (place, value) in residuals.iter_mut().zip(used) {
            *place = residual(*value, sqrt(variance));
            variance = decay.step(variance, value * value);
        }
        let sigma = sqrt(variance);
        let ewma = self.normal.risk(0.0, sigma)?;

        // One that is not a number is no residual, and then there is no figure.
        let is_sound = residuals.iter().fold(true, |is_sound, value| is_sound & value.is_finite());
        let count = residuals.len();
        let lowest = worst_of(residuals, tail.rank(count), worst);
        let filtered = tail.of_worst(lowest, count)?.scaled(sigma).filter(|_| is_sound)?;
        Some(BookRisk { historical, ewma, filtered })
    }
}

/// Adds four weighted columns to `book`, in this order.
fn add_columns(book: &mut [f64], held: &[(f64, &[f64]); 4]) {
    let [(w0, c0), (w1, c1), (w2, c2), (w3, c3)] = *held;
    for ((((sum, r0), r1), r2), r3) in book.iter_mut().zip(c0).zip(c1).zip(c2).zip(c3) {
        *sum = *sum + w0 * r0 + w1 * r1 + w2 * r2 + w3 * r3;
    }
}

/// As many values as are picked out one by one; more are found by selection.
const PICKED_MAX: usize = 24;

/// The lowest `count` of `values` in ascending order, in `room`, which is at least as long. Zeros must be positive.
fn worst_of<'a>(values: &[f64], count: usize, room: &'a mut [f64]) -> &'a [f64] {
    let count = count.min(values.len());
    if count == 0 {
        return &[];
    }
    if count > PICKED_MAX {
        let all = &mut room[..values.len()];
        all.copy_from_slice(values);
        if count < all.len() {
            all.select_nth_unstable_by(count - 1, f64::total_cmp);
        }
        all[..count].sort_unstable_by(f64::total_cmp);
        return &room[..count];
    }
    let picked = &mut room[..count];
    let (first, rest) = values.split_at(count);
    picked.copy_from_slice(first);
    picked.sort_unstable_by(f64::total_cmp);
    for value in rest {
        if *value < picked[count - 1] {
            let mut place = count - 1;
            while place > 0 && *value < picked[place - 1] {
                picked[place] = picked[place - 1];
                place -= 1;
            }
            picked[place] = *value;
        }
    }
    picked
}

impl State for PortfolioVar {
    /// Of each instrument the returns since its last hole, oldest first: what lies behind a hole is never read.
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { settings, normal: _, columns, known, next, scratch: _ } = self;
        let window = settings.window;
        if io.is_loading() {
            *next = 0;
        }
        for (column, known) in columns.chunks_exact_mut(2 * window).zip(known) {
            io.len(known, window)?;
            for value in &mut column[*next + window - *known..*next + window] {
                io.number(value)?;
                io.sound(is_return(*value))?;
            }
            if io.is_loading() {
                column.copy_within(window - *known..window, 2 * window - *known);
            }
        }
        Ok(())
    }
}
