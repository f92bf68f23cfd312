//! What the engine answers, as tables for people. Every number that has a unit says it.

use crate::failure::{Failure, Outcome};
use serde::de::DeserializeOwned;
use serde_json::Value;
use smc_core::words::{Money, Qty, TsNs};
use smc_observe::picture::{
    ActPicture, AlertPicture, Held, InstrumentPicture, LimitUse, MoneyPicture, OrderPicture, StrategyPicture,
    VenuePicture,
};
use smc_replay::{state_name, words};
use smc_runtime::control::Status;

/// Rows under a head, columns as wide as they must be. Numbers stand to the right.
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A head that begins with `>` stands to the right, as its column.
    pub fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// One more row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table, or what to say where there is no row.
    pub fn text(&self, nothing: &str) -> String {
        if self.rows.is_empty() {
            return format!("{nothing}\n");
        }
        let heads: Vec<_> = self.heads.iter().map(|head| head.trim_start_matches('>').to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&heads).chain(&self.rows).collect();
        let width =
            |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
        let mut out = String::new();
        for line in &lines {
            let mut text = String::new();
            for (at, cell) in line.iter().enumerate() {
                let wide = width(at).unwrap_or(0);
                let is_number = self.heads.get(at).is_some_and(|head| head.starts_with('>'));
                text.push_str(&if is_number {
                    format!("{cell:>wide$}  ")
                } else {
                    format!("{cell:<wide$}  ")
                });
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }
}

fn part<T: DeserializeOwned>(answer: &Value, key: &str) -> Result<T, Failure> {
    serde_json::from_value(answer[key].clone()).map_err(|error| {
        Failure::wrong("answer", format!("{key}: {error}; is the engine of another version?"))
    })
}

fn clock(ts: TsNs) -> String {
    crate::view::moment(ts)
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

fn percent(ppm: u64) -> String {
    format!("{:.2} %", ppm as f64 / 1e4)
}

/// `status`.
pub fn status(answer: &Value) -> Outcome {
    let status: Status =
        serde_json::from_value(answer.clone()).map_err(|error| Failure::wrong("answer", error))?;
    println!("state         {}   journal record {}", status.state, status.seq);
    for held in &status.held {
        println!(
            "held          {} {} by {}{}",
            held.scope,
            held.state,
            held.control,
            meaning(&held.control, &held.state)
        );
    }
    println!("gateway       {}", if status.gateway_ready { "ready" } else { "not ready" });
    for (symbol, qty) in &status.positions {
        let price = status.last_prices.get(symbol).map_or("-", String::as_str);
        println!("position      {symbol} {qty}   last price {price}");
    }
    println!("equity        {}   realised {}", status.equity, status.realised_pnl);
    println!(
        "orders        sent {}, open {}, denied {}, cancels {}, fills {}, signals {}",
        status.orders_sent,
        status.open_orders,
        status.orders_denied,
        status.cancels_sent,
        status.fills,
        status.signals
    );
    let feed: Vec<String> = status.feed.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("feed          {}", feed.join(", "));
    print!("{}", latencies(&status));
    println!("digest        {}", status.digest);
    println!("journal       {}", status.journal.display());
    Ok(())
}

/// What a person cannot see in the name of a control.
fn meaning(control: &str, state: &str) -> &'static str {
    match (control, state) {
        ("journal", "WARN") => ": its disk fills up, or its mirror has failed",
        ("journal", "CANCEL_ONLY") => ": its disk is too slow, or the next segment cannot be had",
        ("journal", "HALT") => ": a sync failed or a file is gone; only a new process trades again",
        ("reconciling", _) => ": our books and the venue's were not found equal twice yet (smc ctl venues)",
        _ => "",
    }
}

fn latencies(status: &Status) -> String {
    let mut table = Table::new(&["latency (us)", ">p50", ">p99", ">p99.9", ">max", ">count"]);
    for (name, p) in &status.latency_ns {
        let micros = |nanos: u64| format!("{:.2}", nanos as f64 / 1_000.0);
        let name = format!("  {}", name.replace('_', " "));
        table.row([name, micros(p.p50), micros(p.p99), micros(p.p999), micros(p.max), p.count.to_string()]);
    }
    table.text("no order yet")
}

/// The percentiles alone.
pub fn latency(answer: &Value) -> Outcome {
    let status: Status =
        serde_json::from_value(answer.clone()).map_err(|error| Failure::wrong("answer", error))?;
    print!("{}", latencies(&status));
    Ok(())
}

/// `positions`.
pub fn positions(answer: &Value) -> Outcome {
    let money: MoneyPicture = part(answer, "money")?;
    let instruments: Vec<InstrumentPicture> = part(answer, "instruments")?;
    let asset = &money.asset;
    let heads = [
        "instrument",
        ">position",
        ">average",
        ">mark",
        ">open",
        ">realised",
        ">fees",
        ">orders",
        "stop",
        "target",
    ];
    let mut table = Table::new(&heads);
    for it in &instruments {
        let plan = it.plan.as_ref().filter(|_| it.position != Qty::ZERO);
        table.row([
            it.symbol.clone(),
            it.position.to_string(),
            if it.position == Qty::ZERO { "-".into() } else { it.average.to_string() },
            it.mark.to_string(),
            it.open_pnl.to_string(),
            it.realised.to_string(),
            it.fees.to_string(),
            it.open_orders.to_string(),
            optional(plan.map(|plan| plan.stop_now)),
            optional(plan.map(|plan| plan.target)),
        ]);
    }
    print!("{}", table.text("no instrument"));
    let amount = |money: Option<Money>| optional(money);
    println!(
        "equity {} {asset} (highest {}), realised {}, open {}, exposure gross {} net {}, drawdown {}, today's loss {}",
        amount(money.equity),
        money.equity_high,
        money.realised,
        money.open,
        amount(money.gross),
        amount(money.net),
        percent(money.drawdown_ppm.into()),
        percent(money.daily_loss_ppm.into()),
    );
    Ok(())
}

/// `orders`.
pub fn orders(answer: &Value) -> Outcome {
    let orders: Vec<OrderPicture> = part(answer, "orders")?;
    let heads = [
        "order",
        "instrument",
        "side",
        "kind",
        "for",
        ">price",
        ">stop",
        ">qty",
        ">filled",
        "status",
        "sent",
        ">signal",
    ];
    let mut table = Table::new(&heads);
    for it in &orders {
        let price = |price: smc_core::words::Price| if price.0 == 0 { "-".into() } else { price.to_string() };
        let id = if it.client_order_id.is_empty() {
            format!("venue {}", it.venue_order_id)
        } else {
            it.client_order_id.clone()
        };
        table.row([
            id,
            it.symbol.clone(),
            words(&it.side),
            words(&it.kind),
            words(&it.purpose),
            price(it.price),
            price(it.stop_price),
            it.qty.to_string(),
            it.filled.to_string(),
            if it.is_adopted { format!("{} (adopted)", it.status) } else { it.status.clone() },
            clock(it.sent_at),
            it.signal.to_string(),
        ]);
    }
    print!("{}", table.text("no order works"));
    if let Some(seq) = answer["last_order"].as_u64() {
        println!("the last order is record {seq}; `smc ctl why` tells why it was sent");
    }
    Ok(())
}

/// `limits`: the most used first, those that nothing can be told of last.
pub fn limits(answer: &Value) -> Outcome {
    let mut limits: Vec<LimitUse> = part(answer, "limits")?;
    let held: Vec<Held> = part(answer, "held")?;
    limits.sort_by_key(|limit| std::cmp::Reverse(limit.use_ppm));
    let mut table = Table::new(&["scope", "limit", ">used", ">of", "unit", ">use"]);
    for it in &limits {
        table.row([
            it.scope_name.clone(),
            it.name.clone(),
            optional(it.used),
            it.limit.to_string(),
            it.unit.clone(),
            it.use_ppm.map_or_else(|| "-".into(), percent),
        ]);
    }
    print!("{}", table.text("no limit"));
    for it in &held {
        let (control, state) = (words(&it.control), state_name(&it.state));
        println!("held: {} {state} by {control}{}", it.name, meaning(&control, &state));
    }
    Ok(())
}

/// `strategies`.
pub fn strategies(answer: &Value) -> Outcome {
    let strategies: Vec<StrategyPicture> = part(answer, "strategies")?;
    for it in &strategies {
        println!(
            "strategy {} {}: {}, {} signals and {} orders since the process began",
            it.number,
            it.name,
            state_name(&it.state),
            it.signals,
            it.orders
        );
        let mut table = Table::new(&["  parameter", "value"]);
        it.parameters.iter().for_each(|(key, value)| table.row([format!("  {key}"), value.clone()]));
        print!("{}", table.text("  every parameter has its default"));
    }
    Ok(())
}

/// `venues`.
pub fn venues(answer: &Value) -> Outcome {
    let venues: Vec<VenuePicture> = part(answer, "venues")?;
    let heads = [
        "venue",
        "name",
        "orders",
        "prices",
        ">budget left",
        ">clock offset",
        ">reconnects",
        "reconciled",
        "key",
    ];
    let mut table = Table::new(&heads);
    for it in &venues {
        let budget = match (it.budget_left, it.budget_limit) {
            (Some(left), Some(limit)) => format!("{left} of {limit}"),
            _ => "-".into(),
        };
        let round = it.last_round.as_ref().map(|round| match (round.is_over, round.is_complete) {
            (false, _) => format!("round {} under way", round.number),
            (true, true) => format!("round {} at {}", round.number, clock(round.at)),
            (true, false) => format!("round {} incomplete", round.number),
        });
        let key = match (it.key_can_trade, it.key_can_withdraw) {
            (_, Some(true)) => "CAN WITHDRAW",
            (Some(true), _) => "may trade",
            (Some(false), _) => "may not trade",
            (None, _) => "-",
        };
        table.row([
            it.number.to_string(),
            it.name.clone(),
            words(&it.gateway),
            words(&it.feed),
            it.banned_until.map_or(budget, |until| format!("banned until {}", clock(until))),
            it.clock_offset_ns.map_or_else(|| "-".into(), |ns| format!("{:.1} ms", ns as f64 / 1e6)),
            it.reconnects.to_string(),
            optional(round),
            key.into(),
        ]);
    }
    print!("{}", table.text("no venue"));
    Ok(())
}

/// `alerts`.
pub fn alerts(answer: &Value) -> Outcome {
    let alerts: Vec<AlertPicture> = part(answer, "alerts")?;
    let mut table = Table::new(&[">alert", "when", "kind", "about", "what"]);
    for it in &alerts {
        table.row([it.seq.to_string(), clock(it.ts), it.kind.clone(), it.scope.clone(), it.text.clone()]);
    }
    print!("{}", table.text("no alert"));
    Ok(())
}

/// `acts`.
pub fn acts(answer: &Value) -> Outcome {
    let acts: Vec<ActPicture> = part(answer, "acts")?;
    let mut table =
        Table::new(&[">record", "when", "act", "on", "limit", ">value", "by", "why", "state after"]);
    for it in &acts {
        table.row([
            it.seq.to_string(),
            clock(it.ts),
            it.command.clone(),
            it.scope.clone(),
            it.limit.clone(),
            if it.limit.is_empty() { String::new() } else { it.value.to_string() },
            it.operator.map_or_else(|| "the process".into(), |uid| format!("user {uid}")),
            it.reason.clone(),
            state_name(&it.state),
        ]);
    }
    print!("{}", table.text("nobody did anything"));
    Ok(())
}

/// `hello`.
pub fn whoami(answer: &Value) -> Outcome {
    let text = |key: &str| answer[key].as_str().unwrap_or("?");
    let commands: Vec<_> =
        answer["commands"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    println!(
        "{} {}; you are user {}, role {}",
        text("program"),
        text("version"),
        answer["operator"],
        text("role")
    );
    println!("you may: {}", commands.join(", "));
    let factor = if answer["second_factor"] == true { "needs a one-time code" } else { "needs no code here" };
    println!("what takes risk on {factor}");
    Ok(())
}

/// One record of a subscription.
pub fn record(line: &Value) -> String {
    if let Some(count) = line["left_out"].as_u64() {
        return format!("… {count} records left out: this end reads too slowly");
    }
    let fields = line["record"].as_object().cloned().unwrap_or_default();
    let fields: Vec<String> = fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "ts_event" | "ts_recv"))
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            other => format!("{name} {other}"),
        })
        .collect();
    format!("{:>9} {:<16} {}", line["seq"], line["kind"].as_str().unwrap_or("?"), fields.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be_and_numbers_stand_to_the_right() {
        let mut table = Table::new(&["name", ">qty", "why"]);
        table.row(["a".into(), "10".into(), "x".into()]);
        table.row(["längere".into(), "7".into(), String::new()]);
        assert_eq!(table.text("none"), "name     qty  why\na         10  x\nlängere    7\n");
        assert_eq!(Table::new(&["name"]).text("none"), "none\n");
    }
}
