//! The report as one page of HTML: readable on a phone, on paper, by day and by night, without any network.
//!
//! Figures, tables and pictures that need no motion are in the HTML itself; the script adds zoom, the chart of bars and
//! the table of trades, from data that is on the page.
//!
//! | file | does |
//! |---|---|
//! | `sections.rs` | the sections, in their order |
//! | `pictures.rs` | equity, drawdown, distribution of R, excursions, exposure |
//! | `plot.rs` | axes and paths |
//! | `data.rs` | what the script is given |
//! | `style.css`, `night.css`, `script.js` | as their names say |

mod data;
mod pictures;
mod plot;
mod sections;

use crate::chart::Charts;
use crate::curve::CurvePoint;
use crate::report::{Report, ReportError};
use crate::text::Escaped;
use std::fmt::{Arguments, Write};

const STYLE: &str = include_str!("style.css");
const NIGHT: &str = include_str!("night.css");
const SCRIPT: &str = include_str!("script.js");

/// Columns of the drawn curve: more than any screen shows of it at once.
pub const CURVE_COLUMNS: usize = 800;

/// Nothing is loaded, sent or framed, whatever a text on the page may try.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page.
pub fn html(report: &Report<'_>) -> Result<String, ReportError> {
    let charts = Charts::of(report.outcome, &report.causes, report.meta);
    let mut curve = report.curve.thinned(CURVE_COLUMNS);
    // A curve begins with what there was before the first period.
    let start = report.outcome.span.0.0 / 1_000_000_000;
    if let Some(first) = curve.first().copied().filter(|first| start < first.secs) {
        let equity = crate::text::float(report.outcome.starting_equity.0);
        let benchmark = first.benchmark.map(|_| equity);
        let nothing = CurvePoint { drawdown: 0.0, drawdown_low: 0.0, exposure: 0.0, ..first };
        curve.insert(0, CurvePoint { secs: start, equity, benchmark, ..nothing });
    }
    let data = data::data(report, &charts, &curve)?;
    let mut page = Page { out: String::new(), report, charts: &charts, curve: &curve };
    page.push(format_args!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}\
         @media screen {{\n@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{\n{NIGHT}}} }}\n\
         :root[data-theme=dark] {{\n{NIGHT}}}\n}}\n</style>\n</head>\n<body>\n",
        Escaped(&report.meta.title)
    ));
    page.sections();
    page.push(format_args!(
        "<script type=\"application/json\" id=\"data\">{data}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    ));
    Ok(page.out)
}

/// A page in the making.
struct Page<'a> {
    out: String,
    report: &'a Report<'a>,
    charts: &'a Charts,
    curve: &'a [CurvePoint],
}

impl Page<'_> {
    fn push(&mut self, text: Arguments<'_>) {
        // A `String` takes whatever is written.
        let _ = self.out.write_fmt(text);
    }
}
