//! What was planned when the strategy asked, and how far the trade has come since.
//!
//! Pure. The plan never changes; [`Progress`] is what the market makes of it: which parts of the profit are due, and
//! where the stop belongs. A stop only ever moves in the trade's direction, and never to where the market is already.

use crate::state::{StateError, StateIo};
use crate::strategy::{BreakEven, Distance, EntryKind, Management, Part, Reach, Trail};
use crate::words::{Direction, Price, Qty, TsNs, clamp_i64, div_ceil, ppm_of, quotient};

const ONE_PPM: i128 = 1_000_000;

/// What was planned when the strategy asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The signal it serves.
    pub signal_id: u32,
    /// Long or short.
    pub direction: Direction,
    /// Wanted entry, on the tick.
    pub entry: Price,
    /// Where the protective stop begins, on the tick.
    pub stop: Price,
    /// Where profit is taken, on the tick.
    pub target: Price,
    /// How the entry goes to the market.
    pub kind: EntryKind,
    /// The entry is cancelled then.
    pub expires: TsNs,
    /// How it is looked after, with every multiple of the risk turned into a price on the tick.
    pub manage: Management,
}

impl Plan {
    /// Stop, entry, parts and target lie in this order, in the trade's direction, and are prices.
    pub(super) fn is_ordered(&self) -> bool {
        let parts = self.part_prices().chain([self.target]);
        let ends = [self.stop, self.entry].into_iter().chain(parts);
        let is_rising = match self.direction {
            Direction::Up => ends.is_sorted_by(|a, b| a < b),
            Direction::Down => ends.is_sorted_by(|a, b| a > b),
        };
        is_rising && self.stop > Price::ZERO && self.target > Price::ZERO
    }

    /// The target can be had: best bid for a long, best ask for a short.
    pub(super) fn is_target_reached(&self, bid: Price, ask: Price) -> bool {
        self.has_reached(self.exit_of(bid, ask), self.target)
    }

    /// The price at which the market would take the position: best bid for a long, best ask for a short.
    pub(super) fn exit_of(&self, bid: Price, ask: Price) -> Price {
        if self.direction == Direction::Up { bid } else { ask }
    }

    /// `price` is as far as `level`, in the trade's direction; no price is nowhere.
    fn has_reached(&self, price: Price, level: Price) -> bool {
        price > Price::ZERO
            && match self.direction {
                Direction::Up => price >= level,
                Direction::Down => price <= level,
            }
    }

    /// `price` has come back to a stop at `stop`.
    pub(super) fn is_stop_reached(&self, stop: Price, price: Price) -> bool {
        match self.direction {
            Direction::Up => price <= stop,
            Direction::Down => price >= stop,
        }
    }

    /// The same plan with its management in prices, on the tick. Parts at the target or beyond are the target's.
    /// None when the management makes no sense.
    pub(super) fn resolve(self, tick: Price) -> Option<Self> {
        let Management { parts, trail, break_even } = self.manage;
        if self.manage == Management::PLAIN {
            return Some(self);
        }
        if self.manage.fault().is_some() {
            return None;
        }
        let at = |reach: Reach| match reach {
            Reach::Price(price) => on_tick(price, self.direction, tick),
            Reach::Risk(ppm) => on_tick(self.beyond_entry(ppm), self.direction, tick),
        };
        let mut planned = parts.map(|part| part.map(|part| Part { at: Reach::Price(at(part.at)), ..part }));
        for slot in &mut planned {
            *slot = slot.filter(|part| !self.has_reached(part.at.price(), self.target));
        }
        let count = planned.iter().flatten().count();
        let trail = trail.map(|trail| Trail {
            from: trail.from.map(|from| Reach::Price(at(from))),
            distance: match trail.distance {
                Distance::Risk(ppm) => Distance::Price(Price(self.risk_part(ppm).max(1))),
                other => other,
            },
            ..trail
        });
        let break_even = break_even.map(|when| match when {
            BreakEven::At(reach) => BreakEven::At(Reach::Price(at(reach))),
            after => after,
        });
        // What waits for a part that the target takes along waits in vain.
        let break_even =
            break_even.filter(|when| !matches!(when, BreakEven::AfterPart(nth) if usize::from(*nth) > count));
        let manage = Management { parts: planned, trail, break_even };
        Some(Self { manage, ..self })
    }

    fn risk_part(&self, ppm: u32) -> i64 {
        let risk = clamp_i64(i128::from(self.entry.0.abs_diff(self.stop.0)));
        ppm_of(risk, ppm)
    }

    fn beyond_entry(&self, risk_ppm: u32) -> Price {
        let sign = self.direction.side().sign();
        Price(self.entry.0.saturating_add(sign.saturating_mul(self.risk_part(risk_ppm))))
    }

    fn part_prices(&self) -> impl Iterator<Item = Price> + '_ {
        self.manage.parts.iter().flatten().map(|part| part.at.price())
    }

    /// Where a position costs nothing: its average price and the fee of both ways, on the tick in our favour.
    pub(super) fn even_price(&self, average: Price, fee_ppm: u32, tick: Price) -> Price {
        let (average, fee) = (i128::from(average.0), i128::from(fee_ppm));
        match self.direction {
            Direction::Up => {
                let even = div_ceil(average * (ONE_PPM + fee), (ONE_PPM - fee).max(1));
                on_tick(Price(clamp_i64(even)), Direction::Down, tick)
            }
            Direction::Down => {
                let even = quotient(average * (ONE_PPM - fee), ONE_PPM + fee);
                on_tick(Price(clamp_i64(even)), Direction::Up, tick)
            }
        }
    }
}

/// `price` on the tick, rounded down for a long and up for a short: away from the market for an entry, a stop and a
/// target.
pub(super) fn on_tick(price: Price, direction: Direction, tick: Price) -> Price {
    if tick.0 <= 0 {
        return price;
    }
    let over = price.0.rem_euclid(tick.0);
    match direction {
        Direction::Up => Price(price.0.saturating_sub(over)),
        Direction::Down if over == 0 => price,
        Direction::Down => Price(price.0.saturating_add(tick.0 - over)),
    }
}

/// How far a trade has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Where the stop belongs now, on the tick.
    pub(super) stop: Price,
    /// Parts whose price was reached.
    pub(super) reached: u8,
    /// The position at its largest, with what was closed of it since.
    pub(super) full: Qty,
    /// Closed so far.
    pub(super) closed: Qty,
    /// Of the parts that are due, so much was refused and is kept.
    pub(super) waived: Qty,
    /// Best price since the stop began to follow; 0 before.
    best: Price,
    /// The stop is to come to the entry.
    is_even_due: bool,
    /// It has.
    is_even: bool,
    /// The stop is to move to the entry's price or beyond. There it would meet an entry that still works, so that has
    /// to go first.
    pub(super) is_past_entry: bool,
}

/// What a trade sees of the market at one quote.
#[derive(Clone, Copy)]
pub(super) struct Sight {
    /// See [`Plan::exit_of`].
    pub(super) exit: Price,
    /// See [`Plan::even_price`].
    pub(super) even: Price,
    pub(super) tick: Price,
    /// The entry still works.
    pub(super) is_entering: bool,
}

impl Progress {
    /// At the beginning of a trade.
    pub(super) fn of(plan: &Plan) -> Self {
        Self { stop: plan.stop, ..Self::default() }
    }

    /// Remembers how large the position has been.
    pub(super) fn note_held(&mut self, held: Qty) {
        self.full = self.full.max(Qty(held.0.saturating_add(self.closed.0)));
    }

    /// Looks at the market; true when something is to be done.
    pub(super) fn watch(&mut self, plan: &Plan, sight: &Sight) -> bool {
        let before = (self.reached, self.stop, self.is_past_entry);
        while let Some(part) = plan.manage.parts.get(usize::from(self.reached)).copied().flatten()
            && plan.has_reached(sight.exit, part.at.price())
        {
            self.reached += 1;
            self.waived = Qty::ZERO;
        }
        self.come_to_entry(plan, sight);
        self.follow(plan, sight);
        before != (self.reached, self.stop, self.is_past_entry)
    }

    fn come_to_entry(&mut self, plan: &Plan, sight: &Sight) {
        self.is_even_due |= match plan.manage.break_even {
            None => false,
            Some(BreakEven::AfterPart(nth)) => self.reached >= nth,
            Some(BreakEven::At(reach)) => plan.has_reached(sight.exit, reach.price()),
        };
        if self.is_even_due && !self.is_even {
            self.is_even = self.advance(plan, sight, sight.even, 1);
        }
    }

    fn follow(&mut self, plan: &Plan, sight: &Sight) {
        let Some(trail) = plan.manage.trail else { return };
        let is_better = match self.best {
            Price::ZERO => trail.from.is_none_or(|from| plan.has_reached(sight.exit, from.price())),
            best => plan.has_reached(sight.exit, best),
        };
        if is_better {
            self.best = sight.exit.max(Price::ZERO);
        }
        if self.best == Price::ZERO {
            return;
        }
        let distance = match trail.distance {
            Distance::Price(price) => price.0,
            Distance::Ppm(ppm) => ppm_of(self.best.0, ppm),
            Distance::Risk(ppm) => plan.risk_part(ppm),
        };
        let sign = plan.direction.side().sign();
        let behind = Price(self.best.0.saturating_sub(sign.saturating_mul(distance)));
        let step = i64::from(trail.step_ticks).saturating_mul(sight.tick.0);
        self.advance(plan, sight, on_tick(behind, plan.direction, sight.tick), step);
    }

    /// Moves the stop by at least `step`, never back, and not to where the market is; true when it stands there or
    /// further.
    fn advance(&mut self, plan: &Plan, sight: &Sight, to: Price, step: i64) -> bool {
        let sign = plan.direction.side().sign();
        let gain = to.0.saturating_sub(self.stop.0).saturating_mul(sign);
        if gain <= 0 {
            return true;
        }
        let is_free = sight.exit > Price::ZERO && !plan.is_stop_reached(to, sight.exit);
        if gain < step.max(1) || to <= Price::ZERO || !is_free {
            return false;
        }
        self.is_past_entry |= plan.has_reached(to, plan.entry);
        if self.is_past_entry && sight.is_entering {
            return false;
        }
        self.stop = to;
        true
    }

    /// How much is to be closed for the parts reached, in whole lots.
    pub(super) fn due(&self, plan: &Plan, lot: Qty) -> Qty {
        let reached = plan.manage.parts.iter().flatten().take(self.reached.into());
        let part_of = |part: &Part| {
            let share = ppm_of(self.full.0.max(0), part.share_ppm);
            share - share % lot.0.max(1)
        };
        let wanted = reached.map(part_of).fold(0i64, i64::saturating_add);
        Qty(wanted.saturating_sub(self.waived.0).saturating_sub(self.closed.0).max(0))
    }
}

impl Plan {
    /// What loading starts from.
    pub(super) const BLANK: Self = Self {
        signal_id: 0,
        direction: Direction::Up,
        entry: Price::ZERO,
        stop: Price::ZERO,
        target: Price::ZERO,
        kind: EntryKind::Rest,
        expires: TsNs(0),
        manage: Management::PLAIN,
    };

    pub(super) fn state(&mut self, io: &mut StateIo<'_>, last_signal_id: u32) -> Result<(), StateError> {
        let Self { signal_id, direction, entry, stop, target, kind, expires, manage } = self;
        io.number(signal_id)?;
        io.sound((1..=last_signal_id).contains(signal_id))?;
        io.choice(direction, &[Direction::Up, Direction::Down])?;
        io.number(entry)?;
        io.number(stop)?;
        io.number(target)?;
        io.choice(kind, &[EntryKind::Rest, EntryKind::RestMakerOnly, EntryKind::Take])?;
        io.number(expires)?;
        manage.state(io)?;
        io.sound(manage.fault().is_none())?;
        io.sound(self.is_ordered())
    }
}

impl Progress {
    pub(super) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { stop, reached, full, closed, waived, best, is_even_due, is_even, is_past_entry } = self;
        for amount in [&mut stop.0, &mut full.0, &mut closed.0, &mut waived.0, &mut best.0] {
            io.unsigned(amount)?;
        }
        io.number(reached)?;
        io.flag(is_even_due)?;
        io.flag(is_even)?;
        io.flag(is_past_entry)
    }
}
