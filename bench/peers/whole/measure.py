"""Measures one job with one number of threads: every project in turns, in this process.

Called by models.py, as `python -m whole.measure SPEC RESULT`. Layer: bench/peers/whole.
"""

from __future__ import annotations

import math
import sys
from typing import Any, Callable

from harness import rows, run, turns

from . import DOERS, start
from .job import JOBS, Doer, Job, Skip, Task, takes

# How far results may differ, of logits and of vectors (see difference()). Measured on 2026-12-01: in f32 at most 1.7e-6 and 8e-13; PyTorch with all in
# bf16, which rounds more than those who are compared, 0.011 and 7e-5 from itself in f32. SmolLM2's weights have 4 bits and everybody rounds what
# they are multiplied with to 8, each in his own blocks: rapt 0.05 from itself without that, llama.cpp up to 0.18 from rapt. What a mistake makes:
# another last token 0.8 to 1.4, another prompt 2.4, five or less other tokens at the start 0.5 to 0.7; one other token of a text 0.05 to 0.11.
TOLERANCES = {"f32": (1e-4, 1e-6), "bf16": (0.03, 3e-4), "smollm2": (0.35, 0.0)}

HEADER = f"  {'who':<16} {'min ms':>10} {'median ms':>10} {'tokens/s':>10} {'calls':>6} {'ours is':>8}"


def difference(job: Job, result: Any, expected: Any) -> float:
    """Of vectors of length 1: the largest 1 - cosine. Of logits: the RMS of the difference, in times of that of the expected ones around their mean."""
    import numpy as np

    if result.shape != expected.shape:
        return math.inf
    a, b = result.astype(np.float64), expected.astype(np.float64)
    if job.kind == "embed":
        worst = float((1 - (a * b).sum(axis=1)).max())
    else:
        worst = float(np.linalg.norm(a - b) / np.linalg.norm(b - b.mean()))
    return math.inf if math.isnan(worst) else worst


def check(doer: Doer, job: Job, task: Task, expected: Any) -> None:
    wrong, most = difference(job, task.result(), expected), TOLERANCES["smollm2" if job.model == "smollm2" else "bf16" if doer.bf16 else "f32"][job.kind == "embed"]
    if not wrong <= most:
        raise Skip(f"the result differs by {wrong:.2g}, more than {most:g}")


def prepare(doer: Doer, job: Job, threads: int, expected: Any = None) -> Task:
    """Ready to be timed: has run once, and found what is expected, where anything is. Raises Skip."""
    try:
        if job.kind == "start":
            task = Task(start.process(doer.first_token, threads), lambda: None)
        else:
            task = doer.make(job, threads)
        task.run()
        if expected is not None:
            check(doer, job, task, expected)
    except ImportError as error:
        raise Skip(f"not installed ({error})") from None
    except Skip:
        raise
    except Exception as error:  # whatever a project raises where it cannot do a job
        raise Skip(str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__) from None
    return task


def prepare_all(who: list[str], job: Job, threads: int) -> tuple[dict[str, Callable[[], object]], dict[str, str]]:
    """What is timed, and why the others are not. rapt runs first, asked for or not: its result is what the others' must be."""
    calls: dict[str, Callable[[], object]] = {}
    skipped: dict[str, str] = {}
    expected = None
    for name in dict.fromkeys(["rapt", *who] if job.kind != "start" else who):
        if not takes(DOERS[name], job):
            continue
        try:
            task = prepare(DOERS[name], job, threads, expected)
        except Skip as reason:
            skipped[name] = str(reason)
            continue
        if name == "rapt":
            expected = task.result()
        calls[name] = task.run
    return {name: calls[name] for name in who if name in calls}, {name: skipped[name] for name in who if name in skipped}


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    job = next(job for job in JOBS if job.name == spec["job"])
    threads = spec["threads"]
    found = []
    calls, skipped = prepare_all(spec["who"], job, threads)
    for name, reason in skipped.items():
        found.append(rows.failed_row(f"{job.name}/{name}/threads:{threads}", reason))
        run.say(f"  {name:<16} skipped: {reason}")
    if job.kind == "start":
        start.check_same(calls)
    times = turns.time_in_turns(calls, spec["seconds"], spec["least_calls"], pause=threads > 1)
    for name, of in times.items():
        rate = job.tokens / of.minimum
        values = {"tokens/s": rate, "call_threads": threads, "tokens": job.tokens, "depth": job.depth}
        found.append(rows.make_row(f"{job.name}/{name}/threads:{threads}", of, "", values))
        ratio = f"{of.minimum / times['rapt'].minimum:.2f} x" if "rapt" in times and name != "rapt" else ""
        run.say(f"  {name:<16} {of.minimum * 1e3:>10.2f} {of.median * 1e3:>10.2f} {rate:>10.1f} {of.samples:>6} {ratio:>8}".rstrip())
    wrong = [name for name, reason in skipped.items() if "differs" in reason]
    return {"rows": found, "versions": {name: DOERS[name].version() for name in calls}, "wrong": wrong}


if __name__ == "__main__":
    sys.exit(run.child(measure))
