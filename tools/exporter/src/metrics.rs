//! The metrics: their families, and the page of one reading.
//!
//! Pure. What is not known has no series; counters whose label values are known are there from the start, at 0. Every label
//! comes from the configuration or from a fixed list, so the count of series is bounded by the configuration.

use crate::host::ProcessUse;
use crate::text::{Family, Format, Page, Type, Value};
use smc_core::event::{FeedState, GatewayState, RiskScope};
use smc_core::output::Control;
use smc_core::words::Direction;
use smc_observe::Picture;
use smc_observe::picture::STATES;
use smc_replay::{state_name, words};
use smc_runtime::counters::{CountersView, Slot};
use smc_runtime::latency::{BUCKETS, Bucketed, LatencyView, STRETCHES};
use std::sync::Arc;

/// Everything a page is made of, as far as it is there.
#[derive(Default)]
pub struct Reading {
    /// The engine seen from outside; none where nobody looks any more, for an old picture is no present.
    pub picture: Option<Arc<Picture>>,
    /// An observer follows the journal, or has followed it to its orderly end.
    pub is_observed: bool,
    /// Digests of the engine that were not those of its inputs.
    pub digest_mismatches: u64,
    /// Channels by which people are told; empty where this process has none.
    pub channels: Vec<ChannelReading>,
    /// Conditions that the alerts had no room for; none where this process tells nobody.
    pub conditions_dropped: Option<u64>,
    /// The engine's mapped counters.
    pub counters: Option<Arc<CountersView>>,
    /// Its mapped latencies.
    pub latencies: Option<Arc<LatencyView>>,
    /// The process that writes the counters lives.
    pub is_alive: bool,
    /// What that process takes.
    pub process: Option<ProcessUse>,
    /// Bytes free where the journal is.
    pub disk_free: Option<u64>,
    /// Bytes of the journal's directory.
    pub journal_bytes: Option<u64>,
    /// The machine's load.
    pub load1: Option<f64>,
    /// How late a sleeping thread wakes.
    pub jitter: Bucketed,
    /// Pages handed out.
    pub scrapes: u64,
    /// Connections refused because there were too many.
    pub scrapes_refused: u64,
}

/// How a channel of the alerts fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelReading {
    /// What people call it.
    pub name: String,
    /// What became of notices: a word for it, and how many.
    pub outcomes: [(&'static str, u64); 4],
    /// Notices that wait.
    pub waiting: u64,
}

macro_rules! families {
    ($($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(const $id: Family =
            Family { name: $name, kind: Type::$kind, help: $help, labels: &[$($label),*] };)*
        /// Every metric, in the order of the page.
        pub const FAMILIES: &[Family] = &[$($id),*];
    };
}

families! {
    BUILD_INFO = Info "smc_build_info" ["version", "build"] "Version of the exporter and hash of the decision code it was built with.";
    UP_SECONDS = Gauge "smc_up_seconds" [] "Time since the engine's process started.";
    ALIVE = Gauge "smc_engine_alive" [] "1 while the process that writes the engine's counters lives, else 0.";
    OBSERVER_UP = Gauge "smc_observer_up" [] "1 while an observer follows the journal; 0 when it has ended or not begun: what is seen from outside has no series then.";
    DIGEST_MISMATCHES = Counter "smc_observer_digest_mismatches_total" [] "Digests of the engine that were not those of its inputs.";
    FEED_MESSAGES = Counter "smc_feed_messages_total" [] "Market data messages taken from sockets.";
    FEED_REFUSED = Counter "smc_feed_refused_total" [] "Market data messages that did not read.";
    FEED_GAPS = Counter "smc_feed_gaps_total" [] "Holes found in a venue's numbering of market data.";
    FEED_RESYNCS = Counter "smc_feed_resyncs_total" [] "Books that had to be fetched anew.";
    FEED_RECONNECTS = Counter "smc_feed_reconnects_total" [] "Market data connections opened again.";
    FEED_CONFLATED = Counter "smc_feed_conflated_total" [] "Quotes that a newer one replaced while the ring to the engine was full.";
    FEED_LIVE = Gauge "smc_feed_live" ["symbol"] "1 while the market data of the instrument is live, else 0.";
    FEED_AGE = Gauge "smc_feed_age_seconds" ["symbol"] "Time since the last trade, quote or book of the instrument, by the engine's clock.";
    EVENTS = Counter "smc_engine_events_total" [] "Events the engine has taken, since its journal began.";
    OUTPUTS = Counter "smc_engine_outputs_total" [] "Outputs the engine has journaled, since its process started.";
    SIGNALS = Counter "smc_engine_signals_total" [] "Signals, since the journal began.";
    LAST_EVENT = Gauge "smc_engine_last_event_timestamp_seconds" [] "When the last event was received, by the engine's clock, since the epoch.";
    STATE = Gauge "smc_engine_state" ["state"] "1 for the trading state of the whole engine, 0 for the others.";
    DIGEST = Info "smc_engine_digest_info" ["digest"] "Fingerprint of everything the engine had said at its newest digest record, as the observer found it again.";
    STRUCTURES = Counter "smc_structures_total" ["timeframe", "kind"] "Market structures said.";
    ZONES = Gauge "smc_zones_open" ["symbol", "timeframe", "kind"] "Living order blocks, watched fair value gaps and unswept pools of liquidity.";
    TREND = Gauge "smc_trend" ["symbol", "timeframe"] "Direction of the last break of structure: 1 up, -1 down, 0 none yet.";
    ORDERS_SENT = Counter "smc_orders_sent_total" [] "Orders the gate let through, since the journal began.";
    ORDERS_ACKED = Counter "smc_orders_acked_total" [] "Orders that a venue took, each once.";
    CANCELS_SENT = Counter "smc_cancels_sent_total" [] "Cancels, since the journal began.";
    FILLS = Counter "smc_fills_total" [] "Fills, each once, since the journal began.";
    ORDERS_DENIED = Counter "smc_orders_denied_total" ["check"] "Orders refused by each check of the gate; one order may violate several.";
    ORDERS_REJECTED = Counter "smc_orders_rejected_total" ["venue", "code"] "Orders refused by the venue, by its code; negative codes are our own order path's.";
    ORDERS_OPEN = Gauge "smc_orders_open" ["symbol"] "Orders that may still fill.";
    LATENCY = Histogram "smc_latency_seconds" ["stretch"] "Inside latency of events that led to an order.";
    LATENCY_LOST = Counter "smc_latency_samples_lost_total" [] "Latency samples that found their ring full.";
    TURN = Histogram "smc_turn_seconds" [] "Turns of the engine thread that did something.";
    RING_FULL = Counter "smc_ring_full_total" [] "Orders that never left because the ring to the order path was full.";
    RISK_LIMIT = Gauge "smc_risk_limit" ["scope", "limit"] "A limit as it is now, in its base unit.";
    RISK_USED = Gauge "smc_risk_used" ["scope", "limit"] "What would be held against the limit now.";
    RISK_RATIO = Gauge "smc_risk_use_ratio" ["scope", "limit"] "Use over limit; above 1 it is exceeded.";
    BREAKER = Gauge "smc_breaker_state" ["scope", "control"] "How far a control holds a scope down, whether another holds it further: 0 NORMAL to 4 HALT.";
    VAR = Gauge "smc_var_ratio" [] "Value at risk of what is held and open over equity.";
    DRAWDOWN = Gauge "smc_drawdown_ratio" [] "Equity below its highest, as a part of that.";
    DAILY_LOSS = Gauge "smc_daily_loss_ratio" [] "Loss since the day began, as a part of the equity it began with.";
    EQUITY = Gauge "smc_equity" ["asset"] "What the account is worth.";
    EQUITY_HIGH = Gauge "smc_equity_high" ["asset"] "The highest the account was worth.";
    PNL_REALISED = Gauge "smc_pnl_realised" ["asset"] "Profit taken since the journal began, after fees.";
    PNL_OPEN = Gauge "smc_pnl_open" ["asset"] "Profit of what is held, at the marks.";
    FEES = Gauge "smc_fees" ["asset"] "Fees since the journal began.";
    EXPOSURE_GROSS = Gauge "smc_exposure_gross" ["asset"] "Sum of the values of what is held, signs dropped.";
    EXPOSURE_NET = Gauge "smc_exposure_net" ["asset"] "Signed sum of the values of what is held.";
    POSITION = Gauge "smc_position" ["symbol"] "Signed quantity held, base units or contracts.";
    JOURNAL_SEQ = Gauge "smc_journal_seq" [] "Last journal record.";
    JOURNAL_UNSYNCED = Gauge "smc_journal_unsynced_seconds" [] "How long the oldest record that the disk may not have has waited, when the engine thread was idle last.";
    JOURNAL_LAG = Gauge "smc_journal_observer_lag_records" [] "Records that the observer is behind the engine.";
    JOURNAL_FREE = Gauge "smc_journal_disk_free_bytes" [] "Space left on the journal's disk.";
    JOURNAL_BYTES = Gauge "smc_journal_bytes" [] "Space that the journal's directory takes up.";
    JOURNAL_STATE = Gauge "smc_journal_state" [] "Whether the journal can keep what happens: 0 good, 1 low, 2 behind, 3 lost.";
    VENUE_READY = Gauge "smc_venue_ready" ["venue"] "1 while orders can be sent, else 0.";
    VENUE_BUDGET = Gauge "smc_venue_budget_left_ratio" ["venue"] "Requests left of those the venue allows.";
    VENUE_CLOCK = Gauge "smc_venue_clock_offset_seconds" ["venue"] "The venue's clock minus ours.";
    VENUE_RECONNECTS = Counter "smc_venue_reconnects_total" ["venue"] "Times the order path was ready again after it was not.";
    ACTS = Counter "smc_operator_acts_total" ["command"] "Acts of operators.";
    ALERTS = Counter "smc_alerts_total" ["kind"] "Alerts.";
    ALERTS_AT = Gauge "smc_alert_last_timestamp_seconds" ["kind"] "When an alert of the kind was last said, by the engine's clock, since the epoch; the outside exporter knows those since the newest snapshot.";
    NOTICES = Counter "smc_alert_notices_total" ["channel", "outcome"] "Notices to people by what became of them: sent, retried, refused, dropped.";
    NOTICES_WAITING = Gauge "smc_alert_notices_waiting" ["channel"] "Notices to people that wait, the one under way among them.";
    CONDITIONS_DROPPED = Counter "smc_alert_conditions_dropped_total" [] "Conditions to be told that there was no room for.";
    JITTER = Histogram "smc_host_jitter_seconds" [] "How late a sleeping thread of ordinary priority is woken.";
    LOAD1 = Gauge "smc_host_load1" [] "The machine's load, one minute.";
    RESIDENT = Gauge "smc_process_resident_bytes" [] "Memory of the engine's process that is in RAM.";
    CPU = Counter "smc_process_cpu_seconds_total" [] "Processor time of the engine's process.";
    SCRAPES = Counter "smc_scrapes_total" [] "Pages handed out.";
    SCRAPES_REFUSED = Counter "smc_scrapes_refused_total" [] "Connections refused because too many were open.";
}

/// The page of one reading.
pub fn page(reading: &Reading, format: Format) -> String {
    let mut page = Page::new(format);
    for family in FAMILIES {
        page.family(family);
        fill(&mut page, family.name, reading);
    }
    page.finish()
}

/// `venue reject` as labels say it: `venue_reject`.
fn label(words: &str) -> String {
    words.replace(' ', "_")
}

fn fill(page: &mut Page, name: &str, reading: &Reading) {
    if let Some(picture) = &reading.picture {
        of_picture(page, name, picture, reading);
    }
    if let Some(counters) = &reading.counters {
        of_counters(page, name, counters);
    }
    if let Some(latencies) = &reading.latencies {
        match name {
            "smc_latency_seconds" => {
                for (stretch, stretch_name) in STRETCHES {
                    page.histogram(&[("stretch", stretch_name)], &latencies.bucketed(stretch));
                }
            }
            "smc_latency_samples_lost_total" => page.sample(&[], Value::Count(latencies.lost())),
            _ => {}
        }
    }
    let mut maybe = |value: Option<Value>| value.into_iter().for_each(|value| page.sample(&[], value));
    match name {
        "smc_build_info" => {
            page.sample(
                &[("version", env!("CARGO_PKG_VERSION")), ("build", smc_core::BUILD)],
                Value::Count(1),
            );
        }
        "smc_observer_up" => page.sample(&[], Value::Count(reading.is_observed.into())),
        "smc_observer_digest_mismatches_total" => {
            page.sample(&[], Value::Count(reading.digest_mismatches));
        }
        "smc_alert_notices_total" => {
            for ChannelReading { name, outcomes, .. } in &reading.channels {
                for (outcome, count) in outcomes {
                    page.sample(&[("channel", name), ("outcome", outcome)], Value::Count(*count));
                }
            }
        }
        "smc_alert_notices_waiting" => {
            for ChannelReading { name, waiting, .. } in &reading.channels {
                page.sample(&[("channel", name)], Value::Count(*waiting));
            }
        }
        "smc_alert_conditions_dropped_total" => maybe(reading.conditions_dropped.map(Value::Count)),
        "smc_engine_alive" => page.sample(&[], Value::Count(reading.is_alive.into())),
        "smc_up_seconds" => maybe(reading.process.map(|used| Value::Float(used.up_seconds))),
        "smc_process_resident_bytes" => maybe(reading.process.map(|used| Value::Count(used.resident_bytes))),
        "smc_process_cpu_seconds_total" => maybe(reading.process.map(|used| Value::Float(used.cpu_seconds))),
        "smc_journal_disk_free_bytes" => maybe(reading.disk_free.map(Value::Count)),
        "smc_journal_bytes" => maybe(reading.journal_bytes.map(Value::Count)),
        "smc_host_load1" => maybe(reading.load1.map(Value::Float)),
        "smc_host_jitter_seconds" => page.histogram(&[], &reading.jitter),
        "smc_scrapes_total" => page.sample(&[], Value::Count(reading.scrapes)),
        "smc_scrapes_refused_total" => page.sample(&[], Value::Count(reading.scrapes_refused)),
        _ => {}
    }
}

/// What the engine thread itself counts: new to the event.
fn of_counters(page: &mut Page, name: &str, counters: &CountersView) {
    let slot = match name {
        "smc_feed_messages_total" => Slot::FeedMessages,
        "smc_feed_refused_total" => Slot::FeedRefused,
        "smc_feed_gaps_total" => Slot::FeedGaps,
        "smc_feed_resyncs_total" => Slot::FeedResyncs,
        "smc_feed_reconnects_total" => Slot::FeedReconnects,
        "smc_feed_conflated_total" => Slot::RingFull,
        "smc_engine_events_total" => Slot::EventsIn,
        "smc_engine_outputs_total" => Slot::OutputsOut,
        "smc_engine_signals_total" => Slot::Signals,
        "smc_orders_sent_total" => Slot::OrdersSent,
        "smc_cancels_sent_total" => Slot::CancelsSent,
        "smc_fills_total" => Slot::Fills,
        "smc_journal_seq" => Slot::JournalSeq,
        "smc_engine_last_event_timestamp_seconds" => {
            return page.sample(&[], Value::Seconds(counters.get(Slot::LastEventNs).cast_signed()));
        }
        "smc_journal_unsynced_seconds" => {
            let waited = Some(counters.get(Slot::JournalUnsyncedNs)).filter(|&ns| ns < u64::MAX);
            waited.into_iter().for_each(|ns| page.sample(&[], Value::Seconds(ns.cast_signed())));
            return;
        }
        "smc_turn_seconds" => {
            let counts: [u64; BUCKETS] = std::array::from_fn(|nth| counters.nth(Slot::Turns, nth));
            return page.histogram(&[], &Bucketed { counts, sum_ns: counters.get(Slot::TurnsNs) });
        }
        _ => return,
    };
    page.sample(&[], Value::Count(counters.get(slot)));
}

fn of_picture(page: &mut Page, name: &str, picture: &Picture, reading: &Reading) {
    match name {
        "smc_feed_live"
        | "smc_feed_age_seconds"
        | "smc_orders_open"
        | "smc_position"
        | "smc_zones_open"
        | "smc_trend" => of_instruments(page, name, picture),
        "smc_risk_limit" | "smc_risk_used" | "smc_risk_use_ratio" => of_limits(page, name, picture),
        "smc_venue_ready"
        | "smc_venue_budget_left_ratio"
        | "smc_venue_clock_offset_seconds"
        | "smc_venue_reconnects_total" => of_venues(page, name, picture),
        "smc_engine_state" => {
            for state in STATES {
                page.sample(&[("state", &state_name(&state))], Value::Count((picture.state == state).into()));
            }
        }
        // Not that of now: every scrape would make a series.
        "smc_engine_digest_info" => {
            let digest = picture.journal.checked_digest.iter();
            digest.for_each(|digest| page.sample(&[("digest", digest)], Value::Count(1)));
        }
        "smc_breaker_state" => breakers(page, picture),
        "smc_journal_state" => page.sample(&[], Value::Count(picture.journal.state as u64)),
        "smc_journal_observer_lag_records" => {
            if let Some(counters) = &reading.counters {
                let lag = counters.get(Slot::JournalSeq).saturating_sub(picture.seq);
                page.sample(&[], Value::Count(lag));
            }
        }
        _ => {
            of_counts(page, name, picture);
            of_money(page, name, picture);
        }
    }
}

fn of_counts(page: &mut Page, name: &str, picture: &Picture) {
    let counts = &picture.counts;
    match name {
        "smc_structures_total" => {
            for (timeframe, kinds) in &counts.structures {
                for (kind, &count) in kinds {
                    page.sample(&[("timeframe", timeframe), ("kind", &label(kind))], Value::Count(count));
                }
            }
        }
        "smc_orders_acked_total" => page.sample(&[], Value::Count(counts.acks)),
        "smc_ring_full_total" => page.sample(&[], Value::Count(counts.ring_full)),
        "smc_orders_denied_total" => {
            for (check, &count) in &counts.denials {
                page.sample(&[("check", check)], Value::Count(count));
            }
        }
        "smc_orders_rejected_total" => {
            for (venue, codes) in &counts.rejects {
                for (code, &count) in codes {
                    page.sample(&[("venue", venue), ("code", code)], Value::Count(count));
                }
            }
        }
        "smc_operator_acts_total" => {
            for (command, &count) in &counts.acts {
                page.sample(&[("command", &label(command))], Value::Count(count));
            }
        }
        "smc_alert_last_timestamp_seconds" => {
            for (kind, at) in &counts.alerts_at {
                page.sample(&[("kind", &label(kind))], Value::Seconds(at.cast_signed()));
            }
        }
        "smc_alerts_total" => {
            for (kind, &count) in &counts.alerts {
                page.sample(&[("kind", &label(kind))], Value::Count(count));
            }
        }
        _ => {}
    }
}

fn of_money(page: &mut Page, name: &str, picture: &Picture) {
    let money = &picture.money;
    let ratio = |ppm: u32| Some(Value::Ppm(ppm.into()));
    let value = match name {
        "smc_var_ratio" => {
            return money.var_ppm.and_then(ratio).into_iter().for_each(|v| page.sample(&[], v));
        }
        "smc_drawdown_ratio" => {
            return ratio(money.drawdown_ppm).into_iter().for_each(|v| page.sample(&[], v));
        }
        "smc_daily_loss_ratio" => {
            return ratio(money.daily_loss_ppm).into_iter().for_each(|v| page.sample(&[], v));
        }
        "smc_equity" => money.equity,
        "smc_equity_high" => Some(money.equity_high),
        "smc_pnl_realised" => Some(money.realised),
        "smc_pnl_open" => Some(money.open),
        "smc_fees" => Some(money.fees),
        "smc_exposure_gross" => money.gross,
        "smc_exposure_net" => money.net,
        _ => None,
    };
    if let Some(value) = value {
        page.sample(&[("asset", &money.asset)], Value::Decimal(value.0));
    }
}

fn of_instruments(page: &mut Page, name: &str, picture: &Picture) {
    for instrument in &picture.instruments {
        let symbol = ("symbol", instrument.symbol.as_str());
        match name {
            "smc_feed_live" => {
                page.sample(&[symbol], Value::Count((instrument.feed == FeedState::Live).into()));
            }
            "smc_feed_age_seconds" => {
                let age = instrument.last_price_at.map(|at| picture.time.since(at));
                age.into_iter().for_each(|age| page.sample(&[symbol], Value::Seconds(age.cast_signed())));
            }
            "smc_orders_open" => page.sample(&[symbol], Value::Count(instrument.open_orders.into())),
            "smc_position" => page.sample(&[symbol], Value::Decimal(instrument.position.0)),
            "smc_zones_open" => {
                for chart in &instrument.charts {
                    let kinds = [
                        ("order_block", chart.order_blocks_open),
                        ("fair_value_gap", chart.gaps_open),
                        ("liquidity", chart.pools_open),
                    ];
                    for (kind, count) in kinds {
                        let labels = [symbol, ("timeframe", chart.timeframe.as_str()), ("kind", kind)];
                        page.sample(&labels, Value::Count(count.into()));
                    }
                }
            }
            "smc_trend" => {
                for chart in &instrument.charts {
                    let trend = match chart.bias {
                        Some(Direction::Up) => 1.0,
                        Some(Direction::Down) => -1.0,
                        None => 0.0,
                    };
                    page.sample(&[symbol, ("timeframe", chart.timeframe.as_str())], Value::Float(trend));
                }
            }
            _ => {}
        }
    }
}

fn of_limits(page: &mut Page, name: &str, picture: &Picture) {
    for limit in &picture.limits {
        let value = match name {
            "smc_risk_limit" => Some(Value::Decimal(limit.limit.0)),
            "smc_risk_used" => limit.used.map(|used| Value::Decimal(used.0)),
            _ => limit.use_ppm.map(Value::Ppm),
        };
        if let Some(value) = value {
            page.sample(&[("scope", &limit.scope_name), ("limit", &limit.name)], value);
        }
    }
}

fn of_venues(page: &mut Page, name: &str, picture: &Picture) {
    for venue in &picture.venues {
        let value = match name {
            "smc_venue_ready" => Some(Value::Count((venue.gateway == GatewayState::Ready).into())),
            "smc_venue_budget_left_ratio" => venue
                .budget_left
                .zip(venue.budget_limit)
                .filter(|(_, limit)| *limit > 0)
                .map(|(left, limit)| Value::Float(f64::from(left) / f64::from(limit))),
            "smc_venue_clock_offset_seconds" => venue.clock_offset_ns.map(Value::Seconds),
            _ => Some(Value::Count(venue.reconnects)),
        };
        value.into_iter().for_each(|value| page.sample(&[("venue", &venue.name)], value));
    }
}

/// Every control of the engine's own scope, and what is held elsewhere.
fn breakers(page: &mut Page, picture: &Picture) {
    for control in Control::ALL {
        let held =
            picture.holds.iter().filter(|held| held.scope == RiskScope::ENGINE && held.control == control);
        let state = held.map(|held| held.state as u64).max().unwrap_or(0);
        let control = label(&words(&control));
        page.sample(&[("scope", "engine"), ("control", &control)], Value::Count(state));
    }
    // Two findings about one scope may have one control: the worse counts.
    let mut elsewhere: Vec<(&str, String, u64)> = Vec::new();
    for held in picture.holds.iter().filter(|held| held.scope != RiskScope::ENGINE) {
        let (control, state) = (label(&words(&held.control)), held.state as u64);
        match elsewhere.iter_mut().find(|(name, known, _)| *name == held.name && *known == control) {
            Some((_, _, worst)) => *worst = state.max(*worst),
            None => elsewhere.push((&held.name, control, state)),
        }
    }
    for (name, control, state) in elsewhere {
        page.sample(&[("scope", name), ("control", &control)], Value::Count(state));
    }
}
