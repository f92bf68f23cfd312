//! The named conditions of the confluence strategy. Plain data.

use super::EntryKind;

/// Parts per million in one whole.
const ONE_PPM: u32 = 1_000_000;

/// Parameters of [`Confluence`](super::Confluence). Each condition has a switch; "bars" are bars of the entry
/// timeframe; ppm are parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfluenceParams {
    /// Entries are sought on this many of the lowest timeframes; at least 1, at most all.
    pub entry_timeframes: u8,
    /// The highest timeframe's structure must point in the trade's direction.
    pub require_bias: bool,
    /// Liquidity against the trade (lows for a long) must have been swept before.
    pub require_sweep: bool,
    /// A single swing's level counts as liquidity, not only pools of equal highs or lows.
    pub accept_level_sweeps: bool,
    /// The sweep is at most this many bars old.
    pub sweep_age_bars_max: u32,
    /// Structure must have broken in the trade's direction, at the sweep's bar or later.
    pub require_shift: bool,
    /// A BOS counts as such a break, not only a CHoCH.
    pub accept_bos: bool,
    /// The break is at most this many bars old.
    pub shift_age_bars_max: u32,
    /// Enter at an open zone of the trade's direction; off: at the best price now, stop beyond the last swing.
    pub require_zone: bool,
    /// Order blocks are such zones.
    pub accept_order_blocks: bool,
    /// Fair value gaps are such zones.
    pub accept_gaps: bool,
    /// The zone became known at most this many bars ago.
    pub zone_age_bars_max: u32,
    /// How deep in the zone to enter: 0 at its near edge, 500 000 in its middle.
    pub entry_depth_ppm: u32,
    /// Longs enter in the lower half of the dealing range (discount), shorts in the upper (premium).
    pub require_discount: bool,
    /// The stop stands this part of the average true range beyond the zone.
    pub stop_buffer_atr_ppm: u32,
    /// The stop is at least this part of the price away; nearer zones are widened to it.
    pub stop_distance_ppm_min: u32,
    /// The target must be liquidity on the other side: a pool, or the last swing. Off: if there is none, a
    /// fixed multiple of the risk (`target_risk_ppm`).
    pub require_liquidity_target: bool,
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
}

impl Default for ConfluenceParams {
    fn default() -> Self {
        Self {
            entry_timeframes: 2,
            require_bias: true,
            require_sweep: true,
            accept_level_sweeps: true,
            sweep_age_bars_max: 40,
            require_shift: true,
            accept_bos: true,
            shift_age_bars_max: 20,
            require_zone: true,
            accept_order_blocks: true,
            accept_gaps: true,
            zone_age_bars_max: 60,
            entry_depth_ppm: 0,
            require_discount: true,
            stop_buffer_atr_ppm: 250_000,
            stop_distance_ppm_min: 200,
            require_liquidity_target: false,
            target_risk_ppm: 2 * ONE_PPM,
            reward_to_risk_ppm_min: 3 * ONE_PPM / 2,
            reward_to_risk_ppm_max: 5 * ONE_PPM,
            round_trip_cost_ppm: 0,
            cooldown_bars: 5,
            entry_lifetime_bars: 15,
            entry_kind: EntryKind::Rest,
            exit_on_opposite_choch: false,
        }
    }
}

impl ConfluenceParams {
    /// The first field that makes no sense, if any.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let checks = [
            (self.entry_timeframes == 0, "strategy.entry_timeframes"),
            (self.entry_depth_ppm > ONE_PPM, "strategy.entry_depth_ppm"),
            (self.stop_buffer_atr_ppm > 100 * ONE_PPM, "strategy.stop_buffer_atr_ppm"),
            (self.stop_distance_ppm_min > ONE_PPM / 2, "strategy.stop_distance_ppm_min"),
            (self.target_risk_ppm < self.reward_to_risk_ppm_min, "strategy.target_risk_ppm"),
            (self.reward_to_risk_ppm_max < self.reward_to_risk_ppm_min, "strategy.reward_to_risk_ppm_max"),
            (self.reward_to_risk_ppm_max > 1_000 * ONE_PPM, "strategy.reward_to_risk_ppm_max"),
            (self.round_trip_cost_ppm > ONE_PPM / 10, "strategy.round_trip_cost_ppm"),
            (self.entry_lifetime_bars == 0, "strategy.entry_lifetime_bars"),
            (
                self.require_zone && !self.accept_order_blocks && !self.accept_gaps,
                "strategy.accept_order_blocks",
            ),
        ];
        checks.iter().find(|(is_wrong, _)| *is_wrong).map(|(_, field)| *field)
    }
}
