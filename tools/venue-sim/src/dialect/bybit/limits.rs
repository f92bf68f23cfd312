//! Rate limits: requests per account, endpoint and rolling second; requests per address; new connections.
//!
//! Pure. All clients share one address.

use super::refusal::Refusal;
use super::words::Category;
use smc_core::TsNs;
use std::collections::{BTreeMap, VecDeque};

const SECOND_NS: u64 = 1_000_000_000;
/// Requests of one address in [`ADDRESS_NS`]; beyond it the address is shut out for [`BAN_NS`].
const ADDRESS_MAX: usize = 600;
const ADDRESS_NS: u64 = 5 * SECOND_NS;
const BAN_NS: u64 = 600 * SECOND_NS;
/// New connections in [`CONNECTIONS_NS`].
const CONNECTIONS_MAX: usize = 500;
const CONNECTIONS_NS: u64 = 300 * SECOND_NS;

/// What shares a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `order/create`.
    Create,
    /// `order/amend`.
    Amend,
    /// `order/cancel`.
    Cancel,
    /// `order/create-batch`; an order counts one.
    CreateBatch,
    /// `order/amend-batch`.
    AmendBatch,
    /// `order/cancel-batch`.
    CancelBatch,
    /// `order/cancel-all`.
    CancelAll,
    /// `order/realtime` and `order/history`.
    Orders,
    /// `execution/list`.
    Executions,
    /// `position/list`.
    Positions,
    /// `account/wallet-balance` and what else asks about the account.
    Account,
    /// Settings of a position.
    PositionSettings,
    /// `order/disconnected-cancel-all`, `account/fee-rate`.
    Slow,
}

impl Endpoint {
    /// Requests per second of an account without a level.
    const fn per_second(self, category: Category) -> usize {
        let is_spot = category.is_spot();
        match self {
            Self::Create | Self::Cancel | Self::CreateBatch | Self::CancelBatch | Self::CancelAll
                if is_spot =>
            {
                20
            }
            Self::Create | Self::Cancel | Self::CreateBatch | Self::CancelBatch | Self::CancelAll => 10,
            Self::Amend | Self::AmendBatch | Self::PositionSettings => 10,
            Self::Orders | Self::Executions | Self::Positions | Self::Account => 50,
            Self::Slow => 5,
        }
    }
}

/// What the headers of an answer say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Requests per second.
    pub limit: usize,
    /// How many are left.
    pub left: usize,
    /// When there will be more, in milliseconds.
    pub reset_ms: u64,
}

impl Usage {
    /// The headers.
    pub fn head(self) -> String {
        format!(
            "X-Bapi-Limit: {}\r\nX-Bapi-Limit-Status: {}\r\nX-Bapi-Limit-Reset-Timestamp: {}\r\n",
            self.limit, self.left, self.reset_ms
        )
    }
}

/// All counters.
pub struct Limits {
    /// How many times the usual limits accounts have, in percent.
    level_percent: usize,
    used: BTreeMap<(usize, Endpoint, Category), VecDeque<TsNs>>,
    address: VecDeque<TsNs>,
    banned_until: TsNs,
    connections: VecDeque<TsNs>,
}

impl Limits {
    /// Counters at zero. The usual limits belong to 100 orders in ten seconds; more is a higher level.
    pub fn new(orders_per_10s: u32) -> Self {
        Self {
            level_percent: usize::try_from(orders_per_10s).unwrap_or(usize::MAX).max(1),
            used: BTreeMap::new(),
            address: VecDeque::new(),
            banned_until: TsNs(0),
            connections: VecDeque::new(),
        }
    }

    /// Counts `weight` requests of an account; refuses when they do not fit into the second.
    pub fn charge(
        &mut self,
        now: TsNs,
        account: usize,
        endpoint: Endpoint,
        category: Category,
        weight: usize,
    ) -> (Usage, Result<(), Refusal>) {
        let limit = endpoint.per_second(category).saturating_mul(self.level_percent).div_ceil(100);
        let used = self.used.entry((account, endpoint, category)).or_default();
        forget(used, now, SECOND_NS);
        let is_room = used.len() + weight <= limit;
        if is_room {
            used.extend(std::iter::repeat_n(now, weight));
        }
        let left = limit - used.len().min(limit);
        let reset = if is_room { now } else { TsNs(used.front().unwrap_or(&now).0 + SECOND_NS) };
        let usage = Usage { limit, left, reset_ms: reset.as_ms() };
        (usage, if is_room { Ok(()) } else { Err(Refusal::RATE) })
    }

    /// Counts a request of the address. False: it is shut out.
    pub fn is_let_in(&mut self, now: TsNs) -> bool {
        if now < self.banned_until {
            return false;
        }
        forget(&mut self.address, now, ADDRESS_NS);
        if self.address.len() >= ADDRESS_MAX.saturating_mul(self.level_percent.max(100)).div_ceil(100) {
            self.banned_until = TsNs(now.0 + BAN_NS);
            return false;
        }
        self.address.push_back(now);
        true
    }

    /// Counts a new connection. False: there were too many.
    pub fn may_connect(&mut self, now: TsNs) -> bool {
        forget(&mut self.connections, now, CONNECTIONS_NS);
        let is_room = self.connections.len() < CONNECTIONS_MAX;
        if is_room {
            self.connections.push_back(now);
        }
        is_room
    }
}

fn forget(times: &mut VecDeque<TsNs>, now: TsNs, window_ns: u64) {
    while times.front().is_some_and(|at| now.0.saturating_sub(at.0) >= window_ns) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_rolls_with_its_requests() {
        let mut limits = Limits::new(100);
        let mut create =
            |ms, category, weight| limits.charge(TsNs::from_ms(ms), 0, Endpoint::Create, category, weight);
        for at in 0..10 {
            let (usage, result) = create(1_000 + at, Category::Linear, 1);
            assert_eq!((usage.left, result), (9 - usize::try_from(at).unwrap(), Ok(())));
        }
        let (usage, result) = create(1_999, Category::Linear, 1);
        assert_eq!((usage, result), (Usage { limit: 10, left: 0, reset_ms: 2_000 }, Err(Refusal::RATE)));
        assert_eq!(create(1_999, Category::Spot, 20).1, Ok(()));
        assert_eq!(create(2_000, Category::Linear, 1).1, Ok(()));
        assert_eq!(create(2_000, Category::Linear, 1).1, Err(Refusal::RATE));
    }

    #[test]
    fn an_address_that_asks_too_much_is_shut_out_for_ten_minutes() {
        let mut limits = Limits::new(100);
        assert!((0..600).all(|_| limits.is_let_in(TsNs::from_ms(1))));
        assert!(!limits.is_let_in(TsNs::from_ms(1)));
        assert!(!limits.is_let_in(TsNs::from_ms(600_000)));
        assert!(limits.is_let_in(TsNs::from_ms(600_001)));
        assert!((0..500).all(|_| limits.may_connect(TsNs::from_ms(1))));
        assert!(!limits.may_connect(TsNs::from_ms(1)));
    }
}
