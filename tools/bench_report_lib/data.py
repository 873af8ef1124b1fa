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


class BadFile(Exception):
    """One line that says what is wrong with a file."""


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


def shape_of(name: str, row: dict[str, Any]) -> Shape | None:
    """By the row's own numbers, else by its name: that of a shape, and after it perhaps a mask and a variant."""
    keys = ("batch", "q_heads", "kv_heads", "q_len", "kv_len", "head_dim", "head_dim_v")
    if all(key in row for key in keys):
        return Shape(name, *(int(row[key]) for key in keys), "bottom_right" if row.get("causal") else "none")
    text, *more = name.split("/")
    try:
        shape = parse_shape(text)
    except BadInput:
        return None
    causal = more[0] if more and more[0] in ("none", "top_left", "bottom_right") else shape.causal
    return shape._replace(name=name, causal=causal)


def limits_of(row: dict[str, Any], dtype: str) -> dict[str, float]:
    found = {match[1]: float(value) for key, value in row.items() if (match := re.fullmatch(r"read_(\w+)_GB/s", key))}
    if "fma_peak_GFLOP/s" in row:
        found["fma"] = float(row["fma_peak_GFLOP/s"])
    elif row.get("%peak") and dtype != "bf16":  # that of bench_attention may be a share of other products' peak
        found["fma"] = 100 * row["GFLOP/s"] / row["%peak"]
    return found


def parse_name(name: str) -> tuple[str, str, str, int] | None:
    """Shape, element type, peer, threads. bench/peers: shape/type/peer/threads:N; bench_attention: shape/backend/isa/threads:N."""
    found = re.fullmatch(r"(.+)/(f32|bf16|f16)/(\w+)/threads:(\d+)", name)
    if found:
        return found[1], found[2], found[3], int(found[4])
    found = re.fullmatch(r"(.+)/(rapt|reference|onednn)/\w+/threads:(\d+)(?:/manual_time)?", name)
    if not found:
        return None
    variant = re.search(r"/(bf16|f16)(?:_panels)?$", found[1])
    return found[1], variant[1] if variant else "f32", found[2], int(found[3])


def seconds_of(row: dict[str, Any]) -> float:
    return float(row["real_time"]) * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[row.get("time_unit", "ns")]


def parse_row(row: dict[str, Any]) -> Row | None:
    """None for a row that failed, or of something else than attention."""
    if row.get("error_occurred"):
        return None
    parsed = parse_name(row["name"])
    shape = parsed and shape_of(parsed[0], row)
    if not parsed or not shape or "GFLOP/s" not in row:
        return None
    _, dtype, peer, threads = parsed
    seconds = seconds_of(row)
    return Row(shape, dtype, peer, threads, seconds, float(row.get("median_s", seconds)), float(row["GFLOP/s"]),
               float(row.get("GB/s", 0)), float(row.get("%peak", math.nan)), float(row.get("%read", math.nan)), limits_of(row, dtype))  # fmt: skip


def read_rows(path: str) -> dict[str, Any]:
    """A file of Google Benchmark's schema: its "context", and the list "benchmarks"."""
    try:
        content = json.loads(Path(path).read_text())
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from None
    except ValueError:
        raise BadFile(f"{path} is not JSON") from None
    if not isinstance(content, dict) or not isinstance(content.get("benchmarks"), list):
        raise BadFile(f"{path} has no list \"benchmarks\": it is not of Google Benchmark's schema")
    return content


def read(path: str) -> Machine:
    content = read_rows(path)
    try:
        rows = [row for row in map(parse_row, content["benchmarks"]) if row]
        skipped = [(row["name"], row.get("error_message", "")) for row in content["benchmarks"] if row.get("error_occurred")]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
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
    """One shape, type and number of threads: ours, and the others from the fastest to the slowest."""

    ours: Row
    others: list[Row]

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
        others = sorted((row for row in of_shape if row.peer != OURS), key=lambda row: row.seconds)
        if ours and others:
            found.append(Comparison(ours[0], others))
    return found
