//! A configuration that trades often: a test wants orders on the wire, not profit.

use crate::SimProcess;

/// What decides: no condition but a swing to put the stop behind, targets near, no pause between trades.
pub const BUSY: &str = r#"
[engine]
instance = 1
quote_asset = "USDT"
timeframes = ["1s", "5s"]
timer_ms = 250

[[instruments]]
symbol = "BTCUSDT"
order_qty_max = "5"
order_notional_max = "300000"
collar_ppm = 10000
collar_passive_ppm = 100000
reference_age_max_ms = 5000
reference_skew_max_ms = 2000
position_qty_max = "15"
open_orders_max = 50
duplicate_window_ms = 10
repeat_max = 1000

[risk]
gross_max = "2000000"
net_max = "2000000"
leverage_max_milli = 5000
open_orders_max = 100
messages_max = 1000
messages_window_ms = 10000
runaway_denials_max = 1000
runaway_window_ms = 10000
entry_forgiven_after_ms = 100

# Thousands of losing trades may pass: most tests are about something else.
[breakers]
daily_loss_ppm = 500000
drawdown_ppm = 900000
loss_streak_max = 1000
fills_per_minute_max = 1000
rejects_max = 1000
slippage_factor = 1000
flash_move_ppm = 900000
flash_spread_factor = 10000

[sizing]
risk_fraction_ppm = 20
fee_ppm = 200

[smc]
pivot_left = 1
pivot_right = 1
pivot_first = 2

[strategy]
entry_timeframes = 2
require_bias = false
require_sweep = false
require_shift = false
require_zone = false
require_discount = false
require_liquidity_target = false
reward_to_risk_ppm_min = 0
reward_to_risk_ppm_max = 300000
target_risk_ppm = 200000
stop_distance_ppm_min = 0
cooldown_bars = 0
entry_lifetime_bars = 1
entry_kind = "take"
exit_on_opposite_choch = true
"#;

/// [`BUSY`] for `instance` with the venue, account and process sections for `sim`.
pub fn config_text(sim: &SimProcess, instance: u16, topology: &str, idle: &str) -> String {
    let decides = BUSY.replace("instance = 1\n", &format!("instance = {instance}\n"));
    let (address, keys, speed) = (&sim.address, sim.keys.display(), sim.speed);
    format!(
        r#"{decides}
[venue]
kind = "binance-spot"
market = "{address}"
orders = "{address}"
rest = "{address}"
ca_file = "{keys}/ca.pem"
speed = {speed:.1}

[account]
api_key = "{api_key}"
key_file = "{keys}/key.pem"
recv_window_ms = 60000

[process]
topology = "{topology}"
idle = "{idle}"
segment_mib = 8
unsynced_max_ms = 0
"#,
        api_key = sim.api_key
    )
}

/// The same for instance 1, one thread, with entries that wait for their price: some are always open.
pub fn resting_config_text(sim: &SimProcess) -> String {
    let busy = config_text(sim, 1, "inline", "yield");
    let resting = busy.replace("entry_kind = \"take\"", "entry_kind = \"rest\"");
    resting.replace("entry_lifetime_bars = 1", "entry_lifetime_bars = 30")
}

/// [`resting_config_text`] for any kind of venue; `EUR_USD` made of quotes at Oanda, else `BTCUSDT`.
pub fn venue_config_text(sim: &SimProcess, kind: &str) -> String {
    let key = match kind {
        "bybit-spot" | "bybit-linear" => "secret",
        "oanda" => "token",
        _ => "key.pem",
    };
    let text = resting_config_text(sim)
        .replace("kind = \"binance-spot\"", &format!("kind = \"{kind}\""))
        .replace("/key.pem", &format!("/{key}"));
    if kind != "oanda" {
        return text;
    }
    text.replace("BTCUSDT", "EUR_USD")
        .replace("quote_asset = \"USDT\"", "quote_asset = \"USD\"")
        .replace("timer_ms = 250", "timer_ms = 250\nbars_from = \"quotes\"")
        .replace("timeframes = [\"1s\", \"5s\"]", "timeframes = [\"5s\", \"15s\"]")
        .replace("order_qty_max = \"5\"", "order_qty_max = \"100000\"")
        .replace("position_qty_max = \"15\"", "position_qty_max = \"300000\"")
}
