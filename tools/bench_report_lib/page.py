"""The page: one HTML file that needs no other, and the plots as SVG files beside it. Layer: tools/bench_report."""

from __future__ import annotations

import html
import math
from typing import Any

from . import bars, curves, style
from .data import OURS, Comparison, Machine, Row, comparisons, unique

CSS = """
:root { --ink: #1c2733; --muted: #66727f; --line: #e3e7eb; --ours: #d9480f; --good: #2b7a4b; --bad: #b3261e; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f6f8; color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 28px; margin: 0 0 4px; } h2 { font-size: 20px; margin: 44px 0 4px; } h3 { font-size: 16px; margin: 28px 0 2px; }
p { margin: 4px 0 12px; max-width: 76ch; } .muted, caption { color: var(--muted); }
nav { margin: 14px 0 0; } nav a { display: inline-block; margin-right: 16px; } a { color: #24588a; }
.card { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; margin: 10px 0 18px; overflow-x: auto; }
.card svg { width: 100%; height: auto; display: block; min-width: 640px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 0; } dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 6px; }
th { text-align: right; font-weight: 600; color: var(--muted); border-bottom: 1px solid var(--line); padding: 4px 8px; white-space: nowrap; }
td { text-align: right; border-bottom: 1px solid var(--line); padding: 3px 8px; white-space: nowrap; }
th:first-child, td:first-child, td.name, th.name { text-align: left; }
.ours { color: var(--ours); font-weight: 600; } .good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 14px 0; } .tile { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 10px 18px; }
.tile b { display: block; font-size: 24px; line-height: 1.25; } .tile span { color: var(--muted); font-size: 13px; }
footer { margin-top: 48px; color: var(--muted); font-size: 13px; }
"""

TEXTS = {
    "ratios": ("Everybody's time against rapt's", "The fastest call of each. At the right end: how many times as fast rapt is as the next project. oneDNN matmul and reference are rapt's own backends and count as none."),
    "peak": ("Prefill: share of the FMA peak", "Work is 2 × visible pairs × (D + Dv) for each query head; what a causal mask hides is no work."),
    "bandwidth": ("Decoding: K and V read a second", "Few queries against many keys: reading K and V is the bound. The line is what one load after the other reads from the level of memory they lie in."),
    "latency": ("Small calls", "Here the call itself costs, Python's part included."),
    "roofline": ("Roofline", "Each dot is a call. Right of the knee arithmetic binds, left of it reading."),
    "length": ("Time against length", "The right side is flat where nothing but the visible pairs costs."),
    "scaling": ("Threads", "The same call on all CPUs of this machine and on one."),
}


def plots(machine: Machine, dtype: str) -> dict[str, str]:
    """Name -> SVG, of one thread where that was measured; in the order of the page."""
    threads = min(row.threads for row in machine.select(dtype=dtype))
    rows = machine.select(dtype=dtype, threads=threads)
    sweeps = curves.sweeps(rows)
    swept = {row.shape.name for group in sweeps for row in group if "length:" in row.shape.name}
    plain = [row for row in rows if row.shape.name not in swept]
    prefill = [row for row in plain if not row.decoding and not row.small and not math.isnan(row.peak_share)]
    decoding = [row for row in plain if row.decoding]
    small = [row for row in plain if row.small]
    compared = [c for c in comparisons(machine, dtype, threads) if c.ours.shape.name not in swept]
    found = {
        "ratios": bars.ratios(compared) if compared else None,
        "peak": bars.peak_share(prefill) if prefill else None,
        "bandwidth": bars.bandwidth(decoding) if decoding else None,
        "latency": bars.latency(small) if small else None,
        "roofline": curves.roofline(plain) if curves.has_roofs(plain) else None,
        **{f"length-{number}": curves.length(group) for number, group in enumerate(sweeps, 1)},
        "scaling": curves.scaling(machine, dtype),
    }
    return {name: svg for name, svg in found.items() if svg}


def escape(text: Any) -> str:
    return html.escape(str(text))


def number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:,.{digits}f}"


def last_word(text: Any) -> str:
    return (str(text).split() or [""])[-1]


def facts(context: dict[str, Any]) -> str:
    """What the file says of machine and build."""
    names = {"date": "date", "cpu": "CPU", "cache_sizes": "caches", "caches": "caches", "system": "system", "isa": "ISA level", "compiler": "compiler",
             "flags": "flags", "commit": "commit", "executable": "measured by"}  # fmt: skip
    shown = [(title, context[key]) for key, title in names.items() if isinstance(context.get(key), str)]
    versions = context.get("versions")
    if isinstance(versions, dict):
        shown.append(("versions", ", ".join(f"{style.name(peer)} {last_word(version)}".strip() for peer, version in versions.items() if peer != OURS)))
    return "<dl>" + "".join(f"<dt>{escape(title)}</dt><dd>{escape(value)}</dd>" for title, value in shown) + "</dl>"


def ratio_cell(ratio: float) -> str:
    return f'<td class="{"good" if ratio >= 1 else "bad"}">{ratio:.2f}</td>'


def tiles(found: list[Comparison]) -> str:
    faster = sum(c.ratio >= 1 for c in found)
    middle = math.exp(sum(math.log(c.ratio) for c in found) / len(found))
    shown = [(f"{faster} of {len(found)}", "shapes faster than every other project"), (f"{middle:.2f} ×", "geometric mean against the fastest other")]
    best = max((c.ours.peak_share for c in found if not c.ours.decoding and not math.isnan(c.ours.peak_share)), default=math.nan)
    if not math.isnan(best):
        shown.append((f"{best:.0f} %", "of the FMA peak at best"))
    return '<div class="tiles">' + "".join(f'<div class="tile"><b>{value}</b><span>{what}</span></div>' for value, what in shown) + "</div>"


def summary(found: list[Comparison], caption: str) -> str:
    body = ""
    for c in found:
        best = c.others[0]
        body += (f'<tr><td>{escape(bars.label(c.ours))}</td><td class="ours">{number(c.ours.seconds * 1e6, 1)}</td><td>{number(best.seconds * 1e6, 1)}</td>'
                 f'<td class="name">{escape(style.name(best.peer))}</td>{ratio_cell(c.ratio)}{ratio_cell(c.median_ratio)}'
                 f"<td>{number(c.ours.peak_share, 1)}</td><td>{number(best.peak_share, 1)}</td><td>{number(c.ours.gbytes, 2)}</td></tr>")  # fmt: skip
    return (f'<div class="card"><table><caption>{escape(caption)}</caption><thead><tr><th>shape</th><th>rapt, µs</th><th>next, µs</th><th class="name">next is</th>'
            f"<th>times as fast</th><th>by the median</th><th>% peak</th><th>next % peak</th><th>K and V, GB/s</th></tr></thead><tbody>{body}</tbody></table></div>")  # fmt: skip


def all_rows(rows: list[Row]) -> str:
    body = "".join(
        f'<tr><td>{escape(row.shape.name)}</td><td class="name">{escape(row.dtype)}</td><td>{row.threads}</td>'
        f'<td class="name{" ours" if row.peer == OURS else ""}">{escape(style.name(row.peer))}</td><td>{number(row.seconds * 1e6, 1)}</td>'
        f"<td>{number(row.median * 1e6, 1)}</td><td>{number(row.gflops, 1)}</td><td>{number(row.peak_share, 1)}</td><td>{number(row.gbytes, 2)}</td>"
        f"<td>{number(row.read_share, 1)}</td></tr>"
        for row in rows
    )
    head = '<th>shape</th><th class="name">type</th><th>threads</th><th class="name">who</th><th>fastest, µs</th><th>median, µs</th><th>GFLOP/s</th><th>% peak</th><th>GB/s</th><th>% read</th>'
    return f'<details><summary>Every row</summary><div class="card"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>'


def not_measured(machine: Machine) -> str:
    if not machine.skipped:
        return ""
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, why in machine.skipped:
        parts = name.split("/")
        reasons.setdefault((parts[-2] if len(parts) > 2 else name, why), []).append(parts[0])
    items = "".join(f"<li><b>{escape(style.name(peer))}</b>: {escape(why)} <span class=muted>({len(shapes)} row{'s' if len(shapes) > 1 else ''})</span></li>"
                    for (peer, why), shapes in reasons.items())  # fmt: skip
    return f"<details><summary>What was not measured, and why</summary><ul>{items}</ul></details>"


def part(machine: Machine, prefix: str) -> tuple[str, dict[str, str]]:
    """One machine's section, and its plots by file name."""
    text, files = f'<div class="card">{facts(machine.context)}</div>', {}
    for dtype in unique(row.dtype for row in machine.rows):
        counts = sorted({row.threads for row in machine.select(dtype=dtype)})
        text += f"<h2>{dtype}</h2>"
        if found := comparisons(machine, dtype, counts[0]):
            text += tiles(found)
        sweep_titles = [curves.sweep_title(group) for group in curves.sweeps(machine.select(dtype=dtype, threads=counts[0]))]
        for name, svg in plots(machine, dtype).items():
            title, about = TEXTS[name.split("-")[0]]
            if name.startswith("length-"):
                title += f": {sweep_titles[int(name.removeprefix('length-')) - 1]}"
            text += f'<h3>{title}</h3><p class="muted">{about}</p><div class="card">{svg}</div>'
            files[f"{prefix}{dtype}-{name}.svg"] = svg
        for threads in counts:
            if found := comparisons(machine, dtype, threads):
                text += summary(found, f"{dtype}, {threads} thread{'s' if threads > 1 else ''}: the fastest call of each")
    return text + all_rows(machine.rows) + not_measured(machine), files


def page(machines: list[tuple[str, Machine]]) -> tuple[str, dict[str, str]]:
    """The page for (file name, content) pairs, and the plots by file name."""
    body, files = "", {}
    for name, machine in machines:
        several = len(machines) > 1
        text, plots_of = part(machine, f"{name}-" if several else "")
        body += f"<section>{f'<h2>{escape(name)}</h2>' if several else ''}{text}</section>"
        files |= plots_of
    intro = ("Exact attention on a CPU: rapt and other projects on the same tensors, in turns, in one process. Compare only numbers of one run: "
             "clocks and neighbours change. The time of a row is its fastest call.")  # fmt: skip
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>rapt: measurements</title><style>{CSS}</style></head><body><main><h1>rapt: measurements</h1><p>{intro}</p>{body}"
            f"<footer>Made by tools/bench_report from Google Benchmark JSON.</footer></main></body></html>\n"), files  # fmt: skip
