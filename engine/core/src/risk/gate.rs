//! The gate: gathers the facts, runs all checks, and on acceptance reserves before it answers.
//!
//! Runs on the engine thread for every new order, whoever wants it; about one look over the open orders and one
//! over the instruments; no allocation, clock or branch that skips a check. Cancels do not come here: they
//! always pass. Fails closed: an instrument without limits, rules or a trusted reference gets nothing through.

use crate::book::Reference;
use crate::event::{LimitName, RiskScope, ScopeKind};
use crate::instrument::{InstrumentSpec, TradingStatus};
use crate::orders::{Fill, Order, OrderState, Orders};
use crate::output::{Control, Decision, NewOrder, OrderKind, Purpose, TradingState};
use crate::position::{PositionBook, PositionChange};
use crate::risk::approved::ApprovedOrder;
use crate::risk::breakers::VenueFacts;
use crate::risk::check::{CHECKS, Check, Violations};
use crate::risk::facts::{Exposure, Facts, Margining, notional_ceil};
use crate::risk::finding::Finding;
use crate::risk::limits::{AccountLimits, LimitError, LimitReason, Limits, STRATEGIES_MAX, ScopeLimits};
use crate::risk::scopes::VENUES_MAX;
use crate::risk::windows::{RecentOrders, Throttle, WINDOW_MESSAGES_MAX};
use crate::state::{State, StateError, StateIo};
use crate::words::{ClientOrderId, InstrumentId, Money, Price, Qty, Side, TsNs};
use alloc::vec;
use alloc::vec::Vec;

/// The one gate of an engine.
pub struct Gate {
    account: AccountLimits,
    venues: Vec<PerVenue>,
    instruments: Vec<PerInstrument>,
    strategies: Vec<PerStrategy>,
    throttle: Throttle,
    recent: RecentOrders,
    /// What was asked lately, once somebody wants to know why; read by nobody here.
    asked: Option<Vec<Asked>>,
}

/// Orders whose facts are kept for who asks why; what is beyond is not kept.
const ASKED_MAX: usize = 64;

/// What one decision was made from.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The order asked about.
    pub order: NewOrder,
    /// Everything the decision depended on.
    pub facts: Facts,
    /// What was decided.
    pub violations: Violations,
}

impl Asked {
    /// Every check with what it measured.
    pub fn findings(&self) -> [Finding; CHECKS] {
        self.facts.findings(&self.order)
    }
}

struct PerInstrument {
    limits: Option<Limits>,
    /// What the last signal was sized for.
    parent: Parent,
    /// Accepted entries since the strategy's last exit, by strategy, then side.
    entries: [[u32; 2]; STRATEGIES_MAX],
    /// Number of its venue.
    venue: u8,
}

/// Where orders go: what all of one venue's may not exceed.
struct PerVenue {
    limits: ScopeLimits,
    throttle: Throttle,
}

impl PerVenue {
    fn new() -> Self {
        Self { limits: ScopeLimits::default(), throttle: Throttle::new(WINDOW_MESSAGES_MAX) }
    }
}

/// The quantity one signal may trade, over all the orders that are made for it.
#[derive(Clone, Copy, Default)]
struct Parent {
    /// 0 before the first.
    signal_id: u32,
    qty: Qty,
    /// Filled entries of it: each fill once.
    filled: Qty,
}

struct PerStrategy {
    limits: ScopeLimits,
    /// Accepted messages, looked at where the strategy has a limit of its own.
    throttle: Throttle,
    /// Tripped REPEAT_EXEC: no order that does not reduce, until a person re-arms.
    is_repeat_latched: bool,
    /// Ran into the throttle too often: entries halted, exits may only reduce, until a person re-arms.
    is_runaway: bool,
    denials: Throttle,
}

/// What the gate must be told; it looks up the rest itself.
#[derive(Clone, Copy)]
pub struct GateView<'a> {
    /// `ts_recv` of the event that wants the order.
    pub now: TsNs,
    /// Worst of the states of engine, venue and symbol.
    pub state: TradingState,
    /// Worst loss breaker; `Normal` where there is none.
    pub loss_level: TradingState,
    /// The venue's rules; none when not yet told.
    pub spec: Option<&'a InstrumentSpec>,
    /// [`Book::reference`](crate::book::Book::reference) of the order's instrument.
    pub reference: Option<Reference>,
    /// Positions, marks and equity.
    pub positions: &'a PositionBook,
    /// What the venue says of clock, budget and key.
    pub venue: &'a VenueFacts,
    /// What secures the order.
    pub margin: Margining,
    /// Value at risk over equity with the order filled, ppm; looked at only with a limit.
    pub var_ppm: Option<u32>,
}

/// An open order that another is asked about beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// The new one takes its place.
    Replaced(ClientOrderId),
    /// One cancels the other.
    Paired(ClientOrderId),
}

/// The gate's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// To be journaled before any byte leaves, whatever it says.
    pub decision: Decision,
    /// The token for the gateway, or everything that was wrong.
    pub outcome: Result<ApprovedOrder, Violations>,
    /// This order has disabled its strategy: which detector did it.
    pub tripped: Option<Control>,
}

impl Gate {
    /// A gate over the instruments of the table, in its order. `None` lets nothing of that instrument through.
    /// Refuses limits that are missing, zero, negative or absurd, by name.
    pub fn new(account: AccountLimits, instruments: &[Option<Limits>]) -> Result<Self, LimitError> {
        account.validate()?;
        let mut gate = Self {
            account,
            venues: vec![PerVenue::new()],
            instruments: Vec::with_capacity(instruments.len()),
            strategies: (0..STRATEGIES_MAX)
                .map(|_| PerStrategy {
                    limits: ScopeLimits::default(),
                    throttle: Throttle::new(WINDOW_MESSAGES_MAX),
                    is_repeat_latched: false,
                    is_runaway: false,
                    denials: Throttle::new(account.runaway_denials_max as usize),
                })
                .collect(),
            throttle: Throttle::new(WINDOW_MESSAGES_MAX),
            recent: RecentOrders::default(),
            asked: None,
        };
        for (at, limits) in instruments.iter().enumerate() {
            gate.instruments.push(PerInstrument {
                limits: None,
                parent: Parent::default(),
                entries: [[0; 2]; STRATEGIES_MAX],
                venue: 0,
            });
            if let Some(limits) = limits {
                gate.set_limits(InstrumentId(u16::try_from(at).unwrap_or(u16::MAX)), *limits)?;
            }
        }
        Ok(gate)
    }

    /// Says of each instrument, in the table's order, to which venue its orders go; before, all go to venue 0.
    pub fn set_venues(&mut self, venues: impl Iterator<Item = u8>) {
        for (instrument, venue) in self.instruments.iter_mut().zip(venues) {
            instrument.venue = venue.min(VENUES_MAX as u8 - 1);
            while self.venues.len() <= usize::from(instrument.venue) {
                self.venues.push(PerVenue::new());
            }
        }
    }

    /// Runs every check over one order. Accepted, the order is in `orders` and counted in every window before
    /// this returns, so that the next order of the same event sees it.
    pub fn check(&mut self, order: &NewOrder, view: &GateView<'_>, orders: &mut Orders) -> Verdict {
        if self.asked.is_some() {
            self.keep(order, view, orders);
        }
        let facts = self.facts(order, view, orders);
        let mut violations = facts.violations(order);
        if violations.is_empty() {
            let approved = ApprovedOrder::approve(*order);
            if orders.reserve(&approved, view.now) {
                self.on_accepted(order, &facts);
                let decision = decision(order, &facts, violations);
                return Verdict { decision, outcome: Ok(approved), tripped: None };
            }
            violations.note(Check::MaxOpenOrders, true); // No room: the only reason left.
        }
        let tripped = self.on_denied(order, view.now, violations);
        Verdict { decision: decision(order, &facts, violations), outcome: Err(violations), tripped }
    }

    /// Would a working order still be let through, as if it were new and not yet there? Says what it violates of the
    /// checks that can change under an order that waits: those of the moment it was sent in (throttle, duplicates,
    /// repetition, its own signal's quantity, the budget it has used, the venue's smallest value) are not asked.
    #[cold]
    pub fn recheck(&self, working: &Order, view: &GateView<'_>, orders: &Orders) -> Violations {
        const OF_THE_MOMENT: [Check; 8] = [
            Check::Throttle,
            Check::Duplicate,
            Check::RepeatExec,
            Check::ParentQty,
            Check::VenueBudget,
            Check::MinNotional,
            Check::BadLot,
            Check::SelfTrade,
        ];
        let order = working.as_new();
        let mut facts = self.facts(&order, view, orders);
        let own = i128::from(working.reserved_qty().0);
        facts.same_side_qty = facts.same_side_qty.saturating_sub(own);
        // What it needs is tied up already: only when more is tied up than there is, it has to go.
        facts.margin = match facts.margin {
            Margining::Part { free, .. } => Margining::Whole { needed: 0, free: free.0.into() },
            Margining::Whole { free, .. } => Margining::Whole { needed: 0, free },
            Margining::Unknown => Margining::Unknown,
        };
        facts.open_orders = facts.open_orders.saturating_sub(1);
        facts.open_orders_all = facts.open_orders_all.saturating_sub(1);
        facts.open_orders_scope = facts.open_orders_scope.map(|(open, most)| (open.saturating_sub(1), most));
        let mut found = facts.violations(&order);
        OF_THE_MOMENT.iter().for_each(|&check| found.clear(check));
        found
    }

    /// A signal was sized: its entries may make so much and no more.
    pub fn open_parent(&mut self, instrument: InstrumentId, signal_id: u32, qty: Qty) {
        if let Some(instrument) = self.instruments.get_mut(instrument.index()) {
            instrument.parent = Parent { signal_id, qty, filled: Qty::ZERO };
        }
    }

    /// The same for an order that stands in for another or beside it. One to be replaced is looked past, as if its
    /// cancel had been answered; the other of a pair holds the same quantity, which counts once.
    pub fn check_beside(
        &mut self,
        order: &NewOrder,
        beside: Beside,
        view: &GateView<'_>,
        orders: &mut Orders,
    ) -> Verdict {
        let aside = match beside {
            Beside::Replaced(id) => orders.set_aside(id, false),
            Beside::Paired(id) => orders.set_aside(id, true),
        };
        let verdict = self.check(order, view, orders);
        if let Some(aside) = aside {
            orders.bring_back(&aside);
        }
        verdict
    }

    /// From now on what orders are decided from is kept, and what was kept before is forgotten. Changes no
    /// decision. The first time it takes memory: not for the hot path.
    pub fn keep_asked(&mut self) {
        self.asked.get_or_insert_with(|| Vec::with_capacity(ASKED_MAX)).clear();
    }

    /// What the orders asked about since [`Gate::keep_asked`] were decided from, at most the first 64.
    pub fn asked(&self) -> &[Asked] {
        self.asked.as_deref().unwrap_or_default()
    }

    /// Gathers the facts a second time, so that the way of a live order never has to lay them out in memory:
    /// that alone cost a fifth of a check.
    #[cold]
    #[inline(never)]
    fn keep(&mut self, order: &NewOrder, view: &GateView<'_>, orders: &Orders) {
        let facts = self.facts(order, view, orders);
        let asked = Asked { order: *order, violations: facts.violations(order), facts };
        if let Some(kept) = self.asked.as_mut().filter(|kept| kept.len() < ASKED_MAX) {
            kept.push(asked);
        }
    }

    /// Counts a fill: one that reduced the position is the exit that ends a run of entries.
    pub fn on_fill(&mut self, fill: &Fill, change: &PositionChange) {
        let order = &fill.order;
        if order.purpose == Purpose::Entry
            && let Some(instrument) = self.instruments.get_mut(order.instrument.index())
            && instrument.parent.signal_id == order.signal_id
        {
            let filled = &mut instrument.parent.filled;
            *filled = Qty(filled.0.saturating_add(fill.qty.0));
        }
        if change.reduced_qty > Qty::ZERO
            && let Some(entries) = self.entries(fill.order.instrument, fill.order.client_order_id.strategy())
        {
            *entries = [0; 2];
        }
    }

    /// Forgives a patient entry that ended without a fill; see [`AccountLimits::entry_forgiven_after_ns`].
    pub fn on_closed(&mut self, order: &Order, now: TsNs) {
        let patience = self.account.entry_forgiven_after_ns;
        let is_withdrawn = matches!(order.state(), OrderState::Canceled | OrderState::Expired);
        let is_patient = patience > 0 && now.since(order.accepted_ts) >= patience;
        let is_unsent = order.state() == OrderState::Unsent;
        if order.purpose == Purpose::Entry
            && order.filled_qty == Qty::ZERO
            && (is_unsent || is_withdrawn && is_patient)
            && let Some(entries) = self.entries(order.instrument, order.client_order_id.strategy())
        {
            let count = &mut entries[order.side as usize];
            *count = count.saturating_sub(1);
        }
    }

    /// What is left of the quantity that an entry's signal was sized for: what filled and what is open is gone. Nothing for
    /// a signal nobody sized.
    fn parent_left(&self, order: &NewOrder, orders: &Orders) -> Option<i128> {
        if order.purpose != Purpose::Entry || order.signal_id == 0 {
            return None;
        }
        let parent =
            self.instruments.get(order.instrument.index()).map(|known| known.parent).unwrap_or_default();
        if parent.signal_id != order.signal_id {
            return Some(0);
        }
        let is_sibling = |own: &&Order| own.purpose == Purpose::Entry && own.signal_id == order.signal_id;
        let open: i128 = match orders.reserved(order.instrument).orders {
            0 => 0,
            _ => orders
                .of(order.instrument)
                .filter(is_sibling)
                .map(|own| i128::from(own.reserved_qty().0))
                .sum(),
        };
        Some(i128::from(parent.qty.0) - i128::from(parent.filled.0) - open)
    }

    /// Replaces one limit of a scope; it holds from the next order on. A wrong one changes nothing.
    #[cold]
    pub fn set_limit(&mut self, scope: RiskScope, limit: LimitName, value: i64) -> Result<(), LimitError> {
        let fail = |reason| LimitError { instrument: None, field: limit.field(), reason };
        match scope.kind {
            ScopeKind::Engine => self.set_account_limits(self.account.with(limit, value)?),
            ScopeKind::Instrument => {
                let id = InstrumentId(scope.id);
                let limits = self.limits(id).ok_or(fail(LimitReason::NoInstrument))?;
                self.set_limits(id, limits.with(limit, value)?)
            }
            ScopeKind::Venue => {
                let venue = self.venues.get(usize::from(scope.id)).ok_or(fail(LimitReason::NoScope))?;
                let limits = venue.limits.with(limit, value)?;
                self.set_scope_limits(scope, limits)
            }
            ScopeKind::Strategy => {
                let strategy =
                    self.strategies.get(usize::from(scope.id)).ok_or(fail(LimitReason::NoScope))?;
                let limits = strategy.limits.with(limit, value)?;
                self.set_scope_limits(scope, limits)
            }
        }
    }

    /// Replaces the limits of a venue or strategy; they hold from the next order on. Wrong ones change nothing.
    pub fn set_scope_limits(&mut self, scope: RiskScope, limits: ScopeLimits) -> Result<(), LimitError> {
        limits.validate()?;
        let slot = match scope.kind {
            ScopeKind::Venue => self.venues.get_mut(usize::from(scope.id)).map(|known| &mut known.limits),
            ScopeKind::Strategy => {
                self.strategies.get_mut(usize::from(scope.id)).map(|known| &mut known.limits)
            }
            _ => None,
        };
        let reason = LimitReason::NoScope;
        *slot.ok_or(LimitError { instrument: None, field: "scope", reason })? = limits;
        Ok(())
    }

    /// A person re-arms: strategies disabled by REPEAT_EXEC or the runaway detector may enter again.
    pub fn arm(&mut self) {
        for instrument in &mut self.instruments {
            instrument.entries = [[0; 2]; STRATEGIES_MAX];
        }
        for strategy in &mut self.strategies {
            strategy.is_repeat_latched = false;
            strategy.is_runaway = false;
            strategy.denials.clear();
        }
    }

    /// A person re-arms one strategy.
    pub fn arm_strategy(&mut self, strategy: u8) {
        let at = usize::from(strategy);
        for entries in self.instruments.iter_mut().filter_map(|instrument| instrument.entries.get_mut(at)) {
            *entries = [0; 2];
        }
        if let Some(strategy) = self.strategies.get_mut(at) {
            (strategy.is_repeat_latched, strategy.is_runaway) = (false, false);
            strategy.denials.clear();
        }
    }

    /// Replaces the limits of one instrument; they hold from the next order on. Wrong ones change nothing.
    pub fn set_limits(&mut self, instrument: InstrumentId, limits: Limits) -> Result<(), LimitError> {
        let with_instrument = |error| LimitError { instrument: Some(instrument), ..error };
        limits.validate().map_err(with_instrument)?;
        self.account.validate_duplicate_window(&limits).map_err(with_instrument)?;
        let Some(slot) = self.instruments.get_mut(instrument.index()) else {
            let reason = LimitReason::NoInstrument;
            return Err(LimitError { instrument: Some(instrument), field: "instrument", reason });
        };
        slot.limits = Some(limits);
        Ok(())
    }

    /// Replaces the limits over all instruments; they hold from the next order on. Wrong ones change nothing.
    /// Not for the hot path: a longer runaway memory takes memory.
    pub fn set_account_limits(&mut self, account: AccountLimits) -> Result<(), LimitError> {
        account.validate()?;
        for (at, instrument) in self.instruments.iter().enumerate() {
            if let Some(limits) = &instrument.limits {
                let id = InstrumentId(u16::try_from(at).unwrap_or(u16::MAX));
                let check = account.validate_duplicate_window(limits);
                check.map_err(|error| LimitError { instrument: Some(id), ..error })?;
            }
        }
        if account.runaway_denials_max != self.account.runaway_denials_max {
            for strategy in &mut self.strategies {
                strategy.denials = Throttle::new(account.runaway_denials_max as usize);
            }
        }
        self.account = account;
        Ok(())
    }

    /// Limits of an instrument.
    pub fn limits(&self, instrument: InstrumentId) -> Option<&Limits> {
        self.instruments.get(instrument.index())?.limits.as_ref()
    }

    /// Limits over all instruments.
    pub fn account_limits(&self) -> &AccountLimits {
        &self.account
    }

    /// Limits of a venue or strategy; none for another kind of scope, and for one that does not exist.
    pub fn scope_limits(&self, scope: RiskScope) -> Option<&ScopeLimits> {
        let at = usize::from(scope.id);
        match scope.kind {
            ScopeKind::Venue => self.venues.get(at).map(|known| &known.limits),
            ScopeKind::Strategy => self.strategies.get(at).map(|known| &known.limits),
            ScopeKind::Engine | ScopeKind::Instrument => None,
        }
    }

    /// New orders accepted within the account's window, of everything or of one venue or strategy; the latter are counted
    /// only while the scope has such a limit of its own.
    pub fn messages(&self, scope: RiskScope, now: TsNs) -> u32 {
        let at = usize::from(scope.id);
        let throttle = match scope.kind {
            ScopeKind::Engine => Some(&self.throttle),
            ScopeKind::Venue => self.venues.get(at).map(|known| &known.throttle),
            ScopeKind::Strategy => self.strategies.get(at).map(|known| &known.throttle),
            ScopeKind::Instrument => None,
        };
        throttle.map_or(0, |throttle| throttle.count(now, self.account.messages_window_ns))
    }

    /// Orders of a strategy that the throttle denied within the runaway window.
    pub fn denials(&self, strategy: u8, now: TsNs) -> u32 {
        let known = self.strategies.get(usize::from(strategy));
        known.map_or(0, |known| known.denials.count(now, self.account.runaway_window_ns))
    }

    /// Entries of a strategy in an instrument since its last exit: the side with more of them.
    pub fn repeats(&self, instrument: InstrumentId, strategy: u8) -> u32 {
        let known = self.instruments.get(instrument.index());
        let sides = known.and_then(|known| known.entries.get(usize::from(strategy)));
        sides.map_or(0, |sides| sides[0].max(sides[1]))
    }

    /// Worst-case exposure as it stands, over all instruments: gross, and the larger of the two nets. What a new order is
    /// held against before it adds its own. None when something that has exposure cannot be valued.
    pub fn worst_case(positions: &PositionBook, orders: &Orders) -> Option<Exposure> {
        let of = |side| exposure_beside(InstrumentId::NONE, side, positions, orders);
        let (bought, sold) = (of(Side::Buy)?, of(Side::Sell)?);
        let net = bought.net.saturating_abs().max(sold.net.saturating_abs());
        Some(Exposure { gross: bought.gross, net })
    }

    /// Is the strategy disabled until a person re-arms?
    pub fn is_disabled(&self, strategy: u8) -> bool {
        self.strategies.get(usize::from(strategy)).is_none_or(|s| s.is_runaway || s.is_repeat_latched)
    }

    /// Inlined into the check, where most of it never reaches memory: a ninth of the instructions of a check.
    #[inline(always)]
    fn facts(&self, order: &NewOrder, view: &GateView<'_>, orders: &Orders) -> Facts {
        let strategy = order.client_order_id.strategy();
        let instrument = self.instruments.get(order.instrument.index());
        let limits = instrument.and_then(|i| i.limits).unwrap_or(Limits::NOTHING);
        let venue = instrument.and_then(|i| self.venues.get(usize::from(i.venue)));
        let repeats = instrument.and_then(|i| i.entries.get(usize::from(strategy)));
        let reserved = orders.reserved(order.instrument);
        let reference = view.reference.map_or(Price::ZERO, |reference| reference.price);
        let price = if order.kind == OrderKind::Market { reference } else { order.price };
        let mut facts = Facts {
            state: view.state.max(self.strategy_state(strategy, order.purpose)),
            loss_level: view.loss_level,
            is_allowed: limits.allows(strategy),
            status: TradingStatus::Unknown,
            tick: Price::ZERO,
            lot: Qty::ZERO,
            qty_min: Qty::ZERO,
            notional_min: Money::ZERO,
            limits,
            account: self.account,
            now: view.now,
            reference: view.reference,
            unit_at_reference: view.positions.unit_value(order.instrument, reference),
            unit_at_price: view.positions.unit_value(order.instrument, price),
            unit_in_quote: price,
            position: view.positions.qty(order.instrument),
            base_fee: view.positions.base_fee(order.instrument),
            same_side_qty: reserved.qty(order.side),
            other_side_qty: reserved.qty(order.side.opposite()),
            others: exposure_beside(order.instrument, order.side, view.positions, orders),
            equity: view.positions.equity(),
            open_orders: reserved.orders,
            open_orders_all: u32::try_from(orders.len()).unwrap_or(u32::MAX),
            is_throttled: self.is_throttled(venue, strategy, view.now),
            is_duplicate: orders.is_used(order.client_order_id)
                || self.recent.contains(order, view.now, limits.duplicate_window_ns),
            repeats: repeats.map_or(u32::MAX, |sides| sides[order.side as usize]),
            is_repeat_latched: self
                .strategies
                .get(usize::from(strategy))
                .is_none_or(|strategy| strategy.is_repeat_latched),
            is_self_trade: orders.would_self_trade(order),
            open_orders_scope: self.open_orders_scope(order.instrument, strategy, orders),
            margin: view.margin,
            parent_left: self.parent_left(order, orders),
            requests: view.venue.requests_left(view.now),
            clock_offset_ns: view.venue.clock.map(|clock| clock.offset_ns),
            is_key_fit: view.venue.key.is_none_or(|key| key.can_trade && !key.can_withdraw),
            var_ppm: view.var_ppm,
        };
        let scopes = [
            venue.map(|known| &known.limits),
            self.strategies.get(usize::from(strategy)).map(|known| &known.limits),
        ];
        for gross_max in scopes.into_iter().flatten().filter_map(|limits| limits.gross_max) {
            facts.account.gross_max = facts.account.gross_max.min(gross_max);
        }
        if let Some(spec) = view.spec {
            facts.status = spec.status;
            facts.tick = spec.tick;
            facts.lot = spec.lot;
            facts.qty_min = spec.qty_min;
            facts.notional_min = spec.notional_min;
            facts.unit_in_quote = spec.contract.unit_value(price);
            facts.limits.order_qty_max = limits.order_qty_max.min(spec.qty_max);
        }
        facts
    }

    fn is_throttled(&self, venue: Option<&PerVenue>, strategy: u8, now: TsNs) -> bool {
        let AccountLimits { messages_max, messages_window_ns: window, .. } = self.account;
        let is_venue_full = venue.is_some_and(|venue| {
            venue.limits.messages_max.is_some_and(|most| venue.throttle.is_full(now, most, window))
        });
        let own = self.strategies.get(usize::from(strategy));
        let is_own_full = own.is_some_and(|own| {
            own.limits.messages_max.is_some_and(|most| own.throttle.is_full(now, most, window))
        });
        is_own_full || is_venue_full || self.throttle.is_full(now, messages_max, window)
    }

    fn open_orders_scope(
        &self,
        instrument: InstrumentId,
        strategy: u8,
        orders: &Orders,
    ) -> Option<(u32, u32)> {
        let own = self.strategies.get(usize::from(strategy))?.limits.open_orders_max.map(|most| {
            let is_own = |order: &&Order| order.client_order_id.strategy() == strategy;
            (u32::try_from(orders.iter().filter(is_own).count()).unwrap_or(u32::MAX), most)
        });
        let venue_of = |id: InstrumentId| self.instruments.get(id.index()).map(|known| known.venue);
        let venue = venue_of(instrument);
        let limits = venue.and_then(|venue| self.venues.get(usize::from(venue))).map(|known| &known.limits);
        let all = limits.and_then(|limits| limits.open_orders_max).map(|most| {
            let there =
                (0..self.instruments.len() as u16).map(InstrumentId).filter(|&id| venue_of(id) == venue);
            (there.map(|id| orders.reserved(id).orders).fold(0, u32::saturating_add), most)
        });
        match (own, all) {
            (Some(own), Some(all)) if own.0 < own.1 => Some(all),
            (own, all) => own.or(all),
        }
    }

    /// A runaway strategy is halted; what protects or closes its positions may still reduce.
    fn strategy_state(&self, strategy: u8, purpose: Purpose) -> TradingState {
        match self.strategies.get(usize::from(strategy)) {
            Some(strategy) if !strategy.is_runaway => TradingState::Normal,
            _ if purpose == Purpose::Entry => TradingState::Halt,
            _ => TradingState::ReduceOnly,
        }
    }

    fn on_accepted(&mut self, order: &NewOrder, facts: &Facts) {
        self.throttle.record(facts.now);
        let strategy = self.strategies.get_mut(usize::from(order.client_order_id.strategy()));
        if let Some(own) = strategy.filter(|own| own.limits.messages_max.is_some()) {
            own.throttle.record(facts.now);
        }
        let venue = self.instruments.get(order.instrument.index()).map_or(0, |known| known.venue);
        if let Some(venue) = self.venues.get_mut(usize::from(venue))
            && venue.limits.messages_max.is_some()
        {
            venue.throttle.record(facts.now);
        }
        self.recent.record(order, facts.now);
        if order.purpose == Purpose::Entry
            && !facts.is_reducing(order)
            && let Some(entries) = self.entries(order.instrument, order.client_order_id.strategy())
        {
            let count = &mut entries[order.side as usize];
            *count = count.saturating_add(1);
        }
    }

    #[cold]
    fn on_denied(&mut self, order: &NewOrder, now: TsNs, violations: Violations) -> Option<Control> {
        let strategy = self.strategies.get_mut(usize::from(order.client_order_id.strategy()))?;
        let before = (strategy.is_repeat_latched, strategy.is_runaway);
        strategy.is_repeat_latched |= violations.contains(Check::RepeatExec);
        if violations.contains(Check::Throttle) {
            strategy.denials.record(now);
            let (denials, window) = (self.account.runaway_denials_max, self.account.runaway_window_ns);
            strategy.is_runaway |= strategy.denials.is_full(now, denials, window);
        }
        match before {
            (_, false) if strategy.is_runaway => Some(Control::Runaway),
            (false, _) if strategy.is_repeat_latched => Some(Control::RepeatExec),
            _ => None,
        }
    }

    fn entries(&mut self, instrument: InstrumentId, strategy: u8) -> Option<&mut [u32; 2]> {
        self.instruments.get_mut(instrument.index())?.entries.get_mut(usize::from(strategy))
    }
}

/// Worst-case exposure of all instruments but an order's: gross both ways, net in the order's direction, as if
/// every open order that makes it worse had filled. None when one that has exposure cannot be valued.
fn exposure_beside(
    but: InstrumentId,
    side: Side,
    positions: &PositionBook,
    orders: &Orders,
) -> Option<Exposure> {
    let mut total = Exposure::default();
    for instrument in positions.instruments().filter(|&id| id != but) {
        let reserved = orders.reserved(instrument);
        let position = i128::from(positions.qty(instrument).0);
        if position == 0 && reserved.orders == 0 {
            continue;
        }
        let mark = i128::from(positions.valuation(instrument)?.0);
        let longest = position + reserved.buy_qty;
        let shortest = position - reserved.sell_qty;
        let worst_this_way = match side {
            Side::Buy => longest,
            Side::Sell => shortest,
        };
        total.gross = total.gross.saturating_add(notional_ceil(longest.abs().max(shortest.abs()), mark));
        let net = notional_ceil(worst_this_way.abs(), mark) * worst_this_way.signum();
        total.net = total.net.saturating_add(net);
    }
    Some(total)
}

fn decision(order: &NewOrder, facts: &Facts, violations: Violations) -> Decision {
    Decision {
        client_order_id: order.client_order_id,
        instrument: order.instrument,
        codes: violations.bits(),
        qty: order.qty,
        price: match order.kind {
            OrderKind::Market => facts.reference.map_or(Price::ZERO, |r| r.price),
            _ => order.price,
        },
    }
}

impl Gate {
    /// With the limits as they are now; `now` is the time of the last event.
    pub(crate) fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        // What was asked last only explains.
        let Self { account, venues, instruments, strategies, throttle, recent, asked: _ } = self;
        account.state(io)?;
        for PerVenue { limits, throttle } in venues {
            limits.state(io)?;
            throttle.state(io, now)?;
        }
        for instrument in instruments {
            instrument.state(io, account)?;
        }
        for strategy in strategies {
            strategy.state(io, account, now)?;
        }
        throttle.state(io, now)?;
        recent.state(io, now)
    }
}

impl PerInstrument {
    fn state(&mut self, io: &mut StateIo<'_>, account: &AccountLimits) -> Result<(), StateError> {
        let Self { limits, parent: Parent { signal_id, qty, filled }, entries, venue: _ } = self;
        io.number(signal_id)?;
        io.unsigned(&mut qty.0)?;
        io.unsigned(&mut filled.0)?;
        io.option(
            limits,
            || Limits::NOTHING,
            |io, limits| {
                limits.state(io)?;
                io.sound(account.validate_duplicate_window(limits).is_ok())
            },
        )?;
        entries.iter_mut().flatten().try_for_each(|count| io.number(count))
    }
}

impl PerStrategy {
    fn state(&mut self, io: &mut StateIo<'_>, account: &AccountLimits, now: TsNs) -> Result<(), StateError> {
        let Self { limits, throttle, is_repeat_latched, is_runaway, denials } = self;
        limits.state(io)?;
        throttle.state(io, now)?;
        io.flag(is_repeat_latched)?;
        io.flag(is_runaway)?;
        if denials.room() != account.runaway_denials_max as usize {
            *denials = Throttle::new(account.runaway_denials_max as usize);
        }
        denials.state(io, now)
    }
}
