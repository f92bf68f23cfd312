//! Makes a picture of a core and of what was counted beside it.

use crate::limits;
use crate::picture::{
    ChartPicture, Held, InstrumentPicture, JournalPicture, MoneyPicture, OrderPicture, Picture, PlanPicture,
    PoolPicture, StrategyPicture, VenuePicture, ZONES_SHOWN_MAX, ZonePicture,
};
use crate::tally::Tally;
use smc_core::digest::Digest;
use smc_core::engine::Engine;
use smc_core::event::{FeedState, JournalState, RiskScope};
use smc_core::output::{Control, TradingState};
use smc_core::smc::{SmcEngine, Zone};
use smc_core::strategy::Strategy;
use smc_core::words::{ClientOrderId, InstrumentId, Money, SCALE, clamp_i64, quotient};
use smc_replay::words;
use std::collections::BTreeMap;

/// What the journal alone tells.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JournalAt {
    pub seq: u64,
    pub segment: u32,
    pub unsynced_ns: Option<u64>,
    pub checked: Option<(u64, Digest)>,
    pub is_closed: bool,
}

/// A strategy's name and what the configuration sets of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Described {
    pub name: String,
    pub parameters: BTreeMap<String, String>,
}

pub(crate) fn picture<S: Strategy>(
    core: &mut Engine<S>,
    tally: &Tally,
    strategy: &Described,
    journal: JournalAt,
) -> Picture {
    // Needs room to reckon in; what it says changes nothing.
    let var_ppm = core.var_ppm();
    let core = &*core;
    Picture {
        seq: journal.seq,
        time: core.now(),
        state: core.state(),
        held: named(core.held(), tally),
        holds: named(core.holds(), tally),
        instruments: core.positions().instruments().filter_map(|id| instrument(core, tally, id)).collect(),
        orders: orders(core, tally),
        limits: limits::uses(core, &tally.names, var_ppm),
        money: money(core, tally, var_ppm),
        strategies: vec![described(core, tally, strategy)],
        venues: (0..u8::try_from(tally.names.venues.len()).unwrap_or(u8::MAX))
            .map(|number| venue(core, tally, number))
            .collect(),
        counts: tally.counts(),
        alerts: tally.alerts.clone(),
        acts: tally.acts.clone(),
        last_order: tally.last_order,
        journal: JournalPicture {
            seq: journal.seq,
            state: journal_state(core.level(RiskScope::ENGINE, Control::Journal)),
            unsynced_ns: journal.unsynced_ns,
            segment: journal.segment,
            checked_seq: journal.checked.map(|(seq, _)| seq),
            checked_digest: journal.checked.map(|(_, digest)| digest.to_string()),
            is_closed: journal.is_closed,
        },
        digest: core.digest().to_string(),
    }
}

/// Back from the level that each state of the journal holds the engine at.
const fn journal_state(level: TradingState) -> JournalState {
    match level {
        TradingState::Normal => JournalState::Good,
        TradingState::Warn => JournalState::Low,
        TradingState::ReduceOnly | TradingState::CancelOnly => JournalState::Behind,
        TradingState::Halt => JournalState::Lost,
    }
}

fn named(held: impl Iterator<Item = (RiskScope, Control, TradingState)>, tally: &Tally) -> Vec<Held> {
    held.map(|(scope, control, state)| Held { scope, name: tally.names.scope(scope), control, state })
        .collect()
}

fn orders<S: Strategy>(core: &Engine<S>, tally: &Tally) -> Vec<OrderPicture> {
    let mut open: Vec<_> = core.open_orders().collect();
    open.sort_by_key(|order| (order.accepted_ts, order.client_order_id));
    let picture = |order: &smc_core::orders::Order| OrderPicture {
        client_order_id: match order.client_order_id {
            ClientOrderId::NONE => String::new(),
            id => id.to_string(),
        },
        venue_order_id: order.venue_order_id,
        instrument: order.instrument.0,
        symbol: tally.names.symbol(order.instrument),
        side: order.side,
        kind: order.kind,
        purpose: order.purpose,
        price: order.price,
        stop_price: order.stop_price,
        qty: order.qty,
        filled: order.filled_qty,
        status: words(&order.state()),
        sent_at: order.accepted_ts,
        strategy: order.client_order_id.strategy(),
        signal: order.signal_id,
        is_adopted: order.is_adopted,
    };
    open.into_iter().map(picture).collect()
}

fn instrument<S: Strategy>(core: &Engine<S>, tally: &Tally, id: InstrumentId) -> Option<InstrumentPicture> {
    let (book, positions, top) = (core.book(id)?, core.positions(), core.book(id)?.top());
    Some(InstrumentPicture {
        id: id.0,
        symbol: tally.names.symbol(id),
        venue: tally.names.venue(core.config().venue_of(id)),
        status: core.spec(id).map_or_else(|| "unknown".into(), |spec| words(&spec.status)),
        position: positions.qty(id),
        average: positions.average(id),
        last: book.last_trade().map(|trade| trade.price),
        bid: top.map(|top| top.bid.price),
        ask: top.map(|top| top.ask.price),
        is_trusted: book.is_trusted(),
        mark: book.mark(),
        open_pnl: positions.unrealised(id),
        realised: positions.realised(id),
        fees: positions.fees(id),
        feed: book.feed(),
        feed_since: tally.feed_since.get(id.index()).copied().flatten(),
        last_price_at: tally.price_at.get(id.index()).copied().flatten(),
        open_orders: core.orders().reserved(id).orders,
        reconcile: core.reconcile_level(id),
        reconcile_cause: core.reconcile_cause(id).map(|cause| words(&cause)),
        plan: core.plan(id).map(|plan| PlanPicture {
            signal: plan.signal_id,
            direction: plan.direction,
            entry: plan.entry,
            stop: plan.stop,
            stop_now: core.stop_now(id).unwrap_or(plan.stop),
            target: plan.target,
            expires: plan.expires,
        }),
        leaving: core.leaving(id).map(|purpose| words(&purpose)),
        charts: core.structure(id).iter().map(chart).collect(),
    })
}

fn chart(smc: &SmcEngine) -> ChartPicture {
    let (order_blocks_open, order_blocks) = zones(smc.order_blocks());
    let (gaps_open, gaps) = zones(smc.watched_gaps());
    let mut pools: Vec<_> = smc.pools().collect();
    let pools_open = pools.len() as u32;
    pools.sort_by_key(|pool| (pool.known_bar, pool.id));
    let pools = pools.iter().skip(pools.len().saturating_sub(ZONES_SHOWN_MAX)).map(|pool| PoolPicture {
        id: pool.id,
        direction: pool.direction,
        level: pool.level,
        members: pool.members,
    });
    ChartPicture {
        timeframe: smc.timeframe().to_string(),
        bars: smc.bar_count(),
        bias: smc.bias(),
        atr: smc.atr(),
        range_bottom: smc.dealing_range().map(|(_, bottom)| bottom),
        range_top: smc.dealing_range().map(|(top, _)| top),
        order_blocks_open,
        order_blocks,
        gaps_open,
        gaps,
        pools_open,
        pools: pools.collect(),
    }
}

/// How many, and the newest of them.
fn zones<'a>(all: impl Iterator<Item = &'a Zone>) -> (u32, Vec<ZonePicture>) {
    let mut all: Vec<&Zone> = all.collect();
    let count = all.len() as u32;
    all.sort_by_key(|zone| (zone.known_bar, zone.id));
    let newest = all.iter().skip(all.len().saturating_sub(ZONES_SHOWN_MAX)).map(|zone| ZonePicture {
        id: zone.id,
        direction: zone.role(),
        state: words(&zone.state),
        top: zone.top,
        bottom: zone.bottom,
        known_bar: zone.known_bar,
    });
    (count, newest.collect())
}

fn money<S: Strategy>(core: &Engine<S>, tally: &Tally, var_ppm: Option<u32>) -> MoneyPicture {
    let positions = core.positions();
    // Of an instrument, signed; none when something is held that cannot be valued.
    let value = |id| match i128::from(positions.qty(id).0) {
        0 => Some(0),
        qty => Some(quotient(qty.saturating_mul(positions.valuation(id)?.0.into()), SCALE.into())),
    };
    let values: Option<Vec<i128>> = positions.instruments().map(value).collect();
    let sum =
        |values: &Vec<i128>, of: fn(i128) -> i128| Money(clamp_i64(values.iter().map(|&v| of(v)).sum()));
    MoneyPicture {
        asset: tally.names.asset.clone(),
        equity: positions.known_equity(),
        equity_high: core.equity_high(),
        realised: core.realised(),
        open: Money(
            positions.instruments().fold(0i64, |all, id| all.saturating_add(positions.unrealised(id).0)),
        ),
        fees: core.fees(),
        gross: values.as_ref().map(|values| sum(values, i128::abs)),
        net: values.as_ref().map(|values| sum(values, |value| value)),
        var_ppm,
        drawdown_ppm: core.drawdown_ppm(),
        daily_loss_ppm: core.loss().day_loss_ppm(),
    }
}

fn described<S: Strategy>(core: &Engine<S>, tally: &Tally, strategy: &Described) -> StrategyPicture {
    let number = core.strategy().number();
    let counted = tally.strategies.get(usize::from(number)).copied().unwrap_or_default();
    StrategyPicture {
        number,
        name: strategy.name.clone(),
        state: core.scope_state(RiskScope::strategy(number)),
        signals: counted.signals,
        orders: counted.orders,
        parameters: strategy.parameters.clone(),
    }
}

fn venue<S: Strategy>(core: &Engine<S>, tally: &Tally, number: u8) -> VenuePicture {
    let facts = core.venue_facts(number);
    let budget = facts.requests_left(core.now());
    let here = core.positions().instruments().filter(|&id| core.config().venue_of(id) == number);
    let feeds = here.filter_map(|id| core.book(id)).map(|book| book.feed());
    let counted = tally.venues.get(usize::from(number)).cloned().unwrap_or_default();
    VenuePicture {
        number,
        name: tally.names.venue(number),
        gateway: core.gateway_at(number),
        feed: feeds.min_by_key(|&state| state as u8).unwrap_or(FeedState::Down),
        budget_left: budget.map(|(left, _)| left),
        budget_limit: budget.map(|(_, limit)| limit),
        banned_until: core.banned_until(number),
        clock_offset_ns: facts.clock.map(|clock| clock.offset_ns),
        key_can_trade: facts.key.map(|key| key.can_trade),
        key_can_withdraw: facts.key.map(|key| key.can_withdraw),
        reconnects: counted.reconnects,
        last_round: counted.round,
    }
}
