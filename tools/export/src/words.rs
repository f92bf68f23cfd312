//! The words of every closed list, as they stand in the tables: the engine's own names in lower_snake form.

use crate::cell::{Cell, Kind, Value};
use smc_core::Side;
use smc_core::event::{CashKind, Command, FeedState, GatewayState, JournalState, LimitName, ScopeKind};
use smc_core::instrument::{ContractKind, TradingStatus};
use smc_core::output::{
    AlertKind, Control, OrderKind, Purpose, Scope, StructureKind, TimeInForce, TradingState,
};
use smc_core::words::Direction;

/// What kind of report an order update is: the variants of [`smc_core::event::OrderUpdateKind`] without fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateKind {
    Ack,
    Reject,
    Fill,
    Canceled,
    Expired,
    CancelReject,
    Unknown,
    NotFound,
}

macro_rules! words {
    ($($list:ident { $($variant:ident $word:literal),* $(,)? })*) => {
        $(impl Value for $list {
            const KIND: Kind = Kind::Word;
            const WORDS: &'static [&'static str] = &[$($word),*];

            fn cell(&self) -> Cell<'static> {
                Cell::Text(match self {
                    $(Self::$variant => $word,)*
                })
            }

            fn from_cell(cell: Cell<'_>) -> Option<Self> {
                let Cell::Text(text) = cell else { return None };
                match text {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        })*

        /// Every word beside the engine's name for it.
        #[cfg(test)]
        fn all() -> Vec<(String, Cell<'static>)> {
            let mut out = Vec::new();
            $($(out.push((format!("{:?}", $list::$variant), $list::$variant.cell()));)*)*
            out
        }
    };
}

words! {
    Side { Buy "buy", Sell "sell" }
    Direction { Up "up", Down "down" }
    TradingStatus { Unknown "unknown", Trading "trading", Halted "halted", CancelOnly "cancel_only" }
    FeedState { Down "down", Syncing "syncing", Stale "stale", Live "live" }
    JournalState { Good "good", Low "low", Behind "behind", Lost "lost" }
    GatewayState { Down "down", Syncing "syncing", Ready "ready" }
    Command {
        Kill "kill", Pause "pause", Resume "resume", Flatten "flatten", Shutdown "shutdown", Arm "arm",
        Start "start", KillFlatten "kill_flatten", SetLimit "set_limit", ResetLoss "reset_loss",
        Connect "connect", Disconnect "disconnect", Rotate "rotate", Snapshot "snapshot",
        LogLevel "log_level", Acknowledge "acknowledge",
    }
    ScopeKind { Engine "engine", Venue "venue", Instrument "instrument", Strategy "strategy" }
    ContractKind { Spot "spot", Linear "linear", Inverse "inverse", Fx "fx" }
    CashKind {
        Funding "funding", Financing "financing", Commission "commission", Transfer "transfer",
        Adjustment "adjustment",
    }
    LimitName {
        None "none", OrderQtyMax "order_qty_max", OrderNotionalMax "order_notional_max", CollarPpm "collar_ppm",
        CollarPassivePpm "collar_passive_ppm", ReferenceAgeMaxNs "reference_age_max_ns",
        PositionQtyMax "position_qty_max", OpenOrdersMax "open_orders_max", RepeatMax "repeat_max",
        GrossMax "gross_max", NetMax "net_max", LeverageMaxMilli "leverage_max_milli",
        MessagesMax "messages_max", MarginUsePpmMax "margin_use_ppm_max", VarPpmMax "var_ppm_max",
        OrderLifetimeNsMax "order_lifetime_ns_max", DailyLossPpm "daily_loss_ppm",
        DrawdownPpm "drawdown_ppm",
    }
    Control {
        Operator "operator", Journal "journal", Process "process", DailyLoss "daily_loss",
        Drawdown "drawdown", LossStreak "loss_streak", FillRate "fill_rate", RejectStorm "reject_storm",
        Slippage "slippage", PositionMismatch "position_mismatch", UnknownOrder "unknown_order",
        Unacknowledged "unacknowledged", FlashMove "flash_move", FeedDivergence "feed_divergence",
        ValueAtRisk "value_at_risk", ModelDrift "model_drift", Runaway "runaway",
        RepeatExec "repeat_exec", Reconciling "reconciling", Venue "venue", Trigger "trigger",
        DayRoll "day_roll",
    }
    OrderKind { Limit "limit", LimitMaker "limit_maker", Market "market", StopLimit "stop_limit" }
    TimeInForce { Gtc "gtc", Ioc "ioc", Fok "fok" }
    Purpose { Entry "entry", Stop "stop", Target "target", Flatten "flatten" }
    Scope { Swing "swing", Internal "internal" }
    TradingState {
        Normal "normal", Warn "warn", ReduceOnly "reduce_only", CancelOnly "cancel_only", Halt "halt",
    }
    AlertKind {
        VenueReject "venue_reject", UnknownOrder "unknown_order", OrderUnknown "order_unknown",
        OutboundFull "outbound_full", BlindWithPosition "blind_with_position", Instrument "instrument",
        Unprotected "unprotected", Control "control", PositionMismatch "position_mismatch",
        Adopted "adopted", Unacknowledged "unacknowledged", LimitChanged "limit_changed",
        LimitRefused "limit_refused", Overfill "overfill", Revalidation "revalidation", BarRevised "bar_revised",
    }
    UpdateKind {
        Ack "ack", Reject "reject", Fill "fill", Canceled "canceled", Expired "expired",
        CancelReject "cancel_reject", Unknown "unknown", NotFound "not_found",
    }
    StructureKind {
        PivotConfirmed "pivot_confirmed", SwingStarted "swing_started", SwingExtended "swing_extended",
        SwingLocked "swing_locked", Bos "bos", Choch "choch", Mss "mss",
        PatternConfirmed "pattern_confirmed", PatternBroken "pattern_broken",
        PatternSuperseded "pattern_superseded", FvgCreated "fvg_created", FvgMitigated "fvg_mitigated",
        FvgInverted "fvg_inverted", IfvgInvalidated "ifvg_invalidated", FvgJoined "fvg_joined",
        ObCreated "ob_created", ObTested "ob_tested", ObBroken "ob_broken",
        BreakerInvalidated "breaker_invalidated", PoolFormed "pool_formed", PoolExtended "pool_extended",
        PoolSwept "pool_swept", PoolRun "pool_run", LevelSwept "level_swept", PeriodRolled "period_rolled",
        PeriodLevelBroken "period_level_broken", SessionOpened "session_opened",
        SessionClosed "session_closed", Expired "expired", InputRejected "input_rejected",
        RangeChanged "range_changed", ZoneChanged "zone_changed", OteEntered "ote_entered",
        OteLeft "ote_left", RetracementReached "retracement_reached",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CancelOnly` as `cancel_only`.
    fn lower_snake(name: &str) -> String {
        let mut out = String::new();
        for letter in name.chars() {
            if letter.is_ascii_uppercase() && !out.is_empty() {
                out.push('_');
            }
            out.push(letter.to_ascii_lowercase());
        }
        out
    }

    #[test]
    fn every_word_is_the_engines_name_in_lower_snake_form() {
        for (name, cell) in all() {
            assert_eq!(cell, Cell::Text(&lower_snake(&name)), "{name}");
        }
    }
}
