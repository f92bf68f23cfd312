//! A record as a row of its table, and a row as the same record.
//!
//! Pure. What a typed row could not give back byte for byte (payloads that this version cannot decode, flags) goes
//! to the table `raw` as it is, so that the way back is exact for every journal.

use crate::cell::{Cell, CellError, Cells, Value};
use crate::schema::*;
use smc_core::codec::{self, Buffer};
use smc_core::event::{Event, EventBody};
use smc_core::output::{NewOrder, Output};
use smc_core::{InstrumentId, TsNs};
use smc_journal::{Header, Record, RecordKind, SegmentHead};

/// A row being filled; its memory is used again and again.
#[derive(Default)]
pub struct Row<'a> {
    cells: Vec<Cell<'a>>,
    buffer: Buffer,
}

/// A record as a row says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub ts: TsNs,
    /// The number of its kind.
    pub kind_code: u16,
    /// Its flags.
    pub flags: u16,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// What `segments` says about one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// The header. `first_seq` is always known here.
    pub head: SegmentHead,
    /// Number of its first record, or of the next one if it has none.
    pub first_seq: u64,
}

impl<'a> Row<'a> {
    /// Takes the record apart; says which table the row belongs to.
    pub fn fill(&mut self, record: &Record<'a>) -> Id {
        self.cells.clear();
        RecordHead { seq: record.seq, ts: record.ts }.put(&mut self.cells);
        let typed = match record.kind {
            _ if record.flags != 0 => None,
            RecordKind::Input => self.fill_input(record.payload),
            RecordKind::Output => self.fill_output(record.payload),
            RecordKind::Digest => {
                self.cells.push(Cell::Bytes(record.payload));
                Some(Id::Digests)
            }
            _ => None,
        };
        typed.unwrap_or_else(|| self.fill_raw(record))
    }

    /// The cells of the record taken apart last.
    pub fn cells(&self) -> &[Cell<'a>] {
        &self.cells
    }

    fn fill_raw(&mut self, record: &Record<'a>) -> Id {
        self.cells.push(record.kind_code.cell());
        self.cells.push(Cell::Text(record.kind.name()));
        self.cells.push(record.flags.cell());
        self.cells.push(Cell::Bytes(record.payload));
        Id::Raw
    }

    /// `None` if the bytes are not those that the codec writes for what they say.
    fn fill_input(&mut self, payload: &[u8]) -> Option<Id> {
        let event = codec::decode::<Event>(payload).ok()?;
        if self.buffer.encode(&event) != payload {
            return None;
        }
        let Event { seq, ts_event, ts_recv, instrument, body } = event;
        let row = &mut self.cells;
        InputHead { ts_event, ts_recv, seq, instrument }.put(row);
        Some(match body {
            EventBody::Trade(word) => put(row, Id::Trades, &word),
            EventBody::Quote(word) => put(row, Id::Quotes, &word),
            EventBody::Book(word) => put(row, Id::Book, &word),
            EventBody::Bar(timeframe, bar) => put(row, Id::BarsIn, &Candle { timeframe, bar }),
            EventBody::Instrument(word) => put(row, Id::Instruments, &word),
            EventBody::Feed(state) => put(row, Id::Feed, &Only(state)),
            EventBody::Gateway(state) => put(row, Id::Gateway, &Only(state)),
            EventBody::Order(word) => put(row, Id::OrderUpdates, &Update::from(word)),
            EventBody::Balance(word) => put(row, Id::Balances, &word),
            EventBody::Timer => put(row, Id::Timers, &Nothing),
            EventBody::Journal(state) => put(row, Id::JournalStates, &Only(state)),
            EventBody::Operator(word) => put(row, Id::Commands, &word),
            EventBody::Clock(word) => put(row, Id::Clocks, &word),
            EventBody::Budget(word) => put(row, Id::Budgets, &word),
            EventBody::Key(word) => put(row, Id::Keys, &word),
            EventBody::Margin(word) => put(row, Id::Margins, &word),
            EventBody::Mark(word) => put(row, Id::Marks, &word),
            EventBody::Rate(word) => put(row, Id::Rates, &word),
            EventBody::Cash(word) => put(row, Id::Cash, &word),
            EventBody::Round(word) => put(row, Id::Rounds, &word),
            EventBody::VenueOrder(word) => put(row, Id::VenueOrders, &word),
            EventBody::VenuePosition(word) => put(row, Id::VenuePositions, &word),
            EventBody::Sequence(word) => put(row, Id::Sequences, &word),
        })
    }

    /// As [`Row::fill_input`].
    fn fill_output(&mut self, payload: &[u8]) -> Option<Id> {
        let output = codec::decode::<Output<NewOrder>>(payload).ok()?;
        if self.buffer.encode(&output) != payload {
            return None;
        }
        let row = &mut self.cells;
        Some(match output {
            Output::NewOrder(word) => put(row, Id::Orders, &word),
            Output::Cancel(word) => put(row, Id::Cancels, &word),
            Output::Signal(word) => put(row, Id::Signals, &word),
            Output::Decision(word) => put(row, Id::Decisions, &word),
            Output::Structure(word) => put(row, Id::Structures, &word),
            Output::BarClosed(instrument, timeframe, bar) => {
                put(row, Id::Bars, &Closed { instrument, timeframe, bar })
            }
            Output::Position(word) => put(row, Id::Positions, &word),
            Output::State(word) => put(row, Id::States, &word),
            Output::Alert(word) => put(row, Id::Alerts, &word),
            Output::Replace(word) => put(row, Id::Replaces, &word),
        })
    }
}

fn put(row: &mut Vec<Cell<'_>>, id: Id, word: &impl Spread) -> Id {
    word.put(row);
    id
}

impl Restored {
    /// Puts together what [`Row::fill`] took apart. `buffer` is for the codec.
    pub fn read(&mut self, id: Id, row: &[Cell<'_>], buffer: &mut Buffer) -> Result<(), CellError> {
        let mut cells = Cells::new(row);
        let RecordHead { seq, ts } = RecordHead::take(&mut cells)?;
        (self.seq, self.ts, self.flags) = (seq, ts, 0);
        self.payload.clear();
        match id.table().content {
            Content::Input(make) => {
                let InputHead { ts_event, ts_recv, seq, instrument } = InputHead::take(&mut cells)?;
                let event = Event { seq, ts_event, ts_recv, instrument, body: make(&mut cells)? };
                self.kind_code = RecordKind::Input.code();
                self.payload.extend_from_slice(buffer.encode(&event));
            }
            Content::Output(make) => {
                self.kind_code = RecordKind::Output.code();
                self.payload.extend_from_slice(buffer.encode(&make(&mut cells)?));
            }
            Content::Digest => {
                self.kind_code = RecordKind::Digest.code();
                self.payload.extend_from_slice(cells.bytes()?);
            }
            Content::Raw => {
                self.kind_code = cells.take()?;
                if cells.text()? != RecordKind::from_code(self.kind_code).name() {
                    return Err(cells.wrong());
                }
                self.flags = cells.take()?;
                self.payload.extend_from_slice(cells.bytes()?);
            }
            Content::Segment => return Err(CellError { column: 0 }),
        }
        Ok(())
    }
}

impl SegmentRow {
    /// The cells.
    pub fn cells(&self) -> [Cell<'_>; 10] {
        let SegmentHead { number, bytes, header, is_run_start, synced_bytes, .. } = &self.head;
        [
            number.cell(),
            self.first_seq.cell(),
            bytes.cell(),
            synced_bytes.cell(),
            is_run_start.cell(),
            Cell::Bytes(&header.build),
            Cell::Bytes(&header.config_hash),
            Cell::Bytes(&header.instruments_hash),
            Cell::Text(&header.account),
            Cell::Text(&header.environment),
        ]
    }

    /// Reads them back.
    pub fn read(row: &[Cell<'_>]) -> Result<Self, CellError> {
        let mut cells = Cells::new(row);
        let number = cells.take()?;
        let first_seq = cells.take()?;
        let bytes = cells.take()?;
        let synced_bytes = cells.take()?;
        let is_run_start = cells.take()?;
        let header = Header {
            build: hash(&mut cells)?,
            config_hash: hash(&mut cells)?,
            instruments_hash: hash(&mut cells)?,
            account: cells.text()?.to_owned(),
            environment: cells.text()?.to_owned(),
        };
        let head =
            SegmentHead { number, bytes, header, first_seq: Some(first_seq), is_run_start, synced_bytes };
        Ok(Self { head, first_seq })
    }
}

fn hash<const N: usize>(cells: &mut Cells<'_, '_>) -> Result<[u8; N], CellError> {
    let bytes = cells.bytes()?;
    bytes.try_into().map_err(|_| cells.wrong())
}

const _: () = assert!(InstrumentId::NONE.0 == 65_535, "as the schema says");
