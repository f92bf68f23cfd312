//! Accounts: what they own, what their open orders hold back, what they hold by margin.
//!
//! One account does both: spot orders hold back the asset they give; linear contracts are secured by the free amount
//! of their quote asset, which profit, loss, fees and funding move.

use super::MarginReason;
use super::income::{Income, IncomeLog};
use super::position::Position;
use super::trade_log::{AccountTrade, TradeLog};
use smc_core::words::Name;
use std::collections::{BTreeMap, BTreeSet};

/// Leverage of a symbol until its owner sets another.
pub const LEVERAGE: u32 = 20;

/// Amounts of one asset, 1e-8. Invariant: `locked` is never negative; `free` only while a liquidation is under way.
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
    income: IncomeLog,
    /// By index of the symbol.
    positions: BTreeMap<usize, Position>,
    leverage: BTreeMap<usize, u32>,
    /// Assets changed since [`Account::take_touched`].
    touched: BTreeSet<Name>,
    /// Symbols whose positions changed since [`Account::take_touched_positions`].
    touched_positions: BTreeSet<usize>,
    /// Why the margin side changed since [`Account::take_reason`].
    reason: Option<MarginReason>,
    /// Fee of a resting fill, 1/100 of a percent.
    pub maker_fee_bps: u32,
    /// Fee of a taking fill, 1/100 of a percent.
    pub taker_fee_bps: u32,
}

impl Account {
    /// An account with free amounts.
    pub fn new(balances: &[(Name, i64)], maker_fee_bps: u32, taker_fee_bps: u32) -> Self {
        let balances = balances.iter().map(|&(asset, free)| (asset, Balance { free, locked: 0 })).collect();
        Self {
            balances,
            trades: TradeLog::default(),
            income: IncomeLog::default(),
            positions: BTreeMap::new(),
            leverage: BTreeMap::new(),
            touched: BTreeSet::new(),
            touched_positions: BTreeSet::new(),
            reason: None,
            maker_fee_bps,
            taker_fee_bps,
        }
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

    /// What moved its margin money.
    pub fn income(&self) -> &IncomeLog {
        &self.income
    }

    /// What it holds of a linear contract.
    pub fn position(&self, symbol: usize) -> Position {
        self.positions.get(&symbol).copied().unwrap_or_default()
    }

    /// Every linear contract it ever held, by index of the symbol.
    pub fn positions(&self) -> impl Iterator<Item = (usize, Position)> + '_ {
        self.positions.iter().map(|(symbol, position)| (*symbol, *position))
    }

    /// Its leverage in a symbol.
    pub fn leverage(&self, symbol: usize) -> u32 {
        self.leverage.get(&symbol).copied().unwrap_or(LEVERAGE)
    }

    pub(super) fn set_leverage(&mut self, symbol: usize, leverage: u32) {
        self.leverage.insert(symbol, leverage);
    }

    /// Changes a position; why is told at the next settlement.
    pub(super) fn change_position(&mut self, symbol: usize, reason: MarginReason) -> &mut Position {
        self.touched_positions.insert(symbol);
        self.reason = Some(reason);
        self.positions.entry(symbol).or_default()
    }

    /// Moves margin money by an amount that may be negative, and keeps a note of it.
    pub(super) fn pay(&mut self, income: Income, reason: MarginReason) {
        self.reason = Some(reason);
        if income.amount != 0 {
            let balance = self.change(income.asset);
            balance.free = balance.free.saturating_add(income.amount);
            self.income.push(income);
        }
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

    /// The positions changed since the last call, as they are now.
    pub(super) fn take_touched_positions(&mut self) -> Vec<(usize, Position)> {
        let touched = std::mem::take(&mut self.touched_positions);
        touched.into_iter().map(|symbol| (symbol, self.position(symbol))).collect()
    }

    /// Why the margin side changed since the last call; none when it did not.
    pub(super) fn take_reason(&mut self) -> Option<MarginReason> {
        self.reason.take()
    }

    fn change(&mut self, asset: Name) -> &mut Balance {
        self.touched.insert(asset);
        self.balances.entry(asset).or_default()
    }
}
