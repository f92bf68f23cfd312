//! What has filled: positions, average prices, profit, fees, equity, and the bare trade statistics.
//!
//! Pure. Runs on the engine thread; memory is taken in the constructor. Money is summed exactly, in 1e-16 of the
//! quote currency (price units times quantity units), and rounded against us only where it is read.
//! Every fill given is counted: once-only is the order table's promise, not this file's.
//!
//! A spot venue takes the fee out of what we receive. A fee in the base asset therefore moves the position by
//! that much less: one bought at 10 bps is 0.999 held, and one bought back leaves a short of 0.001. Its value at
//! the fill's price is a fee like any other, and what remains costs its own price only, so that equity is always
//! the money that came and went plus what is held at the mark.

use crate::event::Balance;
use crate::orders::Fill;
use crate::output::Position;
use crate::sizing::Rate;
use crate::state::{StateError, StateIo};
use crate::words::{InstrumentId, Money, Name, Price, Qty, SCALE, Side, clamp_i64, div_ceil};
use alloc::vec;
use alloc::vec::Vec;

/// Positions of all instruments, valued in one account currency.
pub struct PositionBook {
    account: Name,
    /// Equity before the first fill; none until configured or told by the venue.
    starting_equity: Option<Money>,
    instruments: Vec<Held>,
    /// Balances by asset, as the venue told them last.
    balances: Vec<Balance>,
    /// Fees in assets without a price here; their value is missing from the profit.
    unpriced_fees: u32,
}

/// One instrument's account. `E16` amounts are quote currency in 1e-16.
#[derive(Clone, Copy, Default)]
struct Held {
    base: Name,
    quote: Name,
    qty: i64,
    /// Sum of price × signed quantity of what is held; the sign of `qty`, 0 when flat.
    cost_e16: i128,
    /// Profit of what was closed, minus all fees.
    realised_e16: i128,
    fees_e16: i128,
    /// What the venue kept of our last purchases, taking and making; see [`PositionBook::base_fee`].
    base_fees: [Option<Rate>; 2],
    mark: Price,
    /// More than dust was held since the last round trip ended.
    is_in_trip: bool,
    /// `realised_e16` when the present round trip began.
    trip_start_e16: i128,
    stats: TradeStats,
}

/// Round trips, from flat to flat, after fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TradeStats {
    /// Fills counted.
    pub fills: u32,
    /// Round trips that made money.
    pub wins: u32,
    /// Round trips that lost money or made none.
    pub losses: u32,
    /// Losing round trips in a row, up to the last one.
    pub losses_in_a_row: u32,
}

/// What one fill did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionChange {
    /// The word for the journal.
    pub position: Position,
    /// Quantity that closed what was held; > 0 means the fill was an exit, at least in part. Meeting dust is not
    /// an exit.
    pub reduced_qty: Qty,
    /// Profit of a round trip that this fill ended, after fees.
    pub trip: Option<Money>,
    /// The fee was in an asset without a price here: counted as nothing, which a person should see.
    pub is_fee_unpriced: bool,
}

impl PositionBook {
    /// Flat in `instruments` instruments, valued in `account`. Without a starting equity the first balance of
    /// that asset is taken; before it equity is 0, which permits nothing.
    pub fn new(instruments: usize, account: Name, starting_equity: Option<Money>) -> Self {
        Self {
            account,
            starting_equity,
            instruments: vec![Held::default(); instruments],
            balances: Vec::with_capacity(2 * instruments + BALANCES_SPARE),
            unpriced_fees: 0,
        }
    }

    /// Names an instrument's assets, which decide how its fees count. False (and nothing done) when the
    /// instrument is unknown or not paid in the account's currency, whose profit could not be added up.
    pub fn set_assets(&mut self, instrument: InstrumentId, base: Name, quote: Name) -> bool {
        match self.instruments.get_mut(instrument.index()) {
            Some(held) if quote == self.account => {
                (held.base, held.quote) = (base, quote);
                true
            }
            _ => false,
        }
    }

    /// Counts one fill. A position smaller than `flat_below` is dust: a round trip begins beyond it and ends with
    /// it, for no order could close it. 0 where nothing is too small.
    pub fn on_fill(&mut self, fill: &Fill, flat_below: Qty) -> PositionChange {
        let mut unheld = Held::default();
        let held = self.instruments.get_mut(fill.order.instrument.index()).unwrap_or(&mut unheld);
        let was_flat = held.is_flat(flat_below);
        let fee = held.fee(fill);
        let signed = fill.qty.0.saturating_mul(fill.order.side.sign());
        let received = signed.saturating_sub(fee.base);
        let closed = held.apply(fill.price, received);
        held.realised_e16 = held.realised_e16.saturating_sub(fee.e16);
        held.fees_e16 = held.fees_e16.saturating_add(fee.e16);
        held.stats.fills = held.stats.fills.saturating_add(1);
        held.learn_base_fee(fill, fee.base);
        let trip = held.end_trip(closed, received, flat_below);
        self.unpriced_fees += u32::from(fee.is_unpriced);
        PositionChange {
            position: Position {
                instrument: fill.order.instrument,
                qty: Qty(held.qty),
                average: held.average(),
                realised: money_floor(held.realised_e16),
                fees: money_ceil(held.fees_e16),
                client_order_id: fill.order.client_order_id,
                fill_price: fill.price,
                fill_qty: Qty(signed),
            },
            reduced_qty: if was_flat { Qty::ZERO } else { Qty(closed) },
            trip,
            is_fee_unpriced: fee.is_unpriced,
        }
    }

    /// Takes over a position that no fill of ours made, at `average`; 0 where nobody knows what it cost. What was
    /// held before leaves at its own cost: no profit, no loss, no fill.
    pub(crate) fn adopt(&mut self, instrument: InstrumentId, qty: Qty, average: Price) {
        let Some(held) = self.instruments.get_mut(instrument.index()) else { return };
        held.qty = qty.0;
        held.cost_e16 = i128::from(qty.0) * i128::from(average.0.max(0));
        held.is_in_trip = qty != Qty::ZERO;
        held.trip_start_e16 = held.realised_e16;
    }

    /// Values an instrument from now on at `price`; prices that are not positive are ignored.
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) {
        if price > Price::ZERO
            && let Some(held) = self.instruments.get_mut(instrument.index())
        {
            held.mark = price;
        }
    }

    /// Takes the venue's balance of an asset. The first of the account's currency becomes the starting equity
    /// where none was configured.
    pub fn on_balance(&mut self, balance: &Balance) {
        let has_room = self.balances.len() < self.balances.capacity();
        match self.balances.iter_mut().find(|known| known.asset == balance.asset) {
            Some(known) => *known = *balance,
            None if has_room => self.balances.push(*balance),
            None => {} // An asset too many: nothing here depends on it.
        }
        if balance.asset == self.account && self.starting_equity.is_none() {
            self.starting_equity = Some(Money(balance.free.0.saturating_add(balance.locked.0)));
        }
    }

    /// Starting equity, plus what was realised, plus what is open at the marks; rounded down. 0 while the
    /// starting equity is unknown.
    pub fn equity(&self) -> Money {
        let Some(starting) = self.starting_equity else { return Money::ZERO };
        let profit = self.instruments.iter().fold(0i128, |sum, held| {
            sum.saturating_add(held.realised_e16).saturating_add(held.unrealised_e16())
        });
        money_floor(profit.saturating_add(i128::from(starting.0) * i128::from(SCALE)))
    }

    /// Signed quantity held.
    pub fn qty(&self, instrument: InstrumentId) -> Qty {
        Qty(self.held(instrument).qty)
    }

    /// Average entry price, rounded against us; 0 when flat.
    pub fn average(&self, instrument: InstrumentId) -> Price {
        self.held(instrument).average()
    }

    /// Profit closed so far after all fees, rounded down.
    pub fn realised(&self, instrument: InstrumentId) -> Money {
        money_floor(self.held(instrument).realised_e16)
    }

    /// Profit of what is held at the mark, rounded down.
    pub fn unrealised(&self, instrument: InstrumentId) -> Money {
        money_floor(self.held(instrument).unrealised_e16())
    }

    /// Fees so far in the quote currency, rounded up.
    pub fn fees(&self, instrument: InstrumentId) -> Money {
        money_ceil(self.held(instrument).fees_e16)
    }

    /// The share of what a closing order buys that the venue keeps as its fee: that of the last purchase at
    /// once, else of the last one that rested. 0 where the fee was taken in another asset, and before the first
    /// purchase.
    pub fn base_fee(&self, instrument: InstrumentId) -> Rate {
        self.held(instrument).base_fee()
    }

    /// What an order must ask for to close the position: all of a long; of a short what is owed and the fee the
    /// venue will keep of it. Not in lots, and never so much that the position would turn.
    pub fn closing_qty(&self, instrument: InstrumentId) -> Qty {
        let held = self.held(instrument);
        let owed = i128::from(held.qty.saturating_abs());
        if held.qty >= 0 {
            return Qty(held.qty);
        }
        Qty(clamp_i64(owed * i128::from(SCALE) / i128::from(SCALE - held.base_fee().0)))
    }

    /// Round trips so far.
    pub fn stats(&self, instrument: InstrumentId) -> TradeStats {
        self.held(instrument).stats
    }

    /// The price to value exposure at: the mark, else the average; none when neither is known.
    pub fn valuation(&self, instrument: InstrumentId) -> Option<Price> {
        let held = self.held(instrument);
        [held.mark, held.average()].into_iter().find(|&price| price > Price::ZERO)
    }

    /// Ids of all instruments of the table.
    pub fn instruments(&self) -> impl Iterator<Item = InstrumentId> + use<> {
        (0..self.instruments.len()).map_while(|at| u16::try_from(at).ok()).map(InstrumentId)
    }

    /// The venue's last word on an asset.
    pub fn balance(&self, asset: Name) -> Option<&Balance> {
        self.balances.iter().find(|balance| balance.asset == asset)
    }

    /// Fills whose fee was in an asset without a price here.
    pub fn unpriced_fees(&self) -> u32 {
        self.unpriced_fees
    }

    fn held(&self, instrument: InstrumentId) -> Held {
        self.instruments.get(instrument.index()).copied().unwrap_or_default()
    }
}

/// A larger share of a purchase is no fee: such a report teaches nothing.
const BASE_FEE_MAX: Rate = Rate::from_ppm(50_000);
/// Room for balances of assets beyond the instruments' own: fee tokens, left-overs.
const BALANCES_SPARE: usize = 64;

impl Held {
    /// Moves position and cost by one fill; returns the quantity that closed.
    fn apply(&mut self, price: Price, signed: i64) -> i64 {
        let price = i128::from(price.0);
        let is_closing = (self.qty < 0 && signed > 0) || (self.qty > 0 && signed < 0);
        let closed = if is_closing { self.qty.saturating_abs().min(signed.saturating_abs()) } else { 0 };
        if closed > 0 {
            let direction = i128::from(self.qty.signum());
            let freed = self.cost_of(closed);
            let proceeds = price * i128::from(closed) * direction;
            self.realised_e16 = self.realised_e16.saturating_add(proceeds).saturating_sub(freed);
            self.cost_e16 -= freed;
            self.qty -= self.qty.signum() * closed;
        }
        let opened = signed - signed.signum() * closed;
        self.cost_e16 = self.cost_e16.saturating_add(price * i128::from(opened));
        self.qty = self.qty.saturating_add(opened);
        closed
    }

    /// Signed cost of `closed` of the position, rounded up: against us for longs and shorts alike. The cost of
    /// all of it is all of the cost, so nothing is left over when flat.
    fn cost_of(&self, closed: i64) -> i128 {
        // cost × closed would overflow: split the cost into whole shares and a rest.
        let held = i128::from(self.qty.saturating_abs());
        let (share, rest) = (self.cost_e16.div_euclid(held), self.cost_e16.rem_euclid(held));
        share * i128::from(closed) + div_ceil(rest * i128::from(closed), held)
    }

    fn average(&self) -> Price {
        match i128::from(self.qty) {
            0 => Price::ZERO,
            qty if qty > 0 => Price(clamp_i64(div_ceil(self.cost_e16, qty))),
            qty => Price(clamp_i64(self.cost_e16.abs().div_euclid(-qty))),
        }
    }

    fn unrealised_e16(&self) -> i128 {
        if self.qty == 0 || self.mark == Price::ZERO {
            return 0;
        }
        (i128::from(self.mark.0) * i128::from(self.qty)).saturating_sub(self.cost_e16)
    }

    fn fee(&self, fill: &Fill) -> Fee {
        let fee = i128::from(fill.fee.0);
        if fee == 0 {
            Fee::default()
        } else if fill.fee_asset == self.quote && self.quote != Name::default() {
            Fee { e16: fee * i128::from(SCALE), ..Fee::default() }
        } else if fill.fee_asset == self.base && self.base != Name::default() {
            Fee { e16: fee * i128::from(fill.price.0), base: fill.fee.0, is_unpriced: false }
        } else {
            Fee { is_unpriced: true, ..Fee::default() }
        }
    }

    /// The rate of a purchase is kept as long as it explains the fees to the unit: small fills, whose fee is
    /// rounded most, do not blur it.
    fn learn_base_fee(&mut self, fill: &Fill, fee: i64) {
        if fill.order.side != Side::Buy {
            return;
        }
        let known = &mut self.base_fees[usize::from(fill.is_maker)];
        if known.is_some_and(|rate| kept_of(fill.qty.0.into(), rate) == i128::from(fee)) {
            return;
        }
        let rate = Rate(clamp_i64(i128::from(fee) * i128::from(SCALE) / i128::from(fill.qty.0.max(1))));
        if rate > Rate::default() && rate <= BASE_FEE_MAX {
            *known = Some(rate);
        } else {
            self.base_fees = [None; 2]; // Taken in another asset from now on, whoever rested.
        }
    }

    fn base_fee(&self) -> Rate {
        let [taking, making] = self.base_fees;
        taking.or(making).unwrap_or_default()
    }

    fn is_flat(&self, flat_below: Qty) -> bool {
        self.qty == 0 || self.qty.saturating_abs() < flat_below.0
    }

    /// Settles the statistics when the fill brought the position to flat, or through it.
    fn end_trip(&mut self, closed: i64, received: i64, flat_below: Qty) -> Option<Money> {
        let is_flat = self.is_flat(flat_below);
        let is_over = self.is_in_trip && closed > 0 && (is_flat || self.qty.signum() == received.signum());
        self.is_in_trip = !is_flat || self.is_in_trip && !is_over;
        if !is_over {
            return None;
        }
        let profit = self.realised_e16.saturating_sub(self.trip_start_e16);
        self.trip_start_e16 = self.realised_e16;
        if profit > 0 {
            self.stats.wins = self.stats.wins.saturating_add(1);
            self.stats.losses_in_a_row = 0;
        } else {
            self.stats.losses = self.stats.losses.saturating_add(1);
            self.stats.losses_in_a_row = self.stats.losses_in_a_row.saturating_add(1);
        }
        Some(money_floor(profit))
    }
}

/// One fill's fee.
#[derive(Clone, Copy, Default)]
struct Fee {
    /// Its value in quote currency.
    e16: i128,
    /// What of it was taken from the base asset.
    base: i64,
    /// It was in an asset without a price here.
    is_unpriced: bool,
}

/// What the venue keeps of `bought`, rounded down as venues do.
pub(crate) fn kept_of(bought: i128, rate: Rate) -> i128 {
    if rate.0 == 0 { 0 } else { bought.saturating_mul(rate.0.into()) / i128::from(SCALE) }
}

fn money_floor(e16: i128) -> Money {
    Money(clamp_i64(e16.div_euclid(SCALE.into())))
}

fn money_ceil(e16: i128) -> Money {
    Money(clamp_i64(div_ceil(e16, SCALE.into())))
}

impl PositionBook {
    /// Balances and the names of assets are known elsewhere: see [`Self::recall`].
    pub(crate) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { account: _, starting_equity, instruments, balances: _, unpriced_fees } = self;
        io.option(starting_equity, || Money::ZERO, |io, equity| io.number(equity))?;
        instruments.iter_mut().try_for_each(|held| held.state(io))?;
        io.tally(unpriced_fees)
    }

    /// After loading: the balances told so far, in the order of the assets' first words.
    pub(crate) fn recall(&mut self, balances: &[Balance]) {
        let room = self.balances.capacity();
        self.balances.clear();
        self.balances.extend(balances.iter().take(room));
    }

    /// Equity before the first fill, once known.
    pub(crate) fn starting_equity(&self) -> Option<Money> {
        self.starting_equity
    }
}

/// No cost of a position that a person could have is larger: 2^62 units at 2^62 units.
const COST_MAX_E16: i128 = 1 << 124;

impl Held {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self {
            base,
            quote,
            qty,
            cost_e16,
            realised_e16,
            fees_e16,
            base_fees,
            mark,
            is_in_trip,
            trip_start_e16,
            stats,
        } = self;
        if io.is_loading() {
            // Those of the instrument's rules; named anew when these are loaded.
            (*base, *quote) = (Name::default(), Name::default());
        }
        io.number(qty)?;
        io.number(cost_e16)?;
        let is_signed = cost_e16.signum() * i128::from(qty.signum()) >= 0;
        io.sound(is_signed && cost_e16.saturating_abs() <= COST_MAX_E16)?;
        io.sound(*qty != 0 || *cost_e16 == 0)?;
        io.number(realised_e16)?;
        io.number(fees_e16)?;
        for rate in base_fees {
            io.option(rate, Rate::default, |io, rate| {
                io.number(rate)?;
                io.sound(Rate::default() < *rate && *rate <= BASE_FEE_MAX)
            })?;
        }
        io.unsigned(&mut mark.0)?;
        io.flag(is_in_trip)?;
        io.number(trip_start_e16)?;
        stats.state(io)
    }
}

impl TradeStats {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { fills, wins, losses, losses_in_a_row } = self;
        io.number(fills)?;
        io.number(wins)?;
        io.number(losses)?;
        io.number(losses_in_a_row)?;
        io.sound(losses_in_a_row <= losses)
    }
}
