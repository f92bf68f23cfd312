//! What moved an account's margin money, newest last: profit, fees, funding. Bounded and pure.

use smc_core::TsNs;
use smc_core::words::Name;
use std::collections::VecDeque;

/// Notes kept per account; beyond them the oldest are forgotten.
pub const INCOME_MAX: usize = 100_000;

/// Why margin money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncomeKind {
    /// Profit or loss of a closed part of a position.
    RealisedProfit,
    /// Fee of a fill.
    Commission,
    /// Funding paid or received.
    Funding,
    /// The venue made good a balance below zero.
    InsuranceClear,
}

/// One movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Income {
    /// Why.
    pub kind: IncomeKind,
    /// Index of the symbol; none when it is about none.
    pub symbol: Option<usize>,
    /// The asset that moved.
    pub asset: Name,
    /// By how much, 1e-8; negative when it was paid.
    pub amount: i64,
    /// When.
    pub at: TsNs,
    /// The trade behind it; none without one.
    pub trade_id: Option<u64>,
}

/// The movements of one account.
#[derive(Clone, Debug, Default)]
pub struct IncomeLog {
    entries: VecDeque<Income>,
    forgotten: u64,
}

impl IncomeLog {
    /// Keeps a movement; the oldest makes room.
    pub(super) fn push(&mut self, income: Income) {
        if self.entries.len() >= INCOME_MAX {
            self.entries.pop_front();
            self.forgotten += 1;
        }
        self.entries.push_back(income);
    }

    /// The movements with their numbers, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (u64, &Income)> + ExactSizeIterator {
        self.entries.iter().enumerate().map(|(nth, income)| (self.forgotten + nth as u64, income))
    }
}
