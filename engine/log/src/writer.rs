//! The writer's thread: lines out of the queue, onto standard error or into the file.

use crate::collector::Shared;
use crate::file::LogFile;
use crate::line::Line;
use crate::{Form, LogError, Settings, Sink};
use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tracing::Level;

/// How long nothing is looked at when nothing is said.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where lines go.
pub(crate) struct Output {
    form: Form,
    place: Place,
}

enum Place {
    File(LogFile),
    Other(Box<dyn Write + Send>),
}

impl Output {
    pub fn open(settings: &Settings) -> Result<Self, LogError> {
        let place = match &settings.sink {
            Sink::Stderr => Place::Other(Box::new(io::stderr())),
            Sink::File(rotation) => {
                let opened = LogFile::open(rotation.clone());
                Place::File(opened.map_err(|error| LogError::File(rotation.path.clone(), error))?)
            }
        };
        Ok(Self { form: settings.form, place })
    }

    pub fn of(settings: &Settings, sink: Box<dyn Write + Send>) -> Self {
        Self { form: settings.form, place: Place::Other(sink) }
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        match &mut self.place {
            Place::File(file) => file.write(&line.text(self.form, true)),
            Place::Other(sink) => {
                sink.write_all(line.text(self.form, false).as_bytes())?;
                sink.flush()
            }
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::File(file) => file.reopen(),
            Place::Other(_) => Ok(()),
        }
    }
}

/// Writes until every sender is gone.
pub(crate) fn run(shared: &Shared, lines: &Receiver<Line>, mut output: Output) {
    let mut told_lost = 0;
    loop {
        let next = lines.recv_timeout(LOOK_EVERY);
        if shared.wants_reopen.swap(false, Ordering::AcqRel) && output.reopen().is_err() {
            shared.lost.fetch_add(1, Ordering::Relaxed);
        }
        match next {
            Ok(line) => {
                put(shared, &mut output, &line);
                shared.done.fetch_add(1, Ordering::Release);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for held in shared.take_held_back(Instant::now()) {
            let place = format!("{}:{}", held.metadata.target(), held.metadata.line().unwrap_or(0));
            let fields = vec![("lines", held.count.into()), ("place", place.into())];
            put(shared, &mut output, &own("held back: too many lines of one place within a second", fields));
        }
        let lost = shared.lost.load(Ordering::Relaxed);
        if lost > told_lost {
            put(shared, &mut output, &own("lines were lost", vec![("lines", (lost - told_lost).into())]));
            told_lost = shared.lost.load(Ordering::Relaxed);
        }
    }
}

fn put(shared: &Shared, output: &mut Output, line: &Line) {
    if output.write(line).is_err() {
        shared.lost.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the log says itself.
fn own(message: &str, fields: Vec<(&'static str, serde_json::Value)>) -> Line {
    let (at, level) = (jiff::Timestamp::now(), Level::WARN);
    Line { at, level, target: "smc_log", thread: "log".into(), message: message.into(), fields }
}
