//! What the private topics mean for our orders, and how an order is settled.
//!
//! Reports may come before the answer to the request that caused them, twice, and in any order. A fill is handed on once
//! per execution; an order is told final only after all its fills.

use super::message::{ExecutionKind, ExecutionRow, Message, OrderRow};
use super::orders::{End, Order, Phase, VenueId};
use super::session::{ASKS_MAX, MS, Out, Session, Step};
use super::settings::Category;
use super::tape::{List, Scratch, decode};
use smc_core::event::{Balance, Cash, CashKind, EventBody, Margin, OrderUpdateKind};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Qty, Side, TsNs};

/// Fills that seem to be missing are mostly just behind; asked for after this pause.
const FILLS_PAUSE: u64 = 250 * MS;
/// Told with a rejection that came as a report, which carries a word and no number: the venue's "parameter error".
const CODE_REJECTED: i32 = 10_001;
/// Told when a cancel's answer was lost and the order turns out to work still: the venue's "server error".
const CODE_OUTCOME_LOST: i32 = 10_016;

/// Which order: instrument, our id, the venue's name.
pub(super) type Place = (InstrumentId, ClientOrderId, VenueId);

impl Session {
    /// Our order's id; none for orders of other instances, programs and people.
    pub fn ours(&self, link_id: &str) -> Option<ClientOrderId> {
        ClientOrderId::parse(link_id.as_bytes()).filter(|id| id.instance() == self.instance)
    }

    /// One message of the private socket.
    pub fn on_private(&mut self, payload: &mut [u8], scratch: &mut Scratch, out: &mut Out<'_>) {
        self.counters.messages += 1;
        self.private.heard = out.now;
        if decode(payload, scratch, |message| self.on_private_message(&message, out)).is_err() {
            self.counters.refused += 1;
            // What cannot be read may have been about us.
            self.want_round();
        }
    }

    fn on_private_message(&mut self, message: &Message<'_, List<'_, '_>>, out: &mut Out<'_>) {
        let mut refused = 0;
        match *message {
            Message::Orders(rows) => {
                for row in rows.orders() {
                    match row {
                        Ok(row) => self.on_order(&row, out),
                        Err(_) => refused += 1,
                    }
                }
            }
            Message::Executions { rows, is_fast } => {
                for row in rows.executions() {
                    match row {
                        Ok(row) => self.on_execution(&row, is_fast, true, out),
                        Err(_) => refused += 1,
                    }
                }
            }
            Message::Wallet(rows) => refused += u64::from(!self.on_wallets(rows, false, out)),
            // The core takes positions from rounds alone; one that the venue closes by itself is looked at soon.
            Message::Positions(rows) => {
                let is_odd = rows.positions().any(|row| row.is_ok_and(|row| !row.is_normal));
                if is_odd {
                    self.want_round();
                }
            }
            Message::LoggedOn { is_yes: true, .. } => {
                if matches!(self.private.step, Step::LoggingOn(_)) {
                    self.private.step = Step::LoggedOn;
                }
            }
            Message::Subscribed { is_yes: true, .. } => {
                if matches!(self.private.step, Step::Subscribing(_)) {
                    self.private.step = Step::On;
                }
            }
            Message::LoggedOn { is_yes: false, code, text } => {
                self.on_refused_link(false, code, text, out.now)
            }
            Message::Subscribed { is_yes: false, text } => self.on_refused_link(false, 0, text, out.now),
            Message::Pong | Message::Ignored { .. } => {}
            Message::Answer(_) => self.counters.stray_answers += 1,
        }
        if refused > 0 {
            self.counters.refused += refused;
            self.want_round();
        }
    }

    fn is_ours(&self, category: Option<&str>) -> bool {
        category.is_none_or(|category| category == self.category.word())
    }

    /// An order, as it is now.
    pub fn on_order(&mut self, row: &OrderRow<'_>, out: &mut Out<'_>) {
        let Some(instrument) = self.encoder.instrument_of(row.symbol) else { return };
        if !self.is_ours(row.category) {
            return;
        }
        let Some(id) = self.ours(row.link_id) else { return self.on_foreign(instrument, row, out) };
        let place = (instrument, id, row.venue_id);
        let end = row.end();
        if end.is_none() {
            self.on_working(place, row, out);
        }
        self.settle(place, end, row.cum_qty, Some(row.updated_ms), out);
    }

    fn on_foreign(&mut self, instrument: InstrumentId, row: &OrderRow<'_>, out: &mut Out<'_>) {
        let cum_qty = row.cum_qty;
        let kind = match row.end() {
            None => return self.tell_foreign(instrument, row, out),
            Some(End::Canceled | End::Rejected) => OrderUpdateKind::Canceled { cum_qty },
            Some(End::Expired) => OrderUpdateKind::Expired { cum_qty },
            // The fills tell it.
            Some(End::Filled) => return,
        };
        out.order(Some(row.updated_ms), instrument, ClientOrderId::NONE, row.venue_id.number(), kind);
    }

    /// On the book, or waiting for its trigger.
    fn on_working(&mut self, place: Place, row: &OrderRow<'_>, out: &mut Out<'_>) {
        let (instrument, id, venue_id) = place;
        if self.orders.is_done(id, TsNs(0)) {
            // An older word about an order that has ended.
            return;
        }
        let is_waiting = row.status == super::message::Status::Waiting;
        if self.orders.get(id).is_none() {
            // Sent by a process of this instance before us.
            self.orders.insert(Order::new(id, instrument, out.now, Phase::Placing));
        }
        let Some(order) = self.orders.get(id) else { return };
        order.is_waiting = is_waiting;
        let is_news = order.phase != Phase::Live || order.is_doubt_told;
        if matches!(order.phase, Phase::Placing | Phase::Accepted(_)) {
            order.phase = Phase::Live;
        }
        order.is_doubt_told = false;
        if is_news {
            self.counters.acks += 1;
            out.order(Some(row.updated_ms), instrument, id, venue_id.number(), OrderUpdateKind::Ack);
        }
    }

    /// The venue's word on an order's present state, from a list or a query.
    pub fn on_state(
        &mut self,
        id: ClientOrderId,
        instrument: InstrumentId,
        row: &OrderRow<'_>,
        out: &mut Out<'_>,
    ) {
        let look = self.rounds.look;
        let Some(order) = self.orders.get(id) else { return };
        order.answered_on = look;
        let is_cancel_lost = std::mem::take(&mut order.is_cancel_lost);
        let place = (instrument, id, row.venue_id);
        if row.end().is_none() {
            if order.phase == Phase::InDoubt {
                order.phase = Phase::Placing;
            }
            self.on_working(place, row, out);
            if is_cancel_lost {
                let code = CODE_OUTCOME_LOST;
                self.counters.cancel_rejects += 1;
                let kind = OrderUpdateKind::CancelReject { code };
                out.order(None, instrument, id, row.venue_id.number(), kind);
            }
        }
        self.settle(place, row.end(), row.cum_qty, Some(row.updated_ms), out);
    }

    /// A fill, or money. `is_counted`: the order's sum grows by it; a list of all fills of an order sums them up itself.
    pub fn on_execution(
        &mut self,
        row: &ExecutionRow<'_>,
        is_fast: bool,
        is_counted: bool,
        out: &mut Out<'_>,
    ) {
        let Some(instrument) = self.encoder.instrument_of(row.symbol) else { return };
        if !self.is_ours(row.category) {
            return;
        }
        if row.kind != ExecutionKind::Trade {
            return self.on_cash(instrument, row, out);
        }
        // Makers have no name of ours in the faster topic, and without one nobody's order is known to be ours.
        let id = self.ours(row.link_id).or_else(|| self.orders.named(&row.venue_id));
        if is_fast && id.is_none() {
            return;
        }
        let Some(side) = row.side.filter(|_| row.qty > Qty::ZERO) else {
            self.counters.refused += 1;
            return;
        };
        if !is_fast && self.orders.pay(row.trade_id) {
            let fees = std::iter::once((self.fee_coin(instrument, row), row.fee)).chain(row.extra_fees);
            for (coin, fee) in fees {
                self.tell_commission(instrument, coin, fee, row, out);
            }
            return;
        }
        if !self.orders.is_new_trade(instrument, row.trade_id) {
            self.counters.fills_repeated += 1;
            return;
        }
        if is_fast {
            self.orders.owe(row.trade_id);
        }
        self.hand_on(instrument, id, side, row, is_counted, out);
    }

    fn hand_on(
        &mut self,
        instrument: InstrumentId,
        id: Option<ClientOrderId>,
        side: Side,
        row: &ExecutionRow<'_>,
        is_counted: bool,
        out: &mut Out<'_>,
    ) {
        let fee_asset = self.fee_coin(instrument, row);
        let mut fee = row.fee;
        for (_, extra) in row.extra_fees.iter().filter(|(coin, _)| *coin == fee_asset) {
            fee = Money(fee.0.saturating_add(extra.0));
        }
        let mut reported = row.qty;
        if let Some(order) = id.and_then(|id| self.orders.get(id)) {
            reported = Qty(order.reported.0.saturating_add(row.qty.0));
            if is_counted {
                order.reported = reported;
            }
            if !order.venue_id.is_known() {
                order.venue_id = row.venue_id;
            }
        }
        let told = row.order_qty.zip(row.leaves_qty);
        let cum_qty = told.map_or(reported, |(qty, leaves)| Qty(qty.0.saturating_sub(leaves.0)).max(row.qty));
        self.counters.fills += 1;
        self.counters.foreign += u64::from(id.is_none());
        out.order(
            Some(row.time_ms),
            instrument,
            id.unwrap_or(ClientOrderId::NONE),
            row.venue_id.number(),
            OrderUpdateKind::Fill {
                trade_id: row.trade_id,
                side,
                price: row.price,
                qty: row.qty,
                cum_qty,
                fee,
                fee_asset,
                is_maker: row.is_maker,
            },
        );
        for (coin, extra) in row.extra_fees.into_iter().filter(|(coin, _)| *coin != fee_asset) {
            self.tell_commission(instrument, coin, extra, row, out);
        }
        if let Some(id) = id {
            self.settle_if_complete(id, out);
        }
    }

    /// An order that waited for this fill alone.
    fn settle_if_complete(&mut self, id: ClientOrderId, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else { return };
        let Phase::MissingFills { executed, then } = order.phase else { return };
        if order.reported >= executed {
            let place = (order.instrument, id, order.venue_id);
            self.settle(place, then, executed, None, out);
        }
    }

    /// Commission that came apart from its fill. A booking number is used once for each kind, and one fill may have
    /// fees in several coins: further ones go without.
    fn tell_commission(
        &mut self,
        instrument: InstrumentId,
        asset: Name,
        fee: Money,
        row: &ExecutionRow<'_>,
        out: &mut Out<'_>,
    ) {
        if fee == Money::ZERO || asset == Name::EMPTY {
            return;
        }
        let is_first = asset == self.fee_coin(instrument, row) && fee == row.fee;
        let booking_id = if is_first { row.trade_id } else { 0 };
        let amount = Money(fee.0.saturating_neg());
        let cash = Cash { kind: CashKind::Commission, asset, amount, booking_id };
        out.event(Some(row.time_ms), instrument, EventBody::Cash(cash));
    }

    /// Funding and settlement: money, not a fill. A positive fee was paid.
    fn on_cash(&mut self, instrument: InstrumentId, row: &ExecutionRow<'_>, out: &mut Out<'_>) {
        let kind = match row.kind {
            ExecutionKind::Funding => CashKind::Funding,
            _ => {
                // A settlement or delivery may have changed the position as well.
                self.want_round();
                CashKind::Adjustment
            }
        };
        if row.fee == Money::ZERO || !self.orders.is_new_trade(instrument, row.trade_id) {
            return;
        }
        let asset = self.fee_coin(instrument, row);
        let amount = Money(row.fee.0.saturating_neg());
        let cash = Cash { kind, asset, amount, booking_id: row.trade_id };
        out.event(Some(row.time_ms), instrument, EventBody::Cash(cash));
    }

    /// Where the venue leaves it out: contracts are paid in their quote coin, spot in what was received.
    fn fee_coin(&self, instrument: InstrumentId, row: &ExecutionRow<'_>) -> Name {
        if let Some(coin) = Name::new(row.fee_coin).filter(|coin| *coin != Name::EMPTY) {
            return coin;
        }
        let assets = self.assets.iter().find(|(id, ..)| *id == instrument);
        match (assets, self.category, row.side) {
            (Some(&(_, base, _)), Category::Spot, Some(Side::Buy)) => base,
            (Some(&(_, _, quote)), ..) => quote,
            (None, ..) => Name::EMPTY,
        }
    }

    /// Hands on the balances that matter to us; a list that is whole tells zero for the rest. True when all rows could be
    /// read.
    pub fn on_wallets(&mut self, rows: List<'_, '_>, is_whole: bool, out: &mut Out<'_>) -> bool {
        let mut is_read = true;
        for row in rows.wallets() {
            let Ok(wallet) = row else {
                is_read = false;
                continue;
            };
            let mut told = 0u32;
            for coin in wallet.coins.coins() {
                let Ok(coin) = coin else {
                    is_read = false;
                    continue;
                };
                let at = Name::new(coin.coin).and_then(|name| self.watched.iter().position(|w| *w == name));
                let Some((at, asset)) = at.and_then(|at| Some((at, *self.watched.get(at)?))) else {
                    continue;
                };
                told |= 1u32.checked_shl(at as u32).unwrap_or(0);
                let free = Qty(coin.total.0 - coin.locked.0);
                let balance = Balance { asset, free, locked: coin.locked };
                out.event(None, InstrumentId::NONE, EventBody::Balance(balance));
            }
            let untold =
                |at: usize| is_whole && 1u32.checked_shl(at as u32).is_some_and(|bit| told & bit == 0);
            for (_, &asset) in self.watched.iter().enumerate().filter(|&(at, _)| untold(at)) {
                let nothing = Balance { asset, free: Qty::ZERO, locked: Qty::ZERO };
                out.event(None, InstrumentId::NONE, EventBody::Balance(nothing));
            }
            if let (Category::Linear, Some(equity), Some(free)) = (self.category, wallet.equity, wallet.free)
            {
                let margin = Margin { equity, free };
                out.event(None, InstrumentId::NONE, EventBody::Margin(margin));
            }
        }
        is_read
    }

    /// Brings an order to the state the venue says, once its fills are complete; fetches them first if not.
    pub fn settle(
        &mut self,
        place: Place,
        end: Option<End>,
        cum_qty: Qty,
        time_ms: Option<u64>,
        out: &mut Out<'_>,
    ) {
        let (instrument, id, venue_id) = place;
        // While reconciling nothing is just behind: the reports of these fills are lost.
        let pause = if self.is_ready() { FILLS_PAUSE } else { 0 };
        if self.orders.get(id).is_none() {
            // Of an order that has ended, a second end changes nothing: a cancel that crossed the last fill gives two.
            if let Some(end) = end.filter(|_| !self.orders.is_done(id, TsNs(0))) {
                self.tell_end(place, end, cum_qty, time_ms, out);
                self.orders.finish(id, out.now);
            }
            return;
        }
        let Some(order) = self.orders.get(id) else { return };
        if venue_id.is_known() {
            order.venue_id = venue_id;
        }
        let is_waiting = matches!(order.phase, Phase::MissingFills { .. });
        let (executed, then) = match order.phase {
            Phase::MissingFills { executed, then } => (executed.max(cum_qty), then.or(end)),
            _ => (cum_qty, end),
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
            Some(end) => {
                // "Filled" is told by the fills. Where some were given up nothing may be made up in their stead: the order
                // is told to be over with the venue's quantity, and the core keeps the difference reserved.
                let end = match end {
                    End::Filled | End::Rejected if is_short => End::Expired,
                    end => end,
                };
                self.orders.finish(id, out.now);
                self.tell_end((instrument, id, venue_id), end, executed, time_ms, out);
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
                    let number = order.venue_id.number();
                    out.order(time_ms, instrument, id, number, OrderUpdateKind::Ack);
                }
            }
        }
    }

    /// Stops waiting for fills that the venue has not told in [`ASKS_MAX`] answers, refusals or silences: it must not keep
    /// the session from becoming ready for ever. The position is left short of what the venue counts, and the counter says
    /// so; a late report of such a fill is still handed on.
    pub fn give_up_fills(&mut self, id: ClientOrderId, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else { return };
        let Phase::MissingFills { executed, then } = order.phase else { return };
        if order.is_asked || order.asks < ASKS_MAX || order.reported >= executed {
            return;
        }
        order.reported = executed;
        order.is_short = true;
        let place = (order.instrument, id, order.venue_id);
        self.counters.fills_missing += 1;
        self.settle(place, then, executed, None, out);
    }

    fn tell_end(&mut self, place: Place, end: End, cum_qty: Qty, time_ms: Option<u64>, out: &mut Out<'_>) {
        let kind = match end {
            End::Canceled => OrderUpdateKind::Canceled { cum_qty },
            End::Expired => OrderUpdateKind::Expired { cum_qty },
            End::Rejected => {
                self.counters.rejects += 1;
                OrderUpdateKind::Reject { code: CODE_REJECTED }
            }
            // The fills have told it.
            End::Filled => return,
        };
        let (instrument, id, venue_id) = place;
        out.order(time_ms, instrument, id, venue_id.number(), kind);
    }
}
