//! Records as named fields: what a difference is told by, and what JSON and text are written from.

use serde_json::json;
use smc_core::codec::{self, CodecError};
use smc_core::event::{Event, EventBody, OrderUpdateKind, RiskScope, ScopeKind};
use smc_core::output::{NewOrder, Output};
use smc_core::risk::Violations;
use smc_core::words::{InstrumentId, Money, Price, Qty, TsNs};
use smc_journal::{Record, RecordKind};

/// One value with its unit, so that a printer knows what to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A price.
    Price(Price),
    /// A base quantity.
    Qty(Qty),
    /// Quote currency.
    Money(Money),
    /// A moment.
    Time(TsNs),
    /// A plain number.
    Number(i128),
    /// A claim.
    Flag(bool),
    /// A name.
    Word(String),
}

/// A name and a value.
pub type Field = (&'static str, Value);

/// A record's content.
#[derive(Clone, Debug)]
pub enum Content {
    /// What the engine was told.
    Input(Event),
    /// What it said.
    Output(Output<NewOrder>),
    /// Text, as configurations are.
    Text(String),
    /// Bytes that mean nothing by themselves.
    Bytes(Vec<u8>),
}

/// Reads a record's content; the error is for inputs and outputs of another version.
pub fn content(record: &Record<'_>) -> Result<Content, CodecError> {
    Ok(match record.kind {
        RecordKind::Input => Content::Input(codec::decode(record.payload)?),
        RecordKind::Output => Content::Output(codec::decode(record.payload)?),
        RecordKind::Config | RecordKind::Source => {
            Content::Text(String::from_utf8_lossy(record.payload).into_owned())
        }
        RecordKind::Digest
        | RecordKind::Snapshot
        | RecordKind::Close
        | RecordKind::Run
        | RecordKind::Unknown => Content::Bytes(record.payload.to_vec()),
    })
}

/// `StopLimit` as `stop limit`.
pub fn words(name: &impl std::fmt::Debug) -> String {
    let mut text = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// `ReduceOnly` as `REDUCE_ONLY`: how operators write states.
pub fn state_name(name: &impl std::fmt::Debug) -> String {
    words(name).to_uppercase().replace(' ', "_")
}

fn word(name: &impl std::fmt::Debug) -> Value {
    Value::Word(words(name))
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::Word(value.to_string())
}

fn number(value: impl Into<i128>) -> Value {
    Value::Number(value.into())
}

impl Content {
    /// What it is, in one word: `trade`, `order update`, `signal`.
    pub fn name(&self) -> String {
        match self {
            Self::Input(event) => match event.body {
                EventBody::Order(_) => "order update".into(),
                EventBody::Bar(..) => "venue bar".into(),
                EventBody::Book(_) => "book update".into(),
                EventBody::Operator(_) => "operator command".into(),
                EventBody::Clock(_) => "venue clock".into(),
                EventBody::Budget(_) => "request budget".into(),
                EventBody::Key(_) => "key scope".into(),
                EventBody::Margin(_) => "margin".into(),
                EventBody::Mark(_) => "mark price".into(),
                EventBody::Rate(_) => "asset rate".into(),
                EventBody::Cash(_) => "cash".into(),
                EventBody::Round(_) => "reconcile round".into(),
                EventBody::VenueOrder(_) => "venue order".into(),
                EventBody::VenuePosition(_) => "venue position".into(),
                EventBody::Sequence(_) => "account sequence".into(),
                EventBody::Trade(_) => "trade".into(),
                EventBody::Quote(_) => "quote".into(),
                EventBody::Instrument(_) => "instrument rules".into(),
                EventBody::Feed(_) => "feed state".into(),
                EventBody::Gateway(_) => "gateway state".into(),
                EventBody::Journal(_) => "journal state".into(),
                EventBody::Balance(_) => "balance".into(),
                EventBody::Timer => "timer".into(),
            },
            Self::Output(output) => match output {
                Output::NewOrder(_) => "order",
                Output::Cancel(_) => "cancel",
                Output::Signal(_) => "signal",
                Output::Decision(_) => "decision",
                Output::Structure(_) => "structure",
                Output::BarClosed(..) => "bar",
                Output::Position(_) => "position",
                Output::State(_) => "state change",
                Output::Alert(_) => "alert",
                Output::Replace(_) => "replace",
            }
            .into(),
            Self::Text(_) => "text".into(),
            Self::Bytes(_) => "bytes".into(),
        }
    }

    /// The instrument it is about, where there is one.
    pub fn instrument(&self) -> Option<InstrumentId> {
        let id = match self {
            Self::Input(event) => event.instrument,
            Self::Output(output) => match output {
                Output::NewOrder(order) => order.instrument,
                Output::Cancel(cancel) => cancel.instrument,
                Output::Replace(replace) => replace.order.instrument,
                Output::Signal(signal) => signal.instrument,
                Output::Decision(decision) => decision.instrument,
                Output::Structure(structure) => structure.instrument,
                Output::BarClosed(id, ..) => *id,
                Output::Position(position) => position.instrument,
                Output::Alert(alert) => alert.instrument,
                Output::State(_) => return None,
            },
            Self::Text(_) | Self::Bytes(_) => return None,
        };
        (id != InstrumentId::NONE).then_some(id)
    }

    /// Its fields, in the order in which they are stored.
    pub fn fields(&self) -> Vec<Field> {
        match self {
            Self::Input(event) => event_fields(event),
            Self::Output(output) => output_fields(output),
            Self::Text(content) => vec![("text", Value::Word(content.clone()))],
            Self::Bytes(bytes) => {
                let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                vec![("bytes", Value::Word(hex))]
            }
        }
    }
}

/// Stamps and number first, then the body's own.
pub fn event_fields(event: &Event) -> Vec<Field> {
    let mut fields = vec![("ts_event", Value::Time(event.ts_event)), ("ts_recv", Value::Time(event.ts_recv))];
    if event.instrument != InstrumentId::NONE {
        fields.push(("instrument", number(event.instrument.0)));
    }
    fields.extend(body_fields(&event.body));
    fields
}

/// What the event itself says, without stamps.
pub fn body_fields(body: &EventBody) -> Vec<Field> {
    match body {
        EventBody::Trade(t) => vec![
            ("price", Value::Price(t.price)),
            ("qty", Value::Qty(t.qty)),
            ("aggressor", word(&t.aggressor)),
            ("trade_id", number(t.trade_id)),
        ],
        EventBody::Quote(q) => vec![
            ("bid", Value::Price(q.bid)),
            ("bid_qty", Value::Qty(q.bid_qty)),
            ("ask", Value::Price(q.ask)),
            ("ask_qty", Value::Qty(q.ask_qty)),
            ("update_id", number(q.update_id)),
        ],
        EventBody::Book(u) => {
            let mut fields = vec![
                ("update_id", number(u.update_id)),
                ("is_snapshot_start", Value::Flag(u.is_snapshot_start)),
                ("is_last", Value::Flag(u.is_last)),
                ("side", word(&u.side)),
            ];
            for level in u.levels.iter().take(usize::from(u.len)) {
                fields.push(("price", Value::Price(level.price)));
                fields.push(("qty", Value::Qty(level.qty)));
            }
            fields
        }
        EventBody::Bar(timeframe, bar) => {
            [("timeframe", text(timeframe))].into_iter().chain(bar_fields(bar)).collect()
        }
        EventBody::Instrument(s) => vec![
            ("symbol", text(s.symbol)),
            ("base", text(s.base)),
            ("quote", text(s.quote)),
            ("tick", Value::Price(s.tick)),
            ("lot", Value::Qty(s.lot)),
            ("qty_min", Value::Qty(s.qty_min)),
            ("qty_max", Value::Qty(s.qty_max)),
            ("notional_min", Value::Money(s.notional_min)),
            ("status", word(&s.status)),
            ("contract", word(&s.contract.kind)),
            ("contract_size", Value::Qty(s.contract.size)),
            ("margin_initial_ppm", number(s.contract.margin_initial_ppm)),
            ("margin_maintenance_ppm", number(s.contract.margin_maintenance_ppm)),
            ("can_replace", Value::Flag(s.contract.can_replace)),
            ("can_oco", Value::Flag(s.contract.can_oco)),
            ("can_attach", Value::Flag(s.contract.can_attach)),
            ("can_reduce_only", Value::Flag(s.contract.can_reduce_only)),
        ],
        EventBody::Feed(state) => vec![("state", word(state))],
        EventBody::Gateway(state) => vec![("state", word(state))],
        EventBody::Journal(state) => vec![("state", word(state))],
        EventBody::Order(update) => {
            let mut fields = vec![
                ("client_order_id", text(update.client_order_id)),
                ("venue_order_id", number(update.venue_order_id)),
            ];
            fields.extend(update_fields(&update.kind));
            fields
        }
        EventBody::Balance(b) => {
            vec![("asset", text(b.asset)), ("free", Value::Qty(b.free)), ("locked", Value::Qty(b.locked))]
        }
        EventBody::Timer => Vec::new(),
        EventBody::Operator(act) => vec![
            ("command", word(&act.command)),
            ("scope", Value::Word(scope_name(act.scope))),
            ("limit", word(&act.limit)),
            ("value", number(act.value)),
            ("operator", number(act.operator)),
            ("reason", text(act.reason)),
        ],
        EventBody::Clock(c) => vec![("offset_ns", number(c.offset_ns))],
        EventBody::Budget(b) => vec![
            ("left", number(b.left)),
            ("limit", number(b.limit)),
            ("banned_until", Value::Time(b.banned_until)),
            ("resets_at", Value::Time(b.resets_at)),
        ],
        EventBody::Key(k) => {
            vec![("can_trade", Value::Flag(k.can_trade)), ("can_withdraw", Value::Flag(k.can_withdraw))]
        }
        EventBody::Margin(m) => vec![("equity", Value::Money(m.equity)), ("free", Value::Money(m.free))],
        EventBody::Mark(m) => vec![("price", Value::Price(m.price))],
        EventBody::Rate(r) => vec![("asset", text(r.asset)), ("price", Value::Price(r.price))],
        EventBody::Cash(c) => vec![
            ("kind", word(&c.kind)),
            ("asset", text(c.asset)),
            ("amount", Value::Money(c.amount)),
            ("booking_id", number(c.booking_id)),
        ],
        EventBody::Round(r) => vec![
            ("number", number(r.number)),
            ("is_end", Value::Flag(r.is_end)),
            ("is_complete", Value::Flag(r.is_complete)),
        ],
        EventBody::VenueOrder(o) => vec![
            ("client_order_id", text(o.client_order_id)),
            ("venue_order_id", number(o.venue_order_id)),
            ("side", word(&o.side)),
            ("kind", word(&o.kind)),
            ("price", Value::Price(o.price)),
            ("stop_price", Value::Price(o.stop_price)),
            ("qty", Value::Qty(o.qty)),
            ("filled_qty", Value::Qty(o.filled_qty)),
        ],
        EventBody::VenuePosition(p) => {
            vec![("qty", Value::Qty(p.qty)), ("average", Value::Price(p.average))]
        }
        EventBody::Sequence(s) => vec![("told_to", number(s.told_to))],
    }
}

fn update_fields(kind: &OrderUpdateKind) -> Vec<Field> {
    let named = |name: &str| ("report", Value::Word(name.into()));
    match *kind {
        OrderUpdateKind::Ack => vec![named("ack")],
        OrderUpdateKind::Reject { code } => vec![named("reject"), ("code", number(code))],
        OrderUpdateKind::Fill { trade_id, side, price, qty, cum_qty, fee, fee_asset, is_maker } => vec![
            named("fill"),
            ("trade_id", number(trade_id)),
            ("side", word(&side)),
            ("price", Value::Price(price)),
            ("qty", Value::Qty(qty)),
            ("cum_qty", Value::Qty(cum_qty)),
            ("fee", Value::Money(fee)),
            ("fee_asset", text(fee_asset)),
            ("is_maker", Value::Flag(is_maker)),
        ],
        OrderUpdateKind::Canceled { cum_qty } => vec![named("canceled"), ("cum_qty", Value::Qty(cum_qty))],
        OrderUpdateKind::Expired { cum_qty } => vec![named("expired"), ("cum_qty", Value::Qty(cum_qty))],
        OrderUpdateKind::CancelReject { code } => vec![named("cancel refused"), ("code", number(code))],
        OrderUpdateKind::Unknown => vec![named("outcome unknown")],
        OrderUpdateKind::NotFound => vec![named("not found")],
    }
}

fn bar_fields(bar: &smc_core::event::Bar) -> Vec<Field> {
    vec![
        ("open_ts", Value::Time(bar.open_ts)),
        ("open", Value::Price(bar.open)),
        ("high", Value::Price(bar.high)),
        ("low", Value::Price(bar.low)),
        ("close", Value::Price(bar.close)),
        ("volume", Value::Qty(bar.volume)),
        ("trades", number(bar.trades)),
    ]
}

/// An output's own fields.
pub fn output_fields(output: &Output<NewOrder>) -> Vec<Field> {
    match output {
        Output::NewOrder(order) => order_fields(order),
        Output::Replace(r) => {
            let replaced =
                [("replaced", text(r.replaced)), ("replaced_venue_id", number(r.replaced_venue_id))];
            replaced.into_iter().chain(order_fields(&r.order)).collect()
        }
        Output::Cancel(c) => vec![
            ("instrument", number(c.instrument.0)),
            ("client_order_id", text(c.client_order_id)),
            ("venue_order_id", number(c.venue_order_id)),
        ],
        Output::Signal(s) => vec![
            ("id", number(s.id)),
            ("strategy", number(s.strategy)),
            ("instrument", number(s.instrument.0)),
            ("direction", word(&s.direction)),
            ("entry", Value::Price(s.entry)),
            ("stop", Value::Price(s.stop)),
            ("target", Value::Price(s.target)),
            ("reasons", Value::Word(s.reasons.map(|id| id.to_string()).join(" "))),
        ],
        Output::Decision(d) => vec![
            ("client_order_id", text(d.client_order_id)),
            ("instrument", number(d.instrument.0)),
            ("codes", Value::Word(codes_text(d.codes))),
            ("qty", Value::Qty(d.qty)),
            ("price", Value::Price(d.price)),
        ],
        Output::Structure(s) => vec![
            ("instrument", number(s.instrument.0)),
            ("timeframe", text(s.timeframe)),
            ("kind", word(&s.kind)),
            ("direction", word(&s.direction)),
            ("id", number(s.id)),
            ("cause_id", number(s.cause_id)),
            ("bar", number(s.bar)),
            ("known_bar", number(s.known_bar)),
            ("top", Value::Price(s.top)),
            ("bottom", Value::Price(s.bottom)),
            ("extra", number(s.extra)),
            ("value", number(s.value)),
            ("scope", word(&s.scope)),
        ],
        Output::BarClosed(instrument, timeframe, bar) => {
            [("instrument", number(instrument.0)), ("timeframe", text(timeframe))]
                .into_iter()
                .chain(bar_fields(bar))
                .collect()
        }
        Output::Position(p) => vec![
            ("instrument", number(p.instrument.0)),
            ("qty", Value::Qty(p.qty)),
            ("average", Value::Price(p.average)),
            ("realised", Value::Money(p.realised)),
            ("fees", Value::Money(p.fees)),
            ("client_order_id", text(p.client_order_id)),
            ("fill_price", Value::Price(p.fill_price)),
            ("fill_qty", Value::Qty(p.fill_qty)),
        ],
        Output::State(change) => vec![
            ("scope", Value::Word(scope_name(change.scope))),
            ("from", Value::Word(state_name(&change.from))),
            ("to", Value::Word(state_name(&change.to))),
            ("cause", word(&change.cause)),
            ("command", Value::Word(change.command.map_or_else(|| "none".into(), |c| words(&c)))),
        ],
        Output::Alert(a) => vec![
            ("kind", word(&a.kind)),
            ("instrument", number(a.instrument.0)),
            ("client_order_id", text(a.client_order_id)),
            ("detail", number(a.detail)),
            ("ts", Value::Time(a.ts)),
        ],
    }
}

fn order_fields(o: &NewOrder) -> Vec<Field> {
    vec![
        ("client_order_id", text(o.client_order_id)),
        ("instrument", number(o.instrument.0)),
        ("side", word(&o.side)),
        ("kind", word(&o.kind)),
        ("time_in_force", word(&o.time_in_force)),
        ("price", Value::Price(o.price)),
        ("stop_price", Value::Price(o.stop_price)),
        ("qty", Value::Qty(o.qty)),
        ("purpose", word(&o.purpose)),
        ("signal_id", number(o.signal_id)),
        ("reduce_only", Value::Flag(o.terms.reduce_only)),
        ("stop_on_fill", Value::Price(o.terms.stop_on_fill)),
        ("target_on_fill", Value::Price(o.terms.target_on_fill)),
        ("oco", text(o.terms.oco)),
    ]
}

/// `engine`, `strategy 1`, `instrument 0`.
pub fn scope_name(scope: RiskScope) -> String {
    match scope.kind {
        ScopeKind::Engine => "engine".into(),
        kind => format!("{} {}", words(&kind), scope.id),
    }
}

/// `approved`, or the names of what was violated.
pub fn codes_text(codes: u32) -> String {
    match codes {
        0 => "approved".into(),
        codes => Violations::from_bits(codes).to_string(),
    }
}

/// A value as JSON: decimals as text, so that no reader rounds them; times as nanoseconds.
pub fn value_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Price(price) => json!(price.to_string()),
        Value::Qty(qty) => json!(qty.to_string()),
        Value::Money(amount) => json!(amount.to_string()),
        Value::Time(ts) => json!(ts.0),
        Value::Number(n) => i64::try_from(*n).map_or_else(|_| json!(n.to_string()), |n| json!(n)),
        Value::Flag(is) => json!(is),
        Value::Word(word) => json!(word),
    }
}

/// Fields as one object; a name that comes again gets a number.
pub fn fields_json(fields: &[Field]) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for (name, value) in fields {
        let mut key = (*name).to_string();
        let mut nth = 2;
        while object.contains_key(&key) {
            key = format!("{name}_{nth}");
            nth += 1;
        }
        object.insert(key, value_json(value));
    }
    object.into()
}
