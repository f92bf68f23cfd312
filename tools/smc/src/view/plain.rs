//! The view where there is no terminal: aligned lines, one per signal and per order that filled, and one of
//! state every two seconds.
//!
//! The many fills of one order are one line: written when the order is over, or with the next line of state.

use super::draw::{alert as alert_words, denied, fixed, purpose, side, signed, state_change};
use super::model::{Execution, Model};
use smc_core::codec;
use smc_core::event::ScopeKind;
use smc_core::output::{NewOrder, Output, Position};
use smc_core::words::{Direction, InstrumentId};
use smc_journal::{RecordKind, Tail};
use smc_runtime::control::StatusSource;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const STATE_EVERY: Duration = Duration::from_secs(2);
/// Between two looks at the journal.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Follows the journal and writes lines to `out` until `is_over`.
pub fn plain(journal: &Path, status: &StatusSource, is_over: &dyn Fn() -> bool, out: &mut dyn Write) {
    let Ok(mut tail) = Tail::open(journal) else { return };
    let mut lines = Lines { started: Instant::now(), model: Model::default(), filling: Vec::new(), out };
    let mut next_state = lines.started + STATE_EVERY;
    loop {
        // Asked before the journal is read, so that nothing is left unread at the end.
        let was_over = is_over();
        while let Ok(Some(record)) = tail.poll() {
            lines.model.fold(record.seq, record.kind, record.payload);
            if record.kind == RecordKind::Output
                && let Ok(output) = codec::decode::<Output<NewOrder>>(record.payload)
            {
                lines.on_output(&output);
            }
        }
        lines.write_fills(was_over);
        if Instant::now() >= next_state {
            next_state += STATE_EVERY;
            lines.write_fills(true);
            lines.write_state(status);
        }
        if was_over {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

struct Lines<'a> {
    started: Instant,
    model: Model,
    /// Orders whose fills are not written yet.
    filling: Vec<Execution>,
    out: &'a mut dyn Write,
}

impl Lines<'_> {
    fn on_output(&mut self, output: &Output<NewOrder>) {
        match output {
            Output::Signal(signal) => {
                let way = if signal.direction == Direction::Up { "long" } else { "short" };
                let price = |price: smc_core::Price| self.price(signal.instrument, price.0);
                let words = format!(
                    "{way:<5}  entry {}  stop {}  target {}",
                    price(signal.entry),
                    price(signal.stop),
                    price(signal.target)
                );
                let head = format!("signal {}", signal.id);
                self.write(&head, Some(signal.instrument), &words);
            }
            Output::Position(position) => self.on_fill(position),
            Output::State(change) => {
                let is_of_one = change.scope.kind == ScopeKind::Instrument;
                let of = is_of_one.then_some(InstrumentId(change.scope.id));
                self.write("state", of, &state_change(change, "->"));
            }
            Output::Alert(alert) => {
                let of = Some(alert.instrument).filter(|id| *id != InstrumentId::NONE);
                self.write("alert", of, &alert_words(alert));
            }
            Output::Decision(decision) if decision.codes != 0 => {
                self.write("denied", Some(decision.instrument), &denied(decision.codes));
            }
            _ => {}
        }
    }

    fn on_fill(&mut self, position: &Position) {
        let now = self.model.now;
        let id = position.client_order_id;
        match self.filling.iter_mut().find(|execution| execution.client_order_id == id) {
            Some(execution) => *execution = execution.with(position, now),
            None => self.filling.push(Execution::new(position, self.model.trading.purpose(id), now)),
        }
    }

    /// Writes the fills of orders that are over, or of all.
    fn write_fills(&mut self, is_all: bool) {
        let filling = std::mem::take(&mut self.filling);
        for execution in filling {
            if !is_all && !self.model.trading.is_settled(execution.client_order_id) {
                self.filling.push(execution);
                continue;
            }
            let words = format!(
                "{:<5}  {} @ {}  {:<7} {:>3} {}  position {}  realised {}",
                side(execution.side),
                self.qty(execution.instrument, execution.qty.0),
                self.price(execution.instrument, execution.price().0),
                execution.purpose.map_or("", purpose),
                execution.fills,
                if execution.fills == 1 { "fill " } else { "fills" },
                self.qty(execution.instrument, execution.position.0),
                signed(execution.realised, 2),
            );
            self.write("filled", Some(execution.instrument), &words);
        }
    }

    fn write_state(&mut self, status: &StatusSource) {
        let now = status.status();
        let words = self
            .model
            .markets
            .first()
            .and_then(|market| market.last)
            .map_or_else(String::new, |last| format!("last   {}  ", self.price(InstrumentId(0), last.0)));
        let realised = smc_core::Money::parse(now.realised_pnl.as_bytes()).map_or(0, |money| money.0);
        let words = format!(
            "{words}signals {}  orders {}  fills {}  realised {}  journal record {}",
            now.signals,
            now.orders_sent,
            now.fills,
            signed(realised, 2),
            now.seq
        );
        self.write(&now.state, Some(InstrumentId(0)), &words);
    }

    /// A reader of the lines may have gone; the run goes on.
    fn write(&mut self, head: &str, instrument: Option<InstrumentId>, words: &str) {
        let symbol = instrument.and_then(|id| self.model.markets.get(id.index()));
        let symbol = symbol.map_or("", |market| market.symbol.as_str());
        let seconds = self.started.elapsed().as_secs_f64();
        let _ = writeln!(self.out, "{seconds:>7.2}s  {head:<11}  {symbol:<8}  {words}");
    }

    fn price(&self, instrument: InstrumentId, value: i64) -> String {
        let decimals = self.model.markets.get(instrument.index()).and_then(|market| market.price_decimals);
        fixed(value, decimals.unwrap_or(2))
    }

    fn qty(&self, instrument: InstrumentId, value: i64) -> String {
        let decimals = self.model.markets.get(instrument.index()).and_then(|market| market.qty_decimals);
        fixed(value, decimals.unwrap_or(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::model::samples;

    #[test]
    fn the_fills_of_one_order_are_one_line() {
        let mut written = Vec::new();
        let mut lines = Lines {
            started: Instant::now(),
            model: Model::default(),
            filling: Vec::new(),
            out: &mut written,
        };
        for record in samples::short_and_stopped() {
            match record {
                samples::Word::Event(event) => lines.model.on_event(&event),
                samples::Word::Output(output) => {
                    lines.model.on_output(&output);
                    lines.on_output(&output);
                }
            }
            lines.write_fills(false);
        }
        lines.write_fills(true);
        let text = String::from_utf8(written).unwrap();
        let texts: Vec<&str> = text.lines().map(|line| &line[10..]).collect();
        assert_eq!(
            texts,
            [
                "signal 1     BTCUSDT   short  entry 100.50  stop 101.00  target 99.00",
                "filled       BTCUSDT   sell   3.000 @ 100.50  entry     2 fills  position -3.000  realised -0.30",
                "filled       BTCUSDT   buy    3.000 @ 101.00  stop      1 fill   position 0.000  realised -2.10",
            ]
        );
    }
}
