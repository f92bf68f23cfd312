//! What watches over the trading: states by scope, breakers, the operator's acts.
//!
//! Whatever finds something wrong says which control it is and which scope it holds down, and how far; this file keeps the
//! levels, says every change and every new hold aloud, and makes what is working follow. Nothing here sends an order:
//! cancels only, which always pass.
//!
//! * A **kill** (a person's, or a trigger a person set) cancels everything in its scope, protection included, until it is
//!   armed again. With `KillFlatten` what is held is then closed by reduce-only orders.
//! * A **halt** by any other control stops new orders and withdraws entries; stops and exits that work stay.
//! * A strategy halted by a detector may still reduce: its positions need their stops.

use super::Engine;
use super::market::Market;
use crate::config::EngineConfig;
use crate::event::{Act, Command, JournalState, LimitName, RiskScope, ScopeKind};
use crate::orders::{Fill, ORDERS_MAX, Order};
use crate::outbox::Outbox;
use crate::output::{AlertKind, Control, Decision, OrderKind, Output, Purpose, StateChange, TradingState};
use crate::position::PositionChange;
use crate::risk::{
    Breakers, Check, GateView, Hold, LossBreaker, LossLimits, Scopes, Shift, Taken, VENUES_MAX, VenueFacts,
    Violations, value_of,
};
use crate::state::{StateError, StateIo};
use crate::strategy::Strategy;
use crate::words::{ClientOrderId, InstrumentId, TsNs};
use alloc::vec::Vec;

/// Levels and watchers of one engine.
pub(super) struct Guard {
    pub(super) scopes: Scopes,
    pub(super) loss: LossBreaker,
    loss_limits: LossLimits,
    breakers: Breakers,
    pub(super) venues: [VenueFacts; VENUES_MAX],
    /// Of each instrument, the number of its venue.
    venue_of: Vec<u8>,
    /// Number of the day of the last timer; none before the first.
    day: Option<u64>,
    /// Killed, but what is held is to be closed.
    is_closing: bool,
    /// Time of the timer before, for what is due once per so much time.
    last_timer: TsNs,
}

impl Guard {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let instruments = config.instruments.len();
        Self {
            scopes: Scopes::new(instruments),
            loss: LossBreaker::default(),
            loss_limits: config.breakers.loss(),
            breakers: Breakers::new(instruments, &config.breakers),
            venues: Default::default(),
            venue_of: config.instruments.iter().map(|instrument| instrument.venue).collect(),
            day: None,
            is_closing: false,
            last_timer: TsNs(0),
        }
    }

    fn venue_of(&self, instrument: InstrumentId) -> u8 {
        self.venue_of.get(instrument.index()).copied().unwrap_or(0)
    }

    /// What the instrument's venue says of clock, budget and key.
    pub(super) fn facts(&self, instrument: InstrumentId) -> &VenueFacts {
        &self.venues[usize::from(self.venue_of(instrument)) % VENUES_MAX]
    }

    /// What holds for new entries of a strategy in an instrument.
    pub(super) fn for_entries(&self, instrument: InstrumentId, strategy: u8) -> TradingState {
        let scope = RiskScope::strategy(strategy);
        self.scopes.over_instrument(self.venue_of(instrument), instrument).max(self.scopes.state(scope))
    }

    /// What holds for orders that protect or close: a strategy that no person has killed may reduce.
    pub(super) fn for_exits(&self, instrument: InstrumentId, strategy: u8) -> TradingState {
        let killed = self.scopes.is_killed(self.venue_of(instrument), instrument, strategy);
        if killed && self.is_closing {
            return TradingState::ReduceOnly;
        }
        let own = self.scopes.state(RiskScope::strategy(strategy));
        let own = if killed { own } else { own.min(TradingState::ReduceOnly) };
        self.scopes.over_instrument(self.venue_of(instrument), instrument).max(own)
    }

    /// Nothing may work, protection included.
    pub(super) fn is_killed(&self, instrument: InstrumentId, strategy: u8) -> bool {
        !self.is_closing && self.scopes.is_killed(self.venue_of(instrument), instrument, strategy)
    }

    /// The limits of the loss breakers as they are now.
    pub(super) const fn loss_limits(&self) -> LossLimits {
        self.loss_limits
    }

    /// The watchers' counts.
    pub(super) const fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    pub(super) fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { scopes, loss, loss_limits, breakers, venues, venue_of: _, day, is_closing, last_timer } =
            self;
        scopes.state_io(io)?;
        loss.state(io)?;
        io.number(&mut loss_limits.daily_loss_ppm)?;
        io.number(&mut loss_limits.drawdown_ppm)?;
        io.sound(loss_limits.daily_loss_ppm > 0 && loss_limits.drawdown_ppm > 0)?;
        breakers.state(io, now)?;
        venues.iter_mut().try_for_each(|venue| venue.state(io))?;
        io.option(day, || 0, |io, day| io.number(day))?;
        io.flag(is_closing)?;
        io.past(last_timer, now)
    }
}

/// Setting levels.
impl<S: Strategy> Engine<S> {
    /// Holds a scope at a level for a control, says what changed, and tells a person about a hold that is new.
    pub(super) fn hold(&mut self, hold: Hold, command: Option<Command>, outbox: &mut Outbox) {
        if let Some(shift) = self.guard.scopes.set(hold) {
            self.tell_shift(&hold, shift, command, outbox);
        }
    }

    /// As [`Engine::hold`], but never less, and never shorter, than the control already says.
    pub(super) fn raise(&mut self, hold: Hold, outbox: &mut Outbox) {
        if let Some(shift) = self.guard.scopes.raise(hold) {
            self.tell_shift(&hold, shift, None, outbox);
        }
    }

    /// What reconciliation and a ban hold the scope at: they keep their own levels.
    fn held_elsewhere(&self, scope: RiskScope) -> TradingState {
        match scope.kind {
            ScopeKind::Instrument => self.reconcile_level(InstrumentId(scope.id)),
            ScopeKind::Venue if u8::try_from(scope.id).is_ok_and(|venue| self.is_banned(venue)) => {
                TradingState::CancelOnly
            }
            ScopeKind::Engine | ScopeKind::Venue | ScopeKind::Strategy => TradingState::Normal,
        }
    }

    fn tell_shift(&mut self, hold: &Hold, shift: Shift, command: Option<Command>, outbox: &mut Outbox) {
        let also = self.held_elsewhere(hold.scope);
        let shift = Shift { from: shift.from.max(also), to: shift.to.max(also), ..shift };
        if let Some(change) = Scopes::word(hold, &shift) {
            outbox.push(Output::State(StateChange { command, ..change }));
        }
        let is_told = matches!(hold.control, Control::Operator | Control::Process);
        if shift.is_worse && !is_told {
            let instrument = match hold.scope.kind {
                ScopeKind::Instrument => InstrumentId(hold.scope.id),
                _ => InstrumentId::NONE,
            };
            self.alert(AlertKind::Control, instrument, ClientOrderId::NONE, hold.control as i64, outbox);
        }
    }

    fn let_go(&mut self, scope: RiskScope, control: Control, command: Option<Command>, outbox: &mut Outbox) {
        if self.guard.scopes.level(scope, control) > TradingState::Normal {
            let hold = Hold { scope, control, level: TradingState::Normal, until: TsNs(0) };
            self.hold(hold, command, outbox);
        }
    }

    fn until(&self, pause_ns: u64) -> TsNs {
        TsNs(self.now.0.saturating_add(pause_ns))
    }

    fn own_scope(&self) -> RiskScope {
        RiskScope::strategy(self.strategy.number())
    }
}

/// The operator.
impl<S: Strategy> Engine<S> {
    pub(super) fn on_act(&mut self, act: &Act, outbox: &mut Outbox) {
        let Act { command, scope, .. } = *act;
        let said = Some(command);
        let control = if act.operator == Act::PROCESS { Control::Trigger } else { Control::Operator };
        let at = |control, level| Hold { scope, control, level, until: TsNs(0) };
        match command {
            Command::Kill => {
                if scope == RiskScope::ENGINE {
                    self.guard.is_closing = false;
                }
                self.hold(at(control, TradingState::Halt), said, outbox);
                self.cancel_all(scope, outbox);
            }
            Command::KillFlatten => {
                self.guard.is_closing = true;
                let hold = Hold { scope: RiskScope::ENGINE, ..at(control, TradingState::Halt) };
                self.hold(hold, said, outbox);
                self.cancel_all(RiskScope::ENGINE, outbox);
                self.markets.iter_mut().for_each(Market::flatten);
            }
            Command::Pause => {
                self.raise_by_hand(at(Control::Operator, TradingState::ReduceOnly), said, outbox)
            }
            Command::Flatten => {
                self.raise_by_hand(at(Control::Operator, TradingState::ReduceOnly), said, outbox);
                // Under HALT nothing may be sent: the wish is kept, and carried out once armed.
                let own = self.own_scope();
                let config = &self.config;
                let is_meant = |market: &&mut Market| match scope.kind {
                    ScopeKind::Engine => true,
                    ScopeKind::Venue => scope == RiskScope::venue(config.venue_of(market.id)),
                    ScopeKind::Instrument => scope == RiskScope::instrument(market.id),
                    ScopeKind::Strategy => scope == own,
                };
                self.markets.iter_mut().filter(is_meant).for_each(Market::flatten);
            }
            Command::Resume => {
                if self.guard.scopes.level(scope, Control::Operator) <= TradingState::ReduceOnly {
                    self.let_go(scope, Control::Operator, said, outbox);
                }
            }
            Command::Arm => self.arm(scope, outbox),
            Command::Shutdown => self.hold(at(Control::Process, TradingState::ReduceOnly), said, outbox),
            Command::Start => {
                self.let_go(RiskScope::ENGINE, Control::Process, said, outbox);
                self.let_go(RiskScope::ENGINE, Control::Journal, said, outbox);
            }
            Command::SetLimit => self.set_limit(act, outbox),
            Command::ResetLoss => {
                self.guard.loss.reset();
                self.let_go(RiskScope::ENGINE, Control::DailyLoss, said, outbox);
                self.let_go(RiskScope::ENGINE, Control::Drawdown, said, outbox);
            }
            Command::Disconnect if scope.kind == ScopeKind::Venue => {
                self.raise_by_hand(at(Control::Operator, TradingState::CancelOnly), said, outbox)
            }
            Command::Connect if scope.kind == ScopeKind::Venue => {
                if self.guard.scopes.level(scope, Control::Operator) <= TradingState::CancelOnly {
                    self.let_go(scope, Control::Operator, said, outbox);
                }
            }
            // The process does them; here they are only told.
            Command::Connect
            | Command::Disconnect
            | Command::Rotate
            | Command::Snapshot
            | Command::LogLevel
            | Command::Acknowledge => return,
        }
        self.reconcile_on_act(act, outbox);
        self.manage_all(outbox);
    }

    fn raise_by_hand(&mut self, hold: Hold, command: Option<Command>, outbox: &mut Outbox) {
        if self.guard.scopes.level(hold.scope, hold.control) < hold.level {
            self.hold(hold, command, outbox);
        }
    }

    /// Lets go of what a person may let go of, in one scope; of the whole engine also of what detectors hold in its parts, but
    /// not of what a person has stopped there by itself. A pause is not a halt: `Resume` ends it.
    fn arm(&mut self, scope: RiskScope, outbox: &mut Outbox) {
        let said = Some(Command::Arm);
        for control in Control::ARMED {
            let level = self.guard.scopes.level(scope, control);
            if control != Control::Operator || level == TradingState::Halt {
                self.let_go(scope, control, said, outbox);
            }
        }
        if scope == RiskScope::ENGINE {
            self.guard.is_closing = false;
            let parts = self.parts();
            for part in parts {
                for control in Control::ARMED {
                    if !matches!(control, Control::Operator | Control::Trigger) {
                        self.let_go(part, control, said, outbox);
                    }
                }
            }
            self.guard.breakers.arm();
        }
        match scope.kind {
            ScopeKind::Engine => self.gate.arm(),
            ScopeKind::Strategy => self.gate.arm_strategy(u8::try_from(scope.id).unwrap_or(u8::MAX)),
            ScopeKind::Venue | ScopeKind::Instrument => {}
        }
    }

    fn parts(&self) -> impl Iterator<Item = RiskScope> + use<S> {
        let instruments = (0..self.markets.len() as u16).map(|id| RiskScope::instrument(InstrumentId(id)));
        let venues = (0..VENUES_MAX as u8).map(RiskScope::venue);
        instruments.chain(venues).chain((0..crate::risk::STRATEGIES_MAX as u8).map(RiskScope::strategy))
    }

    /// A changed limit holds from the next order on; what already works and exceeds it is withdrawn. A change that makes no
    /// sense changes nothing and says so.
    fn set_limit(&mut self, act: &Act, outbox: &mut Outbox) {
        let Act { scope, limit, value, .. } = *act;
        let is_engine = scope == RiskScope::ENGINE;
        let is_done = match limit {
            LimitName::DailyLossPpm | LimitName::DrawdownPpm => {
                let ppm = u32::try_from(value).ok().filter(|ppm| is_engine && (1..=900_000).contains(ppm));
                if let Some(ppm) = ppm {
                    let limits = &mut self.guard.loss_limits;
                    let slot = match limit {
                        LimitName::DailyLossPpm => &mut limits.daily_loss_ppm,
                        _ => &mut limits.drawdown_ppm,
                    };
                    *slot = ppm;
                }
                ppm.is_some()
            }
            _ => self.gate.set_limit(scope, limit, value).is_ok(),
        };
        let instrument = match scope.kind {
            ScopeKind::Instrument => InstrumentId(scope.id),
            _ => InstrumentId::NONE,
        };
        let kind = if is_done { AlertKind::LimitChanged } else { AlertKind::LimitRefused };
        self.alert(kind, instrument, ClientOrderId::NONE, value, outbox);
        if is_done {
            self.check_loss(outbox);
            self.recheck(|_| true, outbox);
        }
    }

    /// Cancels every order of a scope whose cancel is not under way, whoever it belongs to.
    fn cancel_all(&mut self, scope: RiskScope, outbox: &mut Outbox) {
        for _ in 0..ORDERS_MAX {
            let config = &self.config;
            let is_meant = |order: &&Order| match scope.kind {
                ScopeKind::Engine => true,
                ScopeKind::Venue => scope == RiskScope::venue(config.venue_of(order.instrument)),
                ScopeKind::Instrument => scope == RiskScope::instrument(order.instrument),
                ScopeKind::Strategy => scope == RiskScope::strategy(order.client_order_id.strategy()),
            };
            let wants = |order: &&Order| order.leaves_qty().0 > 0 && !order.is_cancel_pending();
            let next =
                self.orders.iter().filter(is_meant).filter(wants).min_by_key(|order| order.client_order_id);
            let Some((at, id)) = next.map(|order| (order.instrument.index(), order.client_order_id)) else {
                return;
            };
            self.cancel(at, id, outbox);
        }
    }
}

/// The world.
impl<S: Strategy> Engine<S> {
    pub(super) fn on_journal(&mut self, state: JournalState, outbox: &mut Outbox) {
        let level = match state {
            JournalState::Good => TradingState::Normal,
            JournalState::Low => TradingState::Warn,
            JournalState::Behind => TradingState::CancelOnly,
            JournalState::Lost => TradingState::Halt,
        };
        let (scope, control) = (RiskScope::ENGINE, Control::Journal);
        self.hold(Hold { scope, control, level, until: TsNs(0) }, None, outbox);
        self.manage_all(outbox);
    }

    /// Once per timer: what ends by itself, a new day, losses, the venue's ban, orders that have waited long.
    pub(super) fn on_guard_timer(&mut self, outbox: &mut Outbox) {
        while let Some((scope, control)) = self.guard.scopes.expired(self.now) {
            self.let_go(scope, control, None, outbox);
        }
        let day = self.config.breakers.day(self.now);
        if self.guard.day.replace(day).is_some_and(|last| last != day) {
            self.guard.loss.on_day(&self.guard.loss_limits);
            self.guard.breakers.on_day();
        }
        self.check_loss(outbox);
        for at in 0..self.markets.len() {
            self.check_divergence(at, outbox);
        }
        let (now, last) = (self.now, core::mem::replace(&mut self.guard.last_timer, self.now));
        let every = self.gate.account_limits().order_lifetime_ns_max.max(1);
        self.recheck(
            |order| now.since(order.accepted_ts) / every > last.since(order.accepted_ts) / every,
            outbox,
        );
    }

    /// The loss breakers follow the equity; without one there is nothing to follow.
    pub(super) fn check_loss(&mut self, outbox: &mut Outbox) {
        let Some(equity) = self.positions.known_equity() else { return };
        self.guard.loss.on_equity(equity, &self.guard.loss_limits);
        let scope = RiskScope::ENGINE;
        let levels =
            [(Control::DailyLoss, self.guard.loss.daily()), (Control::Drawdown, self.guard.loss.drawdown())];
        for (control, level) in levels {
            if self.guard.scopes.level(scope, control) != level {
                self.hold(Hold { scope, control, level, until: TsNs(0) }, None, outbox);
                self.manage_all(outbox);
            }
        }
    }

    /// A trusted top of the book: the price may have jumped, or the spread may be far from usual.
    pub(super) fn check_flash(&mut self, at: usize, outbox: &mut Outbox) {
        let now = self.now;
        let Some(market) = self.markets.get_mut(at) else { return };
        let Some(top) = market.book.trusted_top() else { return };
        if market.flash.on_top(now, top.bid.price, top.ask.price, &self.config.breakers).is_some() {
            self.pause_for_flash(at, outbox);
        }
    }

    #[cold]
    fn pause_for_flash(&mut self, at: usize, outbox: &mut Outbox) {
        let scope = RiskScope::instrument(InstrumentId(at as u16));
        let until = self.until(self.config.breakers.flash_pause_ns);
        let (control, level) = (Control::FlashMove, TradingState::ReduceOnly);
        self.raise(Hold { scope, control, level, until }, outbox);
        self.manage(at, outbox);
    }

    fn check_divergence(&mut self, at: usize, outbox: &mut Outbox) {
        let Some(market) = self.markets.get(at) else { return };
        let (scope, control) = (RiskScope::instrument(market.id), Control::FeedDivergence);
        let level = match market.flash.is_diverged(self.now, &self.config.breakers) {
            true => TradingState::ReduceOnly,
            false => TradingState::Normal,
        };
        if self.guard.scopes.level(scope, control) != level {
            self.hold(Hold { scope, control, level, until: TsNs(0) }, None, outbox);
            self.manage(at, outbox);
        }
    }

    /// Working entries that are due are judged as if they were new; what no longer passes is withdrawn.
    fn recheck(&mut self, is_due: impl Fn(&Order) -> bool, outbox: &mut Outbox) {
        let mut last = ClientOrderId::NONE;
        for _ in 0..ORDERS_MAX {
            let is_meant = |order: &&Order| {
                let is_entry = order.purpose == Purpose::Entry && order.leaves_qty().0 > 0;
                is_entry && order.client_order_id > last && !order.is_cancel_pending() && is_due(order)
            };
            let next = self.orders.iter().filter(is_meant).min_by_key(|order| order.client_order_id);
            let Some(order) = next.copied() else { return };
            last = order.client_order_id;
            let found = self.still_passes(&order);
            if !found.is_empty() {
                self.withdraw(&order, found, outbox);
            }
        }
    }

    #[cold]
    fn withdraw(&mut self, order: &Order, mut codes: Violations, outbox: &mut Outbox) {
        codes.note(Check::MaxOrderLifetime, true);
        outbox.push(Output::Decision(Decision {
            client_order_id: order.client_order_id,
            instrument: order.instrument,
            codes: codes.bits(),
            qty: order.leaves_qty(),
            price: order.price,
        }));
        let detail = i64::from(codes.bits());
        self.alert(AlertKind::Revalidation, order.instrument, order.client_order_id, detail, outbox);
        self.cancel(order.instrument.index(), order.client_order_id, outbox);
    }

    fn still_passes(&mut self, order: &Order) -> Violations {
        let has_limit = self.gate.account_limits().var_ppm_max.is_some();
        // It is among what is open already.
        let var_ppm = if has_limit { self.var_ppm() } else { None };
        let Some(market) = self.markets.get(order.instrument.index()) else { return Violations::NONE };
        let view = GateView { var_ppm, ..self.view_for(market, &order.as_new()) };
        self.gate.recheck(order, &view, &self.orders)
    }
}

/// Fills and refusals.
impl<S: Strategy> Engine<S> {
    pub(super) fn watch_fill(&mut self, fill: &Fill, change: &PositionChange, outbox: &mut Outbox) {
        let order = &fill.order;
        let (strategy, params) = (order.client_order_id.strategy(), self.config.breakers);
        let scope = RiskScope::strategy(strategy);
        let value = value_of(fill.price, fill.qty.0);
        let is_fast = self.guard.breakers.on_fill(order.instrument, self.now, &params);
        let is_much = self.guard.breakers.on_notional(strategy, value, &params);
        if is_fast || is_much {
            let (control, level) = (Control::FillRate, TradingState::Halt);
            self.raise(Hold { scope, control, level, until: TsNs(0) }, outbox);
        }
        if change.trip.is_some_and(|profit| self.guard.breakers.on_trip(strategy, profit, &params)) {
            let until = self.until(params.loss_streak_pause_ns);
            let (control, level) = (Control::LossStreak, TradingState::ReduceOnly);
            self.raise(Hold { scope, control, level, until }, outbox);
        }
        self.watch_slippage(fill, scope, outbox);
        self.check_loss(outbox);
    }

    /// Three bad fills of ten warn; three more while the warning stands pause.
    fn watch_slippage(&mut self, fill: &Fill, scope: RiskScope, outbox: &mut Outbox) {
        let order = &fill.order;
        let expected = match order.kind {
            _ if fill.is_maker => None,
            OrderKind::Market => self.guard.breakers.expected(order.client_order_id),
            OrderKind::StopLimit => Some(order.stop_price),
            OrderKind::Limit | OrderKind::LimitMaker => Some(order.price),
        };
        let Some(expected) = expected else { return };
        let taken = Taken { side: order.side, expected, filled: fill.price };
        let params = self.config.breakers;
        if !self.guard.breakers.on_slippage(order.client_order_id.strategy(), taken, &params) {
            return;
        }
        let control = Control::Slippage;
        let (level, until) = match self.guard.scopes.level(scope, control) {
            TradingState::Normal => (TradingState::Warn, TsNs(0)),
            _ => (TradingState::ReduceOnly, self.until(params.slippage_pause_ns)),
        };
        self.raise(Hold { scope, control, level, until }, outbox);
    }

    pub(super) fn watch_reject(&mut self, instrument: InstrumentId, outbox: &mut Outbox) {
        if self.guard.breakers.on_reject(self.now, &self.config.breakers) {
            let (control, level) = (Control::RejectStorm, TradingState::CancelOnly);
            let scope = RiskScope::venue(self.config.venue_of(instrument));
            self.raise(Hold { scope, control, level, until: TsNs(0) }, outbox);
        }
    }

    /// A market order went out when the market was at `price`.
    pub(super) fn expect_fill(&mut self, id: ClientOrderId, price: crate::words::Price) {
        self.guard.breakers.expect(id, price);
    }

    /// A detector of the gate has disabled the strategy.
    #[cold]
    pub(super) fn trip(&mut self, control: Control, outbox: &mut Outbox) {
        let level = match control {
            Control::Runaway => TradingState::Halt,
            _ => TradingState::ReduceOnly,
        };
        let scope = self.own_scope();
        self.raise(Hold { scope, control, level, until: TsNs(0) }, outbox);
    }

    /// Equity below its highest, in parts per million of it, rounded up.
    pub fn drawdown_ppm(&self) -> u32 {
        self.guard.loss.drawdown_ppm()
    }

    /// Every scope that is not normal, with the control that holds it down most.
    pub fn held(&self) -> impl Iterator<Item = (RiskScope, Control, TradingState)> {
        self.guard.scopes.held().chain(self.held_by_facts())
    }

    /// Every control that holds a scope down, whether another holds it further.
    pub fn holds(&self) -> impl Iterator<Item = (RiskScope, Control, TradingState)> {
        self.guard.scopes.holds().chain(self.held_by_facts())
    }

    /// By what is so, and by nobody's level: bans and reconciliation.
    fn held_by_facts(&self) -> impl Iterator<Item = (RiskScope, Control, TradingState)> {
        let venues = (0..VENUES_MAX as u8).filter(|&venue| self.is_banned(venue));
        let banned = venues.map(|venue| (RiskScope::venue(venue), Control::Venue, TradingState::CancelOnly));
        let reconciling = self.markets.iter().filter_map(|market| {
            let level = market.reconcile.level();
            let is_held = level > TradingState::Normal;
            is_held.then(|| (RiskScope::instrument(market.id), market.reconcile.cause(), level))
        });
        banned.chain(reconciling)
    }
}
