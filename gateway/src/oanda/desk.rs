//! What the tests of the session share: a session, the time, a venue, and the way between them.

use super::answers::RestOutcome;
use super::fake::Venue;
use super::session::{MS, Out, SECOND, Session};
use super::settings::{GatewayInstrument, GatewaySettings, Recalled, SendError};
use super::tape::Scratch;
use serde_json::{Value, json};
use smc_core::event::{Event, EventBody, OrderUpdate, OrderUpdateKind};
use smc_core::instrument::{Contract, ContractKind, InstrumentSpec, TradingStatus};
use smc_core::output::{CancelOrder, NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side, TsNs};
use smc_net::{Call, Endpoint, Secret, TlsSettings};
use std::collections::BTreeSet;

pub(super) const INSTANCE: u16 = 7;
pub(super) const START: TsNs = TsNs(1_784_703_661_000_000_000);
pub(super) const ACCOUNT: &str = "101-004-1234567-001";
pub(super) const TOKEN: &str = "0000aaaa1111bbbb2222cccc3333dddd-4444eeee5555ffff6666aaaa7777bbbb";

pub(super) fn endpoint() -> Endpoint {
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
    let tls = TlsSettings::from_ca_pem(&authority.pem()).unwrap();
    Endpoint { host: "localhost".into(), port: 9, address: Some(([127, 0, 0, 1], 9).into()), tls }
}

pub(super) fn settings() -> GatewaySettings {
    let nobody = endpoint();
    GatewaySettings::new(nobody.clone(), nobody, ACCOUNT, Secret::new(TOKEN), INSTANCE)
}

pub(super) fn instrument(id: u16, symbol: &str, tick: i64) -> GatewayInstrument {
    let (base, quote) = symbol.split_once('_').unwrap();
    let name = |text: &str| Name::new(text).unwrap();
    let spec = InstrumentSpec {
        symbol: name(symbol),
        base: name(base),
        quote: name(quote),
        tick: Price(tick),
        lot: Qty(SCALE),
        qty_min: Qty(SCALE),
        qty_max: Qty(100_000_000 * SCALE),
        notional_min: Money::ZERO,
        status: TradingStatus::Trading,
        contract: Contract { kind: ContractKind::Fx, can_replace: true, can_attach: true, ..Contract::SPOT },
    };
    GatewayInstrument { id: InstrumentId(id), spec }
}

pub(super) fn instruments() -> [GatewayInstrument; 2] {
    [instrument(0, "EUR_USD", 1_000), instrument(1, "USD_JPY", 100_000)]
}

/// A limit order to buy 100 EUR at 1.1.
pub(super) fn order(sequence: u64) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId::new(INSTANCE, 1, sequence),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind: OrderKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Price(110_000_000),
        stop_price: Price::ZERO,
        qty: Qty(100 * SCALE),
        purpose: Purpose::Entry,
        signal_id: 0,
        terms: OrderTerms::PLAIN,
    }
}

pub(super) fn market(sequence: u64) -> NewOrder {
    let (kind, time_in_force, price) = (OrderKind::Market, TimeInForce::Ioc, Price::ZERO);
    NewOrder { kind, time_in_force, price, ..order(sequence) }
}

pub(super) fn bracketed(sequence: u64) -> NewOrder {
    let terms = OrderTerms {
        stop_on_fill: Price(109_000_000),
        target_on_fill: Price(112_000_000),
        ..OrderTerms::PLAIN
    };
    NewOrder { terms, ..market(sequence) }
}

/// A session with its venue.
pub(super) struct Desk {
    pub session: Session,
    pub scratch: Scratch,
    pub now: TsNs,
    pub venue: Venue,
    /// Requests that nobody has answered, oldest first.
    pub calls: Vec<Call>,
    pub events: Vec<Event>,
    /// The newest transaction that the stream has shown.
    pub streamed: u64,
}

impl Desk {
    pub fn new() -> Self {
        let venue = Venue::new();
        Self {
            session: Session::new(&settings(), &instruments()).unwrap(),
            scratch: Scratch::new(),
            now: START,
            streamed: venue.last(),
            venue,
            calls: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Reconciled, with nothing open; the way there is forgotten.
    pub fn ready() -> Self {
        let mut desk = Self::new();
        desk.connect();
        assert!(desk.session.is_ready());
        desk.events.clear();
        desk
    }

    pub fn with<R>(&mut self, act: impl FnOnce(&mut Session, &mut Scratch, &mut Out<'_>) -> R) -> R {
        let events = &mut self.events;
        let mut emit = |event| events.push(event);
        let mut out = Out::new(self.now, &mut emit);
        act(&mut self.session, &mut self.scratch, &mut out)
    }

    /// One turn, as the gateway does it.
    pub fn turn(&mut self) {
        let (events, calls) = (&mut self.events, &mut self.calls);
        let mut emit = |event| events.push(event);
        let mut out = Out::new(self.now, &mut emit);
        self.session.drive(&mut out, &mut |call| {
            calls.push(call);
            true
        });
        if self.session.link.wants_cut {
            self.session.on_cut(&mut out);
        }
    }

    /// A stream that stands, and everything that follows from it.
    pub fn connect(&mut self) {
        self.session.on_open(self.now);
        self.streamed = self.venue.last();
        self.turn();
        self.serve();
    }

    pub fn cut(&mut self) {
        self.with(|session, _, out| session.on_cut(out));
    }

    /// The process is gone, and another goes on from its journal: these events, and the orders that were sent. It knows what
    /// an engine would: stop and target of an entry from its first fill or from the first word about them.
    pub fn restart(&mut self, journal: &[Event], sent: &[NewOrder]) {
        self.session = Session::new(&settings(), &instruments()).unwrap();
        self.calls.clear();
        let mut told = Vec::new();
        for new in sent {
            let entry = told_of(journal, new.client_order_id);
            told.push((new.client_order_id, new.qty, entry, *new));
            let attached = [(1, new.terms.stop_on_fill), (2, new.terms.target_on_fill)];
            for (places, _) in attached.into_iter().filter(|(_, price)| *price > Price::ZERO) {
                let child = told_of(journal, new.client_order_id.after(places));
                if entry.filled > Qty::ZERO || child.is_known {
                    let qty = if child.is_over { child.filled } else { entry.filled };
                    told.push((new.client_order_id.after(places), qty, child, market(1)));
                }
            }
        }
        for &(id, qty, told, _) in told.iter().filter(|(_, qty, told, _)| !told.is_over && told.filled < *qty)
        {
            assert!(self.session.resolve(self.now, InstrumentId(0), id, told.filled), "{qty}");
        }
        for (client_order_id, asked, told, new) in told {
            let is_entry = sent.iter().any(|sent| sent.client_order_id == client_order_id);
            self.session.recall(&Recalled {
                client_order_id,
                asked: if is_entry || told.is_over { asked } else { Qty::ZERO },
                filled: told.filled,
                is_immediate: is_entry && new.time_in_force != TimeInForce::Gtc,
                has_stop: is_entry && new.terms.stop_on_fill > Price::ZERO,
                has_target: is_entry && new.terms.target_on_fill > Price::ZERO,
            });
        }
        let told_to = journal.iter().rev().find_map(|event| match event.body {
            EventBody::Sequence(sequence) => Some(sequence.told_to),
            _ => None,
        });
        let trades = journal.iter().filter_map(|event| match event.body {
            EventBody::Order(OrderUpdate { kind: OrderUpdateKind::Fill { trade_id, .. }, .. }) => {
                Some(trade_id)
            }
            _ => None,
        });
        self.session.resume(told_to.unwrap_or(0), trades);
    }

    /// Time passes; the stream lives.
    pub fn wait(&mut self, nanos: u64) {
        self.now = TsNs(self.now.0 + nanos);
        self.session.heard(self.now);
        self.turn();
    }

    /// Seconds pass, the venue answers and shows everything.
    pub fn settle(&mut self, seconds: u64) {
        for _ in 0..seconds * 4 {
            self.wait(SECOND / 4);
            self.stream();
            self.serve();
        }
    }

    pub fn hear(&mut self, line: &Value) {
        let mut payload = line.to_string().into_bytes();
        self.with(|session, scratch, out| session.on_line(&mut payload, scratch, out));
        self.turn();
    }

    /// The stream shows what it has not shown yet.
    pub fn stream(&mut self) {
        while self.streamed < self.venue.last() {
            self.streamed += 1;
            if self.session.link.is_open {
                let line = self.venue.transactions[(self.streamed - self.venue.first) as usize].clone();
                self.hear(&line);
            }
        }
    }

    /// What the stream has not shown yet, for a test that shows it otherwise.
    pub fn take_lines(&mut self) -> Vec<Value> {
        let from = std::mem::replace(&mut self.streamed, self.venue.last()) + 1 - self.venue.first;
        self.venue.transactions[from as usize..].to_vec()
    }

    pub fn heartbeat(&mut self) {
        let last = self.venue.last().to_string();
        self.hear(&json!({"type": "HEARTBEAT", "lastTransactionID": last, "time": "2026-07-22T07:01:05.000000000Z"}));
    }

    pub fn answer(&mut self, call: &Call, status: u16, body: &Value) {
        let mut bytes = body.to_string().into_bytes();
        let tag = call.tag;
        self.with(|session, scratch, out| {
            let date = Some("Wed, 22 Jul 2026 07:01:01 GMT");
            let answer = RestOutcome::Answer { status, date, retry_after: None, body: &mut bytes };
            session.on_rest(tag, answer, scratch, out);
        });
        self.turn();
    }

    pub fn lose(&mut self, call: &Call) {
        let tag = call.tag;
        self.with(|session, scratch, out| session.on_rest(tag, RestOutcome::Unknown, scratch, out));
        self.turn();
    }

    /// The venue answers everything that was asked.
    pub fn serve(&mut self) {
        self.wait(SOON);
        for _ in 0..500 {
            if self.calls.is_empty() {
                return;
            }
            let call = self.calls.remove(0);
            let (status, body) = self.venue.handle(&call);
            self.answer(&call, status, &body);
        }
        panic!("questions without end");
    }

    /// Sends an order; the request waits at the venue's door.
    pub fn place(&mut self, order: &NewOrder) -> Result<(), SendError> {
        let (now, calls) = (self.now, &mut self.calls);
        self.session.place(now, order, &mut |call| {
            calls.push(call);
            true
        })
    }

    pub fn replace(&mut self, old: &NewOrder, order: &NewOrder) -> Result<(), SendError> {
        let (now, calls) = (self.now, &mut self.calls);
        let cancel = CancelOrder {
            instrument: InstrumentId(0),
            client_order_id: old.client_order_id,
            venue_order_id: 0,
        };
        self.session.replace(now, &cancel, order, &mut |call| {
            calls.push(call);
            true
        })
    }

    pub fn cancel(&mut self, id: ClientOrderId, venue_order_id: u64) -> Result<(), SendError> {
        let (now, calls) = (self.now, &mut self.calls);
        let cancel = CancelOrder { instrument: InstrumentId(0), client_order_id: id, venue_order_id };
        self.session.cancel(now, &cancel, &mut |call| {
            calls.push(call);
            true
        })
    }

    /// What was said about orders since the last look.
    pub fn told(&mut self) -> Vec<(ClientOrderId, OrderUpdateKind)> {
        let told = std::mem::take(&mut self.events);
        let update = |event: &Event| match event.body {
            EventBody::Order(update) => Some((update.client_order_id, update.kind)),
            _ => None,
        };
        told.iter().filter_map(update).collect()
    }

    /// The same as short words.
    pub fn words(&mut self) -> Vec<String> {
        let word = |(id, kind): (ClientOrderId, OrderUpdateKind)| {
            let name =
                if id == ClientOrderId::NONE { "foreign".to_owned() } else { id.sequence().to_string() };
            match kind {
                OrderUpdateKind::Fill { side, qty, cum_qty, .. } => {
                    format!("{name} {side:?} {qty} of {cum_qty}")
                }
                OrderUpdateKind::Reject { code } | OrderUpdateKind::CancelReject { code } => {
                    let what = if matches!(kind, OrderUpdateKind::Reject { .. }) {
                        "Reject"
                    } else {
                        "CancelReject"
                    };
                    format!(
                        "{name} {what} {}",
                        super::errors::word(code).map_or(code.to_string(), str::to_owned)
                    )
                }
                OrderUpdateKind::Canceled { cum_qty } => format!("{name} Canceled {cum_qty}"),
                OrderUpdateKind::Expired { cum_qty } => format!("{name} Expired {cum_qty}"),
                other => format!("{name} {other:?}"),
            }
        };
        self.told().into_iter().map(word).collect()
    }

    /// A working order.
    pub fn working(&mut self, sequence: u64) -> NewOrder {
        let order = order(sequence);
        self.place(&order).unwrap();
        self.serve();
        assert_eq!(self.words(), [format!("{sequence} Ack")]);
        order
    }
}

/// What a journal says of an order.
#[derive(Clone, Copy, Debug)]
struct Told {
    is_known: bool,
    filled: Qty,
    is_over: bool,
}

fn told_of(journal: &[Event], id: ClientOrderId) -> Told {
    let mut told = Told { is_known: false, filled: Qty::ZERO, is_over: false };
    let mut counted = BTreeSet::new();
    for event in journal {
        let EventBody::Order(update) = event.body else { continue };
        if update.client_order_id != id {
            continue;
        }
        told.is_known = true;
        match update.kind {
            OrderUpdateKind::Fill { trade_id, qty, .. } if counted.insert(trade_id) => told.filled.0 += qty.0,
            OrderUpdateKind::Canceled { .. } | OrderUpdateKind::Expired { .. } => told.is_over = true,
            OrderUpdateKind::Reject { .. } | OrderUpdateKind::NotFound => told.is_over = true,
            _ => {}
        }
    }
    told
}

pub(super) const SOON: u64 = 50 * MS;
