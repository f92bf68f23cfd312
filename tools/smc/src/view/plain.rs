//! The view where there is no terminal: one line per fill and signal, and a line of state every two seconds.

use smc_core::codec;
use smc_core::output::{NewOrder, Output};
use smc_journal::{RecordKind, Tail};
use smc_runtime::control::StatusSource;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const STATE_EVERY: Duration = Duration::from_secs(2);

/// Follows the journal and writes lines to `out` until `is_over`.
pub fn plain(journal: &Path, status: &StatusSource, is_over: &dyn Fn() -> bool, out: &mut dyn Write) {
    let Ok(mut tail) = Tail::open(journal) else { return };
    let started = Instant::now();
    let mut next_state = started + STATE_EVERY;
    loop {
        let was_over = is_over();
        while let Ok(Some(record)) = tail.poll() {
            if record.kind == RecordKind::Output
                && let Ok(output) = codec::decode::<Output<NewOrder>>(record.payload)
                && let Some(text) = line(&output, &status.symbols)
            {
                let _ = writeln!(out, "{:>7.2}s  {text}", started.elapsed().as_secs_f64());
            }
        }
        if Instant::now() >= next_state {
            next_state += STATE_EVERY;
            let _ = writeln!(out, "{:>7.2}s  {}", started.elapsed().as_secs_f64(), state(status));
        }
        if was_over {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn line(output: &Output<NewOrder>, symbols: &[String]) -> Option<String> {
    let symbol = |id: smc_core::InstrumentId| symbols.get(id.index()).map_or("?", String::as_str);
    match output {
        Output::Signal(signal) => Some(format!(
            "signal #{} {} {:?}: entry {}, stop {}, target {}",
            signal.id,
            symbol(signal.instrument),
            signal.direction,
            signal.entry,
            signal.stop,
            signal.target
        )),
        Output::Position(position) => Some(format!(
            "fill {} {} at {}: position {}, realised {}",
            symbol(position.instrument),
            position.fill_qty,
            position.fill_price,
            position.qty,
            position.realised
        )),
        Output::State(change) => Some(format!("state {:?} -> {:?}", change.from, change.to)),
        Output::Alert(alert) => Some(format!("alert {:?} {}", alert.kind, alert.detail)),
        _ => None,
    }
}

fn state(status: &StatusSource) -> String {
    let now = status.status();
    let price = now.last_prices.values().next().cloned().unwrap_or_default();
    format!(
        "{}  price {price}  signals {}  orders {}  fills {}  realised {}  journal record {}",
        now.state, now.signals, now.orders_sent, now.fills, now.realised_pnl, now.seq
    )
}
