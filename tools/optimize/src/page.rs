//! The result as one page: HTML with its own style and drawings, light and dark, nothing loaded from anywhere.

use crate::heat::HeatMap;
use crate::outcome::{Ending, Outcome};
use std::fmt::Write as _;

/// Side of a field, in pixels.
const SIDE: usize = 40;
/// Room for a letter of a label.
const LETTER: usize = 7;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2024;--soft:#60646c;--line:#d9d9e0;--ground:#fcfcfd;--gain:#0d74ce;--loss:#cc4e00}
@media(prefers-color-scheme:dark){:root{--ink:#edeef0;--soft:#b0b4ba;--line:#363a3f;--ground:#111113;--gain:#3b9eff;--loss:#ff8b3e}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:2rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}
p.note,figcaption,dt{color:var(--soft)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .8rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th{font-weight:600}tr.chosen td{font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dd{margin:0;overflow-wrap:anywhere}
figure{display:inline-block;margin:0 1.5rem 1.5rem 0;max-width:100%;overflow-x:auto;vertical-align:top}
svg text{font:11px system-ui,sans-serif;fill:var(--ink)}svg .axis{font-weight:600}svg .empty{fill:none;stroke:var(--line)}
svg .gain{fill:var(--gain)}svg .loss{fill:var(--loss)}svg .chosen{fill:none;stroke:var(--ink);stroke-width:2.5}
svg .best{fill:none;stroke:var(--ink);stroke-width:1.5;stroke-dasharray:3 2}
";

/// The page; `best` rows are in the table of the best.
pub(crate) fn page(outcome: &Outcome, best: usize) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    let title = escape(&format!("Search of {}", outcome.facts.strategy));
    let _ = write!(out, "<meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>");
    let _ = write!(out, "<style>\n{STYLE}</style></head><body>\n<h1>{title}</h1>\n");
    chosen(outcome, &mut out);
    table(outcome, best, &mut out);
    maps(outcome, &mut out);
    search(outcome, &mut out);
    out.push_str("</body></html>\n");
    out
}

fn chosen(outcome: &Outcome, out: &mut String) {
    let crate::Chosen { trial, plateau } = outcome.chosen;
    let score = outcome.trials[trial].ending.value().unwrap_or_default();
    let metric = escape(&outcome.metric);
    let _ = writeln!(out, "<h2>Chosen: trial {trial}, {metric} {}</h2>\n<dl>", short(score));
    for (path, text) in outcome.space.texts(&outcome.trials[trial].point) {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(&path), escape(&text));
    }
    out.push_str("</dl>\n");
    for line in said(outcome) {
        let _ = writeln!(out, "<p>{}</p>", escape(&line));
    }
    let _ = writeln!(out, "<p class=\"note\">{}.</p>", escape(&capital(outcome.rule())));
    debug_assert_eq!(plateau.score, score);
}

/// What there is to say about the choice, a sentence or two each: on the page and on a terminal.
pub(crate) fn said(outcome: &Outcome) -> [String; 2] {
    let plateau = outcome.chosen.plateau;
    let kept = match plateau.kept {
        Some(kept) => {
            format!(
                "the worst of its {} neighbours keeps {} of its score (70 % wanted)",
                plateau.neighbours,
                percent(kept)
            )
        }
        None if plateau.neighbours == 0 => "it has no neighbours to be compared with".into(),
        None => "its score is no gain, so there is nothing to keep".into(),
    };
    let share = format!(
        "{} of {} trials spread over the space make money (60 % wanted)",
        percent(plateau.profitable),
        plateau.cells
    );
    let stands = if plateau.is_stable() { "Stands on a plateau" } else { "Stands on NO plateau" };
    let luck = &outcome.luck;
    let figure = |figure: &Result<f64, String>| match figure {
        Ok(value) => short(*value),
        Err(reason) => format!("none ({reason})"),
    };
    let effective = match &luck.effective {
        Ok(count) => format!("taken for {count} independent ones"),
        Err(reason) => format!("not compared: {reason}"),
    };
    let luck = format!(
        "Luck: {} trials of this strategy are in the ledger, {effective}; deflated Sharpe ratio of the chosen one {} (0.95 \
         wanted), of the best {}; probability of overfitting {} (at most 0.1 wanted).",
        luck.made,
        figure(&luck.dsr_chosen),
        figure(&luck.dsr_best),
        figure(&luck.pbo)
    );
    [format!("{stands}: {kept}; {share}."), luck]
}

fn table(outcome: &Outcome, best: usize, out: &mut String) {
    let shown = best.min(outcome.ranking.len());
    let _ = write!(
        out,
        "<h2>The best {shown} of {} trials</h2>\n<div class=\"scroll\"><table><tr>",
        outcome.trials.len()
    );
    let _ = write!(out, "<th>Trial</th><th>{}</th><th>Trades</th><th>Periods</th>", escape(&outcome.metric));
    for parameter in outcome.space.parameters() {
        let _ = write!(out, "<th>{}</th>", escape(&parameter.path.to_string()));
    }
    out.push_str("</tr>\n");
    for nth in &outcome.ranking[..shown] {
        let Ending::Scored(score) = &outcome.trials[*nth].ending else { continue };
        let class = if *nth == outcome.chosen.trial { " class=\"chosen\"" } else { "" };
        let value = score.value.map(short).unwrap_or_default();
        let _ = write!(
            out,
            "<tr{class}><td>{nth}</td><td>{value}</td><td>{}</td><td>{}</td>",
            score.trades, score.periods
        );
        for (parameter, index) in outcome.space.parameters().iter().zip(&outcome.trials[*nth].point) {
            let _ = write!(out, "<td>{}</td>", escape(&parameter.text(*index)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
    let reasons: Vec<String> = outcome.trials.iter().filter_map(|trial| trial.ending.reason()).collect();
    if let Some(first) = reasons.first() {
        let _ = writeln!(
            out,
            "<p class=\"note\">{} trials have no score; the first one: {}.</p>",
            reasons.len(),
            escape(first)
        );
    }
}

fn maps(outcome: &Outcome, out: &mut String) {
    out.push_str("<h2>Scores over the parameters</h2>\n<p class=\"note\">Each field shows the mean score of its trials, whatever \
         the other parameters were; blue above zero, orange below, the stronger the further from it. A solid frame is \
         where the chosen trial is, a dashed one the best. Point at a field for its numbers.</p>\n");
    for map in &outcome.maps {
        let _ = writeln!(out, "<figure>{}</figure>", svg(map));
    }
}

fn search(outcome: &Outcome, out: &mut String) {
    let facts = &outcome.facts;
    out.push_str("<h2>The search</h2>\n<dl>\n");
    let mut say = |name: &str, text: &str| {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(text));
    };
    say("strategy", &format!("{}, version {}", facts.strategy, facts.version));
    say("evaluation", &facts.evaluation);
    say("data", &facts.data.source);
    say("base configuration", &facts.base);
    say("method", &format!("{}, seed {}", facts.method, facts.seed));
    for (path, spec) in &facts.space {
        say(path, spec);
    }
    out.push_str("</dl>\n");
}

fn svg(map: &HeatMap) -> String {
    let (columns, rows) = (map.x.labels.len(), map.cells.len() / map.x.labels.len());
    let widest = |labels: &[String]| labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let y_labels = map.y.as_ref().map_or(0, |y| widest(&y.labels) * LETTER + 8);
    let y_path = map.y.as_ref().map_or("", |y| y.path.as_str());
    // Labels lean where they would not fit beside each other, and then the first one begins left of its field.
    let leans = widest(&map.x.labels) * LETTER > SIDE;
    let leaning = if leans { (widest(&map.x.labels) * LETTER).saturating_sub(SIDE / 2) } else { 8 };
    let (left, top) = (y_labels.max(leaning), 24);
    let below = if leans { widest(&map.x.labels) * LETTER * 3 / 4 + 14 } else { 18 } + 22;
    let letters = (map.x.path.len() + y_path.len() + 8) * LETTER;
    let width = (left + columns * SIDE + 16).max(letters);
    let height = top + rows * SIDE + below;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">"
    );
    let x_path = escape(&map.x.path);
    let over = if y_path.is_empty() { x_path.clone() } else { format!("{} over {x_path}", escape(y_path)) };
    let _ = write!(
        out,
        "<title>{over}</title><text class=\"axis\" x=\"{left}\" y=\"14\">{}</text>",
        escape(y_path)
    );
    let means = || map.cells.iter().filter_map(|cell| cell.mean);
    let (low, high) = (means().fold(f64::INFINITY, f64::min), means().fold(f64::NEG_INFINITY, f64::max));
    for (nth, cell) in map.cells.iter().enumerate() {
        let (x, y) = (left + nth % columns * SIDE, top + (rows - 1 - nth / columns) * SIDE);
        let y_label = map.y.as_ref().map(|axis| format!(", {} {}", axis.path, axis.labels[nth / columns]));
        let place = format!("{} {}{}", map.x.path, map.x.labels[nth % columns], y_label.unwrap_or_default());
        let (class, strength, text, told) = match (cell.mean, cell.best) {
            (Some(mean), Some(best)) => (
                if mean < 0.0 { "loss" } else { "gain" },
                strength(mean, low, high),
                tiny(mean),
                format!("{place}: mean {} of {} trials, best {}", short(mean), cell.trials, short(best)),
            ),
            _ => ("empty", 1.0, String::new(), format!("{place}: no trial with a score")),
        };
        let side = SIDE - 2;
        let _ = write!(
            out,
            "<g><title>{}</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" \
             fill-opacity=\"{strength:.2}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{text}</text></g>",
            escape(&told),
            x + side / 2,
            y + side / 2 + 4,
        );
    }
    for (class, nth) in [("best", map.best), ("chosen", map.chosen)] {
        let (x, y) = (left + nth % columns * SIDE, top + (rows - 1 - nth / columns) * SIDE);
        let side = SIDE - 2;
        let _ =
            write!(out, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\"/>");
    }
    for (nth, label) in map.x.labels.iter().enumerate() {
        let (x, y) = (left + nth * SIDE + SIDE / 2, top + rows * SIDE + 12);
        let (anchor, turn) = if leans {
            ("end", format!(" transform=\"rotate(-40 {x} {y})\""))
        } else {
            ("middle", String::new())
        };
        let _ =
            write!(out, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"{turn}>{}</text>", escape(label));
    }
    for (nth, label) in map.y.iter().flat_map(|y| y.labels.iter().enumerate()) {
        let y = top + (rows - 1 - nth) * SIDE + SIDE / 2 + 3;
        let _ =
            write!(out, "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{}</text>", left - 6, escape(label));
    }
    let _ = write!(out, "<text class=\"axis\" x=\"{left}\" y=\"{}\">{x_path}</text></svg>", height - 6);
    out
}

/// How strong the colour of a field is: from zero where scores lie on both sides of it, else from the one nearest to it.
fn strength(mean: f64, low: f64, high: f64) -> f64 {
    const FAINT: f64 = 0.08;
    const STRONG: f64 = 0.7;
    let part = match (low < 0.0, high > 0.0) {
        (true, true) => mean.abs() / high.max(-low),
        (false, _) if high > low => (mean - low) / (high - low),
        (true, false) if high > low => (high - mean) / (high - low),
        _ => 1.0,
    };
    FAINT + (STRONG - FAINT) * part.clamp(0.0, 1.0)
}

/// Four digits that count.
pub(crate) fn short(value: f64) -> String {
    digits(value, 4)
}

/// As many as a field has room for.
fn tiny(value: f64) -> String {
    digits(value, 2)
}

fn digits(value: f64, count: i32) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e5).contains(&size) {
        return format!("{value:.*e}", (count - 1) as usize);
    }
    let before = libm::floor(libm::log10(size)) as i32 + 1;
    let text = format!("{value:.*}", (count - before).max(0) as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

pub(crate) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_right() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.123_456, "0.1235"),
            (-12.345_6, "-12.35"),
            (1234.5678, "1235"),
            (99_999.4, "99999"),
            (1e-9, "1.000e-9"),
            (2.5e7, "2.500e7"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn a_name_is_no_markup() {
        assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
