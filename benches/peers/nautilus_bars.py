"""NautilusTrader's BacktestEngine over a file of one-minute bars: what its engine takes, nothing else.

Runs inside the environment that run.py makes. The strategy is EMACross of nautilus_trader's own examples with two
changes: it writes no log (the example formats every bar for a log that is off), and after closing a position it waits
for the next bar before it opens the opposite one, because that is what a bracketed engine does too.
"""

import argparse
import json
import sys
import time
from decimal import Decimal

import pandas as pd
from nautilus_trader import __version__
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.examples.strategies.ema_cross import EMACross, EMACrossConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.identifiers import TraderId, Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider

FAST, SLOW = 10, 20
QTY = Decimal("0.100")
STARTING = 10_000_000


class QuietEMACross(EMACross):
    """EMACross without log lines, and with one position change a bar."""

    def on_bar(self, bar):
        if not self.indicators_initialized() or bar.is_single_price():
            return
        instrument_id = self.config.instrument_id
        if self.fast_ema.value >= self.slow_ema.value:
            if self.portfolio.is_flat(instrument_id):
                self.buy()
            elif self.portfolio.is_net_short(instrument_id):
                self.close_all_positions(instrument_id)
        elif self.portfolio.is_flat(instrument_id):
            self.sell()
        elif self.portfolio.is_net_long(instrument_id):
            self.close_all_positions(instrument_id)


def bars_of(path, bar_type, instrument):
    """The file's bars; its times are openings, nautilus_trader's are closes."""
    frame = pd.read_csv(path, index_col="timestamp", parse_dates=True)
    frame.index = frame.index.tz_localize("UTC") + pd.Timedelta(minutes=1)
    return BarDataWrangler(bar_type, instrument).process(frame)


def run(bars, bar_type, instrument):
    """One run with a fresh engine: seconds inside `BacktestEngine.run`, by the wall and of the processor, and what came of it."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId("PEERS-001"),
            logging=LoggingConfig(bypass_logging=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(STARTING, USDT)],
    )
    engine.add_instrument(instrument)
    engine.add_data(bars)
    config = EMACrossConfig(
        instrument_id=instrument.id,
        bar_type=bar_type,
        trade_size=QTY,
        fast_ema_period=FAST,
        slow_ema_period=SLOW,
        subscribe_trade_ticks=False,
        request_bars=False,
        close_positions_on_stop=False,
    )
    engine.add_strategy(QuietEMACross(config))
    begin, begin_cpu = time.perf_counter(), time.process_time()
    engine.run()
    seconds = time.perf_counter() - begin, time.process_time() - begin_cpu
    result = engine.get_result()
    fills = sum(1 for order in engine.cache.orders() if order.is_closed)
    # A netting account keeps one position an instrument; each closing leaves a snapshot.
    closed = [order for order in engine.cache.orders() if order.is_reduce_only]
    balance = engine.cache.account_for_venue(Venue("BINANCE")).balance_total(USDT)
    engine.dispose()
    return seconds, {
        "orders": result.total_orders,
        "fills": fills,
        "trades": len(closed),
        "profit": float(balance.as_decimal()) - STARTING,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    instrument = TestInstrumentProvider.btcusdt_perp_binance()
    bar_type = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
    bars = bars_of(args.data, bar_type, instrument)
    runs = [run(bars, bar_type, instrument) for _ in range(args.runs)]
    if any(told != runs[0][1] for _, told in runs):
        sys.exit("the runs differ")
    json.dump(
        {
            "name": "ema-cross",
            "engine": f"nautilus_trader {__version__}",
            "events": len(bars),
            "seconds": [wall for (wall, _), _ in runs],
            "cpu_seconds": [cpu for (_, cpu), _ in runs],
            **runs[0][1],
        },
        sys.stdout,
    )
    print()


if __name__ == "__main__":
    main()
