//! The two text forms: Prometheus text 0.0.4 and OpenMetrics 1.0.0.
//!
//! They differ in the names that metadata carries (a counter's family has no `_total` in OpenMetrics, an info's no `_info`),
//! in escaping, in units, and in the last line. Numbers are written exactly where they are decimal integers.

use smc_runtime::latency::{BUCKET_ENDS_NS, Bucketed};
use std::fmt::Write as _;

/// Which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    #[default]
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// As HTTP says it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a family counts like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only rises; its name ends with `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// In fixed buckets.
    Histogram,
    /// Always 1, its labels say something; its name ends with `_info`.
    Info,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// As it is asked for.
    pub name: &'static str,
    /// What it counts like.
    pub kind: Type,
    /// What it means, in one sentence.
    pub help: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
}

impl Family {
    /// The unit that the name ends with, where it is one.
    pub fn unit(&self) -> Option<&'static str> {
        let name = self.openmetrics_name();
        ["seconds", "bytes", "ratio"]
            .into_iter()
            .find(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
    }

    fn openmetrics_name(&self) -> &'static str {
        let suffix = match self.kind {
            Type::Counter => "_total",
            Type::Info => "_info",
            Type::Gauge | Type::Histogram => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }
}

/// A sample's number.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// A count.
    Count(u64),
    /// In 1e-8.
    Decimal(i64),
    /// Nanoseconds, told in seconds.
    Seconds(i64),
    /// Parts per million, told as a ratio.
    Ppm(u64),
    /// Anything that is finite; what is not is left out.
    Float(f64),
}

/// Decimal digits behind the point, without superfluous zeros.
fn scaled(text: &mut String, value: i128, decimals: u32) {
    let unit = 10u128.pow(decimals);
    if value < 0 {
        text.push('-');
    }
    let (whole, rest) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let _ = write!(text, "{whole}");
    if rest > 0 {
        let digits = format!("{rest:0width$}", width = decimals as usize);
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
}

/// A page under way.
pub struct Page {
    format: Format,
    text: String,
    name: &'static str,
}

impl Page {
    /// An empty one.
    pub fn new(format: Format) -> Self {
        Self { format, text: String::with_capacity(64 << 10), name: "" }
    }

    /// What follows belongs to `family`.
    pub fn family(&mut self, family: &Family) {
        self.name = family.name;
        let (name, kind) = match (self.format, family.kind) {
            (Format::Prometheus, Type::Info) => (family.name, "gauge"),
            (_, Type::Info) => (family.openmetrics_name(), "info"),
            (Format::Prometheus, Type::Counter) => (family.name, "counter"),
            (_, Type::Counter) => (family.openmetrics_name(), "counter"),
            (_, Type::Gauge) => (family.name, "gauge"),
            (_, Type::Histogram) => (family.name, "histogram"),
        };
        let text = &mut self.text;
        let _ = write!(text, "# HELP {name} ");
        escape(text, family.help, self.format == Format::OpenMetrics);
        let _ = write!(text, "\n# TYPE {name} {kind}\n");
        if let Some(unit) = family.unit().filter(|_| self.format == Format::OpenMetrics) {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
    }

    /// One series of the family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: Value) {
        if matches!(value, Value::Float(value) if !value.is_finite()) {
            return;
        }
        self.start("", labels, None);
        match value {
            Value::Count(count) => {
                let _ = write!(self.text, "{count}");
            }
            Value::Decimal(e8) => scaled(&mut self.text, e8.into(), 8),
            Value::Seconds(ns) => scaled(&mut self.text, ns.into(), 9),
            Value::Ppm(ppm) => scaled(&mut self.text, ppm.into(), 6),
            Value::Float(value) => {
                let _ = write!(self.text, "{value}");
            }
        }
        self.text.push('\n');
    }

    /// A histogram of durations in the fixed buckets.
    pub fn histogram(&mut self, labels: &[(&str, &str)], bucketed: &Bucketed) {
        let mut sum = 0u64;
        let ends = BUCKET_ENDS_NS.iter().map(|&end| Some(end)).chain([None]);
        for (end, count) in ends.zip(bucketed.counts) {
            sum = sum.saturating_add(count);
            let mut le = String::new();
            match end {
                // Written as Prometheus itself does, so that both forms name one series.
                Some(end) if end % 1_000_000_000 == 0 => le = format!("{}.0", end / 1_000_000_000),
                Some(end) => scaled(&mut le, end.into(), 9),
                None => le.push_str("+Inf"),
            }
            self.start("_bucket", labels, Some(&le));
            let _ = writeln!(self.text, "{sum}");
        }
        self.start("_sum", labels, None);
        scaled(&mut self.text, bucketed.sum_ns.into(), 9);
        self.text.push('\n');
        self.start("_count", labels, None);
        let _ = writeln!(self.text, "{sum}");
    }

    /// The whole page.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn start(&mut self, suffix: &str, labels: &[(&str, &str)], le: Option<&str>) {
        let text = &mut self.text;
        text.push_str(self.name);
        text.push_str(suffix);
        let all = labels.iter().copied().chain(le.map(|le| ("le", le)));
        for (nth, (name, value)) in all.enumerate() {
            text.push(if nth == 0 { '{' } else { ',' });
            text.push_str(name);
            text.push_str("=\"");
            escape(text, value, true);
            text.push('"');
        }
        if !labels.is_empty() || le.is_some() {
            text.push('}');
        }
        text.push(' ');
    }
}

/// Backslash and line feed, in label values (and OpenMetrics' help) the quotation mark too.
fn escape(text: &mut String, value: &str, quotes: bool) {
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quotes => text.push_str("\\\""),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: Family =
        Family { name: "x_seconds_total", kind: Type::Counter, help: "a \\ \"b\"\nc", labels: &["l"] };

    #[test]
    fn both_forms_escape_name_and_end_as_they_must() {
        let page = |format| {
            let mut page = Page::new(format);
            page.family(&COUNTER);
            page.sample(&[("l", "a\"b\\c\nd")], Value::Seconds(1_500_000_000));
            page.sample(&[], Value::Float(f64::NAN));
            page.finish()
        };
        assert_eq!(
            page(Format::Prometheus),
            "# HELP x_seconds_total a \\\\ \"b\"\\nc\n# TYPE x_seconds_total counter\n\
             x_seconds_total{l=\"a\\\"b\\\\c\\nd\"} 1.5\n"
        );
        assert_eq!(
            page(Format::OpenMetrics),
            "# HELP x_seconds a \\\\ \\\"b\\\"\\nc\n# TYPE x_seconds counter\n# UNIT x_seconds seconds\n\
             x_seconds_total{l=\"a\\\"b\\\\c\\nd\"} 1.5\n# EOF\n"
        );
    }

    #[test]
    fn numbers_are_exact() {
        let text = |value, decimals| {
            let mut text = String::new();
            scaled(&mut text, value, decimals);
            text
        };
        assert_eq!(text(-1, 8), "-0.00000001");
        assert_eq!(text(i64::MIN.into(), 8), "-92233720368.54775808");
        assert_eq!(text(1_000, 9), "0.000001");
        assert_eq!(text(250_000, 6), "0.25");
    }

    #[test]
    fn buckets_are_cumulative() {
        let mut bucketed = Bucketed::default();
        [500, 1_500, 2_000_000_000].into_iter().for_each(|nanos| bucketed.note(nanos));
        let mut page = Page::new(Format::Prometheus);
        page.family(&Family { name: "t_seconds", kind: Type::Histogram, help: "h", labels: &[] });
        page.histogram(&[("s", "a")], &bucketed);
        let text = page.finish();
        for line in [
            "t_seconds_bucket{s=\"a\",le=\"0.000001\"} 1",
            "t_seconds_bucket{s=\"a\",le=\"0.000002\"} 2",
            "t_seconds_bucket{s=\"a\",le=\"1.0\"} 2",
            "t_seconds_bucket{s=\"a\",le=\"+Inf\"} 3",
            "t_seconds_sum{s=\"a\"} 2.000002",
            "t_seconds_count{s=\"a\"} 3",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
    }
}
