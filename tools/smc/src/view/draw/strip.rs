//! The bottom: how fast we are, how much came in, where the journal is.

use super::{Scene, head, line, line_both, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

/// Stretches as the runtime names them, and as we say them.
const STRETCHES: [(&str, &str); 3] = [
    ("wire_to_decision", "wire → decision"),
    ("decision_to_wire", "decision → wire"),
    ("wire_to_wire", "wire → wire"),
];

/// Paints the strip: six rows with the table, three or one without.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let row = |nth: u16| Rect { y: area.y.saturating_add(nth), height: u16::from(nth < area.height), ..area };
    match area.height {
        0 => {}
        1 => short(scene, row(0), buf),
        2..6 => {
            head(scene, row(0), buf, "engine", keys(scene, area.width));
            short(scene, row(1), buf);
            numbers(scene, row(2), buf);
        }
        _ => {
            head(scene, row(0), buf, "latency", keys(scene, area.width));
            let table_width = area.width.min(67);
            table(scene, Rect { width: table_width, ..area }, buf);
            let rest = area.width - table_width;
            if rest >= 20 {
                engine(scene, Rect { x: area.x + table_width, width: rest, ..area }, buf);
            }
        }
    }
}

/// Which keys do what, as far as there is room.
fn keys(scene: &Scene<'_>, width: u16) -> &'static str {
    let has_pages = scene.picture.is_some();
    match (width, has_pages, scene.has_kill) {
        (0..60, ..) => "q quit",
        (60..100, true, true) => "q quit  m r o v a pages  K kill",
        (60..100, ..) => "q quit  tab timeframe  + - zoom",
        (_, true, true) => "q quit   market risk orders venues alerts   tab 1-9 timeframe   + - ← →   K kill",
        (_, true, false) => "q quit   market risk orders venues alerts   tab 1-9 timeframe   + - ← →",
        _ => "q quit   tab 1-9 timeframe   + - zoom   ← → symbol",
    }
}

fn short(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let wire = scene.status.latency_ns.get("wire_to_wire").copied().unwrap_or_default();
    let mut spans = vec![Span::styled(" wire→wire ", theme.dim)];
    if wire.count == 0 {
        spans.push(Span::styled("no order yet", theme.dim));
    } else {
        for (name, value) in [("p50", wire.p50), ("p99", wire.p99), ("p99.9", wire.p999), ("max", wire.max)] {
            spans.push(Span::styled(format!(" {name} "), theme.dim));
            spans.push(Span::styled(text::nanos(value), theme.bright));
        }
        spans.push(Span::styled(format!("  {} orders", text::count(wire.count)), theme.dim));
    }
    line(area, buf, spans);
}

fn numbers(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let feed = |name| scene.status.feed.get(name).copied().unwrap_or_default();
    let faults = feed("refused") + feed("gaps") + feed("resyncs") + feed("reconnects");
    let left = vec![
        Span::styled(" events/s ", theme.dim),
        Span::styled(text::count(scene.events_per_second), theme.bright),
        Span::styled("  journal #", theme.dim),
        Span::styled(text::count(scene.model.seq), theme.bright),
        Span::styled("  feed faults ", theme.dim),
        Span::styled(text::count(faults), if faults == 0 { theme.text } else { theme.gold }),
    ];
    let digest: String = scene.status.digest.chars().take(12).collect();
    line_both(area, buf, left, vec![Span::styled(format!("digest {digest} "), theme.dim)]);
}

fn table(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let row = |nth: u16| Rect { y: area.y.saturating_add(nth), height: u16::from(nth < area.height), ..area };
    let titles = format!(" {:<16}{:>9}{:>9}{:>9}{:>9}{:>12}", "", "p50", "p99", "p99.9", "max", "count");
    line(row(1), buf, vec![Span::styled(titles, theme.dim)]);
    for (nth, (key, name)) in STRETCHES.iter().enumerate() {
        let at = scene.status.latency_ns.get(*key).copied().unwrap_or_default();
        let is_main = *key == "wire_to_wire";
        let style = Style::new().fg(if is_main { theme.bright } else { theme.text });
        let style = if is_main { style.add_modifier(Modifier::BOLD) } else { style };
        let mut words = String::new();
        for value in [at.p50, at.p99, at.p999, at.max] {
            let value = if at.count == 0 { "–".into() } else { text::nanos(value) };
            words.push_str(&format!("{value:>9}"));
        }
        let spans = vec![
            Span::styled(format!(" {name:<16}"), if is_main { theme.text } else { theme.dim }),
            Span::styled(words, style),
            Span::styled(format!("{:>12}", text::count(at.count)), theme.dim),
        ];
        line(row(nth as u16 + 2), buf, spans);
    }
}

/// Beside the table: the engine's and the feed's counters.
fn engine(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let status = scene.status;
    let feed = |name| status.feed.get(name).copied().unwrap_or_default();
    let good = |name: &'static str, value: u64| (name, text::count(value), theme.text);
    let bad = |name: &'static str, value: u64| {
        (name, text::count(value), if value == 0 { theme.text } else { theme.gold })
    };
    let rows = [
        [
            ("events/s", text::count(scene.events_per_second), theme.bright),
            good("events", status.events_in),
            good("structures", status.structures),
        ],
        [
            ("journal record", text::count(scene.model.seq), theme.bright),
            good("signals", status.signals),
            good("orders", status.orders_sent),
        ],
        [good("feed messages", feed("messages")), bad("refused", feed("refused")), bad("gaps", feed("gaps"))],
        [
            bad("denied", status.orders_denied),
            bad("resyncs", feed("resyncs")),
            bad("reconnects", feed("reconnects")),
        ],
    ];
    for (nth, cells) in rows.into_iter().enumerate() {
        let mut spans = vec![Span::raw("   ")];
        // A column whose number would be cut says nothing.
        for (name, value, colour) in cells.into_iter().take(usize::from(area.width / 23)) {
            spans.push(Span::styled(format!("{name} "), theme.dim));
            let width = 22usize.saturating_sub(name.chars().count());
            spans.push(Span::styled(format!("{value:<width$}"), colour));
        }
        let y = area.y.saturating_add(nth as u16 + 1);
        line(Rect { y, height: 1, ..area }, buf, spans);
    }
    let digest = vec![
        Span::styled("   digest ", theme.dim),
        Span::styled(status.digest.clone(), theme.text),
        Span::styled(lost(scene), theme.gold),
    ];
    line(Rect { y: area.y.saturating_add(5), height: 1, ..area }, buf, digest);
}

/// What the view itself could not show.
fn lost(scene: &Scene<'_>) -> String {
    let mut words = String::new();
    if scene.status.latency_samples_lost > 0 {
        words.push_str(&format!("  {} samples lost", text::count(scene.status.latency_samples_lost)));
    }
    if scene.model.refused > 0 {
        words.push_str(&format!("  {} records unreadable", text::count(scene.model.refused)));
    }
    words
}
