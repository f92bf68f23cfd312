//! Every limit with what would be held against it now.
//!
//! The gate measures an order together with what is there; what is there alone is told here, by the gate's own sums. A
//! limit on one order alone (its size, its price) has no use without an order: the largest working order of the
//! instrument stands for it where there is one.

use crate::names::Names;
use crate::picture::LimitUse;

use smc_core::engine::Engine;
use smc_core::event::{LimitName, RiskScope};
use smc_core::output::Purpose;
use smc_core::strategy::Strategy;
use smc_core::words::{InstrumentId, Qty, SCALE, clamp_i64, div_ceil, scale_ceil};

/// One in a million, in 1e-8.
const PPM: i128 = 100;
/// A thousandth, in 1e-8.
const MILLI: i128 = 100_000;
const ONE: i128 = SCALE as i128;

/// What a limit is counted in.
#[derive(Clone, Copy)]
enum Unit {
    Base,
    Asset,
    Count,
    Ppm,
    Milli,
    Nanos,
}

impl Unit {
    /// A number of the limit's own unit in 1e-8 of the one that is shown.
    fn shown(self, raw: i128) -> i128 {
        match self {
            Self::Base | Self::Asset => raw,
            Self::Count => raw.saturating_mul(ONE),
            Self::Ppm => raw.saturating_mul(PPM),
            Self::Milli => raw.saturating_mul(MILLI),
            // Seconds; a tenth of a microsecond is lost.
            Self::Nanos => div_ceil(raw, 10),
        }
    }
}

struct List<'a> {
    names: &'a Names,
    uses: Vec<LimitUse>,
}

impl List<'_> {
    /// `limit` and `used` in the limit's own unit.
    fn note(
        &mut self,
        scope: RiskScope,
        name: &'static str,
        unit: Unit,
        limit: impl Into<i128>,
        used: Option<i128>,
    ) {
        let raw: i128 = limit.into();
        let limit = unit.shown(raw);
        let used = used.map(|used| unit.shown(used));
        let use_ppm = used.filter(|_| limit > 0).map(|used| {
            let ppm = div_ceil(used.max(0).saturating_mul(1_000_000), limit);
            u64::try_from(ppm).unwrap_or(u64::MAX)
        });
        let is_settable = LimitName::ALL.iter().any(|known| known.field() == name);
        self.uses.push(LimitUse {
            scope,
            scope_name: self.names.scope(scope),
            name: name.into(),
            unit: match unit {
                Unit::Base => "base".into(),
                Unit::Asset => self.names.asset.clone(),
                Unit::Count => "count".into(),
                Unit::Ppm => "ratio".into(),
                Unit::Milli => "times".into(),
                Unit::Nanos => "seconds".into(),
            },
            limit: Qty(clamp_i64(limit)),
            used: used.map(|used| Qty(clamp_i64(used))),
            use_ppm,
            raw: is_settable.then(|| clamp_i64(raw)),
        });
    }
}

/// All limits: the engine's, then the venues', the instruments', the strategy's.
pub(crate) fn uses<S: Strategy>(core: &Engine<S>, names: &Names, var_ppm: Option<u32>) -> Vec<LimitUse> {
    let mut list = List { names, uses: Vec::new() };
    let strategy = core.strategy().number();
    account(core, &mut list, var_ppm);
    for number in 0..u8::try_from(names.venues.len()).unwrap_or(u8::MAX) {
        venue(core, &mut list, number);
    }
    for id in core.positions().instruments() {
        instrument(core, &mut list, id, strategy);
    }
    of_strategy(core, &mut list, strategy);
    list.uses
}

fn account<S: Strategy>(core: &Engine<S>, list: &mut List<'_>, var_ppm: Option<u32>) {
    let (gate, scope, now) = (core.gate(), RiskScope::ENGINE, core.now());
    let limits = gate.account_limits();
    let worst = core.worst_case();
    let equity =
        core.positions().known_equity().map(|equity| i128::from(equity.0)).filter(|&known| known > 0);
    let leverage =
        worst.zip(equity).map(|(worst, equity)| div_ceil(worst.gross.saturating_mul(1_000), equity));
    list.note(scope, "gross_max", Unit::Asset, limits.gross_max.0, worst.map(|worst| worst.gross));
    list.note(scope, "net_max", Unit::Asset, limits.net_max.0, worst.map(|worst| worst.net));
    list.note(scope, "leverage_max_milli", Unit::Milli, limits.leverage_max_milli, leverage);
    let open = core.orders().len() as i128;
    list.note(scope, "open_orders_max", Unit::Count, limits.open_orders_max, Some(open));
    let messages = gate.messages(scope, now);
    list.note(scope, "messages_max", Unit::Count, limits.messages_max, Some(messages.into()));
    // The part of what is free that one more order may take: nothing is taken before there is one.
    list.note(scope, "margin_use_ppm_max", Unit::Ppm, limits.margin_use_ppm_max, None);
    if let Some(var_max) = limits.var_ppm_max {
        list.note(scope, "var_ppm_max", Unit::Ppm, var_max, var_ppm.map(i128::from));
    }
    let entries =
        core.open_orders().filter(|order| order.purpose == Purpose::Entry && order.leaves_qty().0 > 0);
    let oldest = entries.map(|order| now.since(order.accepted_ts)).max().unwrap_or(0);
    list.note(scope, "order_lifetime_ns_max", Unit::Nanos, limits.order_lifetime_ns_max, Some(oldest.into()));
    let loss = core.loss_limits();
    list.note(
        scope,
        "daily_loss_ppm",
        Unit::Ppm,
        loss.daily_loss_ppm,
        Some(core.loss().day_loss_ppm().into()),
    );
    list.note(scope, "drawdown_ppm", Unit::Ppm, loss.drawdown_ppm, Some(core.drawdown_ppm().into()));
    let breakers = &core.config().breakers;
    list.note(scope, "rejects_max", Unit::Count, breakers.rejects_max, Some(core.rejects_in_window().into()));
}

fn venue<S: Strategy>(core: &Engine<S>, list: &mut List<'_>, number: u8) {
    let (gate, scope, facts) = (core.gate(), RiskScope::venue(number), core.venue_facts(number));
    let account = gate.account_limits();
    let open = core.open_orders().filter(|order| core.config().venue_of(order.instrument) == number).count();
    of_scope(core, list, scope, open);
    let offset = facts.clock.map(|clock| i128::from(clock.offset_ns.unsigned_abs()));
    list.note(scope, "clock_offset_ns_max", Unit::Nanos, account.clock_offset_ns_max, offset);
    // Of the requests that are not kept for cancels and queries, how many are gone.
    if let Some((left, limit)) = facts.requests_left(core.now()) {
        let kept = div_ceil(i128::from(limit) * i128::from(account.budget_reserve_ppm), 1_000_000);
        let (usable, gone) = (i128::from(limit) - kept, i128::from(limit - left));
        list.note(scope, "requests", Unit::Count, usable, Some(gone));
    }
}

fn of_strategy<S: Strategy>(core: &Engine<S>, list: &mut List<'_>, number: u8) {
    let (gate, scope) = (core.gate(), RiskScope::strategy(number));
    let account = gate.account_limits();
    let (watched, breakers) = (core.watched(number), &core.config().breakers);
    let open = core.open_orders().filter(|order| order.client_order_id.strategy() == number).count();
    of_scope(core, list, scope, open);
    let denials = gate.denials(number, core.now());
    list.note(scope, "runaway_denials_max", Unit::Count, account.runaway_denials_max, Some(denials.into()));
    let losses = watched.losses_in_a_row;
    list.note(scope, "loss_streak_max", Unit::Count, breakers.loss_streak_max, Some(losses.into()));
    let bad = watched.bad_fills;
    list.note(scope, "slippage_fills_max", Unit::Count, watched.bad_fills_max, Some(bad.into()));
    if let Some(plan) = breakers.day_notional_plan {
        let filled = watched.day_notional.0;
        list.note(scope, "day_notional_max", Unit::Asset, 2 * i128::from(plan.0), Some(filled.into()));
    }
}

/// What a venue and a strategy share.
fn of_scope<S: Strategy>(core: &Engine<S>, list: &mut List<'_>, scope: RiskScope, open: usize) {
    let Some(limits) = core.gate().scope_limits(scope) else { return };
    if let Some(most) = limits.gross_max {
        list.note(scope, "gross_max", Unit::Asset, most.0, core.worst_case().map(|worst| worst.gross));
    }
    if let Some(most) = limits.open_orders_max {
        list.note(scope, "open_orders_max", Unit::Count, most, Some(open as i128));
    }
    if let Some(most) = limits.messages_max {
        let messages = core.gate().messages(scope, core.now());
        list.note(scope, "messages_max", Unit::Count, most, Some(messages.into()));
    }
}

fn instrument<S: Strategy>(core: &Engine<S>, list: &mut List<'_>, id: InstrumentId, strategy: u8) {
    let (gate, scope) = (core.gate(), RiskScope::instrument(id));
    let Some(limits) = gate.limits(id) else { return };
    let (positions, reserved) = (core.positions(), core.orders().reserved(id));
    let held = i128::from(positions.qty(id).0);
    let longest = held.saturating_add(reserved.buy_qty);
    let shortest = held.saturating_sub(reserved.sell_qty);
    let worst = longest.abs().max(shortest.abs());
    list.note(scope, "position_qty_max", Unit::Base, limits.position_qty_max.0, Some(worst));
    list.note(scope, "open_orders_max", Unit::Count, limits.open_orders_max, Some(reserved.orders.into()));
    let largest = core.orders().of(id).map(|order| i128::from(order.qty.0)).max();
    let most = core.spec(id).map_or(limits.order_qty_max, |spec| limits.order_qty_max.min(spec.qty_max));
    list.note(scope, "order_qty_max", Unit::Base, most.0, largest);
    let value = largest.zip(positions.valuation(id));
    let value = value.map(|(qty, unit)| scale_ceil(qty.saturating_mul(unit.0.into())));
    list.note(scope, "order_notional_max", Unit::Asset, limits.order_notional_max.0, value);
    list.note(scope, "collar_ppm", Unit::Ppm, limits.collar_ppm, None);
    list.note(scope, "collar_passive_ppm", Unit::Ppm, limits.collar_passive_ppm, None);
    let reference = core.book(id).and_then(|book| book.reference());
    let age = reference.map(|reference| core.now().since(reference.ts).into());
    list.note(scope, "reference_age_max_ns", Unit::Nanos, limits.reference_age_max_ns, age);
    let repeats = gate.repeats(id, strategy);
    list.note(scope, "repeat_max", Unit::Count, limits.repeat_max, Some(repeats.into()));
    let fills = core.fills_in_minute(id);
    let most = core.config().breakers.fills_per_minute_max;
    list.note(scope, "fills_per_minute_max", Unit::Count, most, Some(fills.into()));
}
