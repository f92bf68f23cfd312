//! `smc support-bundle`: what somebody else needs in order to help, and no secret.
//!
//! Paths of secrets are in it, their contents never: files with secrets are not opened. The configuration is written anew from
//! what was read, so that comments stay here too, and every value whose key could name a secret or a person is left out.

use crate::doctor;
use crate::failure::{Failure, Outcome};
use clap::Parser;
use smc_journal::Reader;
use smc_runtime::control::StatusSource;
use smc_runtime::counters::{CountersView, FILE_NAME};
use smc_runtime::latency::Latencies;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::{Table, Value};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Collect version, host, configuration without secrets, counters, journal and log into a zip file.
///
/// For a person who is to find out what happened. Contents of key files, tokens and one-time secrets are never in it; key names,
/// addresses of webhooks, chats and mailboxes are left out of the configuration. The journal holds orders, prices and balances.
#[derive(Parser)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The engine's journal, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// The file to make; not one that is there
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// MiB of journal lines and of the log, the newest of each
    #[arg(long, value_name = "MIB", default_value_t = 4)]
    mib: u64,
    /// The newest segment of the journal as it is, too
    #[arg(long)]
    raw: bool,
}

/// What stands for a value that is left out.
const HIDDEN: &str = "[redacted]";

struct Bundle {
    zip: ZipWriter<File>,
    names: Vec<String>,
}

impl Bundle {
    fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.zip.start_file(name, options).map_err(io::Error::other)?;
        self.names.push(name.into());
        self.zip.write_all(bytes)
    }
}

/// Collects. What cannot be had is said in its place.
pub fn support_bundle(args: &Args) -> Outcome {
    let failed = |error: &dyn std::fmt::Display| Failure::wrong(args.out.display(), error);
    // For its owner alone, and never over something that is there.
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.out);
    let zip = ZipWriter::new(file.map_err(|error| failed(&error))?);
    let mut bundle = Bundle { zip, names: Vec::new() };
    collect(args, &mut bundle).map_err(|error| failed(&error))?;
    bundle.zip.finish().map_err(|error| failed(&error))?;
    println!("{}: {}", args.out.display(), bundle.names.join(", "));
    Ok(())
}

fn collect(args: &Args, bundle: &mut Bundle) -> io::Result<()> {
    let most = args.mib.max(1).saturating_mul(1 << 20);
    let build: String = smc_core::build_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    let made = jiff::Timestamp::now();
    bundle.add(
        "version.txt",
        format!("smc {}\nbuild {build}\nmade {made}\n", env!("CARGO_PKG_VERSION")).as_bytes(),
    )?;
    bundle.add("host.txt", host().as_bytes())?;
    let text = std::fs::read_to_string(&args.config);
    let table = text.as_ref().ok().and_then(|text| text.parse::<Table>().ok());
    let shown = match (&text, &table) {
        (Err(error), _) => format!("# {error}\n"),
        (Ok(_), None) => "# not TOML, so nothing of it is shown\n".into(),
        (Ok(_), Some(table)) => toml::to_string(&without_secrets(table)).unwrap_or_default(),
    };
    bundle.add("config.toml", shown.as_bytes())?;

    let ask = doctor::Args {
        config: args.config.clone(),
        journal: args.journal.clone(),
        control: None,
        json: false,
    };
    let findings: Vec<doctor::Finding> =
        doctor::examine(&ask).into_iter().map(doctor::Finding::without_people).collect();
    bundle.add("doctor.txt", doctor::as_table(&findings).as_bytes())?;
    bundle.add("doctor.json", doctor::as_json(&findings).to_string().as_bytes())?;

    let of_process = |key: &str| {
        let value = table.as_ref()?.get("process")?.get(key)?.as_str()?;
        Some(PathBuf::from(value))
    };
    if let Some(journal) = args.journal.clone().or_else(|| of_process("journal")) {
        let symbols = symbols(table.as_ref());
        bundle.add("counters.json", counters(&journal, symbols).as_bytes())?;
        bundle.add("journal.txt", lines(&journal, most).as_bytes())?;
        if args.raw {
            raw(&journal, bundle)?;
        }
    }
    if let Some(path) = of_process("log_file") {
        let told =
            tail(&path, most).unwrap_or_else(|error| format!("{}: {error}\n", path.display()).into_bytes());
        bundle.add("log.txt", &told)?;
    }
    Ok(())
}

/// The machine, in the kernel's words.
fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string());
    let first = |text: String, wanted: &[&str]| -> String {
        let lines = text.lines().filter(|line| wanted.iter().any(|word| line.starts_with(word)));
        let mut lines: Vec<&str> = lines.collect();
        lines.dedup();
        lines.join("\n")
    };
    let mut text = format!("kernel {}", read("/proc/version"));
    text.push_str(&format!("{}\n", first(read("/etc/os-release"), &["PRETTY_NAME"])));
    text.push_str(&format!("{}\n", first(read("/proc/cpuinfo"), &["model name"])));
    text.push_str(&format!("cores {}\n", smc_runtime::idle::cores()));
    text.push_str(&format!("{}\n", first(read("/proc/meminfo"), &["MemTotal", "MemAvailable", "SwapTotal"])));
    text.push_str(&format!("load {}uptime {}", read("/proc/loadavg"), read("/proc/uptime")));
    text.push_str(&format!("isolated {}", read("/sys/devices/system/cpu/isolated")));
    text
}

/// The same table without values whose keys could name a secret, a person or a place that is one.
fn without_secrets(table: &Table) -> Table {
    let each = table.iter().map(|(key, value)| match value {
        Value::Table(control) if key == "control" => (key.clone(), Value::Table(without_people(control))),
        value => (key.clone(), shown(key, value)),
    });
    each.collect()
}

/// `[control]` names people, in its lists and as the names of their keys: how many there are is told, and the rest of each key.
fn without_people(control: &Table) -> Table {
    let hidden = |table: &Table| -> Table {
        let fields = table.iter().map(|(key, value)| match key.as_str() {
            // By its number an operator stands in the journal.
            "role" | "operator" => (key.clone(), value.clone()),
            _ => (key.clone(), HIDDEN.into()),
        });
        fields.collect()
    };
    let numbered = |keys: &Table| -> Table {
        let each = keys.values().zip(1..).map(|(value, nth)| {
            let value = value.as_table().map_or(HIDDEN.into(), |table| Value::Table(hidden(table)));
            (format!("{HIDDEN}_{nth}"), value)
        });
        each.collect()
    };
    let each = control.iter().map(|(key, value)| match value {
        Value::Table(keys) => (key.clone(), Value::Table(numbered(keys))),
        Value::Array(list) => (key.clone(), Value::Array(list.iter().map(|_| HIDDEN.into()).collect())),
        _ => (key.clone(), HIDDEN.into()),
    });
    each.collect()
}

fn shown(key: &str, value: &Value) -> Value {
    const TELLING: [&str; 14] = [
        "key", "secret", "token", "pass", "user", "chat", "url", "hook", "from", "to", "mail", "auth",
        "cred", "code",
    ];
    // A path says where a secret is; `api_key_file` is no secret, and `bars_from` no sender.
    let is_path = key.ends_with("_file");
    let words = || key.split('_');
    let is_telling = !is_path
        && key != "bars_from"
        && words().any(|word| {
            TELLING.iter().any(|telling| word == *telling || telling.len() > 2 && word.contains(telling))
        });
    match value {
        Value::Table(table) => Value::Table(without_secrets(table)),
        Value::Array(_) if is_telling => HIDDEN.into(),
        Value::Array(values) => Value::Array(values.iter().map(|value| shown(key, value)).collect()),
        Value::String(_) if is_telling => HIDDEN.into(),
        other => other.clone(),
    }
}

fn symbols(table: Option<&Table>) -> Vec<String> {
    let instruments = table.and_then(|table| table.get("instruments")).and_then(Value::as_array);
    let symbol = |value: &Value| value.get("symbol").and_then(Value::as_str).unwrap_or("?").to_owned();
    instruments.into_iter().flatten().map(symbol).collect()
}

/// As `smc ctl status` tells it, without what only the engine's process knows.
fn counters(journal: &Path, symbols: Vec<String>) -> String {
    match CountersView::open(&journal.join(FILE_NAME)) {
        Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
        Ok(view) => {
            let source = StatusSource {
                counters: Arc::new(view),
                latencies: Latencies::new(),
                symbols,
                journal: journal.to_owned(),
                speed: 1.0,
                topology: "",
            };
            serde_json::to_string_pretty(&source.status()).unwrap_or_default()
        }
    }
}

/// The newest records as lines, at most `most` bytes.
fn lines(journal: &Path, most: u64) -> String {
    let reader = match Reader::open(journal) {
        Ok(reader) => reader,
        Err(error) => return format!("{error}\n"),
    };
    let (mut kept, mut bytes) = (std::collections::VecDeque::new(), 0u64);
    // From the last segments on: a long journal is not walked for its end.
    let places = reader.segment_places();
    let from = places.iter().rev().nth(1).or(places.first());
    let records = match from.map(|place| reader.records_after(place)) {
        Some(Ok(records)) => records,
        Some(Err(damage)) => return format!("{damage}\n"),
        None => reader.records(),
    };
    for record in records {
        let line = match record {
            Ok(record) => crate::journal::line(&record),
            Err(damage) => format!("{damage}\n"),
        };
        bytes += line.len() as u64;
        kept.push_back(line);
        while bytes > most
            && let Some(gone) = kept.pop_front()
        {
            bytes -= gone.len() as u64;
        }
    }
    Vec::from(kept).concat()
}

fn raw(journal: &Path, bundle: &mut Bundle) -> io::Result<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(journal)?.flatten().map(|entry| entry.path()).collect();
    let number = |path: &PathBuf| {
        path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u32>().ok())
    };
    let last = Reader::open(journal)
        .ok()
        .and_then(|reader| reader.segment_places().last().map(|place| place.segment));
    files.retain(|path| number(path).is_some() && number(path) == last);
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        bundle.add(&format!("journal/{name}"), &std::fs::read(&path)?)?;
    }
    Ok(())
}

/// The end of a file.
fn tail(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_people_and_places_are_left_out_and_the_rest_stays() {
        let text = r#"
            # canary in a comment
            [engine]
            timeframes = ["5s"]
            bars_from = "quotes"
            [account]
            api_key = "canary"
            key_file = "/etc/smc/key.pem"
            [alerts]
            silence_s = 7
            [[alerts.channel]]
            kind = "mail"
            host = "mail.example:587"
            user = "canary"
            password = "canary"
            from = "canary@x"
            to = ["canary@y"]
            [[alerts.channel]]
            kind = "webhook"
            url = "https://h/canary"
            apikey = "canary"
            token_file = "/etc/smc/token"
            [control]
            group = "canary"
            view = ["canary", "@canary"]
            operate = ["canary"]
            risk = ["canary"]
            admin = ["canary"]
            relay = ["canary"]
            [control.keys.canary]
            file = "/etc/smc/canary"
            role = "admin"
            operator = 4000000001
            [[venues]]
            account = { api_key = "canary", key_file = "k2" }
        "#;
        let shown = toml::to_string(&without_secrets(&text.parse().unwrap())).unwrap();
        assert!(!shown.contains("canary"), "{shown}");
        for kept in [
            "/etc/smc/key.pem",
            "quotes",
            "5s",
            "mail.example:587",
            "silence_s = 7",
            "/etc/smc/token",
            "k2",
            "4000000001",
        ] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }
}
