"""Measures one job with one number of threads: every project in turns, in this process.

Called by models.py, as `python -m whole.measure SPEC RESULT`. Layer: bench/peers/whole.
"""

from __future__ import annotations

import sys
from typing import Any, Callable

from harness import rows, run, turns

from . import DOERS, start
from .job import JOBS, Doer, Job, Skip, takes

HEADER = f"  {'who':<16} {'min ms':>10} {'median ms':>10} {'tokens/s':>10} {'calls':>6} {'ours is':>8}"


def prepare(doer: Doer, job: Job, threads: int) -> Callable[[], object]:
    """Ready to be timed: has run once. Raises Skip."""
    try:
        call = start.process(doer.first_token, threads) if job.kind == "start" else doer.make(job, threads)
        call()
    except ImportError as error:
        raise Skip(f"not installed ({error})") from None
    except Skip:
        raise
    except Exception as error:  # whatever a project raises where it cannot do a job
        raise Skip(str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__) from None
    return call


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    job = next(job for job in JOBS if job.name == spec["job"])
    threads = spec["threads"]
    calls: dict[str, Callable[[], object]] = {}
    found = []
    for name in spec["who"]:
        if not takes(DOERS[name], job):
            continue
        try:
            calls[name] = prepare(DOERS[name], job, threads)
        except Skip as reason:
            found.append(rows.failed_row(f"{job.name}/{name}/threads:{threads}", str(reason)))
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
    return {"rows": found, "versions": {name: DOERS[name].version() for name in calls}}


if __name__ == "__main__":
    sys.exit(run.child(measure))
