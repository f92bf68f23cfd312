//! Which column is what: from the header's names or, without a header, from the first row's shape.

use super::error::{CsvFault, shortened};
use super::fields::{separator_of, split};
use super::number::Cell;
use super::time;

/// Which column is what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub separator: char,
    pub time: TimeColumn,
    /// Open, high, low, close.
    pub prices: [usize; 4],
    pub volume: Option<usize>,
    /// Columns of every row.
    pub columns: usize,
    /// The first line is a header, not a bar.
    pub has_header: bool,
}

/// Where the time stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeColumn {
    One(usize),
    /// Date and time of day apart.
    Split(usize, usize),
}

// Names in lower case without anything but letters and digits; an earlier one wins over a later one.
const TIME: [&str; 24] = [
    "opentime",
    "datetime",
    "timestamp",
    "gmttime",
    "opentimestamp",
    "timeperiodstart",
    "starttime",
    "unix",
    "unixtime",
    "unixtimestamp",
    "epoch",
    "timestampms",
    "time",
    "date",
    "ts",
    "tsevent",
    "t",
    "dt",
    "utc",
    "utctime",
    "localtime",
    "dateutc",
    "timeutc",
    "begin",
];
const OPEN: [&str; 8] = ["open", "o", "openprice", "priceopen", "first", "bidopen", "openbid", "openask"];
const HIGH: [&str; 8] = ["high", "h", "highprice", "pricehigh", "max", "bidhigh", "highbid", "highask"];
const LOW: [&str; 8] = ["low", "l", "lowprice", "pricelow", "min", "bidlow", "lowbid", "lowask"];
const CLOSE: [&str; 11] = [
    "close",
    "c",
    "closeprice",
    "priceclose",
    "closelast",
    "last",
    "lastprice",
    "bidclose",
    "closebid",
    "closeask",
    "price",
];
const VOLUME: [&str; 8] =
    ["volume", "vol", "v", "basevolume", "volumebase", "volumetraded", "realvolume", "volumefrom"];
/// When there is no volume by name: anything that begins with it ("Volume USDT"), then these.
const VOLUME_ELSE: [&str; 7] = ["tickvolume", "tickvol", "ticks", "qty", "quantity", "size", "amount"];

impl Layout {
    /// From the first line that says something.
    pub fn of(line: &str) -> Result<Self, CsvFault> {
        let separator = separator_of(line);
        let fields: Vec<&str> = split(line, separator).collect();
        if let Some(layout) = Self::of_first_row(&fields, separator) {
            return Ok(layout);
        }
        Self::of_header(&fields, separator)
            .map_err(|missing| CsvFault::Header { found: shortened(line), missing })
    }

    fn of_first_row(fields: &[&str], separator: char) -> Option<Self> {
        let is_number = |at: usize| {
            fields
                .get(at)
                .is_some_and(|text| matches!(Cell::parse(text, separator != ','), Some(Cell::Number(..))))
        };
        let is_split = fields.len() >= 6
            && time::is_clock(fields[1])
            && time::parse(fields[0]).is_some()
            && (fields[1].contains(':') || fields[0].len() == 8);
        let (time, first) = match is_split {
            true => (TimeColumn::Split(0, 1), 2),
            false if time::parse(fields[0]).is_some() => (TimeColumn::One(0), 1),
            false => return None,
        };
        let prices = [first, first + 1, first + 2, first + 3];
        let volume = (first + 4 < fields.len()).then_some(first + 4);
        let columns = fields.len();
        prices.iter().all(|&at| is_number(at)).then_some(Self {
            separator,
            time,
            prices,
            volume,
            columns,
            has_header: false,
        })
    }

    /// Or the first column that is missing.
    fn of_header(fields: &[&str], separator: char) -> Result<Self, &'static str> {
        let names: Vec<String> = fields.iter().map(|field| plain(field)).collect();
        let find = |wanted: &[&str]| {
            wanted.iter().find_map(|wanted| names.iter().position(|name| name.as_str() == *wanted))
        };
        let prices = [
            find(&OPEN).ok_or("open")?,
            find(&HIGH).ok_or("high")?,
            find(&LOW).ok_or("low")?,
            find(&CLOSE).ok_or("close")?,
        ];
        let one = || {
            // A frame written with its index: the first column has no name.
            let unnamed = || names.iter().position(|name| name.is_empty() || name == "unnamed0");
            find(&TIME).or_else(unnamed).map(TimeColumn::One)
        };
        let split = find(&["date"]).zip(find(&["time"])).map(|(date, time)| TimeColumn::Split(date, time));
        let time = split.or_else(one).ok_or("time")?;
        let begins = || names.iter().position(|name| name.starts_with("volume"));
        let volume = find(&VOLUME).or_else(begins).or_else(|| find(&VOLUME_ELSE));
        Ok(Self { separator, time, prices, volume, columns: fields.len(), has_header: true })
    }
}

/// A name without case, spaces, signs and a leading number ("1. open").
fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    kept.trim_start_matches(|c: char| c.is_ascii_digit()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(line: &str) -> (TimeColumn, [usize; 4], Option<usize>) {
        let layout = Layout::of(line).unwrap_or_else(|fault| panic!("{line}: {fault}"));
        (layout.time, layout.prices, layout.volume)
    }

    #[test]
    fn headers_in_many_spellings() {
        use TimeColumn::{One, Split};
        let table = [
            ("time,open,high,low,close,volume", One(0), [1, 2, 3, 4], Some(5)),
            ("Date,Open,High,Low,Close,Tickvol,Volume,Spread", One(0), [1, 2, 3, 4], Some(6)),
            (
                "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
                Split(0, 1),
                [2, 3, 4, 5],
                Some(7),
            ),
            ("Gmt time,Open,High,Low,Close,Volume", One(0), [1, 2, 3, 4], Some(5)),
            ("unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT", One(0), [3, 4, 5, 6], Some(7)),
            ("\"Open_Time\";\"O\";\"H\";\"L\";\"C\"", One(0), [1, 2, 3, 4], None),
            ("ts|o|h|l|c|v", One(0), [1, 2, 3, 4], Some(5)),
            (",open,high,low,close,tick_volume", One(0), [1, 2, 3, 4], Some(5)),
            ("timestamp,1. open,2. high,3. low,4. close,5. volume", One(0), [1, 2, 3, 4], Some(5)),
            (
                "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume",
                One(0),
                [1, 2, 3, 4],
                Some(5),
            ),
            ("close,low,high,open,datetime", One(4), [3, 2, 1, 0], None),
        ];
        for (line, time, prices, volume) in table {
            assert_eq!(columns(line), (time, prices, volume), "{line}");
            assert!(Layout::of(line).unwrap().has_header, "{line}");
        }
    }

    #[test]
    fn rows_without_a_header() {
        use TimeColumn::{One, Split};
        let table = [
            ("1706693400,1,2,0.5,1.5,10", One(0), [1, 2, 3, 4], Some(5)),
            ("1706693400000,1,2,0.5,1.5,10,1706693459999,15,3,5,7,0", One(0), [1, 2, 3, 4], Some(5)),
            ("20240131 093000;1.1;1.2;1.0;1.1;0", One(0), [1, 2, 3, 4], Some(5)),
            ("2024.01.31,09:30,1.1,1.2,1.0,1.1,55", Split(0, 1), [2, 3, 4, 5], Some(6)),
            ("20240131,093000,1.1,1.2,1.0,1.1", Split(0, 1), [2, 3, 4, 5], None),
            ("2024-01-31;1,1;1,2;1,0;1,1", One(0), [1, 2, 3, 4], None),
        ];
        for (line, time, prices, volume) in table {
            assert_eq!(columns(line), (time, prices, volume), "{line}");
            assert!(!Layout::of(line).unwrap().has_header, "{line}");
        }
    }

    #[test]
    fn a_line_that_is_neither_names_what_is_missing() {
        let missing = |line| match Layout::of(line) {
            Err(CsvFault::Header { missing, .. }) => missing,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(missing("time,open,high,close"), "low");
        assert_eq!(missing("open,high,low,close"), "time");
        assert_eq!(missing("hello"), "open");
        assert_eq!(missing("1706693400,buy,1.0,2.0,3.0"), "open");
    }
}
