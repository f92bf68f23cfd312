//! The picture a reader of the journal has: prices, bars, structure, orders, position.
//!
//! Pure: one call of [`Model::fold`] per record, no clock, no file. Memory is bounded by the constants below,
//! however long the run. Nothing a journal may hold makes it panic; what cannot be decoded is counted.

mod chart;
mod market;
mod trading;

pub use chart::{Candle, Chart, Zone, ZoneKind};
pub use market::Market;
pub use trading::{Execution, OrderRow, OrderStage, Trading};

use smc_core::codec;
use smc_core::event::{Event, EventBody, GatewayState};
use smc_core::output::{
    Alert, Decision, NewOrder, OrderTerms, Output, Position, Scope, Signal, StateChange, Structure,
    StructureKind, TimeInForce,
};
use smc_core::words::{ClientOrderId, InstrumentId, Qty, Timeframe, TsNs};
use smc_journal::RecordKind;
use smc_observe::Picture;
use smc_runtime::config::FileConfig;
use std::collections::VecDeque;

/// Instruments followed; further ones are left out of the picture.
const MARKETS_MAX: usize = 16;
/// Lines kept for the log.
const NOTES_MAX: usize = 256;

/// The picture.
#[derive(Default)]
pub struct Model {
    /// By the number of the instrument.
    pub markets: Vec<Market>,
    /// Orders, fills, profit.
    pub trading: Trading,
    /// What a person may want to read, newest last.
    pub notes: VecDeque<(TsNs, Note)>,
    /// Signals so far, the newest kept.
    pub last_signal: Option<Signal>,
    /// The order path.
    pub gateway: Option<GatewayState>,
    /// Market time: of the last event.
    pub now: TsNs,
    /// Number of the last record.
    pub seq: u64,
    /// Records whose payload could not be decoded.
    pub refused: u64,
}

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Note {
    /// The market's structure.
    Structure(Structure),
    /// A strategy's conditions were met.
    Signal(Signal),
    /// The gate refused an order.
    Denied(Decision),
    /// The trading state.
    State(StateChange),
    /// Something to look at.
    Alert(Alert),
}

impl Model {
    /// Takes the next record of the journal.
    pub fn fold(&mut self, seq: u64, kind: RecordKind, payload: &[u8]) {
        self.seq = seq;
        match kind {
            RecordKind::Input => match codec::decode::<Event>(payload) {
                Ok(event) => self.on_event(&event),
                Err(_) => self.refused += 1,
            },
            RecordKind::Output => match codec::decode::<Output<NewOrder>>(payload) {
                Ok(output) => self.on_output(&output),
                Err(_) => self.refused += 1,
            },
            RecordKind::Config => self.on_config(payload),
            _ => {}
        }
    }

    /// One input of the engine.
    pub fn on_event(&mut self, event: &Event) {
        self.now = self.now.max(event.ts_recv);
        match &event.body {
            EventBody::Gateway(state) => self.gateway = Some(*state),
            EventBody::Order(update) => self.trading.on_update(update),
            EventBody::Feed(state) if event.instrument == InstrumentId::NONE => {
                self.markets.iter_mut().for_each(|market| market.feed = Some(*state));
            }
            body => {
                if let Some(market) = self.market_mut(event.instrument) {
                    market.on_event(event.ts_event, body);
                }
            }
        }
    }

    /// One output of the engine.
    pub fn on_output(&mut self, output: &Output<NewOrder>) {
        let now = self.now;
        match output {
            Output::NewOrder(order) => self.trading.on_order(order, now),
            Output::Replace(replace) => {
                self.trading.on_cancel(replace.replaced);
                self.trading.on_order(&replace.order, now);
            }
            Output::Cancel(cancel) => self.trading.on_cancel(cancel.client_order_id),
            Output::Position(position) => {
                let mut held = position.qty;
                if let Some(market) = self.market_mut(position.instrument) {
                    market.position = Some(*position);
                    held = market.held(position);
                }
                self.trading.on_position(position, held, now);
            }
            Output::BarClosed(instrument, timeframe, bar) => {
                if let Some(chart) = self.chart_mut(*instrument, *timeframe) {
                    chart.on_bar_closed(bar);
                }
            }
            Output::Structure(structure) => {
                if let Some(chart) = self.chart_mut(structure.instrument, structure.timeframe) {
                    chart.on_structure(structure);
                }
                if is_told(structure.kind) && structure.scope == Scope::Swing {
                    self.note(Note::Structure(*structure));
                }
            }
            Output::Signal(signal) => {
                self.last_signal = Some(*signal);
                self.note(Note::Signal(*signal));
            }
            Output::Decision(decision) if decision.codes != 0 => self.note(Note::Denied(*decision)),
            Output::Decision(_) => {}
            Output::State(change) => self.note(Note::State(*change)),
            Output::Alert(alert) => self.note(Note::Alert(*alert)),
        }
    }

    /// Takes over what records that nobody looks at have led to.
    pub fn seed(&mut self, picture: &Picture) {
        self.now = self.now.max(picture.time);
        self.gateway = picture.venues.iter().map(|venue| venue.gateway).min_by_key(|state| *state as u8);
        for it in &picture.instruments {
            let id = InstrumentId(it.id);
            let Some(market) = self.market_mut(id) else { continue };
            market.feed = Some(it.feed);
            market.last = it.last.or(market.last);
            market.position = Some(Position {
                instrument: id,
                qty: it.position,
                average: it.average,
                realised: it.realised,
                fees: it.fees,
                client_order_id: ClientOrderId::NONE,
                fill_price: it.mark,
                fill_qty: Qty::ZERO,
            });
        }
        for it in &picture.orders {
            let Some(client_order_id) = ClientOrderId::parse(it.client_order_id.as_bytes()) else { continue };
            let order = NewOrder {
                client_order_id,
                instrument: InstrumentId(it.instrument),
                side: it.side,
                kind: it.kind,
                time_in_force: TimeInForce::Gtc,
                price: it.price,
                stop_price: it.stop_price,
                qty: it.qty,
                purpose: it.purpose,
                signal_id: it.signal,
                terms: OrderTerms::PLAIN,
            };
            self.trading.on_order(&order, it.sent_at);
        }
    }

    /// Timeframes and symbols are known before the first bar.
    fn on_config(&mut self, payload: &[u8]) {
        let text = std::str::from_utf8(payload).unwrap_or_default();
        let Ok(config) = FileConfig::parse(text) else { return };
        let Ok(engine) = config.engine() else { return };
        for (nth, instrument) in config.instruments.iter().enumerate().take(MARKETS_MAX) {
            let Some(market) = self.market_mut(InstrumentId(nth as u16)) else { return };
            market.symbol.clone_from(&instrument.symbol);
            for timeframe in &engine.timeframes {
                market.chart_mut(*timeframe);
            }
        }
    }

    /// The market of an instrument; made when first heard of.
    fn market_mut(&mut self, instrument: InstrumentId) -> Option<&mut Market> {
        let at = instrument.index();
        if at >= MARKETS_MAX {
            return None;
        }
        while self.markets.len() <= at {
            self.markets.push(Market::default());
        }
        self.markets.get_mut(at)
    }

    fn chart_mut(&mut self, instrument: InstrumentId, timeframe: Timeframe) -> Option<&mut Chart> {
        self.market_mut(instrument)?.chart_mut(timeframe)
    }

    fn note(&mut self, note: Note) {
        if self.notes.len() == NOTES_MAX {
            self.notes.pop_front();
        }
        self.notes.push_back((self.now, note));
    }
}

/// Pivots, swings and the quieter turns of a zone's life are seen in the chart, not read.
const fn is_told(kind: StructureKind) -> bool {
    use StructureKind::{
        Bos, Choch, FvgCreated, FvgInverted, InputRejected, LevelSwept, Mss, ObBroken, ObCreated, ObTested,
        PoolFormed, PoolRun, PoolSwept,
    };
    matches!(
        kind,
        Bos | Choch
            | Mss
            | FvgCreated
            | FvgInverted
            | ObCreated
            | ObTested
            | ObBroken
            | PoolFormed
            | PoolSwept
            | PoolRun
            | LevelSwept
            | InputRejected
    )
}

#[cfg(test)]
pub mod samples;
#[cfg(test)]
mod tests;
