//! Swings: the pivots thinned out until highs and lows alternate (a zigzag).
//!
//! Pure, constant work per pivot. One swing is provisional at a time:
//!
//! * `SwingStarted {id, cause_id = pivot, bar, top = bottom = price}`: the first pivot, or one of the other side.
//! * `SwingExtended {id, cause_id = new pivot, bar, price, extra = bar it had before}`: a strictly more
//!   extreme pivot of the same side moves the provisional swing. An equal one changes nothing.
//! * `SwingLocked {id, cause_id = its pivot, bar, price, extra = label}`: a pivot of the other side came; this
//!   swing is final. Said before the `SwingStarted` of the new one. Locked swings strictly alternate.
//!
//! Labels compare with the last locked swing of the same side: 1 higher high, 2 lower (or equal) high,
//! 3 higher (or equal) low, 4 lower low; 0 when there is none to compare with.

use super::pivots::Pivot;
use super::snapshot;
use super::view::{Fact, Say, Sides, seen_from};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::{Direction, Price};

/// A swing high (`Up`) or low (`Down`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swing {
    /// Its object id.
    pub id: u32,
    /// `Up` for a high.
    pub direction: Direction,
    /// Bar of the extreme.
    pub bar: u32,
    /// The extreme.
    pub price: Price,
    /// Bar whose close made its present state known: the last pivot while provisional, the lock after.
    pub known_bar: u32,
    /// Its label; [`SwingLabel::None`] while provisional.
    pub label: SwingLabel,
}

/// How a locked swing compares with the one before it on its side; the numbers are the events' `extra`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SwingLabel {
    /// Nothing to compare with.
    None = 0,
    /// HH.
    HigherHigh = 1,
    /// LH; an equal high too.
    LowerHigh = 2,
    /// HL; an equal low too.
    HigherLow = 3,
    /// LL.
    LowerLow = 4,
}

/// The alternation.
#[derive(Default)]
pub(super) struct Swings {
    current: Option<(Swing, u32)>,
    locked: Sides<Option<Swing>>,
}

impl Swings {
    /// Takes a pivot; true when it became the provisional swing.
    pub fn on_pivot<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        pivot: &Pivot,
        say: &mut Say<'_, F>,
    ) -> bool {
        if let Some((current, pivot_id)) = &mut self.current {
            if current.direction == direction {
                if pivot.price <= seen_from(direction, current.price.0) {
                    return false;
                }
                let bar_before = current.bar;
                current.bar = pivot.bar;
                current.price = Price(seen_from(direction, pivot.price));
                current.known_bar = say.known;
                *pivot_id = pivot.id;
                say_swing(StructureKind::SwingExtended, current, pivot.id, i64::from(bar_before), say);
                return true;
            }
            self.lock(say);
        }
        let swing = Swing {
            id: say.new_id(),
            direction,
            bar: pivot.bar,
            price: Price(seen_from(direction, pivot.price)),
            known_bar: say.known,
            label: SwingLabel::None,
        };
        self.current = Some((swing, pivot.id));
        say_swing(StructureKind::SwingStarted, &swing, pivot.id, 0, say);
        true
    }

    pub const fn locked(&self, direction: Direction) -> Option<Swing> {
        *self.locked.of(direction)
    }

    pub fn current(&self) -> Option<Swing> {
        self.current.map(|(swing, _)| swing)
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        io.option(
            &mut self.current,
            || (BLANK, 0),
            |io, (swing, pivot_id)| {
                swing_state(io, swing, count)?;
                io.number(pivot_id)
            },
        )?;
        for direction in [Direction::Up, Direction::Down] {
            let locked = self.locked.of_mut(direction);
            io.option(locked, || BLANK, |io, swing| swing_state(io, swing, count))?;
            snapshot::sound(io, locked.is_none_or(|swing| swing.direction == direction))?;
        }
        Ok(())
    }

    fn lock<F: FnMut(Structure)>(&mut self, say: &mut Say<'_, F>) {
        let Some((mut swing, pivot_id)) = self.current.take() else { return };
        let before = self.locked.of_mut(swing.direction);
        swing.label = label(&swing, before.as_ref());
        swing.known_bar = say.known;
        *before = Some(swing);
        say_swing(StructureKind::SwingLocked, &swing, pivot_id, swing.label as i64, say);
    }
}

const BLANK: Swing =
    Swing { id: 0, direction: Direction::Up, bar: 0, price: Price(0), known_bar: 0, label: SwingLabel::None };

fn swing_state(io: &mut StateIo<'_>, swing: &mut Swing, count: u32) -> Result<(), StateError> {
    use SwingLabel::{HigherHigh, HigherLow, LowerHigh, LowerLow, None};
    let Swing { id, direction, bar, price, known_bar, label } = swing;
    io.number(id)?;
    snapshot::direction(io, direction)?;
    snapshot::bar(io, bar, count)?;
    snapshot::price(io, &mut price.0)?;
    snapshot::bar(io, known_bar, count)?;
    io.choice(label, &[None, HigherHigh, LowerHigh, HigherLow, LowerLow])?;
    snapshot::sound(io, bar <= known_bar)
}

fn label(swing: &Swing, before: Option<&Swing>) -> SwingLabel {
    let Some(before) = before else { return SwingLabel::None };
    match swing.direction {
        Direction::Up if before.price < swing.price => SwingLabel::HigherHigh,
        Direction::Up => SwingLabel::LowerHigh,
        Direction::Down if swing.price < before.price => SwingLabel::LowerLow,
        Direction::Down => SwingLabel::HigherLow,
    }
}

fn say_swing<F: FnMut(Structure)>(
    kind: StructureKind,
    swing: &Swing,
    pivot_id: u32,
    extra: i64,
    say: &mut Say<'_, F>,
) {
    let price = seen_from(swing.direction, swing.price.0);
    say.fact(
        swing.direction,
        Fact {
            kind,
            id: swing.id,
            cause_id: pivot_id,
            bar: swing.bar,
            top: price,
            bottom: price,
            extra,
            value: 0,
        },
    );
}
