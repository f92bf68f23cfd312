//! Calls for prices and candles: their parameters, checked, and what they bring.

use super::Oanda;
use super::account::Account;
use super::candles::{self, Alignment, Ask, Granularity};
use super::prices;
use super::query::Query;
use super::refusal::{Answer, Refusal};
use super::wire::Obj;

impl Oanda {
    /// Indices of the instruments that a parameter names; one that is unknown fails them all.
    pub(super) fn instruments(&self, query: &Query, name: &str) -> Result<Vec<usize>, Refusal> {
        let names = query.list(name);
        names.iter().map(|it| self.market.index(it).ok_or_else(|| Refusal::value(name))).collect()
    }

    /// `GET /pricing`.
    pub(super) fn pricing(&self, account: &Account, query: &Query) -> Result<Answer, Refusal> {
        let asked = self.instruments(query, "instruments")?;
        if asked.is_empty() {
            return Err(Refusal::missing("instruments"));
        }
        let since = query.time("since")?;
        let has_conversions = query.flag("includeHomeConversions", false)?;
        let quotes = asked.iter().map(|it| self.market.quote(*it));
        let fresh = quotes.filter(|quote| since.is_none_or(|since| quote.at > since));
        let body = Obj::new()
            .time("time", self.now)
            .list("prices", fresh.map(|quote| prices::polled(account, &self.market, quote)));
        Ok(Answer::ok(match has_conversions {
            true => body.list("homeConversions", prices::home_conversions(account, &self.market, &asked)),
            false => body,
        }))
    }

    /// `below` ends in the instrument and `candles`.
    pub(super) fn candles(&self, query: &Query, below: &[&str]) -> Result<Answer, Refusal> {
        let name = below.get(1).copied().unwrap_or_default();
        let instrument = self.market.index(name).ok_or_else(|| Refusal::value("instrument"))?;
        let text = query.get("granularity").unwrap_or("S5");
        let granularity = Granularity::parse(text).ok_or_else(|| Refusal::value("granularity"))?;
        let letters = query.get("price").unwrap_or("M");
        let wanted = candles::parse_prices(letters).ok_or_else(|| Refusal::value("price"))?;
        let (from, to) = (query.time("from")?, query.time("to")?);
        let count = query.number("count")?;
        if count.is_some() && from.is_some() && to.is_some() {
            return Err(Refusal::Malformed(
                "'count' cannot be specified when 'to' and 'from' are set".to_owned(),
            ));
        }
        if count.is_some_and(|it| it > candles::COUNT_MAX as u64) {
            return Err(Refusal::Malformed("Maximum value for 'count' exceeded".to_owned()));
        }
        if count == Some(0) {
            return Err(Refusal::value("count"));
        }
        if from.is_some_and(|from| from > self.now) {
            return Err(Refusal::Malformed(
                "Invalid value specified for 'from'. Time is in the future".to_owned(),
            ));
        }
        let is_range = from.is_some() && to.is_some();
        let default = if is_range { candles::COUNT_MAX } else { candles::COUNT };
        let ask = Ask {
            instrument,
            name: text.to_owned(),
            granularity,
            prices: wanted,
            count: count.map_or(default, |it| usize::try_from(it).unwrap_or(default)),
            from,
            to,
            has_first: query.flag("includeFirst", true)?,
            is_smooth: query.flag("smooth", false)?,
            alignment: alignment(query)?,
        };
        Ok(Answer::ok(candles::answer(&self.market, &ask, self.now)?))
    }

    /// `EUR_USD:S10:BM`, the last two candles of each.
    pub(super) fn latest(&self, query: &Query) -> Result<Answer, Refusal> {
        let name = "candleSpecifications";
        let specifications = query.list(name);
        if specifications.is_empty() {
            return Err(Refusal::missing(name));
        }
        let alignment = alignment(query)?;
        let one = |text: &&str| {
            let mut parts = text.split(':');
            let instrument = self.market.index(parts.next()?)?;
            let granularity = parts.next()?;
            let prices = candles::parse_prices(parts.next()?)?;
            let ask = Ask {
                instrument,
                name: granularity.to_owned(),
                granularity: Granularity::parse(granularity)?,
                prices,
                count: 2,
                from: None,
                to: None,
                has_first: true,
                is_smooth: false,
                alignment,
            };
            candles::answer(&self.market, &ask, self.now).ok().map(Obj::done)
        };
        let all = specifications.iter().map(one).collect::<Option<Vec<_>>>();
        Ok(Answer::ok(Obj::new().list("latestCandles", all.ok_or_else(|| Refusal::value(name))?)))
    }
}

/// Where days and weeks begin, as asked.
fn alignment(query: &Query) -> Result<Alignment, Refusal> {
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let usual = Alignment::default();
    let hour = match query.number("dailyAlignment")? {
        None => usual.hour,
        Some(hour) if hour < 24 => hour as i64,
        Some(_) => return Err(Refusal::value("dailyAlignment")),
    };
    let weekday = match query.get("weeklyAlignment") {
        None => usual.weekday,
        Some(day) => {
            let found = DAYS.iter().position(|name| *name == day);
            found.ok_or_else(|| Refusal::value("weeklyAlignment"))? as i64
        }
    };
    let is_new_york = match query.get("alignmentTimezone") {
        None | Some("America/New_York") => true,
        Some("UTC" | "Etc/UTC" | "GMT") => false,
        Some(_) => return Err(Refusal::value("alignmentTimezone")),
    };
    Ok(Alignment { hour, weekday, is_new_york })
}
