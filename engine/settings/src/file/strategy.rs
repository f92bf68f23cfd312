//! `[strategy]`: the conditions of the confluence strategy as a file says them.
//!
//! Every key is optional and has the name and meaning of a field of [`ConfluenceParams`]. Sessions go by the names
//! of `[calendar]`, here as in the core.

use super::manage::ManageSection;
use crate::words;
use serde::{Deserialize, Serialize};
use smc_core::calendar::SessionWindow;
use smc_core::strategy::{BiasSource, ConfluenceParams, EntryKind, SessionSet, ShiftScope, StopAt};
use smc_core::words::Timeframe;
use std::fmt;

/// Why `[strategy]` was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyError {
    /// Which key.
    pub key: &'static str,
    /// What it says.
    pub text: String,
    /// What it could say.
    pub expected: String,
}

impl fmt::Display for StrategyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "strategy.{}: `{}`: expected {}", self.key, self.text, self.expected)
    }
}

impl std::error::Error for StrategyError {}

/// Turns what the file says of one key into the core's word.
struct Reader<'a> {
    key: &'static str,
    sessions: &'a [SessionWindow],
}

impl Reader<'_> {
    fn refuse(&self, text: &str, expected: String) -> StrategyError {
        StrategyError { key: self.key, text: text.into(), expected }
    }

    fn sessions(&self, names: &[String]) -> Result<SessionSet, StrategyError> {
        names.iter().try_fold(SessionSet::NONE, |set, name| {
            let found = self.sessions.iter().position(|window| window.name.as_str() == name);
            let known = || {
                let names: Vec<_> = self.sessions.iter().map(|window| window.name.as_str()).collect();
                let names = names.join(", ");
                self.refuse(name, format!("a session of [calendar], which has: {names}"))
            };
            found.map(|index| set.and(SessionSet::of(index))).ok_or_else(known)
        })
    }

    fn timeframe(&self, text: &str) -> Result<Timeframe, StrategyError> {
        Timeframe::parse(text).ok_or_else(|| self.refuse(text, "one of engine.timeframes".into()))
    }
}

macro_rules! strategy_section {
    ($($(#[$doc:meta])* $key:ident : $kind:ty => |$value:ident, $reader:ident| $convert:expr,)*) => {
        /// `[strategy]`: the confluence strategy; missing keys have the core's defaults.
        #[derive(Clone, Debug, Default, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct StrategySection {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $key: Option<$kind>,)*
        }

        impl StrategySection {
            /// Changes what the section names; `sessions` are the calendar's.
            pub fn apply(
                &self,
                to: &mut ConfluenceParams,
                sessions: &[SessionWindow],
            ) -> Result<(), StrategyError> {
                $(if let Some($value) = &self.$key {
                    let $reader = Reader { key: stringify!($key), sessions };
                    let _ = &$reader;
                    to.$key = $convert;
                })*
                Ok(())
            }
        }
    };
}

strategy_section! {
    /// Entries are sought on this many of the lowest timeframes
    entry_timeframes: u8 => |v, r| *v,

    /// Signals only while one of these sessions is open; without the key at any time
    entry_sessions: Vec<String> => |v, r| r.sessions(v)?,
    /// No signal in the last minutes of such a session
    entry_margin_min: u32 => |v, r| *v,
    /// Signals per instrument in one opening of an entry session; 0 is no limit
    signals_per_session_max: u32 => |v, r| *v,
    /// Signals per instrument in one trading day; 0 is no limit
    signals_per_day_max: u32 => |v, r| *v,
    /// Flat at the end of these sessions
    exit_sessions: Vec<String> => |v, r| r.sessions(v)?,
    /// So many minutes before that end already
    exit_margin_min: u32 => |v, r| *v,

    /// The bias must point in the trade's direction
    require_bias: bool => |v, r| *v,
    /// What it is read from: structure, previous-day-half or previous-day-draw
    bias_source: BiasWord => |v, r| (*v).into(),
    /// The timeframe whose structure it is; without the key the highest
    bias_timeframe: String => |v, r| Some(r.timeframe(v)?),

    /// Liquidity against the trade must have been swept before
    require_sweep: bool => |v, r| *v,
    /// Pools of equal highs or lows count
    accept_pool_sweeps: bool => |v, r| *v,
    /// A single pivot's level counts
    accept_level_sweeps: bool => |v, r| *v,
    /// The previous day's level counts
    accept_day_sweeps: bool => |v, r| *v,
    /// The previous week's level counts
    accept_week_sweeps: bool => |v, r| *v,
    /// The previous month's level counts
    accept_month_sweeps: bool => |v, r| *v,
    /// Levels of these sessions count, once closed
    sweep_sessions: Vec<String> => |v, r| r.sessions(v)?,
    /// Sweeps on timeframes above the entry's count
    accept_higher_sweeps: bool => |v, r| *v,
    /// The sweep happened in an entry session
    require_sweep_in_session: bool => |v, r| *v,
    /// Oldest sweep, in bars
    sweep_age_bars_max: u32 => |v, r| *v,

    /// Structure must have broken in the trade's direction since
    require_shift: bool => |v, r| *v,
    /// Whose breaks: swing, internal or either
    shift_scope: ScopeWord => |v, r| (*v).into(),
    /// A BOS counts, not only a turn
    accept_bos: bool => |v, r| *v,
    /// Only an MSS counts
    require_mss: bool => |v, r| *v,
    /// Oldest break, in bars
    shift_age_bars_max: u32 => |v, r| *v,

    /// Enter at a zone; off: at the market
    require_zone: bool => |v, r| *v,
    /// Order blocks are zones
    accept_order_blocks: bool => |v, r| *v,
    /// Order blocks of the internal scope are
    accept_internal_blocks: bool => |v, r| *v,
    /// Open fair value gaps are
    accept_gaps: bool => |v, r| *v,
    /// Breakers are
    accept_breakers: bool => |v, r| *v,
    /// Inverted gaps are
    accept_inverted_gaps: bool => |v, r| *v,
    /// The optimal-trade-entry band is
    accept_ote: bool => |v, r| *v,
    /// Oldest zone, in bars
    zone_age_bars_max: u32 => |v, r| *v,
    /// How deep in the zone, in ppm of its height; 500000 is the mean threshold
    entry_depth_ppm: u32 => |v, r| *v,
    /// Longs in discount, shorts in premium
    require_discount: bool => |v, r| *v,
    /// The entry lies in the optimal-trade-entry band
    require_ote: bool => |v, r| *v,

    /// Behind what the stop stands: zone or sweep
    stop_at: StopWord => |v, r| (*v).into(),
    /// And so much further, in ppm of ATR
    stop_buffer_atr_ppm: u32 => |v, r| *v,
    /// Nearest stop, in ppm of the price
    stop_distance_ppm_min: u32 => |v, r| *v,

    /// The target must be liquidity
    require_liquidity_target: bool => |v, r| *v,
    /// Pools are
    target_pools: bool => |v, r| *v,
    /// The last swing is
    target_swings: bool => |v, r| *v,
    /// Only while it is weak
    require_weak_target: bool => |v, r| *v,
    /// The previous day's level is, while unbroken
    target_day: bool => |v, r| *v,
    /// The previous week's level is, while unbroken
    target_week: bool => |v, r| *v,
    /// The level of the last of these sessions is, while untaken
    target_sessions: Vec<String> => |v, r| r.sessions(v)?,
    /// The target's distance in ppm of the risk where there is no liquidity
    target_risk_ppm: u32 => |v, r| *v,
    /// Least reward, in ppm of the risk
    reward_to_risk_ppm_min: u32 => |v, r| *v,
    /// Greatest reward, in ppm of the risk
    reward_to_risk_ppm_max: u32 => |v, r| *v,
    /// Fees and slippage of a trade, in ppm of the price
    round_trip_cost_ppm: u32 => |v, r| *v,

    /// Bars without a new signal after one
    cooldown_bars: u32 => |v, r| *v,
    /// Bars an entry order waits
    entry_lifetime_bars: u32 => |v, r| *v,
    /// How entries go to the market: rest, rest-maker-only or take
    entry_kind: EntryWord => |v, r| (*v).into(),
    /// Leave when the entry timeframe breaks character against the position
    exit_on_opposite_choch: bool => |v, r| *v,
    /// Parts of the profit, a stop that follows or comes to the entry; a table of its own
    manage: ManageSection => |v, r| v.core()?,
}

words! {
    EntryWord => EntryKind { Rest, RestMakerOnly, Take }
    BiasWord => BiasSource { Structure, PreviousDayHalf, PreviousDayDraw }
    ScopeWord => ShiftScope { Swing, Internal, Either }
    StopWord => StopAt { Zone, Sweep }
}
