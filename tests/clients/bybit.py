"""Other people's clients at the simulated Bybit: pybit and ccxt, unchanged but for address and certificate. For its
arguments see common.py.
"""

import time

import ccxt
import pybit._websocket_trading
import pybit.unified_trading as pybit_api

import common
from common import ADDRESS, CA, KEY, SECRET, at_simulator, call, check, done

SYMBOL = "BTCUSDT"


class Heard(common.Heard):
    """What came on streams, by topic."""

    def rows(self, topic):
        return [row for message in self.messages if message.get("topic") == topic for row in message["data"]]

    def wait(self, what, found):
        return super().wait(what, lambda _: found(self))


def pybit_addresses():
    pybit_api.PUBLIC_WSS = f"wss://{ADDRESS}/v5/public/{{CHANNEL_TYPE}}"
    pybit_api.PRIVATE_WSS = f"wss://{ADDRESS}/v5/private"
    pybit._websocket_trading.TRADE_WSS = f"wss://{ADDRESS}/v5/trade"


def with_pybit(category):
    print(f"pybit, {category}")
    http = pybit_api.HTTP(api_key=KEY, api_secret=SECRET)
    http.endpoint = f"https://{ADDRESS}"
    http.client.verify = CA  # pybit sends past what reads the variable
    of = {"category": category, "symbol": SYMBOL}
    call("get_server_time", http.get_server_time())
    rules = call("get_instruments_info", http.get_instruments_info(**of))["result"]["list"][0]
    check(rules["status"] == "Trading", rules)
    candles = call("get_kline", http.get_kline(**of, interval="1", limit=5))["result"]["list"]
    check(len(candles) == 5 and int(candles[0][0]) > int(candles[4][0]), "candles come newest first")
    book = call("get_orderbook", http.get_orderbook(**of, limit=5))["result"]
    bid, ask = float(book["b"][0][0]), float(book["a"][0][0])
    check(bid < ask, book)
    call("get_tickers", http.get_tickers(**of))
    call("get_public_trade_history", http.get_public_trade_history(**of))
    call("get_wallet_balance", http.get_wallet_balance(accountType="UNIFIED"))
    call("get_account_info", http.get_account_info())
    call("get_fee_rates", http.get_fee_rates(category=category))
    call("get_api_key_information", http.get_api_key_information())

    public, private, answers = Heard(), Heard(), Heard()
    stream = pybit_api.WebSocket(testnet=False, channel_type=category)
    stream.orderbook_stream(50, SYMBOL, public.take)
    stream.trade_stream(SYMBOL, public.take)
    stream.ticker_stream(SYMBOL, public.take)
    stream.kline_stream(1, SYMBOL, public.take)
    public.wait("a book", lambda heard: any(m.get("topic") == f"orderbook.50.{SYMBOL}" for m in heard.messages))
    public.wait("a ticker", lambda heard: any(m.get("topic") == f"tickers.{SYMBOL}" for m in heard.messages))
    call("orderbook, trade, ticker and kline streams", f"{len(public.messages)} messages")
    own = pybit_api.WebSocket(testnet=False, channel_type="private", api_key=KEY, api_secret=SECRET)
    own.order_stream(private.take)
    own.execution_stream(private.take)
    own.fast_execution_stream(private.take)
    own.position_stream(private.take)
    own.wallet_stream(private.take)
    time.sleep(0.5)  # pybit does not say when its subscriptions are acknowledged

    def states(link_id):
        return [r["orderStatus"] for r in private.rows("order") if r["orderLinkId"] == link_id]

    run = str(time.time_ns())
    far = f"{bid * 0.98:.2f}"
    limit = of | {"side": "Buy", "orderType": "Limit", "qty": "0.01", "timeInForce": "GTC"}
    resting = f"rest-{run}"
    placed = call("place_order limit", http.place_order(**limit, price=far, orderLinkId=resting))["result"]
    private.wait("New", lambda _: "New" in states(resting))
    open_orders = call("get_open_orders", http.get_open_orders(**of))["result"]["list"]
    check(placed["orderId"] in [row["orderId"] for row in open_orders], open_orders)
    amended = http.amend_order(**of, orderId=placed["orderId"], price=f"{bid * 0.97:.2f}")
    check(call("amend_order", amended)["result"]["orderId"] == placed["orderId"], amended)
    private.wait("the amended price", lambda h: any(r["price"] == f"{bid * 0.97:.2f}" for r in h.rows("order")))
    call("cancel_order", http.cancel_order(**of, orderLinkId=resting))
    private.wait("Cancelled", lambda _: "Cancelled" in states(resting))
    market = f"market-{run}"
    bought = of | {"side": "Buy", "orderType": "Market", "qty": "0.02", "orderLinkId": market}
    if category == "spot":
        bought["marketUnit"] = "baseCoin"
    call("place_order market", http.place_order(**bought))
    private.wait("Filled", lambda _: "Filled" in states(market))
    private.wait("its execution", lambda h: any(r["orderLinkId"] == market for r in h.rows("execution")))
    private.wait("the wallet", lambda h: h.rows("wallet"))
    call("private streams", sorted({m["topic"] for m in private.messages if "topic" in m}))

    # More than the best ask holds: a part fills at once, the rest waits until it is cancelled.
    best = http.get_orderbook(**of, limit=1)["result"]["a"][0]
    size = f"{float(best[1]) + 0.05:.5f}"
    part = f"part-{run}"
    http.place_order(**(limit | {"qty": size}), price=best[0], orderLinkId=part)
    private.wait("a partial fill", lambda _: "PartiallyFilled" in states(part) or "Filled" in states(part))
    call("place_order beyond the best ask", states(part))
    call("cancel_all_orders", http.cancel_all_orders(**of))
    history = call("get_order_history", http.get_order_history(**of))["result"]["list"]
    check({resting, market} <= {row["orderLinkId"] for row in history}, history)
    fills = call("get_executions", http.get_executions(**of))["result"]["list"]
    heard = {row["execId"] for row in private.rows("execution")}
    check(heard <= {row["execId"] for row in fills}, "every execution heard is listed")

    trading = pybit_api.WebSocketTrading(testnet=False, api_key=KEY, api_secret=SECRET)
    trading.place_order(answers.take, **limit, price=far, orderLinkId=f"ws-{run}")
    answer = answers.wait("an answer", lambda h: h.messages[0] if h.messages else None)
    call("WebSocket place_order", answer["data"])
    trading.amend_order(answers.take, **of, orderId=answer["data"]["orderId"], qty="0.02")
    answers.wait("an answer", lambda h: len(h.messages) > 1)
    call("WebSocket amend_order", answers.messages[1]["data"])
    trading.cancel_order(answers.take, **of, orderId=answer["data"]["orderId"])
    answers.wait("an answer", lambda h: len(h.messages) > 2)
    call("WebSocket cancel_order", answers.messages[2]["data"])
    batch = [{k: v for k, v in limit.items() if k != "category"} | {"price": far} for _ in range(2)]
    call("place_batch_order", http.place_batch_order(category=category, request=batch)["result"])
    call("cancel_all_orders", http.cancel_all_orders(**of)["result"])

    if category == "linear":
        position = call("get_positions", http.get_positions(**of))["result"]["list"][0]
        check(position["side"] == "Buy", position)
        call("set_leverage", http.set_leverage(**of, buyLeverage="10", sellLeverage="10"))
        call("set_trading_stop", http.set_trading_stop(**of, stopLoss=f"{bid * 0.9:.2f}", positionIdx=0))
        close = of | {"side": "Sell", "orderType": "Market", "qty": position["size"], "reduceOnly": True}
        call("place_order reduce only", http.place_order(**close))
        private.wait("a flat position", lambda h: h.rows("position")[-1]["size"] in ("0", "0.00000"))
    for socket in (stream, own, trading):
        socket.exit()


def with_ccxt(kind):
    print(f"ccxt, {kind}")
    exchange = at_simulator(ccxt.bybit({"apiKey": KEY, "secret": SECRET, "options": {"defaultType": kind}}))
    symbol = "BTC/USDT" if kind == "spot" else "BTC/USDT:USDT"
    markets = call("load_markets", exchange.load_markets())
    check(symbol in markets, list(markets))
    call("fetch_time", exchange.fetch_time())
    candles = call("fetch_ohlcv", exchange.fetch_ohlcv(symbol, "1m", limit=5))
    check(len(candles) == 5 and candles[0][0] < candles[4][0], candles)
    book = call("fetch_order_book", exchange.fetch_order_book(symbol, limit=5))
    call("fetch_ticker", exchange.fetch_ticker(symbol))
    call("fetch_trades", exchange.fetch_trades(symbol))
    call("fetch_balance", exchange.fetch_balance()["total"])
    bid, ask = book["bids"][0][0], book["asks"][0]
    order = call("create_order limit", exchange.create_order(symbol, "limit", "buy", 0.01, bid * 0.98))
    check(order["id"] in [row["id"] for row in exchange.fetch_open_orders(symbol)], order)
    call("fetch_open_orders", order["id"])
    changed = exchange.edit_order(order["id"], symbol, "limit", "buy", 0.02, bid * 0.97)
    check(call("edit_order", changed)["id"] == order["id"], changed)
    call("cancel_order", exchange.cancel_order(order["id"], symbol))
    post_only = {"postOnly": True}
    taker = call("create_order post-only", exchange.create_order(symbol, "limit", "buy", 0.01, ask[0] * 1.01, post_only))
    ended = exchange.fetch_canceled_orders(symbol)
    check(taker["id"] in [row["id"] for row in ended], "a post-only order that would take is cancelled")
    call("fetch_canceled_orders", len(ended))
    bought = exchange.create_order(symbol, "market", "buy", 0.02, ask[0])
    call("create_order market", bought)
    part = call("create_order beyond the best ask", exchange.create_order(symbol, "limit", "buy", ask[1] + 0.05, ask[0]))
    trades = call("fetch_my_trades", exchange.fetch_my_trades(symbol))
    check({bought["id"]} <= {trade["order"] for trade in trades}, trades)
    call("cancel_all_orders", exchange.cancel_all_orders(symbol))
    check(exchange.fetch_open_orders(symbol) == [], part)
    if kind == "swap":
        position = call("fetch_positions", exchange.fetch_positions([symbol]))[0]
        check(position["side"] == "long", position)
        call("set_leverage", exchange.set_leverage(5, symbol))
        size = position["contracts"]
        close = exchange.create_order(symbol, "market", "sell", size, None, {"reduceOnly": True})
        call("create_order reduce only", close)
        check(all(not p["contracts"] for p in exchange.fetch_positions([symbol])), "the position is closed")


pybit_addresses()
with_pybit("spot")
with_pybit("linear")
with_ccxt("spot")
with_ccxt("swap")
done()
