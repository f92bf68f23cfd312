//! What holding pays and takes: funding of perpetual contracts, financing of currencies.

use super::run::Run;
use super::{DAY_NS, Log};
use crate::exchange::Report;
use crate::settings::Funding;
use smc_core::event::{Cash, CashKind, EventBody};
use smc_core::instrument::ContractKind;
use smc_core::strategy::Strategy;
use smc_core::words::{InstrumentId, Money, Qty, SCALE, TsNs, clamp_i64, scale_floor};

impl<S: Strategy, L: Log> Run<'_, S, L> {
    /// The first payments behind a moment.
    pub(super) fn set_payments(&mut self, first: TsNs) {
        match &self.venue.funding {
            Funding::None => {}
            Funding::Every { interval_ns, .. } => {
                self.funding_at = TsNs((first.0 / interval_ns + 1).saturating_mul(*interval_ns));
            }
            Funding::Recorded(points) => {
                self.funded = points.partition_point(|(at, _)| *at <= first);
                self.funding_at = points.get(self.funded).map_or(TsNs(u64::MAX), |(at, _)| *at);
            }
        }
        if let Some(financing) = self.venue.financing {
            let roll = u64::from(financing.roll_s) * 1_000_000_000;
            let today = TsNs(first.0 - first.0 % DAY_NS + roll);
            self.financing_at = if today > first { today } else { TsNs(today.0 + DAY_NS) };
        }
    }

    /// Funding and financing that are due: what holding pays and takes.
    pub(super) fn pay_for_holding(&mut self, now: TsNs) {
        if self.funding_at <= now {
            let rate = match &self.venue.funding {
                Funding::None => 0,
                Funding::Every { rate_e8, .. } => *rate_e8,
                Funding::Recorded(points) => points.get(self.funded).map_or(0, |(_, rate)| *rate),
            };
            self.funded += 1;
            self.funding_at = match &self.venue.funding {
                Funding::None => TsNs(u64::MAX),
                Funding::Every { interval_ns, .. } => TsNs(self.funding_at.0.saturating_add(*interval_ns)),
                Funding::Recorded(points) => points.get(self.funded).map_or(TsNs(u64::MAX), |(at, _)| *at),
            };
            self.pay_each(now, CashKind::Funding, |kind, _| {
                matches!(kind, ContractKind::Linear | ContractKind::Inverse).then_some(-rate)
            });
        }
        let Some(financing) = self.venue.financing.filter(|_| self.financing_at <= now) else { return };
        self.financing_at = TsNs(self.financing_at.0.saturating_add(DAY_NS));
        // The first of January 1970 was a Thursday.
        let weekday = ((now.0 / DAY_NS + 3) % 7) as u8;
        let days = match weekday {
            5 | 6 => 0,
            day if day == financing.triple_on => 3,
            _ => 1,
        };
        self.pay_each(now, CashKind::Financing, |kind, qty| {
            let rate = if qty.0 > 0 { financing.long_e8 } else { -financing.short_e8 };
            (kind == ContractKind::Fx).then_some(rate * days)
        });
    }

    /// Position times mark times rate, to every instrument for which there is a rate; rounded against us.
    fn pay_each(&mut self, now: TsNs, kind: CashKind, rate: impl Fn(ContractKind, Qty) -> Option<i64>) {
        for id in (0..self.market.instruments.len() as u16).map(InstrumentId) {
            let (qty, mark, spec) =
                (self.exchange.position(id), self.exchange.mark(id), *self.watch.spec(id));
            let Some(rate) = rate(spec.contract.kind, qty).filter(|rate| *rate != 0 && qty.0 != 0) else {
                continue;
            };
            let units = i128::from(qty.0) * i128::from(spec.contract.size.0) / i128::from(SCALE);
            let (value, asset) = match spec.contract.kind {
                ContractKind::Inverse => (units * i128::from(SCALE) / i128::from(mark.0.max(1)), spec.base),
                _ => (scale_floor(units * i128::from(mark.0)), spec.quote),
            };
            let amount = Money(clamp_i64(scale_floor(value * i128::from(rate))));
            self.bookings += 1;
            self.watch.costs_of_holding(kind, amount);
            let body = EventBody::Cash(Cash { kind, asset, amount, booking_id: self.bookings });
            let ts = self.reports.back().map_or(now, |(ts, _)| now.max(*ts));
            self.reports.push_back((ts, Report { at: now, instrument: id, body, slippage: Money::ZERO }));
        }
    }
}
