//! One connection: lines in, answers out. Nothing it sends, and nothing it does not read, costs anybody else anything.

use super::act_event;
use super::people::{Entry, Who};
use super::port::Services;
use super::protocol::{LINE_MAX, Line, Needs, Refusal, Request, Sealed, Subscribe, answer, no, rule};
use super::state_name;
use crate::counters::{ACTS_KEPT, Slot};
use aws_lc_rs::rand;
use mio::net::UnixStream;
use serde::Serialize;
use serde_json::{Value, json};
use smc_core::event::{Command, LimitName, RiskScope};
use smc_journal::{RecordKind, Tail};
use smc_operator::Challenge;
use smc_replay::{Content, content, fields_json, words};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Most bytes kept for a client that asks and does not read; more ends it.
const UNREAD_MAX: usize = 1 << 20;
/// Bytes waiting for a subscriber above which records are left out, and counted.
const BACKLOG_MAX: usize = 1 << 18;
/// Requests answered in one pass; the rest waits for the next, after everybody else's.
const LINES_PER_TURN_MAX: usize = 16;
/// Records looked at for a subscriber in one pass: others, who may come to kill, wait for no more.
const RECORDS_PER_TURN_MAX: usize = 256;
/// Time between two lines of `watch`.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// How long a request may take to arrive.
const LINE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an answer waits for the engine to take what was asked.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);
/// Acts of one client that are under way at once.
const ACTS_WAITING_MAX: usize = 16;

/// The connection.
pub(super) struct Client {
    stream: UnixStream,
    entry: Entry,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    watch: Option<(Instant, Option<Value>)>,
    feed: Option<Feed>,
    acts: VecDeque<Waiting>,
    /// What is not done before earlier acts have been answered: answers keep the order of their requests.
    held: Option<Line>,
    challenge: Option<(String, Challenge)>,
    heard: Instant,
}

/// An act that the engine has not taken yet.
struct Waiting {
    ticket: u64,
    id: Option<Value>,
    command: Command,
    since: Instant,
}

/// Journal records as they come.
struct Feed {
    tail: Tail,
    kinds: Vec<String>,
    id: Option<Value>,
    left_out: u64,
    /// There was more than one pass takes.
    is_behind: bool,
}

impl Client {
    pub fn new(stream: UnixStream, entry: Entry) -> Self {
        Self {
            stream,
            entry,
            inbox: Vec::new(),
            outbox: Vec::new(),
            watch: None,
            feed: None,
            acts: VecDeque::new(),
            held: None,
            challenge: None,
            heard: Instant::now(),
        }
    }

    /// An answer depends on the engine.
    pub fn is_waiting(&self) -> bool {
        !self.acts.is_empty()
    }

    /// It is to be turned again soon, whether it says something or not.
    pub fn is_busy(&self) -> bool {
        self.is_waiting() || self.feed.as_ref().is_some_and(|feed| feed.is_behind)
    }

    /// When it last said something whole, or was last sent something it had asked to be sent.
    pub const fn heard(&self) -> Instant {
        self.heard
    }

    /// Reads what is there, answers whole lines, writes what fits. An error ends the client.
    pub fn turn(&mut self, services: &mut Services) -> io::Result<()> {
        let is_at_end = self.read()?;
        for _ in 0..LINES_PER_TURN_MAX {
            let Some(line) = self.next_line() else { break };
            if self.is_waiting() && !line.is_act() {
                self.held = Some(line);
                break;
            }
            self.hear(line, services)?;
        }
        if self.inbox.len() > LINE_MAX && !self.inbox.contains(&b'\n') {
            let _ = self.say(&no(None, &Refusal::new("request", format!("longer than {LINE_MAX} bytes"))));
            return Err(io::Error::other("request line too long"));
        }
        if !self.inbox.is_empty() && self.heard.elapsed() > LINE_TIME_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.tell_taken(services)?;
        self.tell_watch(services)?;
        self.tell_records()?;
        self.flush()?;
        // Whoever says that no more will come still gets the answers.
        let has_more = self.held.is_some() || self.inbox.contains(&b'\n');
        let is_done = is_at_end && !has_more && self.outbox.is_empty() && !self.is_waiting();
        if is_done { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Takes in a few lines' worth; true when no more will come.
    fn read(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 1_024];
        while self.inbox.len() <= LINE_MAX {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(true),
                Ok(n) => {
                    if self.inbox.is_empty() {
                        self.heard = Instant::now();
                    }
                    self.inbox.extend_from_slice(&chunk[..n]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn next_line(&mut self) -> Option<Line> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        let end = self.inbox.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.inbox.drain(..=end).collect();
        self.heard = Instant::now();
        Some(Line::read(&line[..end]))
    }

    fn hear(&mut self, line: Line, services: &mut Services) -> io::Result<()> {
        let Line { id, request } = line;
        let done = request.and_then(|(request, name)| self.open(request, name, &id, services));
        match done {
            Ok(None) => Ok(()),
            Ok(Some(body)) => self.say(&answer(id.as_ref(), body)),
            Err(refusal) => self.say(&no(id.as_ref(), &refusal)),
        }
    }

    /// Finds out who asks, unsealing what is sealed.
    fn open(
        &mut self,
        request: Request,
        name: &'static str,
        id: &Option<Value>,
        services: &mut Services,
    ) -> Result<Option<Value>, Refusal> {
        match (request, self.entry) {
            (Request::Challenge(named), _) => {
                let mut chance = [0; 16];
                rand::fill(&mut chance).map_err(|_| Refusal::new("busy", "no chance to be had"))?;
                let challenge = Challenge::new(chance);
                let body = json!({ "nonce": challenge.nonce(), "age_max_s": smc_operator::seal::AGE_MAX_S });
                // Said whether there is such a key or not: who guesses names learns nothing.
                self.challenge = Some((named.key, challenge));
                Ok(Some(body))
            }
            (Request::Sealed(sealed), _) => {
                let who = self.unseal(&sealed, services)?;
                let (inner, name) = Line::read(sealed.request.as_bytes()).request?;
                self.answer(inner, name, who, id, services)
            }
            (request, Entry::Known(who)) => self.answer(request, name, who, id, services),
            (_, Entry::Relay) => Err(Refusal::new("role", "a relay brings sealed commands only")),
        }
    }

    fn unseal(&mut self, sealed: &Sealed, services: &Services) -> Result<Who, Refusal> {
        let refuse = |text: &str| Refusal::new("seal", text);
        let named = self.challenge.as_mut().filter(|(key, _)| *key == sealed.key);
        let (_, challenge) = named.ok_or_else(|| refuse("ask for a challenge of this key first"))?;
        let holder = services.people.holder(&sealed.key);
        let holder = holder.ok_or_else(|| refuse("the seal does not fit"))?;
        let Sealed { counter, time, request, mac, .. } = sealed;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        holder
            .seal
            .verify(challenge, (*counter, *time, request, mac), now)
            .map_err(|error| refuse(&error.to_string()))?;
        Ok(holder.who)
    }

    /// Answers at once, or not at all: then the answer comes when the engine has taken the act.
    fn answer(
        &mut self,
        request: Request,
        name: &'static str,
        who: Who,
        id: &Option<Value>,
        services: &mut Services,
    ) -> Result<Option<Value>, Refusal> {
        let (needs, command) = rule(name);
        let (role, wants_code) = match needs {
            Needs::Role(role) => (role, false),
            Needs::Code(role) => (role, true),
            Needs::Nothing => return Err(Refusal::new("request", format!("{name} cannot be sealed"))),
        };
        if who.role < role {
            let text = format!("{name} is for {role}, and you are {}", who.role);
            return Err(Refusal::new("role", text));
        }
        if let (Some(command), Some(ask)) = (command, request.ask()) {
            let view = services.view.clone();
            let present = move |scope: RiskScope, limit: LimitName| {
                let picture = view.as_ref()?.picture();
                let mut all = picture.limits.iter();
                all.find(|own| own.scope == scope && own.name == limit.field()).and_then(|own| own.raw)
            };
            let act = services.desk.act(command, ask, who.operator, wants_code, &present)?;
            if self.acts.len() >= ACTS_WAITING_MAX {
                return Err(Refusal::new("busy", "too many acts under way, wait for their answers"));
            }
            let ticket = services.operators.push(act_event(act));
            let ticket = ticket.ok_or_else(|| Refusal::new("busy", "command ring full, try again"))?;
            match command {
                Command::Snapshot => {
                    if let Some(view) = &services.view {
                        view.ask_snapshot();
                    }
                }
                Command::LogLevel => {
                    if let Some(set) = services.set_log_level {
                        set(u8::try_from(act.value).unwrap_or(3));
                    }
                }
                _ => {}
            }
            self.acts.push_back(Waiting { ticket, id: id.clone(), command, since: Instant::now() });
            return Ok(None);
        }
        self.look(&request, who, id, services).map(Some)
    }

    fn look(
        &mut self,
        request: &Request,
        who: Who,
        id: &Option<Value>,
        services: &Services,
    ) -> Result<Value, Refusal> {
        let seen = || services.view.as_ref().map(|view| view.picture());
        let seen = || seen().ok_or_else(|| Refusal::new("absent", "nobody observes this engine"));
        Ok(match request {
            Request::Hello {} => {
                let may = |(name, needs, _): &(&'static str, Needs, _)| match needs {
                    Needs::Nothing => Some(*name),
                    Needs::Role(role) | Needs::Code(role) => (*role <= who.role).then_some(*name),
                };
                let commands: Vec<_> = super::protocol::COMMANDS.iter().filter_map(may).collect();
                json!({
                    "program": "smc", "version": env!("CARGO_PKG_VERSION"), "operator": who.operator,
                    "role": who.role.name(), "commands": commands, "second_factor": services.desk.factor.is_some(),
                })
            }
            Request::Watch {} => {
                self.watch = Some((Instant::now() + WATCH_EVERY, id.clone()));
                value(&services.source.status())?
            }
            Request::Subscribe(asked) => {
                self.feed = Some(subscribe(asked, id.clone(), services)?);
                json!({ "subscribed": asked.kinds })
            }
            Request::Positions {} => {
                let picture = seen()?;
                json!({ "seq": picture.seq, "money": value(&picture.money)?, "instruments": value(&picture.instruments)? })
            }
            Request::Orders {} => {
                let picture = seen()?;
                let orders = value(&picture.orders)?;
                json!({ "seq": picture.seq, "orders": orders, "last_order": picture.last_order })
            }
            Request::Limits {} => {
                let picture = seen()?;
                json!({ "seq": picture.seq, "held": value(&picture.held)?, "limits": value(&picture.limits)? })
            }
            Request::Strategies {} => {
                let picture = seen()?;
                json!({ "seq": picture.seq, "strategies": value(&picture.strategies)? })
            }
            Request::Venues {} => {
                let picture = seen()?;
                json!({ "seq": picture.seq, "venues": value(&picture.venues)? })
            }
            Request::Alerts {} => {
                let picture = seen()?;
                json!({ "seq": picture.seq, "alerts": value(&picture.alerts)? })
            }
            Request::Acts {} => {
                let picture = seen()?;
                json!({ "seq": picture.seq, "acts": value(&picture.acts)? })
            }
            Request::Picture {} => value(&*seen()?)?,
            // `status`; whatever else there is has been answered before.
            _ => value(&services.source.status())?,
        })
    }

    /// What the engine has taken since.
    fn tell_taken(&mut self, services: &Services) -> io::Result<()> {
        while let Some(first) = self.acts.front() {
            let counters = &services.source.counters;
            let taken = counters.latest(Slot::ActsTaken);
            let is_taken = taken >= first.ticket;
            if !is_taken && first.since.elapsed() < TAKEN_WITHIN {
                return Ok(());
            }
            let Some(act) = self.acts.pop_front() else { return Ok(()) };
            let mut body = json!({ "ok": true, "queued": format!("{:?}", act.command), "taken": is_taken });
            if is_taken {
                // Later acts have taken the place of one that was long ago.
                if taken - act.ticket < ACTS_KEPT as u64 {
                    body["seq"] = counters.nth(Slot::ActSeq, act.ticket as usize % ACTS_KEPT).into();
                }
                body["state"] = state_name(counters.get(Slot::State)).into();
                body["taken_us"] = (act.since.elapsed().as_micros() as u64).into();
            } else {
                body["warning"] = format!(
                    "{} waits: the engine has not taken it within {} s",
                    words(&act.command),
                    TAKEN_WITHIN.as_secs()
                )
                .into();
            }
            self.say(&answer(act.id.as_ref(), body))?;
        }
        Ok(())
    }

    fn tell_watch(&mut self, services: &Services) -> io::Result<()> {
        // A watcher that does not read gets no further lines: one unread answer is enough.
        let is_due = |(due, _): &(Instant, Option<Value>)| *due <= Instant::now();
        if !self.outbox.is_empty() || !self.watch.as_ref().is_some_and(is_due) {
            return Ok(());
        }
        let id = self.watch.take().and_then(|(_, id)| id);
        let status = serde_json::to_value(services.source.status())?;
        self.say(&answer(id.as_ref(), status))?;
        self.heard = Instant::now();
        self.watch = Some((Instant::now() + WATCH_EVERY, id));
        Ok(())
    }

    fn tell_records(&mut self) -> io::Result<()> {
        let Some(mut feed) = self.feed.take() else { return Ok(()) };
        feed.is_behind = true;
        for _ in 0..RECORDS_PER_TURN_MAX {
            let Some(record) = feed.tail.poll().map_err(io::Error::other)? else {
                feed.is_behind = false;
                break;
            };
            if !matches!(record.kind, RecordKind::Input | RecordKind::Output) {
                continue;
            }
            let (seq, Ok(content)) = (record.seq, content(&record)) else { continue };
            let Some(line) = feed.line(seq, &content) else { continue };
            if self.outbox.len() > BACKLOG_MAX {
                feed.left_out += 1;
                continue;
            }
            if feed.left_out > 0 {
                let left_out = std::mem::take(&mut feed.left_out);
                self.say(&answer(feed.id.as_ref(), json!({ "left_out": left_out })))?;
            }
            self.say(&answer(feed.id.as_ref(), line))?;
            self.heard = Instant::now();
        }
        self.feed = Some(feed);
        Ok(())
    }

    fn say(&mut self, answer: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.outbox, answer)?;
        self.outbox.push(b'\n');
        self.flush()?;
        if self.outbox.len() > UNREAD_MAX {
            return Err(io::Error::other("too many unread answers"));
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => drop(self.outbox.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn value(answer: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(|error| Refusal::new("absent", error))
}

fn subscribe(asked: &Subscribe, id: Option<Value>, services: &Services) -> Result<Feed, Refusal> {
    let next = services.source.counters.get(Slot::JournalSeq) + 1;
    let tail = Tail::open_from(&services.source.journal, next);
    let tail = tail.map_err(|error| Refusal::new("absent", error))?;
    Ok(Feed { tail, kinds: asked.kinds.clone(), id, left_out: 0, is_behind: true })
}

/// What nobody subscribes to without saying so: there is too much of it.
const MARKET: [&str; 6] = ["trade", "quote", "book update", "mark price", "timer", "request budget"];

impl Feed {
    fn line(&self, seq: u64, content: &Content) -> Option<Value> {
        let kind = content.name();
        let is_wanted = match self.kinds.is_empty() {
            true => !MARKET.contains(&kind.as_str()),
            false => self.kinds.contains(&kind),
        };
        is_wanted.then(|| json!({ "seq": seq, "kind": kind, "record": fields_json(&content.fields()) }))
    }
}
