//! The named conditions of the confluence strategy. Plain data, checked once; what contradicts itself is refused
//! by name.

use super::{EntryKind, Management};
use crate::calendar::{DAY_SECS, SessionWindow};
use crate::config::EngineConfig;
use crate::output::Scope;
use crate::words::Timeframe;

/// Parts per million in one whole.
const ONE_PPM: u32 = 1_000_000;
/// Minutes of a day.
const DAY_MIN: u32 = DAY_SECS / 60;

/// Parameters of [`Confluence`](super::Confluence). Each condition has a switch; the defaults ask for a swept
/// pool or swing, a break after it, an open block or gap in the right half of the range, at any hour. "Bars"
/// are bars of the entry timeframe; ppm are parts per million; "session" is a window of the configuration's
/// calendar. Written for longs; shorts are the mirror image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConfluenceParams {
    /// Entries are sought on this many of the lowest timeframes; at least 1, at most all.
    pub entry_timeframes: u8,

    /// Signals are made only while one of these sessions is open; none named: at any time. What counts is the
    /// moment of the decision, which is the close of the bar.
    pub entry_sessions: SessionSet,
    /// No signal in the last minutes of such a session; it must be longer than that.
    pub entry_margin_min: u32,
    /// Signals per instrument in one opening of one entry session; 0 is no limit.
    pub signals_per_session_max: u32,
    /// Signals per instrument in one trading day of the calendar; 0 is no limit.
    pub signals_per_day_max: u32,
    /// Flat at the end of these sessions: positions are closed and waiting entries withdrawn.
    pub exit_sessions: SessionSet,
    /// So many minutes before that end already; no signal from then until the end. Less than a day.
    pub exit_margin_min: u32,

    /// The bias must point in the trade's direction.
    pub require_bias: bool,
    /// What the bias is read from.
    pub bias_source: BiasSource,
    /// The timeframe whose structure is the bias; none: the highest.
    pub bias_timeframe: Option<Timeframe>,

    /// Liquidity against the trade (lows for a long) must have been swept before.
    pub require_sweep: bool,
    /// Pools of equal lows count as such liquidity.
    pub accept_pool_sweeps: bool,
    /// The level of a single pivot does.
    pub accept_level_sweeps: bool,
    /// The previous day's low does (PDL; `smc.periods` must keep days).
    pub accept_day_sweeps: bool,
    /// The previous week's low does (PWL; weeks must be kept).
    pub accept_week_sweeps: bool,
    /// The previous month's low does (PML; months must be kept).
    pub accept_month_sweeps: bool,
    /// The low of these sessions does, once they have closed: the Asian range swept by London.
    pub sweep_sessions: SessionSet,
    /// Sweeps on timeframes above the entry's count too, from the moment they are known.
    pub accept_higher_sweeps: bool,
    /// The bar that swept closed while an entry session was open: London itself swept, not the hours before.
    pub require_sweep_in_session: bool,
    /// The sweep is at most this many bars old.
    pub sweep_age_bars_max: u32,

    /// Structure must have broken in the trade's direction, at the sweep's bar or later.
    pub require_shift: bool,
    /// Which scope's breaks are looked at, for the shift and for leaving on an opposite one.
    pub shift_scope: ShiftScope,
    /// A BOS counts as such a break, not only a CHoCH or MSS.
    pub accept_bos: bool,
    /// Only an MSS does: a turn with displacement (`smc.mss_min_ppm` must be above 0, `accept_bos` off).
    pub require_mss: bool,
    /// The break is at most this many bars old.
    pub shift_age_bars_max: u32,

    /// Enter at an open zone of the trade's direction; off: at the best price now, stop beyond the last swing.
    pub require_zone: bool,
    /// Order blocks of the swing scope are such zones.
    pub accept_order_blocks: bool,
    /// Order blocks of the internal scope are.
    pub accept_internal_blocks: bool,
    /// Fair value gaps that price has not come back into are.
    pub accept_gaps: bool,
    /// Breakers are: order blocks of the other side, broken at the sweep or later.
    pub accept_breakers: bool,
    /// Inverted gaps are: gaps of the other side, closed through at the sweep or later.
    pub accept_inverted_gaps: bool,
    /// The optimal-trade-entry band of the leg that followed the sweep is; its stop is behind the leg's origin.
    pub accept_ote: bool,
    /// The zone became what it is at most this many bars ago.
    pub zone_age_bars_max: u32,
    /// How deep in the zone to enter: 0 at its near edge, 500 000 in its middle (mean threshold of a block,
    /// consequent encroachment of a gap), 1 000 000 at its far edge.
    pub entry_depth_ppm: u32,
    /// Longs enter in the lower half of the dealing range (discount), shorts in the upper (premium).
    pub require_discount: bool,
    /// The entry must lie in the optimal-trade-entry band of the last leg, whatever the zone.
    pub require_ote: bool,

    /// Behind what the stop stands.
    pub stop_at: StopAt,
    /// The stop stands this part of the average true range beyond that.
    pub stop_buffer_atr_ppm: u32,
    /// The stop is at least this part of the price away; nearer ones are moved to it.
    pub stop_distance_ppm_min: u32,

    /// The target must be liquidity on the other side, of a kind below. Off: if there is none, a fixed
    /// multiple of the risk (`target_risk_ppm`).
    pub require_liquidity_target: bool,
    /// Pools of equal highs are such liquidity.
    pub target_pools: bool,
    /// The last swing high is.
    pub target_swings: bool,
    /// A swing high is a target only while it is weak, that is, not where a down move came from.
    pub require_weak_target: bool,
    /// The previous day's high is, while unbroken.
    pub target_day: bool,
    /// The previous week's high is, while unbroken.
    pub target_week: bool,
    /// The high of the last closed one of these sessions is, while no bar has gone beyond it.
    pub target_sessions: SessionSet,
    /// The target's distance in parts of the risk where there is no liquidity to aim at.
    pub target_risk_ppm: u32,
    /// The target is at least this many times the risk away.
    pub reward_to_risk_ppm_min: u32,
    /// Liquidity further away than this many times the risk is no target.
    pub reward_to_risk_ppm_max: u32,
    /// Fees and slippage from entry to exit, as part of the price: taken off the reward and added to the risk
    /// before the two are compared. 0 looks at prices alone, which on short bars takes trades that cannot pay
    /// their fees.
    pub round_trip_cost_ppm: u32,

    /// Bars without a new signal after one.
    pub cooldown_bars: u32,
    /// Bars an entry order waits.
    pub entry_lifetime_bars: u32,
    /// How entries go to the market.
    pub entry_kind: EntryKind,
    /// Leave when the entry timeframe breaks character against the position.
    pub exit_on_opposite_choch: bool,
    /// How a trade is looked after on its way. Parts and distances go by the risk or the price, not by fixed prices.
    pub manage: Management,
}

/// Sessions of a calendar, by their index in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionSet(pub u16);

impl SessionSet {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// The session of this index alone; none for an index no calendar has.
    pub const fn of(index: usize) -> Self {
        if index < u16::BITS as usize { Self(1 << index) } else { Self::NONE }
    }

    /// These and those.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Is it among them?
    pub const fn has(self, index: usize) -> bool {
        Self::of(index).0 & self.0 != 0
    }

    /// No session at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The indices, ascending.
    pub fn indices(self) -> impl Iterator<Item = usize> {
        (0..u16::BITS as usize).filter(move |&index| self.has(index))
    }

    /// Names a session that a calendar of so many does not have.
    const fn is_beyond(self, sessions: usize) -> bool {
        sessions < u16::BITS as usize && self.0 >> sessions != 0
    }
}

/// What the bias is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BiasSource {
    /// The last structure break of the swing scope on the bias timeframe.
    Structure,
    /// The half of the previous day's range that the last close is in, or beyond: up above its middle.
    PreviousDayHalf,
    /// The previous day's level that still draws price: up when the running day has taken the low and not the
    /// high. None while neither or both are taken.
    PreviousDayDraw,
}

/// Whose breaks are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShiftScope {
    /// The swing scope's.
    Swing,
    /// The internal scope's (`smc.internal` must be on): earlier, and more often wrong.
    Internal,
    /// Both scopes', whichever comes.
    Either,
}

impl ShiftScope {
    /// Is a break of this scope looked at?
    pub(super) fn has(self, scope: Scope) -> bool {
        match self {
            Self::Swing => scope == Scope::Swing,
            Self::Internal => scope == Scope::Internal,
            Self::Either => true,
        }
    }
}

/// Behind what a stop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopAt {
    /// The zone's far edge.
    Zone,
    /// The price that the sweep reached, or the zone's far edge where that lies further.
    Sweep,
}

impl Default for ConfluenceParams {
    fn default() -> Self {
        Self {
            entry_timeframes: 2,
            entry_sessions: SessionSet::NONE,
            entry_margin_min: 0,
            signals_per_session_max: 0,
            signals_per_day_max: 0,
            exit_sessions: SessionSet::NONE,
            exit_margin_min: 0,
            require_bias: true,
            bias_source: BiasSource::Structure,
            bias_timeframe: None,
            require_sweep: true,
            accept_pool_sweeps: true,
            accept_level_sweeps: true,
            accept_day_sweeps: false,
            accept_week_sweeps: false,
            accept_month_sweeps: false,
            sweep_sessions: SessionSet::NONE,
            accept_higher_sweeps: false,
            require_sweep_in_session: false,
            sweep_age_bars_max: 40,
            require_shift: true,
            shift_scope: ShiftScope::Swing,
            accept_bos: true,
            require_mss: false,
            shift_age_bars_max: 20,
            require_zone: true,
            accept_order_blocks: true,
            accept_internal_blocks: false,
            accept_gaps: true,
            accept_breakers: false,
            accept_inverted_gaps: false,
            accept_ote: false,
            zone_age_bars_max: 60,
            entry_depth_ppm: 0,
            require_discount: true,
            require_ote: false,
            stop_at: StopAt::Zone,
            stop_buffer_atr_ppm: 250_000,
            stop_distance_ppm_min: 200,
            require_liquidity_target: false,
            target_pools: true,
            target_swings: true,
            require_weak_target: false,
            target_day: false,
            target_week: false,
            target_sessions: SessionSet::NONE,
            target_risk_ppm: 2 * ONE_PPM,
            reward_to_risk_ppm_min: 3 * ONE_PPM / 2,
            reward_to_risk_ppm_max: 5 * ONE_PPM,
            round_trip_cost_ppm: 0,
            cooldown_bars: 5,
            entry_lifetime_bars: 15,
            entry_kind: EntryKind::Rest,
            exit_on_opposite_choch: false,
            manage: Management::PLAIN,
        }
    }
}

impl ConfluenceParams {
    /// The first field that makes no sense, by itself or beside the rest of the configuration, if any.
    pub(crate) fn fault(&self, config: &EngineConfig) -> Option<&'static str> {
        let own = self.own_faults();
        let among = self.faults_in(config);
        own.iter().chain(&among).find(|(is_wrong, _)| *is_wrong).map(|(_, field)| *field)
    }

    fn own_faults(&self) -> [(bool, &'static str); 23] {
        let has_hours = !self.entry_sessions.is_empty();
        let accepts_sweep = self.accept_pool_sweeps
            || self.accept_level_sweeps
            || self.accept_day_sweeps
            || self.accept_week_sweeps
            || self.accept_month_sweeps
            || !self.sweep_sessions.is_empty();
        let accepts_zone = self.accept_order_blocks
            || self.accept_internal_blocks
            || self.accept_gaps
            || self.accept_breakers
            || self.accept_inverted_gaps
            || self.accept_ote;
        let has_target = self.target_pools
            || self.target_swings
            || self.target_day
            || self.target_week
            || !self.target_sessions.is_empty();
        let manage_fault = self.manage.fault().map(|field| match field {
            "parts" => "strategy.manage.parts",
            "trail.distance" => "strategy.manage.trail.distance",
            "trail.from" => "strategy.manage.trail.from",
            "trail.step_ticks" => "strategy.manage.trail.step_ticks",
            _ => "strategy.manage.break_even",
        });
        let is_structure = self.bias_source == BiasSource::Structure;
        [
            (self.entry_timeframes == 0, "strategy.entry_timeframes"),
            (self.entry_margin_min > 0 && !has_hours, "strategy.entry_margin_min"),
            (self.signals_per_session_max > 0 && !has_hours, "strategy.signals_per_session_max"),
            (self.exit_margin_min > 0 && self.exit_sessions.is_empty(), "strategy.exit_margin_min"),
            (self.exit_margin_min >= DAY_MIN, "strategy.exit_margin_min"),
            (self.bias_timeframe.is_some() && !is_structure, "strategy.bias_timeframe"),
            (self.require_sweep && !accepts_sweep, "strategy.require_sweep"),
            (self.require_sweep_in_session && !has_hours, "strategy.require_sweep_in_session"),
            (self.require_mss && self.accept_bos, "strategy.require_mss"),
            (self.entry_depth_ppm > ONE_PPM, "strategy.entry_depth_ppm"),
            (self.stop_at == StopAt::Sweep && !self.require_sweep, "strategy.stop_at"),
            (self.stop_at == StopAt::Sweep && !self.require_zone, "strategy.stop_at"),
            (self.stop_buffer_atr_ppm > 100 * ONE_PPM, "strategy.stop_buffer_atr_ppm"),
            (self.stop_distance_ppm_min > ONE_PPM / 2, "strategy.stop_distance_ppm_min"),
            (self.require_liquidity_target && !has_target, "strategy.require_liquidity_target"),
            (self.require_weak_target && !self.target_swings, "strategy.require_weak_target"),
            (self.target_risk_ppm < self.reward_to_risk_ppm_min, "strategy.target_risk_ppm"),
            (self.reward_to_risk_ppm_max < self.reward_to_risk_ppm_min, "strategy.reward_to_risk_ppm_max"),
            (self.reward_to_risk_ppm_max > 1_000 * ONE_PPM, "strategy.reward_to_risk_ppm_max"),
            (self.round_trip_cost_ppm > ONE_PPM / 10, "strategy.round_trip_cost_ppm"),
            (self.entry_lifetime_bars == 0, "strategy.entry_lifetime_bars"),
            (self.require_zone && !accepts_zone, "strategy.accept_order_blocks"),
            (manage_fault.is_some(), manage_fault.unwrap_or_default()),
        ]
    }

    /// What asks for something that the rest of the configuration does not keep.
    fn faults_in(&self, config: &EngineConfig) -> [(bool, &'static str); 16] {
        let smc = &config.smc;
        let sessions = config.calendar.sessions.len();
        let is_unknown = |timeframe| !config.timeframes.contains(&timeframe);
        let needs_internal = self.shift_scope != ShiftScope::Swing && self.require_shift;
        let is_daily = self.require_bias && self.bias_source != BiasSource::Structure;
        let is_too_short = |index| {
            let window = config.calendar.sessions.get(index);
            window.is_some_and(|window| window_min(window) <= self.entry_margin_min)
        };
        [
            (self.entry_sessions.is_beyond(sessions), "strategy.entry_sessions"),
            (self.exit_sessions.is_beyond(sessions), "strategy.exit_sessions"),
            (self.sweep_sessions.is_beyond(sessions), "strategy.sweep_sessions"),
            (self.target_sessions.is_beyond(sessions), "strategy.target_sessions"),
            (self.entry_sessions.indices().any(is_too_short), "strategy.entry_margin_min"),
            (self.bias_timeframe.is_some_and(is_unknown), "strategy.bias_timeframe"),
            (is_daily && !smc.periods.day, "strategy.bias_source"),
            (self.accept_day_sweeps && !smc.periods.day, "strategy.accept_day_sweeps"),
            (self.accept_week_sweeps && !smc.periods.week, "strategy.accept_week_sweeps"),
            (self.accept_month_sweeps && !smc.periods.month, "strategy.accept_month_sweeps"),
            (self.target_day && !smc.periods.day, "strategy.target_day"),
            (self.target_week && !smc.periods.week, "strategy.target_week"),
            (needs_internal && smc.internal.is_none(), "strategy.shift_scope"),
            (self.accept_internal_blocks && smc.internal.is_none(), "strategy.accept_internal_blocks"),
            (self.require_mss && smc.mss_min_ppm == 0, "strategy.require_mss"),
            (self.accept_breakers && !smc.order_blocks, "strategy.accept_breakers"),
        ]
    }
}

/// Length of a window; equal ends mean a whole day.
fn window_min(window: &SessionWindow) -> u32 {
    let (start, end) = (window.start_secs % DAY_SECS, window.end_secs % DAY_SECS);
    let over_midnight = if end <= start { DAY_SECS } else { 0 };
    (end + over_midnight - start) / 60
}
