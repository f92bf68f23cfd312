//! Replays a journal and prints its digest: `digest JOURNAL`. Small, so that it can be built in many ways; `cargo xtask
//! builds` does, and compares.

use smc_core::engine::Engine;
use smc_core::strategy::Confluence;
use smc_journal::{Reader, RecordKind};
use smc_settings::file::FileConfig;
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).ok_or_else(|| "usage: digest JOURNAL".into()).and_then(|dir| digest(&dir)) {
        Ok(digest) => {
            println!("{digest}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("digest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn digest(dir: &str) -> Result<String, String> {
    let reader = Reader::open(dir).map_err(|error| error.to_string())?;
    let first = reader.records().next().ok_or("an empty journal")?.map_err(|damage| damage.to_string())?;
    if first.kind != RecordKind::Config {
        return Err("the journal does not begin with a configuration".into());
    }
    let config =
        FileConfig::parse(&String::from_utf8_lossy(first.payload)).map_err(|error| error.to_string())?;
    let config = config.engine().map_err(|error| error.to_string())?;
    let strategy = Confluence::for_config(&config);
    let mut core = Engine::new(config, strategy).map_err(|error| error.to_string())?;
    let replay = smc_replay::replay(&reader, &mut core).map_err(|error| error.to_string())?;
    match replay.difference {
        None => Ok(replay.digest),
        Some(difference) => Err(difference.to_string()),
    }
}
