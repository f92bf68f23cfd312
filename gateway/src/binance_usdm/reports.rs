//! What an event of the account means for our orders and for those of other hands, and how an order is settled.
//!
//! Reports may come before the answer to the request that caused them, twice, and in any order between connections. A fill
//! is handed on once per trade; an order is told final only after all its fills. Orders that nobody of ours sent
//! (liquidations, automatic deleveraging, settlements, other programs, people) are told with no id of ours.

use super::message::{AlgoReport, Event, Fields, OrderReport, Refusal, Scratch, Status, event};
use super::orders::{Order, Phase};
use super::session::{ASKS_MAX, MS, Out, Place, Session, Step};
use smc_core::event::{Balance, Cash, CashKind, EventBody, OrderUpdateKind};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Qty, TsNs};

/// Fills that seem to be missing are mostly just behind; asked for after this pause.
const FILLS_PAUSE: u64 = 250 * MS;

/// One fill, from whatever source.
pub(super) struct FillRow {
    pub trade_id: u64,
    pub kind: OrderUpdateKind,
}

impl Session {
    /// Reads one event of the private stream and acts on it.
    pub fn on_event(&mut self, payload: &mut [u8], scratch: &mut Scratch, out: &mut Out<'_>) {
        self.counters.messages += 1;
        let read = scratch.parse(payload, |value| {
            match event(value)?.1 {
                Event::Order(report) => self.on_report(&report, out),
                Event::Algo(report) => self.on_algo(&report, out),
                Event::Account { time_ms, body } => self.on_account_change(time_ms, &body, out)?,
                Event::AccountChanged => self.is_account_changed = true,
                // Nothing more will come under this key.
                Event::KeyExpired => self.wants_cut = true,
                // The whole report, with its fee, is just behind.
                Event::TradeLite | Event::Ignored => {}
            }
            Ok(())
        });
        self.counters.refused += u64::from(read.is_err());
    }

    /// Our order's id; none for orders of other instances, programs and people.
    pub(super) fn ours(&self, client_order_id: &str) -> Option<ClientOrderId> {
        ClientOrderId::parse(client_order_id.as_bytes()).filter(|id| id.instance() == self.instance)
    }

    fn on_report(&mut self, report: &OrderReport<'_>, out: &mut Out<'_>) {
        let Some(instrument) = self.encoder.instrument_of(report.symbol) else {
            self.counters.foreign += 1;
            return;
        };
        let ours = self.ours(report.client_order_id);
        let ours = ours.or_else(|| self.orders.by_venue_id(instrument, report.order_id));
        self.counters.foreign += u64::from(ours.is_none());
        let id = ours.unwrap_or(ClientOrderId::NONE);
        let place = (instrument, id, report.order_id);
        if let Some(order) = self.orders.get(id).filter(|_| ours.is_some()) {
            // A conditional order has become a plain one.
            (order.is_algo, order.is_guess, order.venue_id) = (false, false, report.order_id);
        }
        let is_fill = matches!(report.execution, "TRADE" | "CALCULATED") && report.last_qty > Qty::ZERO;
        if is_fill {
            self.on_report_fill(place, report, out);
        } else if !report.status.is_final() && report.execution != "CANCELED" {
            self.on_working(place, Some(report.time_ms), out);
        }
        let status = match (report.status.is_final(), report.execution) {
            (false, "CANCELED") => Status::Canceled,
            (false, "EXPIRED") => Status::Expired,
            _ => report.status,
        };
        self.settle(place, status, report.cum_qty, Some(report.time_ms), out);
    }

    fn on_report_fill(&mut self, place: Place, report: &OrderReport<'_>, out: &mut Out<'_>) {
        let Some(trade_id) = report.trade_id else {
            // A fill that cannot be counted once is fetched from the list of trades instead.
            self.counters.refused += 1;
            return self.want_sweep(place.0);
        };
        let kind = OrderUpdateKind::Fill {
            trade_id,
            side: report.side,
            price: report.last_price,
            qty: report.last_qty,
            cum_qty: report.cum_qty,
            fee: report.fee,
            fee_asset: Name::new(report.fee_asset).unwrap_or_default(),
            is_maker: report.is_maker,
        };
        let row = FillRow { trade_id, kind };
        self.on_fill(place, &row, Some(report.time_ms), out);
    }

    /// Hands a fill on, once per trade. True when it was new.
    pub(super) fn on_fill(
        &mut self,
        place: Place,
        row: &FillRow,
        time_ms: Option<u64>,
        out: &mut Out<'_>,
    ) -> bool {
        let (instrument, id, _) = place;
        let OrderUpdateKind::Fill { qty, .. } = row.kind else { return false };
        if let Some(one) = self.instruments.iter_mut().find(|one| one.id == instrument) {
            one.last_trade = one.last_trade.max(row.trade_id);
        }
        if !self.orders.is_new_trade(instrument, row.trade_id) {
            self.counters.fills_repeated += 1;
            return false;
        }
        self.counters.fills += 1;
        out.order(time_ms, place, row.kind);
        if id != ClientOrderId::NONE
            && let Some(order) = self.orders.get(id)
        {
            order.reported = Qty(order.reported.0.saturating_add(qty.0));
        }
        true
    }

    /// Accepted, amended, or otherwise still working.
    fn on_working(&mut self, place: Place, time_ms: Option<u64>, out: &mut Out<'_>) {
        let (instrument, id, venue_id) = place;
        if id != ClientOrderId::NONE {
            if self.orders.get(id).is_none() && !self.orders.is_done(id, TsNs(0)) {
                // Sent by a process of this instance before us.
                self.orders.insert(Order { venue_id, ..Order::new(id, instrument, out.now, Phase::Live) });
            }
            if let Some(order) = self.orders.get(id) {
                order.is_doubt_told = false;
            }
        }
        self.counters.acks += 1;
        out.order(time_ms, place, OrderUpdateKind::Ack);
    }

    /// What became of a conditional order.
    pub(super) fn on_algo(&mut self, report: &AlgoReport<'_>, out: &mut Out<'_>) {
        let Some(instrument) = self.encoder.instrument_of(report.symbol) else {
            self.counters.foreign += 1;
            return;
        };
        let ours = self.ours(report.client_id);
        self.counters.foreign += u64::from(ours.is_none());
        let id = ours.unwrap_or(ClientOrderId::NONE);
        let place = (instrument, id, report.algo_id);
        let filled = self.orders.get(id).map_or(Qty::ZERO, |order| order.reported);
        match report.state {
            "NEW" => {
                self.on_working(place, report.time_ms, out);
                self.note_algo(id, report.algo_id);
                self.settle(place, Status::Working, filled, report.time_ms, out);
            }
            "CANCELED" | "EXPIRED" | "REJECTED" if report.order_id.is_none() => {
                let is_cancel = report.state == "CANCELED";
                let status = if is_cancel { Status::Canceled } else { Status::Expired };
                self.settle(place, status, filled, report.time_ms, out);
            }
            // Of another hand: the plain order that it became is told by itself.
            _ if ours.is_none() && report.state != "TRIGGERING" => {
                out.order(report.time_ms, place, OrderUpdateKind::Expired { cum_qty: Qty::ZERO });
            }
            _ => {
                let Some(order) = self.orders.get(id) else { return };
                order.is_guess = false;
                let Some(order_id) = report.order_id else { return };
                (order.is_algo, order.venue_id) = (false, order_id);
                // It is a plain order now, perhaps one that is over: its own state tells.
                if order.phase == Phase::Live || report.state == "FINISHED" && !order.is_asking() {
                    order.doubt(Phase::InDoubt, TsNs(out.now.0.saturating_add(FILLS_PAUSE)));
                }
            }
        }
    }

    /// Keeps that an order of ours is conditional, and its number.
    pub(super) fn note_algo(&mut self, id: ClientOrderId, algo_id: u64) {
        if let Some(order) = self.orders.get(id).filter(|_| id != ClientOrderId::NONE) {
            (order.is_algo, order.is_guess, order.venue_id) = (true, false, algo_id);
        }
    }

    /// `ACCOUNT_UPDATE`: wallet balances as they are now, and why they changed. Positions are told by rounds alone.
    fn on_account_change(
        &mut self,
        time_ms: u64,
        body: &Fields<'_, '_>,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        self.is_account_changed = true;
        let kind = match body.text("m")? {
            "ORDER" => None,
            "FUNDING_FEE" => Some(CashKind::Funding),
            "DEPOSIT" | "WITHDRAW" | "WITHDRAW_REJECT" | "ADMIN_DEPOSIT" | "ADMIN_WITHDRAW"
            | "MARGIN_TRANSFER" | "ASSET_TRANSFER" | "COIN_SWAP_DEPOSIT" | "COIN_SWAP_WITHDRAW" => {
                Some(CashKind::Transfer)
            }
            "MARGIN_TYPE_CHANGE" => None,
            _ => Some(CashKind::Adjustment),
        };
        let first = body.rows("P")?.next().transpose()?;
        let symbol = first.map(|row| row.text("s")).transpose()?;
        let instrument = symbol.and_then(|symbol| self.encoder.instrument_of(symbol));
        let instrument = instrument.unwrap_or(InstrumentId::NONE);
        for row in body.rows("B")? {
            let row = row?;
            let Some(asset) = Name::new(row.text("a")?).filter(|asset| self.assets.contains(asset)) else {
                continue;
            };
            self.tell_wallet(Some(time_ms), asset, row.rough("wb")?, out);
            let change = if row.find("bc").is_some() { row.rough("bc")? } else { 0 };
            if let Some(kind) = kind.filter(|_| change != 0) {
                // The venue gives these bookings no number.
                let cash = Cash { kind, asset, amount: Money(change), booking_id: 0 };
                out.event(Some(time_ms), instrument, EventBody::Cash(cash));
            }
        }
        Ok(())
    }

    /// A wallet's balance; a debt is nothing free.
    pub(super) fn tell_wallet(&self, time_ms: Option<u64>, asset: Name, amount: i64, out: &mut Out<'_>) {
        let balance = Balance { asset, free: Qty(amount.max(0)), locked: Qty::ZERO };
        out.event(time_ms, InstrumentId::NONE, EventBody::Balance(balance));
    }

    /// Brings an order to the state the venue says, once its fills are complete; fetches them first if not.
    pub(super) fn settle(
        &mut self,
        place: Place,
        status: Status,
        cum_qty: Qty,
        time_ms: Option<u64>,
        out: &mut Out<'_>,
    ) {
        let (instrument, id, venue_id) = place;
        let told = status.is_final().then_some(status);
        // While reconciling nothing is just behind: the reports of these fills are lost.
        let pause = if self.step == Step::Ready { FILLS_PAUSE } else { 0 };
        let Some(order) = self.orders.get(id).filter(|_| id != ClientOrderId::NONE) else {
            if let Some(status) = told {
                tell_final(place, status, cum_qty, time_ms, out);
            }
            return;
        };
        if venue_id != 0 {
            order.venue_id = venue_id;
        }
        order.is_seen = true;
        let is_waiting = matches!(order.phase, Phase::MissingFills { .. });
        let (executed, then) = match order.phase {
            Phase::MissingFills { executed, then } => (executed.max(cum_qty), then.or(told)),
            _ => (cum_qty, told),
        };
        if order.reported < executed {
            let phase = Phase::MissingFills { executed, then };
            match is_waiting {
                true => order.phase = phase,
                false => order.doubt(phase, TsNs(out.now.0.saturating_add(pause))),
            }
            return;
        }
        let is_short = order.is_short;
        match then {
            Some(status) => {
                // "Filled" is told by the fills. Where some were given up nothing is made up in their stead: the order is
                // told to be over with the venue's quantity, and the core keeps the difference as fills still to come.
                let status = if status == Status::Filled && is_short { Status::Expired } else { status };
                self.orders.finish(id, out.now);
                tell_final((instrument, id, venue_id), status, executed, time_ms, out);
            }
            // Working, but whether a cancel is still on its way only a later state can tell.
            None if order.is_cancel_lost => {
                if order.phase != Phase::InDoubt {
                    order.doubt(Phase::InDoubt, out.now);
                }
            }
            None => {
                order.phase = Phase::Live;
                if std::mem::take(&mut order.is_doubt_told) {
                    let place = (instrument, id, order.venue_id);
                    out.order(time_ms, place, OrderUpdateKind::Ack);
                }
            }
        }
    }

    /// Stops waiting for fills that the venue has not told in [`ASKS_MAX`] answers, refusals or silences. The position is
    /// left short of what the venue counts, and the counter says so; a late report of such a fill is still handed on.
    pub(super) fn give_up_fills(&mut self, id: ClientOrderId, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else { return };
        let Phase::MissingFills { executed, then } = order.phase else { return };
        if order.is_asked || order.asks < ASKS_MAX || order.reported >= executed {
            return;
        }
        (order.reported, order.is_short) = (executed, true);
        let place = (order.instrument, id, order.venue_id);
        self.counters.fills_missing += 1;
        self.settle(place, then.unwrap_or(Status::Working), executed, None, out);
    }
}

fn tell_final(place: Place, status: Status, cum_qty: Qty, time_ms: Option<u64>, out: &mut Out<'_>) {
    let kind = match status {
        Status::Canceled => OrderUpdateKind::Canceled { cum_qty },
        Status::Expired => OrderUpdateKind::Expired { cum_qty },
        // The fills have told it.
        Status::Filled | Status::Working => return,
    };
    out.order(time_ms, place, kind);
}
