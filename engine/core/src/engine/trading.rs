//! Everything that asks for orders or hears of them: intents, the bracket's steps, venue reports.
//!
//! The one way out for an order is [`Engine::decide`]: it says the gate's decision, and gives the approved order to
//! be sent. What is wanted next is the bracket's to say (`bracket`), how it is ordered is in `steps`, how much is
//! `sizing`'s.

use super::Engine;
use super::bracket::{Leg, Motive, Step};
use super::evidence;
use super::guard::Guard;
use super::market::{Market, Permissions};
use super::plan::Plan;
use super::why::{CAPS, Cap, Ignorance, Ignored, Move, Notes, Sizing};
use crate::config::{ConfigError, EngineConfig, SizingMethod};
use crate::event::{AssetRate, FeedState, OrderUpdate, REJECT_RING_FULL, RiskScope};
use crate::instrument::{Contract, ContractKind};
use crate::orders::{Fill, Order, OrderEffect, OrderState, Orders};
use crate::outbox::Outbox;
use crate::output::{
    Alert, AlertKind, NewOrder, OrderKind, Output, Purpose, Signal, TimeInForce, TradingState,
};
use crate::position::{PositionBook, Security};
use crate::risk::{ApprovedOrder, Beside, Gate, GateView, Limits, Margining, STRATEGIES_MAX};
use crate::sizing::policy::{self, Stake, Verdict};
use crate::sizing::{Rate, Size, SizeReason, heat, qty_for_loss, size_entry};
use crate::strategy::{EntryKind, Intent, Intents, Strategy};
use crate::words::{
    ClientOrderId, InstrumentId, Money, Price, Qty, SCALE, Side, TsNs, div_ceil, mul_div, ppm_of,
};
use alloc::vec::Vec;

/// Steps one bracket may take at one event: cancels of five legs and a stray, two orders, with room to spare.
const STEPS_MAX: u32 = 12;
const ONE_PPM: i64 = 1_000_000;
/// Part of an order's limits that an entry leaves to its exit, for a price that runs beyond the plan.
const EXIT_ROOM_PPM: i64 = 20_000;

/// The gate with the configuration's limits.
pub(super) fn gate(config: &EngineConfig) -> Result<Gate, ConfigError> {
    let limits: Vec<Option<Limits>> = config.instruments.iter().map(|i| Some(i.limits)).collect();
    let mut gate = Gate::new(config.account_limits, &limits).map_err(ConfigError::Limit)?;
    let venues = || config.instruments.iter().map(|instrument| instrument.venue);
    gate.set_venues(venues());
    for venue in 0..=venues().max().unwrap_or(0) {
        gate.set_scope_limits(RiskScope::venue(venue), config.venue_limits).map_err(ConfigError::Limit)?;
    }
    for strategy in 0..STRATEGIES_MAX as u8 {
        let scope = RiskScope::strategy(strategy);
        gate.set_scope_limits(scope, config.strategy_limits).map_err(ConfigError::Limit)?;
    }
    Ok(gate)
}

/// The empty book of the configuration's accounts.
pub(super) fn positions(config: &EngineConfig) -> PositionBook {
    let mut book = PositionBook::new(config.instruments.len(), config.quote_asset, config.starting_equity);
    let ids = (0..config.instruments.len() as u16).map(InstrumentId);
    book.set_venues(ids.map(|id| config.venue_of(id)), |venue| config.venue_asset(venue));
    for &(asset, price) in &config.fixed_rates {
        book.on_rate(&AssetRate { asset, price });
    }
    book
}

/// What assets are worth.
impl<S: Strategy> Engine<S> {
    /// A venue tells rates in the asset of its account. What the configuration has fixed stays.
    pub(super) fn on_rate(&mut self, instrument: InstrumentId, rate: &AssetRate) {
        let quote = self.config.quote_asset;
        let kept_in = self.config.venue_asset(self.config.venue_of(instrument)).unwrap_or(quote);
        let told = if rate.asset == quote { kept_in } else { rate.asset };
        if !self.config.fixed_rates.iter().any(|&(asset, _)| asset == told) {
            self.positions.on_rate_in(kept_in, rate);
        }
    }
}

/// What the strategy wants.
impl<S: Strategy> Engine<S> {
    /// Carries out intents about one instrument that became known at `known_at`.
    pub(super) fn act(&mut self, at: usize, known_at: TsNs, intents: &Intents, outbox: &mut Outbox) {
        for intent in intents.iter() {
            match intent {
                Intent::Enter { .. } => self.enter(at, known_at, intent, outbox),
                Intent::Exit => {
                    if let Some(market) = self.markets.get_mut(at)
                        && market.bracket.is_engaged()
                    {
                        market.bracket.leave(Purpose::Target);
                        self.manage(at, outbox);
                    }
                }
            }
        }
    }

    /// Says the signal, sizes it, asks the gate. One trade per instrument; old news is not traded.
    fn enter(&mut self, at: usize, known_at: TsNs, intent: &Intent, outbox: &mut Outbox) {
        let Some(market) = self.markets.get(at) else { return };
        let (age_ns, age_ns_max) = (self.now.since(known_at), self.config.execution.signal_age_ns_max);
        let is_busy = market.bracket.is_engaged()
            || self.orders.of(market.id).next().is_some()
            || market.is_holding(&self.positions);
        let (id, planned) = (market.id, self.plan_of(market, intent));
        let reason = match &planned {
            _ if age_ns > age_ns_max => Some(Ignorance::Old { age_ns, age_ns_max }),
            _ if is_busy => Some(Ignorance::Busy),
            None => Some(Ignorance::Misordered),
            Some((plan, _)) => market.is_missed(plan).then_some(Ignorance::Missed),
        };
        if let Some(reason) = reason {
            self.counters.intents_ignored += 1;
            self.note(|notes| notes.ignore(Ignored { instrument: id, intent: *intent, reason }));
            return;
        }
        let Some((plan, reasons)) = planned else { return };
        self.check_loss(outbox);
        let Some(market) = self.markets.get(at) else { return };
        let sizing = self.size(market, &plan);
        let qty = sizing.map_or(Qty::ZERO, |sizing| sizing.size.qty);
        if let Some(sizing) = sizing {
            self.note(|notes| notes.size(sizing));
        }
        self.signal_id = plan.signal_id;
        self.counters.signals += 1;
        outbox.push(Output::Signal(Signal {
            id: plan.signal_id,
            strategy: self.strategy.number(),
            instrument: id,
            direction: plan.direction,
            entry: plan.entry,
            stop: plan.stop,
            target: plan.target,
            reasons,
        }));
        let (kind, time_in_force) = match plan.kind {
            EntryKind::Rest => (OrderKind::Limit, TimeInForce::Gtc),
            EntryKind::RestMakerOnly => (OrderKind::LimitMaker, TimeInForce::Gtc),
            EntryKind::Take => (OrderKind::Limit, TimeInForce::Ioc),
        };
        let (client_order_id, terms) = self.entry_terms(at, &plan);
        let order = NewOrder {
            client_order_id,
            instrument: id,
            side: plan.direction.side(),
            kind,
            time_in_force,
            price: plan.entry,
            stop_price: Price::ZERO,
            qty,
            purpose: Purpose::Entry,
            signal_id: plan.signal_id,
            terms,
        };
        self.gate.open_parent(id, plan.signal_id, qty);
        let Some(approved) = self.decide(at, &order, None, outbox) else { return };
        self.send(approved, outbox);
        if let Some(market) = self.markets.get_mut(at) {
            let attached_to = (terms.stop_on_fill > Price::ZERO).then_some(client_order_id);
            market.bracket.begin(plan, Leg::sent(client_order_id, qty, Price::ZERO), attached_to);
        }
    }

    /// The intent on the instrument's grid.
    fn plan_of(&self, market: &Market, intent: &Intent) -> Option<(Plan, [u32; crate::output::REASONS_MAX])> {
        let &Intent::Enter { direction, entry, stop, target, kind, reasons, expires, manage } = intent else {
            return None;
        };
        let lifetime = self.config.execution.entry_lifetime_ns_max;
        let plan = Plan {
            signal_id: self.signal_id.saturating_add(1),
            direction,
            entry: market.on_tick(entry, direction),
            stop: market.on_tick(stop, direction),
            target: market.on_tick(target, direction),
            kind,
            expires: expires.min(TsNs(self.now.0.saturating_add(lifetime))),
            manage,
        };
        let plan = plan.resolve(market.tick())?;
        plan.is_ordered().then_some((plan, reasons))
    }

    /// So much that the stop costs the share of equity at risk; no more than limits, heat and free balance allow. 0
    /// when that is too little to trade: the gate then says so.
    fn size(&self, market: &Market, plan: &Plan) -> Option<Sizing> {
        let spec = market.spec.as_ref()?;
        let sizing = &self.config.sizing;
        // Everything here is counted in what the instrument is quoted in; without a rate there is nothing.
        let in_quote = |amount| self.positions.in_quote(market.id, amount).unwrap_or(Money::ZERO);
        let equity = in_quote(self.positions.equity());
        let fee = Rate::from_ppm(sizing.fee_ppm);
        let spread = market.book.spread().unwrap_or(Price::ZERO);
        let stake = (sizing.method == SizingMethod::Kelly).then(|| self.stake(market, plan));
        let risk_fraction =
            stake.map_or(Rate::from_ppm(sizing.risk_fraction_ppm), |stake| stake.risk_fraction);
        let caps = self.caps(market, plan, equity, fee);
        let qty_max = caps.iter().map(|(_, qty)| *qty).min().unwrap_or_default();
        let lots_max = market.whole_lots(qty_max);
        let (entry, stop) = (plan.entry, plan.stop);
        let mut size = size_entry(equity, risk_fraction, entry, stop, spread, fee, lots_max, spec);
        if let Some(reason) = stake.and_then(|stake| refusal(stake.verdict)) {
            size = Size { qty: Qty::ZERO, reason, ..size };
        }
        let (signal_id, spec) = (plan.signal_id, *spec);
        Some(Sizing { signal_id, equity, risk_fraction, stake, entry, stop, spread, fee, spec, caps, size })
    }

    fn stake(&self, market: &Market, plan: &Plan) -> Stake {
        let fee = Rate::from_ppm(self.config.sizing.fee_ppm);
        let drawdown = self.guard.loss.depth();
        let evidence = self.observed.evidence(market, plan, &self.positions, drawdown, fee);
        policy::stake(&self.config.sizing.kelly, &evidence)
    }

    /// The largest quantity by each limit.
    fn caps(&self, market: &Market, plan: &Plan, equity: Money, fee: Rate) -> [(Cap, Qty); CAPS] {
        let (sizing, contract) = (&self.config.sizing, market.contract());
        let most = Money(ppm_of(equity.0, sizing.notional_fraction_ppm_max));
        let limits = self.gate.limits(market.id).copied().unwrap_or(Limits::NOTHING);
        let position = self.positions.qty(market.id).0.saturating_mul(plan.direction.side().sign());
        let in_quote = |amount| self.positions.in_quote(market.id, amount).unwrap_or(Money::ZERO);
        let order_notional_max = in_quote(limits.order_notional_max);
        let limits = Limits { order_notional_max, ..limits };
        let (by_qty, by_value) = self.closable_qty(&limits, plan, contract, market.book.mark());
        let loads = evidence::loads(&self.markets, &self.orders, &self.positions, fee);
        let entry = (market.id.index(), plan.direction);
        let room =
            heat::room(&sizing.heat, self.positions.equity(), &loads, &self.observed.correlations, entry);
        let per_price = contract.gain_per_price(plan.entry);
        let for_loss = |loss| qty_for_loss(in_quote(loss), plan.entry, plan.stop, per_price, fee);
        let fixed = match sizing.method {
            SizingMethod::FixedQuantity => sizing.quantity,
            SizingMethod::FixedFraction | SizingMethod::Kelly => Qty(i64::MAX),
        };
        [
            (Cap::OrderQty, by_qty),
            (Cap::OrderNotional, by_value),
            (Cap::EquityFraction, quantity_for(most, contract.unit_value(plan.entry))),
            (Cap::Position, Qty(limits.position_qty_max.0.saturating_sub(position))),
            (Cap::Balance, self.affordable_qty(market, plan)),
            (Cap::OpenHeat, for_loss(room.open)),
            (Cap::ClusterHeat, for_loss(room.cluster)),
            (Cap::FixedQuantity, fixed),
        ]
    }

    /// So much that one order can still close it: the limits of an order hold for the exit too, which may have to
    /// buy back fees taken in the base asset, and at the target's or a worse price. By an order's largest
    /// quantity, and by its largest value.
    fn closable_qty(&self, limits: &Limits, plan: &Plan, contract: Contract, mark: Price) -> (Qty, Qty) {
        let room = ONE_PPM + 2 * i64::from(self.config.sizing.fee_ppm) + EXIT_ROOM_PPM;
        let by_qty = Qty(mul_div(limits.order_qty_max.0, ONE_PPM, room));
        let dearest = plan.entry.max(mark).max(plan.stop).max(plan.target);
        let value = Money(mul_div(limits.order_notional_max.0, ONE_PPM, room));
        (by_qty, quantity_for(value, contract.unit_value(dearest)))
    }

    /// What the free balance pays for: quote and fee for a purchase, base for a sale. Of a contract, what the free
    /// margin secures.
    fn affordable_qty(&self, market: &Market, plan: &Plan) -> Qty {
        let Some(spec) = &market.spec else { return Qty::ZERO };
        if spec.contract.kind != ContractKind::Spot {
            let free = self.positions.free_margin_at(self.config.venue_of(market.id), &self.orders);
            let free = free.and_then(|free| self.positions.in_quote(market.id, free)).unwrap_or(Money::ZERO);
            let secured = mul_div(free.0, ONE_PPM, i64::from(spec.contract.margin_initial_ppm.max(1)));
            return quantity_for(Money(secured), spec.contract.unit_value(plan.entry));
        }
        let venue = self.config.venue_of(market.id);
        match plan.direction.side() {
            Side::Sell => self.account.free(venue, spec.base),
            Side::Buy => {
                let free = self.account.free(venue, spec.quote).0;
                let spendable = mul_div(free, ONE_PPM, ONE_PPM + i64::from(self.config.sizing.fee_ppm));
                quantity_for(Money(spendable), plan.entry)
            }
        }
    }
}

/// What the bracket wants.
impl<S: Strategy> Engine<S> {
    pub(super) fn manage_all(&mut self, outbox: &mut Outbox) {
        for at in 0..self.markets.len() {
            self.manage(at, outbox);
        }
    }

    /// Takes the bracket's steps until it wants nothing more at this event.
    pub(super) fn manage(&mut self, at: usize, outbox: &mut Outbox) {
        for _ in 0..STEPS_MAX {
            let permissions = self.permissions(at);
            let Some(market) = self.markets.get_mut(at) else { return };
            if !market.bracket.is_engaged() && self.orders.reserved(market.id).orders == 0 {
                return;
            }
            market.bracket.sync(&self.orders);
            market.note_held(&self.positions);
            let facts = permissions.facts(market, &self.positions, &self.orders);
            let Some((step, motive)) = market.bracket.next_step(&facts) else { return };
            if self.notes.is_some() {
                self.note_move(at, step, motive, facts.held);
            }
            match step {
                Step::Cancel(id) => self.cancel(at, id, outbox),
                Step::ReplaceStop(id, qty) => self.replace_stop(at, id, qty, outbox),
                Step::PlaceStop(qty) => self.place_stop(at, qty, outbox),
                Step::PlaceExit(qty, why) => self.place_exit(at, qty, why, outbox),
                Step::Finish => self.finish(at),
            }
        }
    }

    fn permissions(&self, at: usize) -> Permissions {
        let (id, strategy) = (InstrumentId(at as u16), self.strategy.number());
        let standing = self.standing(at);
        Permissions {
            now: self.now,
            is_gateway_ready: self.is_path_up(id),
            may_enter: self.guard.for_entries(id, strategy).max(standing) <= TradingState::Warn,
            may_close: self.guard.for_exits(id, strategy).max(standing) <= TradingState::ReduceOnly,
            is_halted: self.guard.is_killed(id, strategy),
            retry_ns: self.config.execution.retry_ns,
        }
    }

    /// Cancels always pass. One whose order is over at the venue is not repeated: its fills are on the way.
    pub(super) fn cancel(&mut self, at: usize, id: ClientOrderId, outbox: &mut Outbox) {
        let Some(market) = self.markets.get_mut(at) else { return };
        market.bracket.note_cancel(id, self.now);
        if let Some(cancel) = self.orders.begin_cancel(id) {
            self.counters.cancels += 1;
            outbox.push(Output::Cancel(cancel));
        }
    }

    fn finish(&mut self, at: usize) {
        if let Some(market) = self.markets.get_mut(at) {
            market.finish(&self.positions);
        }
    }

    /// A stop whose price was reached must have closed the position soon after; else it is left for a market
    /// order.
    pub(super) fn check_stop_filled(&mut self, at: usize) {
        let Some(market) = self.markets.get_mut(at) else { return };
        let wait = self.config.execution.stop_fill_ns_max;
        if market.bracket.stop_reached.is_some_and(|reached| self.now.since(reached) >= wait) {
            market.bracket.leave(Purpose::Stop);
        }
    }

    /// No position stays without a working stop (or exit) for longer than the limit.
    pub(super) fn check_protection(&mut self, at: usize, outbox: &mut Outbox) {
        let id = InstrumentId(at as u16);
        let state = self.guard.for_exits(id, self.strategy.number()).max(self.standing(at));
        let may_close = state <= TradingState::ReduceOnly;
        let Some(market) = self.markets.get_mut(at) else { return };
        // A replacement is no cover before it has taken the stop's place, and then it is the stop.
        let is_covered = market.bracket.stop.is_live() || market.bracket.exit.is_live();
        if is_covered || !market.is_holding(&self.positions) {
            market.bracket.naked_since = None;
            market.bracket.is_naked_told = false;
            return;
        }
        let since = *market.bracket.naked_since.get_or_insert(self.now);
        if self.now.since(since) < self.config.execution.naked_ns_max {
            return;
        }
        // What was taken over is not ours to close.
        if may_close && (!market.reconcile.is_adopted() || market.bracket.plan.is_some()) {
            market.bracket.leave(Purpose::Flatten);
        }
        self.tell_unprotected(at, outbox);
        self.manage(at, outbox);
    }

    pub(super) fn tell_unprotected(&mut self, at: usize, outbox: &mut Outbox) {
        let Some(market) = self.markets.get_mut(at) else { return };
        if market.is_holding(&self.positions) && !core::mem::replace(&mut market.bracket.is_naked_told, true)
        {
            let id = market.id;
            let qty = self.positions.qty(id).0;
            self.alert(AlertKind::Unprotected, id, ClientOrderId::NONE, qty, outbox);
        }
    }

    pub(super) fn next_order_id(&mut self) -> ClientOrderId {
        let id = ClientOrderId::new(self.config.instance, self.strategy.number(), self.order_sequence);
        self.order_sequence += 1;
        id
    }

    /// Writes something down, if somebody wants to know why. Notes about events before this one are forgotten.
    #[inline]
    fn note(&mut self, write: impl FnOnce(&mut Notes)) {
        let event = self.counters.events;
        let Some(notes) = &mut self.notes else { return };
        if !notes.is_of(event) {
            notes.begin(event);
            self.gate.keep_asked();
        }
        write(notes);
    }

    #[cold]
    fn note_move(&mut self, at: usize, step: Step, motive: Motive, held: Qty) {
        let Some(market) = self.markets.get(at) else { return };
        let bracket = &market.bracket;
        let taken = Move {
            instrument: market.id,
            step,
            motive,
            plan: bracket.plan,
            leaving: bracket.leaving,
            legs: bracket.legs().map(|leg| leg.order.map(|order| order.id)),
            stop: bracket.progress.stop,
            held,
        };
        self.note(|notes| notes.step(taken));
    }

    /// The only way to an approval: the gate's decision is said whatever it is. `beside` is an open order that this one
    /// replaces or is paired with.
    pub(super) fn decide(
        &mut self,
        at: usize,
        order: &NewOrder,
        beside: Option<Beside>,
        outbox: &mut Outbox,
    ) -> Option<ApprovedOrder> {
        self.note(|_| ());
        let var_ppm = self.var_after(order);
        let market = self.markets.get(at)?;
        let view =
            view_for(&self.config, &self.guard, &self.orders, market, order, self.now, &self.positions);
        let state = view.state.max(self.venue_state(market, order.purpose));
        let view = GateView { state, var_ppm, ..view };
        let verdict = match beside {
            None => self.gate.check(order, &view, &mut self.orders),
            Some(beside) => self.gate.check_beside(order, beside, &view, &mut self.orders),
        };
        outbox.push(Output::Decision(verdict.decision));
        match verdict.outcome {
            Ok(_) => {
                self.counters.orders_sent += 1;
                if order.kind == OrderKind::Market {
                    self.expect_fill(order.client_order_id, verdict.decision.price);
                }
            }
            Err(_) => {
                self.counters.orders_denied += 1;
                if let Some(control) = verdict.tripped {
                    self.trip(control, outbox);
                }
            }
        }
        verdict.outcome.ok()
    }

    /// Hands an approved order on.
    pub(super) fn send(&self, approved: ApprovedOrder, outbox: &mut Outbox) {
        outbox.push(Output::NewOrder(approved));
    }

    /// What reconciliation allows; cancels only while the order path is down or we are banned. An entry also needs a live feed and known balances.
    fn venue_state(&self, market: &Market, purpose: Purpose) -> TradingState {
        let venue = self.config.venue_of(market.id);
        let is_path_up = self.is_path_up(market.id);
        let is_account_told =
            self.config.venue_asset(venue).is_some_and(|asset| self.account.get(venue, asset).is_some());
        let knows_world = market.book.feed() == FeedState::Live && is_account_told;
        if self.is_banned(venue) {
            TradingState::CancelOnly
        } else if is_path_up && (knows_world || purpose != Purpose::Entry) {
            market.reconcile.level()
        } else {
            TradingState::CancelOnly
        }
    }
}

/// What the gate is told.
impl<S: Strategy> Engine<S> {
    /// The view for an order that already works.
    pub(super) fn view_for<'a>(&'a self, market: &'a Market, order: &NewOrder) -> GateView<'a> {
        view_for(&self.config, &self.guard, &self.orders, market, order, self.now, &self.positions)
    }
}

/// What the venue says.
impl<S: Strategy> Engine<S> {
    pub(super) fn on_order(&mut self, instrument: InstrumentId, update: &OrderUpdate, outbox: &mut Outbox) {
        let id = update.client_order_id;
        match self.orders.on_update(instrument, update, self.now) {
            OrderEffect::Filled(fill) => self.on_fill(&fill, outbox),
            OrderEffect::Closed(order) => self.on_closed(&order, outbox),
            OrderEffect::CancelRejected(_, code) => {
                self.alert(AlertKind::OrderUnknown, instrument, id, i64::from(code), outbox);
            }
            OrderEffect::Unknown(_) => self.alert(AlertKind::OrderUnknown, instrument, id, 0, outbox),
            OrderEffect::UnknownOrder => self.on_unknown_order(instrument, update, outbox),
            OrderEffect::Working(_) | OrderEffect::AwaitingFills(_) | OrderEffect::Ignored(_) => {}
        }
        self.manage(instrument.index(), outbox);
    }

    pub(super) fn on_fill(&mut self, fill: &Fill, outbox: &mut Outbox) {
        let at = fill.order.instrument.index();
        let Some(market) = self.markets.get_mut(at) else { return };
        let before = self.positions.qty(market.id);
        let change = self.positions.on_fill(fill, market.order_min_at(fill.price));
        self.gate.on_fill(fill, &change);
        self.counters.fills += 1;
        outbox.push(Output::Position(change.position));
        if fill.overfill > Qty::ZERO {
            let (id, detail) = (fill.order.client_order_id, fill.overfill.0);
            self.alert(AlertKind::Overfill, fill.order.instrument, id, detail, outbox);
        }
        self.watch_fill(fill, &change, outbox);
        let Some(market) = self.markets.get_mut(fill.order.instrument.index()) else { return };
        let is_of_plan = market.bracket.plan.is_some_and(|plan| plan.signal_id == fill.order.signal_id);
        if fill.order.purpose == Purpose::Entry && is_of_plan {
            market.bracket.entered = Qty(market.bracket.entered.0.saturating_add(fill.qty.0));
        }
        if let Some(profit) = change.trip {
            let planned = self.positions.in_account(market.id, market.planned_risk());
            market.record.count(profit, planned.unwrap_or(Money(i64::MAX)));
        }
        if fill.order.purpose != Purpose::Entry {
            self.on_closing_fill(fill);
        }
        self.reconcile_on_fill(at, before);
    }

    /// An order that ended without (or before) filling: what it leaves undone is the bracket's next step.
    pub(super) fn on_closed(&mut self, order: &Order, outbox: &mut Outbox) {
        if !order.is_adopted {
            self.gate.on_closed(order, self.now);
        }
        if let OrderState::Rejected(code) = order.state() {
            self.counters.rejects += 1;
            let kind = match code {
                REJECT_RING_FULL => AlertKind::OutboundFull,
                _ => AlertKind::VenueReject,
            };
            self.alert(kind, order.instrument, order.client_order_id, i64::from(code), outbox);
            self.watch_reject(order.instrument, outbox);
        }
        let is_refused = matches!(order.state(), OrderState::Rejected(_) | OrderState::Expired);
        if order.purpose != Purpose::Entry {
            self.on_closing_closed(order, is_refused, outbox);
        }
    }

    pub(super) fn alert(
        &mut self,
        kind: AlertKind,
        instrument: InstrumentId,
        client_order_id: ClientOrderId,
        detail: i64,
        outbox: &mut Outbox,
    ) {
        self.counters.alerts += 1;
        outbox.push(Output::Alert(Alert { kind, instrument, client_order_id, detail, ts: self.now }));
    }
}

/// What the gate is told about an order. Of the parts and not of the engine: the gate changes while it is read.
fn view_for<'a>(
    config: &EngineConfig,
    guard: &'a Guard,
    orders: &Orders,
    market: &'a Market,
    order: &NewOrder,
    now: TsNs,
    positions: &'a PositionBook,
) -> GateView<'a> {
    let strategy = order.client_order_id.strategy();
    let state = match order.purpose {
        Purpose::Entry => guard.for_entries(market.id, strategy),
        Purpose::Stop | Purpose::Target | Purpose::Flatten => guard.for_exits(market.id, strategy),
    };
    GateView {
        now,
        state,
        loss_level: guard.loss.worst(),
        spec: market.spec.as_ref(),
        // Two sources that disagree are none.
        reference: market.book.reference().filter(|_| !market.flash.is_diverged(now, &config.breakers)),
        positions,
        venue: guard.facts(market.id),
        margin: margining(config, market, order, positions, orders),
        var_ppm: None,
    }
}

/// What an order takes of what is free: on spot quote currency and fee for a purchase, the asset itself for a sale; margin
/// of a contract.
fn margining(
    config: &EngineConfig,
    market: &Market,
    order: &NewOrder,
    positions: &PositionBook,
    orders: &Orders,
) -> Margining {
    let price = if order.kind == OrderKind::Market { market.book.mark() } else { order.price };
    match positions.security(order, price, orders) {
        None => Margining::Unknown,
        Some(Security::Margin { needed, free }) => Margining::Part { needed, free },
        Some(Security::Balance { needed, free, .. }) => {
            let fee_ppm = if order.side == Side::Buy { config.sizing.fee_ppm } else { 0 };
            let needed = i128::from(needed.0) * i128::from(ONE_PPM + i64::from(fee_ppm));
            let needed = div_ceil(needed, ONE_PPM.into());
            Margining::Whole { needed, free: free.0.into() }
        }
    }
}

/// Why a stake is nothing, if it is.
const fn refusal(verdict: Verdict) -> Option<SizeReason> {
    match verdict {
        Verdict::Edge | Verdict::Capped | Verdict::Probation => None,
        Verdict::NoEdge => Some(SizeReason::NoEdge),
        Verdict::Drawdown => Some(SizeReason::Drawdown),
        Verdict::NoVolatility => Some(SizeReason::NoVolatility),
    }
}

/// The quantity that `money` buys at `price`, rounded down.
fn quantity_for(money: Money, price: Price) -> Qty {
    if price.0 <= 0 || money.0 <= 0 {
        return Qty::ZERO;
    }
    Qty(mul_div(money.0, SCALE, price.0))
}
