//! Orders as clients ask for them: create, replace, cancel, rename, list.

use super::account::Account;
use super::dealing;
use super::market::Market;
use super::order::{Order, State};
use super::query::Query;
use super::refusal::{Answer, Refusal, message, status};
use super::request::Members;
use super::settings::OandaLimits;
use super::terms::{ClientExtensions, Kind};
use super::ticket::{self, Desk};
use super::triggers::{self, Placed};
use super::wire::Obj;
use serde_json::Value;

/// Orders and trades of a list, unless asked otherwise and at most.
pub const LIST: usize = 50;
/// See [`LIST`].
pub const LIST_MAX: usize = 500;

/// What a request works with.
pub struct Room<'a> {
    /// Whose request it is; its batch has begun.
    pub account: &'a mut Account,
    /// The quotes.
    pub market: &'a mut Market,
    /// The venue's limits.
    pub limits: &'a OandaLimits,
}

impl Room<'_> {
    /// What a new order is checked against.
    pub fn desk(&self, replaces: Option<u64>) -> Desk<'_> {
        Desk {
            account: self.account,
            market: self.market,
            limits: self.limits,
            now: self.account.now(),
            replaces,
        }
    }

    /// Adds an order and fills it if it can be filled now.
    pub fn place(&mut self, order: Order) -> Placed {
        triggers::place(self.account, self.market, self.limits, order)
    }

    /// The end of every answer that changed something: all numbers since the batch began, and the last one.
    pub fn finish(&self, body: Obj, first: u64) -> Obj {
        let last = self.account.last_id();
        body.ids("relatedTransactionIDs", first..=last).id("lastTransactionID", last)
    }

    /// Adds a transaction to an answer when there is one.
    pub fn with(&self, body: Obj, key: &str, id: Option<u64>) -> Obj {
        body.with(id, |o, id| o.raw(key, &self.account.json(id)))
    }

    /// Keeps a refusal in the log and answers with it. `key` names the transaction in the answer.
    pub fn refuse(&mut self, kind: &'static str, key: &str, members: Obj, code: &'static str) -> Answer {
        let id = self.account.log(kind, members.text("rejectReason", code).members());
        let body = Obj::new().raw(key, &self.account.json(id));
        let body = self.finish(body, id).text("errorMessage", &message(code)).text("errorCode", code);
        Answer::new(status(code), body)
    }

    /// `POST /orders`. The order's number comes with it when one was made.
    pub fn create(&mut self, body: &Value) -> Result<(Answer, Option<u64>), Refusal> {
        let (kind, members) = ordered(body)?;
        let order = match self.desk(None).order(kind, &members) {
            Ok(order) => order,
            Err(Refusal::Code(code)) => {
                let echo = ticket::echo(kind, &members).text("reason", "CLIENT_ORDER");
                return Ok((self.refuse(kind.rejected(), "orderRejectTransaction", echo, code), None));
            }
            Err(refusal) => return Err(refusal),
        };
        let placed = self.place(order);
        let made = Obj::new().raw("orderCreateTransaction", &self.account.json(placed.create));
        let made = self.with(made, "orderFillTransaction", placed.fill);
        let made = self.with(made, "orderCancelTransaction", placed.cancel);
        let made = self.with(made, "orderReissueTransaction", placed.reissue);
        let mut answer = Answer::new(201, self.finish(made, placed.create));
        answer.location = Some(format!("/v3/accounts/{}/orders/{}", self.account.id, placed.create));
        Ok((answer, Some(placed.create)))
    }

    /// `PUT /orders/{specifier}`: one step, or nothing at all.
    pub fn replace(&mut self, specifier: &str, body: &Value) -> Result<(Answer, Option<u64>), Refusal> {
        let (kind, members) = ordered(body)?;
        let Some(old) = self.waiting(specifier) else {
            return Ok((self.no_order_to_cancel(specifier), None));
        };
        let standing = self.account.orders.get(&old).cloned();
        let checked = self.desk(Some(old)).order(kind, &members).and_then(|order| {
            let is_alike = standing.as_ref().is_some_and(|it| {
                it.kind == kind && it.instrument == order.instrument && it.trade == order.trade
            });
            if is_alike { Ok(order) } else { Err(Refusal::Code("REPLACING_ORDER_INVALID")) }
        });
        let mut order = match checked {
            Ok(order) => order,
            Err(Refusal::Code(code)) => {
                let echo = ticket::echo(kind, &members)
                    .text("reason", "REPLACEMENT")
                    .id("intendedReplacesOrderID", old);
                return Ok((self.refuse(kind.rejected(), "orderRejectTransaction", echo, code), None));
            }
            Err(refusal) => return Err(refusal),
        };
        // Names that are not given again are taken over.
        if let Some(standing) = standing {
            let mut client = standing.client;
            client.update(&order.client);
            order.client = client;
        }
        order.replaces = Some(old);
        order.reason = "REPLACEMENT";
        let new = self.account.next_id() + 1;
        let cancel = dealing::cancel(self.account, old, "CLIENT_REQUEST_REPLACED", Some(new));
        let placed = self.place(order);
        let made = Obj::new()
            .raw("orderCancelTransaction", &self.account.json(cancel))
            .raw("orderCreateTransaction", &self.account.json(placed.create));
        let made = self.with(made, "orderFillTransaction", placed.fill);
        let made = self.with(made, "replacingOrderCancelTransaction", placed.cancel);
        let made = self.with(made, "orderReissueTransaction", placed.reissue);
        let mut answer = Answer::new(201, self.finish(made, cancel));
        answer.location = Some(format!("/v3/accounts/{}/orders/{}", self.account.id, placed.create));
        Ok((answer, Some(placed.create)))
    }

    /// `PUT /orders/{specifier}/cancel`.
    pub fn cancel(&mut self, specifier: &str) -> (Answer, Option<u64>) {
        let Some(id) = self.waiting(specifier) else { return (self.no_order_to_cancel(specifier), None) };
        let by = dealing::cancel(self.account, id, "CLIENT_REQUEST", None);
        let body = Obj::new().raw("orderCancelTransaction", &self.account.json(by));
        (Answer::ok(self.finish(body, by)), Some(id))
    }

    /// `PUT /orders/{specifier}/clientExtensions`.
    pub fn rename(&mut self, specifier: &str, body: &Value) -> Result<Answer, Refusal> {
        let members = Members::of(body, "")?;
        let named = |refusal| match refusal {
            Refusal::Code(_) => Refusal::value("clientExtensions"),
            other => other,
        };
        let client = members.client("clientExtensions").map_err(named)?;
        let trade_client = members.client("tradeClientExtensions").map_err(named)?;
        let said = |object: Obj| {
            object
                .with(some(&client), |o, it| o.raw("clientExtensionsModify", &it.json()))
                .with(some(&trade_client), |o, it| o.raw("tradeClientExtensionsModify", &it.json()))
        };
        let key = "orderClientExtensionsModifyRejectTransaction";
        let kind = "ORDER_CLIENT_EXTENSIONS_MODIFY_REJECT";
        let Some(id) = self.waiting(specifier) else {
            let object = said(spoken(self.account.find_order(specifier), specifier));
            return Ok(self.refuse(kind, key, object, "ORDER_DOESNT_EXIST"));
        };
        if let Err(Refusal::Code(code)) = self.desk(Some(id)).check_client(&client) {
            return Ok(self.refuse(kind, key, said(Obj::new().id("orderID", id)), code));
        }
        let old = self.account.orders.get(&id).map(|order| order.client.id.clone()).unwrap_or_default();
        let object = Obj::new()
            .id("orderID", id)
            .with(Some(old).filter(|it| !it.is_empty()), |o, it| o.text("clientOrderID", &it));
        let by = self.account.log("ORDER_CLIENT_EXTENSIONS_MODIFY", said(object).members());
        if let Some(order) = self.account.orders.get_mut(&id) {
            order.client.update(&client);
            order.trade_client.update(&trade_client);
        }
        let body = Obj::new().raw("orderClientExtensionsModifyTransaction", &self.account.json(by));
        Ok(Answer::ok(self.finish(body, by)))
    }

    fn waiting(&self, specifier: &str) -> Option<u64> {
        self.account.find_order(specifier).filter(|id| self.account.pending.contains(id))
    }

    fn no_order_to_cancel(&mut self, specifier: &str) -> Answer {
        let members = spoken(self.account.find_order(specifier), specifier);
        self.refuse("ORDER_CANCEL_REJECT", "orderCancelRejectTransaction", members, "ORDER_DOESNT_EXIST")
    }
}

/// An order as the client named it.
fn spoken(found: Option<u64>, specifier: &str) -> Obj {
    let name = specifier.strip_prefix('@');
    let id = found.map(|id| id.to_string()).or_else(|| name.is_none().then(|| specifier.to_owned()));
    Obj::new().with(id, |o, id| o.text("orderID", &id)).with(name, |o, name| o.text("clientOrderID", name))
}

fn some(client: &ClientExtensions) -> Option<&ClientExtensions> {
    Some(client).filter(|it| !it.is_empty())
}

/// The kind and the members of a body's `order`.
fn ordered(body: &Value) -> Result<(Kind, Members<'_>), Refusal> {
    let order = body.get("order").ok_or_else(|| Refusal::missing("order"))?;
    let members = Members::of(order, "order")?;
    Ok((ticket::kind(&members)?, members))
}

/// `GET /orders`, newest first.
pub fn list(account: &Account, market: &Market, query: &Query) -> Result<Answer, Refusal> {
    let state = query.get("state").unwrap_or("PENDING");
    let is_state = |order: &&Order| match state {
        "ALL" => true,
        "PENDING" => order.is_pending(),
        "FILLED" => matches!(order.state, State::Filled { .. }),
        "CANCELLED" => matches!(order.state, State::Cancelled { .. }),
        _ => false,
    };
    if !["ALL", "PENDING", "FILLED", "CANCELLED", "TRIGGERED"].contains(&state) {
        return Err(Refusal::value("state"));
    }
    let count = count(query)?;
    let before = query.number("beforeID")?.unwrap_or(u64::MAX);
    let ids = query.list("ids");
    let instruments = query.list("instrument");
    let is_asked = |order: &&Order| {
        order.id <= before
            && (ids.is_empty() || ids.contains(&order.id.to_string().as_str()))
            && (instruments.is_empty() || instruments.contains(&market.rules(order.instrument).name.as_str()))
    };
    let found = account.orders.values().rev().filter(is_state).filter(is_asked).take(count);
    Ok(Answer::ok(
        Obj::new()
            .list("orders", found.map(|order| order.json(market)))
            .id("lastTransactionID", account.last_id()),
    ))
}

/// How many of a list are asked for.
pub fn count(query: &Query) -> Result<usize, Refusal> {
    let count = query.number("count")?.map_or(LIST, |it| usize::try_from(it).unwrap_or(usize::MAX));
    if count > LIST_MAX {
        return Err(Refusal::Malformed("Maximum value for 'count' exceeded".to_owned()));
    }
    if count == 0 { Err(Refusal::value("count")) } else { Ok(count) }
}

/// `GET /pendingOrders`, newest first.
pub fn pending(account: &Account, market: &Market) -> Answer {
    Answer::ok(
        Obj::new()
            .list("orders", account.pending_orders().rev().map(|order| order.json(market)))
            .id("lastTransactionID", account.last_id()),
    )
}

/// `GET /orders/{specifier}`.
pub fn single(account: &Account, market: &Market, specifier: &str) -> Answer {
    match account.find_order(specifier).and_then(|id| account.orders.get(&id)) {
        Some(order) => Answer::ok(
            Obj::new().raw("order", &order.json(market)).id("lastTransactionID", account.last_id()),
        ),
        None => Answer::absent("NO_SUCH_ORDER", account.last_id()),
    }
}
