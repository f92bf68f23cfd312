//! Several venues in one engine, and what `smc venue check` says of them.
#![allow(missing_docs, clippy::unwrap_used)]

use serde_json::Value;
use smc_core::output::Output;
use smc_core::{InstrumentId, codec};
use smc_journal::{RecordKind, Tail};
use std::path::{Path, PathBuf};
use tests::{BUSY, Child, SimProcess, config_text, smc, wait_until};

/// Two simulators, each with its own market and account, in one configuration: the same symbol at both.
struct Desk {
    home: tempfile::TempDir,
    first: SimProcess,
    second: Option<SimProcess>,
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // The engine's clock is the first venue's, which may be behind the other's but not ahead.
        let second = SimProcess::start(&home.path().join("second"), 4.0, 12);
        let first = SimProcess::start(&home.path().join("first"), 4.0, 11);
        let (address, keys, api_key) = (&second.address, second.keys.display(), &second.api_key);
        let (_, rest) = BUSY.split_once("[[instruments]]").unwrap();
        let (instrument, _) = rest.split_once("\n[").unwrap();
        let there = instrument.replace("symbol = \"BTCUSDT\"", "symbol = \"BTCUSDT\"\nvenue = \"second\"");
        let text = config_text(&first, 3, "inline", "yield")
            + &format!(
                r#"
[[instruments]]{there}
[[venues]]
name = "second"
at = {{ kind = "binance-spot", market = "{address}", orders = "{address}", rest = "{address}", ca_file = "{keys}/ca.pem", speed = 4.0 }}
account = {{ api_key = "{api_key}", key_file = "{keys}/key.pem", recv_window_ms = 60000 }}
"#
            );
        std::fs::write(home.path().join("smc.toml"), text).unwrap();
        Self { home, first, second: Some(second) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn check(&self) -> (i32, Value) {
        let config = self.path("smc.toml");
        let done = smc(&["venue", "check", "--json", "--config", config.to_str().unwrap()]);
        let document = serde_json::from_str(&done.stdout);
        (done.code, document.unwrap_or_else(|error| panic!("{error}: {} {}", done.stdout, done.stderr)))
    }
}

fn orders_at(audit: &Path) -> usize {
    std::fs::read_to_string(audit).map_or(0, |text| text.matches(" accepted ").count())
}

/// What each finding says, as `venue what verdict`.
fn lines(document: &Value) -> Vec<String> {
    let findings = document["findings"].as_array().unwrap();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    findings.iter().map(|f| ["venue", "what", "verdict"].map(|key| text(f, key)).join(" ")).collect()
}

#[test]
fn two_accounts_trade_in_one_engine_and_one_goes_on_when_the_other_is_gone() {
    let mut desk = Desk::new();
    let (code, document) = desk.check();
    assert_eq!((code, &document["is_fit"]), (0, &Value::Bool(true)), "{document}");
    let found = lines(&document);
    for venue in ["binance-spot", "second"] {
        for what in ["address", "clock", "instrument", "key", "account", "prices"] {
            assert!(found.contains(&format!("{venue} {what} ok")), "{venue} {what}: {document}");
        }
    }

    let [config, journal, control, log] =
        ["smc.toml", "journal", "control", "log"].map(|name| desk.path(name));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let args =
        ["run", "--config", &text(&config), "--journal", &text(&journal), "--control", &text(&control)];
    let mut engine = Child::smc(&args, &log);
    let told = || std::fs::read_to_string(&log).unwrap_or_default();
    wait_until("orders at both venues", || {
        assert!(!engine.is_over(), "{}", told());
        let second = desk.second.as_ref().unwrap();
        orders_at(&desk.first.audit) > 0 && orders_at(&second.audit) > 0
    });
    drop(desk.second.take());
    let before = orders_at(&desk.first.audit);
    wait_until("the first venue goes on", || {
        assert!(!engine.is_over(), "{}", told());
        orders_at(&desk.first.audit) > before + 3
    });
    let (code, document) = desk.check();
    assert_eq!((code, &document["is_fit"]), (1, &Value::Bool(false)), "{document}");
    assert!(lines(&document).contains(&"second address NO".to_owned()), "{document}");

    let (code, _) = engine.end();
    assert_eq!(code, 0, "{}", told());
    let mut sent = [0, 0];
    let mut tail = Tail::open(&journal).unwrap();
    while let Some(record) = tail.poll().unwrap() {
        if record.kind == RecordKind::Output
            && let Ok(Output::NewOrder(order)) =
                codec::decode::<Output<smc_core::output::NewOrder>>(record.payload)
        {
            sent[usize::from(order.instrument.0)] += 1;
            assert!(order.instrument <= InstrumentId(1));
        }
    }
    assert!(sent.iter().all(|&count| count > 0), "{sent:?}");
    let done = smc(&["replay", "--verify", journal.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{}", done.tail());
}
