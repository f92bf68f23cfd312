//! The inventory of controls, from the code that runs them: every check of the gate and everything that can hold a state
//! down, with what it is set to. A check or control that is added and not described here does not compile.

use crate::config::EngineConfig;
use crate::event::ScopeKind;
use crate::output::{Control, TradingState};
use crate::risk::check::Check;
use crate::risk::finding::Amount;
use crate::words::{InstrumentId, Name};
use alloc::vec;
use alloc::vec::Vec;

/// One control, for one scope it is set for.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// As operators call it: `PRICE_COLLAR`, `DAILY_LOSS`.
    pub id: &'static str,
    /// A limit denies an order before it leaves; a trigger acts on what has happened.
    pub kind: EntryKind,
    /// What it does: the worst it holds its scope down to. `Normal` for a limit, which denies, and `Warn` for one that only
    /// tells.
    pub holds: TradingState,
    /// Whom it holds down, or whose orders it denies.
    pub scope: ScopeKind,
    /// The instrument whose value it is, where values differ by instrument.
    pub instrument: Option<Name>,
    /// What it is set to: field and amount. Empty where there is nothing to set.
    pub values: Vec<(&'static str, Amount)>,
}

/// Before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Denies an order.
    Limit,
    /// Holds a state down.
    Trigger,
}

/// All controls of an engine with this configuration.
pub fn inventory(config: &EngineConfig) -> Vec<Entry> {
    let mut out = Vec::new();
    for check in Check::ALL {
        match is_of_instrument(check) {
            true => out.extend(
                (0..config.instruments.len() as u16).map(|id| limit(check, config, Some(InstrumentId(id)))),
            ),
            false => out.push(limit(check, config, None)),
        }
    }
    out.extend(Control::ALL.into_iter().map(|control| trigger(control, config)));
    out
}

fn limit(check: Check, config: &EngineConfig, instrument: Option<InstrumentId>) -> Entry {
    let configured = instrument.and_then(|id| config.instruments.get(id.index()));
    let (scope, kind) = (scope_of(check), EntryKind::Limit);
    let values = match configured {
        Some(configured) => instrument_values(check, &configured.limits),
        None => account_values(check, config),
    };
    let instrument = configured.map(|configured| configured.symbol);
    Entry { id: check.name(), kind, holds: TradingState::Normal, scope, instrument, values }
}

const fn is_of_instrument(check: Check) -> bool {
    matches!(
        check,
        Check::MaxOrderQty
            | Check::MaxOrderNotional
            | Check::PriceCollar
            | Check::StaleData
            | Check::MaxPosition
            | Check::MaxOpenOrders
            | Check::Duplicate
            | Check::RepeatExec
    )
}

const fn scope_of(check: Check) -> ScopeKind {
    match check {
        Check::StateBlocked
        | Check::StateReduceOnly
        | Check::MaxGross
        | Check::MaxNet
        | Check::MaxLeverage
        | Check::LossLimit
        | Check::Margin
        | Check::VarLimit
        | Check::Throttle => ScopeKind::Engine,
        Check::SymbolNotAllowed | Check::RepeatExec | Check::ParentQty => ScopeKind::Strategy,
        Check::VenueBudget | Check::Clock | Check::WithdrawScope => ScopeKind::Venue,
        Check::InstrumentNotTrading
        | Check::BadTick
        | Check::BadLot
        | Check::MinNotional
        | Check::MaxOrderQty
        | Check::MaxOrderNotional
        | Check::PriceCollar
        | Check::StaleData
        | Check::MaxPosition
        | Check::MaxOpenOrders
        | Check::Duplicate
        | Check::SelfTrade
        | Check::MaxOrderLifetime => ScopeKind::Instrument,
    }
}

fn instrument_values(check: Check, limits: &crate::risk::Limits) -> Vec<(&'static str, Amount)> {
    match check {
        Check::MaxOrderQty => vec![("order_qty_max", Amount::Qty(limits.order_qty_max.0.into()))],
        Check::MaxOrderNotional => {
            vec![("order_notional_max", Amount::Money(limits.order_notional_max.0.into()))]
        }
        Check::PriceCollar => vec![
            ("collar_ppm", Amount::Ppm(limits.collar_ppm.into())),
            ("collar_passive_ppm", Amount::Ppm(limits.collar_passive_ppm.into())),
        ],
        Check::StaleData => vec![
            ("reference_age_max", Amount::Nanos(limits.reference_age_max_ns)),
            ("reference_skew_max", Amount::Nanos(limits.reference_skew_max_ns)),
        ],
        Check::MaxPosition => vec![("position_qty_max", Amount::Qty(limits.position_qty_max.0.into()))],
        Check::MaxOpenOrders => vec![("open_orders_max", Amount::Count(limits.open_orders_max.into()))],
        Check::Duplicate => vec![("duplicate_window", Amount::Nanos(limits.duplicate_window_ns))],
        Check::RepeatExec => vec![("repeat_max", Amount::Count(limits.repeat_max.into()))],
        _ => Vec::new(),
    }
}

fn account_values(check: Check, config: &EngineConfig) -> Vec<(&'static str, Amount)> {
    let account = &config.account_limits;
    match check {
        Check::MaxGross => vec![("gross_max", Amount::Money(account.gross_max.0.into()))],
        Check::MaxNet => vec![("net_max", Amount::Money(account.net_max.0.into()))],
        Check::MaxLeverage => vec![("leverage_max", Amount::Milli(account.leverage_max_milli.into()))],
        Check::Throttle => vec![
            ("messages_max", Amount::Count(account.messages_max.into())),
            ("messages_window", Amount::Nanos(account.messages_window_ns)),
        ],
        Check::Margin => vec![("margin_use_ppm_max", Amount::Ppm(account.margin_use_ppm_max.into()))],
        Check::VenueBudget => vec![("budget_reserve_ppm", Amount::Ppm(account.budget_reserve_ppm.into()))],
        Check::MaxOrderLifetime => vec![("order_lifetime_max", Amount::Nanos(account.order_lifetime_ns_max))],
        Check::Clock => vec![("clock_offset_max", Amount::Nanos(account.clock_offset_ns_max))],
        Check::VarLimit => {
            let most = account.var_ppm_max.map_or(Amount::Nothing, |most| Amount::Ppm(most.into()));
            vec![("var_ppm_max", most)]
        }
        _ => Vec::new(),
    }
}

fn trigger(control: Control, config: &EngineConfig) -> Entry {
    let b = &config.breakers;
    let count = |name, value: u32| (name, Amount::Count(value.into()));
    let ppm = |name, value: u32| (name, Amount::Ppm(value.into()));
    let (id, scope, holds, values) = match control {
        Control::Operator => ("OPERATOR", ScopeKind::Engine, TradingState::Halt, vec![]),
        Control::Journal => ("JOURNAL", ScopeKind::Engine, TradingState::Halt, vec![]),
        Control::Process => ("PROCESS", ScopeKind::Engine, TradingState::ReduceOnly, vec![]),
        Control::DailyLoss => {
            let values =
                vec![ppm("daily_loss_ppm", b.daily_loss_ppm), count("day_starts_at_s", b.day_starts_at_s)];
            ("DAILY_LOSS", ScopeKind::Engine, TradingState::Halt, values)
        }
        Control::Drawdown => {
            ("DRAWDOWN", ScopeKind::Engine, TradingState::Halt, vec![ppm("drawdown_ppm", b.drawdown_ppm)])
        }
        Control::LossStreak => {
            let pause = ("loss_streak_pause", Amount::Nanos(b.loss_streak_pause_ns));
            let values = vec![count("loss_streak_max", b.loss_streak_max), pause];
            ("LOSS_STREAK", ScopeKind::Strategy, TradingState::ReduceOnly, values)
        }
        Control::FillRate => {
            let plan = b.day_notional_plan.map_or(Amount::Nothing, |plan| Amount::Money(plan.0.into()));
            let values =
                vec![count("fills_per_minute_max", b.fills_per_minute_max), ("day_notional_plan", plan)];
            ("FILL_RATE", ScopeKind::Strategy, TradingState::Halt, values)
        }
        Control::RejectStorm => {
            let window = ("rejects_window", Amount::Nanos(b.rejects_window_ns));
            let values = vec![count("rejects_max", b.rejects_max), window];
            ("REJECT_STORM", ScopeKind::Venue, TradingState::CancelOnly, values)
        }
        Control::Slippage => {
            let pause = ("slippage_pause", Amount::Nanos(b.slippage_pause_ns));
            let factor = count("slippage_factor", b.slippage_factor);
            let values = vec![ppm("slippage_model_ppm", b.slippage_model_ppm), factor, pause];
            ("SLIPPAGE", ScopeKind::Strategy, TradingState::ReduceOnly, values)
        }
        Control::PositionMismatch => {
            ("POSITION_MISMATCH", ScopeKind::Instrument, TradingState::ReduceOnly, vec![])
        }
        Control::UnknownOrder => ("UNKNOWN_ORDER", ScopeKind::Instrument, TradingState::CancelOnly, vec![]),
        Control::Unacknowledged => ("UNACKNOWLEDGED", ScopeKind::Instrument, TradingState::Warn, vec![]),
        Control::FlashMove => {
            let pause = ("flash_pause", Amount::Nanos(b.flash_pause_ns));
            let spread = count("flash_spread_factor", b.flash_spread_factor);
            let least = ppm("flash_spread_ppm_min", b.flash_spread_ppm_min);
            let values = vec![ppm("flash_move_ppm", b.flash_move_ppm), spread, least, pause];
            ("FLASH_MOVE", ScopeKind::Instrument, TradingState::ReduceOnly, values)
        }
        Control::FeedDivergence => {
            let after = ("divergence", Amount::Nanos(b.divergence_ns));
            let values = vec![ppm("divergence_ppm", b.divergence_ppm), after];
            ("FEED_DIVERGENCE", ScopeKind::Instrument, TradingState::ReduceOnly, values)
        }
        Control::ValueAtRisk => {
            let most =
                config.account_limits.var_ppm_max.map_or(Amount::Nothing, |most| Amount::Ppm(most.into()));
            ("VALUE_AT_RISK", ScopeKind::Engine, TradingState::Warn, vec![("var_ppm_max", most)])
        }
        Control::ModelDrift => ("MODEL_DRIFT", ScopeKind::Strategy, TradingState::Normal, vec![]),
        Control::Runaway => {
            let account = &config.account_limits;
            let window = ("runaway_window", Amount::Nanos(account.runaway_window_ns));
            let values = vec![count("runaway_denials_max", account.runaway_denials_max), window];
            ("RUNAWAY", ScopeKind::Strategy, TradingState::Halt, values)
        }
        Control::RepeatExec => ("REPEAT_EXEC_LATCH", ScopeKind::Strategy, TradingState::ReduceOnly, vec![]),
        Control::Reconciling => ("RECONCILING", ScopeKind::Engine, TradingState::ReduceOnly, vec![]),
        Control::Venue => ("VENUE_BAN", ScopeKind::Venue, TradingState::CancelOnly, vec![]),
        Control::Trigger => ("KILL_SWITCH", ScopeKind::Engine, TradingState::Halt, vec![]),
        Control::DayRoll => ("DAY_ROLL", ScopeKind::Engine, TradingState::Normal, vec![]),
    };
    Entry { id, kind: EntryKind::Trigger, holds, scope, instrument: None, values }
}
