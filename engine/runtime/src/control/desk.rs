//! A person's request, made into the act that the engine takes, or refused.
//!
//! The kernel says who asks (the socket's peer); what takes risk back on (arming, resetting a loss, changing a limit,
//! closing everything under a kill) also needs a one-time code where a secret is configured, each code once. While the
//! flag file of the kill switch stands nobody arms anything.

use super::people::private;
use super::protocol::Refusal;
use serde::Deserialize;
use smc_core::event::{Act, Command, LimitName, RiskScope, ScopeKind};
use smc_core::words::{InstrumentId, Name, Qty};
use smc_operator::{Guesses, Hash, Totp};
use smc_replay::words;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// What comes with a request that changes something.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ask {
    /// `engine` (default), `venue 0`, `instrument BTCUSDT` or `instrument 0`, `strategy 1`.
    pub scope: Option<String>,
    /// Of `set-limit`: its name as in the configuration, without a unit's change: `order_qty_max`.
    pub limit: Option<String>,
    /// Of `set-limit`: its new value; quantities and money as decimal text, the rest as whole numbers.
    pub value: Option<String>,
    /// Why, in at most fifteen letters.
    pub reason: Option<String>,
    /// The one-time code.
    pub code: Option<String>,
}

/// What turns requests into acts.
pub struct Desk {
    /// In the order of their ids.
    pub symbols: Vec<String>,
    /// The second factor, if one is configured.
    pub factor: Option<Factor>,
    /// While it exists nothing is armed.
    pub kill_flag: Option<PathBuf>,
    /// What limits were set to here: whoever says what they are now may be a moment behind.
    pub set: BTreeMap<(RiskScope, LimitName), i64>,
}

/// A secret, the last code that was used, and how many were wrong.
pub struct Factor {
    totp: Totp,
    used: Option<u64>,
    guesses: Guesses,
    /// Where the last one is noted, so that the next process does not take it again.
    note: Option<PathBuf>,
}

impl Factor {
    /// Reads the secret: base32 as authenticators show it, spaces allowed. Six digits, thirty seconds, SHA-1. Codes that are
    /// used are noted in the file `note`, which need not be there yet.
    pub fn read(path: &Path, note: Option<PathBuf>) -> Result<Self, String> {
        let meta = std::fs::metadata(path).map_err(|error| error.to_string())?;
        private(&meta)?;
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| error.to_string())?);
        let secret = Zeroizing::new(base32(text.trim()).ok_or("not a base32 secret")?);
        if secret.len() < 10 {
            return Err(format!("a secret of {} bytes is too short, at least 10", secret.len()));
        }
        let totp = Totp::new(&secret, Hash::Sha1, 6, 30).map_err(|error| error.to_string())?;
        let used = match note.as_deref().map(std::fs::read_to_string) {
            None => None,
            Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            // A note that cannot be read may have named any code that is good now.
            Some(text) => {
                let noted = text.ok().and_then(|text| text.trim().parse().ok());
                Some(noted.unwrap_or_else(|| totp.step(unix_s()) + 1))
            }
        };
        Ok(Self { totp, used, guesses: Guesses::default(), note })
    }

    /// Takes a code, once: not again, not by another process, and not after too many wrong ones.
    fn take(&mut self, code: &str, unix_s: u64) -> Result<(), Refusal> {
        self.guesses.check(unix_s).map_err(|refused| Refusal::new("code", refused))?;
        let Some(step) = self.totp.verify(code, unix_s, self.used) else {
            self.guesses.fail(unix_s);
            return Err(Refusal::new("code", "the one-time code is wrong, or was used before"));
        };
        if let Some(path) = &self.note {
            keep(path, step).map_err(|error| Refusal::new("code", format!("{}: {error}", path.display())))?;
        }
        self.used = Some(step);
        self.guesses.succeed();
        Ok(())
    }
}

/// Writes the step so that it is there after a crash, whole or not at all.
fn keep(path: &Path, step: u64) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = std::fs::File::create(&new)?;
    file.write_all(step.to_string().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    std::fs::File::open(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
        .sync_all()
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// What a limit is now, as far as that is known.
pub type Present<'a> = &'a dyn Fn(RiskScope, LimitName) -> Option<i64>;

impl Desk {
    /// The act, or why there is none. `operator` is who asks, by the journal's number; `wants_code` whether the command asks for
    /// a one-time code where there is a second factor.
    pub fn act(
        &mut self,
        command: Command,
        ask: &Ask,
        operator: u32,
        wants_code: bool,
        present: Present<'_>,
    ) -> Result<Act, Refusal> {
        let refuse = |text: String| Refusal::new("refused", text);
        let scope = match &ask.scope {
            None => RiskScope::ENGINE,
            Some(text) => self.scope(text).map_err(refuse)?,
        };
        let is_of_engine = matches!(
            command,
            Command::KillFlatten
                | Command::ResetLoss
                | Command::Rotate
                | Command::Snapshot
                | Command::LogLevel
                | Command::Acknowledge
        );
        if is_of_engine && scope != RiskScope::ENGINE {
            return Err(refuse(format!("{} is of the whole engine", words(&command))));
        }
        let is_of_venue = matches!(command, Command::Connect | Command::Disconnect);
        if is_of_venue && scope.kind != ScopeKind::Venue {
            return Err(refuse(format!("{} is of one venue: --scope \"venue 0\"", words(&command))));
        }
        let reason = ask.reason.as_deref().unwrap_or("");
        let reason = Name::new(reason).ok_or_else(|| refuse("reason: at most 15 letters".into()))?;
        let (limit, value) = match command {
            Command::SetLimit => limit(ask).map_err(refuse)?,
            _ if ask.limit.is_some() => return Err(refuse("limit belongs to set-limit".into())),
            Command::LogLevel => (LimitName::None, level(ask).map_err(refuse)?),
            Command::Acknowledge => (LimitName::None, number(ask).map_err(refuse)?),
            _ if ask.value.is_some() => return Err(refuse(format!("{} takes no value", words(&command)))),
            _ => (LimitName::None, 0),
        };
        let is_armed_again = matches!(command, Command::Arm | Command::ResetLoss);
        if is_armed_again && let Some(flag) = self.kill_flag.as_ref().filter(|flag| flag.exists()) {
            return Err(refuse(format!("the kill flag {} still stands: remove it first", flag.display())));
        }
        // Every limit is an upper one: what is not more takes no risk on. One that is not known may be anything.
        let is_less = command == Command::SetLimit && {
            let last = self.set.get(&(scope, limit)).copied().unwrap_or(i64::MAX);
            present(scope, limit).is_some_and(|now| value <= now.min(last))
        };
        if wants_code
            && !is_less
            && let Some(factor) = &mut self.factor
        {
            let code =
                ask.code.as_deref().ok_or_else(|| Refusal::new("code", "this needs a one-time code"))?;
            factor.take(code, unix_s())?;
        }
        if command == Command::SetLimit {
            self.set.insert((scope, limit), value);
        }
        Ok(Act { command, scope, limit, value, operator, reason })
    }

    fn scope(&self, text: &str) -> Result<RiskScope, String> {
        let fail = || format!("scope `{text}`: engine, venue N, instrument SYMBOL or strategy N");
        let (kind, id) = match text.split_once(' ') {
            None if text == "engine" => return Ok(RiskScope::ENGINE),
            None => return Err(fail()),
            Some(parts) => parts,
        };
        let number = || id.parse::<u16>().map_err(|_| fail());
        Ok(match kind {
            "venue" => RiskScope { kind: ScopeKind::Venue, id: number()? },
            "strategy" => RiskScope { kind: ScopeKind::Strategy, id: number()? },
            "instrument" => {
                let known = self.symbols.iter().position(|symbol| symbol == id);
                let id = known.and_then(|at| u16::try_from(at).ok()).map_or_else(number, Ok)?;
                if usize::from(id) >= self.symbols.len() {
                    return Err(format!("scope `{text}`: no such instrument"));
                }
                RiskScope::instrument(InstrumentId(id))
            }
            _ => return Err(fail()),
        })
    }
}

/// Names of levels, in the order of their numbers, from 1 on.
pub const LOG_LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

fn level(ask: &Ask) -> Result<i64, String> {
    let at = LOG_LEVELS.iter().position(|name| ask.value.as_deref() == Some(name));
    at.map(|at| at as i64 + 1).ok_or_else(|| format!("value: expected one of {}", LOG_LEVELS.join(", ")))
}

fn number(ask: &Ask) -> Result<i64, String> {
    let text = ask.value.as_deref().ok_or("value: the number of the alert")?;
    text.parse().map_err(|_| format!("value `{text}`: expected the number of the alert"))
}

fn limit(ask: &Ask) -> Result<(LimitName, i64), String> {
    let name = ask.limit.as_deref().ok_or("set-limit needs a limit")?;
    let limit = LimitName::ALL.into_iter().find(|limit| limit.field() == name);
    let limit = limit.ok_or_else(|| {
        let names: Vec<_> = LimitName::ALL.iter().map(|limit| limit.field()).collect();
        format!("no limit `{name}`: {}", names.join(", "))
    })?;
    let text = ask.value.as_deref().ok_or("set-limit needs a value")?;
    let is_decimal = matches!(
        limit,
        LimitName::OrderQtyMax
            | LimitName::OrderNotionalMax
            | LimitName::PositionQtyMax
            | LimitName::GrossMax
            | LimitName::NetMax
    );
    let value = match is_decimal {
        true => Qty::parse(text.as_bytes()).map(|qty| qty.0).map_err(|error| error.to_string()),
        false => text.parse::<i64>().map_err(|error| error.to_string()),
    };
    Ok((limit, value.map_err(|error| format!("{name}: {error}"))?))
}

/// RFC 4648 without padding, upper or lower case, spaces between groups.
fn base32(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut len, mut out) = (0u32, 0, Vec::new());
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        len += 5;
        if len >= 8 {
            len -= 8;
            out.push((bits >> len) as u8);
            bits &= (1 << len) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk() -> Desk {
        Desk {
            symbols: vec!["BTCUSDT".into(), "ETHUSDT".into()],
            factor: None,
            kill_flag: None,
            set: BTreeMap::new(),
        }
    }

    fn ask(scope: &str) -> Ask {
        Ask { scope: Some(scope.into()), ..Ask::default() }
    }

    fn act(desk: &mut Desk, command: Command, ask: &Ask, wants_code: bool) -> Result<Act, Refusal> {
        desk.act(command, ask, 7, wants_code, &|_, _| None)
    }

    #[test]
    fn scopes_are_told_by_symbol_or_number_and_nothing_else() {
        let mut desk = desk();
        let mut scope = |text| act(&mut desk, Command::Kill, &ask(text), false).map(|act| act.scope);
        assert_eq!(scope("engine"), Ok(RiskScope::ENGINE));
        assert_eq!(scope("instrument ETHUSDT"), Ok(RiskScope::instrument(InstrumentId(1))));
        assert_eq!(scope("instrument 0"), Ok(RiskScope::instrument(InstrumentId(0))));
        assert_eq!(scope("strategy 1"), Ok(RiskScope::strategy(1)));
        for text in
            ["", "all", "instrument", "instrument XRPUSDT", "instrument 2", "venue -1", "strategy 70000"]
        {
            assert!(scope(text).is_err(), "{text}");
        }
        for command in [Command::KillFlatten, Command::Rotate, Command::Snapshot, Command::ResetLoss] {
            assert!(act(&mut desk, command, &ask("venue 0"), false).is_err(), "{command:?}");
        }
        assert!(act(&mut desk, Command::Disconnect, &ask("engine"), false).is_err());
        assert!(act(&mut desk, Command::Disconnect, &ask("venue 0"), false).is_ok());
    }

    fn set(limit: &str, value: &str) -> Ask {
        Ask { limit: Some(limit.into()), value: Some(value.into()), ..ask("instrument BTCUSDT") }
    }

    #[test]
    fn a_limit_comes_in_its_own_unit() {
        let mut desk = desk();
        let mut set = |limit: &str, value: &str| {
            let act = act(&mut desk, Command::SetLimit, &set(limit, value), false);
            act.map(|act| (act.limit, act.value)).map_err(|refusal| refusal.text)
        };
        assert_eq!(set("order_qty_max", "0.5"), Ok((LimitName::OrderQtyMax, 50_000_000)));
        assert_eq!(set("repeat_max", "3"), Ok((LimitName::RepeatMax, 3)));
        assert!(set("repeat_max", "0.5").unwrap_err().contains("repeat_max"));
        assert!(set("speed", "1").unwrap_err().contains("order_qty_max"), "says which there are");
    }

    fn secret(dir: &Path, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.join("totp");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The secret of RFC 6238's appendix.
    const SECRET: &str = "GEZD GNBV GY3T QOJQ gezdgnbvgy3tqojq\n";

    #[test]
    fn what_takes_risk_on_needs_a_code_and_each_code_works_once() {
        let dir = tempfile::tempdir().unwrap();
        let (secret_file, flag) = (secret(dir.path(), SECRET), dir.path().join("kill"));
        let note = Some(dir.path().join("codes"));
        let factor = Factor::read(&secret_file, note.clone()).unwrap();
        let code = factor.totp.code(factor.totp.step(unix_s()));
        let mut desk = Desk { factor: Some(factor), kill_flag: Some(flag.clone()), ..desk() };
        assert!(act(&mut desk, Command::Kill, &Ask::default(), false).is_ok(), "stopping needs none");
        let with = |code: &str| Ask { code: Some(code.into()), ..Ask::default() };
        assert!(act(&mut desk, Command::Arm, &Ask::default(), true).is_err());
        assert!(act(&mut desk, Command::Arm, &with("000000x"), true).is_err());
        std::fs::write(&flag, "").unwrap();
        let refused = act(&mut desk, Command::Arm, &with(&code), true).unwrap_err();
        assert!(refused.text.contains("flag"));
        std::fs::remove_file(&flag).unwrap();
        let armed = act(&mut desk, Command::Arm, &with(&code), true).unwrap();
        assert_eq!((armed.command, armed.operator), (Command::Arm, 7));
        assert!(act(&mut desk, Command::Arm, &with(&code), true).is_err(), "once");
        // The next process has the note.
        let mut next = Factor::read(&secret_file, note.clone()).unwrap();
        assert_eq!(next.take(&code, unix_s()).unwrap_err().kind, "code");
        std::fs::write(note.as_ref().unwrap(), "torn").unwrap();
        let mut next = Factor::read(&secret_file, note).unwrap();
        let newest = next.totp.code(next.totp.step(unix_s()) + 1);
        assert!(next.take(&newest, unix_s()).is_err(), "a note that does not read stands for all");
        secret(dir.path(), "GEZDGNBV");
        assert!(Factor::read(&secret_file, None).is_err_and(|error| error.contains("short")));
    }

    #[test]
    fn less_needs_no_code_and_more_or_unknown_does() {
        let dir = tempfile::tempdir().unwrap();
        let factor = Factor::read(&secret(dir.path(), SECRET), None).unwrap();
        let mut desk = Desk { factor: Some(factor), ..desk() };
        let now = |scope, _| (scope == RiskScope::instrument(InstrumentId(0))).then_some(50_000_000);
        let mut set = |limit: Ask| desk.act(Command::SetLimit, &limit, 7, true, &now).map(|act| act.value);
        assert_eq!(set(set_limit("0.50000001")).unwrap_err().kind, "code");
        assert_eq!(set(set_limit("0.5")), Ok(50_000_000));
        assert_eq!(set(set_limit("0.4")), Ok(40_000_000));
        // Lowered a moment ago, which `now` does not say yet: back up is up.
        assert_eq!(set(set_limit("0.45")).unwrap_err().kind, "code");
        let elsewhere = Ask { scope: Some("instrument ETHUSDT".into()), ..set_limit("0.1") };
        assert_eq!(set(elsewhere).unwrap_err().kind, "code");
    }

    fn set_limit(value: &str) -> Ask {
        set("order_qty_max", value)
    }

    #[test]
    fn wrong_codes_make_the_next_one_wait() {
        let dir = tempfile::tempdir().unwrap();
        let mut factor = Factor::read(&secret(dir.path(), SECRET), None).unwrap();
        let now = 1_000_000;
        for _ in 0..5 {
            assert!(factor.take("000000", now).unwrap_err().text.contains("wrong"));
        }
        let right = factor.totp.code(factor.totp.step(now));
        assert!(factor.take(&right, now).unwrap_err().text.contains("wait 30 s"), "right, and too soon");
        let later = now + 30;
        let right = factor.totp.code(factor.totp.step(later));
        assert_eq!(factor.take(&right, later), Ok(()));
    }
}
