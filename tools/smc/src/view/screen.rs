//! The terminal: takes it, paints ten times a second, listens to keys, and gives it back whatever happens.

use super::draw::{Choice, Depth, PITCHES, Page, Scene, Theme, draw};
use super::model::Model;
use super::{Screen, Source};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use smc_journal::Tail;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// One frame.
const FRAME: Duration = Duration::from_millis(100);
/// Longest time spent with the journal per frame; what is left is taken in the next.
const FOLD_MAX: Duration = Duration::from_millis(60);
/// How long an answer stays on the screen.
const WORD_FOR: Duration = Duration::from_secs(10);
/// The event rate is an average over this long.
const RATE_OVER: Duration = Duration::from_secs(1);

/// Records at the beginning of a journal that are looked at: configuration and rules.
const FIRST_RECORDS: u64 = 1_000;
/// Newest records that are looked at; what was before them comes from the observer's picture.
const NEWEST_RECORDS: u64 = 400_000;

/// Shows the full-screen view until `is_over`, or until the engine ends; true when the person asked to stop.
pub fn screen(screen: Screen<'_>, is_over: &dyn Fn() -> bool) -> io::Result<bool> {
    let mut tail = Tail::open(screen.journal).map_err(io::Error::other)?;
    let mut view = View::new(screen);
    let Some(status) = view.source.status()? else { return Ok(false) };
    if status.seq > FIRST_RECORDS + NEWEST_RECORDS {
        while view.model.seq < FIRST_RECORDS && view.fold_one(&mut tail)? {}
        let from = status.seq - NEWEST_RECORDS;
        tail = Tail::open_from(view.journal, from).map_err(io::Error::other)?;
        view.seed()?;
    }
    let mut terminal = Restored(ratatui::try_init()?);
    loop {
        // Asked before the journal is read, so that the last frame has the last record.
        let was_over = is_over();
        let due = Instant::now() + FRAME;
        let is_behind = view.fold(&mut tail)?;
        let is_there = view.paint(&mut terminal.0)?;
        if !is_there || was_over && !is_behind {
            return Ok(false);
        }
        if view.keys_until(due)? {
            return Ok(true);
        }
    }
}

/// Gives the terminal back when dropped. A panic anywhere gives it back before its message is written.
struct Restored(DefaultTerminal);

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
        let _ = self.0.show_cursor();
    }
}

struct View<'a> {
    journal: &'a Path,
    source: &'a mut dyn Source,
    model: Model,
    theme: Theme,
    choice: Choice,
    rate: Rate,
    /// The person was asked whether to kill.
    is_asking: bool,
    /// The last answer, and when it came.
    word: Option<(String, Instant)>,
}

impl<'a> View<'a> {
    fn new(screen: Screen<'a>) -> Self {
        Self {
            journal: screen.journal,
            source: screen.source,
            model: Model::default(),
            theme: Theme::new(Depth::from_env()),
            choice: Choice::default(),
            rate: Rate::new(),
            is_asking: false,
            word: None,
        }
    }

    fn fold_one(&mut self, tail: &mut Tail) -> io::Result<bool> {
        let Some(record) = tail.poll().map_err(io::Error::other)? else { return Ok(false) };
        self.model.fold(record.seq, record.kind, record.payload);
        Ok(true)
    }

    /// What the records that are not looked at have led to.
    fn seed(&mut self) -> io::Result<()> {
        if let Some(picture) = self.source.picture()? {
            self.model.seed(&picture);
        }
        Ok(())
    }

    /// Takes what the journal has; true when there is more.
    fn fold(&mut self, tail: &mut Tail) -> io::Result<bool> {
        const LOOK_AT_CLOCK_EVERY: u32 = 256;
        let until = Instant::now() + FOLD_MAX;
        let mut taken = 0u32;
        while self.fold_one(tail)? {
            taken = taken.wrapping_add(1);
            if taken.is_multiple_of(LOOK_AT_CLOCK_EVERY) && Instant::now() >= until {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// False when the engine has ended.
    fn paint(&mut self, terminal: &mut DefaultTerminal) -> io::Result<bool> {
        let Some(status) = self.source.status()? else { return Ok(false) };
        let picture = self.source.picture()?;
        self.word.take_if(|(_, since)| since.elapsed() > WORD_FOR);
        let question =
            "KILL: cancel every order, stops too, and send nothing more? y kills, any other key does not";
        let answer = self.word.as_ref().map(|(text, _)| text.as_str());
        let scene = Scene {
            model: &self.model,
            status: &status,
            picture: picture.as_deref(),
            theme: &self.theme,
            choice: self.choice,
            speed: status.speed,
            topology: &status.topology,
            events_per_second: self.rate.of(status.events_in),
            has_kill: self.source.has_kill(),
            word: if self.is_asking { Some(question) } else { answer },
        };
        execute!(terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let painted = terminal.draw(|frame| draw(&scene, frame)).map(drop);
        execute!(terminal.backend_mut(), EndSynchronizedUpdate)?;
        painted.map(|()| true)
    }

    /// Handles keys until it is time for the next frame, or one changed something; true to stop.
    fn keys_until(&mut self, due: Instant) -> io::Result<bool> {
        loop {
            if !event::poll(due.saturating_duration_since(Instant::now()))? {
                return Ok(false);
            }
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match self.act(key) {
                    Act::Stop => return Ok(true),
                    Act::Paint => return Ok(false),
                    Act::Nothing => {}
                },
                Event::Resize(..) => return Ok(false),
                _ => {}
            }
        }
    }

    fn act(&mut self, key: KeyEvent) -> Act {
        if std::mem::take(&mut self.is_asking) {
            if key.code == KeyCode::Char('y') {
                self.word = Some((self.source.kill(), Instant::now()));
            }
            return Act::Paint;
        }
        let charts =
            self.model.markets.get(self.choice.market).map_or(0, |market| market.charts.len()).max(1);
        let markets = self.model.markets.len().max(1);
        let choice = &mut self.choice;
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Act::Stop,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Act::Stop,
            KeyCode::Char('K') if self.source.has_kill() => self.is_asking = true,
            KeyCode::Char('m') => choice.page = Page::Market,
            KeyCode::Char('r') => choice.page = Page::Risk,
            KeyCode::Char('o') => choice.page = Page::Orders,
            KeyCode::Char('v') => choice.page = Page::Venues,
            KeyCode::Char('a') => choice.page = Page::Alerts,
            KeyCode::Tab => choice.timeframe = (choice.timeframe + 1) % charts,
            KeyCode::BackTab => choice.timeframe = (choice.timeframe + charts - 1) % charts,
            KeyCode::Char(digit @ '1'..='9') => {
                choice.timeframe = (digit as usize - '1' as usize).min(charts - 1);
            }
            KeyCode::Char('+' | '=') => choice.pitch = (choice.pitch + 1).min(PITCHES.len() - 1),
            KeyCode::Char('-' | '_') => choice.pitch = choice.pitch.saturating_sub(1),
            KeyCode::Right => choice.market = (choice.market + 1) % markets,
            KeyCode::Left => choice.market = (choice.market + markets - 1) % markets,
            _ => return Act::Nothing,
        }
        Act::Paint
    }
}

enum Act {
    Stop,
    Paint,
    Nothing,
}

/// Events per second over the last second or so.
struct Rate {
    since: Instant,
    count_then: u64,
    per_second: u64,
}

impl Rate {
    fn new() -> Self {
        Self { since: Instant::now(), count_then: 0, per_second: 0 }
    }

    fn of(&mut self, count: u64) -> u64 {
        let passed = self.since.elapsed();
        if passed >= RATE_OVER {
            let events = count.saturating_sub(self.count_then) as f64;
            *self = Self {
                since: Instant::now(),
                count_then: count,
                per_second: (events / passed.as_secs_f64()) as u64,
            };
        }
        self.per_second
    }
}
