//! Requests in flight: their ids, and what each was about.
//!
//! Fixed size, no allocation. The id itself says where the request stands in the table, so an answer finds it
//! without a search and an answer to nobody's request finds nothing.

use smc_core::words::{ClientOrderId, InstrumentId, TsNs};

/// Requests that can wait for their answers at once; a power of two.
pub(crate) const IN_FLIGHT_MAX: usize = 256;

/// Digits of every request id: one for the kind, fifteen for the sequence. Constant, so that a template can be
/// patched in place; below 2^53, so that no JSON reader on the way can round it.
pub(crate) const ID_DIGITS: usize = 16;
const SEQUENCES: u64 = 1_000_000_000_000_000;

/// One more than the last kind's number.
const KINDS: usize = 16;

/// What a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RequestKind {
    Time = 1,
    Logon = 2,
    Subscribe = 3,
    Account = 4,
    OpenOrders = 5,
    Place = 6,
    Cancel = 7,
    Status = 8,
    Trades = 9,
    /// One order in the place of another.
    Replace = 10,
    /// Two orders of which one ends the other.
    Pair = 11,
    CancelAll = 12,
    /// Trades of an instrument.
    Range = 13,
    /// Whose an order is.
    Stranger = 14,
    /// What the key may do.
    Restrictions = 15,
}

impl RequestKind {
    /// Part of a round of reconciliation.
    pub const fn is_of_round(self) -> bool {
        matches!(self, Self::Account | Self::OpenOrders | Self::Range)
    }

    /// What the venue calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Logon => "session.logon",
            Self::Subscribe => "userDataStream.subscribe",
            Self::Account => "account.status",
            Self::OpenOrders => "openOrders.status",
            Self::Place => "order.place",
            Self::Cancel => "order.cancel",
            Self::Status | Self::Stranger => "order.status",
            Self::Trades | Self::Range => "myTrades",
            Self::Replace => "order.cancelReplace",
            Self::Pair => "orderList.place.oco",
            Self::CancelAll => "openOrders.cancelAll",
            Self::Restrictions => "apiRestrictions",
        }
    }

    /// The digit that request ids of this kind begin with, for people who read a capture.
    const fn digit(self) -> u64 {
        match self {
            Self::Replace | Self::Pair => 6,
            Self::CancelAll => 7,
            Self::Stranger => 8,
            Self::Range => 9,
            Self::Restrictions => 4,
            plain => plain as u64,
        }
    }
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub id: u64,
    pub kind: RequestKind,
    /// The order it is about; [`ClientOrderId::NONE`] for the rest.
    pub order: ClientOrderId,
    /// The second order it is about: the one to be replaced, or the other of a pair.
    pub other: ClientOrderId,
    /// The venue's id of an order of another hand that is to be cancelled; else 0.
    pub venue_id: u64,
    pub instrument: InstrumentId,
    /// It went by REST, and so outlives a connection.
    pub is_rest: bool,
    pub sent: TsNs,
    /// Nobody waits any more (its time is over), but a late answer still maps back until the slot is needed.
    pub is_late: bool,
}

/// The table: slot `id % IN_FLIGHT_MAX`.
pub(crate) struct InFlight {
    slots: Vec<Option<Request>>,
    next_sequence: u64,
    /// Requests that are waited for, by kind.
    waiting: [u32; KINDS],
}

impl InFlight {
    pub fn new() -> Self {
        Self { slots: vec![None; IN_FLIGHT_MAX], next_sequence: 1, waiting: [0; KINDS] }
    }

    /// Gives the next id and remembers what it is for; none when all slots wait.
    pub fn issue(
        &mut self,
        kind: RequestKind,
        order: ClientOrderId,
        instrument: InstrumentId,
        now: TsNs,
    ) -> Option<u64> {
        self.issue_two(kind, order, ClientOrderId::NONE, instrument, now)
    }

    /// The same for a request about two orders.
    pub fn issue_two(
        &mut self,
        kind: RequestKind,
        order: ClientOrderId,
        other: ClientOrderId,
        instrument: InstrumentId,
        now: TsNs,
    ) -> Option<u64> {
        for _ in 0..IN_FLIGHT_MAX {
            let sequence = self.next_sequence;
            self.next_sequence = (sequence + 1) % SEQUENCES;
            let id = kind.digit() * SEQUENCES + sequence;
            let slot = self.slots.get_mut(slot_of(id))?;
            if slot.is_none_or(|request| request.is_late) {
                *slot = Some(Request {
                    id,
                    kind,
                    order,
                    other,
                    venue_id: 0,
                    is_rest: false,
                    instrument,
                    sent: now,
                    is_late: false,
                });
                self.count(kind, 1);
                return Some(id);
            }
        }
        None
    }

    /// Takes the request that `id` answers.
    pub fn take(&mut self, id: i64) -> Option<Request> {
        let id = u64::try_from(id).ok()?;
        let slot = self.slots.get_mut(slot_of(id))?;
        let request = slot.take_if(|request| request.id == id)?;
        self.uncount(&request);
        Some(request)
    }

    /// Takes back a request that was not sent after all.
    pub fn withdraw(&mut self, id: u64) {
        if let Ok(id) = i64::try_from(id) {
            self.take(id);
        }
    }

    /// The next request that has waited since before `limit`; it is late from now on.
    pub fn next_late(&mut self, limit: impl Fn(&Request) -> bool) -> Option<Request> {
        let is_over = |request: &&mut Request| !request.is_late && !request.is_rest && limit(request);
        let late = self.slots.iter_mut().flatten().find(is_over)?;
        let before = *late;
        late.is_late = true;
        self.uncount(&before);
        Some(before)
    }

    /// Takes any request of a connection; for its end, which no answer survives.
    pub fn take_any(&mut self) -> Option<Request> {
        let request = self.slots.iter_mut().find_map(|slot| slot.take_if(|request| !request.is_rest))?;
        self.uncount(&request);
        Some(request)
    }

    /// Requests of a kind that are still waited for.
    pub fn waiting(&self, kind: RequestKind) -> u32 {
        self.waiting.get(kind as usize).copied().unwrap_or(0)
    }

    /// Orders that requests may bring to life which are still waited for; a pair is two.
    pub fn orders_waiting(&self) -> u32 {
        let kinds = [RequestKind::Place, RequestKind::Replace, RequestKind::Pair, RequestKind::Pair];
        kinds.into_iter().map(|kind| self.waiting(kind)).sum()
    }

    /// What a request asked for that is not answered yet.
    pub fn kind_of(&self, id: i64) -> Option<RequestKind> {
        let id = u64::try_from(id).ok()?;
        let request = self.slots.get(slot_of(id))?.as_ref()?;
        (request.id == id).then_some(request.kind)
    }

    /// Notes that a request goes by REST.
    pub fn note_rest(&mut self, id: u64) {
        if let Some(request) = self.find(id) {
            request.is_rest = true;
        }
    }

    fn find(&mut self, id: u64) -> Option<&mut Request> {
        self.slots.get_mut(slot_of(id))?.as_mut().filter(|request| request.id == id)
    }

    /// Notes which order of another hand a request is about.
    pub fn note_venue_id(&mut self, id: u64, venue_id: u64) {
        if let Some(request) = self.find(id) {
            request.venue_id = venue_id;
        }
    }

    fn uncount(&mut self, request: &Request) {
        if !request.is_late {
            self.count(request.kind, -1);
        }
    }

    fn count(&mut self, kind: RequestKind, change: i32) {
        if let Some(count) = self.waiting.get_mut(kind as usize) {
            *count = count.saturating_add_signed(change);
        }
    }
}

/// 10^15 is a multiple of 2^15, so the kind's digit does not disturb the place of the sequence.
const fn slot_of(id: u64) -> usize {
    (id % IN_FLIGHT_MAX as u64) as usize
}

const _: () = assert!(SEQUENCES.is_multiple_of(IN_FLIGHT_MAX as u64));

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(table: &mut InFlight, n: u64) -> Option<u64> {
        table.issue(RequestKind::Place, ClientOrderId(n), InstrumentId(0), TsNs(n))
    }

    #[test]
    fn answers_in_any_order_find_their_request_once() {
        let mut table = InFlight::new();
        let ids: Vec<u64> = (0..100).map(|n| issue(&mut table, n).unwrap()).collect();
        assert!(ids.iter().all(|id| id.to_string().len() == ID_DIGITS && *id < 1 << 53));
        for (n, &id) in ids.iter().enumerate().rev() {
            let id = i64::try_from(id).unwrap();
            assert_eq!(table.take(id).unwrap().order, ClientOrderId(n as u64));
            assert_eq!(table.take(id), None, "answered twice");
        }
        assert_eq!(table.waiting(RequestKind::Place), 0);
        assert_eq!(table.take(-1), None);
        assert_eq!(table.take(i64::MAX), None);
    }

    #[test]
    fn a_full_table_refuses_and_late_slots_are_reused() {
        let mut table = InFlight::new();
        let ids: Vec<u64> = (0..IN_FLIGHT_MAX as u64).map(|n| issue(&mut table, n).unwrap()).collect();
        assert_eq!(issue(&mut table, 999), None);
        let late = table.next_late(|request| request.sent < TsNs(1)).unwrap();
        assert_eq!((late.id, table.next_late(|request| request.sent < TsNs(1))), (ids[0], None));
        assert_eq!(table.waiting(RequestKind::Place), IN_FLIGHT_MAX as u32 - 1);
        let id = issue(&mut table, 1_000).unwrap();
        assert_eq!(
            table.take(i64::try_from(ids[0]).unwrap()),
            None,
            "the late request's slot is another's now"
        );
        assert_eq!(table.take(i64::try_from(id).unwrap()).unwrap().order, ClientOrderId(1_000));
    }
}
