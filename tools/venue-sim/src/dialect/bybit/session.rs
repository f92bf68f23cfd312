//! WebSocket sessions: what a connection is for, what it is subscribed to, and its control requests.
//!
//! Pure. `req_id` and `conn_id` belong to market data and private topics, `reqId` and `connId` to order entry.

use super::auth::Keys;
use super::refusal::Refusal;
use super::topics::{Private, Public};
use super::words::{Category, scatter};
use crate::dialect::json::to_text;
use serde::Deserialize;
use serde_json::value::RawValue;
use smc_core::TsNs;
use std::collections::BTreeSet;

const SECOND_NS: u64 = 1_000_000_000;
/// A connection on which nothing is said for so long is cut.
const SILENCE_NS: u64 = 600 * SECOND_NS;
/// Most topics of one request on spot.
const SPOT_ARGS_MAX: usize = 10;
/// Most characters of all topics of a connection.
const ARGS_CHARS_MAX: usize = 21_000;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Market data of a category.
    Public(Category),
    /// Maintenance announcements, of which there are none.
    Status,
    /// An account's orders, executions, positions and amounts.
    Private,
    /// Order entry.
    Trade,
}

/// One subscribed public topic.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// The name as asked for.
    pub name: String,
    /// Index of the instrument, and what the topic carries.
    pub topic: (usize, Public),
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Session {
    /// What it is for.
    pub lane: Lane,
    /// The venue's name for it.
    pub conn_id: String,
    /// The account logged on.
    pub account: Option<usize>,
    /// Public topics, in the order of subscription.
    pub topics: Vec<Subscribed>,
    /// Private topics, each with its category if it names one.
    pub private: Vec<(Private, Option<Category>)>,
    /// Request ids of order entry, which must not repeat.
    pub req_ids: BTreeSet<String>,
    /// When anything was last said on it, by either side.
    pub spoken_at: TsNs,
    /// How long it may be silent.
    silence_ns: u64,
}

/// A control request.
#[derive(Deserialize)]
struct Control<'a> {
    req_id: Option<String>,
    op: Option<String>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// What a control request did.
#[derive(Debug, Default)]
pub struct Controlled {
    /// The answer.
    pub text: String,
    /// Public topics added.
    pub added: Vec<(usize, Public)>,
}

impl Session {
    /// A session from the path and query of its upgrade request; none when the venue has no such path.
    pub fn open(target: &str, number: u64, now: TsNs) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let lane = match path {
            "/v5/private" => Lane::Private,
            "/v5/trade" => Lane::Trade,
            "/v5/public/misc/status" => Lane::Status,
            _ => Lane::Public(Category::parse(path.strip_prefix("/v5/public/")?)?),
        };
        let asked = query.split('&').find_map(|pair| pair.strip_prefix("max_active_time="));
        let is_own = matches!(lane, Lane::Private | Lane::Trade);
        Some(Self {
            lane,
            conn_id: format!("{:016x}{:04x}-sim", scatter(number), number & 0xffff),
            account: None,
            topics: Vec::new(),
            private: Vec::new(),
            req_ids: BTreeSet::new(),
            spoken_at: now,
            silence_ns: asked.filter(|_| is_own).and_then(active_ns).unwrap_or(SILENCE_NS),
        })
    }

    /// Whether it has been silent for too long.
    pub fn is_stale(&self, now: TsNs) -> bool {
        now.since(self.spoken_at) >= self.silence_ns
    }

    /// Whether it wants a private topic of a category.
    pub fn wants(&self, topic: Private, category: Category) -> bool {
        self.private.iter().any(|(known, only)| *known == topic && only.is_none_or(|only| only == category))
    }

    /// A text that sorts connections by purpose: what they are subscribed to.
    pub fn purpose(&self) -> String {
        let names: Vec<&str> = self.topics.iter().map(|topic| topic.name.as_str()).collect();
        format!("{:?} {}", self.lane, names.join(" "))
    }

    /// Answers one request of a market data or private connection.
    pub fn control(
        &mut self,
        text: &str,
        keys: &Keys,
        symbol_index: &dyn Fn(Category, &str) -> Option<usize>,
        now: TsNs,
    ) -> Controlled {
        let Ok(request) = serde_json::from_str::<Control<'_>>(text) else {
            let msg =
                format!("Failed to decode incoming data: {}", text.chars().take(64).collect::<String>());
            return Controlled { text: self.answer(Err(&msg), None, ""), added: Vec::new() };
        };
        let (id, op) = (request.req_id.as_deref(), request.op.as_deref().unwrap_or(""));
        let args = request.args.map_or("[]", RawValue::get);
        let mut added = Vec::new();
        let text = match (op, self.lane) {
            ("ping", _) => self.pong(id, now),
            ("auth", Lane::Private) => {
                let result = self.log_on(args, keys, now);
                self.answer(result.as_ref().map_err(String::as_str).map(|()| ""), id, op)
            }
            ("subscribe", lane) => {
                let result = match lane {
                    Lane::Public(category) => {
                        self.subscribe(category, args, symbol_index).map(|new| added = new)
                    }
                    Lane::Private => self.subscribe_private(args),
                    _ => Ok(()),
                };
                self.acknowledge(result, id, op)
            }
            ("unsubscribe", _) => {
                let result = self.unsubscribe(args);
                self.acknowledge(result, id, op)
            }
            _ => self.answer(Err("error:invalid op"), id, op),
        };
        Controlled { text, added }
    }

    fn acknowledge(&self, result: Result<(), String>, id: Option<&str>, op: &str) -> String {
        let word = if self.lane == Lane::Public(Category::Spot) { op } else { "" };
        self.answer(result.as_ref().map_err(String::as_str).map(|()| word), id, op)
    }

    fn answer(&self, result: Result<&str, &str>, id: Option<&str>, op: &str) -> String {
        let (is_success, msg) = match result {
            Ok(msg) => (true, msg),
            Err(msg) => (false, msg),
        };
        let id = id.map_or_else(String::new, |id| format!(r#""req_id":{},"#, to_text(id)));
        format!(
            r#"{{"success":{is_success},"ret_msg":{},"conn_id":"{}",{id}"op":{}}}"#,
            to_text(msg),
            self.conn_id,
            to_text(op),
        )
    }

    fn pong(&self, id: Option<&str>, now: TsNs) -> String {
        if self.lane == Lane::Private {
            let id = id.map_or_else(String::new, |id| format!(r#""req_id":{},"#, to_text(id)));
            return format!(r#"{{{id}"op":"pong","args":["{}"],"conn_id":"{}"}}"#, now.as_ms(), self.conn_id);
        }
        self.answer(Ok("pong"), Some(id.unwrap_or("")), "ping")
    }

    fn log_on(&mut self, args: &str, keys: &Keys, now: TsNs) -> Result<(), String> {
        let account =
            log_on_args(args).and_then(|(key, expires, sign)| keys.log_on(&key, expires, &sign, now));
        self.account = Some(account.map_err(|_| "Params Error".to_owned())?);
        Ok(())
    }

    /// One bad topic refuses all.
    fn subscribe(
        &mut self,
        category: Category,
        args: &str,
        symbol_index: &dyn Fn(Category, &str) -> Option<usize>,
    ) -> Result<Vec<(usize, Public)>, String> {
        let names = names(args)?;
        if category.is_spot() && names.len() > SPOT_ARGS_MAX {
            return Err(format!("args size >{SPOT_ARGS_MAX}"));
        }
        let held: usize = self.topics.iter().map(|topic| topic.name.len()).sum();
        if held + names.iter().map(String::len).sum::<usize>() > ARGS_CHARS_MAX {
            return Err(format!("args size >{ARGS_CHARS_MAX}"));
        }
        let mut added: Vec<Subscribed> = Vec::new();
        for name in names {
            if self.topics.iter().chain(&added).any(|known| known.name == name) {
                return Err(format!("error:already subscribed,topic:{name}"));
            }
            let topic = Public::parse(category, &name)
                .and_then(|(topic, symbol)| Some((symbol_index(category, symbol)?, topic)));
            let Some(topic) = topic else { return Err(format!("error:handler not found,topic:{name}")) };
            added.push(Subscribed { name, topic });
        }
        let topics = added.iter().map(|new| new.topic).collect();
        self.topics.append(&mut added);
        Ok(topics)
    }

    fn subscribe_private(&mut self, args: &str) -> Result<(), String> {
        if self.account.is_none() {
            return Err("Request not authorized".to_owned());
        }
        let mut added = Vec::new();
        for name in names(args)? {
            let topic =
                Private::parse(&name).ok_or_else(|| format!("error:handler not found,topic:{name}"))?;
            if self.private.contains(&topic) || added.contains(&topic) {
                return Err(format!("error:already subscribed,topic:{name}"));
            }
            let is_mixed = added.iter().any(|(known, only): &(Private, Option<Category>)| {
                *known == topic.0 && only.is_none() != topic.1.is_none()
            });
            if is_mixed {
                return Err(format!("error:all-in-one and categorised topics in one request,topic:{name}"));
            }
            added.push(topic);
        }
        self.private.append(&mut added);
        Ok(())
    }

    fn unsubscribe(&mut self, args: &str) -> Result<(), String> {
        let names = names(args)?;
        self.topics.retain(|topic| !names.contains(&topic.name));
        let topics: Vec<_> = names.iter().filter_map(|name| Private::parse(name)).collect();
        self.private.retain(|topic| !topics.contains(topic));
        Ok(())
    }
}

fn names(args: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(args).map_err(|_| "error:request args should be a list of topics".to_owned())
}

/// Key, expiry in milliseconds and signature of an `auth` request.
pub fn log_on_args(args: &str) -> Result<(String, u64, String), Refusal> {
    let bad = || Refusal::new(10001, "Params Error");
    let parts: Vec<&RawValue> = serde_json::from_str(args).map_err(|_| bad())?;
    let [key, expires, signature] = parts.as_slice() else { return Err(bad()) };
    let text = |part: &RawValue| serde_json::from_str::<String>(part.get());
    let expires = text(expires).unwrap_or_else(|_| expires.get().to_owned());
    let number = expires.parse().map_err(|_| bad())?;
    Ok((text(key).map_err(|_| bad())?, number, text(signature).map_err(|_| bad())?))
}

/// `30s` to `600s`, or `1m` to `10m`, in nanoseconds.
fn active_ns(text: &str) -> Option<u64> {
    let seconds = match (text.strip_suffix('s'), text.strip_suffix('m')) {
        (Some(seconds), _) => seconds.parse().ok()?,
        (_, Some(minutes)) => minutes.parse::<u64>().ok()?.checked_mul(60)?,
        _ => return None,
    };
    (30..=600).contains(&seconds).then(|| seconds * SECOND_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TsNs = TsNs(1_675_418_560_633_000_000);

    fn session(path: &str) -> Session {
        Session { conn_id: "c".to_owned(), ..Session::open(path, 1, NOW).unwrap() }
    }

    fn ask(session: &mut Session, text: &str) -> String {
        let index = |_: Category, symbol: &str| (symbol == "BTCUSDT").then_some(0);
        session.control(text, &Keys::new(&[]), &index, NOW).text
    }

    #[test]
    fn paths_open_sessions() {
        assert!(Session::open("/v5/public/spot", 1, NOW).is_some());
        assert!(Session::open("/v5/trade?max_active_time=1m", 1, NOW).is_some());
        for path in ["/", "/v5/public", "/v5/public/futures", "/v3/private", "/v5/privatex"] {
            assert!(Session::open(path, 1, NOW).is_none(), "{path}");
        }
    }

    #[test]
    fn answers_have_the_shapes_of_their_lane() {
        let mut spot = session("/v5/public/spot");
        let subscribe = r#"{"req_id":"a","op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#;
        assert_eq!(
            ask(&mut spot, subscribe),
            r#"{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"a","op":"subscribe"}"#
        );
        assert_eq!(
            ask(&mut spot, subscribe),
            r#"{"success":false,"ret_msg":"error:already subscribed,topic:orderbook.50.BTCUSDT","conn_id":"c","req_id":"a","op":"subscribe"}"#
        );
        assert_eq!(
            ask(&mut spot, r#"{"op":"ping"}"#),
            r#"{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"","op":"ping"}"#
        );
        let mut linear = session("/v5/public/linear");
        assert_eq!(
            ask(&mut linear, subscribe),
            r#"{"success":true,"ret_msg":"","conn_id":"c","req_id":"a","op":"subscribe"}"#
        );
        let mut private = session("/v5/private");
        assert_eq!(
            ask(&mut private, r#"{"req_id":"test","op":"ping"}"#),
            r#"{"req_id":"test","op":"pong","args":["1675418560633"],"conn_id":"c"}"#
        );
        assert!(ask(&mut private, r#"{"op":"subscribe","args":["order"]}"#).contains("not authorized"));
        assert!(ask(&mut private, r#"{"op":"auth","args":["k",1,"s"]}"#).contains("Params Error"));
        assert!(ask(&mut private, r#"{"op":"order.create"}"#).contains("error:invalid op"));
        assert!(ask(&mut private, "{").contains("Failed to decode incoming data"));
    }

    #[test]
    fn one_bad_topic_refuses_all() {
        let mut linear = session("/v5/public/linear");
        let bad =
            r#"{"req_id":"e1","op":"subscribe","args":["orderbook.50.BTCUSDT","orderbook.50.NOPEUSDT"]}"#;
        assert_eq!(
            ask(&mut linear, bad),
            r#"{"success":false,"ret_msg":"error:handler not found,topic:orderbook.50.NOPEUSDT","conn_id":"c","req_id":"e1","op":"subscribe"}"#
        );
        assert!(linear.topics.is_empty());
        let mut spot = session("/v5/public/spot");
        let eleven = vec!["publicTrade.BTCUSDT"; 11];
        let text = format!(r#"{{"op":"subscribe","args":{}}}"#, to_text(&eleven));
        assert!(ask(&mut spot, &text).contains("args size >10"));
    }

    #[test]
    fn a_connection_may_be_silent_as_long_as_it_asked_for() {
        let after = |seconds| TsNs(NOW.0 + seconds * SECOND_NS);
        let short = session("/v5/private?max_active_time=30s");
        assert!(!short.is_stale(after(29)) && short.is_stale(after(30)));
        let usual = session("/v5/private?max_active_time=7d");
        assert!(!usual.is_stale(after(599)) && usual.is_stale(after(600)));
    }
}
