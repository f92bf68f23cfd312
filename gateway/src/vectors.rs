//! Requests that other clients sent, and the count of what ours are beside them: equal field by field, or not ours and why.

use crate::testing::lines;
use serde_json::{Map, Value};
use smc_core::words::{Price, Qty};
use std::collections::BTreeMap;

/// One request of another client.
pub(crate) struct Vector {
    pub id: String,
    /// What the client calls it, or the method of a frame.
    pub call: String,
    /// How it was signed.
    pub alg: String,
    /// Method and path over HTTP; none of a frame.
    pub rest: Option<(String, String)>,
    /// Its parameters without the signature.
    pub fields: Map<String, Value>,
}

/// The requests to one of Binance's markets over HTTP, and its frames.
pub(crate) fn binance(market: &str) -> Vec<Vector> {
    let parse = |line: &String| serde_json::from_str::<Value>(line).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rest = lines("data/binance/requests/http.jsonl").iter().map(parse).collect::<Vec<_>>();
    let rest = rest.iter().filter(|row| row["market"] == market).map(|row| Vector {
        id: text(&row["id"]),
        call: text(&row["call"]),
        alg: text(&row["alg"]),
        rest: Some((text(&row["method"]), text(&row["path"]))),
        fields: pairs(&[text(&row["query"]), text(&row["body"])].concat()),
    });
    let is_of = |session: &str| session.trim_start_matches("streams-").starts_with(market);
    let frames = lines("data/binance/requests/ws_api.jsonl").iter().map(parse).collect::<Vec<_>>();
    let frames = frames.iter().filter(|row| is_of(&text(&row["session"]))).map(|row| {
        let raw: Value = serde_json::from_str(row["raw"].as_str().unwrap()).unwrap();
        let mut fields = raw["params"].as_object().cloned().unwrap_or_default();
        fields.remove("signature");
        Vector {
            id: text(&raw["id"]),
            call: text(&raw["method"]),
            alg: text(&row["alg"]),
            rest: None,
            fields,
        }
    });
    rest.chain(frames).collect()
}

/// The parameters of a query, without the signature.
pub(crate) fn pairs(query: &str) -> Map<String, Value> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.filter(|(name, _)| *name != "signature");
    pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

impl Vector {
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn price(&self, name: &str) -> Price {
        self.fields.get(name).map_or(Price::ZERO, |_| Price::parse(self.text(name).as_bytes()).unwrap())
    }

    pub fn qty(&self, name: &str) -> Qty {
        Qty(self.price(name).0)
    }

    /// Every field of theirs is in ours with the same value, but `own`, which differ on purpose; what ours say beyond is among
    /// `own` or `extra`.
    pub fn assert_equal(&self, ours: &Map<String, Value>, own: &[&str], extra: &[&str]) {
        for (name, value) in self.fields.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
            let found =
                ours.get(name).unwrap_or_else(|| panic!("{}: {name} is missing in {ours:?}", self.id));
            assert_eq!(plain(found), plain(value), "{}: {name}", self.id);
        }
        for name in ours.keys().filter(|name| !self.has(name)) {
            assert!([own, extra].concat().contains(&name.as_str()), "{}: {name} in {ours:?}", self.id);
        }
    }
}

/// The same as text, numbers without trailing zeros.
pub(crate) fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.trim_end_matches('0').is_empty() => whole.to_owned(),
        Some(_) => text.trim_end_matches('0').to_owned(),
        None => text,
    }
}

/// What became of the vectors of a file.
#[derive(Default)]
pub(crate) struct Tally {
    equal: u32,
    not_ours: BTreeMap<&'static str, u32>,
}

impl Tally {
    /// Counts one: compared and found equal, or not ours for a reason.
    pub fn count(&mut self, outcome: Result<(), &'static str>) {
        match outcome {
            Ok(()) => self.equal += 1,
            Err(why) => *self.not_ours.entry(why).or_default() += 1,
        }
    }

    /// Prints the counts and holds them against what is expected; nothing where there was no file.
    pub fn expect(self, what: &str, equal: u32, not_ours: &[(&'static str, u32)]) {
        let total = self.equal + self.not_ours.values().sum::<u32>();
        println!("{what}: {total} vectors, {} equal, not ours: {:?}", self.equal, self.not_ours);
        let expected: BTreeMap<_, _> = not_ours.iter().copied().collect();
        assert!(total == 0 || (self.equal, &self.not_ours) == (equal, &expected), "{what}");
    }
}

/// What became of the lines of a corpus file.
#[derive(Default)]
pub(crate) struct Outcomes {
    decoded: BTreeMap<String, u32>,
    refused: BTreeMap<String, u32>,
}

impl Outcomes {
    /// Counts a line: what it was, or why it was refused.
    pub fn count(&mut self, outcome: Result<&str, impl std::fmt::Display>) {
        match outcome {
            Ok(kind) => *self.decoded.entry(kind.to_owned()).or_default() += 1,
            Err(refusal) => *self.refused.entry(refusal.to_string()).or_default() += 1,
        }
    }

    /// All counts, printed and given.
    pub fn line(&self, file: &str) -> String {
        let mut line = format!("{file}:");
        for (what, of) in [("decoded", &self.decoded), ("refused", &self.refused)] {
            of.iter().for_each(|(name, count)| line.push_str(&format!(" {count} {what} {name};")));
        }
        println!("{line}");
        line
    }

    /// Lines counted.
    pub fn total(&self) -> usize {
        self.decoded.values().chain(self.refused.values()).sum::<u32>() as usize
    }
}
