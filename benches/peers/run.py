#!/usr/bin/env python3
"""The backtest beside NautilusTrader (bars) and hftbacktest (ticks), on this machine, one core each.

    python3 benches/peers/run.py                    all of it; some minutes, most of them NautilusTrader's year
    python3 benches/peers/run.py --only ticks       one of: month, year, ticks
    python3 benches/peers/run.py --json OUT.json    the figures for machines as well; `-` is the standard output

Makes target/peers-venv with the pinned packages at the first start, and target/peers with the data. README.md says
what is measured.
"""

import argparse
import datetime
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
VENV = TOP / "target" / "peers-venv"
DATA = TOP / "target" / "peers"
SHARED = TOP.parent / "shared" / "data" / "market"
MONTH = SHARED / "crypto-1m" / "btc-perp-20211231-20220201_1m.csv.gz"
RECORDED = SHARED / "binance" / "usdm_btcusdt_20240808.gz"
REQUIREMENTS = HERE / "requirements.txt"

SEED = 20240808
YEAR_BARS = 365 * 24 * 60
STEP_SHARE = 0.0004


def note(text):
    print(text, file=sys.stderr, flush=True)


def pinned():
    """Name and version of each required package."""
    lines = (line.split("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines())
    return dict(line.split("==") for line in lines if line)


def environment():
    """The interpreter with the pinned packages; makes it where it is not there, or of other versions."""
    python = VENV / "bin" / "python"
    if not python.exists():
        note(f"making {VENV}")
        venv.create(VENV, with_pip=True)
    ask = (
        "import importlib.metadata as m, json, sys\n"
        "def of(name):\n"
        "    try: return m.version(name)\n"
        "    except m.PackageNotFoundError: return None\n"
        "print(json.dumps({name: of(name) for name in sys.argv[1:]}))"
    )

    def installed():
        return json.loads(subprocess.check_output([python, "-c", ask, *pinned()]))

    if installed() != pinned():
        note("installing nautilus_trader and hftbacktest from PyPI")
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS],
            check=True,
            stdout=sys.stderr,
        )
    if (got := installed()) != pinned():
        sys.exit(f"the environment has {got}, wanted {pinned()}")
    return python, got


def year(bars):
    """A year of one-minute bars, or its beginning: a seeded walk in steps of the tick, in the layout of the month."""
    path = DATA / ("year.csv" if bars == YEAR_BARS else f"year-{bars}.csv")
    if path.exists():
        return path
    note(f"writing {path}")
    rng = random.Random(SEED)
    at = datetime.datetime(2023, 1, 1)
    minute = datetime.timedelta(minutes=1)
    price = 400_000  # in ticks of 0.1
    lines = ["timestamp,open,high,low,close,volume"]
    for _ in range(bars):
        # Four steps within the minute; the walk is drawn back to where it began, so that it does not run away.
        pull = (400_000 - price) / 400_000 * 0.00002
        walk = [price]
        for _ in range(4):
            walk.append(max(1_000, walk[-1] + round(walk[-1] * (rng.gauss(0.0, STEP_SHARE / 2) + pull))))
        price = walk[-1]
        tenths = [walk[0], max(walk), min(walk), price]
        text = ",".join(f"{value // 10}.{value % 10}" for value in tenths)
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},{text},{1 + rng.randrange(500_000) / 1000:.3f}")
        at += minute
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join(lines) + "\n")
    partial.rename(path)
    return path


def ticks(python):
    """The recorded market as hftbacktest's own converter writes it; both sides read this file."""
    path = DATA / "ticks.npy"
    if not path.exists():
        note(f"converting {RECORDED.name}")
        partial = DATA / "partial.npy"
        subprocess.run(
            [python, HERE / "hft_ticks.py", "convert", RECORDED, partial], check=True, stdout=sys.stderr
        )
        partial.rename(path)
    return path


def measured(command):
    """What a measuring program says, run on one core: the last that we may use."""
    core = max(os.sched_getaffinity(0))
    variables = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(str(part) for part in command)}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def speeds(told):
    """Events a second: of the best run, and of the median one."""
    return told["events"] / min(told["seconds"]), told["events"] / statistics.median(told["seconds"])


def compare(name, ours, theirs):
    """One row: both sides, and what lies between them."""
    row = {"name": name, "theirs": theirs, "ours": ours}
    for side in (theirs, ours):
        if side:
            side["best_per_s"], side["median_per_s"] = speeds(side)
    if ours:
        # Of the same market: how long each takes for all of it.
        row["ratio_best"] = min(theirs["seconds"]) / min(ours["seconds"])
        row["ratio_median"] = statistics.median(theirs["seconds"]) / statistics.median(ours["seconds"])
        # Where others work on the machine too, the time that each had the processor says more.
        row["ratio_cpu"] = statistics.median(theirs["cpu_seconds"]) / statistics.median(ours["cpu_seconds"])
        for what in ("orders", "trades"):
            row[f"{what}_ours_to_theirs"] = ours[what] / max(theirs[what], 1)
    return row


def table(rows):
    head = ("", "engine", "events", "best s", "median s", "median cpu s", "best events/s", "median events/s", "orders", "trades")
    lines = [head]
    for row in rows:
        for side in (row["theirs"], row["ours"]):
            if side:
                lines.append(
                    (
                        row["name"],
                        side["engine"],
                        f"{side['events']:,}",
                        f"{min(side['seconds']):.3f}",
                        f"{statistics.median(side['seconds']):.3f}",
                        f"{statistics.median(side['cpu_seconds']):.3f}",
                        f"{side['best_per_s']:,.0f}",
                        f"{side['median_per_s']:,.0f}",
                        f"{side['orders']:,}",
                        f"{side['trades']:,}",
                    )
                )
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    for line in lines:
        cells = [cell.ljust(w) if at < 2 else cell.rjust(w) for at, (cell, w) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())
    print()
    for row in rows:
        if row["ours"]:
            print(
                f"{row['name']}: the same market takes them {row['ratio_median']:.2f} times as long as us "
                f"(medians; best to best {row['ratio_best']:.2f}, processor time {row['ratio_cpu']:.2f}); orders ours to theirs "
                f"{row['orders_ours_to_theirs']:.3f}, trades {row['trades_ours_to_theirs']:.3f}; one core each"
            )
            if not all(0.95 <= row[f"{what}_ours_to_theirs"] <= 1.05 for what in ("orders", "trades")):
                print(f"{row['name']}: NOT COMPARABLE, the two sides did not trade alike")
        else:
            print(f"{row['name']}: ours was not measured, build it: cargo build --release -p smc-backtest --example peers")


def machine():
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":")[1].strip()
            break
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "cores_used": 1,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        "load": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["month", "year", "ticks"], action="append")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, of which best and median are told")
    parser.add_argument("--times", type=int, default=30, help="how often the recorded ticks are repeated")
    parser.add_argument("--bars", type=int, default=YEAR_BARS, help="of the year only its first so many bars")
    parser.add_argument("--json", metavar="FILE", help="write the figures; - is the standard output")
    args = parser.parse_args()
    wanted = args.only or ["month", "year", "ticks"]
    DATA.mkdir(parents=True, exist_ok=True)
    python, versions = environment()
    note(f"python {platform.python_version()}, " + ", ".join(f"{name} {v}" for name, v in versions.items()))
    ours = TARGET / "release" / "examples" / "peers"

    def both(name, theirs, mine):
        note(f"{name}: theirs")
        told = measured([python, *theirs, "--runs", args.runs])
        if not ours.exists():
            return compare(name, None, told)
        note(f"{name}: ours")
        return compare(name, measured([ours, *mine, "--runs", args.runs]), told)

    rows = []
    for name in wanted:
        if name in ("month", "ticks") and not (path := MONTH if name == "month" else RECORDED).exists():
            note(f"{name}: skipped, {path} is not there")
            continue
        if name == "ticks":
            path = ticks(python)
            repeat = ["--times", args.times]
            rows.append(both("ticks", [HERE / "hft_ticks.py", "run", path, *repeat], ["ticks", path, *repeat]))
        else:
            path = MONTH if name == "month" else year(args.bars)
            rows.append(both(f"bars, {name}", [HERE / "nautilus_bars.py", path], ["bars", path]))
    facts = {"machine": machine(), "versions": versions, "rows": rows}
    if args.json == "-":
        json.dump(facts, sys.stdout, indent=1)
        print()
        return
    if args.json:
        Path(args.json).write_text(json.dumps(facts, indent=1) + "\n")
    table(rows)


if __name__ == "__main__":
    main()
