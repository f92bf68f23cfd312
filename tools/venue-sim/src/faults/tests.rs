//! Plans and the venue around a venue.

use super::*;
use crate::dialect::{ConnId, Dialect, Frame, HttpRequest, Lane, Said, SeenOrder, Summary, WsRules};
use smc_core::TsNs;
use std::collections::VecDeque;
use std::time::Duration;

/// Says a numbered market message at every step; answers what it is asked, word for word.
#[derive(Default)]
struct Talker {
    now: TsNs,
    said: u32,
    out: VecDeque<(ConnId, Frame)>,
    heard: Vec<String>,
}

impl Dialect for Talker {
    fn set_tick(&mut self, _tick: Duration) {}

    fn now(&self) -> TsNs {
        self.now
    }

    fn next_due(&self) -> TsNs {
        TsNs(self.now.0 + 100_000_000)
    }

    fn is_market_over(&self) -> bool {
        false
    }

    fn set_now(&mut self, now: TsNs) {
        self.now = now;
    }

    fn step(&mut self) -> bool {
        self.now = self.next_due();
        self.said += 1;
        self.out.push_back((1, Frame::Text(format!("m{{\"n\":{},\"p\":\"1.5\"}}", self.said))));
        true
    }

    fn open(&mut self, _conn: ConnId, _target: &str) -> Option<WsRules> {
        Some(WsRules { ping_every: None, pong_within: Duration::MAX, messages_per_second: None })
    }

    fn on_text(&mut self, conn: ConnId, text: &str) {
        self.heard.push(text.to_owned());
        self.out.push_back((conn, Frame::Text(format!("a{text}"))));
        self.out.push_back((conn, Frame::Text(format!("r{text}"))));
    }

    fn on_http(&mut self, conn: ConnId, request: &HttpRequest) {
        self.out.push_back((conn, Frame::Http(request.target.clone().into_bytes())));
    }

    fn refusal(&self, _status: u16) -> Vec<u8> {
        Vec::new()
    }

    fn close(&mut self, _conn: ConnId) {}

    fn pop_frame(&mut self) -> Option<(ConnId, Frame)> {
        self.out.pop_front()
    }

    fn orders_seen(&self) -> &[SeenOrder] {
        &[]
    }

    fn take_unaudited(&mut self) -> &[SeenOrder] {
        &[]
    }

    fn summary(&self) -> Summary {
        Summary::default()
    }

    fn lane(&self, target: &str) -> Lane {
        if target == "/orders" { Lane::Orders } else { Lane::Market }
    }

    fn said(&self, text: &str) -> Said {
        match text.as_bytes().first() {
            Some(b'm') => Said::Market,
            Some(b'r') => Said::Report,
            _ => Said::Answer,
        }
    }

    fn refuse_text(&self, _conn: ConnId, text: &str, trouble: crate::dialect::Trouble) -> Option<String> {
        Some(format!("x{text} {} {:?}", trouble.status, trouble.retry_at_ms))
    }
}

fn venue(plan: FaultPlan) -> FaultyVenue {
    let mut venue = FaultyVenue::new(Box::new(Talker::default()), plan);
    venue.open(1, "/market");
    venue.open(2, "/orders");
    venue
}

fn frames(venue: &mut FaultyVenue) -> Vec<String> {
    let text = |(conn, frame)| match frame {
        Frame::Text(text) => format!("{conn}{text}"),
        other => format!("{conn}{other:?}"),
    };
    std::iter::from_fn(|| venue.pop_frame()).map(text).collect()
}

/// All that a venue says in so many steps.
fn run(plan: FaultPlan, steps: u32) -> (Vec<String>, Counts) {
    let mut venue = venue(plan);
    let mut all = Vec::new();
    for _ in 0..steps {
        venue.step();
        venue.on_text(2, "ask");
        all.extend(frames(&mut venue));
    }
    (all, *venue.faults().unwrap())
}

#[test]
fn a_seed_gives_the_same_faults_and_no_plan_gives_none() {
    let plain = run(FaultPlan::none(1), 500);
    assert_eq!(plain.1, Counts::default());
    assert_eq!(plain.0.len(), 1_500);
    for seed in 0..20 {
        let (first, second) = (run(FaultPlan::from_seed(seed), 500), run(FaultPlan::from_seed(seed), 500));
        assert_eq!(first.0, second.0, "seed {seed}");
        assert_eq!(first.1, second.1, "seed {seed}");
    }
}

#[test]
fn plans_differ_and_together_have_every_fault() {
    let plans: Vec<FaultPlan> = (0..200).map(FaultPlan::from_seed).collect();
    for fault in Fault::ALL {
        let count = plans.iter().filter(|plan| plan.chance_ppm(fault) > 0).count();
        assert!((50..150).contains(&count), "{}: {count} of 200", fault.name());
    }
    for (nth, fault) in Fault::ALL.into_iter().enumerate() {
        assert_eq!(fault as usize, nth, "{}", fault.name());
    }
}

#[test]
fn a_fault_ends_with_its_plan_and_long_ones_a_minute_before() {
    let lasting = |fault| FaultPlan::none(3).with(fault, 1_000_000).lasting(Duration::from_secs(70));
    let strikes = |fault, secs| lasting(fault).is_in_time(fault, Duration::from_secs(secs));
    assert!(strikes(Fault::Gap, 69) && !strikes(Fault::Gap, 70));
    assert!(strikes(Fault::Banned, 9) && !strikes(Fault::Banned, 10));
    let (said, counts) = run(lasting(Fault::Gap), 800);
    assert_eq!(counts.of(Fault::Gap), 699);
    assert!(said.contains(&"1m{\"n\":700,\"p\":\"1.5\"}".to_owned()));
}

#[test]
fn frames_are_lost_doubled_and_exchanged_and_the_rest_is_whole() {
    let always = |fault| run(FaultPlan::none(1).with(fault, 1_000_000), 4).0;
    let market = |said: &[String]| {
        let number =
            |text: &String| text.strip_prefix("1m{\"n\":").and_then(|rest| rest[..1].parse::<u32>().ok());
        said.iter().filter_map(number).collect::<Vec<_>>()
    };
    assert!(market(&always(Fault::Gap)).is_empty());
    assert_eq!(market(&always(Fault::Duplicate)), [1, 1, 2, 2, 3, 3, 4, 4]);
    let mixed = run(FaultPlan::none(1).with(Fault::Reorder, 500_000), 9).0;
    let (mixed, mut sorted) = (market(&mixed), market(&mixed));
    sorted.sort_unstable();
    assert!(mixed != sorted && sorted.windows(2).all(|pair| pair[0] < pair[1]), "{mixed:?}");
    let twice = always(Fault::RepeatedReport);
    assert_eq!(twice[..4], ["1m{\"n\":1,\"p\":\"1.5\"}", "2aask", "2rask", "2rask"]);
}

#[test]
fn requests_are_lost_or_unanswered_or_refused() {
    let ask = |fault| {
        let mut venue = venue(FaultPlan::none(1).with(fault, 1_000_000));
        venue.on_text(2, "ask");
        frames(&mut venue)
    };
    assert!(ask(Fault::DroppedRequest).is_empty());
    assert_eq!(ask(Fault::LostAnswer), ["2rask"], "done: the report tells");
    assert_eq!(ask(Fault::ServerError), ["2xask 503 None"]);
    let unknown = ask(Fault::UnknownOutcome);
    assert!(unknown[0] == "2rask" && unknown[1].starts_with("2xask"), "{unknown:?}");
    assert_eq!(ask(Fault::Forbidden), ["2xask 403 None"]);
    let limited = ask(Fault::RateLimited);
    assert!(limited[0].starts_with("2xask 429 Some("), "{limited:?}");
}

#[test]
fn a_client_that_does_not_wait_as_told_is_counted() {
    let mut venue = venue(FaultPlan::none(1).with(Fault::Banned, 1_000_000));
    // Told the first time; two more under way; then those a second later and more, until the end of the first ban.
    for steps in [1, 1, 1, 9, 1, 1] {
        venue.on_text(2, "ask");
        for _ in 0..steps {
            venue.step();
        }
    }
    let until = venue.trouble.unwrap().until;
    assert!(until > venue.now(), "the ban lasts longer than this test: {until:?}");
    assert_eq!(venue.faults().unwrap().too_early, 2);
}

#[test]
fn spoiled_texts_are_refused_by_any_reader() {
    let text = r#"{"e":"trade","p":"60000.01000000","q":"0.00100000","T":1,"u":7}"#;
    let mut random = crate::market::random::Random::new(5);
    let mut is_refused = |_| {
        let spoiled = spoil::spoil(text, &mut random);
        let decimal = |value: Option<&serde_json::Value>| {
            value.and_then(|value| value.as_str()).is_some_and(|text| {
                smc_core::Price::parse(text.as_bytes()).is_ok_and(|price| price.0 >= 0 && !text.is_empty())
            })
        };
        match serde_json::from_str::<serde_json::Value>(&spoiled) {
            Err(_) => true,
            Ok(value) => !(decimal(value.get("p")) && decimal(value.get("q"))),
        }
    };
    assert!((0..2_000).all(&mut is_refused));
}
