//! A configuration for tests.

/// A load, not an idea of how to trade: nearly every bar is a reason.
pub const TEXT: &str = r#"
[engine]
instance = 1
quote_asset = "USDT"
timeframes = ["1h", "4h"]

[[instruments]]
symbol = "BTCUSDT"
order_qty_max = "50"
order_notional_max = "3000000"
collar_ppm = 200000
collar_passive_ppm = 400000
reference_age_max_ms = 3600000
reference_skew_max_ms = 60000
position_qty_max = "50"
open_orders_max = 10
duplicate_window_ms = 1
repeat_max = 1000

[risk]
gross_max = "10000000"
net_max = "10000000"
leverage_max_milli = 10000
open_orders_max = 50
messages_max = 1000
messages_window_ms = 1000
clock_offset_max_ms = 60000
runaway_denials_max = 1000
runaway_window_ms = 10000
entry_forgiven_after_ms = 1

[sizing]
risk_fraction_ppm = 1000
fee_ppm = 200

[smc]
pivot_left = 2
pivot_right = 2

[strategy]
entry_timeframes = 1
require_bias = false
require_sweep = false
require_shift = false
require_zone = false
require_discount = false
stop_distance_ppm_min = 1000
reward_to_risk_ppm_min = 500000
target_risk_ppm = 1000000
cooldown_bars = 0
entry_lifetime_bars = 2
entry_kind = "take"
"#;
