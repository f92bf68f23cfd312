//! What has filled: positions, average prices, profit, fees, funding, equity, and the bare trade statistics, of the
//! account and of each strategy.
//!
//! Pure. Runs on the engine thread; memory is taken in the constructor. Money is summed in 1e-16 and rounded against us
//! only where it is read, in the account's currency. Every fill given is counted: once-only is the order table's
//! promise, not this file's.
//!
//! Rooms: `terms` says what a quantity is worth under a contract, `ledger` is one account of one instrument, `amount`
//! rounds and converts, `bookings` remembers cash that was counted, `margin` says what is free.
//!
//! * **Spot** takes the fee out of what we receive. A fee in the base asset therefore moves the position by that
//!   much less: one bought at 10 bps is 0.999 held, and one bought back leaves a short of 0.001. Its value at the
//!   fill's price is a fee like any other, and what remains costs its own price only, so that equity is always
//!   the money that came and went plus what is held at the mark.
//! * **Another currency**: profit stays in the asset that the venue pays it in, and is worth what that asset is worth
//!   now. A currency pair's is paid in the account's own: it is converted when it is made. Whatever has no rate yet
//!   makes equity unknown, which permits nothing.
//! * **Strategies** are told apart by the order's id. What no strategy did (other hands, what was taken over from the
//!   venue, remainders of shared cash) is nobody's, and nobody is strategy 0.

mod amount;
mod bookings;
mod ledger;
mod margin;
mod terms;

pub use amount::Sum;
pub use ledger::{Flows, TradeStats};
pub use margin::Security;

use crate::event::{AssetRate, Balance, Cash, CashKind, Margin, VenuePosition};
use crate::instrument::{Contract, ContractKind};
use crate::orders::Fill;
use crate::output::Position;
use crate::risk::{STRATEGIES_MAX, VENUES_MAX};
use crate::sizing::Rate;
use crate::state::{State, StateError, StateIo};
use crate::words::{
    ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side, clamp_i64, scale_floor,
};
use alloc::vec;
use alloc::vec::Vec;
use amount::{Round, UNIT_E16, Worth, money_ceil, money_floor};
use bookings::Bookings;
use core::cell::Cell;
use ledger::{Entry, Ledger};
use terms::Terms;

/// Positions of all instruments, valued in one account currency.
pub struct PositionBook {
    account: Name,
    /// Equity before the first fill, over all venues; none until configured or told by each of them.
    starting_equity: Option<Money>,
    /// The accounts at the venues.
    venues: [VenueAccount; VENUES_MAX],
    /// Deposits minus withdrawals since, account currency.
    transferred_e16: i128,
    /// Profit that belongs to no instrument, account currency.
    cash_e16: i128,
    instruments: Vec<Held>,
    /// Of each instrument, one ledger for each strategy.
    ledgers: Vec<[Ledger; STRATEGIES_MAX]>,
    /// Balances by venue and asset, as told last.
    balances: Vec<(u8, Balance)>,
    /// What assets are worth, as told last. Invariant: each asset once, never the account's.
    rates: Vec<AssetRate>,
    /// Cash in assets whose worth nobody said yet.
    waiting: Vec<Waiting>,
    bookings: Bookings,
    /// Fees in assets without a price here; their value is missing from the profit.
    unpriced_fees: u32,
    /// [`Self::known_equity`] as counted last: none since something changed. One order asks for it several times.
    equity: Cell<Option<Option<Money>>>,
}

/// One account at a venue.
#[derive(Clone, Copy, Default)]
struct VenueAccount {
    /// What it is kept in; none where nothing is traded.
    asset: Option<Name>,
    /// What it held when it was first told, account currency.
    start: Option<Money>,
    /// The venue's own count in `asset`, where it gives one.
    margin: Option<Margin>,
}

/// One instrument. What is derived from its terms and the rates is no state.
#[derive(Clone, Copy, Default)]
struct Held {
    /// Number of its venue.
    venue: u8,
    terms: Terms,
    account: Ledger,
    /// What the venue kept of our last purchases, taking and making; see [`PositionBook::base_fee`].
    base_fees: [Option<Rate>; 2],
    /// The book's price.
    mark: Price,
    /// The venue's price for valuing; 0 where it gives none.
    venue_mark: Price,
    base_worth: Worth,
    quote_worth: Worth,
}

/// Cash in an asset without a rate.
#[derive(Clone, Copy)]
struct Waiting {
    asset: Name,
    profit_e16: i128,
    transfer_e16: i128,
}

/// What one fill did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionChange {
    /// The word for the journal.
    pub position: Position,
    /// Quantity that closed what was held; > 0 means the fill was an exit, at least in part. Meeting dust is not
    /// an exit.
    pub reduced_qty: Qty,
    /// Profit of a round trip that this fill ended, after fees. Without a rate its sign is all that it tells.
    pub trip: Option<Money>,
    /// The fee was in an asset without a price here: counted as nothing, which a person should see.
    pub is_fee_unpriced: bool,
}

/// What one strategy holds of one instrument and made with it, in the account's currency; rounded against us each,
/// so that only [`PositionBook::flows_of`] adds up to the unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StrategyPosition {
    /// Signed quantity.
    pub qty: Qty,
    /// Average entry price; 0 when flat.
    pub average: Price,
    /// Profit of what was closed, after fees and with funding; 0 without a rate.
    pub realised: Money,
    /// Profit of what is held at the mark; 0 without a rate.
    pub unrealised: Money,
    /// Fees; 0 without a rate.
    pub fees: Money,
    /// Funding and financing received, negative when paid; 0 without a rate.
    pub funding: Money,
    /// Round trips.
    pub stats: TradeStats,
}

/// What one booking of cash did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CashChange {
    /// Counted before.
    Known,
    /// Counted for an instrument; the word for the journal.
    Position(Position),
    /// Counted for the account.
    Account,
    /// Waits for the worth of its asset.
    Waits,
}

impl PositionChange {
    /// Of a fill in an instrument that is not in the table.
    #[cold]
    fn nowhere(fill: &Fill, fill_qty: Qty) -> Self {
        let word = Held::default().word(fill.order.instrument);
        let client_order_id = fill.order.client_order_id;
        let position = Position { client_order_id, fill_price: fill.price, fill_qty, ..word };
        Self { position, reduced_qty: Qty::ZERO, trip: None, is_fee_unpriced: false }
    }
}

impl PositionBook {
    /// Flat in `instruments` instruments, valued in `account`. Without a starting equity the first balance of
    /// that asset is taken; before it equity is 0, which permits nothing.
    pub fn new(instruments: usize, account: Name, starting_equity: Option<Money>) -> Self {
        let assets = 2 * instruments + ASSETS_SPARE;
        let mut venues = [VenueAccount::default(); VENUES_MAX];
        venues[0].asset = Some(account);
        Self {
            account,
            starting_equity,
            venues,
            transferred_e16: 0,
            cash_e16: 0,
            instruments: vec![Held::default(); instruments],
            ledgers: vec![[Ledger::default(); STRATEGIES_MAX]; instruments],
            balances: Vec::with_capacity(assets),
            rates: Vec::with_capacity(assets),
            waiting: Vec::with_capacity(assets),
            bookings: Bookings::default(),
            unpriced_fees: 0,
            equity: Cell::new(None),
        }
    }

    /// Says at which venue each instrument is traded, in the table's order, and what each account is kept in; before, all
    /// are at venue 0, in the account's currency.
    pub fn set_venues(&mut self, venues: impl Iterator<Item = u8>, asset: impl Fn(u8) -> Option<Name>) {
        self.equity.set(None);
        for (held, venue) in self.instruments.iter_mut().zip(venues) {
            held.venue = venue;
        }
        for (venue, account) in (0..).zip(&mut self.venues) {
            account.asset = asset(venue);
        }
    }

    /// Names the assets of a spot instrument, which decide how its fees and profit count; see
    /// [`PositionBook::set_contract`].
    pub fn set_assets(&mut self, instrument: InstrumentId, base: Name, quote: Name) -> bool {
        self.set_contract(instrument, base, quote, Contract::SPOT)
    }

    /// Says what an instrument is. False (and nothing done) when it is not in the table. One that changes its kind,
    /// size or currency while something is counted in it has no value any more.
    pub fn set_contract(
        &mut self,
        instrument: InstrumentId,
        base: Name,
        quote: Name,
        contract: Contract,
    ) -> bool {
        self.equity.set(None);
        let (base_worth, quote_worth) = (self.worth(base), self.worth(quote));
        let Some(held) = self.instruments.get_mut(instrument.index()) else { return false };
        let terms = Terms { base, quote, contract };
        let is_named = held.terms.quote != Name::EMPTY;
        if is_named && !held.terms.counts_like(&terms) && !held.account.is_blank() {
            held.account.break_down();
        }
        (held.terms, held.base_worth, held.quote_worth) = (terms, base_worth, quote_worth);
        true
    }

    /// Counts one fill. A position smaller than `flat_below` is dust: a round trip begins beyond it and ends with
    /// it, for no order could close it. 0 where nothing is too small.
    pub fn on_fill(&mut self, fill: &Fill, flat_below: Qty) -> PositionChange {
        self.equity.set(None);
        let (instrument, id) = (fill.order.instrument, fill.order.client_order_id);
        let fee = self.fee(fill);
        self.unpriced_fees += u32::from(fee.is_unpriced);
        self.pay_due(instrument, fill.price);
        let signed = fill.qty.0.saturating_mul(fill.order.side.sign());
        let at = instrument.index();
        let Some((held, ledgers)) = self.instruments.get_mut(at).zip(self.ledgers.get_mut(at)) else {
            return PositionChange::nowhere(fill, Qty(signed));
        };
        let was_flat = held.account.is_flat(flat_below);
        let received = signed.saturating_sub(fee.base);
        let entry = Entry {
            price: fill.price,
            received,
            value_e16: held.terms.value_e16(received, fill.price, Round::Up),
            fee: fee.sum,
            flat_below,
        };
        held.learn_base_fee(fill, fee.base);
        let owner = owner(id);
        let closed = held.account.take(&entry, &held.terms);
        let closed_by_owner = ledgers[owner].take(&entry, &held.terms);
        if held.is_banked() {
            held.bank(ledgers, owner);
        }
        let worth = held.settle_worth();
        let trip = held.account.end_trip(closed, &entry, worth);
        ledgers[owner].end_trip(closed_by_owner, &entry, worth);
        PositionChange {
            position: Position {
                client_order_id: id,
                fill_price: fill.price,
                fill_qty: Qty(signed),
                ..held.word(instrument)
            },
            reduced_qty: if was_flat { Qty::ZERO } else { Qty(closed) },
            trip,
            is_fee_unpriced: fee.is_unpriced,
        }
    }

    /// Counts money that came or went without a fill, each booking once. Of an instrument it is shared by those who
    /// hold it, in proportion to what they hold, signed: who holds against the others receives what they pay.
    /// Fractions of 1e-16, and all of it when nothing is held, are nobody's.
    pub fn on_cash(&mut self, instrument: InstrumentId, cash: &Cash) -> CashChange {
        self.equity.set(None);
        if !self.bookings.note(cash.kind, cash.booking_id) {
            return CashChange::Known;
        }
        let e16 = i128::from(cash.amount.0) * UNIT_E16;
        let worth = self.worth_at(instrument, cash.asset);
        let value = worth.of(e16, Round::Down);
        if cash.kind == CashKind::Transfer {
            return self.transfer(cash.asset, e16, value);
        }
        let at = instrument.index();
        let Some((held, ledgers)) = self.instruments.get_mut(at).zip(self.ledgers.get_mut(at)) else {
            return match value {
                Some(value) => {
                    self.cash_e16 = self.cash_e16.saturating_add(value);
                    CashChange::Account
                }
                None => self.wait(cash.asset, e16, 0),
            };
        };
        let sum = match value {
            _ if cash.asset == held.terms.settle() => Sum::settle(e16),
            Some(value) => Sum::account(value),
            None => return self.wait(cash.asset, e16, 0),
        };
        held.account.receive(cash.kind, sum);
        let mut rest = sum;
        for ledger in ledgers.iter_mut() {
            let share = share_of(sum, ledger.qty, held.account.qty);
            rest = rest.minus(share);
            ledger.receive(cash.kind, share);
        }
        ledgers[NOBODY].receive(cash.kind, rest);
        if held.is_banked() {
            held.bank_all(ledgers);
        }
        CashChange::Position(held.word(instrument))
    }

    /// A deposit or withdrawal moves what equity is counted from. Before that is known it is part of what the first
    /// balance will tell.
    fn transfer(&mut self, asset: Name, e16: i128, value: Option<i128>) -> CashChange {
        match value {
            _ if self.starting_equity().is_none() => CashChange::Account,
            Some(value) => {
                self.transferred_e16 = self.transferred_e16.saturating_add(value);
                CashChange::Account
            }
            None => self.wait(asset, 0, e16),
        }
    }

    fn wait(&mut self, asset: Name, profit_e16: i128, transfer_e16: i128) -> CashChange {
        let has_room = self.waiting.len() < self.waiting.capacity();
        match self.waiting.iter_mut().find(|waiting| waiting.asset == asset) {
            Some(waiting) => {
                waiting.profit_e16 = waiting.profit_e16.saturating_add(profit_e16);
                waiting.transfer_e16 = waiting.transfer_e16.saturating_add(transfer_e16);
            }
            None if has_room => self.waiting.push(Waiting { asset, profit_e16, transfer_e16 }),
            // An asset too many: what was received counts as nothing, what is owed as more than there is.
            None if profit_e16 < 0 || transfer_e16 < 0 => self.cash_e16 = i128::MIN,
            None => {}
        }
        CashChange::Waits
    }

    /// What one unit of an asset is worth in the account's currency, where somebody said.
    pub fn rate_of(&self, asset: Name) -> Option<Price> {
        self.rates.iter().find(|rate| rate.asset == asset).map(|rate| rate.price)
    }

    /// Takes what an asset is worth in `kept_in`, in which a venue keeps its account. Of our own currency it says what
    /// `kept_in` is worth. While that is not known, nothing is known of other assets either.
    pub fn on_rate_in(&mut self, kept_in: Name, rate: &AssetRate) {
        let price = |of: i64, factor: i64, divisor: i64| {
            let price = amount::mul_div(of.into(), factor, divisor.into(), Round::Down);
            price.and_then(|price| i64::try_from(price).ok()).map_or(Price::ZERO, Price)
        };
        match self.worth(kept_in) {
            Worth::Same => self.on_rate(rate),
            _ if rate.asset == self.account => {
                self.on_rate(&AssetRate { asset: kept_in, price: price(SCALE, SCALE, rate.price.0) });
            }
            Worth::Times(worth) => {
                self.on_rate(&AssetRate { price: price(rate.price.0, worth.0, SCALE), ..*rate });
            }
            Worth::Unknown | Worth::Through(..) => {}
        }
    }

    /// Takes what an asset is worth in the account's currency; what waited for it is counted at that. Prices that
    /// are not positive are ignored.
    pub fn on_rate(&mut self, rate: &AssetRate) {
        if rate.price <= Price::ZERO || rate.asset == self.account {
            return;
        }
        self.equity.set(None);
        let has_room = self.rates.len() < self.rates.capacity();
        match self.rates.iter_mut().find(|known| known.asset == rate.asset) {
            Some(known) => *known = *rate,
            None if has_room => self.rates.push(*rate),
            None => return, // An asset too many stays without a worth.
        }
        let worth = Worth::Times(rate.price);
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.asset == rate.asset) {
            let Waiting { profit_e16, transfer_e16, .. } = self.waiting.swap_remove(at);
            let value = |e16| worth.of(e16, Round::Down).unwrap_or(i128::MIN);
            self.cash_e16 = self.cash_e16.saturating_add(value(profit_e16));
            self.transferred_e16 = self.transferred_e16.saturating_add(value(transfer_e16));
        }
        for venue in 0..VENUES_MAX as u8 {
            self.note_start(venue);
        }
        for (held, ledgers) in self.instruments.iter_mut().zip(&mut self.ledgers) {
            if held.terms.base == rate.asset {
                held.base_worth = worth;
            }
            if held.terms.quote == rate.asset {
                held.quote_worth = worth;
                if held.is_banked() {
                    held.bank_all(ledgers);
                }
            }
        }
    }

    /// Values an instrument from now on at the book's `price`, unless the venue gives a price of its own; prices
    /// that are not positive are ignored.
    #[inline]
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) {
        if price > Price::ZERO
            && let Some(held) = self.instruments.get_mut(instrument.index())
        {
            self.equity.set(None);
            held.mark = price;
            if held.account.is_cost_due {
                self.pay_due(instrument, price);
            }
        }
    }

    /// Values an instrument from now on at the venue's `price`, whatever the book says; at the book's again when it is zero.
    pub fn mark_by_venue(&mut self, instrument: InstrumentId, price: Price) {
        if price >= Price::ZERO
            && let Some(held) = self.instruments.get_mut(instrument.index())
        {
            self.equity.set(None);
            held.venue_mark = price;
            if price > Price::ZERO {
                self.pay_due(instrument, price);
            }
        }
    }

    /// As [`Self::on_margin_at`], of venue 0.
    pub fn on_margin(&mut self, margin: &Margin) {
        self.on_margin_at(0, margin);
    }

    /// Takes an account as its venue counts it, in the asset it is kept in: the lower of its figures and ours holds.
    pub fn on_margin_at(&mut self, venue: u8, margin: &Margin) {
        if let Some(account) = self.venues.get_mut(usize::from(venue)) {
            self.equity.set(None);
            account.margin = Some(*margin);
        }
    }

    /// As [`Self::on_balance_at`], of venue 0.
    pub fn on_balance(&mut self, balance: &Balance) {
        self.on_balance_at(0, balance);
    }

    /// Takes a venue's balance of an asset. The first of the asset that its account is kept in becomes its part of the
    /// starting equity where none was configured.
    pub fn on_balance_at(&mut self, venue: u8, balance: &Balance) {
        let has_room = self.balances.len() < self.balances.capacity();
        let is_meant = |known: &&mut (u8, Balance)| known.0 == venue && known.1.asset == balance.asset;
        match self.balances.iter_mut().find(is_meant) {
            Some((_, known)) => *known = *balance,
            None if has_room => self.balances.push((venue, *balance)),
            None => {} // An asset too many: nothing here depends on it.
        }
        self.note_start(venue);
    }

    /// What an account held first, once it is told and worth something known.
    fn note_start(&mut self, venue: u8) {
        let Some(account) = self.venues.get(usize::from(venue)).copied() else { return };
        let Some(asset) = account.asset.filter(|_| account.start.is_none()) else { return };
        let Some(balance) = self.balance_at(venue, asset) else { return };
        let e16 = i128::from(balance.free.0.saturating_add(balance.locked.0)) * UNIT_E16;
        let start = self.worth(asset).of(e16, Round::Down).map(money_floor);
        if let Some(account) = self.venues.get_mut(usize::from(venue)) {
            self.equity.set(None);
            account.start = start;
        }
    }

    /// Holds what the venue holds, without inventing a fill: its average (else the mark, else the first price to
    /// come) is what it cost, and nothing is realised. The difference to what the strategies hold is nobody's.
    /// None for an instrument that is not in the table.
    pub fn adopt(&mut self, instrument: InstrumentId, venue: &VenuePosition) -> Option<Position> {
        self.equity.set(None);
        let held = self.instruments.get_mut(instrument.index())?;
        let ledgers = self.ledgers.get_mut(instrument.index())?;
        let before = held.account;
        let price = [venue.average, held.price()].into_iter().find(|&price| price > Price::ZERO);
        let cost = match price.map(|price| held.terms.value_e16(venue.qty.0, price, Round::Up)) {
            Some(None) => {
                held.account.break_down();
                None
            }
            cost => cost.flatten(),
        };
        held.account.take_over(venue.qty.0, cost);
        let qty = venue.qty.0.saturating_sub(before.qty);
        ledgers[NOBODY].shift(qty, held.account.cost_e16.saturating_sub(before.cost_e16));
        Some(held.word(instrument))
    }

    /// A cost that nobody knew is the first price's.
    fn pay_due(&mut self, instrument: InstrumentId, price: Price) {
        if let Some(held) = self.instruments.get_mut(instrument.index())
            && held.account.is_cost_due
            && let Some(ledgers) = self.ledgers.get_mut(instrument.index())
        {
            self.equity.set(None);
            let cost_e16 = held.account.pay_due(&held.terms, price);
            ledgers[NOBODY].shift(0, cost_e16);
        }
    }
}

/// Figures.
impl PositionBook {
    /// Starting equity and transfers, plus what was realised, plus what is open at the marks; rounded down, and
    /// no more than the venue counts. 0, which permits nothing, while it is unknown.
    pub fn equity(&self) -> Money {
        self.known_equity().unwrap_or(Money::ZERO)
    }

    /// The same; none while the starting equity, the worth of an asset that was earned or is owed, or the value
    /// of a position is unknown.
    #[inline]
    pub fn known_equity(&self) -> Option<Money> {
        if let Some(known) = self.equity.get() {
            debug_assert_eq!(known, self.count_equity(), "what changes the equity has to forget it");
            return known;
        }
        let counted = self.count_equity();
        self.equity.set(Some(counted));
        counted
    }

    fn count_equity(&self) -> Option<Money> {
        let mut sum = self.transferred_e16.saturating_add(self.cash_e16);
        if self.waiting.iter().any(|waiting| waiting.profit_e16 < 0 || waiting.transfer_e16 < 0) {
            return None;
        }
        for held in &self.instruments {
            sum = sum.saturating_add(held.profit_e16()?);
        }
        // What it began with is whole, and what was made since is small: that is cheaper to divide.
        let own = Money(clamp_i64(i128::from(self.starting_equity()?.0) + scale_floor(sum)));
        let mut told = 0i128;
        for account in self.venues.iter().filter(|account| account.asset.is_some()) {
            // Without the word of all there is nothing to hold ours against.
            let Some((margin, asset)) = account.margin.zip(account.asset) else { return Some(own) };
            told = told
                .saturating_add(self.worth(asset).of(i128::from(margin.equity.0) * UNIT_E16, Round::Down)?);
        }
        Some(own.min(money_floor(told)))
    }

    /// Deposits minus withdrawals so far, at what they were worth when they came; in equity, but no profit.
    pub fn transferred(&self) -> Money {
        money_floor(self.transferred_e16)
    }

    /// Profit that belongs to no instrument: cash that was booked without one.
    pub fn cash(&self) -> Money {
        money_floor(self.cash_e16)
    }

    /// Signed quantity held.
    pub fn qty(&self, instrument: InstrumentId) -> Qty {
        self.held(instrument).map_or(Qty::ZERO, |held| Qty(held.account.qty))
    }

    /// Average entry price, rounded against us; 0 when flat.
    pub fn average(&self, instrument: InstrumentId) -> Price {
        self.held(instrument).map_or(Price::ZERO, Held::average)
    }

    /// Profit closed so far after all fees, with funding, rounded down; 0 without a rate.
    pub fn realised(&self, instrument: InstrumentId) -> Money {
        self.money(instrument, |held| held.settle_worth().of_sum(held.account.realised, Round::Down))
    }

    /// Profit of what is held at the mark, rounded down; 0 without a rate.
    pub fn unrealised(&self, instrument: InstrumentId) -> Money {
        self.money(instrument, Held::unrealised_e16)
    }

    /// Fees so far, rounded up; 0 without a rate.
    pub fn fees(&self, instrument: InstrumentId) -> Money {
        self.held(instrument).map_or(Money::ZERO, Held::fees)
    }

    /// Funding and financing received so far, negative when paid, rounded down; 0 without a rate.
    pub fn funding(&self, instrument: InstrumentId) -> Money {
        self.money(instrument, |held| held.settle_worth().of_sum(held.account.funding, Round::Down))
    }

    /// What one strategy holds of an instrument and made with it; 0 is nobody.
    pub fn of_strategy(&self, strategy: u8, instrument: InstrumentId) -> StrategyPosition {
        let Some((held, ledger)) = self.held(instrument).zip(self.ledger(strategy, instrument)) else {
            return StrategyPosition::default();
        };
        let worth = held.settle_worth();
        let floor = |sum| money_floor(worth.of_sum(sum, Round::Down).unwrap_or(0));
        let open = ledger.unrealised_e16(&held.terms, held.price());
        StrategyPosition {
            qty: Qty(ledger.qty),
            average: held.terms.average(ledger.qty, ledger.cost_e16),
            realised: floor(ledger.realised),
            unrealised: floor(Sum::settle(open.unwrap_or(0))),
            fees: money_ceil(worth.of_sum(ledger.fees, Round::Up).unwrap_or(0)),
            funding: floor(ledger.funding),
            stats: ledger.stats,
        }
    }

    /// Everything that came and went for an instrument, exactly.
    pub fn flows(&self, instrument: InstrumentId) -> Flows {
        self.held(instrument).map_or(Flows::default(), |held| held.account.flows())
    }

    /// A strategy's part of it. The parts add up to the whole.
    pub fn flows_of(&self, strategy: u8, instrument: InstrumentId) -> Flows {
        self.ledger(strategy, instrument).map_or(Flows::default(), Ledger::flows)
    }

    /// The share of what a closing order buys that the venue keeps as its fee: that of the last purchase at
    /// once, else of the last one that rested. 0 where the fee was taken in another asset, and before the first
    /// purchase.
    pub fn base_fee(&self, instrument: InstrumentId) -> Rate {
        self.held(instrument).map_or(Rate::default(), Held::base_fee)
    }

    /// What an order must ask for to close the position: all of a long; of a short what is owed and the fee the
    /// venue will keep of it. Not in lots, and never so much that the position would turn.
    pub fn closing_qty(&self, instrument: InstrumentId) -> Qty {
        let (qty, rate) = (self.qty(instrument), self.base_fee(instrument));
        if qty >= Qty::ZERO {
            return qty;
        }
        let owed = i128::from(qty.abs().0);
        Qty(clamp_i64(owed * i128::from(SCALE) / i128::from(SCALE - rate.0)))
    }

    /// Round trips so far.
    pub fn stats(&self, instrument: InstrumentId) -> TradeStats {
        self.held(instrument).map_or(TradeStats::default(), |held| held.account.stats)
    }

    /// What one unit stands for in account currency, to value exposure by: at the mark, else at the average, rounded
    /// up. None when neither is known, or no rate.
    pub fn valuation(&self, instrument: InstrumentId) -> Option<Price> {
        let held = self.held(instrument)?;
        let price = [held.price(), held.average()].into_iter().find(|&price| price > Price::ZERO)?;
        held.unit_value(price).filter(|_| !held.account.is_broken)
    }

    /// What one unit stands for in account currency when the price is `price`, rounded up; none without a rate.
    pub fn unit_value(&self, instrument: InstrumentId, price: Price) -> Option<Price> {
        self.held(instrument)?.unit_value(price)
    }

    /// An amount of account currency in the quote currency of an instrument, rounded down; none without a rate.
    pub fn in_quote(&self, instrument: InstrumentId, amount: Money) -> Option<Money> {
        match self.held(instrument)?.quote_worth {
            Worth::Same => Some(amount),
            Worth::Times(rate) => amount::mul_div(amount.0.into(), SCALE, rate.0.into(), Round::Down)
                .map(|e8| Money(clamp_i64(e8))),
            Worth::Through(..) | Worth::Unknown => None,
        }
    }

    /// An amount of an instrument's quote currency in account currency, rounded up; none without a rate.
    pub fn in_account(&self, instrument: InstrumentId, amount: Money) -> Option<Money> {
        match self.held(instrument)?.quote_worth {
            Worth::Same => Some(amount),
            Worth::Times(rate) => amount::mul_div(amount.0.into(), rate.0, SCALE.into(), Round::Up)
                .map(|e8| Money(clamp_i64(e8))),
            Worth::Through(..) | Worth::Unknown => None,
        }
    }

    /// Something absurd was reported of the instrument: what it holds has no value any more.
    pub fn is_broken(&self, instrument: InstrumentId) -> bool {
        self.held(instrument).is_some_and(|held| held.account.is_broken)
    }

    /// Ids of all instruments of the table.
    pub fn instruments(&self) -> impl Iterator<Item = InstrumentId> + use<> {
        (0..self.instruments.len()).map_while(|at| u16::try_from(at).ok()).map(InstrumentId)
    }

    /// The last word of venue 0 on an asset.
    pub fn balance(&self, asset: Name) -> Option<&Balance> {
        self.balance_at(0, asset)
    }

    /// A venue's last word on an asset.
    pub fn balance_at(&self, venue: u8, asset: Name) -> Option<&Balance> {
        let found = self.balances.iter().find(|(at, balance)| *at == venue && balance.asset == asset);
        found.map(|(_, balance)| balance)
    }

    /// Fills whose fee was in an asset without a price here.
    pub fn unpriced_fees(&self) -> u32 {
        self.unpriced_fees
    }

    fn money(&self, instrument: InstrumentId, e16: impl FnOnce(&Held) -> Option<i128>) -> Money {
        self.held(instrument).and_then(e16).map_or(Money::ZERO, money_floor)
    }

    fn held(&self, instrument: InstrumentId) -> Option<&Held> {
        self.instruments.get(instrument.index())
    }

    fn ledger(&self, strategy: u8, instrument: InstrumentId) -> Option<&Ledger> {
        self.ledgers.get(instrument.index())?.get(usize::from(strategy))
    }

    /// What an asset is worth by what was said of it.
    fn worth(&self, asset: Name) -> Worth {
        if asset == self.account {
            return Worth::Same;
        }
        let rate = self.rates.iter().find(|rate| rate.asset == asset);
        rate.map_or(Worth::Unknown, |rate| Worth::Times(rate.price))
    }

    /// The same; an instrument's own price tells the worth of its base asset where nobody said.
    fn worth_at(&self, instrument: InstrumentId, asset: Name) -> Worth {
        match self.held(instrument) {
            Some(held) if asset != Name::EMPTY && asset == held.terms.base => held.base_worth(),
            _ => self.worth(asset),
        }
    }

    #[inline]
    fn fee(&self, fill: &Fill) -> Fee {
        let e16 = i128::from(fill.fee.0) * UNIT_E16;
        let Some(held) = self.held(fill.order.instrument) else { return Fee::default() };
        let (asset, terms) = (fill.fee_asset, &held.terms);
        if e16 == 0 {
            Fee::default()
        } else if asset != Name::EMPTY && asset == terms.settle() {
            Fee { sum: Sum::settle(e16), ..Fee::default() }
        } else if asset != Name::EMPTY && asset == terms.base && terms.is_spot() {
            let value = i128::from(fill.fee.0) * i128::from(fill.price.0);
            Fee { sum: Sum::settle(value), base: fill.fee.0, is_unpriced: false }
        } else {
            match self.worth_at(fill.order.instrument, asset).of(e16, Round::Up) {
                Some(value) => Fee { sum: Sum::account(value), ..Fee::default() },
                None => Fee { is_unpriced: true, ..Fee::default() },
            }
        }
    }
}

/// What no strategy did.
const NOBODY: usize = 0;
/// A larger share of a purchase is no fee: such a report teaches nothing.
const BASE_FEE_MAX: Rate = Rate::from_ppm(50_000);
/// Room for assets beyond the instruments' own: fee tokens, left-overs.
const ASSETS_SPARE: usize = 64;

impl Held {
    /// What the position is valued at: the venue's price where it gives one.
    fn price(&self) -> Price {
        if self.venue_mark > Price::ZERO { self.venue_mark } else { self.mark }
    }

    fn average(&self) -> Price {
        self.terms.average(self.account.qty, self.account.cost_e16)
    }

    fn base_worth(&self) -> Worth {
        match self.base_worth {
            Worth::Unknown => self.quote_worth.through(self.price()),
            told => told,
        }
    }

    /// Worth of the asset in which profit is paid.
    #[inline]
    fn settle_worth(&self) -> Worth {
        if self.terms.contract.kind == ContractKind::Inverse { self.base_worth() } else { self.quote_worth }
    }

    /// What one unit stands for in account currency, rounded up; none without a rate.
    #[inline]
    fn unit_value(&self, price: Price) -> Option<Price> {
        let Contract { kind, size, .. } = self.terms.contract;
        if self.quote_worth == Worth::Same && kind != ContractKind::Inverse && size.0 == SCALE {
            return Some(price);
        }
        Some(Price(money_ceil(self.notional_e16(SCALE, price)?).0))
    }

    /// What `qty` units stand for at `price` in account currency, rounded up; none without a rate. An inverse
    /// contract is sized in quote currency: it stands for that, unless its base asset has a worth of its own.
    fn notional_e16(&self, qty: i64, price: Price) -> Option<i128> {
        let is_sized = self.terms.contract.kind == ContractKind::Inverse && self.base_worth == Worth::Unknown;
        if is_sized {
            let size = i128::from(self.terms.contract.size.0);
            return self.quote_worth.of(i128::from(qty).abs() * size, Round::Up);
        }
        self.settle_worth().of(self.terms.notional_e16(qty, price)?, Round::Up)
    }

    /// Everything made and open, in account currency.
    #[inline]
    fn profit_e16(&self) -> Option<i128> {
        if self.account.qty != 0 && self.settle_worth() == Worth::Unknown {
            return None;
        }
        let open = self.account.unrealised_e16(&self.terms, self.price())?;
        self.settle_worth().of_sum(self.account.realised.plus(Sum::settle(open)), Round::Down)
    }

    fn unrealised_e16(&self) -> Option<i128> {
        let open = self.account.unrealised_e16(&self.terms, self.price())?;
        self.settle_worth().of(open, Round::Down)
    }

    fn fees(&self) -> Money {
        money_ceil(self.settle_worth().of_sum(self.account.fees, Round::Up).unwrap_or(0))
    }

    /// The word for the journal, without a fill.
    #[inline]
    fn word(&self, instrument: InstrumentId) -> Position {
        let realised = self.settle_worth().of_sum(self.account.realised, Round::Down);
        Position {
            instrument,
            qty: Qty(self.account.qty),
            average: self.average(),
            realised: money_floor(realised.unwrap_or(0)),
            fees: self.fees(),
            client_order_id: ClientOrderId::NONE,
            fill_price: Price::ZERO,
            fill_qty: Qty::ZERO,
        }
    }

    /// The venue pays profit in the account's currency, at the rate of the moment.
    fn is_banked(&self) -> bool {
        self.terms.contract.kind == ContractKind::Fx && self.quote_worth != Worth::Same
    }

    /// Converts what the account and one strategy made. They differ where strategies closed against each other:
    /// what is left over is nobody's, in both currencies, until they close too.
    fn bank(&mut self, ledgers: &mut [Ledger; STRATEGIES_MAX], owner: usize) {
        let worth = self.quote_worth;
        let rest = self.account.bank(worth).minus(ledgers[owner].bank(worth));
        ledgers[NOBODY].realised = ledgers[NOBODY].realised.plus(rest);
    }

    #[cold]
    fn bank_all(&mut self, ledgers: &mut [Ledger; STRATEGIES_MAX]) {
        let worth = self.quote_worth;
        let banked = ledgers.iter_mut().map(|ledger| ledger.bank(worth)).fold(Sum::default(), Sum::plus);
        let rest = self.account.bank(worth).minus(banked);
        ledgers[NOBODY].realised = ledgers[NOBODY].realised.plus(rest);
    }

    /// The rate of a purchase is kept as long as it explains the fees to the unit: small fills, whose fee is
    /// rounded most, do not blur it.
    fn learn_base_fee(&mut self, fill: &Fill, fee: i64) {
        if fill.order.side != Side::Buy || !self.terms.is_spot() {
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
}

/// One fill's fee.
#[derive(Clone, Copy, Default)]
struct Fee {
    sum: Sum,
    /// What of it was taken from the base asset.
    base: i64,
    /// It was in an asset without a price here.
    is_unpriced: bool,
}

/// Place of the ledger of who sent the order.
fn owner(id: ClientOrderId) -> usize {
    match usize::from(id.strategy()) {
        strategy if strategy < STRATEGIES_MAX => strategy,
        _ => NOBODY,
    }
}

/// `qty` of `held` of it, rounded down.
fn share_of(sum: Sum, qty: i64, held: i64) -> Sum {
    if qty == 0 || held == 0 {
        return Sum::default();
    }
    let qty = if held < 0 { qty.saturating_neg() } else { qty };
    let part = |e16| amount::mul_div(e16, qty, i128::from(held).abs(), Round::Down).unwrap_or(0);
    Sum { settle_e16: part(sum.settle_e16), account_e16: part(sum.account_e16) }
}

/// What the venue keeps of `bought`, rounded down as venues do.
pub(crate) fn kept_of(bought: i128, rate: Rate) -> i128 {
    if rate.0 == 0 { 0 } else { bought.saturating_mul(rate.0.into()) / i128::from(SCALE) }
}

impl PositionBook {
    /// Balances and the terms of instruments are known elsewhere: see [`Self::recall`].
    pub(crate) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self {
            account,
            starting_equity,
            transferred_e16,
            cash_e16,
            instruments,
            ledgers,
            balances: _,
            rates,
            waiting,
            bookings,
            venues,
            unpriced_fees,
            equity,
        } = self;
        equity.set(None);
        io.option(starting_equity, || Money::ZERO, |io, equity| io.number(equity))?;
        io.number(transferred_e16)?;
        io.number(cash_e16)?;
        for (held, ledgers) in instruments.iter_mut().zip(ledgers) {
            held.state(io)?;
            ledgers.iter_mut().try_for_each(|ledger| sparse(io, ledger))?;
            io.sound(adds_up(held, ledgers))?;
        }
        let room = rates.capacity();
        let blank = || AssetRate { asset: Name::EMPTY, price: Price::ZERO };
        io.list(rates, room, blank, |io, AssetRate { asset, price }| {
            asset.state(io)?;
            io.number(price)?;
            io.sound(*price > Price::ZERO && asset != account)
        })?;
        io.sound(are_unique(rates.iter().map(|rate| rate.asset).collect()))?;
        let room = waiting.capacity();
        let blank = || Waiting { asset: Name::EMPTY, profit_e16: 0, transfer_e16: 0 };
        io.list(waiting, room, blank, |io, Waiting { asset, profit_e16, transfer_e16 }| {
            asset.state(io)?;
            io.number(profit_e16)?;
            io.number(transfer_e16)
        })?;
        io.sound(are_unique(waiting.iter().map(|waiting| waiting.asset).collect()))?;
        bookings.state(io)?;
        let blank = || Margin { equity: Money::ZERO, free: Money::ZERO };
        for VenueAccount { asset: _, start, margin } in venues {
            io.option(start, || Money::ZERO, |io, start| io.number(start))?;
            io.option(margin, blank, |io, Margin { equity, free }| {
                io.number(equity)?;
                io.number(free)
            })?;
        }
        io.tally(unpriced_fees)
    }

    /// After loading: the balances told so far, in the order of the assets' first words.
    pub(crate) fn recall(&mut self, balances: &[(u8, Balance)]) {
        let room = self.balances.capacity();
        self.balances.clear();
        self.balances.extend(balances.iter().take(room));
    }

    /// Equity before the first fill, once known.
    pub(crate) fn starting_equity(&self) -> Option<Money> {
        if self.starting_equity.is_some() {
            return self.starting_equity;
        }
        let mut used = self.venues.iter().filter(|account| account.asset.is_some());
        used.try_fold(Money::ZERO, |sum, account| Some(Money(sum.0.saturating_add(account.start?.0))))
    }
}

impl Held {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { venue: _, terms, account, base_fees, mark, venue_mark, base_worth, quote_worth } = self;
        if io.is_loading() {
            // Those of the instrument's rules; named anew when these are loaded.
            (*terms, *base_worth, *quote_worth) = Default::default();
        }
        account.state(io)?;
        for rate in base_fees {
            io.option(rate, Rate::default, |io, rate| {
                io.number(rate)?;
                io.sound(Rate::default() < *rate && *rate <= BASE_FEE_MAX)
            })?;
        }
        io.unsigned(&mut mark.0)?;
        io.unsigned(&mut venue_mark.0)
    }
}

/// Most strategies never trade most instruments.
fn sparse(io: &mut StateIo<'_>, ledger: &mut Ledger) -> Result<(), StateError> {
    let mut is_kept = !ledger.is_blank();
    io.flag(&mut is_kept)?;
    if is_kept {
        ledger.state(io)?;
    } else {
        *ledger = Ledger::default();
    }
    Ok(())
}

/// The strategies' parts are the whole, as long as all of it is sane.
fn adds_up(held: &Held, ledgers: &[Ledger; STRATEGIES_MAX]) -> bool {
    let parts = ledgers.iter().map(Ledger::flows).fold(Flows::default(), Flows::plus);
    held.account.is_broken || ledgers.iter().any(|ledger| ledger.is_broken) || parts == held.account.flows()
}

fn are_unique(mut assets: Vec<Name>) -> bool {
    assets.sort_unstable();
    assets.is_sorted_by(|a, b| a < b)
}
