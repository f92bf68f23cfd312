//! What an engine says, as the bytes that a journal would hold.

use smc_core::InstrumentId;
use smc_core::calendar::Calendar;
use smc_core::codec::Buffer;
use smc_core::event::Bar;
use smc_core::output::{NewOrder, Output, Structure};
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::state::StateIo;
use smc_core::words::Timeframe;

/// An engine and the source of its ids.
pub struct Speaker {
    pub engine: SmcEngine,
    ids: IdSource,
    buffer: Buffer,
}

/// The state of both.
#[derive(PartialEq, Eq)]
pub struct Saved(Vec<u8>, Vec<u8>);

impl Speaker {
    pub fn new(timeframe: Timeframe, params: &SmcParams, calendar: &Calendar) -> Self {
        let engine = SmcEngine::with_calendar(InstrumentId(7), timeframe, params, calendar);
        Self { engine, ids: IdSource::new(), buffer: Buffer::default() }
    }

    /// Takes a bar; hands on each fact and its bytes.
    pub fn on_bar(&mut self, bar: &Bar, said: &mut impl FnMut(&Structure, &[u8])) {
        let Self { engine, ids, buffer } = self;
        engine.on_bar(bar, ids, &mut |fact| {
            said(&fact, buffer.encode(&Output::<NewOrder>::Structure(fact)));
        });
    }

    pub fn save(&mut self) -> Saved {
        let (mut engine, mut ids) = (vec![], vec![]);
        self.engine.save(&mut engine);
        StateIo::save(&mut self.ids, &mut ids);
        Saved(engine, ids)
    }

    pub fn load(&mut self, saved: &Saved) {
        assert_eq!(self.engine.load(&saved.0), Ok(()));
        assert_eq!(StateIo::load(&mut self.ids, &saved.1), Ok(()));
    }
}

/// All that was said about some bars.
pub struct Record {
    pub bytes: Vec<u8>,
    /// How many bytes had been said before each bar, and after the last.
    pub before: Vec<usize>,
    pub facts: Vec<Structure>,
}

impl Record {
    pub fn of(bars: &[Bar], timeframe: Timeframe, params: &SmcParams, calendar: &Calendar) -> Self {
        let mut speaker = Speaker::new(timeframe, params, calendar);
        let mut record = Self { bytes: vec![], before: vec![0], facts: vec![] };
        for bar in bars {
            speaker.on_bar(bar, &mut |fact, bytes| {
                record.bytes.extend_from_slice(bytes);
                record.facts.push(*fact);
            });
            record.before.push(record.bytes.len());
        }
        record
    }
}
