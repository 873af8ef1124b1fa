"""Reads the JSON files of bench/peers and of bench_attention into rows that can be compared. Layer: tools/bench_report."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any, Iterable, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "peers"))
from harness.errors import BadInput  # noqa: E402
from harness.shapes import Shape, parse_shape  # noqa: E402

OURS = "rapt"
OWN_BACKENDS = ("onednn", "reference")  # of rapt: drawn and listed, but no other projects

# What a plot can show and a ratio of two can hold; no machine measures beyond.
LEAST, MOST = 1e-12, 1e15


class BadFile(Exception):
    """One line that says what is wrong with a file."""


SCHEMA_ERRORS = (AttributeError, KeyError, OverflowError, TypeError, ValueError)  # of taking a row apart that is something else


class Row(NamedTuple):
    shape: Shape
    dtype: str
    peer: str
    threads: int
    seconds: float  # of the fastest call
    median: float
    gflops: float
    gbytes: float  # K and V a second
    peak_share: float  # percent of the FMA peak; NaN where unknown
    read_share: float  # percent of the read bandwidth of the level that holds K and V; NaN where unknown
    limits: dict[str, float]  # "fma": GFLOP/s; "L3", "DRAM", ...: GB/s

    @property
    def decoding(self) -> bool:
        """So few queries that reading K and V is the bound."""
        s = self.shape
        return s.q_len * s.q_heads // s.kv_heads <= 32 and s.kv_len >= 16 * s.q_len

    @property
    def small(self) -> bool:
        """So little work that the call itself costs: less than 4 million FMAs."""
        return not self.decoding and self.gflops * 1e9 * self.seconds < 8e6

    @property
    def intensity(self) -> float:
        """FLOPs for each byte of K and V."""
        return self.gflops / self.gbytes if self.gbytes else math.inf


class Machine(NamedTuple):
    """One file's context: rows of two are never compared."""

    context: dict[str, Any]
    rows: list[Row]
    skipped: list[tuple[str, str]]  # the name of a row and why it was not measured

    def select(self, **wanted: Any) -> list[Row]:
        """Rows whose attributes are those wanted, as in select(dtype="f32", threads=1)."""
        return [row for row in self.rows if all(getattr(row, key) == value for key, value in wanted.items())]


def unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def number_of(row: dict[str, Any], key: str, default: float | None = None) -> float:
    """A member of a row that counts or measures: 0, or something that is neither endless nor negative."""
    if default is not None and key not in row:
        return default
    value = float(row[key])
    if value != 0 and not LEAST <= value <= MOST:
        raise ValueError(f"{key} is {value:g}; it must be 0, or from {LEAST:g} to {MOST:g}")
    return value


def above_zero(row: dict[str, Any], key: str) -> float:
    value = number_of(row, key)
    if value == 0:
        raise ValueError(f"{key} is 0; it must be above 0")
    return value


def size_of(row: dict[str, Any], key: str) -> int:
    value = number_of(row, key)
    if value < 1 or value != int(value):
        raise ValueError(f"{key} is {value:g}; it must be a whole number above 0")
    return int(value)


def name_of(row: dict[str, Any]) -> str:
    if not isinstance(row["name"], str):
        raise TypeError(f"name is {row['name']!r}; it must be a text")
    return row["name"]


def shape_of(name: str, row: dict[str, Any]) -> Shape | None:
    """By the row's own numbers, else by its name: that of a shape, and after it perhaps a mask and a variant."""
    keys = ("batch", "q_heads", "kv_heads", "q_len", "kv_len", "head_dim", "head_dim_v")
    if all(key in row for key in keys):
        return Shape(name, *(size_of(row, key) for key in keys), "bottom_right" if row.get("causal") else "none")
    text, *more = name.split("/")
    try:
        shape = parse_shape(text)
    except BadInput:
        return None
    causal = more[0] if more and more[0] in ("none", "top_left", "bottom_right") else shape.causal
    return shape._replace(name=name, causal=causal)


def limits_of(row: dict[str, Any], dtype: str) -> dict[str, float]:
    found = {match[1]: number_of(row, key) for key in row if (match := re.fullmatch(r"read_(\w+)_GB/s", key))}
    if "fma_peak_GFLOP/s" in row:
        found["fma"] = number_of(row, "fma_peak_GFLOP/s")
    elif row.get("%peak") and dtype != "bf16":  # that of bench_attention may be a share of other products' peak
        found["fma"] = 100 * number_of(row, "GFLOP/s") / number_of(row, "%peak")
    return found


def parse_name(name: str) -> tuple[str, str, str, int] | None:
    """Shape, element type, peer, threads. bench/peers: shape/type/peer/threads:N; bench_attention: shape/backend/isa/threads:N."""
    found = re.fullmatch(r"(.+)/(f32|bf16|f16)/(\w+)/threads:(\d{1,6})", name)
    if found:
        return found[1], found[2], found[3], int(found[4])
    found = re.fullmatch(r"(.+)/(rapt|reference|onednn)/\w+/threads:(\d{1,6})(?:/manual_time)?", name)
    if not found:
        return None
    variant = re.search(r"/(bf16|f16)(?:_panels)?$", found[1])
    return found[1], variant[1] if variant else "f32", found[2], int(found[3])


def seconds_of(row: dict[str, Any]) -> float:
    return above_zero(row, "real_time") * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[row.get("time_unit", "ns")]


def median_of(row: dict[str, Any]) -> float:
    return above_zero(row, "median_s") if "median_s" in row else seconds_of(row)


def parse_row(row: dict[str, Any]) -> Row | None:
    """None for a row that failed, or of something else than attention."""
    if row.get("error_occurred"):
        return None
    parsed = parse_name(name_of(row))
    shape = parsed and shape_of(parsed[0], row)
    if not parsed or not shape or "GFLOP/s" not in row:
        return None
    _, dtype, peer, threads = parsed
    return Row(shape, dtype, peer, threads, seconds_of(row), median_of(row), above_zero(row, "GFLOP/s"), number_of(row, "GB/s", 0),
               number_of(row, "%peak", math.nan), number_of(row, "%read", math.nan), limits_of(row, dtype))  # fmt: skip


def read_rows(path: str) -> dict[str, Any]:
    """A file of Google Benchmark's schema: its "context", and the list "benchmarks"."""
    try:
        content = json.loads(Path(path).read_text())
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from None
    except ValueError:
        raise BadFile(f"{path} is not JSON") from None
    except RecursionError:
        raise BadFile(f"{path} is nested too deeply to be of Google Benchmark's schema") from None
    if not isinstance(content, dict) or not isinstance(content.get("benchmarks"), list):
        raise BadFile(f"{path} has no list \"benchmarks\": it is not of Google Benchmark's schema")
    return content


def read(path: str) -> Machine:
    content = read_rows(path)
    try:
        rows = [row for row in map(parse_row, content["benchmarks"]) if row]
        skipped = [(name_of(row), str(row.get("error_message", ""))) for row in content["benchmarks"] if row.get("error_occurred")]
    except SCHEMA_ERRORS as error:
        raise BadFile(f"{path} has a row that is not of Google Benchmark's schema: {type(error).__name__}: {error}") from None
    if not rows:
        raise BadFile(f"{path} has no rows of attention: it must come from bench/peers/attention.py or bench_attention")
    context = content.get("context")
    return Machine(context if isinstance(context, dict) else {}, rows, skipped)


def section_names(paths: Iterable[str]) -> list[str]:
    """The files' names without folder and suffix; one that comes again gets a number, because plots are named after them."""
    names: list[str] = []
    for path in paths:
        name, number = Path(path).stem, 1
        while name in names:
            number += 1
            name = f"{Path(path).stem}-{number}"
        names.append(name)
    return names


class Comparison(NamedTuple):
    """One shape, type and number of threads. Where somebody was measured several times, the best of each statistic counts."""

    ours: Row
    others: list[Row]  # other projects, from the fastest row to the slowest
    own: list[Row]  # rapt's other backends, likewise; nobody to be faster than

    @property
    def ratio(self) -> float:
        """How many times as fast as the fastest other."""
        return self.others[0].seconds / self.ours.seconds

    @property
    def median_ratio(self) -> float:
        return min(other.median for other in self.others) / self.ours.median


def comparisons(machine: Machine, dtype: str, threads: int) -> list[Comparison]:
    rows = machine.select(dtype=dtype, threads=threads)
    found = []
    for name in unique(row.shape.name for row in rows):
        of_shape = [row for row in rows if row.shape.name == name]
        ours = [row for row in of_shape if row.peer == OURS]
        fastest_first = sorted((row for row in of_shape if row.peer != OURS), key=lambda row: row.seconds)
        others = [row for row in fastest_first if row.peer not in OWN_BACKENDS]
        if ours and others:
            best = min(ours, key=lambda row: row.seconds)._replace(median=min(row.median for row in ours))
            found.append(Comparison(best, others, [row for row in fastest_first if row.peer in OWN_BACKENDS]))
    return found
