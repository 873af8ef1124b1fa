"""Measures one shape with one element type and one number of threads: every peer in turns, in this process.

Called by attention.py, as `python -m calls.measure SPEC RESULT`: SPEC is JSON, RESULT the file for the rows. A process for each
row: a peer that crashes takes only that row along, and thread pools never outlive their turn. Layer: bench/peers/calls.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

from harness import machine, rows, run, shapes, turns

from . import PEERS
from .call import Call, Inputs, Peer, Skip, make_inputs
from .rapt_call import explain

# relative_difference's. The largest of all peers from 16 to 65536 keys, prefill and decoding, were 4.5e-6 (sums of f32 over 65536 keys) and, in 16 bits,
# 3.5e-3 (PyTorch's bf16) and 1.5e-2 (OpenVINO's bf16 and f16, 4,096 keys: it rounds more than the result); zeros differ by 1, one forgotten key of 1,024 by 3e-2.
# Not the largest error of an element, which grows with their number: of 786,432 elements OpenVINO's is 0.1, of 98,304 it is 0.05.
TOLERANCES = {"f32": 2e-5, "bf16": 3e-2, "f16": 3e-2}

LONG_SECONDS = 0.2


class Spec(NamedTuple):
    shape: shapes.Shape
    dtype: str
    threads: int
    isa: str
    peers: list[str]
    seconds: float
    least_calls: int


class Candidate(NamedTuple):
    label: str
    call: Call


def difference(a: Any, b: Any, s: shapes.Shape) -> float:
    """Of a from what b expects, over queries that see a key."""
    first = shapes.first_seeing_query(s)
    return relative_difference(a[:, :, first:].float().numpy(), b[:, :, first:].float().numpy())


def relative_difference(result: Any, expected: Any) -> float:
    """[batch, heads, length, dim]: the RMS of a query's errors, of the worst query, in times of the RMS of what is expected of it, or of all where that
    is larger: under a causal mask the first queries see few keys, and their results and errors are large."""
    import numpy as np

    squares = np.square(expected, dtype=np.float64).mean(axis=(0, 1, 3))
    scale = np.sqrt(np.maximum(squares, squares.mean()))
    with np.errstate(divide="ignore", invalid="ignore"):
        worst = float((np.sqrt(np.square(result - expected, dtype=np.float64).mean(axis=(0, 1, 3))) / scale).max())
    return math.inf if math.isnan(worst) else worst


def fastest_variant(peer: Peer, inputs: Inputs, expected: Any) -> Candidate:
    """Runs each way in which the peer can be asked. Raises Skip if none gives the expected result."""
    best, best_time, reasons = None, math.inf, []
    for variant in peer.variants(inputs):
        prefix = f"{variant.label}: " if variant.label else ""
        try:
            call = variant.make()
            time_of = min(turns.one_turn(call.run))
            wrong = 0.0 if expected is None else difference(call.result(), expected, inputs.shape)
            if not wrong <= TOLERANCES[inputs.dtype]:
                raise Skip(f"the result differs by {wrong:.2g} RMS")
            if time_of < LONG_SECONDS:  # else the first call is near enough to choose by
                time_of = min(turns.one_turn(call.run))
        except Skip as reason:
            reasons.append(f"{prefix}{reason}")
            continue
        except Exception as error:  # whatever a peer raises where it cannot do a call
            reasons.append(f"{prefix}{str(error).strip().splitlines()[-1][:160] if str(error).strip() else type(error).__name__}")
            continue
        if time_of < best_time:
            best, best_time = Candidate(variant.label, call), time_of
    if best is None:
        raise Skip("; ".join(reasons))
    return best


def prepare(spec: Spec, inputs: Inputs, info: dict[str, Any]) -> tuple[dict[str, Candidate], dict[str, str]]:
    """The peers that take part, and why the others do not. rapt runs first, asked for or not: its result is what the others' must be."""
    candidates: dict[str, Candidate] = {}
    skipped: dict[str, str] = {}
    expected = None
    for name in dict.fromkeys(["rapt", *spec.peers]):
        peer = PEERS[name]
        try:
            if reason := peer.unavailable(info):
                raise Skip(reason)
            candidates[name] = fastest_variant(peer, inputs, expected)
        except ImportError as error:
            skipped[name] = f"not installed ({error})"
        except Skip as reason:
            skipped[name] = str(reason)
        if name == "rapt" and name in candidates:
            expected = candidates[name].call.result()
    return {name: candidates[name] for name in spec.peers if name in candidates}, skipped


def counters(spec: Spec, level: str, limits: machine.Limits, times: turns.Times) -> dict[str, float]:
    s = spec.shape
    work, size = shapes.flops(s), shapes.kv_bytes(s, spec.dtype)
    values = {
        "GFLOP/s": work / times.minimum / 1e9,
        "GB/s": size / times.minimum / 1e9,
        "%peak": 100 * work / times.minimum / limits["fma"],
        "%peak_median": 100 * work / times.median / limits["fma"],
        "fma_peak_GFLOP/s": limits["fma"] / 1e9,
        "call_threads": spec.threads,
        "causal": float(s.causal != "none"),
        **{key: float(getattr(s, key)) for key in ("batch", "q_heads", "kv_heads", "q_len", "kv_len", "head_dim", "head_dim_v")},
    }
    for name, rate in limits.items():
        if name != "fma":
            values[f"read_{name}_GB/s"] = rate / 1e9
    if level in limits:
        values["%read"] = 100 * size / times.minimum / limits[level]
    return values


def is_decoding(s: shapes.Shape) -> bool:
    """So few rows for each K and V that reading them is the bound."""
    return s.q_len * s.q_heads // s.kv_heads <= 32 and s.kv_len >= 16 * s.q_len


def measure(spec: Spec) -> dict[str, Any]:
    import rapt
    import torch

    torch.set_num_threads(spec.threads)
    info = rapt.info()
    inputs = make_inputs(spec.shape, spec.dtype, spec.threads, spec.isa)
    reads = is_decoding(spec.shape)
    size = shapes.kv_bytes(spec.shape, spec.dtype)
    level = machine.level_of(size, spec.threads, info) if reads else ""
    before = machine.measure_limits(spec.isa, spec.threads, reads)
    candidates, skipped = prepare(spec, inputs, info)
    calls = {name: candidate.call.run for name, candidate in candidates.items()}
    times = turns.time_in_turns(calls, spec.seconds, spec.least_calls, pause=spec.threads > 1)
    limits = machine.higher(before, machine.measure_limits(spec.isa, spec.threads, reads))

    name_of = f"{spec.shape.name}/{spec.dtype}/{{}}/threads:{spec.threads}"
    found = []
    for name in spec.peers:
        if name in skipped:
            found.append(rows.failed_row(name_of.format(name), skipped[name]))
            run.say(f"  {name:<13} skipped: {skipped[name]}")
            continue
        values = counters(spec, level, limits, times[name])
        label = explain(inputs) if name == "rapt" else candidates[name].label
        found.append(rows.make_row(name_of.format(name), times[name], label, values))
        run.say(line(name, times[name], values, times.get("rapt"), level, candidates[name].label))
    versions = {name: PEERS[name].version() for name in candidates}
    return {"rows": found, "versions": versions, "wrong": [name for name, why in skipped.items() if "differs" in why]}


HEADER = f"  {'peer':<13} {'min us':>11} {'median us':>11} {'GFLOP/s':>8} {'% peak':>7} {'GB/s':>7} {'% read':>11} {'calls':>7} {'ours is':>8}"


def line(name: str, times: turns.Times, values: dict[str, float], ours: turns.Times | None, level: str, label: str) -> str:
    read = f"{values['%read']:.1f} {level}" if "%read" in values else ""
    ratio = "" if ours is None or name == "rapt" else f"{times.minimum / ours.minimum:.2f} x"
    return (f"  {name:<13} {times.minimum * 1e6:>11.1f} {times.median * 1e6:>11.1f} {values['GFLOP/s']:>8.1f} {values['%peak']:>7.1f} "
            f"{values['GB/s']:>7.2f} {read:>11} {times.samples:>7} {ratio:>8}  {label}").rstrip()  # fmt: skip


def measure_given(given: dict[str, Any]) -> dict[str, Any]:
    import torch

    with torch.inference_mode():  # for all tensors and calls, so that entering it is in nobody's time
        return measure(Spec(**{**given, "shape": shapes.Shape(*given["shape"])}))


if __name__ == "__main__":
    sys.exit(run.child(measure_given))
