"""Other people's clients at the simulated Oanda: v20 and oandapyV20, unchanged but for address and certificate. For its
arguments see common.py.
"""

import json
import time

import oandapyV20
import v20
from oandapyV20.contrib.requests import LimitOrderRequest, MarketOrderRequest
from oandapyV20.contrib.requests import StopLossDetails, TakeProfitDetails
from oandapyV20.endpoints import accounts, instruments, orders, positions, pricing, trades, transactions
from oandapyV20.exceptions import V20Error

import common
from common import ADDRESS, call, check, done
from common import KEY as ACCOUNT
from common import SECRET as TOKEN

SYMBOL = "EUR_USD"


def pause():
    """The venue takes two new connections a second."""
    time.sleep(1)


class Heard(common.Heard):
    """What a stream told, read by a thread of its own."""

    def wait(self, what, found):
        super().wait(what, lambda messages: any(map(found, messages)))
        return next(filter(found, self.messages))


def with_v20():
    print("v20")
    host, port = ADDRESS.rsplit(":", 1)
    api = v20.Context(host, port=int(port), token=TOKEN, application="smc", poll_timeout=20)
    streams = v20.Context(host, port=int(port), token=TOKEN, application="smc", stream_timeout=30)

    def said(name, response, field, status=200):
        check(response.status == status, f"{name}: {response.status} {response.raw_body}")
        return call(name, response.get(field, status))

    ids = [it.id for it in said("account.list", api.account.list(), "accounts")]
    check(ACCOUNT in ids, ids)
    account = said("account.get", api.account.get(ACCOUNT), "account")
    check(account.balance == account.NAV and not account.hedgingEnabled, account)
    since = said("account.summary", api.account.summary(ACCOUNT), "account").lastTransactionID
    rules = said("account.instruments", api.account.instruments(ACCOUNT), "instruments")
    check(SYMBOL in [it.name for it in rules], rules)
    rule = next(it for it in rules if it.name == SYMBOL)
    check((rule.pipLocation, rule.displayPrecision, rule.marginRate) == (-4, 5, 0.0333), rule)
    candles = api.instrument.candles(SYMBOL, granularity="M5", count=50, price="MBA")
    candles = said("instrument.candles", candles, "candles")
    check(len(candles) == 50 and candles[0].bid.c < candles[0].ask.c and candles[0].complete, candles[0])
    prices = said("pricing.get", api.pricing.get(ACCOUNT, instruments=f"{SYMBOL},USD_JPY"), "prices")
    check([it.instrument for it in prices] == [SYMBOL, "USD_JPY"], prices)
    bid, ask = prices[0].bids[0].price, prices[0].asks[0].price
    check(bid < ask, prices[0])

    def parts(response):
        for kind, line in response.parts():
            yield kind, line

    pause()
    quotes = Heard(parts(streams.pricing.stream(ACCOUNT, instruments=f"{SYMBOL},USD_JPY", snapshot=True)))
    events = v20.Context(host, port=int(port), token=TOKEN, stream_timeout=30)
    log = Heard(parts(events.transaction.stream(ACCOUNT)))
    quotes.wait("a price", lambda it: it[0] == "pricing.ClientPrice" and it[1].instrument == "USD_JPY")
    quotes.wait("a heartbeat", lambda it: it[0] == "pricing.PricingHeartbeat")
    call("pricing.stream", f"{len(quotes.messages)} lines")
    log.wait("a heartbeat", lambda it: it[0] == "transaction.TransactionHeartbeat")
    call("transaction.stream", log.messages[-1][1].lastTransactionID)

    def told(what, found):
        return log.wait(what, lambda it: it[0] == "transaction.Transaction" and found(it[1]))[1]

    far = f"{bid - 0.02:.5f}"
    limit = api.order.limit(ACCOUNT, instrument=SYMBOL, units="100", price=far, clientExtensions={"id": "v20-1"})
    limit = said("order.limit", limit, "orderCreateTransaction", 201)
    told("LIMIT_ORDER", lambda it: it.id == limit.id and it.type == "LIMIT_ORDER")
    pending = said("order.list_pending", api.order.list_pending(ACCOUNT), "orders")
    check([it.id for it in pending] == [limit.id], pending)
    found = said("order.get", api.order.get(ACCOUNT, "@v20-1"), "order")
    check((found.id, found.state, found.clientExtensions.id) == (limit.id, "PENDING", "v20-1"), found)
    renamed = api.order.set_client_extensions(ACCOUNT, limit.id, clientExtensions={"comment": "c"})
    said("order.set_client_extensions", renamed, "orderClientExtensionsModifyTransaction")
    further = f"{bid - 0.03:.5f}"
    replaced = api.order.limit_replace(ACCOUNT, limit.id, instrument=SYMBOL, units="200", price=further)
    new = said("order.limit_replace", replaced, "orderCreateTransaction", 201)
    check((new.replacesOrderID, new.clientExtensions.id) == (limit.id, "v20-1"), new)
    cancelled = said("order.cancel", api.order.cancel(ACCOUNT, "@v20-1"), "orderCancelTransaction")
    told("ORDER_CANCEL", lambda it: it.id == cancelled.id and it.orderID == new.id)
    gone = api.order.cancel(ACCOUNT, "@v20-1")
    check((gone.status, gone.get("errorCode", 404)) == (404, "ORDER_DOESNT_EXIST"), gone.raw_body)
    call("order.cancel again", gone.get("errorMessage", 404))
    bad = api.order.limit(ACCOUNT, instrument=SYMBOL, units="0", price=far)
    check((bad.status, bad.get("errorCode", 400)) == (400, "UNITS_INVALID"), bad.raw_body)
    call("order.limit refused", bad.get("errorMessage", 400))

    market = api.order.market(
        ACCOUNT,
        instrument=SYMBOL,
        units="1000",
        takeProfitOnFill={"price": f"{ask + 0.02:.5f}"},
        stopLossOnFill={"distance": "0.02000"},
        tradeClientExtensions={"id": "t-v20"},
    )
    fill = said("order.market with target and stop", market, "orderFillTransaction", 201)
    related = market.get("relatedTransactionIDs", 201)
    check(len(related) == 4, related)
    for kind, number in zip(["MARKET_ORDER", "ORDER_FILL", "TAKE_PROFIT_ORDER", "STOP_LOSS_ORDER"], related):
        told(kind, lambda it: it.id == number and it.type == kind)
    trade = said("trade.get", api.trade.get(ACCOUNT, "@t-v20"), "trade")
    check(trade.id == fill.tradeOpened.tradeID and trade.stopLossOrder and trade.takeProfitOrder, trade)
    moved = api.trade.set_dependent_orders(ACCOUNT, trade.id, stopLoss={"price": f"{bid - 0.01:.5f}"})
    said("trade.set_dependent_orders", moved, "stopLossOrderTransaction")
    said("trade.set_client_extensions", api.trade.set_client_extensions(
        ACCOUNT, trade.id, clientExtensions={"tag": "x"}), "tradeClientExtensionsModifyTransaction")
    stop = api.order.stop(ACCOUNT, instrument="USD_JPY", units="-10", price="100.000", timeInForce="GFD")
    said("order.stop", stop, "orderCreateTransaction", 201)
    touched = api.order.market_if_touched(ACCOUNT, instrument="XAU_USD", units="1", price="1000.000")
    said("order.market_if_touched", touched, "orderCreateTransaction", 201)
    part = said("trade.close in part", api.trade.close(ACCOUNT, trade.id, units="400"), "orderFillTransaction")
    check(part.tradeReduced.tradeID == trade.id, part)
    position = said("position.get", api.position.get(ACCOUNT, SYMBOL), "position")
    check((position.long.units, position.long.tradeIDs) == (600, [trade.id]), position)
    changes = said("account.changes", api.account.changes(ACCOUNT, sinceTransactionID=since), "changes")
    check([it.id for it in changes.tradesOpened] == [trade.id], changes)
    closed = api.position.close(ACCOUNT, SYMBOL, longUnits="ALL", shortUnits="NONE")
    closed = said("position.close", closed, "longOrderFillTransaction")
    told("LINKED_TRADE_CLOSED", lambda it: it.type == "ORDER_CANCEL" and it.reason == "LINKED_TRADE_CLOSED")
    check(said("trade.list_open", api.trade.list_open(ACCOUNT), "trades") == [], "all trades are closed")
    said("trade.list", api.trade.list(ACCOUNT, state="CLOSED"), "trades")
    said("position.list", api.position.list(ACCOUNT), "positions")
    everything = said("transaction.since", api.transaction.since(ACCOUNT, id=since), "transactions")
    numbers = [int(it.id) for it in everything]
    check(numbers == list(range(int(since) + 1, int(since) + 1 + len(numbers))), numbers)
    told("the last transaction", lambda it: it.id == everything[-1].id)
    heard = [it[1].id for it in log.messages if it[0] == "transaction.Transaction"]
    check(heard == [it.id for it in everything], "the stream told every transaction, in order")
    said("transaction.get", api.transaction.get(ACCOUNT, closed.id), "transaction")
    said("transaction.range", api.transaction.range(ACCOUNT, fromID=numbers[0], toID=numbers[-1]), "transactions")
    said("transaction.list", api.transaction.list(ACCOUNT), "pages")
    for order in said("order.list", api.order.list(ACCOUNT, state="PENDING"), "orders"):
        said("order.cancel", api.order.cancel(ACCOUNT, order.id), "orderCancelTransaction")
    said("account.configure", api.account.configure(ACCOUNT, alias="clients"), "clientConfigureTransaction")


def with_oandapy():
    print("oandapyV20")
    for address in oandapyV20.oandapyV20.TRADING_ENVIRONMENTS.values():
        address.update(api=f"https://{ADDRESS}", stream=f"https://{ADDRESS}")
    api = oandapyV20.API(access_token=TOKEN, environment="practice")

    def ask(endpoint):
        return call(type(endpoint).__name__, api.request(endpoint))

    check(len(ask(accounts.AccountList())["accounts"]) == 2, "two accounts")
    last = ask(accounts.AccountDetails(ACCOUNT))["lastTransactionID"]
    ask(accounts.AccountSummary(ACCOUNT))
    check(len(ask(accounts.AccountInstruments(ACCOUNT, params={"instruments": SYMBOL}))["instruments"]) == 1, SYMBOL)
    rows = ask(instruments.InstrumentsCandles(SYMBOL, params={"granularity": "H4", "count": 3}))["candles"]
    check(len(rows) == 3 and rows[0]["time"] < rows[2]["time"], rows)
    price = ask(pricing.PricingInfo(ACCOUNT, params={"instruments": f"{SYMBOL},USD_JPY"}))["prices"][0]
    bid, ask_price = float(price["bids"][0]["price"]), float(price["asks"][0]["price"])

    pause()
    quotes = Heard(oandapyV20.API(access_token=TOKEN).request(
        pricing.PricingStream(ACCOUNT, params={"instruments": f"{SYMBOL},USD_JPY"})))
    log = Heard(oandapyV20.API(access_token=TOKEN).request(transactions.TransactionsStream(ACCOUNT)))
    quotes.wait("a price", lambda it: it["type"] == "PRICE" and it["instrument"] == "USD_JPY")
    log.wait("a heartbeat", lambda it: it["type"] == "HEARTBEAT")
    call("PricingStream and TransactionsStream", f"{len(quotes.messages)} and {len(log.messages)} lines")

    extensions = {"id": "pyv20-1"}
    order = LimitOrderRequest(SYMBOL, units=100, price=bid - 0.02, clientExtensions=extensions)
    placed = ask(orders.OrderCreate(ACCOUNT, data=order.data))["orderCreateTransaction"]
    log.wait("LIMIT_ORDER", lambda it: it.get("id") == placed["id"])
    check(ask(orders.OrdersPending(ACCOUNT))["orders"][0]["id"] == placed["id"], placed)
    order = LimitOrderRequest(SYMBOL, units=100, price=bid - 0.03)
    new = ask(orders.OrderReplace(ACCOUNT, "@pyv20-1", data=order.data))["orderCreateTransaction"]
    check(ask(orders.OrderDetails(ACCOUNT, new["id"]))["order"]["replacesOrderID"] == placed["id"], new)
    check(ask(orders.OrderCancel(ACCOUNT, new["id"]))["orderCancelTransaction"]["orderID"] == new["id"], new)
    try:
        api.request(orders.OrderCancel(ACCOUNT, new["id"]))
        check(False, "an order is cancelled twice")
    except V20Error as error:
        check(error.code == 404 and json.loads(error.msg)["errorCode"] == "ORDER_DOESNT_EXIST", error)
        call("OrderCancel again", error.code)
    target = TakeProfitDetails(price=bid - 0.02).data
    stop = StopLossDetails(price=ask_price + 0.02).data
    order = MarketOrderRequest(SYMBOL, units=-500, takeProfitOnFill=target, stopLossOnFill=stop)
    fill = ask(orders.OrderCreate(ACCOUNT, data=order.data))["orderFillTransaction"]
    log.wait("STOP_LOSS_ORDER", lambda it: it["type"] == "STOP_LOSS_ORDER" and it["tradeID"] == fill["id"])
    ask(trades.TradeCRCDO(ACCOUNT, fill["id"], data={"takeProfit": None, "stopLoss": stop}))
    check(ask(trades.TradeDetails(ACCOUNT, fill["id"]))["trade"]["currentUnits"] == "-500", fill)
    closed = ask(trades.TradeClose(ACCOUNT, fill["id"], data={"units": 200}))["orderFillTransaction"]
    check(closed["tradeReduced"]["units"] == "200", closed)
    check(ask(positions.OpenPositions(ACCOUNT))["positions"][0]["short"]["units"] == "-300", closed)
    ask(positions.PositionDetails(ACCOUNT, SYMBOL))
    ask(positions.PositionClose(ACCOUNT, SYMBOL, data={"shortUnits": "ALL"}))
    check(ask(trades.OpenTrades(ACCOUNT))["trades"] == [], "all trades are closed")
    ask(trades.TradesList(ACCOUNT, params={"state": "CLOSED", "instrument": SYMBOL}))
    ask(positions.PositionList(ACCOUNT))
    ask(orders.OrderList(ACCOUNT, params={"state": "ALL"}))
    ask(accounts.AccountChanges(ACCOUNT, params={"sinceTransactionID": last}))
    everything = ask(transactions.TransactionsSinceID(ACCOUNT, params={"id": last}))["transactions"]
    newest = everything[-1]["id"]
    log.wait("the last transaction", lambda it: it.get("id") == newest)
    check([it["id"] for it in log.messages if "id" in it] == [it["id"] for it in everything], "all told, in order")
    ask(transactions.TransactionDetails(ACCOUNT, newest))
    ask(transactions.TransactionIDRange(ACCOUNT, params={"from": last, "to": newest}))
    pages = ask(transactions.TransactionList(ACCOUNT, params={"pageSize": 10}))
    check(pages["pages"] and pages["pageSize"] == 10, pages)


with_v20()
with_oandapy()
done()
