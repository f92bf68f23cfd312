//! The right column: position and profit, orders, structure per timeframe, fills, the log.

use super::super::model::{Chart, Note, OrderRow, OrderStage, ZoneKind};
use super::{Scene, head, line, line_both, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;
use smc_core::output::{Signal, Structure, StructureKind};
use smc_core::words::{Direction, Side, TsNs};

/// A column that is filled from its top.
struct Column<'a, 'b> {
    scene: &'a Scene<'a>,
    area: Rect,
    buf: &'b mut Buffer,
}

/// Paints the column.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let height = area.height;
    let mut column = Column { scene, area, buf };
    column.position();
    column.orders(match height {
        0..24 => 3,
        _ => 4,
    });
    column.timeframes();
    if height >= 26 {
        column.fills(if height >= 40 { 8 } else { 4 });
    }
    column.log();
}

impl Column<'_, '_> {
    /// The next row; empty when the column is full.
    fn next(&mut self) -> Rect {
        let [row, rest] = super::split_rows(self.area, 1);
        self.area = rest;
        row
    }

    fn head(&mut self, name: &str, note: &str) {
        let row = self.next();
        head(self.scene, row, self.buf, name, note);
    }

    fn row(&mut self, spans: Vec<Span<'_>>) {
        let row = self.next();
        line(row, self.buf, spans);
    }

    fn row_both(&mut self, left: Vec<Span<'_>>, right: Vec<Span<'_>>) {
        let row = self.next();
        line_both(row, self.buf, left, right);
    }

    fn position(&mut self) {
        let (scene, theme) = (self.scene, self.scene.theme);
        let trading = &scene.model.trading;
        let score = format!("won {}  lost {}", trading.won, trading.lost);
        self.head("position", &score);
        let bold = |colour| Style::new().fg(colour).add_modifier(Modifier::BOLD);
        let market = scene.market();
        let open = market.and_then(|market| market.position.filter(|position| market.held(position).0 != 0));
        match open {
            Some(position) => {
                let side = if position.qty.0 > 0 { Direction::Up } else { Direction::Down };
                let word = if position.qty.0 > 0 { "long" } else { "short" };
                let qty = text::fixed(position.qty.abs().0, scene.qty_decimals());
                let average = text::fixed(position.average.0, scene.price_decimals());
                let warning = if trading.has_stop(scene.instrument()) { "" } else { "no stop " };
                self.row_both(
                    vec![
                        Span::styled(
                            format!(" {} {word} {qty}", text::arrow(side)),
                            bold(theme.direction(side)),
                        ),
                        Span::styled(format!(" @ {average}"), theme.text),
                    ],
                    vec![Span::styled(warning, bold(theme.gold))],
                );
            }
            None => self.row(vec![Span::styled(" flat", theme.dim)]),
        }
        let realised =
            open.or(market.and_then(|market| market.position)).map_or(0, |position| position.realised.0);
        let fees = market.and_then(|market| market.position).map_or(0, |position| position.fees.0);
        let unrealised = market.and_then(super::Market::unrealised);
        self.row_both(
            vec![
                Span::styled(" open ", theme.dim),
                match unrealised {
                    Some(value) => Span::styled(text::signed(value, 2), bold(theme.profit(value))),
                    None => Span::styled("–", theme.dim),
                },
            ],
            vec![
                Span::styled("realised ", theme.dim),
                Span::styled(format!("{} ", text::signed(realised, 2)), bold(theme.profit(realised))),
            ],
        );
        let equity = smc_core::Money::parse(scene.status.equity.as_bytes()).map_or(0, |money| money.0);
        self.row_both(
            vec![Span::styled(" equity ", theme.dim), Span::styled(text::grouped(equity, 2), theme.text)],
            vec![
                Span::styled("fees ", theme.dim),
                Span::styled(format!("{} ", text::fixed(fees, 2)), theme.text),
            ],
        );
    }

    fn orders(&mut self, rows: usize) {
        let scene = self.scene;
        let working: Vec<&OrderRow> = scene.model.trading.working().collect();
        self.head("orders", &format!("{} working", working.len()));
        if working.is_empty() {
            self.row(vec![Span::styled(" none", scene.theme.dim)]);
        }
        let hidden = working.len().saturating_sub(rows);
        for row in working.iter().skip(hidden) {
            self.order(row);
        }
        // The room stays, so that the panels below do not jump.
        for _ in working.len().max(1)..rows {
            self.next();
        }
    }

    fn order(&mut self, row: &OrderRow) {
        let (scene, theme, order) = (self.scene, self.scene.theme, &row.order);
        let price = match text::order_price(order) {
            Some(price) => text::fixed(price.0, scene.price_decimals()),
            None => "market".into(),
        };
        let qty = text::fixed(order.qty.0, scene.qty_decimals());
        let stage = match row.stage {
            OrderStage::Sent => "sent".into(),
            OrderStage::Canceling => "cancel".into(),
            OrderStage::Unknown => "asking".into(),
            _ if row.filled_qty.0 > 0 && order.qty.0 > 0 => {
                format!("{}%", i128::from(row.filled_qty.0) * 100 / i128::from(order.qty.0))
            }
            _ => "works".into(),
        };
        let arrow = match order.side {
            Side::Buy => "▲",
            Side::Sell => "▼",
        };
        let is_narrow = self.area.width < 36;
        let purpose = text::purpose(order.purpose);
        let (purpose, qty) = if is_narrow {
            (format!("{purpose:<5}"), shorter(&qty))
        } else {
            (format!("{purpose:<6}"), qty.as_str())
        };
        self.row_both(
            vec![
                Span::styled(format!(" {arrow} {purpose} "), theme.side(order.side)),
                Span::styled(format!("{qty} @ "), theme.dim),
                Span::styled(price, theme.bright),
            ],
            vec![Span::styled(format!("{stage} "), theme.dim)],
        );
    }

    /// One line per timeframe: bias, open zones, liquidity.
    fn timeframes(&mut self) {
        let (scene, theme) = (self.scene, self.scene.theme);
        self.head("structure", "open zones +flipped");
        let chosen = scene.timeframe();
        let charts = scene.market().map_or(&[][..], |market| &market.charts);
        for (nth, chart) in charts.iter().enumerate() {
            let (arrow, colour) = match chart.bias {
                Some(direction) => (text::arrow(direction), theme.direction(direction)),
                None => ("–", theme.dim),
            };
            let name = Style::new().fg(if nth == chosen { theme.accent } else { theme.text });
            let width = if self.area.width < 36 { 5 } else { 7 };
            self.row(vec![
                Span::styled(format!(" {:<4}", chart.timeframe.to_string()), name),
                Span::styled(format!("{arrow} "), colour),
                Span::styled("OB ", theme.dim),
                Span::styled(format!("{:<width$}", zones(chart, ZoneKind::OrderBlock)), theme.text),
                Span::styled("FVG ", theme.dim),
                Span::styled(format!("{:<width$} ", zones(chart, ZoneKind::Gap)), theme.text),
                Span::styled("EQ ", theme.violet),
                Span::styled(chart.pools.len().to_string(), theme.text),
            ]);
        }
    }

    fn fills(&mut self, rows: usize) {
        let (scene, theme) = (self.scene, self.scene.theme);
        self.head("fills", "");
        let executions = &scene.model.trading.executions;
        if executions.is_empty() {
            self.row(vec![Span::styled(" none yet", theme.dim)]);
        }
        for execution in executions.iter().rev().take(rows) {
            let purpose = execution.purpose.map_or("", text::purpose);
            let price = text::fixed(execution.price().0, scene.price_decimals());
            let qty = text::fixed(execution.qty.0, scene.qty_decimals());
            let is_narrow = self.area.width < 42;
            self.row_both(
                vec![
                    Span::styled(format!(" {} ", text::clock(execution.last_ts)), theme.dim),
                    Span::styled(format!("{:<5}", text::side(execution.side)), theme.side(execution.side)),
                    Span::styled(
                        format!("{} @ {price}", if is_narrow { shorter(&qty) } else { &qty }),
                        theme.text,
                    ),
                ],
                match execution.result {
                    Some(value) => {
                        vec![Span::styled(format!("{} ", text::signed(value, 2)), theme.profit(value))]
                    }
                    None => vec![Span::styled(format!("{purpose} "), theme.dim)],
                },
            );
        }
        for _ in executions.len().clamp(1, rows)..rows {
            self.next();
        }
    }

    /// What happened, newest first, to the end of the column.
    fn log(&mut self) {
        let scene = self.scene;
        if self.area.height < 2 {
            return;
        }
        self.head("log", "");
        for (ts, note) in scene.model.notes.iter().rev().take(self.area.height.into()) {
            let row = self.next();
            self.note(row, *ts, note);
        }
    }

    fn note(&mut self, row: Rect, ts: TsNs, note: &Note) {
        let (scene, theme) = (self.scene, self.scene.theme);
        let mut spans = vec![Span::styled(format!(" {} ", text::clock(ts)), theme.dim)];
        let mut price = None;
        let gold = Style::new().fg(theme.gold).add_modifier(Modifier::BOLD);
        match note {
            Note::Structure(structure) => {
                structure_words(scene, structure, &mut spans);
                price = Some(structure.top.0.midpoint(structure.bottom.0));
            }
            Note::Signal(signal) => signal_words(scene, signal, &mut spans),
            Note::Denied(decision) => {
                spans.push(Span::styled("denied ", gold));
                spans.push(Span::styled(text::denied(decision.codes), theme.gold));
            }
            Note::State(change) => {
                spans.push(Span::styled(text::state_change(change, "→"), gold));
            }
            Note::Alert(alert) => {
                spans.push(Span::styled(text::alert(alert), gold));
            }
        }
        // The price leaves first when the column is narrow.
        let price = price.map(|price| format!("{} ", text::fixed(price, scene.price_decimals())));
        line_both(row, self.buf, spans, vec![Span::styled(price.unwrap_or_default(), theme.dim)]);
    }
}

fn signal_words<'a>(scene: &Scene<'a>, signal: &Signal, spans: &mut Vec<Span<'a>>) {
    let style = Style::new()
        .fg(scene.theme.ground)
        .bg(scene.theme.direction(signal.direction))
        .add_modifier(Modifier::BOLD);
    let word = if signal.direction == Direction::Up { "long" } else { "short" };
    spans.push(Span::styled(format!(" signal {} {word} ", signal.id), style));
    spans.push(Span::styled(
        format!(" {}", text::fixed(signal.entry.0, scene.price_decimals())),
        scene.theme.bright,
    ));
}

fn structure_words<'a>(scene: &Scene<'a>, structure: &Structure, spans: &mut Vec<Span<'a>>) {
    use StructureKind as Kind;
    let theme = scene.theme;
    let way = theme.direction(structure.direction);
    let (name, colour) = match structure.kind {
        Kind::Bos => ("BOS", way),
        Kind::Choch => ("CHoCH", theme.gold),
        Kind::Mss => ("MSS", theme.gold),
        Kind::FvgCreated => ("FVG", way),
        Kind::FvgInverted => ("FVG inverted", theme.dim),
        Kind::ObCreated => ("order block", way),
        Kind::ObTested => ("OB tested", theme.text),
        Kind::ObBroken => ("OB broken", theme.dim),
        Kind::PoolFormed => ("equal levels", theme.violet),
        Kind::PoolSwept => ("pool swept", theme.violet),
        Kind::PoolRun => ("pool run", theme.violet),
        Kind::LevelSwept => ("sweep", theme.violet),
        _ => ("bar rejected", theme.gold),
    };
    spans.push(Span::styled(format!("{:<4}", structure.timeframe.to_string()), theme.accent));
    spans.push(Span::styled(format!("{} ", text::arrow(structure.direction)), way));
    spans.push(Span::styled(name, colour));
}

/// Open zones in their first role, and those that changed sides.
fn zones(chart: &Chart, kind: ZoneKind) -> String {
    match chart.zone_counts(kind) {
        (first, 0) => first.to_string(),
        (first, flipped) => format!("{first}+{flipped}"),
    }
}

/// A quantity without its last two decimals.
fn shorter(qty: &str) -> &str {
    match qty.split_once('.') {
        Some((_, decimals)) if decimals.len() > 3 => &qty[..qty.len() - (decimals.len() - 3)],
        _ => qty,
    }
}
