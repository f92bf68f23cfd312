//! What happened lately on one entry timeframe: sweeps, breaks, zones that changed sides.
//!
//! Pure, fixed size. A structure is noted when it is said, under the trade direction it speaks for.

use crate::event::Bar;
use crate::output::{Scope, Structure, StructureKind};
use crate::smc::PRICE_MAX;
use crate::state::{State, StateError, StateIo};
use crate::strategy::ConfluenceParams;
use crate::words::{Direction, Price};

/// Values of `LevelSwept`: what kind of level it was. Sessions count from `SESSION` on.
const PIVOT: i64 = 0;
const DAY: i64 = 1;
const WEEK: i64 = 2;
const MONTH: i64 = 3;
const SESSION: i64 = 16;

/// Turned zones remembered on each side.
const FLIPS_MAX: usize = 8;

/// One memory per instrument and entry timeframe.
#[derive(Clone, Copy, Default)]
pub(super) struct Memory {
    /// By trade direction: swept lows speak for a long.
    pub sweeps: [Option<Sweep>; 2],
    /// By trade direction.
    pub shifts: [Option<Mark>; 2],
    /// By the direction the zones speak for now, the newest first.
    flips: [[Mark; FLIPS_MAX]; 2],
    /// No signal before this bar.
    pub quiet_until_bar: u32,
}

/// A structure worth remembering; id 0 is none.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    pub id: u32,
    pub known_bar: u32,
}

/// Liquidity that was taken, and how far price went for it.
#[derive(Clone, Copy, Default)]
pub(super) struct Sweep {
    pub mark: Mark,
    pub extreme: Price,
}

impl Memory {
    /// What the entry timeframe itself says, sweeps apart.
    pub fn note(&mut self, structure: &Structure, params: &ConfluenceParams) {
        let mark = Mark { id: structure.id, known_bar: structure.known_bar };
        match structure.kind {
            StructureKind::ObBroken | StructureKind::FvgInverted => {
                let flips = &mut self.flips[structure.direction.opposite() as usize];
                flips.rotate_right(1);
                flips[0] = mark;
            }
            kind if is_shift(kind, structure.scope, params) => {
                self.shifts[structure.direction as usize] = Some(mark);
            }
            _ => {}
        }
    }

    /// A sweep that counts, by the last bar of its own timeframe, known here since the bar `known_bar`.
    pub fn note_sweep(&mut self, structure: &Structure, known_bar: u32, bar: &Bar) {
        let extreme = match structure.direction {
            Direction::Up => bar.high,
            Direction::Down => bar.low,
        };
        let mark = Mark { id: structure.id, known_bar };
        self.sweeps[structure.direction.opposite() as usize] = Some(Sweep { mark, extreme });
    }

    /// The bars at which zones that speak for `direction` changed sides lately, the newest first.
    pub fn flipped_bars(&self, direction: Direction) -> impl Iterator<Item = u32> {
        let flips = self.flips[direction as usize].iter().take_while(|mark| mark.id > 0);
        flips.map(|mark| mark.known_bar)
    }

    /// The bar at which a zone that speaks for `direction` changed sides, if that was lately.
    pub fn flipped_bar(&self, direction: Direction, id: u32) -> Option<u32> {
        let flip = self.flips[direction as usize].iter().find(|mark| mark.id == id)?;
        Some(flip.known_bar)
    }

    /// Is it too early for a signal at this bar?
    pub fn is_quiet(&self, bar: u32) -> bool {
        bar < self.quiet_until_bar
    }

    /// One sweep and one shift make one trade.
    pub fn spend(&mut self, direction: Direction) {
        self.sweeps[direction as usize] = None;
        self.shifts[direction as usize] = None;
    }
}

/// Is it a sweep of the kinds asked for?
pub(super) fn is_sweep(structure: &Structure, params: &ConfluenceParams) -> bool {
    match (structure.kind, structure.value) {
        (StructureKind::PoolSwept, _) => params.accept_pool_sweeps,
        (StructureKind::LevelSwept, PIVOT) => params.accept_level_sweeps,
        (StructureKind::LevelSwept, DAY) => params.accept_day_sweeps,
        (StructureKind::LevelSwept, WEEK) => params.accept_week_sweeps,
        (StructureKind::LevelSwept, MONTH) => params.accept_month_sweeps,
        (StructureKind::LevelSwept, code) => {
            usize::try_from(code - SESSION).is_ok_and(|index| params.sweep_sessions.has(index))
        }
        _ => false,
    }
}

fn is_shift(kind: StructureKind, scope: Scope, params: &ConfluenceParams) -> bool {
    params.shift_scope.has(scope)
        && match kind {
            StructureKind::Mss => true,
            StructureKind::Choch => !params.require_mss,
            StructureKind::Bos => params.accept_bos,
            _ => false,
        }
}

impl State for Memory {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { sweeps, shifts, flips, quiet_until_bar } = self;
        for sweep in sweeps {
            io.option(sweep, Sweep::default, |io, sweep| sweep.state(io))?;
        }
        for shift in shifts {
            io.option(shift, Mark::default, |io, shift| shift.state(io))?;
        }
        for side in flips {
            let mut len = side.iter().take_while(|flip| flip.id > 0).count();
            io.len(&mut len, FLIPS_MAX)?;
            for (at, flip) in side.iter_mut().enumerate() {
                if at < len {
                    flip.state(io)?;
                } else {
                    *flip = Mark::default();
                }
            }
        }
        io.number(quiet_until_bar)
    }
}

impl State for Mark {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { id, known_bar } = self;
        io.number(id)?;
        io.number(known_bar)?;
        io.sound(*id > 0)
    }
}

impl State for Sweep {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { mark, extreme } = self;
        mark.state(io)?;
        io.number(extreme)?;
        io.sound(extreme.abs() <= PRICE_MAX)
    }
}
