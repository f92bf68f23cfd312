"""Reads every Parquet table with DuckDB and pandas and compares it with the CSV table of the same export.

usage: check.py PARQUET_DIR CSV_DIR

Row counts, exact sums of every decimal column, texts, flags and times of every row. Ends with status 1 at the first
difference. The CSV files are read by Python's own csv module, so that no two readers share code.
"""

import csv
import sys
from decimal import Decimal, getcontext
from pathlib import Path

import duckdb
import pandas
import pyarrow.parquet

getcontext().prec = 60
csv.field_size_limit(1 << 30)


def fail(text):
    sys.exit(f"check.py: {text}")


def same(what, one, other):
    if one != other:
        fail(f"{what}: {one!r} is not {other!r}")


def csv_columns(path):
    """Texts by column; an absent value and an empty text are both empty."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return {name: [row[nth] for row in rows[1:]] for nth, name in enumerate(rows[0])}


def unmarked(text):
    """A text without the apostrophe that keeps spreadsheets from calculating it."""
    return text[1:] if text.startswith("'") else text


def wrapped(text):
    """A time as the signed 64 bits that Parquet keeps."""
    number = int(text)
    return number - (1 << 64) if number >= 1 << 63 else number


def check_table(parquet, columns, connection):
    name = parquet.stem
    schema = pyarrow.parquet.read_schema(parquet)
    same(f"{name}: columns", schema.names, list(columns))
    frame = pandas.read_parquet(parquet)
    rows = len(columns[schema.names[0]])
    same(f"{name}: rows in pandas", len(frame), rows)
    source = f"read_parquet('{parquet}')"
    same(f"{name}: rows in DuckDB", connection.execute(f"select count(*) from {source}").fetchone()[0], rows)
    decimals = 0
    for field in schema:
        texts = columns[field.name]
        what = f"{name}.{field.name}"
        kind = str(field.type)
        quoted = '"' + field.name + '"'
        if kind.startswith("decimal"):
            same(f"{what}: type", kind, "decimal128(19, 8)")
            total = sum((Decimal(text) for text in texts if text), Decimal(0))
            in_duckdb = connection.execute(f"select sum({quoted}) from {source}").fetchone()[0]
            same(f"{what}: sum in DuckDB", in_duckdb or Decimal(0), total)
            in_pandas = sum((value for value in frame[field.name] if value is not None), Decimal(0))
            same(f"{what}: sum in pandas", in_pandas, total)
            decimals += 1
        elif kind.startswith("timestamp"):
            same(f"{what}: type", kind, "timestamp[ns, tz=UTC]")
            times = [wrapped(text) for text in texts]
            same(f"{what}: in pandas", list(frame[field.name].astype("int64")), times)
            # Both ends of the range are DuckDB's infinities.
            if all(abs(time) < (1 << 63) - 1 for time in times):
                in_duckdb = connection.execute(f"select epoch_ns({quoted}) from {source}").fetchall()
                same(f"{what}: in DuckDB", [row[0] for row in in_duckdb], times)
        elif kind in ("uint32", "uint64", "int32", "int64"):
            total = sum(int(text) for text in texts if text)
            in_duckdb = connection.execute(f"select sum({quoted}::hugeint) from {source}").fetchone()[0]
            same(f"{what}: sum in DuckDB", in_duckdb or 0, total)
            table = pyarrow.parquet.read_table(parquet, columns=[field.name])
            same(f"{what}: values", table[field.name].to_pylist(), [int(text) if text else None for text in texts])
        elif kind == "string":
            in_duckdb = connection.execute(f"select {quoted} from {source}").fetchall()
            same(f"{what}: in DuckDB", [row[0] or "" for row in in_duckdb], [unmarked(text) for text in texts])
        elif kind == "bool":
            table = pyarrow.parquet.read_table(parquet, columns=[field.name])
            flags = {"true": True, "false": False, "": None}
            same(f"{what}: values", table[field.name].to_pylist(), [flags[text] for text in texts])
        elif kind == "binary":
            table = pyarrow.parquet.read_table(parquet, columns=[field.name])
            same(f"{what}: values", [value.hex() for value in table[field.name].to_pylist()], texts)
        else:
            fail(f"{what} is a {kind}")
    return rows, decimals


def main():
    parquet_dir, csv_dir = Path(sys.argv[1]), Path(sys.argv[2])
    tables = sorted(path.stem for path in parquet_dir.glob("*.parquet"))
    same("tables", tables, sorted(path.stem for path in csv_dir.glob("*.csv")))
    connection = duckdb.connect()
    # One thread: rows come in the order of the file.
    connection.execute("set threads to 1")
    rows = decimals = 0
    for table in tables:
        found = check_table(parquet_dir / f"{table}.parquet", csv_columns(csv_dir / f"{table}.csv"), connection)
        rows, decimals = rows + found[0], decimals + found[1]
    print(
        f"{len(tables)} tables, {rows} rows, {decimals} decimal columns agree: "
        f"duckdb {duckdb.__version__}, pandas {pandas.__version__}, pyarrow {pyarrow.__version__}"
    )


main()
