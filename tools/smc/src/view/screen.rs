//! The terminal: takes it, paints ten times a second, listens to keys, and gives it back whatever happens.

use super::Screen;
use super::draw::{Choice, Depth, PITCHES, Scene, Theme, draw};
use super::model::Model;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use smc_journal::Tail;
use smc_runtime::control::Status;
use smc_runtime::launch::Topology;
use std::io;
use std::time::{Duration, Instant};

/// One frame.
const FRAME: Duration = Duration::from_millis(100);
/// Longest time spent with the journal per frame; what is left is taken in the next.
const FOLD_MAX: Duration = Duration::from_millis(60);
/// The event rate is an average over this long.
const RATE_OVER: Duration = Duration::from_secs(1);

/// Shows the full-screen view until `is_over`; true when the person asked to stop.
pub fn screen(screen: &Screen<'_>, is_over: &dyn Fn() -> bool) -> io::Result<bool> {
    let mut tail = Tail::open(screen.journal).map_err(io::Error::other)?;
    let mut terminal = Restored(ratatui::try_init()?);
    let mut view = View::new(screen);
    loop {
        // Asked before the journal is read, so that the last frame has the last record.
        let was_over = is_over();
        let due = Instant::now() + FRAME;
        let is_behind = view.fold(&mut tail)?;
        view.paint(&mut terminal.0)?;
        if was_over && !is_behind {
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
    screen: &'a Screen<'a>,
    model: Model,
    theme: Theme,
    choice: Choice,
    rate: Rate,
}

impl<'a> View<'a> {
    fn new(screen: &'a Screen<'a>) -> Self {
        let theme = Theme::new(Depth::from_env());
        Self { screen, model: Model::default(), theme, choice: Choice::default(), rate: Rate::new() }
    }

    /// Takes what the journal has; true when there is more.
    fn fold(&mut self, tail: &mut Tail) -> io::Result<bool> {
        const LOOK_AT_CLOCK_EVERY: u32 = 256;
        let until = Instant::now() + FOLD_MAX;
        let mut taken = 0u32;
        while let Some(record) = tail.poll().map_err(io::Error::other)? {
            self.model.fold(record.seq, record.kind, record.payload);
            taken = taken.wrapping_add(1);
            if taken.is_multiple_of(LOOK_AT_CLOCK_EVERY) && Instant::now() >= until {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn paint(&mut self, terminal: &mut DefaultTerminal) -> io::Result<()> {
        let status: Status = self.screen.status.status();
        let scene = Scene {
            model: &self.model,
            status: &status,
            theme: &self.theme,
            choice: self.choice,
            speed: self.screen.speed,
            topology: match self.screen.topology {
                Topology::Inline => "inline",
                Topology::Pipelined => "pipelined",
            },
            events_per_second: self.rate.of(status.events_in),
        };
        execute!(terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let painted = terminal.draw(|frame| draw(&scene, frame)).map(drop);
        execute!(terminal.backend_mut(), EndSynchronizedUpdate)?;
        painted
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
        let charts =
            self.model.markets.get(self.choice.market).map_or(0, |market| market.charts.len()).max(1);
        let markets = self.model.markets.len().max(1);
        let choice = &mut self.choice;
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Act::Stop,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Act::Stop,
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
