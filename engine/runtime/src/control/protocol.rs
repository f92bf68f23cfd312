//! The words of the control socket: one JSON object a line, either way. `docs/control.md` is written from this file, and a test
//! holds the two together.
//!
//! A request has `cmd`, its own keys, and may have `v` (the version, [`VERSION`]) and `id` (whatever the client wants back). An
//! answer has `v`, the `id` of its request, and either what was asked for or `error` with its `kind`.

use super::desk::Ask;
use serde::Deserialize;
use serde_json::{Map, Value};
use smc_core::event::Command;
use smc_operator::Role;

/// Version of these words. A request that names another is refused.
pub const VERSION: u64 = 1;

/// Longest request, bytes, its end included.
pub const LINE_MAX: usize = 4096;

/// What may be asked.
#[derive(Debug, Deserialize)]
#[serde(tag = "cmd", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    // Braces: serde lets a unit variant pass with keys nobody knows.
    /// Who am I, what may I do, what speaks here?
    Hello {},
    /// Counters, states, latencies.
    Status {},
    /// What is held.
    Positions {},
    /// What works at the venues.
    Orders {},
    /// Every limit with its use.
    Limits {},
    /// Strategies with their states and parameters.
    Strategies {},
    /// Venues with their connections, budgets and clocks.
    Venues {},
    /// The newest alerts.
    Alerts {},
    /// The newest acts of people.
    Acts {},
    /// All of it.
    Picture {},
    /// `status` now and twice a second from now on.
    Watch {},
    /// Journal records as they come.
    Subscribe(Subscribe),
    /// Halt: cancel everything.
    Kill(Ask),
    /// No new entries.
    Pause(Ask),
    /// The same.
    ReduceOnly(Ask),
    /// Back from a pause.
    Resume(Ask),
    /// Cancel entries and close what is held.
    Flatten(Ask),
    /// Withdraw entries at a venue, then hang up.
    Disconnect(Ask),
    /// Use a venue again.
    Connect(Ask),
    /// An alert was seen; `value` is its number.
    Acknowledge(Ask),
    /// Leave a halt.
    Arm(Ask),
    /// Kill, then close what is held.
    KillFlatten(Ask),
    /// Start the loss breakers anew.
    ResetLoss(Ask),
    /// Change a limit.
    SetLimit(Ask),
    /// Go on in a new journal segment.
    Rotate(Ask),
    /// Take a snapshot now.
    Snapshot(Ask),
    /// Say more or less in the log; `value` is `error`, `warn`, `info`, `debug` or `trace`.
    LogLevel(Ask),
    /// Ask for a nonce, to seal commands with.
    Challenge(Named),
    /// A sealed command.
    Sealed(Sealed),
}

/// Of `challenge`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Name of the key.
    pub key: String,
}

/// Of `sealed`; see [`smc_operator::seal`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Name of the key.
    pub key: String,
    /// Higher than the last one of this connection.
    pub counter: u64,
    /// The client's clock, seconds since the epoch.
    pub time: u64,
    /// The request, as text.
    pub request: String,
    /// The seal, hexadecimal.
    pub mac: String,
}

/// Of `subscribe`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Subscribe {
    /// Kinds of content, as `smc journal dump` names them; empty for everything but market data.
    pub kinds: Vec<String>,
}

/// What somebody needs for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: whoever is connected may ask.
    Nothing,
    /// This role.
    Role(Role),
    /// This role and, where a second factor is configured, a one-time code.
    Code(Role),
}

/// Every command with what it needs, and the act it becomes. The matrix of the documentation and of the tests.
pub const COMMANDS: [(&str, Needs, Option<Command>); 29] = {
    use Needs::{Code, Nothing, Role as Of};
    use Role::{Admin, Operate, Risk, View};
    [
        ("hello", Of(View), None),
        ("status", Of(View), None),
        ("positions", Of(View), None),
        ("orders", Of(View), None),
        ("limits", Of(View), None),
        ("strategies", Of(View), None),
        ("venues", Of(View), None),
        ("alerts", Of(View), None),
        ("acts", Of(View), None),
        ("picture", Of(View), None),
        ("watch", Of(View), None),
        ("subscribe", Of(View), None),
        ("kill", Of(Operate), Some(Command::Kill)),
        ("pause", Of(Operate), Some(Command::Pause)),
        ("reduce-only", Of(Operate), Some(Command::Pause)),
        ("resume", Of(Operate), Some(Command::Resume)),
        ("flatten", Code(Operate), Some(Command::Flatten)),
        ("disconnect", Of(Operate), Some(Command::Disconnect)),
        ("connect", Of(Operate), Some(Command::Connect)),
        ("acknowledge", Of(Operate), Some(Command::Acknowledge)),
        ("arm", Code(Risk), Some(Command::Arm)),
        ("kill-flatten", Code(Risk), Some(Command::KillFlatten)),
        ("reset-loss", Code(Risk), Some(Command::ResetLoss)),
        // Lowering one needs none: `Desk::act` looks which way it goes.
        ("set-limit", Code(Risk), Some(Command::SetLimit)),
        ("rotate", Of(Admin), Some(Command::Rotate)),
        ("snapshot", Of(Admin), Some(Command::Snapshot)),
        ("log-level", Of(Admin), Some(Command::LogLevel)),
        ("challenge", Nothing, None),
        ("sealed", Nothing, None),
    ]
};

/// A request as it came: who asks is not its business.
#[derive(Debug)]
pub struct Line {
    /// What the client wants back with the answer.
    pub id: Option<Value>,
    /// What is asked, or why that cannot be told.
    pub request: Result<(Request, &'static str), Refusal>,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `request`, `version`, `role`, `code`, `seal`, `refused`, `busy` or `absent`.
    pub kind: &'static str,
    /// For people.
    pub text: String,
}

impl Refusal {
    /// Of this kind, in these words.
    pub fn new(kind: &'static str, text: impl ToString) -> Self {
        Self { kind, text: text.to_string() }
    }
}

impl Line {
    /// It becomes an event of the engine.
    pub fn is_act(&self) -> bool {
        self.request.as_ref().is_ok_and(|(request, _)| request.ask().is_some())
    }

    /// Reads one line, without its end.
    pub fn read(line: &[u8]) -> Self {
        let refuse = |id, kind, text: String| Self { id, request: Err(Refusal::new(kind, text)) };
        let mut fields: Map<String, Value> = match serde_json::from_slice(line) {
            Ok(fields) => fields,
            Err(error) => return refuse(None, "request", error.to_string()),
        };
        // Numbers and texts come back as they came; anything else would be a way to make us talk.
        let id = fields.remove("id").filter(|id| id.is_number() || id.is_string());
        if let Some(version) = fields.remove("v").filter(|version| version.as_u64() != Some(VERSION)) {
            return refuse(id, "version", format!("version {version}: this is {VERSION}"));
        }
        let name = fields.get("cmd").and_then(Value::as_str).and_then(|cmd| command(cmd));
        let Some(name) = name else {
            let known: Vec<_> = COMMANDS.iter().map(|(name, ..)| *name).collect();
            return refuse(id, "request", format!("cmd: expected one of {}", known.join(", ")));
        };
        match serde_json::from_value(Value::Object(fields)) {
            Ok(request) => Self { id, request: Ok((request, name)) },
            Err(error) => refuse(id, "request", format!("{name}: {error}")),
        }
    }
}

fn command(cmd: &str) -> Option<&'static str> {
    COMMANDS.iter().map(|(name, ..)| *name).find(|name| *name == cmd)
}

/// What the command of this name needs, and the act it becomes.
pub fn rule(name: &str) -> (Needs, Option<Command>) {
    let known = COMMANDS.iter().find(|(known, ..)| *known == name);
    // A command that nobody put into the table is nobody's.
    known.map_or((Needs::Code(Role::Admin), None), |(_, needs, command)| (*needs, *command))
}

impl Request {
    /// What comes with a request that becomes an act.
    pub const fn ask(&self) -> Option<&Ask> {
        match self {
            Self::Kill(ask)
            | Self::Pause(ask)
            | Self::ReduceOnly(ask)
            | Self::Resume(ask)
            | Self::Flatten(ask)
            | Self::Disconnect(ask)
            | Self::Connect(ask)
            | Self::Acknowledge(ask)
            | Self::Arm(ask)
            | Self::KillFlatten(ask)
            | Self::ResetLoss(ask)
            | Self::SetLimit(ask)
            | Self::Rotate(ask)
            | Self::Snapshot(ask)
            | Self::LogLevel(ask) => Some(ask),
            _ => None,
        }
    }
}

/// An answer: the object's fields with version and id in front.
pub fn answer(id: Option<&Value>, body: Value) -> Value {
    let mut fields = Map::new();
    fields.insert("v".into(), VERSION.into());
    if let Some(id) = id {
        fields.insert("id".into(), id.clone());
    }
    match body {
        Value::Object(body) => fields.extend(body),
        other => drop(fields.insert("answer".into(), other)),
    }
    Value::Object(fields)
}

/// The answer that says no.
pub fn no(id: Option<&Value>, refusal: &Refusal) -> Value {
    answer(id, serde_json::json!({ "error": refusal.text, "kind": refusal.kind }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> &'static str {
        match Line::read(line.as_bytes()).request {
            Ok((_, name)) => name,
            Err(refusal) => refusal.kind,
        }
    }

    #[test]
    fn every_command_of_the_table_is_understood() {
        for (name, _, command) in COMMANDS {
            let more = match name {
                "challenge" => r#","key":"k""#,
                "sealed" => r#","key":"k","counter":1,"time":2,"request":"{}","mac":"00""#,
                _ => "",
            };
            let line = Line::read(format!(r#"{{"cmd":"{name}"{more}}}"#).as_bytes());
            let (request, read) = line.request.unwrap();
            assert_eq!((read, request.ask().is_some()), (name, command.is_some()), "{name}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_its_kind() {
        for line in ["", "{", "[]", "null", "{}", r#"{"cmd":7}"#, r#"{"cmd":"fly"}"#, r#"{"cmd":"Kill"}"#] {
            assert_eq!(kind(line), "request", "{line}");
        }
        for line in [
            r#"{"cmd":"status","x":1}"#,
            r#"{"cmd":"kill","scop":"engine"}"#,
            r#"{"cmd":"kill","scope":["engine"]}"#,
            r#"{"cmd":"sealed","key":"k","counter":-1,"time":0,"request":"","mac":""}"#,
        ] {
            assert_eq!(kind(line), "request", "{line}");
        }
        assert_eq!(kind(r#"{"cmd":"status","v":2}"#), "version");
        assert_eq!(kind(r#"{"cmd":"status","v":1,"id":"seven"}"#), "status");
        let deep = format!("{}{}", r#"{"cmd":"status","id":"#, "[".repeat(3_000));
        assert_eq!(kind(&deep), "request");
        assert_eq!(Line::read(br#"{"cmd":"status","id":{"a":1}}"#).id, None);
        assert_eq!(Line::read(br#"{"cmd":"fly","id":7}"#).id, Some(7.into()));
    }

    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever comes: no panic, one answer that is one line of JSON, and nothing is taken that is not in the table.
        #[test]
        fn any_bytes_are_a_request_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            check(&bytes);
        }

        /// Requests with a few bytes changed, lost or put in: what nearly fits is where parsers go wrong.
        #[test]
        fn requests_gone_wrong_are_refused_or_still_requests(
            at in 0..COMMANDS.len(),
            changes in proptest::collection::vec((any::<u16>(), any::<u8>(), 0..3u8), 1..4),
        ) {
            let mut line = format!(
                r#"{{"v":1,"id":7,"cmd":"{}","scope":"instrument BTCUSDT","reason":"drill","code":"123456"}}"#,
                COMMANDS[at].0
            )
            .into_bytes();
            for (place, byte, what) in changes {
                let place = usize::from(place) % line.len();
                match what {
                    0 => line[place] = byte,
                    1 => _ = line.remove(place),
                    _ => line.insert(place, byte),
                }
            }
            check(&line);
        }
    }

    fn check(bytes: &[u8]) {
        let Line { id, request } = Line::read(bytes);
        let said = match request {
            Ok((_, name)) => {
                assert!(COMMANDS.iter().any(|(known, ..)| *known == name));
                answer(id.as_ref(), serde_json::json!({ "ok": true }))
            }
            Err(refusal) => no(id.as_ref(), &refusal),
        };
        let text = said.to_string();
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["v"], VERSION);
    }
}
