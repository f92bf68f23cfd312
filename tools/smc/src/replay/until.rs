//! `smc replay --until`: the engine as it stood after a record.

use super::show::{Show, clock, duration, key, money, time};
use serde_json::{Value, json};
use smc_core::engine::{Counters, Plan};
use smc_core::orders::Order;
use smc_core::smc::ZoneState;
use smc_core::strategy::EntryKind;
use smc_core::words::{Direction, InstrumentId};
use smc_replay::{ChartAt, InstrumentAt, StateAt, ZoneAt, state_name, words};
use std::fmt::Write;

/// Zones listed on each timeframe, those nearest to the price; `--json` has all.
const ZONES_SHOWN: usize = 6;

pub fn show(state: &StateAt) -> Show {
    let specs = state.instruments.iter().filter_map(|it| Some((it.id, it.spec?))).collect();
    let symbols = state.instruments.iter().map(|it| it.symbol.to_string()).collect();
    Show::new(specs, symbols)
}

/// For people.
pub fn text(state: &StateAt) -> String {
    let show = show(state);
    let mut out = String::new();
    let mut line = |name: &str, rest: String| {
        let _ = writeln!(out, "{name:<10} {rest}");
    };
    line("record", format!("{} ({})", state.seq, state.kind.name()));
    line("time", time(state.now));
    line("trading", format!("{}, order path {}", state_name(&state.state), words(&state.gateway)));
    line(
        "account",
        format!(
            "equity {}, realised {}, fees {}",
            money(state.equity),
            money(state.realised),
            money(state.fees)
        ),
    );
    for it in &state.instruments {
        instrument(&show, it, state.now.0, &mut line);
    }
    line("orders", format!("{} open", state.open_orders.len()));
    for order in &state.open_orders {
        line("", open_order(&show, order));
    }
    line("counted", counted(&state.counters));
    line("digest", state.digest.clone());
    if let Some(difference) = &state.difference {
        line("warning", format!("this build says something else than the journal: {difference}"));
    }
    out
}

fn instrument(show: &Show, it: &InstrumentAt, now_ns: u64, line: &mut impl FnMut(&str, String)) {
    let price = |price| show.price(it.id, price);
    let (name, qty) = (it.symbol.to_string(), |qty| show.qty(it.id, qty));
    let trust = if it.is_trusted { "" } else { " (not to be traded on)" };
    let top = it.top.map_or("no book".into(), |top| {
        format!(
            "bid {} × {}, ask {} × {}, spread {}{trust}",
            price(top.bid.price),
            qty(top.bid.qty),
            price(top.ask.price),
            qty(top.ask.qty),
            price(top.spread())
        )
    });
    line(&name, format!("feed {}, {top}", words(&it.feed)));
    let last = it.last_trade.map_or("none".into(), |trade| {
        format!("{}, {} ago", price(trade.price), duration(now_ns.saturating_sub(trade.ts.0)))
    });
    line("", format!("last trade {last}; mark {}", it.mark));
    line(
        "",
        format!(
            "position {}, average {}, open profit {}, realised {}",
            qty(it.position),
            it.average,
            money(it.open_profit),
            money(it.realised)
        ),
    );
    line("", it.plan.map_or("no trade planned or under way".into(), |plan| plan_text(show, it.id, &plan)));
    if let Some(why) = it.leaving {
        line("", format!("the position is being closed at the market: {}", words(&why)));
    }
    for chart in &it.charts {
        let last = chart.last_bar.map_or("no bar yet".into(), |bar| {
            format!(
                "last from {} O {} H {} L {} C {}",
                clock(bar.open_ts),
                price(bar.open),
                price(bar.high),
                price(bar.low),
                price(bar.close)
            )
        });
        line(&format!("  {}", chart.timeframe), format!("{} bars, {last}", chart.bars));
        let range =
            chart.range.map_or("none yet".into(), |(low, high)| format!("{} to {}", price(low), price(high)));
        line("", format!("bias {}, dealing range {range}, ATR {}", bias(chart.bias), chart.atr));
        line("", format!("{} zones, {} pools", chart.zones.len(), chart.pools));
        for zone in nearest(chart, it.mark.0) {
            line("", format!("  {}", zone_text(show, it.id, zone)));
        }
    }
}

/// The zones nearest to the price.
fn nearest(chart: &ChartAt, mark: i64) -> Vec<&ZoneAt> {
    let mut zones: Vec<&ZoneAt> = chart.zones.iter().collect();
    zones.sort_by_key(|it| (it.zone.top.0 - mark).abs().min((it.zone.bottom.0 - mark).abs()));
    zones.truncate(ZONES_SHOWN);
    zones
}

fn bias(bias: Option<Direction>) -> &'static str {
    match bias {
        Some(Direction::Up) => "up",
        Some(Direction::Down) => "down",
        None => "none",
    }
}

fn zone_name(it: &ZoneAt) -> &'static str {
    match (it.zone.is_flipped(), it.name) {
        (true, "gap") => "inverted gap",
        (true, _) => "breaker",
        (false, name) => name,
    }
}

fn zone_text(show: &Show, id: InstrumentId, it: &ZoneAt) -> String {
    let zone = &it.zone;
    let life = match zone.state {
        ZoneState::Fresh => "fresh",
        ZoneState::Touched => "touched",
        ZoneState::Flipped => "turned",
    };
    format!(
        "{:<14} {:<4} {} to {} {life}, bar {}, id {}",
        zone_name(it),
        bias(Some(zone.role())),
        show.price(id, zone.bottom),
        show.price(id, zone.top),
        zone.bar,
        zone.id
    )
}

fn plan_text(show: &Show, id: InstrumentId, plan: &Plan) -> String {
    let price = |price| show.price(id, price);
    let kind = match plan.kind {
        EntryKind::Rest => "resting",
        EntryKind::RestMakerOnly => "resting, maker only",
        EntryKind::Take => "taking",
    };
    let side = if plan.direction == Direction::Up { "long" } else { "short" };
    format!(
        "plan {side} by signal {}: entry {} ({kind}, until {}), stop {}, target {}",
        plan.signal_id,
        price(plan.entry),
        clock(plan.expires),
        price(plan.stop),
        price(plan.target)
    )
}

fn open_order(show: &Show, order: &Order) -> String {
    let id = order.instrument;
    let at = match (order.price.0, order.stop_price.0) {
        (0, _) => String::new(),
        (_, 0) => format!(" at {}", show.price(id, order.price)),
        _ => format!(" at {}, trigger {}", show.price(id, order.price), show.price(id, order.stop_price)),
    };
    format!(
        "{} {} {} {} {}{at}: {}, {} filled, {}",
        order.client_order_id,
        words(&order.side),
        show.qty(id, order.qty),
        show.symbol(id),
        words(&order.kind),
        words(&order.purpose),
        show.qty(id, order.filled_qty),
        words(&order.state())
    )
}

fn counted(c: &Counters) -> String {
    format!(
        "{} events, {} bars, {} structures, {} signals ({} wishes not tried), {} orders, {} denied, {} cancels, \
         {} fills, {} rejects, {} alerts",
        c.events,
        c.bars,
        c.structures,
        c.signals,
        c.intents_ignored,
        c.orders_sent,
        c.orders_denied,
        c.cancels,
        c.fills,
        c.rejects,
        c.alerts
    )
}

/// For programs.
pub fn json(state: &StateAt) -> Value {
    let c = &state.counters;
    json!({
        "seq": state.seq, "kind": state.kind.name(), "ts_ns": state.now.0, "time": time(state.now),
        "state": state_name(&state.state), "gateway": key(&state.gateway),
        "equity": state.equity.to_string(), "realised": state.realised.to_string(), "fees": state.fees.to_string(),
        "instruments": state.instruments.iter().map(instrument_json).collect::<Vec<_>>(),
        "open_orders": state.open_orders.iter().map(order_json).collect::<Vec<_>>(),
        "counters": {
            "events": c.events, "bars": c.bars, "structures": c.structures, "signals": c.signals,
            "intents_ignored": c.intents_ignored, "orders_sent": c.orders_sent, "orders_denied": c.orders_denied,
            "cancels": c.cancels, "fills": c.fills, "rejects": c.rejects, "orders_unknown": c.orders_unknown,
            "alerts": c.alerts,
        },
        "digest": state.digest, "difference": state.difference.as_ref().map(ToString::to_string),
    })
}

fn instrument_json(it: &InstrumentAt) -> Value {
    json!({
        "symbol": it.symbol.to_string(), "feed": key(&it.feed), "is_trusted": it.is_trusted,
        "book": it.top.map(|top| json!({
            "bid": top.bid.price.to_string(), "bid_qty": top.bid.qty.to_string(),
            "ask": top.ask.price.to_string(), "ask_qty": top.ask.qty.to_string(),
        })),
        "mark": it.mark.to_string(), "last_trade": it.last_trade.map(|trade| trade.price.to_string()),
        "position": it.position.to_string(), "average": it.average.to_string(),
        "open_profit": it.open_profit.to_string(), "realised": it.realised.to_string(),
        "plan": it.plan.map(|plan| json!({
            "signal_id": plan.signal_id, "direction": key(&plan.direction), "entry": plan.entry.to_string(),
            "stop": plan.stop.to_string(), "target": plan.target.to_string(), "expires_ns": plan.expires.0,
        })),
        "leaving": it.leaving.map(|why| key(&why)),
        "timeframes": it.charts.iter().map(chart_json).collect::<Vec<_>>(),
    })
}

fn chart_json(chart: &ChartAt) -> Value {
    let zones = chart.zones.iter().map(|it| {
        json!({
            "kind": zone_name(it), "direction": bias(Some(it.zone.role())), "state": key(&it.zone.state),
            "top": it.zone.top.to_string(), "bottom": it.zone.bottom.to_string(), "bar": it.zone.bar,
            "known_bar": it.zone.known_bar, "id": it.zone.id,
        })
    });
    json!({
        "timeframe": chart.timeframe.to_string(), "bars": chart.bars,
        "bias": chart.bias.map(|_| bias(chart.bias)), "atr": chart.atr.to_string(),
        "range": chart.range.map(|(low, high)| [low.to_string(), high.to_string()]),
        "last_bar": chart.last_bar.map(|bar| bar_json(&bar)), "pools": chart.pools,
        "zones": zones.collect::<Vec<_>>(),
    })
}

pub fn bar_json(bar: &smc_core::event::Bar) -> Value {
    json!({
        "open_ts_ns": bar.open_ts.0, "open": bar.open.to_string(), "high": bar.high.to_string(),
        "low": bar.low.to_string(), "close": bar.close.to_string(), "volume": bar.volume.to_string(),
    })
}

fn order_json(order: &Order) -> Value {
    json!({
        "client_order_id": order.client_order_id.to_string(), "side": key(&order.side), "kind": key(&order.kind),
        "purpose": key(&order.purpose), "price": order.price.to_string(),
        "stop_price": order.stop_price.to_string(), "qty": order.qty.to_string(),
        "filled_qty": order.filled_qty.to_string(), "state": words(&order.state()), "signal_id": order.signal_id,
    })
}
