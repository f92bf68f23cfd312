//! Everything that asks for orders or hears of them: intents, the bracket's steps, venue reports.
//!
//! The one way out for an order is [`Engine::decide`]: it says the gate's decision, and gives the approved order to
//! be sent. What is wanted next is the bracket's to say (`bracket`), how it is ordered is in `steps`, how much is
//! `sizing`'s.

use super::Engine;
use super::bracket::{Leg, Motive, Step};
use super::market::{Market, Permissions};
use super::plan::Plan;
use super::why::{Cap, Ignorance, Ignored, Move, Notes, Sizing};
use crate::config::{ConfigError, EngineConfig};
use crate::event::{FeedState, GatewayState, OrderUpdate, OrderUpdateKind};
use crate::orders::{Fill, Order, OrderEffect, OrderState};
use crate::outbox::Outbox;
use crate::output::{
    Alert, AlertKind, NewOrder, OrderKind, Output, Purpose, Signal, TimeInForce, TradingState,
};
use crate::risk::{ApprovedOrder, Beside, Gate, GateView, Limits};
use crate::sizing::{Rate, size_entry};
use crate::strategy::{EntryKind, Intent, Intents, Strategy};
use crate::words::{ClientOrderId, InstrumentId, Money, Price, Qty, SCALE, Side, TsNs, clamp_i64};
use alloc::vec::Vec;

/// Steps one bracket may take at one event: cancels of five legs and a stray, two orders, with room to spare.
const STEPS_MAX: u32 = 12;
const ONE_PPM: i128 = 1_000_000;
/// Part of an order's limits that an entry leaves to its exit, for a price that runs beyond the plan.
const EXIT_ROOM_PPM: i128 = 20_000;

/// The gate with the configuration's limits.
pub(super) fn gate(config: &EngineConfig) -> Result<Gate, ConfigError> {
    let limits: Vec<Option<Limits>> = config.instruments.iter().map(|i| Some(i.limits)).collect();
    Gate::new(config.account_limits, &limits).map_err(ConfigError::Limit)
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
            || self.orders.reserved(market.id).orders > 0
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

    /// So much that the stop costs the risk fraction; no more than limits and free balance allow. 0 when that
    /// is too little to trade: the gate then says so.
    fn size(&self, market: &Market, plan: &Plan) -> Option<Sizing> {
        let spec = market.spec.as_ref()?;
        let sizing = &self.config.sizing;
        let equity = self.positions.equity();
        let (risk_fraction, fee) = (Rate::from_ppm(sizing.risk_fraction_ppm), Rate::from_ppm(sizing.fee_ppm));
        let spread = market.book.spread().unwrap_or(Price::ZERO);
        let most = i128::from(equity.0) * i128::from(sizing.notional_fraction_ppm_max) / ONE_PPM;
        let limits = self.gate.limits(market.id).copied().unwrap_or(Limits::NOTHING);
        let position = self.positions.qty(market.id).0.saturating_mul(plan.direction.side().sign());
        let (by_qty, by_value) = self.closable_qty(&limits, plan, market.book.mark());
        let caps = [
            (Cap::OrderQty, by_qty),
            (Cap::OrderNotional, by_value),
            (Cap::EquityFraction, quantity_for(Money(clamp_i64(most)), plan.entry)),
            (Cap::Position, Qty(limits.position_qty_max.0.saturating_sub(position))),
            (Cap::Balance, self.affordable_qty(market, plan)),
        ];
        let qty_max = caps.iter().map(|(_, qty)| *qty).min().unwrap_or_default();
        let lots_max = market.whole_lots(qty_max);
        let (entry, stop) = (plan.entry, plan.stop);
        let size = size_entry(equity, risk_fraction, entry, stop, spread, fee, lots_max, spec);
        let (signal_id, spec) = (plan.signal_id, *spec);
        Some(Sizing { signal_id, equity, risk_fraction, entry, stop, spread, fee, spec, caps, size })
    }

    /// So much that one order can still close it: the limits of an order hold for the exit too, which may have to
    /// buy back fees taken in the base asset, and at the target's or a worse price. By an order's largest
    /// quantity, and by its largest value.
    fn closable_qty(&self, limits: &Limits, plan: &Plan, mark: Price) -> (Qty, Qty) {
        let room = ONE_PPM + 2 * i128::from(self.config.sizing.fee_ppm) + EXIT_ROOM_PPM;
        let by_qty = Qty(clamp_i64(i128::from(limits.order_qty_max.0) * ONE_PPM / room));
        let dearest = plan.entry.max(mark).max(plan.stop).max(plan.target);
        let value = Money(clamp_i64(i128::from(limits.order_notional_max.0) * ONE_PPM / room));
        (by_qty, quantity_for(value, dearest))
    }

    /// What the free balance pays for: quote and fee for a purchase, base for a sale.
    fn affordable_qty(&self, market: &Market, plan: &Plan) -> Qty {
        let Some(spec) = &market.spec else { return Qty::ZERO };
        match plan.direction.side() {
            Side::Sell => self.account.free(spec.base),
            Side::Buy => {
                let free = i128::from(self.account.free(spec.quote).0) * ONE_PPM;
                let spendable = free / (ONE_PPM + i128::from(self.config.sizing.fee_ppm));
                quantity_for(Money(clamp_i64(spendable)), plan.entry)
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
            let permissions = self.permissions();
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

    fn permissions(&self) -> Permissions {
        Permissions {
            now: self.now,
            is_gateway_ready: self.gateway == GatewayState::Ready,
            may_enter: self.state() <= TradingState::Warn,
            may_close: self.state() <= TradingState::ReduceOnly,
            is_halted: self.state() == TradingState::Halt,
            retry_ns: self.config.execution.retry_ns,
        }
    }

    /// Cancels always pass. One whose order is over at the venue is not repeated: its fills are on the way.
    fn cancel(&mut self, at: usize, id: ClientOrderId, outbox: &mut Outbox) {
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
        let may_close = self.state() <= TradingState::ReduceOnly;
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
        if may_close {
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
        let market = self.markets.get(at)?;
        let view = GateView {
            now: self.now,
            state: self.state().max(self.venue_state(market, order.purpose)),
            loss_level: TradingState::Normal,
            spec: market.spec.as_ref(),
            reference: market.book.reference(),
            positions: &self.positions,
        };
        let verdict = match beside {
            None => self.gate.check(order, &view, &mut self.orders),
            Some(beside) => self.gate.check_beside(order, beside, &view, &mut self.orders),
        };
        outbox.push(Output::Decision(verdict.decision));
        match verdict.outcome {
            Ok(_) => self.counters.orders_sent += 1,
            Err(_) => self.counters.orders_denied += 1,
        }
        verdict.outcome.ok()
    }

    /// Hands an approved order on.
    pub(super) fn send(&self, approved: ApprovedOrder, outbox: &mut Outbox) {
        outbox.push(Output::NewOrder(approved));
    }

    /// Cancels only while the order path is down; an entry also needs a live feed and known balances.
    fn venue_state(&self, market: &Market, purpose: Purpose) -> TradingState {
        let is_path_up = self.gateway == GatewayState::Ready;
        let knows_world =
            market.book.feed() == FeedState::Live && self.account.get(self.config.quote_asset).is_some();
        if is_path_up && (knows_world || purpose != Purpose::Entry) {
            TradingState::Normal
        } else {
            TradingState::CancelOnly
        }
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
            OrderEffect::UnknownOrder => {
                self.counters.orders_unknown += 1;
                let detail = match update.kind {
                    OrderUpdateKind::Fill { qty, .. } => qty.0,
                    _ => 0,
                };
                self.alert(AlertKind::UnknownOrder, instrument, id, detail, outbox);
            }
            OrderEffect::Working(_) | OrderEffect::AwaitingFills(_) | OrderEffect::Ignored(_) => {}
        }
        self.manage(instrument.index(), outbox);
    }

    fn on_fill(&mut self, fill: &Fill, outbox: &mut Outbox) {
        let Some(market) = self.markets.get_mut(fill.order.instrument.index()) else { return };
        let change = self.positions.on_fill(fill, market.order_min_at(fill.price));
        self.gate.on_fill(fill, &change);
        self.counters.fills += 1;
        outbox.push(Output::Position(change.position));
        if fill.order.purpose != Purpose::Entry {
            self.on_closing_fill(fill);
        }
    }

    /// An order that ended without (or before) filling: what it leaves undone is the bracket's next step.
    fn on_closed(&mut self, order: &Order, outbox: &mut Outbox) {
        self.gate.on_closed(order, self.now);
        if let OrderState::Rejected(code) = order.state() {
            self.counters.rejects += 1;
            let kind = AlertKind::VenueReject;
            self.alert(kind, order.instrument, order.client_order_id, i64::from(code), outbox);
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

/// The quantity that `money` buys at `price`, rounded down.
fn quantity_for(money: Money, price: Price) -> Qty {
    if price.0 <= 0 || money.0 <= 0 {
        return Qty::ZERO;
    }
    Qty(clamp_i64(i128::from(money.0) * i128::from(SCALE) / i128::from(price.0)))
}
