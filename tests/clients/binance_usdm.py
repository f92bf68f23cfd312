"""Other people's clients at the simulated Binance futures: the official SDK and ccxt, unchanged but for address and
certificate. For its arguments see common.py.
"""

import asyncio
import ssl

import ccxt
from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)

from common import ADDRESS, CA, KEY, SECRET, Events, at_simulator, call, check, done

SYMBOL = "BTCUSDT"
TLS = ssl.create_default_context(cafile=CA)


def sdk():
    keys = {"api_key": KEY, "api_secret": SECRET, "https_agent": TLS}
    return DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(base_path=f"https://{ADDRESS}", timeout=10_000, **keys),
        config_ws_api=ConfigurationWebSocketAPI(stream_url=f"wss://{ADDRESS}/ws-fapi/v1", **keys),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=f"wss://{ADDRESS}", https_agent=TLS),
    )


def orders(events):
    return [event["o"] for event in events if event.get("e") == "OrderTradeUpdate"]


def rest_calls(rest):
    print("official SDK, REST")
    get = lambda name, **args: call(name, getattr(rest, name)(**args).data())
    get("test_connectivity")
    get("check_server_time")
    info = get("exchange_information")
    check(info.symbols[0].symbol == SYMBOL, "the symbol is listed")
    candles = get("kline_candlestick_data", symbol=SYMBOL, interval="1m", limit=5)
    check(len(candles) == 5, "five candles")
    book = get("order_book", symbol=SYMBOL, limit=50)
    check(float(book.bids[0][0]) < float(book.asks[0][0]), "the book is not crossed")
    get("recent_trades_list", symbol=SYMBOL)
    get("compressed_aggregate_trades_list", symbol=SYMBOL)
    get("symbol_order_book_ticker", symbol=SYMBOL)
    get("symbol_price_ticker", symbol=SYMBOL)
    get("mark_price", symbol=SYMBOL)
    get("get_funding_rate_history", symbol=SYMBOL)
    get("account_information_v2")
    account = get("account_information_v3")
    check(account.total_wallet_balance == "1000000.00000000", "a million in the wallet")
    get("futures_account_balance_v2")
    get("futures_account_balance_v3")
    get("futures_account_configuration")
    get("symbol_configuration", symbol=SYMBOL)
    get("get_current_position_mode")
    get("user_commission_rate", symbol=SYMBOL)
    get("query_user_rate_limit")
    get("notional_and_leverage_brackets", symbol=SYMBOL)
    leverage = get("change_initial_leverage", symbol=SYMBOL, leverage=10)
    check(leverage.leverage == 10, "the leverage is ten")


def rest_orders(rest):
    get = lambda name, **args: call(name, getattr(rest, name)(**args).data())
    bid = float(get("order_book", symbol=SYMBOL, limit=5).bids[0][0])
    low = round(bid * 0.95, 1)
    limit = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTX"}
    placed = get("new_order", quantity=0.01, price=low, new_client_order_id="sdk-1", **limit)
    check(placed.status == "NEW" and placed.client_order_id == "sdk-1", "the limit order rests")
    changed = get(
        "modify_order", symbol=SYMBOL, side="BUY", order_id=placed.order_id, quantity=0.02, price=low - 1
    )
    check(changed.orig_qty == "0.020", "the quantity is doubled")
    check(get("query_order", symbol=SYMBOL, order_id=placed.order_id).status == "NEW", "it is open")
    check(len(get("current_all_open_orders", symbol=SYMBOL)) == 1, "one order is open")
    get("auto_cancel_all_open_orders", symbol=SYMBOL, countdown_time=60_000)
    get("auto_cancel_all_open_orders", symbol=SYMBOL, countdown_time=0)
    check(get("cancel_order", symbol=SYMBOL, orig_client_order_id="sdk-1").status == "CANCELED", "cancelled")
    market = {"symbol": SYMBOL, "type": "MARKET", "new_order_resp_type": "RESULT"}
    bought = get("new_order", side="BUY", quantity=0.02, **market)
    check(bought.status == "FILLED", "the market order filled")
    position = get("position_information_v3", symbol=SYMBOL)
    check(position[0].position_amt == "0.020", "the position is what was bought")
    get("position_information_v2", symbol=SYMBOL)
    stop = get(
        "new_algo_order",
        algo_type="CONDITIONAL",
        symbol=SYMBOL,
        side="SELL",
        type="STOP_MARKET",
        trigger_price=round(bid * 0.9, 1),
        close_position="true",
        client_algo_id="sdk-stop",
    )
    check(stop.algo_status == "NEW", "the stop sleeps")
    check(len(get("current_all_algo_open_orders", symbol=SYMBOL)) == 1, "one stop is open")
    get("query_algo_order", client_algo_id="sdk-stop")
    get("cancel_algo_order", client_algo_id="sdk-stop")
    sold = get("new_order", side="SELL", quantity=0.02, reduce_only="true", **market)
    check(sold.status == "FILLED" and sold.reduce_only, "the position is closed")
    check(get("position_information_v3", symbol=SYMBOL) == [], "nothing is held")
    check(len(get("account_trade_list", symbol=SYMBOL)) >= 2, "the trades are listed")
    get("all_orders", symbol=SYMBOL)
    check(len(get("get_income_history", income_type="COMMISSION")) >= 2, "the fees are listed")
    get("cancel_all_open_orders", symbol=SYMBOL)


async def partial_fill(api, heard):
    """A limit order larger than the best ask takes it and rests with what is left."""
    for attempt in range(20):
        ticker = (await api.symbol_order_book_ticker(symbol=SYMBOL)).data()
        best = call("ws ticker.book", ticker.actual_instance.result)
        quantity = round(float(best.ask_qty) + 1, 3)
        name = f"ws-part-{attempt}"
        placed = await api.new_order(
            symbol=SYMBOL,
            side="BUY",
            type="LIMIT",
            time_in_force="GTC",
            quantity=quantity,
            price=float(best.ask_price),
            new_client_order_id=name,
        )
        call("ws order.place", placed.data().result)
        await heard.wait(f"the birth of {name}", lambda events: any(o["c"] == name for o in orders(events)))
        status = (await api.query_order(symbol=SYMBOL, orig_client_order_id=name)).data().result
        call("ws order.status", status)
        if status.status == "PARTIALLY_FILLED":
            return name, status
        if status.status == "NEW":
            await api.cancel_order(symbol=SYMBOL, orig_client_order_id=name)
    check(False, "no order was filled in part")


async def socket_calls(client):
    print("official SDK, streams and WebSocket API")
    heard, prices = Events(), Events()
    key = call("start_user_data_stream", client.rest_api.start_user_data_stream().data()).listen_key
    call("keepalive_user_data_stream", client.rest_api.keepalive_user_data_stream().data())
    streams = client.websocket_streams
    await streams.create_connection()
    (await streams.user_data(key)).on("message", heard.take)
    for name, args in [
        ("aggregate_trade_streams", {"symbol": SYMBOL.lower()}),
        ("individual_symbol_book_ticker_streams", {"symbol": SYMBOL.lower()}),
        ("diff_book_depth_streams", {"symbol": SYMBOL.lower(), "update_speed": "100ms"}),
        ("mark_price_stream", {"symbol": SYMBOL.lower(), "update_speed": "1s"}),
        ("kline_candlestick_streams", {"symbol": SYMBOL.lower(), "interval": "1m"}),
    ]:
        stream = await getattr(streams, name)(**args)
        stream.on("message", prices.take)
        call(name, "subscribed")
    await prices.wait_kinds("aggTrade", "bookTicker", "depthUpdate", "markPriceUpdate", "kline")

    api = client.websocket_api
    await api.create_connection()
    call("ws v2/account.status", (await api.account_information_v2()).data())
    call("ws v2/account.balance", (await api.futures_account_balance_v2()).data())
    call("ws depth", (await api.order_book(symbol=SYMBOL)).data())
    name, status = await partial_fill(api, heard)
    await heard.wait(
        "a part of it in short and in full",
        lambda events: any(e.get("e") == "TradeLite" and e["c"] == name for e in events)
        and any(o["x"] == "TRADE" and o["X"] == "PARTIALLY_FILLED" for o in orders(events)),
    )
    price, quantity = round(float(status.price) * 0.96, 1), round(float(status.executed_qty) + 1, 3)
    changed = await api.modify_order(
        symbol=SYMBOL, side="BUY", orig_client_order_id=name, quantity=quantity, price=price
    )
    call("ws order.modify", changed.data().result)
    await heard.wait("its change", lambda events: any(o["x"] == "AMENDMENT" for o in orders(events)))
    cancelled = call("ws order.cancel", (await api.cancel_order(symbol=SYMBOL, orig_client_order_id=name)).data())
    check(cancelled.result.status == "CANCELED", "the rest is cancelled")
    await heard.wait(
        "its end", lambda events: any(o["c"] == name and o["X"] == "CANCELED" for o in orders(events))
    )
    await heard.wait(
        "the account's change",
        lambda events: any(e.get("e") == "AccountUpdate" and e["a"]["m"] == "ORDER" for e in events),
    )
    held = float((await api.position_information_v2()).data().result[0].position_amt)
    sold = await api.new_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity=held, reduce_only="true")
    call("ws order.place reduceOnly", sold.data().result)
    await heard.wait(
        "profit or loss", lambda events: any(o["S"] == "SELL" and o["X"] == "FILLED" for o in orders(events))
    )
    call("ws position", (await api.position_information_v2()).data())
    await api.close_connection()
    await streams.close_connection()
    call("close_user_data_stream", client.rest_api.close_user_data_stream().data())


def with_ccxt():
    print("ccxt")
    exchange = at_simulator(ccxt.binanceusdm({"apiKey": KEY, "secret": SECRET}))
    exchange.options["fetchCurrencies"] = False  # an endpoint of the spot wallet
    exchange.options["fetchMarkets"] = {"types": ["linear"]}
    symbol = "BTC/USDT:USDT"
    get = lambda name, *args, **rest: call(name, getattr(exchange, name)(*args, **rest))
    get("fetch_time")
    check(symbol in get("load_markets"), "the market is listed")
    check(len(get("fetch_ohlcv", symbol, "1m", limit=5)) == 5, "five candles")
    book = get("fetch_order_book", symbol, 50)
    bid = book["bids"][0][0]
    get("fetch_trades", symbol)
    get("fetch_funding_rate", symbol)
    check(get("fetch_balance")["USDT"]["total"] > 900_000, "the wallet")
    get("set_leverage", 20, symbol)
    placed = get("create_order", symbol, "limit", "buy", 0.01, round(bid * 0.95, 1))
    check(placed["status"] == "open", "the limit order rests")
    changed = get("edit_order", placed["id"], symbol, "limit", "buy", 0.02, round(bid * 0.94, 1))
    check(changed["amount"] == 0.02, "the quantity is doubled")
    check(len(get("fetch_open_orders", symbol)) == 1, "one order is open")
    check(get("fetch_order", placed["id"], symbol)["status"] == "open", "it is open")
    get("cancel_order", placed["id"], symbol)
    bought = get("create_order", symbol, "market", "buy", 0.02)
    check(bought["status"] == "closed" and bought["filled"] == 0.02, "the market order filled")
    positions = get("fetch_positions", [symbol])
    check(positions[0]["contracts"] == 0.02 and positions[0]["side"] == "long", "the position")
    get("create_order", symbol, "market", "sell", 0.02, params={"reduceOnly": True})
    stop = {"triggerPrice": round(bid * 0.9, 1)}
    sleeping = get("create_order", symbol, "market", "sell", 0.01, params=stop)
    get("cancel_order", sleeping["id"], symbol, params={"trigger": True})
    check(len(get("fetch_my_trades", symbol)) >= 2, "the trades are listed")
    get("fetch_orders", symbol)
    get("cancel_all_orders", symbol)
    refused = "none"
    try:
        exchange.create_order(symbol, "limit", "buy", 0.01, round(bid * 1.3, 1))
    except ccxt.ExchangeError as error:
        refused = str(error)
    check("-4016" in refused, f"a price far above the mark is refused: {refused}")


client = sdk()
rest_calls(client.rest_api)
rest_orders(client.rest_api)
asyncio.run(socket_calls(client))
with_ccxt()
done()
