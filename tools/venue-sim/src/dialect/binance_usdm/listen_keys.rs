//! Listen keys: one per account at most, ended an hour after it was last asked for.

use aws_lc_rs::digest;
use smc_core::TsNs;

/// How long a key lives without being kept alive.
const LIFE_NS: u64 = 3_600 * 1_000_000_000;

#[derive(Clone, Debug)]
struct ListenKey {
    text: String,
    ends: TsNs,
}

/// The keys of all accounts.
pub struct ListenKeys {
    /// By account.
    keys: Vec<Option<ListenKey>>,
    seed: u64,
    made: u64,
}

impl ListenKeys {
    /// No keys yet, for a number of accounts.
    pub fn new(accounts: usize, seed: u64) -> Self {
        Self { keys: vec![None; accounts], seed, made: 0 }
    }

    /// The account's key, made when it has none, and its life anew.
    pub fn start(&mut self, account: usize, now: TsNs) -> Option<String> {
        let slot = self.keys.get_mut(account)?;
        let ends = TsNs(now.0.saturating_add(LIFE_NS));
        if let Some(key) = slot {
            key.ends = ends;
            return Some(key.text.clone());
        }
        self.made += 1;
        let from = format!("{} {account} {}", self.seed, self.made);
        let digest = digest::digest(&digest::SHA256, from.as_bytes());
        let text: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        *slot = Some(ListenKey { text: text.clone(), ends });
        Some(text)
    }

    /// Gives the account's key a new life; none when it has none.
    pub fn keep_alive(&mut self, account: usize, now: TsNs) -> Option<String> {
        self.key(account)?;
        self.start(account, now)
    }

    /// Forgets the account's key.
    pub fn end(&mut self, account: usize) -> bool {
        self.keys.get_mut(account).is_some_and(|key| key.take().is_some())
    }

    /// The account's key.
    pub fn key(&self, account: usize) -> Option<&str> {
        self.keys.get(account)?.as_ref().map(|key| key.text.as_str())
    }

    /// Whose key a text is.
    pub fn account(&self, text: &str) -> Option<usize> {
        self.keys.iter().position(|key| key.as_ref().is_some_and(|key| key.text == text))
    }

    /// Ends the keys whose hour is over; returns them with their accounts.
    pub fn expire(&mut self, now: TsNs) -> Vec<(usize, String)> {
        let is_over = |key: &ListenKey| key.ends <= now;
        let slots = self.keys.iter_mut().enumerate();
        slots.filter_map(|(account, slot)| Some((account, slot.take_if(|key| is_over(key))?.text))).collect()
    }
}
