//! Bars from trades, from quotes' mids, or from shorter bars.
//!
//! Pure. A bar is the half-open bucket `[open_ts, open_ts + timeframe)` since the epoch, UTC. It closes when
//! a price of a later bucket arrives or when the clock says that the bucket is over, never by peeking.
//! Buckets without a price are not invented. A price that comes too late never changes a closed bar: it is
//! counted and dropped. One engine thread runs it; no allocation outside [`BarSet::new`].

use alloc::vec::Vec;

use crate::event::Bar;
use crate::state::{State, StateError, StateIo};
use crate::words::{Price, Qty, Timeframe, TsNs};

/// Builds the bars of one instrument and timeframe.
#[derive(Clone, Copy, Debug)]
pub struct BarBuilder {
    timeframe: Timeframe,
    grace_ns: u64,
    /// The bar that is still moving.
    forming: Option<Bar>,
    /// Prices before this belong to closed bars.
    closed_until: TsNs,
    late: u64,
    refused: u64,
}

impl BarBuilder {
    /// A builder that has seen nothing.
    pub const fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, grace_ns: 0, forming: None, closed_until: TsNs(0), late: 0, refused: 0 }
    }

    /// Lets the clock close a bar only `grace_ns` after its end, so that trades still under way are not late.
    /// A price of a later bucket closes it at once all the same.
    pub const fn with_grace(mut self, grace_ns: u64) -> Self {
        self.grace_ns = grace_ns;
        self
    }

    /// Takes one trade; returns the bar that it closes. A price or quantity that is not positive is refused.
    pub fn on_trade(&mut self, ts: TsNs, price: Price, qty: Qty) -> Option<Bar> {
        if price.0 <= 0 || qty.0 <= 0 {
            self.refused += 1;
            return None;
        }
        let open_ts = self.timeframe.open_of(ts);
        self.merge(Bar {
            open_ts,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: qty,
            trades: 1,
        })
    }

    /// Takes the mid of a quote as a price without volume (rounded down); returns the bar that it closes.
    /// An empty or crossed quote is refused.
    pub fn on_quote(&mut self, ts: TsNs, bid: Price, ask: Price) -> Option<Bar> {
        if bid.0 <= 0 || ask < bid {
            self.refused += 1;
            return None;
        }
        let mid = Price(bid.0 + (ask.0 - bid.0) / 2);
        let open_ts = self.timeframe.open_of(ts);
        self.merge(Bar { open_ts, open: mid, high: mid, low: mid, close: mid, volume: Qty(0), trades: 0 })
    }

    /// Takes a closed bar of a shorter timeframe; returns the bar that it closes. It belongs to the bucket of
    /// its open time.
    pub fn on_bar(&mut self, shorter: &Bar) -> Option<Bar> {
        self.merge(Bar { open_ts: self.timeframe.open_of(shorter.open_ts), ..*shorter })
    }

    /// Takes the time; returns the bar whose bucket is over.
    pub fn on_clock(&mut self, now: TsNs) -> Option<Bar> {
        let end = self.end_of(self.forming?.open_ts);
        if now.0 < end.0.saturating_add(self.grace_ns) {
            return None;
        }
        self.closed_until = end;
        self.forming.take()
    }

    /// The bar that is still moving. Nothing that decides may read it.
    pub const fn forming(&self) -> Option<&Bar> {
        self.forming.as_ref()
    }

    /// Length of the bars.
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Prices dropped because their bar was closed already.
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Prices refused because they cannot be prices.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The forming bar's bucket holds `ts`.
    fn is_forming_at(&self, ts: TsNs) -> bool {
        self.forming.is_some_and(|bar| ts.0.wrapping_sub(bar.open_ts.0) < self.timeframe.nanos())
    }

    /// Folds one piece, whose `open_ts` is its bucket, into the forming bar.
    fn merge(&mut self, piece: Bar) -> Option<Bar> {
        if piece.open_ts < self.closed_until {
            self.late += 1;
            return None;
        }
        match &mut self.forming {
            Some(bar) if bar.open_ts == piece.open_ts => {
                bar.high = bar.high.max(piece.high);
                bar.low = bar.low.min(piece.low);
                bar.close = piece.close;
                bar.volume = Qty(bar.volume.0.saturating_add(piece.volume.0));
                bar.trades = bar.trades.saturating_add(piece.trades);
                None
            }
            Some(bar) if piece.open_ts < bar.open_ts => {
                self.late += 1;
                None
            }
            forming => {
                let closed = forming.replace(piece);
                // Everything before the new bucket is history, the empty buckets between included.
                self.closed_until = piece.open_ts;
                closed
            }
        }
    }

    fn end_of(&self, open_ts: TsNs) -> TsNs {
        TsNs(open_ts.0.saturating_add(self.timeframe.nanos()))
    }
}

/// Builders for several timeframes of one instrument. What closes at one instant is handed on with the
/// shorter timeframe first, so that nothing of a longer bar is visible before its own close.
///
/// Most prices close nothing. Those of one bucket of the shortest timeframe are gathered in one piece, which
/// goes into the builders when its bucket is over: one comparison a price, however many timeframes there are.
/// That is exact as long as the shortest timeframe divides the others; where it does not, every builder takes
/// every price.
#[derive(Clone, Debug)]
pub struct BarSet {
    /// Ascending, each timeframe once.
    builders: Vec<BarBuilder>,
    /// One for each builder.
    told: Vec<Told>,
    /// Prices of the running bucket that the builders have not seen; without trades and volume it may be empty.
    piece: Piece,
    /// Length of the shortest bucket; 0 when it does not divide the others.
    piece_ns: u64,
    /// Prices are watched from here on: a bucket that began before is incomplete and never closes.
    watched_from: TsNs,
    incomplete: u64,
}

/// What one builder's bars came to.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// The bar that the last call closed, until it is taken.
    bar: Option<Bar>,
    /// First instant after the last bucket that was closed or came as a candle.
    until: TsNs,
    /// The bar of that bucket.
    last: Option<Bar>,
}

/// What a venue's candle is to the bars that were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueBar {
    /// It closes its bucket: nothing was told of that before.
    Closes,
    /// It says of the bucket that was told last something else than was told. The bar stays as it was.
    Revises,
    /// Off the grid, of prices that cannot be, or told already.
    Nothing,
}

/// Prices after the first of a bucket.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// The bucket. Only meaningful while `is_open`.
    open_ts: u64,
    is_open: bool,
    is_empty: bool,
    high: Price,
    low: Price,
    close: Price,
    volume: i64,
    trades: u32,
}

impl Piece {
    const CLOSED: Self = Self {
        open_ts: 0,
        is_open: false,
        is_empty: true,
        high: Price(i64::MIN),
        low: Price(i64::MAX),
        close: Price(0),
        volume: 0,
        trades: 0,
    };

    #[inline]
    fn add(&mut self, price: Price, qty: Qty, trades: u32) {
        self.is_empty = false;
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.close = price;
        self.volume = self.volume.saturating_add(qty.0);
        self.trades = self.trades.saturating_add(trades);
    }

    /// As a bar to be merged into one that has begun: its open is never looked at.
    fn bar(&self) -> Bar {
        let Self { high, low, close, volume, trades, .. } = *self;
        Bar { open_ts: TsNs(self.open_ts), open: close, high, low, close, volume: Qty(volume), trades }
    }
}

impl BarSet {
    /// One builder per timeframe; order and repetition do not matter.
    pub fn new(timeframes: &[Timeframe]) -> Self {
        let mut sorted = Vec::from(timeframes);
        sorted.sort_unstable();
        sorted.dedup();
        let shortest = sorted.first().map_or(0, |timeframe| timeframe.secs());
        let is_nested = sorted.iter().all(|timeframe| timeframe.secs() % shortest.max(1) == 0);
        Self {
            told: sorted.iter().map(|_| Told::default()).collect(),
            piece: Piece::CLOSED,
            piece_ns: if is_nested { sorted.first().map_or(0, |timeframe| timeframe.nanos()) } else { 0 },
            builders: sorted.into_iter().map(BarBuilder::new).collect(),
            watched_from: TsNs(0),
            incomplete: 0,
        }
    }

    /// The same with [`BarBuilder::with_grace`] on each.
    pub fn with_grace(mut self, grace_ns: u64) -> Self {
        for builder in &mut self.builders {
            builder.grace_ns = grace_ns;
        }
        self
    }

    /// Prices are seen from `ts` on. A bucket that began earlier may lack its first prices, so its bar is not
    /// closed but counted; a venue's candle can still fill its place.
    pub const fn watch_from(&mut self, ts: TsNs) {
        self.watched_from = ts;
    }

    /// Takes one trade. True when bars closed: take them with [`closed`](Self::closed).
    #[inline]
    pub fn on_trade(&mut self, ts: TsNs, price: Price, qty: Qty) -> bool {
        if self.is_of_piece(ts) && price.0 > 0 && qty.0 > 0 {
            self.piece.add(price, qty, 1);
            return false;
        }
        self.feed(ts, |builder| builder.on_trade(ts, price, qty))
    }

    /// Takes one quote's mid. True when bars closed.
    #[inline]
    pub fn on_quote(&mut self, ts: TsNs, bid: Price, ask: Price) -> bool {
        if self.is_of_piece(ts) && bid.0 > 0 && bid <= ask {
            self.piece.add(Price(bid.0 + (ask.0 - bid.0) / 2), Qty(0), 0);
            return false;
        }
        self.feed(ts, |builder| builder.on_quote(ts, bid, ask))
    }

    /// Takes the time. True when bars closed.
    pub fn on_clock(&mut self, now: TsNs) -> bool {
        self.flush();
        let mut is_any = false;
        for (builder, told) in self.builders.iter_mut().zip(&mut self.told) {
            if let Some(bar) = builder.on_clock(now) {
                is_any |=
                    told.keep(bar, builder.end_of(bar.open_ts), self.watched_from, &mut self.incomplete);
            }
            // The shortest bucket is over: its piece must not take what comes late.
            self.piece.is_open &= builder.forming.is_some();
        }
        is_any
    }

    /// Takes a venue's closed candle of one timeframe: it stands for whatever was seen of its bucket, and what
    /// is seen of it later is late.
    pub fn on_venue_bar(&mut self, timeframe: Timeframe, bar: &Bar) -> VenueBar {
        self.flush();
        let mut places = self.builders.iter_mut().zip(&mut self.told);
        let Some((builder, told)) = places.find(|(builder, _)| builder.timeframe == timeframe) else {
            return VenueBar::Nothing;
        };
        let Bar { open_ts, open, high, low, close, volume, trades: _ } = *bar;
        let is_sound =
            low > Price::ZERO && low <= open.min(close) && open.max(close) <= high && volume >= Qty::ZERO;
        if timeframe.open_of(open_ts) != open_ts || !is_sound {
            builder.refused += 1;
            return VenueBar::Nothing;
        }
        if bar.open_ts < told.until {
            let prices = |bar: &Bar| (bar.open, bar.high, bar.low, bar.close);
            let is_other = |last: &Bar| last.open_ts == bar.open_ts && prices(last) != prices(bar);
            return if told.last.as_ref().is_some_and(is_other) {
                VenueBar::Revises
            } else {
                VenueBar::Nothing
            };
        }
        (told.until, told.last) = (builder.end_of(bar.open_ts), Some(*bar));
        // A later bucket that is forming already goes on; an earlier one has no end any more.
        if builder.forming.is_none_or(|forming| forming.open_ts <= bar.open_ts) {
            self.incomplete +=
                u64::from(builder.forming.is_some_and(|forming| forming.open_ts < bar.open_ts));
            builder.forming = None;
            builder.closed_until = builder.closed_until.max(told.until);
            self.piece.is_open = false;
        }
        VenueBar::Closes
    }

    /// Takes out the bar of the timeframe at `slot` (ascending) that the last call closed.
    pub fn closed(&mut self, slot: usize) -> Option<Bar> {
        self.told.get_mut(slot)?.bar.take()
    }

    /// The builders, shortest timeframe first. Their forming bars may lack the prices of the running piece.
    pub fn builders(&self) -> &[BarBuilder] {
        &self.builders
    }

    /// Bars not closed because their first prices were not seen.
    pub const fn incomplete(&self) -> u64 {
        self.incomplete
    }

    #[inline]
    const fn is_of_piece(&self, ts: TsNs) -> bool {
        self.piece.is_open && ts.0.wrapping_sub(self.piece.open_ts) < self.piece_ns
    }

    /// Every builder takes a price; one that opens a bucket opens the next piece.
    fn feed(&mut self, ts: TsNs, mut step: impl FnMut(&mut BarBuilder) -> Option<Bar>) -> bool {
        self.flush();
        let mut is_any = false;
        for (builder, told) in self.builders.iter_mut().zip(&mut self.told) {
            if let Some(bar) = step(builder) {
                is_any |=
                    told.keep(bar, builder.end_of(bar.open_ts), self.watched_from, &mut self.incomplete);
            }
        }
        // A piece is what follows in the bucket that every builder is in.
        let bucket = self.builders.first().and_then(|shortest| shortest.forming).map(|bar| bar.open_ts);
        let is_with_all = self.builders.iter().all(|builder| builder.is_forming_at(ts));
        self.piece = match bucket {
            Some(open_ts) if is_with_all && self.piece_ns > 0 => {
                Piece { open_ts: open_ts.0, is_open: true, ..Piece::CLOSED }
            }
            _ => Piece::CLOSED,
        };
        is_any
    }

    /// Hands the piece to the builders, whose forming bars are all of its bucket or hold it.
    fn flush(&mut self) {
        if self.piece.is_empty {
            return;
        }
        let bar = self.piece.bar();
        for builder in &mut self.builders {
            let closed = builder.on_bar(&bar);
            debug_assert!(closed.is_none(), "a piece closed a bar");
        }
        self.piece = Piece { open_ts: self.piece.open_ts, is_open: self.piece.is_open, ..Piece::CLOSED };
    }
}

impl Told {
    /// Keeps a closed bar, unless its first prices were not seen.
    fn keep(&mut self, bar: Bar, end: TsNs, watched_from: TsNs, incomplete: &mut u64) -> bool {
        let is_complete = watched_from <= bar.open_ts;
        if is_complete {
            *self = Self { bar: Some(bar), until: end, last: Some(bar) };
        } else {
            *incomplete += 1;
        }
        is_complete
    }
}

impl BarBuilder {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { timeframe, grace_ns: _, forming, closed_until, late, refused } = self;
        io.option(forming, || Bar::BLANK, |io, bar| price_bar(io, bar, *timeframe))?;
        match forming {
            // Everything before a forming bar is history.
            Some(bar) => *closed_until = bar.open_ts,
            None => bucket_end(io, closed_until, *timeframe)?,
        }
        io.tally(late)?;
        io.tally(refused)
    }
}

impl BarSet {
    /// The state between two events: every bar that closed has been taken.
    pub(crate) fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { builders, told, piece, piece_ns, watched_from, incomplete } = self;
        for (builder, told) in builders.iter_mut().zip(told) {
            builder.state(io)?;
            if io.is_loading() {
                told.bar = None;
            }
            bucket_end(io, &mut told.until, builder.timeframe)?;
            io.sound(told.until <= builder.closed_until)?;
            io.option(&mut told.last, || Bar::BLANK, |io, bar| price_bar(io, bar, builder.timeframe))?;
            let is_last = |last: Bar| builder.end_of(last.open_ts) == told.until;
            io.sound(told.last.is_none_or(is_last))?;
        }
        io.past(watched_from, now)?;
        io.tally(incomplete)?;
        let bucket = builders.first().and_then(|shortest| shortest.forming).map(|bar| bar.open_ts);
        // A piece lies in the bucket that every builder is in.
        let may_be_open = *piece_ns > 0
            && bucket.is_some_and(|bucket| builders.iter().all(|builder| builder.is_forming_at(bucket)));
        piece.state(io, bucket.filter(|_| may_be_open))
    }
}

impl Piece {
    /// `bucket` is the one it lies in if it is open.
    fn state(&mut self, io: &mut StateIo<'_>, bucket: Option<TsNs>) -> Result<(), StateError> {
        let (mut is_open, mut is_empty) = (self.is_open, self.is_empty);
        io.flag(&mut is_open)?;
        io.flag(&mut is_empty)?;
        io.sound(is_empty || is_open)?;
        if io.is_loading() {
            let open_ts = match bucket {
                Some(bucket) if is_open => bucket.0,
                _ => 0,
            };
            io.sound(!is_open || bucket.is_some())?;
            *self = Self { open_ts, is_open, is_empty, ..Self::CLOSED };
        }
        if is_empty {
            return Ok(());
        }
        let Self { open_ts: _, is_open: _, is_empty: _, high, low, close, volume, trades } = self;
        io.number(high)?;
        io.number(low)?;
        io.number(close)?;
        io.unsigned(volume)?;
        io.number(trades)?;
        io.sound(Price::ZERO < *low && low <= close && close <= high)
    }
}

/// A bar made of prices, which are positive, in a bucket of the timeframe.
fn price_bar(io: &mut StateIo<'_>, bar: &mut Bar, timeframe: Timeframe) -> Result<(), StateError> {
    bar.state(io)?;
    io.sound(bar.low > Price::ZERO && bar.open_ts == timeframe.open_of(bar.open_ts))
}

/// The end of a bucket, which the last one of all times does not reach; 0 when none has ended.
fn bucket_end(io: &mut StateIo<'_>, end: &mut TsNs, timeframe: Timeframe) -> Result<(), StateError> {
    io.number(end)?;
    io.sound(*end == timeframe.open_of(*end) || end.0 == u64::MAX)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    const SECOND: u64 = 1_000_000_000;

    fn tf(text: &str) -> Timeframe {
        Timeframe::parse(text).unwrap()
    }

    fn at(builder: &mut BarBuilder, seconds: u64, price: i64) -> Option<Bar> {
        builder.on_trade(TsNs(seconds * SECOND), Price(price), Qty(2))
    }

    #[test]
    fn a_later_bucket_closes_the_bar_and_empty_buckets_are_not_invented() {
        let mut builder = BarBuilder::new(tf("1m"));
        assert_eq!(at(&mut builder, 60, 10), None);
        assert_eq!(at(&mut builder, 119, 12), None);
        assert_eq!(at(&mut builder, 90, 7), None, "out of order inside the bucket still counts");
        let bar = at(&mut builder, 400, 9).unwrap();
        assert_eq!((bar.open_ts, bar.trades, bar.volume), (TsNs(60 * SECOND), 3, Qty(6)));
        assert_eq!((bar.open.0, bar.high.0, bar.low.0, bar.close.0), (10, 12, 7, 7));
        assert_eq!(builder.forming().map(|bar| bar.open_ts), Some(TsNs(360 * SECOND)));
    }

    #[test]
    fn the_clock_closes_once_and_late_trades_change_nothing() {
        let mut builder = BarBuilder::new(tf("1s"));
        at(&mut builder, 5, 10);
        assert_eq!(builder.on_clock(TsNs(6 * SECOND - 1)), None);
        assert!(builder.on_clock(TsNs(6 * SECOND)).is_some());
        assert_eq!(builder.on_clock(TsNs(7 * SECOND)), None);
        assert_eq!((at(&mut builder, 5, 99), builder.forming(), builder.late()), (None, None, 1));
        at(&mut builder, 9, 11);
        assert_eq!((at(&mut builder, 7, 99), builder.late()), (None, 2), "an empty bucket that is past");
        assert_eq!(at(&mut builder, 10, 12).map(|bar| bar.close), Some(Price(11)));
    }

    #[test]
    fn grace_waits_for_trades_under_way() {
        let mut builder = BarBuilder::new(tf("1s")).with_grace(100);
        at(&mut builder, 5, 10);
        assert_eq!(builder.on_clock(TsNs(6 * SECOND + 99)), None);
        builder.on_trade(TsNs(6 * SECOND - 1), Price(8), Qty(1));
        assert_eq!(builder.on_clock(TsNs(6 * SECOND + 100)).map(|bar| bar.low), Some(Price(8)));
    }

    #[test]
    fn prices_that_cannot_be_are_refused_and_extremes_do_not_overflow() {
        let mut builder = BarBuilder::new(tf("1d"));
        builder.on_trade(TsNs(1), Price(0), Qty(1));
        builder.on_trade(TsNs(1), Price(1), Qty(0));
        builder.on_quote(TsNs(1), Price(5), Price(4));
        assert_eq!((builder.refused(), builder.forming()), (3, None));
        builder.on_quote(TsNs(u64::MAX), Price(i64::MAX - 1), Price(i64::MAX));
        builder.on_trade(TsNs(u64::MAX), Price(i64::MAX), Qty(i64::MAX));
        builder.on_trade(TsNs(u64::MAX), Price(i64::MAX), Qty(i64::MAX));
        assert_eq!(builder.forming().map(|bar| bar.volume), Some(Qty(i64::MAX)));
        assert!(builder.on_clock(TsNs(u64::MAX)).is_some());
    }

    /// Everything a set closes, in the order it hands it on.
    fn take(set: &mut BarSet, closed: &mut vec::Vec<(Timeframe, Bar)>) {
        for slot in 0..set.builders().len() {
            let timeframe = set.builders()[slot].timeframe();
            closed.extend(set.closed(slot).map(|bar| (timeframe, bar)));
        }
    }

    /// A long bar folded from short ones is the long bar built from the trades.
    #[test]
    fn longer_bars_from_shorter_ones_equal_direct_bars_and_come_after_them() {
        let (short, long) = (tf("1m"), tf("5m"));
        let mut set = BarSet::new(&[long, short, long]);
        assert_eq!(set.builders().len(), 2);
        let (mut closed, mut folded, mut folder) = (vec![], vec![], BarBuilder::new(long));
        let mut random = 1u64;
        for step in 0..2_000u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let price = Price(1_000 + (random >> 58) as i64);
            set.on_trade(TsNs(step * 7 * SECOND), price, Qty(1));
            take(&mut set, &mut closed);
        }
        set.on_clock(TsNs(u64::MAX));
        take(&mut set, &mut closed);
        for (_, bar) in closed.iter().filter(|(tf, _)| *tf == short) {
            folded.extend(folder.on_bar(bar));
        }
        folded.extend(folder.on_clock(TsNs(u64::MAX)));
        let direct: vec::Vec<_> = closed.iter().filter(|(tf, _)| *tf == long).map(|(_, bar)| *bar).collect();
        assert_eq!(direct, folded);
        for pair in closed.windows(2).filter(|pair| pair[0].0 == long && pair[1].0 == short) {
            assert!(
                pair[0].1.open_ts < pair[1].1.open_ts,
                "a long bar went before a short one of its instant"
            );
        }
    }

    /// The piece is a short cut: bars, counts and the moment of closing are those of builders that see every
    /// price, with trades late, early and absurd, clocks at odd times, nested timeframes and others.
    #[test]
    fn a_set_is_its_builders_one_by_one() {
        for (seed, names) in [(1, ["1s", "5s", "1m"]), (2, ["2s", "3s", "4s"]), (3, ["5s", "15s", "1h"])] {
            let timeframes = names.map(tf);
            let mut set = BarSet::new(&timeframes).with_grace(SECOND / 4);
            let mut singles = timeframes.map(|tf| BarBuilder::new(tf).with_grace(SECOND / 4));
            let mut state = seed;
            let mut random = |n: u64| {
                state = u64::wrapping_mul(state, 6_364_136_223_846_793_005).wrapping_add(1_442_695);
                (state >> 33) % n
            };
            let mut now = 1_000 * SECOND;
            for _ in 0..20_000 {
                now += random(SECOND / 3);
                let ts = TsNs(if random(9) == 0 { now - random(4 * SECOND) } else { now });
                let (price, qty) = (Price(random(40) as i64), Qty(random(30) as i64));
                let (is_closed, direct) = match random(8) {
                    0 => (set.on_clock(TsNs(now)), singles.each_mut().map(|b| b.on_clock(TsNs(now)))),
                    1 => {
                        let ask = Price(price.0 + random(3) as i64 - 1);
                        (set.on_quote(ts, price, ask), singles.each_mut().map(|b| b.on_quote(ts, price, ask)))
                    }
                    _ => {
                        (set.on_trade(ts, price, qty), singles.each_mut().map(|b| b.on_trade(ts, price, qty)))
                    }
                };
                assert_eq!(is_closed, direct.iter().any(Option::is_some));
                assert_eq!([set.closed(0), set.closed(1), set.closed(2)], direct);
            }
            let counts = |builder: &BarBuilder| (builder.late(), builder.refused());
            assert_eq!(
                set.builders().iter().map(counts).collect::<vec::Vec<_>>(),
                singles.each_ref().map(counts)
            );
            assert!(singles[0].late() > 100 && singles[0].refused() > 100, "too tame to prove anything");
        }
    }

    #[test]
    fn a_bucket_whose_start_was_not_seen_is_not_closed_but_a_candle_may_fill_it() {
        let minute = tf("1m");
        let mut set = BarSet::new(&[minute]);
        set.watch_from(TsNs(90 * SECOND));
        set.on_trade(TsNs(91 * SECOND), Price(5), Qty(1));
        assert!(!set.on_trade(TsNs(121 * SECOND), Price(6), Qty(1)));
        assert_eq!((set.closed(0), set.incomplete()), (None, 1));
        let price = Price(4);
        let candle = |open_ts| Bar {
            open_ts: TsNs(open_ts * SECOND),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty(9),
            trades: 3,
        };
        assert_eq!(set.on_venue_bar(minute, &candle(60)), VenueBar::Closes, "the bucket that was dropped");
        assert_eq!(set.on_venue_bar(minute, &candle(61)), VenueBar::Nothing, "not on the grid");
        assert_eq!(set.on_venue_bar(minute, &candle(120)), VenueBar::Closes, "stands for what was forming");
        set.on_trade(TsNs(130 * SECOND), Price(7), Qty(1));
        assert_eq!(set.builders()[0].late(), 1);
        assert_eq!(set.on_venue_bar(minute, &candle(120)), VenueBar::Nothing, "closed already");
        assert_eq!(
            set.on_venue_bar(minute, &Bar { low: Price(0), ..candle(180) }),
            VenueBar::Nothing,
            "no price"
        );
        let other = Bar { high: Price(5), ..candle(120) };
        assert_eq!(set.on_venue_bar(minute, &other), VenueBar::Revises);
        assert_eq!(set.on_venue_bar(minute, &candle(60)), VenueBar::Nothing, "older ones are not kept");
        set.on_trade(TsNs(181 * SECOND), Price(8), Qty(1));
        assert!(set.on_clock(TsNs(240 * SECOND)));
        assert_eq!(set.closed(0).map(|bar| bar.close), Some(Price(8)));
    }
}
