//! What the venue says we own. Absolute amounts, replaced by each report; never computed from our own fills.

use crate::event::Balance;
use crate::risk::VENUES_MAX;
use crate::state::{State, StateError, StateIo};
use crate::words::{Name, Qty};
use alloc::vec::Vec;

/// Assets remembered; an account with more keeps the first ones told.
const ASSETS_MAX: usize = 1_024;

/// Balances by asset.
pub(super) struct Account {
    /// By venue. Invariant: each asset once at each, at most [`ASSETS_MAX`] in all.
    balances: Vec<(u8, Balance)>,
}

impl Account {
    pub(super) fn new() -> Self {
        Self { balances: Vec::with_capacity(ASSETS_MAX) }
    }

    pub(super) fn set(&mut self, venue: u8, balance: &Balance) {
        let has_room = self.balances.len() < ASSETS_MAX;
        let is_meant = |known: &&mut (u8, Balance)| known.0 == venue && known.1.asset == balance.asset;
        match self.balances.iter_mut().find(is_meant) {
            Some((_, known)) => *known = *balance,
            None if has_room => self.balances.push((venue, *balance)),
            None => {}
        }
    }

    pub(super) fn get(&self, venue: u8, asset: Name) -> Option<&Balance> {
        let known = self.balances.iter().find(|(at, known)| *at == venue && known.asset == asset);
        known.map(|(_, balance)| balance)
    }

    /// In the order in which the assets were first told.
    pub(super) fn balances(&self) -> &[(u8, Balance)] {
        &self.balances
    }

    /// Free amount; nothing when never told.
    pub(super) fn free(&self, venue: u8, asset: Name) -> Qty {
        self.get(venue, asset).map_or(Qty::ZERO, |balance| balance.free)
    }
}

impl State for Account {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { balances } = self;
        io.list(
            balances,
            ASSETS_MAX,
            || (0, Balance::blank()),
            |io, (venue, balance)| {
                io.number(venue)?;
                io.sound(usize::from(*venue) < VENUES_MAX)?;
                balance.state(io)
            },
        )?;
        let mut assets: Vec<(u8, Name)> =
            balances.iter().map(|(venue, known)| (*venue, known.asset)).collect();
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
        assert_eq!(account.free(0, asset), Qty::ZERO);
        account.set(0, &Balance { asset, free: Qty(5), locked: Qty(2) });
        account.set(0, &Balance { asset, free: Qty(3), locked: Qty(1) });
        assert_eq!((account.free(0, asset), account.free(1, asset)), (Qty(3), Qty::ZERO));
        assert_eq!(account.balances.len(), 1);
    }
}
