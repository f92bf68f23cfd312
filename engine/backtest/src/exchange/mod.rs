//! The exchange: our orders between those of the others, who never notice us.
//!
//! Replay has no memory of us: what we take is there again with the next word of the market, and nobody reacts. What can
//! be done about that is done: a taker gets no more than is shown, once, and pays for its own size ([`Impact`]); a maker
//! stands behind everybody who is shown. The rest is for the comparison with live fills.
//!
//! **The rules.** A taker walks the shown levels up to its limit; what is left rests, or ends by its time in force. A resting
//! order fills whole when the market trades or quotes through its price, and in part when what trades at its price
//! exceeds the line before it. A stop is reached by trades; of currencies, where nobody tells trades, by the best price
//! it would meet. One that came with an entry then takes whatever is there, for as long as it needs; one with a limit is a
//! limit order from then on. A maker-only order that would take is refused, and so is a stop that is reached already.
//! What is in bars alone is in `bars.rs`.
//!
//! Fees are in quote currency. Orders are answered in the order in which they came.
//!
//! [`Impact`]: crate::settings::Impact

mod bars;
mod desk;
mod order;
mod till;

use crate::market::Detail;
use crate::outcome::Costs;
use crate::settings::VenueSettings;
use desk::Desk;
use smc_core::event::{Bar, Event};
use smc_core::instrument::InstrumentSpec;
use smc_core::output::{CancelOrder, NewOrder};
use smc_core::words::{ClientOrderId, InstrumentId, Name, Price, Qty, TsNs};
pub use till::Report;
use till::Till;

/// What we ask of the exchange.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request {
    /// Take this order.
    Place(NewOrder),
    /// End that one.
    Cancel(CancelOrder),
    /// End the one and take the other, or neither.
    Replace(ClientOrderId, NewOrder),
}

impl Request {
    /// Of which instrument.
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Place(order) | Self::Replace(_, order) => order.instrument,
            Self::Cancel(cancel) => cancel.instrument,
        }
    }
}

/// All instruments of one exchange, and our account there.
pub struct Exchange {
    desks: Vec<Desk>,
    till: Till,
}

impl Exchange {
    /// Over instruments of which so much is known.
    pub fn new(settings: VenueSettings, instruments: &[InstrumentSpec], details: &[Detail]) -> Self {
        let ids = (0u16..).map(InstrumentId);
        let desks = ids.zip(instruments.iter().zip(details));
        Self {
            desks: desks.map(|(id, (spec, detail))| Desk::new(id, *spec, *detail)).collect(),
            till: Till::new(settings),
        }
    }

    /// The market moved. Of bars see [`Self::on_open`].
    pub fn on_market(&mut self, event: &Event) {
        if let Some(desk) = self.desks.get_mut(event.instrument.index()) {
            desk.on_market(event, &mut self.till);
        }
    }

    /// A bar opened.
    pub fn on_open(&mut self, instrument: InstrumentId, at: TsNs, bar: &Bar) {
        if let Some(desk) = self.desks.get_mut(instrument.index()) {
            desk.on_open(at, bar.open, bar.close, &mut self.till);
        }
    }

    /// A bar closed.
    pub fn on_close(&mut self, instrument: InstrumentId, at: TsNs, bar: &Bar) {
        if let Some(desk) = self.desks.get_mut(instrument.index()) {
            desk.on_close(at, bar, &mut self.till);
        }
    }

    /// A request arrived.
    pub fn on_request(&mut self, at: TsNs, request: &Request) {
        if let Some(desk) = self.desks.get_mut(request.instrument().index()) {
            desk.on_request(at, request, &mut self.till);
        }
    }

    /// The next thing that was done with our orders.
    pub fn report(&mut self) -> Option<Report> {
        self.till.reports.pop_front()
    }

    /// Does anything of ours work there?
    pub fn has_orders(&self, instrument: InstrumentId) -> bool {
        self.desks.get(instrument.index()).is_some_and(Desk::has_orders)
    }

    /// Our position.
    pub fn position(&self, instrument: InstrumentId) -> Qty {
        self.desks.get(instrument.index()).map_or(Qty::ZERO, |desk| desk.position)
    }

    /// The middle of the best prices, else the last trade; zero before the first.
    pub fn mark(&self, instrument: InstrumentId) -> Price {
        self.desks.get(instrument.index()).map_or(Price::ZERO, Desk::mark)
    }

    /// What trading cost so far, without funding and financing.
    pub fn costs(&self) -> Costs {
        self.till.costs
    }

    /// What is owned of an asset.
    pub fn balance(&self, asset: Name) -> smc_core::event::Balance {
        self.till.balance(asset)
    }
}

/// What is told of a market that does not tell it itself.
impl Exchange {
    /// Best prices around a bar's close.
    pub fn quote_at(
        &self,
        instrument: InstrumentId,
        price: Price,
        number: u64,
    ) -> Option<smc_core::event::Quote> {
        self.desks.get(instrument.index()).map(|desk| desk.quote(price, number, &self.till))
    }
}
