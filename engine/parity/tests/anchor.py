"""Answers for the real package: one job a line on stdin, its table as CSV on stdout.

A job is tab-separated: bars file, swings, table, then key=value arguments. Bars: time_ns, open, high, low, close,
volume. Swings: "-" for none, a swing length, or a file with the columns HighLow, Level. The answer is a line
"table LINES" followed by that many lines, or one line "error TEXT".
"""

import os
import sys
import warnings

os.environ["SMC_CREDIT"] = "0"
warnings.simplefilter("ignore")
answers, sys.stdout = sys.stdout, sys.stderr  # what the package prints is no answer

import pandas as pd  # noqa: E402
from smartmoneyconcepts.smc import smc  # noqa: E402

TYPES = {"swing_length": int, "range_percent": float}
files = {}


def bars(path):
    if path not in files:
        frame = pd.read_csv(path, float_precision="round_trip")
        times = pd.to_datetime(frame.pop("time_ns"), unit="ns")
        files.clear()
        files[path] = frame.astype(float).set_index(pd.DatetimeIndex(times, name=None))
    return files[path]


def swings(frame, said):
    if said.isdigit():
        return smc.swing_highs_lows(frame, swing_length=int(said))
    return pd.read_csv(said, float_precision="round_trip").astype(float)


def argument(text):
    key, value = text.split("=", 1)
    if value in ("True", "False"):
        return key, value == "True"
    return key, TYPES.get(key, str)(value)


def answer(line):
    path, said, table, *arguments = line.rstrip("\n").split("\t")
    frame = bars(path)
    first = [frame.copy()] if said == "-" else [frame.copy(), swings(frame, said)]
    result = getattr(smc, table)(*first, **dict(map(argument, arguments)))
    return result.to_csv(index=False).splitlines()


for line in sys.stdin:
    try:
        lines = answer(line)
        answers.write("\n".join([f"table {len(lines)}", *lines]) + "\n")
    except Exception as error:  # whatever the package throws is what we want to know
        answers.write(f"error {type(error).__name__}: {error}".replace("\n", " ") + "\n")
    answers.flush()
