//! The engine as it stood after a record.

use crate::course::Course;
use crate::verify::{Difference, ReplayError};
use smc_core::book::{Reference, Top};
use smc_core::config::EngineConfig;
use smc_core::engine::{Counters, Engine, Plan};
use smc_core::event::{Bar, FeedState, GatewayState};
use smc_core::instrument::InstrumentSpec;
use smc_core::orders::Order;
use smc_core::output::{Purpose, Scope, TradingState};
use smc_core::smc::{SmcEngine, Zone};
use smc_core::strategy::Confluence;
use smc_core::words::{Direction, InstrumentId, Money, Name, Price, Qty, Timeframe, TsNs};
use smc_journal::{Reader, RecordKind};

/// Everything that a person asks of the engine at one moment.
#[derive(Debug)]
pub struct StateAt {
    /// After this record.
    pub seq: u64,
    /// What that record is.
    pub kind: RecordKind,
    /// The engine's time.
    pub now: TsNs,
    /// Trading state.
    pub state: TradingState,
    /// State of the order path.
    pub gateway: GatewayState,
    /// What the account is worth.
    pub equity: Money,
    /// Profit taken, after fees.
    pub realised: Money,
    /// Fees paid.
    pub fees: Money,
    /// Each instrument, in the order of the configuration.
    pub instruments: Vec<InstrumentAt>,
    /// Orders that may still fill.
    pub open_orders: Vec<Order>,
    /// Everything counted.
    pub counters: Counters,
    /// Fingerprint of all outputs so far.
    pub digest: String,
    /// The first record at which this replay said something else than the journal.
    pub difference: Option<Difference>,
}

/// One instrument.
#[derive(Debug)]
pub struct InstrumentAt {
    /// Its place in the configuration.
    pub id: InstrumentId,
    /// The venue's symbol.
    pub symbol: Name,
    /// The venue's rules, once told.
    pub spec: Option<InstrumentSpec>,
    /// What the feed said last.
    pub feed: FeedState,
    /// Best bid and ask, whether trusted or not.
    pub top: Option<Top>,
    /// They may be traded on.
    pub is_trusted: bool,
    /// The price that values the position.
    pub mark: Price,
    /// The last public trade.
    pub last_trade: Option<Reference>,
    /// Signed quantity held.
    pub position: Qty,
    /// Average entry price.
    pub average: Price,
    /// Profit of what is held, at the mark.
    pub open_profit: Money,
    /// Profit taken, after fees.
    pub realised: Money,
    /// The trade planned or under way.
    pub plan: Option<Plan>,
    /// Why the position is being closed, if it is.
    pub leaving: Option<Purpose>,
    /// Each timeframe, ascending.
    pub charts: Vec<ChartAt>,
}

/// Market structure on one timeframe.
#[derive(Debug)]
pub struct ChartAt {
    /// Which timeframe.
    pub timeframe: Timeframe,
    /// Bars taken.
    pub bars: u32,
    /// The last of them.
    pub last_bar: Option<Bar>,
    /// Direction of the last break.
    pub bias: Option<Direction>,
    /// Average true range.
    pub atr: Price,
    /// Bottom and top of the dealing range.
    pub range: Option<(Price, Price)>,
    /// Living zones.
    pub zones: Vec<ZoneAt>,
    /// Unswept pools.
    pub pools: usize,
}

/// A living zone.
#[derive(Debug)]
pub struct ZoneAt {
    /// `order block`, `internal block` or `gap`.
    pub name: &'static str,
    /// The zone.
    pub zone: Zone,
}

/// Runs the journal up to and including record `seq`. The state after an output is that after the whole input.
pub fn until(reader: &Reader, config: EngineConfig, seq: u64) -> Result<StateAt, ReplayError> {
    let strategy = Confluence::for_config(&config);
    let mut core = Engine::new(config, strategy).map_err(|error| ReplayError::Config(error.to_string()))?;
    let mut course = Course::begin(reader, &mut core)?;
    let (mut last, mut kind) = (0, RecordKind::Unknown);
    for record in reader.records() {
        let record = record.map_err(ReplayError::Damage)?;
        if record.seq > seq {
            break;
        }
        (last, kind) = (record.seq, record.kind);
        course.take(&record)?;
    }
    if last != seq {
        return Err(ReplayError::NoRecord { seq, last });
    }
    let difference = course.result.difference.take();
    Ok(StateAt {
        seq,
        kind,
        now: core.now(),
        state: core.state(),
        gateway: core.gateway(),
        equity: core.equity(),
        realised: core.realised(),
        fees: core.fees(),
        instruments: core.positions().instruments().filter_map(|id| instrument(&core, id)).collect(),
        open_orders: open_orders(&core),
        counters: core.counters(),
        digest: core.digest().to_string(),
        difference,
    })
}

/// The oldest first.
fn open_orders(core: &Engine<Confluence>) -> Vec<Order> {
    let mut orders: Vec<Order> = core.open_orders().copied().collect();
    orders.sort_by_key(|order| order.client_order_id);
    orders
}

fn instrument(core: &Engine<Confluence>, id: InstrumentId) -> Option<InstrumentAt> {
    let (book, positions) = (core.book(id)?, core.positions());
    Some(InstrumentAt {
        id,
        symbol: core.config().instruments.get(id.index())?.symbol,
        spec: core.spec(id).copied(),
        feed: book.feed(),
        top: book.top(),
        is_trusted: book.is_trusted(),
        mark: book.mark(),
        last_trade: book.last_trade(),
        position: positions.qty(id),
        average: positions.average(id),
        open_profit: positions.unrealised(id),
        realised: positions.realised(id),
        plan: core.plan(id),
        leaving: core.leaving(id),
        charts: core.structure(id).iter().map(chart).collect(),
    })
}

fn chart(smc: &SmcEngine) -> ChartAt {
    let named = |name| move |zone: &Zone| ZoneAt { name, zone: *zone };
    ChartAt {
        timeframe: smc.timeframe(),
        bars: smc.bar_count(),
        last_bar: smc.last_bar().copied(),
        bias: smc.bias(),
        atr: smc.atr(),
        range: smc.dealing_range().map(|(top, bottom)| (bottom, top)),
        zones: smc
            .order_blocks()
            .map(named("order block"))
            .chain(smc.order_blocks_of(Scope::Internal).map(named("internal block")))
            .chain(smc.watched_gaps().map(named("gap")))
            .collect(),
        pools: smc.pools().count(),
    }
}
