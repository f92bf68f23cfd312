//! Accounts: what they own, what their open orders hold back.

use super::trade_log::{AccountTrade, TradeLog};
use smc_core::words::Name;
use std::collections::{BTreeMap, BTreeSet};

/// Amounts of one asset, 1e-8. Invariant: neither is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Free to use.
    pub free: i64,
    /// Held back for open orders.
    pub locked: i64,
}

/// One trading account.
#[derive(Clone, Debug)]
pub struct Account {
    balances: BTreeMap<Name, Balance>,
    trades: TradeLog,
    /// Assets changed since [`Account::take_touched`].
    touched: BTreeSet<Name>,
    /// Fee of a resting fill, 1/100 of a percent.
    pub maker_fee_bps: u32,
    /// Fee of a taking fill, 1/100 of a percent.
    pub taker_fee_bps: u32,
}

impl Account {
    /// An account with free amounts.
    pub fn new(balances: &[(Name, i64)], maker_fee_bps: u32, taker_fee_bps: u32) -> Self {
        let balances = balances.iter().map(|&(asset, free)| (asset, Balance { free, locked: 0 })).collect();
        Self { balances, trades: TradeLog::default(), touched: BTreeSet::new(), maker_fee_bps, taker_fee_bps }
    }

    /// What it has of an asset.
    pub fn balance(&self, asset: Name) -> Balance {
        self.balances.get(&asset).copied().unwrap_or_default()
    }

    /// All assets it ever had, by name.
    pub fn balances(&self) -> impl Iterator<Item = (Name, Balance)> + '_ {
        self.balances.iter().map(|(asset, balance)| (*asset, *balance))
    }

    /// Its trades.
    pub fn trades(&self) -> &TradeLog {
        &self.trades
    }

    /// Books a trade in its log.
    pub(super) fn log_trade(&mut self, trade: AccountTrade) {
        self.trades.push(trade);
    }

    /// Moves free funds to locked. The caller has checked that they are there.
    pub(super) fn lock(&mut self, asset: Name, amount: i64) {
        let balance = self.change(asset);
        assert!(balance.free >= amount, "locks more than is free");
        balance.free -= amount;
        balance.locked += amount;
    }

    /// Moves locked funds back to free.
    pub(super) fn unlock(&mut self, asset: Name, amount: i64) {
        let balance = self.change(asset);
        assert!(balance.locked >= amount, "unlocks more than is locked");
        balance.locked -= amount;
        balance.free += amount;
    }

    /// Gives locked funds away.
    pub(super) fn spend(&mut self, asset: Name, amount: i64) {
        let balance = self.change(asset);
        assert!(balance.locked >= amount, "spends more than is locked");
        balance.locked -= amount;
    }

    /// Receives funds.
    pub(super) fn receive(&mut self, asset: Name, amount: i64) {
        let balance = self.change(asset);
        balance.free = balance.free.saturating_add(amount);
    }

    /// The assets changed since the last call, with their amounts now.
    pub(super) fn take_touched(&mut self) -> Vec<(Name, Balance)> {
        let touched = std::mem::take(&mut self.touched);
        touched.into_iter().map(|asset| (asset, self.balance(asset))).collect()
    }

    fn change(&mut self, asset: Name) -> &mut Balance {
        self.touched.insert(asset);
        self.balances.entry(asset).or_default()
    }
}
