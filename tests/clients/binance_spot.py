"""Other people's clients at the simulated Binance spot: the official SDK and ccxt, unchanged but for address and
certificate. For its arguments see common.py; the secret is the path of an Ed25519 key, which may log on to a session.
"""

import asyncio
import ssl

import ccxt
from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_spot.spot import Spot

from common import ADDRESS, CA, KEY, SECRET, Events, at_simulator, call, check, done

SYMBOL = "BTCUSDT"
TLS = ssl.create_default_context(cafile=CA)


def sdk():
    keys = {"api_key": KEY, "private_key": SECRET, "https_agent": TLS}
    return Spot(
        config_rest_api=ConfigurationRestAPI(base_path=f"https://{ADDRESS}", timeout=10_000, **keys),
        config_ws_api=ConfigurationWebSocketAPI(stream_url=f"wss://{ADDRESS}/ws-api/v3", **keys),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=f"wss://{ADDRESS}/stream", https_agent=TLS),
    )


def free(account, asset):
    return next(float(balance.free) for balance in account.balances if balance.asset == asset)


def rest_calls(rest):
    print("official SDK, REST")
    get = lambda name, **args: call(name, getattr(rest, name)(**args).data())
    get("ping")
    get("time")
    info = get("exchange_info")
    check(info.symbols[0].symbol == SYMBOL, "the symbol is listed")
    candles = get("klines", symbol=SYMBOL, interval="1m", limit=5)
    check(len(candles) == 5 and candles[0][0] < candles[4][0], "five candles, oldest first")
    book = get("depth", symbol=SYMBOL, limit=50)
    check(float(book.bids[0][0]) < float(book.asks[0][0]), "the book is not crossed")
    get("get_trades", symbol=SYMBOL)
    get("ticker_book_ticker", symbol=SYMBOL)
    account = get("get_account")
    check(free(account, "USDT") == 1_000_000, "a million to spend")
    get("rate_limit_order")
    return float(book.bids[0][0])


def rest_orders(rest, bid):
    get = lambda name, **args: call(name, getattr(rest, name)(**args).data())
    low = round(bid * 0.95, 2)
    limit = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
    get("order_test", quantity=0.01, price=low, **limit)
    placed = get("new_order", quantity=0.01, price=low, new_client_order_id="sdk-1", **limit)
    check(placed.status == "NEW" and placed.client_order_id == "sdk-1", "the limit order rests")
    check(get("get_order", symbol=SYMBOL, order_id=placed.order_id).status == "NEW", "it is open")
    check(len(get("get_open_orders", symbol=SYMBOL)) == 1, "one order is open")
    replaced = get(
        "order_cancel_replace",
        cancel_replace_mode="STOP_ON_FAILURE",
        cancel_orig_client_order_id="sdk-1",
        new_client_order_id="sdk-2",
        quantity=0.02,
        price=low - 1,
        **limit,
    )
    both = (replaced.cancel_result, replaced.new_order_result)
    check(both == ("SUCCESS", "SUCCESS"), "one order takes the other's place")
    gone = get("get_order", symbol=SYMBOL, orig_client_order_id="sdk-1")
    check(gone.status == "CANCELED", "the first is cancelled")
    gone = get("delete_order", symbol=SYMBOL, orig_client_order_id="sdk-2")
    check(gone.status == "CANCELED", "the second is cancelled")
    market = {"symbol": SYMBOL, "type": "MARKET"}
    bought = get("new_order", side="BUY", quantity=0.02, **market)
    check(bought.status == "FILLED" and bought.fills, "the market order filled")
    check(free(get("get_account"), "BTC") > 5.01, "the coins are there, less the fee")
    trades = get("my_trades", symbol=SYMBOL, order_id=bought.order_id)
    check(sum(float(trade.qty) for trade in trades) == 0.02, "the trades are listed")
    sold = get("new_order", side="SELL", quantity=0.02, **market)
    check(sold.status == "FILLED", "sold again")
    get("new_order", quantity=0.01, price=low, **limit)
    check(len(get("delete_open_orders", symbol=SYMBOL)) == 1, "all orders are cancelled")


def pair(bid, **names):
    """A pair of which one ends the other: sells 5 % above the market, or once it has fallen by 5 %."""
    return {
        "symbol": SYMBOL,
        "side": "SELL",
        "quantity": 0.01,
        "above_type": "LIMIT_MAKER",
        "above_price": round(bid * 1.05, 2),
        "below_type": "STOP_LOSS_LIMIT",
        "below_price": round(bid * 0.94, 2),
        "below_stop_price": round(bid * 0.95, 2),
        "below_time_in_force": "GTC",
        **names,
    }


def rest_lists(rest, bid):
    get = lambda name, **args: call(name, getattr(rest, name)(**args).data())
    placed = get("order_list_oco", **pair(bid, list_client_order_id="sdk-list", new_order_resp_type="RESULT"))
    check(placed.list_order_status == "EXECUTING" and len(placed.orders) == 2, "both orders are there")
    kinds = [report.type for report in placed.order_reports]
    check(kinds == ["STOP_LOSS_LIMIT", "LIMIT_MAKER"], "one is a stop")
    check(len(get("get_open_orders", symbol=SYMBOL)) == 2, "two orders are open")
    found = get("get_order_list", orig_client_order_id="sdk-list")
    check(found.order_list_id == placed.order_list_id, "the list is found by its name")
    check(len(get("open_order_list")) == 1 and len(get("all_order_list")) == 1, "the list is listed")
    gone = get("delete_order_list", symbol=SYMBOL, order_list_id=placed.order_list_id)
    check([report.status for report in gone.order_reports] == ["CANCELED"] * 2, "both are cancelled")
    get("order_list_oco", **pair(bid))
    # The SDK reads the rows of this answer as orders: of a list there is nothing left in it but that it is one row.
    check(len(get("delete_open_orders", symbol=SYMBOL)) == 1, "all are cancelled as one list")
    check(len(get("get_open_orders", symbol=SYMBOL)) == 0 and len(get("open_order_list")) == 0, "nothing is left")


def reports(events, name):
    return [event for event in events if event["e"] == "ExecutionReport" and event.get("c") == name]


async def partial_fill(api, heard):
    """A limit order larger than the best ask takes it and rests with what is left."""
    for attempt in range(20):
        ticker = (await api.ticker_book(symbol=SYMBOL)).data()
        best = call("ws ticker.book", ticker.actual_instance.result)
        name = f"ws-part-{attempt}"
        placed = await api.order_place(
            symbol=SYMBOL,
            side="BUY",
            type="LIMIT",
            time_in_force="GTC",
            quantity=round(float(best.ask_qty) + 0.5, 5),
            price=float(best.ask_price),
            new_client_order_id=name,
        )
        call("ws order.place", placed.data().result)
        await heard.wait(f"the birth of {name}", lambda events: reports(events, name))
        status = (await api.order_status(symbol=SYMBOL, orig_client_order_id=name)).data().result
        call("ws order.status", status)
        if status.status == "PARTIALLY_FILLED":
            return name
        if status.status == "NEW":
            await api.order_cancel(symbol=SYMBOL, orig_client_order_id=name)
    check(False, "no order was filled in part")


async def socket_lists(api, heard):
    ticker = (await api.ticker_book(symbol=SYMBOL)).data()
    bid = float(call("ws ticker.book", ticker.actual_instance.result).bid_price)
    names = {"above_client_order_id": "ws-target", "below_client_order_id": "ws-stop"}
    placed = call("ws orderList.place.oco", (await api.order_list_place_oco(**pair(bid, **names))).data().result)
    check(len(placed.orders) == 2, "both orders are there")
    lists = lambda word: lambda events: any(
        event["e"] == "ListStatus" and event["g"] == placed.order_list_id and event["L"] == word for event in events
    )
    await heard.wait("the list's beginning", lists("EXECUTING"))
    found = (await api.order_list_status(order_list_id=placed.order_list_id)).data().result
    check(call("ws orderList.status", found).list_order_status == "EXECUTING", "the list works")
    call("ws openOrderLists.status", (await api.open_order_lists_status()).data().result)
    gone = (await api.order_cancel(symbol=SYMBOL, orig_client_order_id="ws-stop")).data().result
    call("ws order.cancel of one", getattr(gone, "actual_instance", gone))
    found = (await api.order_list_status(order_list_id=placed.order_list_id)).data().result
    check(found.list_order_status == "ALL_DONE", "the cancel of one ends the list")
    await heard.wait("the list's end", lists("ALL_DONE"))
    ended = lambda events: {event.get("C") for event in events if event.get("x") == "CANCELED"}
    await heard.wait("the end of both", lambda events: {"ws-stop", "ws-target"} <= ended(events))
    placed = (await api.order_list_place_oco(**pair(bid))).data().result
    gone = await api.order_list_cancel(symbol=SYMBOL, order_list_id=placed.order_list_id)
    check(call("ws orderList.cancel", gone.data().result).list_order_status == "ALL_DONE", "the list is cancelled")
    call("ws allOrderLists", (await api.all_order_lists()).data().result)


async def socket_calls(client):
    print("official SDK, streams and WebSocket API")
    heard, prices = Events(), Events()
    streams = client.websocket_streams
    await streams.create_connection()
    for name, args in [
        ("trade", {}),
        ("book_ticker", {}),
        ("diff_book_depth", {"update_speed": "100ms"}),
        ("kline", {"interval": "1m"}),
    ]:
        stream = await getattr(streams, name)(symbol=SYMBOL.lower(), **args)
        stream.on("message", prices.take)
        call(name, "subscribed")
    await prices.wait_kinds("trade", "depthUpdate", "kline")
    await prices.wait("bookTicker", lambda events: any("A" in event and "B" in event for event in events))

    api = client.websocket_api
    await api.create_connection()
    call("ws session.logon", (await api.session_logon()).data().result)
    call("ws session.status", (await api.session_status()).data().result)
    own = await api.user_data_stream_subscribe()
    own.stream.on("message", heard.take)
    call("ws userDataStream.subscribe", own.response.data().result)
    call("ws account.status", (await api.account_status()).data().result)
    call("ws depth", (await api.depth(symbol=SYMBOL)).data().result)
    name = await partial_fill(api, heard)
    await heard.wait(
        "a part of it",
        lambda events: any(event["x"] == "TRADE" and event["X"] == "PARTIALLY_FILLED" for event in reports(events, name)),
    )
    await heard.wait_kinds("OutboundAccountPosition")
    call("ws openOrders.status", (await api.open_orders_status(symbol=SYMBOL)).data().result)
    cancelled = (await api.order_cancel(symbol=SYMBOL, orig_client_order_id=name)).data().result
    cancelled = call("ws order.cancel", getattr(cancelled, "actual_instance", cancelled))
    check(cancelled.status == "CANCELED", "the rest is cancelled")
    await heard.wait(
        "its end",
        lambda events: any(event.get("C") == name and event["X"] == "CANCELED" for event in events),
    )
    await socket_lists(api, heard)
    trades = (await api.my_trades(symbol=SYMBOL)).data().result
    check(len(call("ws myTrades", trades)) >= 3, "the trades are listed")
    await api.close_connection()
    await streams.close_connection()


def with_ccxt():
    print("ccxt")
    with open(SECRET, encoding="ascii") as file:
        exchange = at_simulator(ccxt.binance({"apiKey": KEY, "secret": file.read().strip()}))
    exchange.options["fetchCurrencies"] = False  # an endpoint of the wallet
    exchange.options["fetchMargins"] = False  # as well
    exchange.options["fetchMarkets"] = {"types": ["spot"]}
    symbol = "BTC/USDT"
    get = lambda name, *args, **rest: call(name, getattr(exchange, name)(*args, **rest))
    get("fetch_time")
    check(symbol in get("load_markets"), "the market is listed")
    check(len(get("fetch_ohlcv", symbol, "1m", limit=5)) == 5, "five candles")
    bid = get("fetch_order_book", symbol, 50)["bids"][0][0]
    get("fetch_trades", symbol, params={"fetchTradesMethod": "publicGetTrades"})
    check(get("fetch_balance")["USDT"]["total"] > 900_000, "the wallet")
    placed = get("create_order", symbol, "limit", "buy", 0.01, round(bid * 0.95, 2))
    check(placed["status"] == "open", "the limit order rests")
    check(len(get("fetch_open_orders", symbol)) == 1, "one order is open")
    changed = get("edit_order", placed["id"], symbol, "limit", "buy", 0.02, round(bid * 0.94, 2))
    check(get("fetch_order", placed["id"], symbol)["status"] == "canceled", "the first is cancelled")
    check(get("fetch_order", changed["id"], symbol)["amount"] == 0.02, "its follower is twice as large")
    get("cancel_order", changed["id"], symbol)
    bought = get("create_order", symbol, "market", "buy", 0.02)
    check(bought["status"] == "closed" and bought["filled"] == 0.02, "the market order filled")
    get("create_order", symbol, "market", "sell", 0.02)
    check(len(get("fetch_my_trades", symbol)) >= 2, "the trades are listed")
    get("create_order", symbol, "limit", "buy", 0.01, round(bid * 0.95, 2))
    get("cancel_all_orders", symbol)
    wire = lambda name: "".join(part if at == 0 else part.title() for at, part in enumerate(name.split("_")))
    both = {wire(name): str(value) for name, value in pair(bid, list_client_order_id="ccxt-list").items()}
    placed = get("private_post_orderlist_oco", both)
    check(placed["listOrderStatus"] == "EXECUTING" and len(placed["orders"]) == 2, "a pair is placed")
    check(len(get("fetch_open_orders", symbol)) == 2, "two orders are open")
    check(len(get("private_get_openorderlist")) == 1, "in one list")
    check(get("private_get_orderlist", {"origClientOrderId": "ccxt-list"})["listStatusType"] == "EXEC_STARTED", "found")
    gone = get("private_delete_orderlist", {"symbol": SYMBOL, "listClientOrderId": "ccxt-list"})
    check(len(gone["orderReports"]) == 2, "both are cancelled")
    try:
        exchange.create_order(symbol, "limit", "buy", 1_000, round(bid * 0.95, 2))
        check(False, "an order was taken that nobody could pay for")
    except ccxt.InsufficientFunds as error:
        call("create_order refused", error)


client = sdk()
bid = rest_calls(client.rest_api)
rest_orders(client.rest_api, bid)
rest_lists(client.rest_api, bid)
asyncio.run(socket_calls(client))
with_ccxt()
done()
