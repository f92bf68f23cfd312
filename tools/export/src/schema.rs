//! The tables and their columns, once, for every format and for both directions.
//!
//! Each word of the engine lists its columns: name, place in the word, unit, meaning. The list is what is written,
//! what is read back, and what `SCHEMA.md` says.

mod columns;
mod said;
mod update;

pub(crate) use columns::{Candle, Closed, InputHead, Nothing, Only, RecordHead, Spread};
pub(crate) use update::Update;

use crate::cell::{CellError, Cells, Column, Kind};
use columns::spread;
use smc_core::event::*;
use smc_core::instrument::InstrumentSpec;
use smc_core::output::*;

/// No table has more columns.
pub const COLUMNS_MAX: usize = 32;

/// One table: the records of one kind and variant.
pub struct Table {
    /// Which.
    pub id: Id,
    /// Its name, and the stem of its file.
    pub name: &'static str,
    /// What its rows are, in a sentence.
    pub doc: &'static str,
    groups: [&'static [Column]; 3],
    pub(crate) content: Content,
}

/// What the rows of a table are, and how one becomes a word again.
pub(crate) enum Content {
    Input(fn(&mut Cells<'_, '_>) -> Result<EventBody, CellError>),
    Output(fn(&mut Cells<'_, '_>) -> Result<Output<NewOrder>, CellError>),
    Digest,
    Raw,
    Segment,
}

/// Which table, in the order of [`TABLES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is described where it stands in TABLES")]
pub enum Id {
    Trades,
    Quotes,
    Book,
    BarsIn,
    Instruments,
    Feed,
    Gateway,
    OrderUpdates,
    Balances,
    Timers,
    Commands,
    JournalStates,
    Clocks,
    Budgets,
    Keys,
    Margins,
    Marks,
    Rates,
    Cash,
    Rounds,
    VenueOrders,
    VenuePositions,
    Sequences,
    Orders,
    Cancels,
    Signals,
    Decisions,
    Structures,
    Bars,
    Positions,
    States,
    Alerts,
    Replaces,
    Digests,
    Raw,
    Segments,
}

/// How many tables there are.
pub const TABLE_COUNT: usize = 36;

impl Id {
    /// The table.
    pub const fn table(self) -> &'static Table {
        // An id is a place in the list, which is asserted below.
        &TABLES[self as usize]
    }

    /// The table of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        TABLES.iter().find(|table| table.name == name).map(|table| table.id)
    }
}

impl Table {
    /// Its columns from the left.
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> + use<> {
        self.groups.into_iter().flatten()
    }

    /// How many.
    pub const fn width(&self) -> usize {
        self.groups[0].len() + self.groups[1].len() + self.groups[2].len()
    }

    const fn input(
        id: Id,
        name: &'static str,
        doc: &'static str,
        columns: &'static [Column],
        make: fn(&mut Cells<'_, '_>) -> Result<EventBody, CellError>,
    ) -> Self {
        let groups = [RecordHead::COLUMNS, InputHead::COLUMNS, columns];
        Self { id, name, doc, groups, content: Content::Input(make) }
    }

    const fn output(
        id: Id,
        name: &'static str,
        doc: &'static str,
        columns: &'static [Column],
        make: fn(&mut Cells<'_, '_>) -> Result<Output<NewOrder>, CellError>,
    ) -> Self {
        let groups = [RecordHead::COLUMNS, columns, &[]];
        Self { id, name, doc, groups, content: Content::Output(make) }
    }
}

/// Columns of `digests` behind the record's.
const DIGEST: &[Column] = &[Column::plain(
    "digest",
    Kind::Bytes,
    "",
    "Fingerprint of all outputs so far, least significant byte first.",
)];

/// Columns of `raw` behind the record's.
const RAW: &[Column] = &[
    Column::plain("kind_code", Kind::Small, "", "Number of the record's kind."),
    Column::plain("kind", Kind::Text, "", "Its name; `unknown` where this version has none."),
    Column::plain("flags", Kind::Small, "", "The record's flags; 0 in version 1 of the journal."),
    Column::plain("payload", Kind::Bytes, "", "The record's bytes."),
];

/// Columns of `segments`.
const SEGMENT: &[Column] = &[
    Column::plain("number", Kind::Small, "", "Number of the segment, from 1."),
    Column::plain("first_seq", Kind::Count, "", "`seq` of its first record; of the next one if it has none."),
    Column::plain("segment_bytes", Kind::Count, "bytes", "Length of its file."),
    Column::plain(
        "synced_bytes",
        Kind::Count,
        "bytes",
        "Offset up to which its records were known to be on the disk.",
    ),
    Column::plain("is_run_start", Kind::Flag, "", "The journal was created or resumed here."),
    Column::plain("build", Kind::Bytes, "", "Hash of the program that wrote it."),
    Column::plain("config_hash", Kind::Bytes, "", "Hash of the configuration."),
    Column::plain("instruments_hash", Kind::Bytes, "", "Hash of the instrument table."),
    Column::plain("account", Kind::Text, "", "The venue account."),
    Column::plain("environment", Kind::Text, "", "`sim`, `testnet` or `live`."),
];

/// All tables: inputs, outputs, the rest.
pub static TABLES: [Table; TABLE_COUNT] = [
    Table::input(Id::Trades, "trades", "Public trades.", Trade::COLUMNS, |cells| {
        Trade::take(cells).map(EventBody::Trade)
    }),
    Table::input(Id::Quotes, "quotes", "Best bid and ask.", Quote::COLUMNS, |cells| {
        Quote::take(cells).map(EventBody::Quote)
    }),
    Table::input(
        Id::Book,
        "book",
        "Levels of the synchronised book, up to four a row; a larger message of the venue is several rows.",
        BookUpdate::COLUMNS,
        |cells| BookUpdate::take(cells).map(EventBody::Book),
    ),
    Table::input(
        Id::BarsIn,
        "bars_in",
        "The venue's closed candles, for warm-up.",
        Candle::COLUMNS,
        |cells| Candle::take(cells).map(|candle| EventBody::Bar(candle.timeframe, candle.bar)),
    ),
    Table::input(
        Id::Instruments,
        "instruments",
        "The venue's rules for an instrument, at start and whenever they change.",
        InstrumentSpec::COLUMNS,
        |cells| InstrumentSpec::take(cells).map(EventBody::Instrument),
    ),
    Table::input(Id::Feed, "feed", "State of market data.", Only::<FeedState>::COLUMNS, |cells| {
        Only::take(cells).map(|Only(state)| EventBody::Feed(state))
    }),
    Table::input(
        Id::Gateway,
        "gateway",
        "State of the order path.",
        Only::<GatewayState>::COLUMNS,
        |cells| Only::take(cells).map(|Only(state)| EventBody::Gateway(state)),
    ),
    Table::input(
        Id::OrderUpdates,
        "order_updates",
        "The venue's reports about our orders, in any order and sometimes twice.",
        Update::COLUMNS,
        |cells| {
            let update = Update::take(cells)?;
            // A column that its kind needs is absent: the row is told by its `kind`, the third of its columns.
            let at = cells.wrong().column - (Update::COLUMNS.len() - 3);
            update.whole().map(EventBody::Order).ok_or(CellError { column: at })
        },
    ),
    Table::input(Id::Balances, "balances", "Absolute balances of assets.", Balance::COLUMNS, |cells| {
        Balance::take(cells).map(EventBody::Balance)
    }),
    Table::input(Id::Timers, "timers", "Time passed.", Nothing::COLUMNS, |_| Ok(EventBody::Timer)),
    Table::input(Id::Commands, "commands", "Acts of an operator.", Act::COLUMNS, |cells| {
        Act::take(cells).map(EventBody::Operator)
    }),
    Table::input(
        Id::JournalStates,
        "journal_states",
        "State of the journal and its disk.",
        Only::<JournalState>::COLUMNS,
        |cells| Only::take(cells).map(|Only(state)| EventBody::Journal(state)),
    ),
    Table::input(Id::Clocks, "clocks", "The venue's clock against ours.", VenueClock::COLUMNS, |cells| {
        VenueClock::take(cells).map(EventBody::Clock)
    }),
    Table::input(
        Id::Budgets,
        "budgets",
        "What the venue still lets us ask.",
        RequestBudget::COLUMNS,
        |cells| RequestBudget::take(cells).map(EventBody::Budget),
    ),
    Table::input(Id::Keys, "keys", "What the key in use may do.", KeyScope::COLUMNS, |cells| {
        KeyScope::take(cells).map(EventBody::Key)
    }),
    Table::input(Id::Margins, "margins", "The account as the venue counts it.", Margin::COLUMNS, |cells| {
        Margin::take(cells).map(EventBody::Margin)
    }),
    Table::input(
        Id::Marks,
        "marks",
        "Fair prices, by which the venue values positions.",
        MarkPrice::COLUMNS,
        |cells| MarkPrice::take(cells).map(EventBody::Mark),
    ),
    Table::input(Id::Rates, "rates", "What assets are worth.", AssetRate::COLUMNS, |cells| {
        AssetRate::take(cells).map(EventBody::Rate)
    }),
    Table::input(Id::Cash, "cash", "Money that came or went without a fill.", Cash::COLUMNS, |cells| {
        Cash::take(cells).map(EventBody::Cash)
    }),
    Table::input(
        Id::Rounds,
        "rounds",
        "Beginnings and ends of looks at everything the venue has of ours.",
        ReconcileRound::COLUMNS,
        |cells| ReconcileRound::take(cells).map(EventBody::Round),
    ),
    Table::input(
        Id::VenueOrders,
        "venue_orders",
        "Of a round: orders that work at the venue.",
        VenueOrder::COLUMNS,
        |cells| VenueOrder::take(cells).map(EventBody::VenueOrder),
    ),
    Table::input(
        Id::VenuePositions,
        "venue_positions",
        "Of a round: what the venue says is held.",
        VenuePosition::COLUMNS,
        |cells| VenuePosition::take(cells).map(EventBody::VenuePosition),
    ),
    Table::input(
        Id::Sequences,
        "sequences",
        "How far the numbering of an account has been told.",
        AccountSequence::COLUMNS,
        |cells| AccountSequence::take(cells).map(EventBody::Sequence),
    ),
    Table::output(Id::Orders, "orders", "Orders sent.", NewOrder::COLUMNS, |cells| {
        NewOrder::take(cells).map(Output::NewOrder)
    }),
    Table::output(Id::Cancels, "cancels", "Cancels sent.", CancelOrder::COLUMNS, |cells| {
        CancelOrder::take(cells).map(Output::Cancel)
    }),
    Table::output(Id::Signals, "signals", "A strategy saw its conditions met.", Signal::COLUMNS, |cells| {
        Signal::take(cells).map(Output::Signal)
    }),
    Table::output(
        Id::Decisions,
        "decisions",
        "The gate's answer to one order: why it was or was not sent.",
        Decision::COLUMNS,
        |cells| Decision::take(cells).map(Output::Decision),
    ),
    Table::output(
        Id::Structures,
        "structures",
        "Market structure came to be, changed or ended.",
        Structure::COLUMNS,
        |cells| Structure::take(cells).map(Output::Structure),
    ),
    Table::output(Id::Bars, "bars", "Bars that the engine closed.", Closed::COLUMNS, |cells| {
        Closed::take(cells).map(|closed| Output::BarClosed(closed.instrument, closed.timeframe, closed.bar))
    }),
    Table::output(
        Id::Positions,
        "positions",
        "Position and profit after a fill, or after cash about an instrument.",
        Position::COLUMNS,
        |cells| Position::take(cells).map(Output::Position),
    ),
    Table::output(Id::States, "states", "The trading state changed.", StateChange::COLUMNS, |cells| {
        StateChange::take(cells).map(Output::State)
    }),
    Table::output(Id::Alerts, "alerts", "Something a person should see.", Alert::COLUMNS, |cells| {
        Alert::take(cells).map(Output::Alert)
    }),
    Table::output(
        Id::Replaces,
        "replaces",
        "Orders sent in the place of working ones.",
        ReplaceOrder::<NewOrder>::COLUMNS,
        |cells| ReplaceOrder::take(cells).map(Output::Replace),
    ),
    Table {
        id: Id::Digests,
        name: "digests",
        doc: "Fingerprints of all outputs so far.",
        groups: [RecordHead::COLUMNS, DIGEST, &[]],
        content: Content::Digest,
    },
    Table {
        id: Id::Raw,
        name: "raw",
        doc: "Every other record: configuration, source, run, snapshot, close, kinds and words that this version does not know.",
        groups: [RecordHead::COLUMNS, RAW, &[]],
        content: Content::Raw,
    },
    Table {
        id: Id::Segments,
        name: "segments",
        doc: "The journal's files: what a journal is restored from. Only in exports that leave nothing out.",
        groups: [SEGMENT, &[], &[]],
        content: Content::Segment,
    },
];

const _: () = {
    let mut at = 0;
    while at < TABLE_COUNT {
        assert!(TABLES[at].id as usize == at);
        assert!(TABLES[at].width() <= COLUMNS_MAX);
        at += 1;
    }
};
