//! Numbers and times as a trader reads them.

use smc_core::event::ScopeKind;
use smc_core::output::{Alert, AlertKind, Control, NewOrder, OrderKind, Purpose, StateChange};
use smc_core::risk::Check;
use smc_core::words::{Direction, Price, SCALE, Side, TsNs};
use smc_replay::{codes_text, state_name, words};

/// A number of 1e-8 units with a fixed count of decimals, rounded half away from zero.
pub fn fixed(value: i64, decimals: u32) -> String {
    let decimals = decimals.min(8);
    let unit = 10i128.pow(8 - decimals);
    let value = i128::from(value);
    let rounded = (value.abs() + unit / 2) / unit;
    let sign = if value < 0 && rounded != 0 { "-" } else { "" };
    let one = i128::from(SCALE) / unit;
    match decimals {
        0 => format!("{sign}{rounded}"),
        _ => format!("{sign}{}.{:0width$}", rounded / one, rounded % one, width = decimals as usize),
    }
}

/// The same, with the sign always.
pub fn signed(value: i64, decimals: u32) -> String {
    let text = fixed(value, decimals);
    if value > 0 { format!("+{text}") } else { text }
}

/// The same, thousands apart.
pub fn grouped(value: i64, decimals: u32) -> String {
    let text = fixed(value, decimals);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", apart(digits))
}

/// A duration in the unit that keeps three digits: `17.6µs`.
pub fn nanos(nanos: u64) -> String {
    let value = nanos as f64;
    let (value, unit) = match nanos {
        0..1_000 => return format!("{nanos}ns"),
        1_000..1_000_000 => (value / 1e3, "µs"),
        1_000_000..1_000_000_000 => (value / 1e6, "ms"),
        _ => (value / 1e9, "s"),
    };
    match value {
        ..10.0 => format!("{value:.2}{unit}"),
        10.0..100.0 => format!("{value:.1}{unit}"),
        _ => format!("{value:.0}{unit}"),
    }
}

/// A count, thousands apart.
pub fn count(value: u64) -> String {
    apart(&value.to_string())
}

fn apart(digits: &str) -> String {
    let mut out = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Time of day, UTC.
pub fn clock(ts: TsNs) -> String {
    let seconds = ts.0 / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Day and time of day, UTC.
pub fn moment(ts: TsNs) -> String {
    format!("{} {}", date(ts), clock(ts))
}

/// The day, UTC.
pub fn date(ts: TsNs) -> String {
    // Days to civil: eras of 400 years that begin on 1 March (Hinnant).
    let days = ts.0 / 86_400_000_000_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Up or down.
pub const fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "▲",
        Direction::Down => "▼",
    }
}

/// What we do.
pub const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// What an order is for.
pub const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Entry => "entry",
        Purpose::Stop => "stop",
        Purpose::Target => "target",
        Purpose::Flatten => "flatten",
    }
}

/// The price an order stands at: its trigger, or its limit; none for market orders.
pub const fn order_price(order: &NewOrder) -> Option<Price> {
    match order.kind {
        OrderKind::StopLimit => Some(order.stop_price),
        OrderKind::Limit | OrderKind::LimitMaker => Some(order.price),
        OrderKind::Market => None,
    }
}

/// The names of the gate's checks that an order violated.
pub fn denied(codes: u32) -> String {
    let violated = Check::ALL.iter().filter(|check| codes >> (**check as u32 - 1) & 1 == 1);
    violated.map(|check| check.name()).collect::<Vec<_>>().join(" ")
}

/// `NORMAL → REDUCE_ONLY: flash move`, with the part of the engine that it is about unless it is an instrument.
pub fn state_change(change: &StateChange, arrow: &str) -> String {
    let part = match change.scope.kind {
        ScopeKind::Engine | ScopeKind::Instrument => String::new(),
        kind => format!("{} {} ", words(&kind), change.scope.id),
    };
    let (from, to) = (state_name(&change.from), state_name(&change.to));
    let cause = change.command.map_or_else(|| words(&change.cause), |command| words(&command));
    format!("{part}{from} {arrow} {to}: {cause}")
}

/// An alert in words; of a control which it is.
pub fn alert(alert: &Alert) -> String {
    let control = usize::try_from(alert.detail).ok().and_then(|at| Control::ALL.get(at));
    match (alert.kind, control) {
        (AlertKind::Control, Some(control)) => format!("control acted: {}", words(control)),
        (AlertKind::Revalidation, _) => {
            format!("withdrawn: {}", codes_text(u32::try_from(alert.detail).unwrap_or_default()))
        }
        (AlertKind::BarRevised, _) => "the venue revised a closed bar; ours stays".to_owned(),
        (kind, _) => format!("{} {}", words(&kind), alert.detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_decimals() {
        assert_eq!(fixed(6_059_010_000_000, 2), "60590.10");
        assert_eq!(fixed(-412_608_000, 5), "-4.12608");
        assert_eq!(fixed(-1, 2), "0.00");
        assert_eq!(fixed(99_999_999, 0), "1");
        assert_eq!(fixed(i64::MIN, 8), "-92233720368.54775808");
        assert_eq!(signed(50_000_000, 1), "+0.5");
        assert_eq!(grouped(-123_456_700_000_000, 2), "-1 234 567.00");
        assert_eq!(count(18_658), "18 658");
        assert_eq!(count(u64::MAX).replace(' ', ""), u64::MAX.to_string());
    }

    #[test]
    fn durations_keep_three_digits() {
        let texts = [7, 1_764, 17_640, 420_900, 1_250_000, 61_000_000_000].map(nanos);
        assert_eq!(texts, ["7ns", "1.76µs", "17.6µs", "421µs", "1.25ms", "61.0s"]);
    }

    #[test]
    fn days_have_their_dates() {
        let day = 86_400_000_000_000;
        let texts = [0, 59, 789, 11_016, 20_454].map(|days| date(TsNs(days * day)));
        assert_eq!(texts, ["1970-01-01", "1970-03-01", "1972-02-29", "2000-02-29", "2026-01-01"]);
        assert_eq!(clock(TsNs(3_723 * 1_000_000_000)), "01:02:03");
    }

    #[test]
    fn violated_checks_are_named() {
        assert_eq!(denied(1 | 1 << 16), "STATE_BLOCKED THROTTLE");
    }
}
