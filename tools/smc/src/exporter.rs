//! `smc exporter`, and the metrics port of `smc run` and `smc demo`.

use crate::failure::{Failure, Outcome};
use clap::Parser;
use smc_alerts::Handle;
use smc_exporter::{ChannelReading, Exporter, Port, Source};
use smc_runtime::launch::Running;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Serve the metrics of an engine that runs in another process.
///
/// Reads the engine's files and nothing else: the journal, the counters and the latencies beside it. The engine does not
/// know, and need not live. Prometheus text or OpenMetrics at /metrics, by what is asked for; /healthz answers 200 while the
/// engine lives and its journal keeps what happens, else 503. Ends by SIGTERM or SIGINT; exit code 0.
#[derive(Parser)]
pub struct Args {
    /// The engine's journal
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// Where to listen: a port of this machine, or IP:PORT
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464")]
    listen: String,
}

/// Serves until it is told to end.
pub fn exporter(args: &Args) -> Outcome {
    if !args.journal.is_dir() {
        return Err(Failure::wrong(args.journal.display(), "no such directory"));
    }
    let port = Port::open(&args.listen).map_err(|error| Failure::Wrong(error.to_string()))?;
    let end = Arc::new(AtomicBool::new(false));
    crate::signals::stop_on_signal(&end).map_err(|error| Failure::wrong("signals", error))?;
    let source =
        Source::outside(&args.journal).map_err(|error| Failure::wrong(args.journal.display(), error))?;
    let _serving = start(port, source)?;
    while !end.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The port that `address` names, if it names one. Before the engine starts: one that cannot be had is no reason to end it.
pub fn open(address: Option<&str>) -> Result<Option<Port>, Failure> {
    let port = address.map(Port::open).transpose();
    port.map_err(|error| Failure::Wrong(error.to_string()))
}

/// Serves the metrics of this process's engine, and of its alerts where it has them, if there is a port.
pub fn serve(
    port: Option<Port>,
    journal: &Path,
    running: &Running,
    alerts: Option<Handle>,
) -> Result<Option<Exporter>, Failure> {
    let Some(port) = port else { return Ok(None) };
    let source = Source::inside(journal, running.status.counters.clone(), running.view.clone());
    let source = match alerts {
        None => source,
        Some(alerts) => source.with_channels(move || (channels(&alerts), alerts.conditions_dropped())),
    };
    start(port, source).map(Some)
}

fn channels(alerts: &Handle) -> Vec<ChannelReading> {
    let states = alerts.channels().into_iter();
    let reading = states.map(|state| ChannelReading {
        name: state.name,
        outcomes: [
            ("sent", state.sent),
            ("retried", state.retried),
            ("refused", state.refused),
            ("dropped", state.dropped),
        ],
        waiting: state.waiting as u64,
    });
    reading.collect()
}

fn start(port: Port, source: Source) -> Result<Exporter, Failure> {
    let serving = port.serve(source).map_err(|error| Failure::Wrong(error.to_string()))?;
    eprintln!("smc: metrics at http://{}/metrics", serving.address());
    Ok(serving)
}
