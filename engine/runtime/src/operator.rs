//! A person's request, made into the act that the engine takes, or refused.
//!
//! The kernel says who asks (the socket's peer); what takes risk back on (arming, resetting a loss, changing a limit,
//! closing everything under a kill) also needs a one-time code where a secret is configured, each code once. While the
//! flag file of the kill switch stands nobody arms anything.

use serde::Deserialize;
use smc_core::event::{Act, Command, LimitName, RiskScope, ScopeKind};
use smc_core::words::{InstrumentId, Name, Qty};
use smc_operator::{Hash, Totp};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

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
}

/// A secret and the last code that was used.
pub struct Factor {
    totp: Totp,
    used: Option<u64>,
}

impl Factor {
    /// Reads the secret: base32 as authenticators show it, spaces allowed. Six digits, thirty seconds, SHA-1.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let secret = base32(text.trim()).ok_or("not a base32 secret")?;
        if secret.len() < 10 {
            return Err(format!("a secret of {} bytes is too short, at least 10", secret.len()));
        }
        let totp = Totp::new(&secret, Hash::Sha1, 6, 30).map_err(|error| error.to_string())?;
        Ok(Self { totp, used: None })
    }

    fn takes(&mut self, code: &str, unix_s: u64) -> bool {
        let step = self.totp.verify(code, unix_s, self.used);
        self.used = step.or(self.used);
        step.is_some()
    }
}

impl Desk {
    /// The act, or why there is none. `uid` is who asks.
    pub fn act(&mut self, command: Command, ask: &Ask, uid: u32) -> Result<Act, String> {
        let scope = match &ask.scope {
            None => RiskScope::ENGINE,
            Some(text) => self.scope(text)?,
        };
        if command == Command::KillFlatten && scope != RiskScope::ENGINE {
            return Err("kill-flatten is of the whole engine".into());
        }
        let reason = ask.reason.as_deref().unwrap_or("");
        let reason = Name::new(reason).ok_or("reason: at most 15 letters")?;
        let (limit, value) = match command {
            Command::SetLimit => limit(ask)?,
            _ if ask.limit.is_some() || ask.value.is_some() => {
                return Err("limit and value belong to set-limit".into());
            }
            _ => (LimitName::None, 0),
        };
        let is_armed_again = matches!(command, Command::Arm | Command::ResetLoss);
        if is_armed_again && let Some(flag) = self.kill_flag.as_ref().filter(|flag| flag.exists()) {
            return Err(format!("the kill flag {} still stands: remove it first", flag.display()));
        }
        let needs_code = is_armed_again || matches!(command, Command::SetLimit | Command::KillFlatten);
        if needs_code && let Some(factor) = &mut self.factor {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let code = ask.code.as_deref().ok_or("this needs a one-time code")?;
            if !factor.takes(code, now) {
                return Err("the one-time code is wrong, or was used before".into());
            }
        }
        Ok(Act { command, scope, limit, value, operator: uid, reason })
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
        Desk { symbols: vec!["BTCUSDT".into(), "ETHUSDT".into()], factor: None, kill_flag: None }
    }

    fn ask(scope: &str) -> Ask {
        Ask { scope: Some(scope.into()), ..Ask::default() }
    }

    #[test]
    fn scopes_are_told_by_symbol_or_number_and_nothing_else() {
        let mut desk = desk();
        let mut scope = |text| desk.act(Command::Kill, &ask(text), 7).map(|act| act.scope);
        assert_eq!(scope("engine"), Ok(RiskScope::ENGINE));
        assert_eq!(scope("instrument ETHUSDT"), Ok(RiskScope::instrument(InstrumentId(1))));
        assert_eq!(scope("instrument 0"), Ok(RiskScope::instrument(InstrumentId(0))));
        assert_eq!(scope("strategy 1"), Ok(RiskScope::strategy(1)));
        for text in
            ["", "all", "instrument", "instrument XRPUSDT", "instrument 2", "venue -1", "strategy 70000"]
        {
            assert!(scope(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_comes_in_its_own_unit() {
        let mut desk = desk();
        let mut set = |limit: &str, value: &str| {
            let ask =
                Ask { limit: Some(limit.into()), value: Some(value.into()), ..ask("instrument BTCUSDT") };
            desk.act(Command::SetLimit, &ask, 7).map(|act| (act.limit, act.value))
        };
        assert_eq!(set("order_qty_max", "0.5"), Ok((LimitName::OrderQtyMax, 50_000_000)));
        assert_eq!(set("repeat_max", "3"), Ok((LimitName::RepeatMax, 3)));
        assert!(set("repeat_max", "0.5").unwrap_err().contains("repeat_max"));
        assert!(set("speed", "1").unwrap_err().contains("order_qty_max"), "says which there are");
    }

    /// The secret of RFC 6238's appendix.
    #[test]
    fn what_takes_risk_on_needs_a_code_and_each_code_works_once() {
        let dir = tempfile::tempdir().unwrap();
        let (secret, flag) = (dir.path().join("totp"), dir.path().join("kill"));
        std::fs::write(&secret, "GEZD GNBV GY3T QOJQ gezdgnbvgy3tqojq\n").unwrap();
        let factor = Factor::read(&secret).unwrap();
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let code = factor.totp.code(factor.totp.step(now()));
        let mut desk = Desk { factor: Some(factor), kill_flag: Some(flag.clone()), ..desk() };
        assert!(desk.act(Command::Kill, &Ask::default(), 7).is_ok(), "stopping needs none");
        let with = |code: &str| Ask { code: Some(code.into()), ..Ask::default() };
        assert!(desk.act(Command::Arm, &Ask::default(), 7).is_err());
        assert!(desk.act(Command::Arm, &with("000000x"), 7).is_err());
        std::fs::write(&flag, "").unwrap();
        assert!(desk.act(Command::Arm, &with(&code), 7).unwrap_err().contains("flag"));
        std::fs::remove_file(&flag).unwrap();
        let act = desk.act(Command::Arm, &with(&code), 7).unwrap();
        assert_eq!((act.command, act.operator), (Command::Arm, 7));
        assert!(desk.act(Command::Arm, &with(&code), 7).is_err(), "once");
        std::fs::write(&secret, "GEZDGNBV").unwrap();
        assert!(Factor::read(&secret).is_err_and(|error| error.contains("short")));
    }
}
