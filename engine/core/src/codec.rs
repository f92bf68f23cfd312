//! The one byte form of events and outputs: little-endian, fixed order, no padding.
//!
//! The journal stores these bytes and the digest folds them, so a change here is a change of the journal's
//! format version. Writing cannot fail: every word fits [`BYTES_MAX`]. Reading trusts nothing: short input,
//! spare bytes and unknown tags are errors, never panics.

use crate::event::*;
use crate::instrument::{Contract, ContractKind, InstrumentSpec, TradingStatus};
use crate::output::*;
use crate::words::*;
use core::fmt;

/// No event or output is longer than this.
pub const BYTES_MAX: usize = 160;

/// Why bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The bytes end too early.
    Short {
        /// Offset at which more was needed.
        at: usize,
    },
    /// Bytes are left over.
    Spare {
        /// How many.
        bytes: usize,
    },
    /// A tag that no word has.
    BadTag {
        /// The tag.
        tag: u8,
        /// Its offset.
        at: usize,
    },
    /// A value outside its word's range.
    BadValue {
        /// Its offset.
        at: usize,
    },
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { at } => write!(f, "ends at byte {at}, more expected"),
            Self::Spare { bytes } => write!(f, "{bytes} bytes too many"),
            Self::BadTag { tag, at } => write!(f, "unknown tag {tag} at byte {at}"),
            Self::BadValue { at } => write!(f, "value out of range at byte {at}"),
        }
    }
}

/// A fixed buffer filled from the front.
pub struct Buffer {
    bytes: [u8; BYTES_MAX],
    len: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { bytes: [0; BYTES_MAX], len: 0 }
    }
}

impl Buffer {
    /// Replaces the content by the bytes of `word` and returns them.
    pub fn encode(&mut self, word: &impl Put) -> &[u8] {
        self.len = 0;
        word.put(self);
        self.as_bytes()
    }

    /// What was written last.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn write(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

/// Bytes being read.
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn read<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let end = self.at + N;
        let slice = self.bytes.get(self.at..end).ok_or(CodecError::Short { at: self.bytes.len() })?;
        self.at = end;
        let mut out = [0; N];
        out.copy_from_slice(slice);
        Ok(out)
    }
}

/// Something with a byte form.
pub trait Put {
    /// Appends the bytes.
    fn put(&self, to: &mut Buffer);
}

/// Something that can be read back from its byte form.
pub trait Take: Sized {
    /// Reads it, leaving the cursor behind it.
    fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError>;
}

/// Reads one whole word: no byte missing, none left.
pub fn decode<T: Take>(bytes: &[u8]) -> Result<T, CodecError> {
    let mut cursor = Cursor { bytes, at: 0 };
    let word = T::take(&mut cursor)?;
    match bytes.len() - cursor.at {
        0 => Ok(word),
        bytes => Err(CodecError::Spare { bytes }),
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Put for $number {
            fn put(&self, to: &mut Buffer) {
                to.write(&self.to_le_bytes());
            }
        }
        impl Take for $number {
            fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
                Ok(Self::from_le_bytes(from.read()?))
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64, i32, i64);

macro_rules! newtypes {
    ($($name:ident),*) => {$(
        impl Put for $name {
            fn put(&self, to: &mut Buffer) {
                self.0.put(to);
            }
        }
        impl Take for $name {
            fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
                Take::take(from).map(Self)
            }
        }
    )*};
}
newtypes!(Price, Qty, Money, TsNs, InstrumentId, ClientOrderId);

macro_rules! structs {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Put for $name {
            fn put(&self, to: &mut Buffer) {
                $(self.$field.put(to);)*
            }
        }
        impl Take for $name {
            fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
                Ok(Self { $($field: Take::take(from)?),* })
            }
        }
    )*};
}

/// Enums without fields: one byte, the discriminant.
macro_rules! tags {
    ($($name:ident { $($variant:ident),* })*) => {$(
        impl $name {
            /// All that a journal can hold: the list by which it is read, so that none can be missing.
            pub const TAGS: &'static [Self] = &[$(Self::$variant),*];
        }
        impl Put for $name {
            fn put(&self, to: &mut Buffer) {
                (*self as u8).put(to);
            }
        }
        impl Take for $name {
            fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
                let at = from.at;
                match u8::take(from)? {
                    $(tag if tag == Self::$variant as u8 => Ok(Self::$variant),)*
                    tag => Err(CodecError::BadTag { tag, at }),
                }
            }
        }
    )*};
}

structs! {
    Event { seq, ts_event, ts_recv, instrument, body }
    Trade { price, qty, aggressor, trade_id }
    Quote { bid, bid_qty, ask, ask_qty, update_id }
    Level { price, qty }
    BookUpdate { update_id, is_snapshot_start, is_last, side, len, levels }
    Bar { open_ts, open, high, low, close, volume, trades }
    InstrumentSpec { symbol, base, quote, tick, lot, qty_min, qty_max, notional_min, status, contract }
    Contract {
        kind, size, margin_initial_ppm, margin_maintenance_ppm, can_replace, can_oco, can_attach, can_reduce_only
    }
    OrderUpdate { client_order_id, venue_order_id, kind }
    Balance { asset, free, locked }
    NewOrder {
        client_order_id, instrument, side, kind, time_in_force, price, stop_price, qty, purpose, signal_id, terms
    }
    OrderTerms { reduce_only, stop_on_fill, target_on_fill, oco }
    CancelOrder { instrument, client_order_id, venue_order_id }
    Signal { id, strategy, instrument, direction, entry, stop, target, reasons }
    Decision { client_order_id, instrument, codes, qty, price }
    Structure {
        instrument, timeframe, kind, direction, id, cause_id, bar, known_bar, top, bottom, extra, value, scope
    }
    Position { instrument, qty, average, realised, fees, client_order_id, fill_price, fill_qty }
    StateChange { scope, from, to, cause, command }
    Act { command, scope, limit, value, operator, reason }
    RiskScope { kind, id }
    VenueClock { offset_ns }
    RequestBudget { left, limit, banned_until, resets_at }
    KeyScope { can_trade, can_withdraw }
    Margin { equity, free }
    MarkPrice { price }
    AssetRate { asset, price }
    Cash { kind, asset, amount, booking_id }
    ReconcileRound { number, is_end, is_complete }
    VenueOrder { client_order_id, venue_order_id, side, kind, price, stop_price, qty, filled_qty }
    VenuePosition { qty, average }
    AccountSequence { told_to }
    Alert { kind, instrument, client_order_id, detail, ts }
}

tags! {
    Side { Buy, Sell }
    Direction { Up, Down }
    TradingStatus { Unknown, Trading, Halted, CancelOnly }
    FeedState { Down, Syncing, Stale, Live }
    GatewayState { Down, Syncing, Ready }
    JournalState { Good, Low, Behind, Lost }
    Command {
        Kill, Pause, Resume, Flatten, Shutdown, Arm, Start, KillFlatten, SetLimit, ResetLoss, Connect, Disconnect, Rotate,
        Snapshot, LogLevel, Acknowledge
    }
    ScopeKind { Engine, Venue, Instrument, Strategy }
    ContractKind { Spot, Linear, Inverse, Fx }
    CashKind { Funding, Financing, Commission, Transfer, Adjustment }
    LimitName {
        None, OrderQtyMax, OrderNotionalMax, CollarPpm, CollarPassivePpm, ReferenceAgeMaxNs, PositionQtyMax,
        OpenOrdersMax, RepeatMax, GrossMax, NetMax, LeverageMaxMilli, MessagesMax, MarginUsePpmMax, VarPpmMax,
        OrderLifetimeNsMax, DailyLossPpm, DrawdownPpm
    }
    Control {
        Operator, Journal, Process, DailyLoss, Drawdown, LossStreak, FillRate, RejectStorm, Slippage,
        PositionMismatch, UnknownOrder, Unacknowledged, FlashMove, FeedDivergence, ValueAtRisk, ModelDrift,
        Runaway, RepeatExec, Reconciling, Venue, Trigger, DayRoll
    }
    OrderKind { Limit, LimitMaker, Market, StopLimit }
    TimeInForce { Gtc, Ioc, Fok }
    Purpose { Entry, Stop, Target, Flatten }
    StructureKind {
        PivotConfirmed, SwingStarted, SwingExtended, SwingLocked, Bos, Choch, Mss, PatternConfirmed,
        PatternBroken, PatternSuperseded, FvgJoined, PeriodRolled, PeriodLevelBroken, SessionOpened,
        SessionClosed, RangeChanged, ZoneChanged, OteEntered, OteLeft, RetracementReached, FvgCreated, FvgMitigated,
        FvgInverted, IfvgInvalidated, ObCreated, ObTested, ObBroken, BreakerInvalidated, PoolFormed,
        PoolExtended, PoolSwept, PoolRun, LevelSwept, Expired, InputRejected
    }
    Scope { Swing, Internal }
    TradingState { Normal, Warn, ReduceOnly, CancelOnly, Halt }
    AlertKind {
        VenueReject, UnknownOrder, OrderUnknown, OutboundFull, BlindWithPosition, Instrument, Unprotected, Control,
        PositionMismatch, Adopted, Unacknowledged, LimitChanged, LimitRefused, Overfill, Revalidation, BarRevised
    }
}

impl Put for bool {
    fn put(&self, to: &mut Buffer) {
        u8::from(*self).put(to);
    }
}

impl Take for bool {
    fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
        let at = from.at;
        match u8::take(from)? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(CodecError::BadTag { tag, at }),
        }
    }
}

impl<T: Put, const N: usize> Put for [T; N] {
    fn put(&self, to: &mut Buffer) {
        for item in self {
            item.put(to);
        }
    }
}

impl<T: Take + Copy + Default, const N: usize> Take for [T; N] {
    fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
        let mut out = [T::default(); N];
        for slot in &mut out {
            *slot = T::take(from)?;
        }
        Ok(out)
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, to: &mut Buffer) {
        self.is_some().put(to);
        if let Some(word) = self {
            word.put(to);
        }
    }
}

impl<T: Take> Take for Option<T> {
    fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
        Ok(if bool::take(from)? { Some(T::take(from)?) } else { None })
    }
}

impl Put for Timeframe {
    fn put(&self, to: &mut Buffer) {
        self.secs().put(to);
    }
}

impl Take for Timeframe {
    fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
        let at = from.at;
        Self::from_secs(Take::take(from)?).ok_or(CodecError::BadValue { at })
    }
}

impl Put for Name {
    fn put(&self, to: &mut Buffer) {
        (self.as_bytes().len() as u8).put(to);
        to.write(self.as_bytes());
    }
}

impl Take for Name {
    fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
        let at = from.at;
        let len = usize::from(u8::take(from)?);
        let bytes =
            from.bytes.get(from.at..from.at + len).ok_or(CodecError::Short { at: from.bytes.len() })?;
        from.at += len;
        Self::from_bytes(bytes).ok_or(CodecError::BadValue { at })
    }
}

/// Enums with fields: one tag byte, then the fields.
macro_rules! variants {
    ($word:ident $(<$param:ident>)?, $($tag:literal => $variant:ident $(($($item:ident),*))? $({$($field:ident),*})?),* $(,)?) => {
        impl $(<$param: Put>)? Put for $word $(<$param>)? {
            fn put(&self, to: &mut Buffer) {
                match self {
                    $(Self::$variant $(($($item),*))? $({$($field),*})? => {
                        to.write(&[$tag]);
                        $($($item.put(to);)*)?
                        $($($field.put(to);)*)?
                    })*
                }
            }
        }
        impl $(<$param: Take>)? Take for $word $(<$param>)? {
            fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
                let at = from.at;
                Ok(match u8::take(from)? {
                    $($tag => {
                        $($(let $item = Take::take(from)?;)*)?
                        $($(let $field = Take::take(from)?;)*)?
                        Self::$variant $(($($item),*))? $({$($field),*})?
                    })*
                    tag => return Err(CodecError::BadTag { tag, at }),
                })
            }
        }
    };
}

impl<O: Put> Put for ReplaceOrder<O> {
    fn put(&self, to: &mut Buffer) {
        let Self { replaced, replaced_venue_id, order } = self;
        replaced.put(to);
        replaced_venue_id.put(to);
        order.put(to);
    }
}

impl<O: Take> Take for ReplaceOrder<O> {
    fn take(from: &mut Cursor<'_>) -> Result<Self, CodecError> {
        let replaced = Take::take(from)?;
        let replaced_venue_id = Take::take(from)?;
        Ok(Self { replaced, replaced_venue_id, order: Take::take(from)? })
    }
}

variants!(EventBody,
    1 => Trade(word), 2 => Quote(word), 3 => Book(word), 4 => Bar(timeframe, word), 5 => Instrument(word),
    6 => Feed(word), 7 => Gateway(word), 8 => Order(word), 9 => Balance(word), 10 => Timer, 11 => Operator(word),
    12 => Journal(word), 13 => Clock(word), 14 => Budget(word), 15 => Key(word), 16 => Margin(word),
    17 => Mark(word), 18 => Rate(word), 19 => Cash(word), 20 => Round(word), 21 => VenueOrder(word),
    22 => VenuePosition(word), 23 => Sequence(word),
);

variants!(OrderUpdateKind,
    1 => Ack, 2 => Reject { code },
    3 => Fill { trade_id, side, price, qty, cum_qty, fee, fee_asset, is_maker },
    4 => Canceled { cum_qty }, 5 => Expired { cum_qty }, 6 => CancelReject { code }, 7 => Unknown, 8 => NotFound,
);

variants!(Output<O>,
    1 => NewOrder(word), 2 => Cancel(word), 3 => Signal(word), 4 => Decision(word), 5 => Structure(word),
    6 => BarClosed(instrument, timeframe, word), 7 => Position(word), 8 => State(word), 9 => Alert(word),
    10 => Replace(word),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: EventBody) -> Event {
        Event { seq: 9, ts_event: TsNs(1), ts_recv: TsNs(2), instrument: InstrumentId(3), body }
    }

    fn check(event: Event) {
        let mut buffer = Buffer::default();
        let bytes = buffer.encode(&event);
        assert_eq!(decode::<Event>(bytes), Ok(event));
        for cut in 0..bytes.len() {
            assert!(decode::<Event>(&bytes[..cut]).is_err(), "cut at {cut} was accepted");
        }
    }

    #[test]
    fn the_longest_words_fit_and_read_back() {
        let name = Name::new("ABCDEFGHIJKLMNO").unwrap();
        check(event(EventBody::Instrument(InstrumentSpec {
            symbol: name,
            base: name,
            quote: name,
            tick: Price(1),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(i64::MAX),
            notional_min: Money(-1),
            status: TradingStatus::Trading,
            contract: Contract::SPOT,
        })));
        check(event(EventBody::Book(BookUpdate {
            update_id: u64::MAX,
            is_snapshot_start: true,
            is_last: false,
            side: Side::Sell,
            len: 4,
            levels: [Level { price: Price(i64::MAX), qty: Qty(i64::MIN) }; 4],
        })));
        check(event(EventBody::Order(OrderUpdate {
            client_order_id: ClientOrderId::new(1, 2, 3),
            venue_order_id: 4,
            kind: OrderUpdateKind::Fill {
                trade_id: 1,
                side: Side::Sell,
                price: Price(2),
                qty: Qty(3),
                cum_qty: Qty(4),
                fee: Money(5),
                fee_asset: name,
                is_maker: true,
            },
        })));
        check(event(EventBody::Timer));
    }

    #[test]
    fn spare_bytes_and_unknown_tags_are_named() {
        let mut buffer = Buffer::default();
        let mut bytes = [0u8; BYTES_MAX];
        let len = buffer.encode(&event(EventBody::Timer)).len();
        bytes[..len].copy_from_slice(buffer.as_bytes());
        assert_eq!(decode::<Event>(&bytes[..=len]), Err(CodecError::Spare { bytes: 1 }));
        bytes[len - 1] = 200;
        assert_eq!(decode::<Event>(&bytes[..len]), Err(CodecError::BadTag { tag: 200, at: len - 1 }));
    }
}
