//! The log as callers see it: nothing waits, nothing is forged, and what is left out is counted.

#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use smc_log::{Collector, Form, Level, Redacted, Rotation, Settings, Sink};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tracing::subscriber::with_default;

/// Whether the gate is open, and what came through.
type Gate = Mutex<(bool, Vec<u8>)>;

/// A sink that blocks while its gate is shut.
#[derive(Clone, Default)]
struct Gated(Arc<(Gate, Condvar)>);

impl Gated {
    fn open(&self) {
        self.0.0.lock().unwrap().0 = true;
        self.0.1.notify_all();
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().unwrap().1.clone()).unwrap()
    }
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.1.wait_while(self.0.0.lock().unwrap(), |inner| !inner.0).unwrap();
        inner.1.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

/// T6: whoever holds standard error holds nobody up.
#[test]
fn a_blocked_sink_costs_lines_and_no_time() {
    let sink = Gated::default();
    let settings = Settings { per_second_max: u32::MAX, ..Settings::default() };
    let (collector, handle) = Collector::into_sink(settings, sink.clone()).unwrap();
    with_default(collector, || {
        // Far more than the queue holds: this would never end if anything waited for the sink.
        (0..5_000).for_each(|nth| tracing::info!(nth, "said"));
        assert!(handle.lost() > 3_000, "{}", handle.lost());
        assert!(!handle.flush(Duration::from_millis(20)));
        sink.open();
        assert!(handle.flush(PATIENCE));
        let started = Instant::now();
        while !sink.text().contains("lines were lost") && started.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let text = sink.text();
    let said = text.lines().filter(|line| line.starts_with("smc: said; nth ")).count() as u64;
    assert_eq!(said + handle.lost(), 5_000, "every line is written or counted");
    assert!(text.contains(&format!("lines were lost; lines {}\n", handle.lost())), "{text}");
}

/// A full disk, by the device that plays one.
#[test]
fn a_full_disk_is_counted() {
    let rotation = Rotation { path: "/dev/full".into(), bytes_max: u64::MAX, files: 1 };
    let settings = Settings { sink: Sink::File(rotation), ..Settings::default() };
    let (collector, handle) = Collector::start(settings).unwrap();
    with_default(collector, || {
        tracing::error!("nobody reads this");
        assert!(handle.flush(PATIENCE));
    });
    assert!(handle.lost() > 0);
}

#[test]
fn a_place_that_says_too_much_is_held_back_and_counted() {
    let sink = Gated::default();
    sink.open();
    let settings = Settings { per_second_max: 5, ..Settings::default() };
    let (collector, handle) = Collector::into_sink(settings, sink.clone()).unwrap();
    with_default(collector, || {
        let started = Instant::now();
        (0..100).for_each(|nth| tracing::warn!(nth, "storm"));
        tracing::info!("another place");
        assert!(started.elapsed() < Duration::from_secs(1), "the test's own condition: one second");
        assert_eq!(handle.held_back(), 95);
        while !sink.text().contains("held back") && started.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let text = sink.text();
    assert_eq!(text.matches("storm").count(), 5, "{text}");
    assert!(text.contains("another place"), "{text}");
    assert!(
        text.contains("held back: too many lines of one place within a second; lines 95, place log:"),
        "{text}"
    );
}

#[test]
fn the_level_changes_while_it_runs() {
    let sink = Gated::default();
    sink.open();
    let (collector, handle) = Collector::into_sink(Settings::default(), sink.clone()).unwrap();
    let say = |nth: u32| {
        tracing::debug!(nth, "low");
        tracing::warn!(nth, "high");
    };
    with_default(collector, || {
        say(1);
        handle.set_level(Level::DEBUG);
        assert_eq!(handle.level(), Level::DEBUG);
        say(2);
        handle.set_level(Level::ERROR);
        say(3);
        assert!(handle.flush(PATIENCE));
    });
    assert_eq!(sink.text(), "smc: warning: high; nth 1\nsmc: debug: low; nth 2\nsmc: warning: high; nth 2\n");
}

/// S14, by type: a secret that is put into an event by mistake is not in the line.
#[test]
fn a_redacted_field_says_nothing() {
    let sink = Gated::default();
    sink.open();
    let settings = Settings { form: Form::Json, ..Settings::default() };
    let (collector, handle) = Collector::into_sink(settings, sink.clone()).unwrap();
    let token = Redacted::new("canary-4711".to_owned());
    with_default(collector, || {
        tracing::info!(%token, again = ?token, "calling {token}");
        assert!(handle.flush(PATIENCE));
    });
    let text = sink.text();
    assert!(!text.contains("canary-4711"), "{text}");
    assert_eq!(text.matches("[redacted]").count(), 3, "{text}");
}
