"""Roofline, time against length, and thread scaling. Layer: tools/bench_report."""

from __future__ import annotations

import math
from typing import Any

from . import style
from .bars import label
from .data import OURS, Machine, Row, unique

LEVELS = ("L1", "L2", "L3", "DRAM")


def highest(rows: list[Row], limit: str) -> float:
    return max((row.limits.get(limit, 0.0) for row in rows), default=0.0)


def roofline(rows: list[Row]) -> str:
    """Work a second against FLOPs for each byte of K and V, under what the machine can do."""
    figure, axes = style.new(8.2, 4.6)
    intensities = [row.intensity for row in rows if row.gbytes]
    left, right = min(intensities) / 2, max(intensities) * 2
    peak = highest(rows, "fma")
    if peak:
        axes.plot([left, right], [peak, peak], color=style.INK, linewidth=1.4)
        axes.annotate(f"FMA peak {peak:.0f} GFLOP/s", (right, peak), xytext=(-2, 4), textcoords="offset points", ha="right", fontsize=8)
    for level in LEVELS:
        rate = highest(rows, level)
        if not rate:
            continue
        knee = min(peak / rate if peak else right, right)
        axes.plot([left, knee], [left * rate, knee * rate], color=style.MUTED, linewidth=1, linestyle="--")
        axes.annotate(f"{level} {rate:.0f} GB/s", (left, left * rate), xytext=(4, 1), textcoords="offset points", fontsize=7.5,
                      color=style.MUTED, va="bottom", bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.5})  # fmt: skip
    for peer in reversed(style.in_order({row.peer for row in rows})):
        here = [row for row in rows if row.peer == peer and row.gbytes]
        axes.scatter([row.intensity for row in here], [row.gflops for row in here], s=34 if peer == OURS else 18,
                     color=style.colour(peer), marker=style.MARKERS.get(peer, "o"), label=style.name(peer), zorder=4 if peer == OURS else 3,
                     linewidths=0)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    style.logarithmic(axes.xaxis)
    style.logarithmic(axes.yaxis)
    axes.set_xlim(left, right)
    axes.set_xlabel("FLOP for each byte of K and V, each read once")
    axes.set_ylabel("GFLOP/s")
    axes.grid(which="major")
    style.legend_above(figure, axes, backwards=True)
    return style.to_svg(figure)


def sweeps(rows: list[Row]) -> list[list[Row]]:
    """Rows that differ in nothing but their length, where there are three lengths or more; of each length and peer the last."""
    groups: dict[tuple[Any, ...], dict[tuple[int, str], Row]] = {}
    for row in rows:
        s = row.shape
        queries = 0 if s.q_len == s.kv_len else s.q_len
        same = (s.batch, s.q_heads, s.kv_heads, s.head_dim, s.head_dim_v, s.causal != "none", queries)
        groups.setdefault(same, {})[s.kv_len, row.peer] = row
    return [list(group.values()) for group in groups.values() if len({length for length, _ in group}) >= 3]


def pairs(row: Row) -> float:
    """Visible pairs of all query heads, from the work of the call."""
    return row.gflops * 1e9 * row.seconds / (2 * (row.shape.head_dim + row.shape.head_dim_v))


def length(group: list[Row]) -> str:
    """Left the time of a call, right the time for each visible pair, which a perfect implementation keeps constant."""
    figure, (calls, each) = style.plt.subplots(1, 2, figsize=(8.2, 3.4), layout="constrained")
    lengths = sorted({row.shape.kv_len for row in group})
    for peer in style.in_order({row.peer for row in group}):
        here = sorted((row for row in group if row.peer == peer), key=lambda row: row.shape.kv_len)
        look = {"color": style.colour(peer), "marker": style.MARKERS.get(peer, "o"), "markersize": 4.5, "linewidth": 2.2 if peer == OURS else 1.2,
                "zorder": 4 if peer == OURS else 3}  # fmt: skip
        calls.plot([row.shape.kv_len for row in here], [row.seconds * 1e3 for row in here], label=style.name(peer), **look)
        each.plot([row.shape.kv_len for row in here], [row.seconds / pairs(row) * 1e9 for row in here], **look)
    for axes, title in ((calls, "ms a call"), (each, "ns for each visible pair of a head")):
        axes.set_xscale("log", base=2)
        axes.set_xticks(lengths, [str(n) if n < 1024 else f"{n // 1024}k" for n in lengths])
        axes.minorticks_off()
        axes.set_xlabel("keys")
        axes.set_title(title, loc="left", fontsize=9, color=style.MUTED)
        axes.grid()
    calls.set_yscale("log")
    style.logarithmic(calls.yaxis)
    each.set_ylim(bottom=0)
    style.legend_above(figure, calls)
    return style.to_svg(figure)


def sweep_title(group: list[Row]) -> str:
    s = group[0].shape
    heads = f"H{s.q_heads}" + (f"/{s.kv_heads}" if s.kv_heads != s.q_heads else "")
    tokens = "" if s.q_len == s.kv_len else f", {s.q_len} token{'s' if s.q_len > 1 else ''}"
    return f"{heads} D{s.head_dim}{' causal' if s.causal != 'none' else ''}{tokens}"


def scaling(machine: Machine, dtype: str) -> str | None:
    """How many times as fast with more threads as with one; None where there is one number of threads only."""
    counts = sorted({row.threads for row in machine.select(dtype=dtype)})
    if len(counts) < 2 or counts[0] != 1:
        return None
    most = counts[-1]
    one = {(row.shape.name, row.peer): row for row in machine.select(dtype=dtype, threads=1)}
    many = [row for row in machine.select(dtype=dtype, threads=most) if (row.shape.name, row.peer) in one]
    shapes = unique(row.shape.name for row in many)
    if not shapes:
        return None
    figure, axes = style.new(8.2, 0.8 + 0.22 * len(shapes))
    for peer in reversed(style.in_order({row.peer for row in many})):
        here = [row for row in many if row.peer == peer]
        speedups = [one[row.shape.name, peer].seconds / row.seconds for row in here]
        axes.scatter(speedups, [shapes.index(row.shape.name) for row in here], s=38 if peer == OURS else 18, color=style.colour(peer),
                     marker=style.MARKERS.get(peer, "o"), label=style.name(peer), zorder=4 if peer == OURS else 3, linewidths=0)  # fmt: skip
    axes.axvline(most, color=style.INK, linewidth=1)
    axes.axvline(1, color=style.GRID, linewidth=1)
    axes.set_yticks(range(len(shapes)), [label(next(row for row in many if row.shape.name == shape)) for shape in shapes])
    axes.set_ylim(len(shapes) - 0.4, -0.6)
    axes.set_xlim(0, max(axes.get_xlim()[1], most * 1.08))
    axes.set_xlabel(f"times as fast with {most} threads as with one (the line: {most})")
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    style.legend_above(figure, axes, backwards=True)
    return style.to_svg(figure)


def has_roofs(rows: list[Row]) -> bool:
    return bool(rows) and any(row.limits for row in rows) and not all(math.isinf(row.intensity) for row in rows)
