//! What the venue says we own. Absolute amounts, replaced by each report; never computed from our own fills.

use crate::event::Balance;
use crate::state::{State, StateError, StateIo};
use crate::words::{Name, Qty};
use alloc::vec::Vec;

/// Assets remembered; an account with more keeps the first ones told.
const ASSETS_MAX: usize = 1_024;

/// Balances by asset.
pub(super) struct Account {
    /// Invariant: each asset once, at most [`ASSETS_MAX`].
    balances: Vec<Balance>,
}

impl Account {
    pub(super) fn new() -> Self {
        Self { balances: Vec::with_capacity(ASSETS_MAX) }
    }

    pub(super) fn set(&mut self, balance: &Balance) {
        let has_room = self.balances.len() < ASSETS_MAX;
        match self.balances.iter_mut().find(|known| known.asset == balance.asset) {
            Some(known) => *known = *balance,
            None if has_room => self.balances.push(*balance),
            None => {}
        }
    }

    pub(super) fn get(&self, asset: Name) -> Option<&Balance> {
        self.balances.iter().find(|known| known.asset == asset)
    }

    /// In the order in which the assets were first told.
    pub(super) fn balances(&self) -> &[Balance] {
        &self.balances
    }

    /// Free amount; nothing when never told.
    pub(super) fn free(&self, asset: Name) -> Qty {
        self.get(asset).map_or(Qty::ZERO, |balance| balance.free)
    }
}

impl State for Account {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { balances } = self;
        io.list(balances, ASSETS_MAX, Balance::blank, |io, balance| balance.state(io))?;
        let mut assets: Vec<Name> = balances.iter().map(|balance| balance.asset).collect();
        assets.sort_unstable();
        io.sound(assets.is_sorted_by(|a, b| a < b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_what_was_known() {
        let mut account = Account::new();
        let asset = Name::new("USDT").unwrap();
        assert_eq!(account.free(asset), Qty::ZERO);
        account.set(&Balance { asset, free: Qty(5), locked: Qty(2) });
        account.set(&Balance { asset, free: Qty(3), locked: Qty(1) });
        assert_eq!(account.free(asset), Qty(3));
        assert_eq!(account.balances.len(), 1);
    }
}
