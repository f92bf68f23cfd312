//! The other pages: risk, orders, venues, alerts, as the observer sees them.

use super::{Scene, head, line, line_both, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use smc_core::event::{FeedState, GatewayState};
use smc_core::output::TradingState;
use smc_core::words::Side;
use smc_observe::Picture;
use smc_observe::picture::{LimitUse, OrderPicture, VenuePicture};
use smc_replay::{state_name, words};

/// What the middle of the screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Chart, position, orders, structure.
    #[default]
    Market,
    /// Every limit with its use, and what holds what down.
    Risk,
    /// Positions and working orders of all instruments.
    Orders,
    /// Order paths, prices, budgets, clocks.
    Venues,
    /// What the engine wants seen, and what people did.
    Alerts,
}

/// Use of a limit from which on it is coloured.
const USE_HIGH_PPM: u64 = 800_000;

/// A page that is filled from its top.
struct Sheet<'a, 'b> {
    scene: &'a Scene<'a>,
    area: Rect,
    buf: &'b mut Buffer,
}

/// Paints the page that was chosen.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut sheet = Sheet { scene, area, buf };
    let Some(picture) = scene.picture else {
        return sheet.row(vec![Span::styled(" nobody observes this engine", scene.theme.dim)]);
    };
    match scene.choice.page {
        Page::Market => {}
        Page::Risk => sheet.risk(picture),
        Page::Orders => sheet.orders(picture),
        Page::Venues => sheet.venues(picture),
        Page::Alerts => sheet.alerts(picture),
    }
}

/// Paints a question, or an answer, over the first line.
pub fn word(scene: &Scene<'_>, word: &str, area: Rect, buf: &mut Buffer) {
    let style = Style::new().fg(scene.theme.ground).bg(scene.theme.gold).add_modifier(Modifier::BOLD);
    let text = format!(" {word:<width$}", width = usize::from(area.width));
    line(area, buf, vec![Span::styled(text, style)]);
}

impl Sheet<'_, '_> {
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

    fn none(&mut self, what: &str) {
        self.row(vec![Span::styled(format!(" {what}"), self.scene.theme.dim)]);
    }

    fn risk(&mut self, picture: &Picture) {
        let theme = self.scene.theme;
        let money = &picture.money;
        let amount =
            |money: Option<smc_core::Money>| money.map_or("–".into(), |money| text::grouped(money.0, 2));
        self.head("money", &money.asset);
        self.row_both(
            vec![
                Span::styled(" equity ", theme.dim),
                Span::styled(amount(money.equity), theme.bright),
                Span::styled("  highest ", theme.dim),
                Span::styled(text::grouped(money.equity_high.0, 2), theme.text),
            ],
            vec![
                Span::styled("exposure ", theme.dim),
                Span::styled(amount(money.gross), theme.text),
                Span::styled("  net ", theme.dim),
                Span::styled(format!("{} ", amount(money.net)), theme.text),
            ],
        );
        self.head("held down", &format!("{} scopes", picture.held.len()));
        if picture.held.is_empty() {
            self.none("nothing");
        }
        for held in &picture.held {
            let style = Style::new().fg(self.state_colour(held.state)).add_modifier(Modifier::BOLD);
            let by = format!("by {}", words(&held.control));
            self.row(vec![
                Span::styled(format!(" {:<14}", state_name(&held.state)), style),
                Span::styled(format!("{:<24}", held.name), theme.text),
                Span::styled(by, theme.dim),
            ]);
        }
        let mut limits: Vec<&LimitUse> = picture.limits.iter().collect();
        limits.sort_by_key(|limit| std::cmp::Reverse(limit.use_ppm));
        self.head("limits", "the most used first");
        for limit in limits {
            self.limit(limit);
        }
    }

    fn limit(&mut self, limit: &LimitUse) {
        const BAR: u64 = 20;
        let theme = self.scene.theme;
        let (filled, colour) = match limit.use_ppm {
            None => (0, theme.dim),
            Some(ppm) if ppm > 1_000_000 => (BAR, theme.down),
            Some(ppm) => {
                let colour = if ppm >= USE_HIGH_PPM { theme.gold } else { theme.up };
                ((ppm * BAR).div_ceil(1_000_000), colour)
            }
        };
        let bar = "█".repeat(filled as usize);
        let used = limit.used.map_or("–".into(), |used| used.to_string());
        let percent = limit.use_ppm.map_or("    –  ".into(), |ppm| format!("{:>6.1}%", ppm as f64 / 1e4));
        self.row(vec![
            Span::styled(format!(" {:<22}", limit.scope_name), theme.dim),
            Span::styled(format!("{:<24}", limit.name), theme.text),
            Span::styled(bar, colour),
            Span::styled("·".repeat((BAR - filled) as usize), theme.dim),
            Span::styled(percent, colour),
            Span::styled(format!("  {used} of {} {}", limit.limit, limit.unit), theme.dim),
        ]);
    }

    fn orders(&mut self, picture: &Picture) {
        let theme = self.scene.theme;
        self.head("positions", &format!("{} instruments", picture.instruments.len()));
        for it in &picture.instruments {
            let profit = it.open_pnl.0;
            let position =
                if it.position.0 == 0 { "flat".into() } else { format!("{} @ {}", it.position, it.average) };
            self.row(vec![
                Span::styled(format!(" {:<16}", it.symbol), theme.bright),
                Span::styled(format!("{position:<30}"), theme.text),
                Span::styled("mark ", theme.dim),
                Span::styled(format!("{:<16}", it.mark.to_string()), theme.text),
                Span::styled(format!("{:>14}", text::signed(profit, 2)), theme.profit(profit)),
                Span::styled("  realised ", theme.dim),
                Span::styled(text::signed(it.realised.0, 2), theme.profit(it.realised.0)),
            ]);
        }
        self.head("orders", &format!("{} working", picture.orders.len()));
        if picture.orders.is_empty() {
            self.none("none");
        }
        for order in &picture.orders {
            self.order(order);
        }
    }

    fn order(&mut self, it: &OrderPicture) {
        let theme = self.scene.theme;
        let colour = if it.side == Side::Buy { theme.up } else { theme.down };
        let price = match (it.price.0, it.stop_price.0) {
            (0, 0) => "market".into(),
            (_, 0) => it.price.to_string(),
            _ => format!("{} stop {}", it.price, it.stop_price),
        };
        self.row(vec![
            Span::styled(format!(" {:<5}", words(&it.side)), colour),
            Span::styled(format!("{:<16}", it.symbol), theme.bright),
            Span::styled(format!("{:<8}", words(&it.purpose)), theme.text),
            Span::styled(format!("{:<12}", words(&it.kind)), theme.dim),
            Span::styled(format!("{} of {} @ {price}", it.filled, it.qty), theme.text),
            Span::styled(format!("  {}  {}", it.status, text::clock(it.sent_at)), theme.dim),
        ]);
    }

    fn venues(&mut self, picture: &Picture) {
        let theme = self.scene.theme;
        self.head("venues", "");
        for it in &picture.venues {
            self.venue(it);
        }
        self.head("prices", "");
        for it in &picture.instruments {
            let quote = match (it.bid, it.ask) {
                (Some(bid), Some(ask)) => format!("{bid} / {ask}"),
                _ => "no quote".into(),
            };
            let age = it
                .last_price_at
                .map_or("never".into(), |at| format!("{:.1} s ago", picture.time.since(at) as f64 / 1e9));
            self.row(vec![
                Span::styled(format!(" {:<16}", it.symbol), theme.bright),
                Span::styled(format!("{:<8}", words(&it.feed)), self.feed_colour(it.feed)),
                Span::styled(format!("{quote:<28}"), theme.text),
                Span::styled(format!("{age}  at {}", it.venue), theme.dim),
            ]);
        }
        let feed = &self.scene.status.feed;
        let counts: Vec<String> = feed.iter().map(|(name, count)| format!("{name} {count}")).collect();
        self.row(vec![Span::styled(format!(" {}", counts.join("  ")), theme.dim)]);
    }

    fn venue(&mut self, it: &VenuePicture) {
        let theme = self.scene.theme;
        let gateway = match it.gateway {
            GatewayState::Ready => theme.up,
            GatewayState::Syncing => theme.gold,
            GatewayState::Down => theme.down,
        };
        let budget = match (it.budget_left, it.budget_limit) {
            (Some(left), Some(limit)) => format!("budget {left} of {limit}"),
            _ => "budget –".into(),
        };
        let clock = it.clock_offset_ns.map_or("–".into(), |ns| format!("{:+.1} ms", ns as f64 / 1e6));
        self.row(vec![
            Span::styled(format!(" {} {:<18}", it.number, it.name), theme.bright),
            Span::styled("orders ", theme.dim),
            Span::styled(format!("{:<9}", words(&it.gateway)), gateway),
            Span::styled("prices ", theme.dim),
            Span::styled(format!("{:<9}", words(&it.feed)), self.feed_colour(it.feed)),
            Span::styled(format!("{budget}  clock {clock}  reconnects {}", it.reconnects), theme.dim),
        ]);
    }

    fn alerts(&mut self, picture: &Picture) {
        let theme = self.scene.theme;
        let rows = usize::from(self.area.height).saturating_sub(2);
        let acts = picture.acts.len().min(rows / 3);
        self.head("alerts", "the newest first; smc ctl acknowledge NUMBER");
        if picture.alerts.is_empty() {
            self.none("none");
        }
        for it in picture.alerts.iter().rev().take(rows - acts) {
            self.row(vec![
                Span::styled(format!(" {:>9} {} ", it.seq, text::clock(it.ts)), theme.dim),
                Span::styled(format!("{:<20}", it.scope), theme.text),
                Span::styled(it.text.as_str(), theme.bright),
            ]);
        }
        self.head("people", "");
        if picture.acts.is_empty() {
            self.none("nobody did anything");
        }
        for it in picture.acts.iter().rev().take(acts.max(1)) {
            let by = it.operator.map_or("the process".into(), |uid| format!("user {uid}"));
            self.row(vec![
                Span::styled(format!(" {:>9} {} ", it.seq, text::clock(it.ts)), theme.dim),
                Span::styled(format!("{:<14}{:<20}", it.command, it.scope), theme.bright),
                Span::styled(format!("{by}  {}", it.reason), theme.text),
            ]);
        }
    }

    fn state_colour(&self, state: TradingState) -> Color {
        let theme = self.scene.theme;
        match state {
            TradingState::Normal => theme.up,
            TradingState::Warn | TradingState::ReduceOnly => theme.gold,
            TradingState::CancelOnly | TradingState::Halt => theme.down,
        }
    }

    fn feed_colour(&self, state: FeedState) -> Color {
        let theme = self.scene.theme;
        match state {
            FeedState::Live => theme.up,
            FeedState::Syncing => theme.gold,
            FeedState::Down | FeedState::Stale => theme.down,
        }
    }
}
