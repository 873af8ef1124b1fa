"""Bars by shape with the peers beside each other: share of the peak, decoding bandwidth, latency of small calls, ratios.

Layer: tools/bench_report.
"""

from __future__ import annotations

import math
from typing import Any, Callable

from . import style
from .data import OURS, Comparison, Row, unique

ROW_INCHES = 0.155  # height of one bar


def label(row: Row) -> str:
    """The shape as a person says it."""
    s = row.shape
    heads = f"H{s.q_heads}" + (f"/{s.kv_heads}" if s.kv_heads != s.q_heads else "")
    batch = f"B{s.batch} " if s.batch > 1 else ""
    length = f"L{s.q_len}" if s.q_len == s.kv_len else f"{s.q_len} token{'s' if s.q_len > 1 else ''}, {s.kv_len} keys"
    mask = " causal" if s.causal != "none" and s.q_len == s.kv_len else ""
    return f"{batch}{heads} {length} D{s.head_dim}{mask}"


def bars(rows: list[Row], value: Callable[[Row], float], text: Callable[[float], str], axis: str, width: float = 8.2,
         log: bool = False, limit: Callable[[Row], float] | None = None, limit_name: str = "") -> str:  # fmt: skip
    """One group for each shape, one bar for each peer. limit: a mark that no bar can pass."""
    peers = style.in_order({row.peer for row in rows})
    shapes = unique(row.shape.name for row in rows)
    of = {(row.shape.name, row.peer): row for row in sorted(rows, key=lambda row: -row.seconds)}  # of several the fastest
    step = len(peers) + 1.2
    figure, axes = style.new(width, 0.75 + ROW_INCHES * step * len(shapes))
    for place, peer in enumerate(peers):
        here = [(index, of[shape, peer]) for index, shape in enumerate(shapes) if (shape, peer) in of]
        at = [index * step + place for index, _ in here]
        values = [value(row) for _, row in here]
        axes.barh(at, values, height=0.86, color=style.colour(peer), label=style.name(peer))
        for y, number in zip(at, values):
            ours = {"weight": "bold", "color": style.INK} if peer == OURS else {"color": style.MUTED}
            axes.annotate(text(number), (number, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7,
                          bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 0.4}, zorder=3, **ours)  # fmt: skip
    if limit:
        mark_limits(axes, shapes, of, step, len(peers), limit, limit_name)
    axes.set_yticks([index * step + (len(peers) - 1) / 2 for index in range(len(shapes))],
                    [label(next(row for row in rows if row.shape.name == shape)) for shape in shapes])  # fmt: skip
    axes.set_ylim(len(shapes) * step - 0.9, -0.9)
    axes.set_xlabel(axis)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    if log:
        axes.set_xscale("log")
        style.logarithmic(axes.xaxis)
        axes.margins(x=0.12)
    else:
        axes.set_xlim(0, axes.get_xlim()[1] * 1.06)
    style.legend_above(figure, axes)
    return style.to_svg(figure)


def mark_limits(axes: Any, shapes: list[str], of: dict[tuple[str, str], Row], step: float, peers: int,
                limit: Callable[[Row], float], name: str) -> None:  # fmt: skip
    drawn = False
    for index, shape in enumerate(shapes):
        row = of.get((shape, OURS))
        if row is None or math.isnan(limit(row)):
            continue
        axes.plot([limit(row)] * 2, [index * step - 0.5, index * step + peers - 0.5], color=style.INK, linewidth=1.4, zorder=2,
                  label=None if drawn else name)  # fmt: skip
        drawn = True


def peak_share(rows: list[Row]) -> str:
    return bars(rows, lambda row: row.peak_share, lambda number: f"{number:.0f}", "% of the FMA peak measured in the same run")


def read_limit(row: Row) -> float:
    """GB/s of the level of memory that holds K and V."""
    return row.gbytes / row.read_share * 100 if row.read_share else math.nan


def bandwidth(rows: list[Row]) -> str:
    return bars(rows, lambda row: row.gbytes, lambda number: f"{number:.1f}", "GB/s of K and V", limit=read_limit,
                limit_name="read bandwidth")  # fmt: skip


def latency(rows: list[Row]) -> str:
    return bars(rows, lambda row: row.seconds * 1e6, lambda number: f"{number:.3g}", "µs a call, from Python (logarithmic)", log=True)


def ratios(found: list[Comparison]) -> str:
    """Each other project's time over ours, and that of rapt's other backends: what lies right of the line takes longer than rapt."""
    figure, axes = style.new(8.2, 0.9 + 0.215 * len(found))
    ratio: dict[tuple[int, str], float] = {}
    for index, c in enumerate(found):
        for other in (*c.others, *c.own):
            ratio.setdefault((index, other.peer), other.seconds / c.ours.seconds)  # of several the fastest, which comes first
    for peer in reversed(style.in_order({peer for _, peer in ratio})):
        here = [(value, index) for (index, of), value in ratio.items() if of == peer]
        axes.scatter(*zip(*here), s=30, color=style.colour(peer), marker=style.MARKERS.get(peer, "o"), label=style.name(peer), linewidths=0, zorder=3)
    axes.axvline(1, color=style.colour(OURS), linewidth=2.4, label=style.name(OURS), zorder=2)
    for index, comparison in enumerate(found):
        axes.annotate(f"{comparison.ratio:.2f}×", (1.0, index), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
                      va="center", fontsize=8, color=style.INK if comparison.ratio >= 1 else style.MUTED)  # fmt: skip
    axes.annotate("next", (1.0, -0.9), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points", fontsize=8, color=style.MUTED)
    axes.set_yticks(range(len(found)), [label(c.ours) for c in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xscale("log", base=2)
    axes.set_xlim(min([*ratio.values(), 1.0]) / 1.1, max([*ratio.values(), 1.0]) * 1.1)
    style.logarithmic(axes.xaxis)
    axes.set_xlabel("time of a call, as a multiple of rapt's (logarithmic)")
    axes.spines["left"].set_visible(False)
    axes.grid()
    style.legend_above(figure, axes, backwards=True)
    return style.to_svg(figure)
