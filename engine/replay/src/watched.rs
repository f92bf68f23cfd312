//! The built-in strategy with somebody looking over its shoulder: the same calls, the same answers, and at the event
//! that is asked about every condition is written down as it stands the moment before the strategy decides.

use smc_core::config::EngineConfig;
use smc_core::event::{Bar, Quote};
use smc_core::output::Structure;
use smc_core::state::{State, StateError, StateIo};
use smc_core::strategy::{Confluence, Intent, Intents, Look, MarketView, Strategy};
use smc_core::words::{InstrumentId, Timeframe};
use std::cell::Cell;

/// What the strategy looked at and wanted at one event.
#[derive(Debug, Default)]
pub struct Seen {
    /// Long and short on each entry timeframe.
    pub looks: Vec<SeenLook>,
    /// What it wanted.
    pub intents: Vec<(InstrumentId, Intent)>,
}

/// One look.
#[derive(Clone, Copy, Debug)]
pub struct SeenLook {
    /// At which instrument.
    pub instrument: InstrumentId,
    /// The conditions.
    pub look: Look,
    /// A bar closed and the strategy decided; else the conditions merely stood so.
    pub is_decision: bool,
}

/// [`Confluence`], watched.
pub(crate) struct Watched {
    inner: Confluence,
    entry_timeframes: Vec<Timeframe>,
    is_armed: Cell<bool>,
    has_left: Cell<bool>,
    seen: Seen,
}

impl Watched {
    pub fn new(config: &EngineConfig) -> Self {
        let wanted = usize::from(config.strategy.entry_timeframes).max(1);
        Self {
            inner: Confluence::for_config(config),
            entry_timeframes: config.timeframes.iter().copied().take(wanted).collect(),
            is_armed: Cell::new(false),
            has_left: Cell::new(false),
            seen: Seen::default(),
        }
    }

    /// The next event is the one that is asked about.
    pub fn arm(&self) {
        self.is_armed.set(true);
    }

    /// Has the strategy asked to leave since the last question?
    pub fn take_left(&self) -> bool {
        self.has_left.replace(false)
    }

    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    fn look(&mut self, view: &MarketView<'_>, timeframe: Timeframe, is_decision: bool) {
        let looks = self.inner.looks(view, timeframe).into_iter().flatten();
        let instrument = view.instrument;
        self.seen.looks.extend(looks.map(|look| SeenLook { instrument, look, is_decision }));
    }

    fn hand_on(&mut self, instrument: InstrumentId, own: &Intents, intents: &mut Intents) {
        for intent in own.iter() {
            if *intent == Intent::Exit {
                self.has_left.set(true);
            }
            if self.is_armed.get() {
                self.seen.intents.push((instrument, *intent));
            }
            intents.push(*intent);
        }
    }
}

/// What it saw only explains: its state is that of the strategy it watches.
impl State for Watched {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        self.inner.state(io)
    }

    fn settings(&self) -> u64 {
        self.inner.settings()
    }
}

impl Strategy for Watched {
    fn number(&self) -> u8 {
        self.inner.number()
    }

    fn on_structure(&mut self, view: &MarketView<'_>, structure: &Structure, intents: &mut Intents) {
        let mut own = Intents::default();
        self.inner.on_structure(view, structure, &mut own);
        self.hand_on(view.instrument, &own, intents);
    }

    fn on_bar(&mut self, view: &MarketView<'_>, timeframe: Timeframe, bar: &Bar, intents: &mut Intents) {
        if self.is_armed.get() {
            self.look(view, timeframe, true);
        }
        let mut own = Intents::default();
        self.inner.on_bar(view, timeframe, bar, &mut own);
        self.hand_on(view.instrument, &own, intents);
    }

    fn on_quote(&mut self, view: &MarketView<'_>, quote: &Quote, intents: &mut Intents) {
        if self.is_armed.get() && self.seen.looks.is_empty() {
            for timeframe in self.entry_timeframes.clone() {
                self.look(view, timeframe, false);
            }
        }
        let mut own = Intents::default();
        self.inner.on_quote(view, quote, &mut own);
        self.hand_on(view.instrument, &own, intents);
    }
}
