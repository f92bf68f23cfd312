//! What the venue says about an account: money, positions, settings, and what moved its money.

use super::api::ApiSession;
use super::info::{Grid, leverage_bracket};
use super::{UsdmVenue, private, refusals};
use crate::dialect::binance_spot::params::Params;
use crate::dialect::json::{D8, Text};
use crate::exchange::account::Account;
use crate::exchange::income::{Income, IncomeKind};
use crate::exchange::margin::{AccountMargin, SymbolMargin};
use crate::exchange::position::Position;
use crate::exchange::reject::Reject;
use serde_json::{Value, json};
use smc_core::words::{Name, SCALE};
use std::collections::BTreeSet;

/// Which form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// All symbols, with their settings.
    Two,
    /// Only what is held or ordered, without settings.
    Three,
}

/// One symbol of an account.
struct Holding {
    symbol: usize,
    grid: Grid,
    position: Position,
    margin: SymbolMargin,
    leverage: u32,
}

impl Holding {
    fn is_used(&self) -> bool {
        self.position.qty != 0 || self.margin.bid_notional != 0 || self.margin.ask_notional != 0
    }
}

impl UsdmVenue {
    fn owner(&self, account: usize) -> Result<&Account, Reject> {
        self.exchange.account(account).ok_or(Reject::UNKNOWN)
    }

    fn holdings(&self, account: usize) -> Result<Vec<Holding>, Reject> {
        let owner = self.owner(account)?;
        let of = |symbol: usize| Holding {
            symbol,
            grid: self.grid(symbol),
            position: owner.position(symbol),
            margin: self.exchange.symbol_margin(account, symbol),
            leverage: owner.leverage(symbol),
        };
        Ok((0..self.exchange.markets().len()).map(of).collect())
    }

    /// The assets of an account: what it owns, and what its contracts are paid in.
    fn margins(&self, account: usize) -> Result<Vec<(Name, AccountMargin)>, Reject> {
        let mut assets: BTreeSet<Name> = self.owner(account)?.balances().map(|(asset, _)| asset).collect();
        assets.extend(self.exchange.markets().iter().map(|market| market.info.spec.quote));
        Ok(assets.into_iter().map(|asset| (asset, self.exchange.account_margin(account, asset))).collect())
    }

    /// Whether an asset can secure contracts here.
    fn is_margin_asset(&self, asset: Name) -> bool {
        self.exchange.markets().iter().any(|market| market.info.spec.quote == asset)
    }

    pub(super) fn account_status(
        &self,
        session: &ApiSession,
        params: &Params,
        version: Version,
    ) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let margins = self.margins(account)?;
        // Totals are in dollars; only the assets that secure contracts have a worth here.
        let total = |of: fn(&AccountMargin) -> i64| {
            let all = margins.iter().filter(|(asset, _)| self.is_margin_asset(*asset));
            D8(all.map(|(_, margin)| of(margin)).fold(0, i64::saturating_add))
        };
        let mut answer = json!({
            "totalInitialMargin": total(AccountMargin::initial),
            "totalMaintMargin": total(|m| m.maintenance),
            "totalWalletBalance": total(|m| m.wallet),
            "totalUnrealizedProfit": total(|m| m.unrealised),
            "totalMarginBalance": total(AccountMargin::balance),
            "totalPositionInitialMargin": total(|m| m.position_initial),
            "totalOpenOrderInitialMargin": total(|m| m.order_initial),
            "totalCrossWalletBalance": total(|m| m.wallet),
            "totalCrossUnPnl": total(|m| m.unrealised),
            "availableBalance": total(AccountMargin::available),
            "maxWithdrawAmount": total(|m| m.available().min(m.wallet)),
            "assets": margins.iter().map(|(asset, m)| self.asset_line(*asset, m)).collect::<Vec<_>>(),
        });
        let holdings = self.holdings(account)?;
        let positions: Vec<Value> = match version {
            Version::Two => holdings.iter().map(|one| self.position_v2(one)).collect(),
            Version::Three => holdings.iter().filter(|one| one.is_used()).map(position_v3).collect(),
        };
        answer["positions"] = positions.into();
        if version == Version::Two {
            let settings = json!({
                "feeTier": 0, "feeBurn": false, "canTrade": true, "canDeposit": true, "canWithdraw": false,
                "updateTime": 0, "multiAssetsMargin": false, "tradeGroupId": -1,
            });
            for (name, value) in settings.as_object().into_iter().flatten() {
                answer[name] = value.clone();
            }
        }
        Ok(answer.to_string())
    }

    fn asset_line(&self, asset: Name, margin: &AccountMargin) -> Value {
        json!({
            "asset": Text(asset),
            "walletBalance": D8(margin.wallet),
            "unrealizedProfit": D8(margin.unrealised),
            "marginBalance": D8(margin.balance()),
            "maintMargin": D8(margin.maintenance),
            "initialMargin": D8(margin.initial()),
            "positionInitialMargin": D8(margin.position_initial),
            "openOrderInitialMargin": D8(margin.order_initial),
            "crossWalletBalance": D8(margin.wallet),
            "crossUnPnl": D8(margin.unrealised),
            "availableBalance": D8(margin.available()),
            "maxWithdrawAmount": D8(margin.available().min(margin.wallet)),
            "marginAvailable": self.is_margin_asset(asset),
            "updateTime": self.now.as_ms(),
        })
    }

    fn notional_max(&self, leverage: u32) -> String {
        (self.exchange.notional_max(leverage).unwrap_or(0) / SCALE).to_string()
    }

    fn position_v2(&self, one: &Holding) -> Value {
        let Holding { grid, position, margin, .. } = one;
        json!({
            "symbol": Text(grid.symbol),
            "initialMargin": D8(margin.position_initial.saturating_add(margin.order_initial)),
            "maintMargin": D8(margin.maintenance),
            "unrealizedProfit": D8(margin.unrealised),
            "positionInitialMargin": D8(margin.position_initial),
            "openOrderInitialMargin": D8(margin.order_initial),
            "leverage": one.leverage.to_string(),
            "isolated": false,
            "entryPrice": D8(position.average_price().0),
            "breakEvenPrice": D8(position.average_price().0),
            "maxNotional": self.notional_max(one.leverage),
            "bidNotional": grid.quote(margin.bid_notional),
            "askNotional": grid.quote(margin.ask_notional),
            "positionSide": "BOTH",
            "positionAmt": grid.qty(position.qty),
            "notional": D8(margin.notional),
            "isolatedWallet": "0",
            "updateTime": position.updated.as_ms(),
        })
    }

    pub(super) fn balances(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let line = |(asset, margin): &(Name, AccountMargin)| {
            json!({
                "accountAlias": "SimF",
                "asset": Text(*asset),
                "balance": D8(margin.wallet),
                "crossWalletBalance": D8(margin.wallet),
                "crossUnPnl": D8(margin.unrealised),
                "availableBalance": D8(margin.available()),
                "maxWithdrawAmount": D8(margin.available().min(margin.wallet)),
                "marginAvailable": self.is_margin_asset(*asset),
                "updateTime": self.now.as_ms(),
            })
        };
        Ok(Value::from(self.margins(account)?.iter().map(line).collect::<Vec<_>>()).to_string())
    }

    pub(super) fn position_risk(
        &self,
        session: &ApiSession,
        params: &Params,
        version: Version,
    ) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let wanted = params.get("symbol").map(|_| self.symbol_of(params)).transpose()?;
        let holdings = self.holdings(account)?;
        let is_wanted = |one: &&Holding| {
            wanted.is_none_or(|symbol| symbol == one.symbol) && (version == Version::Two || one.is_used())
        };
        let line = |one: &Holding| self.risk_line(account, one, version);
        Ok(Value::from(holdings.iter().filter(is_wanted).map(line).collect::<Vec<_>>()).to_string())
    }

    fn risk_line(&self, account: usize, one: &Holding, version: Version) -> Value {
        let Holding { grid, position, margin, .. } = one;
        let mark = self.exchange.mark_price(one.symbol).unwrap_or_default();
        let mut line = json!({
            "symbol": Text(grid.symbol),
            "positionSide": "BOTH",
            "positionAmt": grid.qty(position.qty),
            "entryPrice": D8(position.average_price().0),
            "breakEvenPrice": D8(position.average_price().0),
            "markPrice": D8(mark.0),
            "unRealizedProfit": D8(margin.unrealised),
            "liquidationPrice": D8(self.exchange.liquidation_price(account, one.symbol).0),
            "isolatedMargin": D8(0),
            "notional": D8(margin.notional),
            "isolatedWallet": "0",
            "updateTime": position.updated.as_ms(),
        });
        let more = match version {
            Version::Two => json!({
                "marginType": "cross", "isAutoAddMargin": "false", "leverage": one.leverage.to_string(),
                "maxNotionalValue": self.notional_max(one.leverage),
            }),
            Version::Three => json!({
                "marginAsset": Text(grid.quote_asset),
                "initialMargin": D8(margin.position_initial.saturating_add(margin.order_initial)),
                "maintMargin": D8(margin.maintenance),
                "positionInitialMargin": D8(margin.position_initial),
                "openOrderInitialMargin": D8(margin.order_initial),
                "adl": 0,
                "bidNotional": grid.quote(margin.bid_notional),
                "askNotional": grid.quote(margin.ask_notional),
            }),
        };
        for (name, value) in more.as_object().into_iter().flatten() {
            line[name] = value.clone();
        }
        line
    }

    pub(super) fn set_leverage(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        let leverage = params.whole("leverage")?.ok_or_else(|| Reject::mandatory("leverage"))?;
        let leverage = u32::try_from(leverage).unwrap_or(u32::MAX);
        self.exchange.set_leverage(account, symbol, leverage)?;
        let grid = self.grid(symbol);
        let event = private::leverage_update(&grid, leverage, self.now);
        self.tell_account(account, "ACCOUNT_CONFIG_UPDATE", &event);
        let most = self.notional_max(leverage);
        Ok(json!({"symbol": Text(grid.symbol), "leverage": leverage, "maxNotionalValue": most}).to_string())
    }

    pub(super) fn set_margin_type(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        self.authorize(session, params)?;
        self.symbol_of(params)?;
        match params.required("marginType")? {
            "CROSSED" => Err(refusals::SAME_MARGIN_TYPE),
            "ISOLATED" => Err(refusals::UNSUPPORTED),
            _ => Err(Reject::invalid("marginType")),
        }
    }

    pub(super) fn set_position_mode(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        self.authorize(session, params)?;
        match params.flag("dualSidePosition")? {
            Some(false) => Err(refusals::SAME_POSITION_MODE),
            Some(true) => Err(refusals::UNSUPPORTED),
            None => Err(Reject::mandatory("dualSidePosition")),
        }
    }

    pub(super) fn settings(
        &self,
        session: &ApiSession,
        params: &Params,
        method: &str,
    ) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let owner = self.owner(account)?;
        let rate = |bps: u32| crate::dialect::json::Dec(i64::from(bps) * 10_000, 6);
        let answer = match method {
            "positionSide.dual" => json!({"dualSidePosition": false}),
            "multiAssetsMargin" => json!({"multiAssetsMargin": false}),
            "accountConfig" => json!({
                "feeTier": 0, "canTrade": true, "canDeposit": true, "canWithdraw": false,
                "dualSidePosition": false, "updateTime": 0, "multiAssetsMargin": false, "tradeGroupId": -1,
            }),
            "symbolConfig" => {
                let wanted = params.get("symbol").map(|_| self.symbol_of(params)).transpose()?;
                let all = self.holdings(account)?;
                let lines = all.iter().filter(|one| wanted.is_none_or(|symbol| symbol == one.symbol));
                lines
                    .map(|one| {
                        json!({"symbol": Text(one.grid.symbol), "marginType": "CROSSED", "isAutoAddMargin": false,
                               "leverage": one.leverage, "maxNotionalValue": self.notional_max(one.leverage)})
                    })
                    .collect::<Vec<_>>()
                    .into()
            }
            "commissionRate" => json!({
                "symbol": Text(self.grid(self.symbol_of(params)?).symbol),
                "makerCommissionRate": rate(owner.maker_fee_bps),
                "takerCommissionRate": rate(owner.taker_fee_bps),
                "rpiCommissionRate": rate(owner.maker_fee_bps),
            }),
            _ => {
                let wanted = params.get("symbol").map(|_| self.symbol_of(params)).transpose()?;
                let brackets = self.exchange.brackets();
                let one = |symbol: usize| leverage_bracket(self.grid(symbol).symbol, brackets);
                let all = (0..self.exchange.markets().len())
                    .filter(|symbol| wanted.is_none_or(|wanted| wanted == *symbol));
                all.map(one).collect::<Vec<_>>().into()
            }
        };
        Ok(answer.to_string())
    }

    /// What moved an account's money, oldest first; the last ones when no start is given.
    pub(super) fn income(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = params.get("symbol").map(|_| self.symbol_of(params)).transpose()?;
        let kind = params.get("incomeType");
        let (from, to) = (params.whole("startTime")?, params.whole("endTime")?);
        let limit = usize::try_from(params.whole("limit")?.unwrap_or(100).clamp(1, 1_000)).unwrap_or(1_000);
        let is_wanted = |(_, income): &(u64, &Income)| {
            let at = income.at.as_ms();
            symbol.is_none_or(|symbol| income.symbol == Some(symbol))
                && kind.is_none_or(|kind| kind == income_word(income.kind))
                && from.is_none_or(|from| at >= from)
                && to.is_none_or(|to| at <= to)
        };
        let line = |(number, income): (u64, &Income)| {
            let symbol = income.symbol.map(|symbol| self.grid(symbol).symbol);
            json!({
                "symbol": symbol.map_or(String::new(), |name| name.as_str().to_owned()),
                "incomeType": income_word(income.kind),
                "income": D8(income.amount),
                "asset": Text(income.asset),
                "info": income_word(income.kind),
                "time": income.at.as_ms(),
                "tranId": number + 1,
                "tradeId": income.trade_id.map_or(String::new(), |id| id.to_string()),
            })
        };
        let entries = self.owner(account)?.income().entries();
        let lines: Vec<Value> = if from.is_some() {
            entries.filter(is_wanted).take(limit).map(line).collect()
        } else {
            let mut newest: Vec<_> = entries.rev().filter(is_wanted).take(limit).map(line).collect();
            newest.reverse();
            newest
        };
        Ok(Value::from(lines).to_string())
    }
}

fn position_v3(one: &Holding) -> Value {
    let Holding { grid, position, margin, .. } = one;
    json!({
        "symbol": Text(grid.symbol),
        "positionSide": "BOTH",
        "positionAmt": grid.qty(position.qty),
        "unrealizedProfit": D8(margin.unrealised),
        "isolatedMargin": D8(0),
        "notional": D8(margin.notional),
        "isolatedWallet": "0",
        "initialMargin": D8(margin.position_initial.saturating_add(margin.order_initial)),
        "maintMargin": D8(margin.maintenance),
        "updateTime": position.updated.as_ms(),
    })
}

const fn income_word(kind: IncomeKind) -> &'static str {
    match kind {
        IncomeKind::RealisedProfit => "REALIZED_PNL",
        IncomeKind::Commission => "COMMISSION",
        IncomeKind::Funding => "FUNDING_FEE",
        IncomeKind::InsuranceClear => "INSURANCE_CLEAR",
    }
}
