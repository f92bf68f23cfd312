//! What an `executionReport` means for one of our orders, and how an order is settled.
//!
//! Reports may come before the answer to the request that caused them, twice, and in any order between
//! connections. A fill is handed on once per trade; an order is told final only after all its fills.

use super::message::{Execution, ExecutionReport, OrderStatus};
use super::orders::{Order, Phase};
use super::session::{ASKS_MAX, MS, Out, Session, Step};
use smc_core::event::OrderUpdateKind;
use smc_core::words::{ClientOrderId, InstrumentId, Name, Qty, TsNs};

/// Fills that seem to be missing are mostly just behind; asked for after this pause.
const FILLS_PAUSE: u64 = 250 * MS;
/// Told with a rejection that came as a report, which carries no number: "rejected by the engine".
const CODE_REJECTED: i32 = -2_010;

/// Which order: instrument, our id, the venue's id.
pub(super) type Place = (InstrumentId, ClientOrderId, u64);

impl Session {
    /// Our order's id; none for orders of other instances, programs and people.
    pub(super) fn ours(&self, client_order_id: &str) -> Option<ClientOrderId> {
        ClientOrderId::parse(client_order_id.as_bytes()).filter(|id| id.instance() == self.instance)
    }

    /// One report.
    pub fn on_report(&mut self, report: &ExecutionReport<'_>, out: &mut Out<'_>) {
        let Some(instrument) = self.encoder.instrument_of(report.symbol) else {
            self.counters.foreign += 1;
            return;
        };
        let Some(id) = self.ours(report.client_order_id) else {
            return self.on_foreign(instrument, report, out);
        };
        let place = (instrument, id, report.order_id);
        if is_fill(report) {
            self.on_fill(place, report, out);
        } else if !report.status.is_final() && report.execution != Execution::Canceled {
            self.on_working(place, report, out);
        }
        // A report of a cancel counts as one even where the state lags behind (`PENDING_CANCEL`). So does that of one that
        // the venue ended because of the other of its pair: nothing was refused.
        let status = match (report.status.is_final(), report.execution) {
            (_, Execution::Expired) if report.is_ended_by_pair() => OrderStatus::Canceled,
            (false, Execution::Canceled) => OrderStatus::Canceled,
            (false, Execution::Expired) => OrderStatus::Expired,
            (false, Execution::Rejected) => OrderStatus::Rejected,
            _ => report.status,
        };
        self.settle(place, status, report.cum_qty, Some(report.time_ms), out);
    }

    /// Something another hand's order did: told by the venue's id alone.
    fn on_foreign(&mut self, instrument: InstrumentId, report: &ExecutionReport<'_>, out: &mut Out<'_>) {
        self.counters.foreign += 1;
        let place = (instrument, ClientOrderId::NONE, report.order_id);
        let is_fill = is_fill(report);
        if is_fill {
            self.on_fill(place, report, out);
        }
        let time_ms = Some(report.time_ms);
        match report.status {
            status if status.is_final() => self.tell_final(place, status, report.cum_qty, time_ms, out),
            _ if is_fill => {}
            _ => out.order(time_ms, instrument, ClientOrderId::NONE, report.order_id, OrderUpdateKind::Ack),
        }
    }

    /// True the first time a trade is seen.
    pub(super) fn is_new_trade(&mut self, instrument: InstrumentId, trade_id: u64) -> bool {
        self.trades.is_new(instrument, trade_id)
    }

    /// Accepted, amended, or otherwise still working.
    fn on_working(&mut self, place: Place, report: &ExecutionReport<'_>, out: &mut Out<'_>) {
        let (instrument, id, venue_id) = place;
        if self.orders.get(id).is_none() && !self.orders.is_done(id, TsNs(0)) {
            // Sent by a process of this instance before us.
            self.orders.insert(Order::new(id, instrument, out.now, Phase::Live));
        }
        if let Some(order) = self.orders.get(id) {
            order.is_doubt_told = false;
        }
        self.counters.acks += 1;
        out.order(Some(report.time_ms), instrument, id, venue_id, OrderUpdateKind::Ack);
    }

    fn on_fill(&mut self, place: Place, report: &ExecutionReport<'_>, out: &mut Out<'_>) {
        let (instrument, id, venue_id) = place;
        let Some(trade_id) = report.trade_id else {
            // A fill that cannot be counted once is fetched from the list of trades instead: `settle` sees that
            // the cumulative quantity grew without it.
            self.counters.refused += 1;
            return;
        };
        if !self.is_new_trade(instrument, trade_id) {
            self.counters.fills_repeated += 1;
            return;
        }
        self.counters.fills += u64::from(id != ClientOrderId::NONE);
        out.order(
            Some(report.time_ms),
            instrument,
            id,
            venue_id,
            OrderUpdateKind::Fill {
                trade_id,
                side: report.side,
                price: report.last_price,
                qty: report.last_qty,
                cum_qty: report.cum_qty,
                fee: report.fee,
                fee_asset: report.fee_asset.and_then(Name::new).unwrap_or_default(),
                is_maker: report.is_maker,
            },
        );
        if let Some(order) = self.orders.get(id) {
            order.reported = Qty(order.reported.0.saturating_add(report.last_qty.0));
        }
    }

    /// Brings an order to the state the venue says, once its fills are complete; fetches them first if not.
    pub(super) fn settle(
        &mut self,
        place: Place,
        status: OrderStatus,
        cum_qty: Qty,
        time_ms: Option<u64>,
        out: &mut Out<'_>,
    ) {
        let (instrument, id, venue_id) = place;
        let told = status.is_final().then_some(status);
        // While reconciling nothing is just behind: the reports of these fills are lost.
        let pause = if self.step == Step::Ready { FILLS_PAUSE } else { 0 };
        let Some(order) = self.orders.get(id) else {
            if let Some(status) = told {
                self.tell_final(place, status, cum_qty, time_ms, out);
            }
            return;
        };
        if venue_id != 0 {
            order.venue_id = venue_id;
        }
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
                // "Filled" is told by the fills. Where some were given up nothing may be made up in their stead:
                // the order is told to be over with the venue's quantity, and the core, which counts less, keeps
                // the difference reserved as fills still to come.
                let status = match status {
                    OrderStatus::Filled | OrderStatus::Rejected if is_short => OrderStatus::Expired,
                    status => status,
                };
                self.orders.finish(id, out.now);
                self.tell_final((instrument, id, venue_id), status, executed, time_ms, out);
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
                    out.order(time_ms, instrument, id, order.venue_id, OrderUpdateKind::Ack);
                }
            }
        }
    }

    /// Stops waiting for fills that the venue has not told in [`ASKS_MAX`] answers, refusals or silences: it must
    /// not keep the session from becoming ready for ever. The position is left short of what the venue counts,
    /// and the counter says so; a late report of such a fill is still handed on.
    pub(super) fn give_up_fills(&mut self, id: ClientOrderId, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else { return };
        let Phase::MissingFills { executed, then } = order.phase else { return };
        if order.is_asked || order.asks < ASKS_MAX || order.reported >= executed {
            return;
        }
        order.reported = executed;
        order.is_short = true;
        let place = (order.instrument, id, order.venue_id);
        self.counters.fills_missing += 1;
        self.settle(place, then.unwrap_or(OrderStatus::New), executed, None, out);
    }

    fn tell_final(
        &mut self,
        place: Place,
        status: OrderStatus,
        cum_qty: Qty,
        time_ms: Option<u64>,
        out: &mut Out<'_>,
    ) {
        let kind = match status {
            OrderStatus::Canceled => OrderUpdateKind::Canceled { cum_qty },
            OrderStatus::Expired | OrderStatus::ExpiredInMatch => OrderUpdateKind::Expired { cum_qty },
            OrderStatus::Rejected => {
                self.counters.rejects += 1;
                OrderUpdateKind::Reject { code: CODE_REJECTED }
            }
            // The fills have told it.
            _ => return,
        };
        let (instrument, id, venue_id) = place;
        out.order(time_ms, instrument, id, venue_id, kind);
    }
}

fn is_fill(report: &ExecutionReport<'_>) -> bool {
    report.last_qty > Qty::ZERO && matches!(report.execution, Execution::Trade | Execution::Calculated)
}
