//! A process beside the engine that follows its journal, and withdraws the entries that wait at the venues when the engine has
//! said nothing for a while: dead, hung, or its machine's disk gone.
//!
//! For venues without a timer of their own that cancels all (Binance spot, Oanda), and more careful than theirs where they
//! have one: stops and targets protect what is held and stay. Shares with the engine only the files it reads and the code
//! that speaks to venues; writes nothing, sends no order, and cancels only what the journal names.

mod waiting;

pub use waiting::{Ending, Orders, Waiting};

use crate::clock::Clock;
use crate::config::{FileConfig, FileError};
use crate::launch::LaunchError;
use crate::launch::links::Links;
use crate::venue::OrderGateway;
use crate::venues::Gateways;
use smc_core::config::EngineConfig;
use smc_core::output::CancelOrder;
use smc_core::words::ClientOrderId;
use smc_journal::{JournalError, Tail};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// After a venue could not be reached or would not do, so long until the next try.
const RETRY: Duration = Duration::from_secs(1);
/// A cancel that was not answered for so long is sent again.
const CANCEL_AGAIN: Duration = Duration::from_secs(2);

/// When it acts, and on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A journal that does not grow for so long belongs to an engine that does not live. More than two timers of the
    /// engine, for it writes each.
    pub silence_max: Duration,
    /// Stops and targets too, which leaves what is held without protection.
    pub all: bool,
}

/// What it has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It follows a journal; so many orders may be working.
    Watching {
        /// Of all purposes.
        orders: usize,
    },
    /// There is no journal yet, or it cannot be read: why.
    Blind(String),
    /// Nothing came for too long.
    Silent {
        /// How long.
        silence: Duration,
        /// Orders that have to go.
        unwanted: usize,
    },
    /// A cancel left for the venue.
    Cancel(ClientOrderId),
    /// The venue proved that an order is over, and how.
    Gone(ClientOrderId, Ending),
    /// A venue could not be reached or does not let us in; tried again.
    Failed(String),
    /// Nothing unwanted is left.
    Clear,
    /// The engine is heard again: what is left is its own affair.
    Alive,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watching { orders } => write!(f, "watching: {orders} orders may be working"),
            Self::Blind(reason) => write!(f, "blind: {reason}"),
            Self::Silent { silence, unwanted } => {
                write!(f, "silent for {:.1} s: {unwanted} orders have to go", silence.as_secs_f64())
            }
            Self::Cancel(id) => write!(f, "cancel {id}"),
            Self::Gone(id, ending) => write!(f, "gone {id}: {}", ending.word()),
            Self::Failed(reason) => write!(f, "failed, tried again: {reason}"),
            Self::Clear => f.write_str("clear: nothing waits for nobody"),
            Self::Alive => f.write_str("alive: the engine is heard again"),
        }
    }
}

/// See the module.
pub struct Watchdog {
    file: FileConfig,
    config: EngineConfig,
    journal: PathBuf,
    rules: Rules,
    tail: Option<Tail>,
    orders: Orders,
    heard_at: Instant,
    retry_at: Instant,
    /// A reason for being blind is said once.
    blindness: Option<String>,
    state: State,
}

enum State {
    /// The engine lives.
    Calm,
    /// It does not, and orders are withdrawn; none while no venue could be reached.
    Acting(Option<Box<Reach>>),
    /// It does not, and nothing is left to do.
    Done,
}

/// The way to the venues while we act.
struct Reach {
    gateways: Gateways,
    clock: Clock,
    /// Cancels on their way.
    sent: BTreeMap<ClientOrderId, Instant>,
}

impl Watchdog {
    /// Reads what `journal` has, when `now` is. Refuses a configuration that the engine would refuse.
    pub fn new(file: FileConfig, journal: PathBuf, rules: Rules, now: Instant) -> Result<Self, FileError> {
        let config = file.engine()?;
        let (orders, state) = (Orders::default(), State::Calm);
        Ok(Self {
            file,
            config,
            journal,
            rules,
            tail: None,
            orders,
            heard_at: now,
            retry_at: now,
            blindness: None,
            state,
        })
    }

    /// One look at the journal, and at the venues while it acts. Returns soon, unless a venue is asked for its rules:
    /// that may take its request's time limit.
    pub fn turn(&mut self, now: Instant, say: &mut impl FnMut(Word)) {
        if self.listen(now, say) {
            self.heard_at = now;
            if !matches!(self.state, State::Calm) {
                say(Word::Alive);
                self.state = State::Calm;
            }
        }
        let silence = now.saturating_duration_since(self.heard_at);
        let unwanted = self.orders.unwanted(self.rules.all).count();
        match &mut self.state {
            State::Calm if silence > self.rules.silence_max => {
                say(Word::Silent { silence, unwanted });
                self.state = State::Acting(None);
            }
            State::Acting(_) if unwanted == 0 => {
                say(Word::Clear);
                self.state = State::Done;
            }
            State::Acting(_) => self.act(now, say),
            State::Calm | State::Done => {}
        }
    }

    /// Speaks with venues: wants turns often.
    pub fn is_acting(&self) -> bool {
        matches!(self.state, State::Acting(Some(_)))
    }

    /// Reads on. True when something came.
    fn listen(&mut self, now: Instant, say: &mut impl FnMut(Word)) -> bool {
        let mut has_come = false;
        let outcome = self.read(&mut has_come);
        let found = match outcome {
            Ok(()) => None,
            Err(reason) => {
                self.tail = None;
                Some(reason)
            }
        };
        if found != self.blindness {
            if let Some(reason) = &found {
                say(Word::Blind(reason.clone()));
            }
            if self.blindness.take().is_some() && found.is_none() {
                say(Word::Watching { orders: self.orders.len() });
            }
            self.blindness = found;
        }
        // Before the first record there is nothing to be silent.
        if self.tail.is_none() && self.orders.is_empty() {
            self.heard_at = now;
        }
        has_come
    }

    fn read(&mut self, has_come: &mut bool) -> Result<(), String> {
        let text = |error: JournalError| error.to_string();
        let tail = match &mut self.tail {
            Some(tail) => tail,
            none => {
                self.orders = Orders::default();
                none.insert(Tail::open(&self.journal).map_err(text)?)
            }
        };
        while let Some(record) = tail.poll().map_err(text)? {
            *has_come = true;
            let seq = record.seq;
            self.orders.take(&record).map_err(|error| format!("record {seq}: {error}"))?;
        }
        Ok(())
    }

    fn act(&mut self, now: Instant, say: &mut impl FnMut(Word)) {
        let State::Acting(reach) = &mut self.state else { return };
        let outcome = match reach {
            None if now < self.retry_at => return,
            None => match Reach::open(&self.file, &self.config, &self.orders) {
                Ok(opened) => {
                    *reach = Some(Box::new(opened));
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            },
            Some(reach) => reach.turn(&mut self.orders, self.rules.all, now, say),
        };
        if let Err(reason) = outcome {
            say(Word::Failed(reason));
            *reach = None;
            self.retry_at = now + RETRY;
        }
    }
}

impl Reach {
    fn open(file: &FileConfig, config: &EngineConfig, orders: &Orders) -> Result<Self, LaunchError> {
        let mut links = Links::open(file, config)?;
        let specs = links.instruments(config)?;
        let mut gateways = links.gateways(config, &specs)?;
        let clock = if links.environment() == "sim" { links.clock()? } else { Clock::System };
        for cancel in orders.unwanted(true) {
            let filled =
                orders.get(cancel.client_order_id).map_or(smc_core::words::Qty::ZERO, |order| order.filled);
            if !gateways.resolve(clock.now(), cancel.instrument, cancel.client_order_id, filled) {
                return Err(LaunchError::Orders);
            }
        }
        Ok(Self { gateways, clock, sent: BTreeMap::new() })
    }

    fn turn(
        &mut self,
        orders: &mut Orders,
        all: bool,
        now: Instant,
        say: &mut impl FnMut(Word),
    ) -> Result<(), String> {
        let before: Vec<CancelOrder> = orders.unwanted(all).collect();
        self.gateways.turn(self.clock.now(), &mut |event| {
            if let Some((id, ending)) = orders.hear(&event) {
                say(Word::Gone(id, ending));
            }
        });
        if let Some(reason) = self.gateways.fatal() {
            return Err(reason);
        }
        for cancel in before {
            let id = cancel.client_order_id;
            if orders.get(id).is_none() {
                self.sent.remove(&id);
                continue;
            }
            let is_due =
                self.sent.get(&id).is_none_or(|&at| now.saturating_duration_since(at) >= CANCEL_AGAIN);
            // Refused until the venue's connection is up.
            if is_due && self.gateways.cancel(self.clock.now(), &cancel) {
                self.sent.insert(id, now);
                say(Word::Cancel(id));
            }
        }
        Ok(())
    }
}
