//! Settings that need more than a number: tolerances, depths, lists. One text form for file and flag.

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use smc_core::smc::{FvgMitigation, Periods, RETRACEMENT_LEVELS_MAX, Tolerance};
use smc_core::words::Price;
use std::fmt;
use std::str::FromStr;

/// Why a text is no setting: what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    text: String,
    expected: &'static str,
}

impl TextError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.into(), expected }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: expected {}", self.text, self.expected)
    }
}

impl std::error::Error for TextError {}

/// Reads and writes the text form in files.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    )*};
}

as_text!(ToleranceText, DepthText, PeriodsText, LevelsText);

/// `0.1 atr`, `0.0005` (a price distance), `0.05 %` (of the price), `1 % of 500 bars` (of their range).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToleranceText(pub Tolerance);

impl FromStr for ToleranceText {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let spaced = text.replace('%', " % ").to_ascii_lowercase();
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let tolerance = match words.as_slice() {
            [price] => Price::parse(price.as_bytes()).ok().map(Tolerance::FixedTicks),
            [part, "atr"] => ppm(part, PART).map(Tolerance::AtrMult),
            [part, "%"] => ppm(part, PERCENT).map(Tolerance::PctOfPrice),
            [part, "%", "of", bars, "bars"] => {
                ppm(part, PERCENT).zip(bars.parse().ok()).map(|(ppm, bars)| Tolerance::RangePct { ppm, bars })
            }
            _ => None,
        };
        const EXPECTED: &str = "`0.1 atr`, `0.0005`, `0.05 %` or `1 % of 500 bars`";
        tolerance.map(Self).ok_or_else(|| TextError::new(text, EXPECTED))
    }
}

impl fmt::Display for ToleranceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Tolerance::FixedTicks(price) => write!(f, "{price}"),
            Tolerance::AtrMult(ppm) => write!(f, "{} atr", part(ppm, PART)),
            Tolerance::PctOfPrice(ppm) => write!(f, "{} %", part(ppm, PERCENT)),
            Tolerance::RangePct { ppm, bars } => write!(f, "{} % of {bars} bars", part(ppm, PERCENT)),
        }
    }
}

/// `touch`, `half`, `full`, or a part of the height such as `0.25`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthText(pub FvgMitigation);

impl FromStr for DepthText {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "touch" => Some(FvgMitigation::Touch),
            "half" => Some(FvgMitigation::Half),
            "full" => Some(FvgMitigation::Full),
            _ => ppm(text, PART).map(FvgMitigation::DepthPpm),
        }
        .map(Self)
        .ok_or_else(|| TextError::new(text, "`touch`, `half`, `full` or a part such as `0.25`"))
    }
}

impl fmt::Display for DepthText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FvgMitigation::Touch => f.write_str("touch"),
            FvgMitigation::Half => f.write_str("half"),
            FvgMitigation::Full => f.write_str("full"),
            FvgMitigation::DepthPpm(ppm) => write!(f, "{}", part(ppm, PART)),
        }
    }
}

/// `day,week,month,240m` in any choice, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodsText(pub Periods);

impl FromStr for PeriodsText {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let refused = || TextError::new(text, "`none` or a choice of `day,week,month,240m`");
        let mut periods = Periods::default();
        for word in text.split(',').map(str::trim).filter(|word| *word != "none") {
            match word {
                "day" => periods.day = true,
                "week" => periods.week = true,
                "month" => periods.month = true,
                _ => {
                    let minutes = word.strip_suffix('m').and_then(|minutes| minutes.parse().ok());
                    periods.minutes = minutes.filter(|&minutes| minutes > 0).ok_or_else(refused)?;
                }
            }
        }
        Ok(Self(periods))
    }
}

impl fmt::Display for PeriodsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Periods { day, week, month, minutes } = self.0;
        let named = [(day, "day"), (week, "week"), (month, "month")];
        let mut words: Vec<String> =
            named.iter().filter(|(is_on, _)| *is_on).map(|(_, word)| (*word).into()).collect();
        if minutes > 0 {
            words.push(format!("{minutes}m"));
        }
        f.write_str(&if words.is_empty() { "none".into() } else { words.join(",") })
    }
}

/// `0.382,0.5,0.618`: ascending parts, at most eight, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelsText(pub [u32; RETRACEMENT_LEVELS_MAX]);

impl FromStr for LevelsText {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let refused = || TextError::new(text, "`none` or at most eight ascending parts such as `0.5,0.618`");
        let mut levels = [0; RETRACEMENT_LEVELS_MAX];
        let mut below = 0;
        for (at, word) in text.split(',').filter(|word| word.trim() != "none").enumerate() {
            let level = ppm(word.trim(), PART).filter(|&level| below < level).ok_or_else(refused)?;
            *levels.get_mut(at).ok_or_else(refused)? = level;
            below = level;
        }
        Ok(Self(levels))
    }
}

impl fmt::Display for LevelsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.0.iter().take_while(|&&level| level > 0);
        let words: Vec<String> = used.map(|&level| part(level, PART).to_string()).collect();
        f.write_str(&if words.is_empty() { "none".into() } else { words.join(",") })
    }
}

/// 1e-8 units in one millionth of a part, and of a percent.
const PART: i64 = 100;
const PERCENT: i64 = 10_000;

/// Millionths, exactly or not at all.
fn ppm(text: &str, unit: i64) -> Option<u32> {
    let Price(value) = Price::parse(text.as_bytes()).ok()?;
    (value % unit == 0).then(|| u32::try_from(value / unit).ok()).flatten()
}

fn part(ppm: u32, unit: i64) -> Price {
    Price(i64::from(ppm) * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FromStr<Err = TextError>>(text: &str) -> Result<T, String> {
        text.parse().map_err(|error: TextError| error.to_string())
    }

    #[test]
    fn tolerances_say_their_kind_and_read_back() {
        let is = |text: &str| read::<ToleranceText>(text).map(|tolerance| tolerance.0);
        assert_eq!(is("0.1 atr"), Ok(Tolerance::AtrMult(100_000)));
        assert!(is("0.1ATR").is_err());
        assert_eq!(is("0.0005"), Ok(Tolerance::FixedTicks(Price(50_000))));
        assert_eq!(is("0.05%"), Ok(Tolerance::PctOfPrice(500)));
        assert_eq!(is("1 % of 500 bars"), Ok(Tolerance::RangePct { ppm: 10_000, bars: 500 }));
        for text in ["0.1 atr", "0.0005", "0.05 %", "1 % of 500 bars"] {
            assert_eq!(read::<ToleranceText>(text).unwrap().to_string(), text);
        }
        for text in ["", "atr", "0.00000001 atr", "-1 atr", "1 % of 70000 bars", "% 1"] {
            assert!(is(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_and_depths_read_back() {
        for text in ["none", "day", "day,week,month", "week,240m"] {
            assert_eq!(read::<PeriodsText>(text).unwrap().to_string(), text);
        }
        for text in ["none", "0.5", "0.236,0.382,1"] {
            assert_eq!(read::<LevelsText>(text).unwrap().to_string(), text);
        }
        for text in ["touch", "half", "full", "0.25"] {
            assert_eq!(read::<DepthText>(text).unwrap().to_string(), text);
        }
        assert!(read::<PeriodsText>("day,year").is_err());
        assert!(read::<PeriodsText>("0m").is_err());
        assert!(read::<LevelsText>("0.5,0.4").is_err());
        assert!(read::<LevelsText>("0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9").is_err());
    }
}
