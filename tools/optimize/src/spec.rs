//! The values a parameter may have, as people write them.
//!
//! ```text
//! 2..6                                whole numbers, both ends among them
//! 1000000..3000000 step 250000        in steps
//! 0.5..2 points 4                     so many, evenly spaced: 0.5, 1, 1.5, 2
//! log 500..10000                      evenly spread in the logarithm
//! log 500..8000 points 5              so many, each the same times the one before
//! ["take", "rest"]    take,rest       words; neither is nearer to one than to another
//! [5, 10, 20]         true,false      numbers in order; words
//! ```

use smc_core::words::{Price, SCALE};
use std::fmt;
use toml::Value;

/// Values of one parameter, numbered from 0. Numbers are decimals in units of 1e-8.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// `first`, and so many of them, each `step` above the one before.
    Steps {
        /// The lowest.
        first: i64,
        /// Distance, above 0.
        step: i64,
        /// How many, at least 2.
        count: u64,
    },
    /// Each multiple of `unit` from `low` to `high`, drawn evenly in the logarithm.
    Log {
        /// The lowest, above 0.
        low: i64,
        /// The highest.
        high: i64,
        /// Whole numbers, or 1e-8.
        unit: i64,
    },
    /// Numbers, ascending.
    Numbers(Vec<i64>),
    /// Words, and all that has no order.
    Words(Vec<Value>),
}

/// Most values of a list.
const LIST_MAX: u64 = 10_000;

impl Spec {
    /// As a flag or a text in a file says it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('[') {
            let list: toml::Table = toml::from_str(&format!("list = {text}"))
                .map_err(|error| format!("`{text}` is no list: {}", error.message().replace('\n', ", ")))?;
            return list.get("list").ok_or_else(|| "no list".to_owned()).and_then(Self::of_value);
        }
        if let Some((low, rest)) = text.split_once("..") {
            return range(low.trim(), rest.trim_start_matches('=').trim());
        }
        if text.contains(',') {
            return list(text.split(',').map(|word| bare(word.trim())).collect());
        }
        Err(format!(
            "`{text}` is one value and varies nothing; write 2..6, 1..3 step 0.5, log 500..10000, or a list such as take,rest"
        ))
    }

    /// As a value of a TOML file: a text as on the command line, or a list.
    pub fn of_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Array(items) => list(items.clone()),
            other => Err(format!("{other} is one value; write a text such as \"2..6\", or a list")),
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::Steps { count, .. } => *count,
            Self::Log { low, high, unit } => ((high - low) / unit) as u64 + 1,
            Self::Numbers(numbers) => numbers.len() as u64,
            Self::Words(words) => words.len() as u64,
        }
    }

    /// Can all values be tried one after the other?
    pub const fn is_listed(&self) -> bool {
        !matches!(self, Self::Log { .. })
    }

    /// Is the next value nearer than the one after it?
    pub const fn is_ordered(&self) -> bool {
        !matches!(self, Self::Words(_))
    }

    /// The number at a place; none of a word.
    pub fn number(&self, index: u64) -> Option<i64> {
        match self {
            // In i128: from a low end to a high one may be further than an i64 goes.
            Self::Steps { first, step, .. } => {
                i64::try_from(i128::from(*first) + i128::from(*step) * i128::from(index)).ok()
            }
            Self::Log { low, unit, .. } => Some(low + unit * index as i64),
            Self::Numbers(numbers) => numbers.get(index as usize).copied(),
            Self::Words(_) => None,
        }
    }

    /// The word at a place; none of a number.
    pub fn word(&self, index: u64) -> Option<&Value> {
        match self {
            Self::Words(words) => words.get(index as usize),
            _ => None,
        }
    }

    /// The value that lies at `unit`, in `[0, 1)`, of the whole.
    pub fn at(&self, unit: f64) -> u64 {
        let count = self.count();
        let index = match self {
            Self::Log { low, high, unit: step } => {
                let (low, high, step) = (*low as f64, *high as f64, *step as f64);
                let value = low * libm::exp(unit * libm::log(high / low));
                libm::round((value - low) / step)
            }
            _ => libm::floor(unit * count as f64),
        };
        (index as u64).min(count - 1)
    }

    /// Where in `[0, 1)` a value lies: its middle, where it is one of a few.
    pub fn unit(&self, index: u64) -> f64 {
        let unit = match self {
            Self::Log { low, high, unit } => {
                let value = (low + unit * index as i64) as f64;
                libm::log(value / *low as f64) / libm::log(*high as f64 / *low as f64)
            }
            _ => (index as f64 + 0.5) / self.count() as f64,
        };
        unit.clamp(0.0, 1.0 - f64::EPSILON)
    }

    /// Are all its numbers whole?
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Steps { first, step, .. } => first % SCALE == 0 && step % SCALE == 0,
            Self::Log { low, unit, .. } => low % SCALE == 0 && unit % SCALE == 0,
            Self::Numbers(numbers) => numbers.iter().all(|number| number % SCALE == 0),
            Self::Words(_) => false,
        }
    }
}

/// One way to write each, which parses back.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps { first, step, count } => {
                let last = Price(self.number(count - 1).unwrap_or(*first));
                write!(f, "{}..{last} step {}", Price(*first), Price(*step))
            }
            Self::Log { low, high, .. } => write!(f, "log {}..{}", Price(*low), Price(*high)),
            Self::Numbers(numbers) => {
                let texts: Vec<String> =
                    numbers.iter().map(|number| format!("\"{}\"", Price(*number))).collect();
                write!(f, "[{}]", texts.join(", "))
            }
            Self::Words(words) => write!(f, "{}", Value::Array(words.clone())),
        }
    }
}

fn number(text: &str) -> Result<i64, String> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let number = Price::parse(plain.as_bytes()).map(|price| price.0);
    number.map_err(|error| format!("`{text}` is no number such as 250000 or 0.5: {error}"))
}

fn range(low: &str, rest: &str) -> Result<Spec, String> {
    let (is_log, low) = match low.strip_prefix("log") {
        Some(low) => (true, low.trim()),
        None => (false, low),
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (high, by) = match words.as_slice() {
        [high] => (*high, None),
        [high, word @ ("step" | "points"), amount] => (*high, Some((*word, *amount))),
        _ => {
            return Err(format!(
                "`{low}..{rest}`: behind the range may stand `step NUMBER` or `points COUNT`"
            ));
        }
    };
    let (low, high) = (number(low)?, number(high)?);
    if low >= high {
        return Err(format!("{}..{} is empty; the lower end comes first", Price(low), Price(high)));
    }
    if is_log && low <= 0 {
        return Err(format!("a logarithmic range begins above 0, not at {}", Price(low)));
    }
    let are_whole = low % SCALE == 0 && high % SCALE == 0;
    match by {
        Some(("step", _)) if is_log => Err("a logarithmic range has no step; say `points COUNT`".into()),
        Some(("step", step)) => steps(low, high, number(step)?),
        Some((_, count)) => points(low, high, count, is_log, are_whole),
        None if is_log => Ok(Spec::Log { low, high, unit: if are_whole { SCALE } else { 1 } }),
        None if are_whole => steps(low, high, SCALE),
        None => Err(format!("{}..{} needs `step NUMBER` or `points COUNT`", Price(low), Price(high))),
    }
}

fn steps(low: i64, high: i64, step: i64) -> Result<Spec, String> {
    if step <= 0 {
        return Err(format!("a step of {} leads nowhere", Price(step)));
    }
    // Of i64s, so in i128: the distance of two may be beyond them.
    let distance = i128::from(high) - i128::from(low);
    if distance % i128::from(step) != 0 {
        let (low, high, step) = (Price(low), Price(high), Price(step));
        return Err(format!("{low}..{high} is no whole number of steps of {step}; move an end"));
    }
    let count = u64::try_from(distance / i128::from(step) + 1).unwrap_or(u64::MAX);
    Ok(Spec::Steps { first: low, step, count })
}

/// `count` numbers from `low` to `high`, rounded to whole ones where both ends are.
fn points(low: i64, high: i64, count: &str, is_log: bool, are_whole: bool) -> Result<Spec, String> {
    let count: u64 = count.parse().map_err(|_| format!("`{count}` is no count of points"))?;
    if !(2..=LIST_MAX).contains(&count) {
        return Err(format!("{count} points; from 2 to {LIST_MAX} there may be"));
    }
    let unit = if are_whole { SCALE as f64 } else { 1.0 };
    let at = |nth: u64| {
        let part = nth as f64 / (count - 1) as f64;
        let (low, high) = (low as f64, high as f64);
        let value =
            if is_log { low * libm::exp(part * libm::log(high / low)) } else { low + part * (high - low) };
        (libm::round(value / unit) * unit) as i64
    };
    let mut numbers: Vec<i64> = (0..count).map(at).collect();
    if let [first, .., last] = numbers.as_mut_slice() {
        (*first, *last) = (low, high);
    }
    numbers.dedup();
    if numbers.len() as u64 != count {
        return Err(format!(
            "there are no {count} whole numbers so spaced from {} to {}",
            Price(low),
            Price(high)
        ));
    }
    Ok(Spec::Numbers(numbers))
}

/// Ascending numbers are numbers, all else are words.
fn list(items: Vec<Value>) -> Result<Spec, String> {
    if items.len() < 2 || items.len() as u64 > LIST_MAX {
        return Err(format!("a list of {}; from 2 to {LIST_MAX} values there may be", items.len()));
    }
    for (nth, item) in items.iter().enumerate() {
        if items[..nth].contains(item) {
            return Err(format!("{item} stands in the list twice"));
        }
    }
    let as_number = |item: &Value| match item {
        Value::Integer(whole) => number(&whole.to_string()).ok(),
        Value::Float(float) => number(&float.to_string()).ok(),
        Value::String(text) => number(text).ok(),
        _ => None,
    };
    let numbers: Option<Vec<i64>> = items.iter().map(as_number).collect();
    match numbers {
        Some(numbers) if numbers.is_sorted_by(|a, b| a < b) => Ok(Spec::Numbers(numbers)),
        Some(_) => Err("numbers of a list stand in ascending order, each once".into()),
        None => Ok(Spec::Words(items)),
    }
}

/// A word without quotes: what TOML would make of it, or a text.
fn bare(word: &str) -> Value {
    match word {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ => Value::String(word.trim_matches('"').into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let spec = Spec::parse(text).unwrap();
        let text = |index| match (spec.number(index), spec.word(index)) {
            (Some(number), _) => Price(number).to_string(),
            (None, word) => word.unwrap().to_string(),
        };
        (0..spec.count()).map(text).collect()
    }

    #[test]
    fn every_way_to_write_values_gives_exactly_those() {
        assert_eq!(values("2..6"), ["2", "3", "4", "5", "6"]);
        assert_eq!(values("-1..=1"), ["-1", "0", "1"]);
        assert_eq!(values("1_000_000..1_500_000 step 250_000"), ["1000000", "1250000", "1500000"]);
        assert_eq!(values("0.1..0.3 step 0.1"), ["0.1", "0.2", "0.3"]);
        assert_eq!(values("0.5..2 points 4"), ["0.5", "1", "1.5", "2"]);
        assert_eq!(values("log 500..8000 points 5"), ["500", "1000", "2000", "4000", "8000"]);
        assert_eq!(values("[5, 10, 20]"), ["5", "10", "20"]);
        assert_eq!(values("take,rest"), ["\"take\"", "\"rest\""]);
        assert_eq!(values("[\"take\", \"rest\"]"), ["\"take\"", "\"rest\""]);
        assert_eq!(values("true,false"), ["true", "false"]);
    }

    #[test]
    fn what_is_written_back_is_the_same() {
        for text in [
            "2..6",
            "0.1..0.3 step 0.1",
            "log 500..10000",
            "log 0.5..2",
            "0.5..2 points 4",
            "take,rest",
            "false,true",
        ] {
            let spec = Spec::parse(text).unwrap();
            assert_eq!(Spec::parse(&spec.to_string()).unwrap(), spec, "{text}: {spec}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        for (text, expected) in [
            ("6..2", "empty"),
            ("3", "varies nothing"),
            ("take", "varies nothing"),
            ("0.5..2", "`step NUMBER`"),
            ("0..1 step 0.3", "no whole number of steps"),
            ("0..1 step 0", "leads nowhere"),
            ("log 0..5", "above 0"),
            ("log 1..5 step 2", "no step"),
            ("1..3 points 9", "whole numbers"),
            ("1..3 points 1", "1 points"),
            ("1..x", "no number"),
            ("1..3 by 2", "may stand"),
            ("[1, 1]", "twice"),
            ("[3, 2]", "ascending"),
            ("[1]", "a list of 1"),
            ("[1", "no list"),
            ("1..99999999999999999999", "no number"),
        ] {
            let reason = Spec::parse(text).unwrap_err();
            assert!(reason.contains(expected), "{text}: {reason}");
        }
    }

    #[test]
    fn a_place_and_its_unit_are_the_same_thing() {
        for text in [
            "2..6",
            "log 500..10000",
            "log 0.001..0.002",
            "take,rest,b",
            "[5, 10, 20]",
            "-90000000000..90000000000",
        ] {
            let spec = Spec::parse(text).unwrap();
            let last = spec.count() - 1;
            for index in [0, 1, 2, last / 2, last - 1, last] {
                assert_eq!(spec.at(spec.unit(index)), index, "{text}");
            }
            assert_eq!((spec.at(0.0), spec.at(1.0 - f64::EPSILON)), (0, last), "{text}");
        }
    }

    #[test]
    fn a_logarithmic_range_is_drawn_evenly_in_the_logarithm() {
        let spec = Spec::parse("log 100..1000000").unwrap();
        let middle = spec.number(spec.at(0.5)).unwrap() / SCALE;
        assert_eq!(middle, 10_000);
    }
}
