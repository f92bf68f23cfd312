"""hftbacktest over a recorded book and its trades: what its loop takes, compiled and warmed up.

Runs inside the environment that run.py makes. Each CYCLE_NS the strategy places one order that only makes, TICKS_AWAY ticks
below the best bid; after LIFE_NS it is cancelled, and what fills is sold at the market at once. It looks once at each message
of the feed. `roivec` is the faster of hftbacktest's two depths, `hashmap` the general one.

    hft_ticks.py convert RECORDED.gz ROWS.npy   the rows of hftbacktest's own converter
    hft_ticks.py run ROWS.npy                   best of some, as JSON
"""

import argparse
import json
import sys
import time

import numpy as np
from hftbacktest import (
    EXCH_EVENT,
    GTC,
    GTX,
    LIMIT,
    MARKET,
    NEW,
    NONE,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    ROIVectorMarketDepthBacktest,
    __version__,
)
from numba import njit

TICK, LOT, QTY = 0.1, 0.001, 0.01
TICKS_AWAY = 5
# The prices that its depth by index keeps: levels beyond cost it nothing. The recorded market stays inside.
ROI = (61_000.0, 63_000.0)
LIFE_NS = 500_000_000
CYCLE_NS = 1_000_000_000
# Ours withdraws what has lived long enough at its next timer.
TIMER_NS = 100_000_000
LATENCY_NS = 5_000_000
# Between the end of one repetition and the beginning of the next.
PAUSE_NS = 1_000_000_000


@njit
def quote(hbt):
    """Messages looked at, orders sent, fills of the resting order."""
    looks = orders = entries = 0
    order_id = 0
    is_resting = is_leaving = is_cancelling = False
    expires = next_entry = 0
    while True:
        told = hbt.wait_next_feed(True, 60_000_000_000)
        if told == 1:
            break
        if told == 2:
            looks += 1
        if is_resting:
            order = hbt.orders(0).get(order_id)
            if order.status != NEW and order.status != NONE:
                is_resting = is_cancelling = False
                hbt.clear_inactive_orders(0)
            elif order.cancellable and not is_cancelling and hbt.current_timestamp >= expires:
                hbt.cancel(0, order_id, False)
                is_cancelling = True
        position = hbt.position(0)
        if is_leaving:
            if position == 0.0:
                is_leaving = False
                hbt.clear_inactive_orders(0)
        elif not is_resting and position > 0.0:
            entries += 1
            order_id += 1
            orders += 1
            hbt.submit_sell_order(0, order_id, hbt.depth(0).best_bid, position, GTC, MARKET, False)
            is_leaving = True
        elif not is_resting and hbt.current_timestamp >= next_entry:
            depth = hbt.depth(0)
            bid, ask = depth.best_bid, depth.best_ask
            if bid < ask:
                order_id += 1
                orders += 1
                price = (depth.best_bid_tick - TICKS_AWAY) * TICK
                hbt.submit_buy_order(0, order_id, price, QTY, GTX, LIMIT, False)
                next_entry = hbt.current_timestamp + CYCLE_NS
                expires = (hbt.current_timestamp + LIFE_NS + TIMER_NS - 1) // TIMER_NS * TIMER_NS
                is_resting = True
    return looks, orders, entries


def convert(source, target):
    from hftbacktest.data.utils import binancefutures

    stdout, sys.stdout = sys.stdout, sys.stderr
    rows = binancefutures.convert(source, buffer_size=3_000_000)
    sys.stdout = stdout
    np.save(target, rows)


def repeated(rows, times):
    """The rows some times, one after the other; each has its own snapshot near its beginning."""
    first = min(rows["exch_ts"].min(), rows["local_ts"].min())
    last = max(rows["exch_ts"].max(), rows["local_ts"].max())
    parts = []
    for at in range(times):
        part = rows.copy()
        part["exch_ts"] += at * (last - first + PAUSE_NS)
        part["local_ts"] += at * (last - first + PAUSE_NS)
        parts.append(part)
    return np.concatenate(parts)


def run(rows, depth):
    """Seconds of one run, by the wall and of the processor, and what came of it."""
    asset = (
        BacktestAsset()
        .data(rows)
        .linear_asset(1.0)
        .constant_order_latency(LATENCY_NS, LATENCY_NS)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0002, 0.0005)
        .tick_size(TICK)
        .lot_size(LOT)
        .last_trades_capacity(0)
    )
    if depth == "roivec":
        build = ROIVectorMarketDepthBacktest
        asset = asset.roi_lb(ROI[0]).roi_ub(ROI[1])
    else:
        build = HashMapMarketDepthBacktest
    hbt = build([asset])
    begin, begin_cpu = time.perf_counter(), time.process_time()
    looks, orders, entries = quote(hbt)
    seconds = time.perf_counter() - begin, time.process_time() - begin_cpu
    values = hbt.state_values(0)
    told = {"looks": looks, "orders": orders, "trades": entries, "fills": int(values.num_trades)}
    hbt.close()
    return seconds, told


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("convert")
    command.add_argument("source")
    command.add_argument("target")
    command = commands.add_parser("run")
    command.add_argument("rows")
    command.add_argument("--times", type=int, default=10)
    command.add_argument("--runs", type=int, default=3)
    command.add_argument("--depth", choices=["roivec", "hashmap"], default="roivec")
    args = parser.parse_args()
    if args.command == "convert":
        convert(args.source, args.target)
        return
    rows = np.load(args.rows)
    run(rows[:50_000], args.depth)  # numba compiles
    rows = repeated(rows, args.times)
    runs = [run(rows, args.depth) for _ in range(args.runs)]
    if any(told != runs[0][1] for _, told in runs):
        sys.exit("the runs differ")
    json.dump(
        {
            "name": "quotes",
            "engine": f"hftbacktest {__version__}",
            "depth": args.depth,
            # A row that arrives in another order than it was sent stands twice: once for each.
            "events": int(np.count_nonzero(rows["ev"] & np.uint64(EXCH_EVENT))),
            "seconds": [wall for (wall, _), _ in runs],
            "cpu_seconds": [cpu for (_, cpu), _ in runs],
            **runs[0][1],
        },
        sys.stdout,
    )
    print()


if __name__ == "__main__":
    main()
