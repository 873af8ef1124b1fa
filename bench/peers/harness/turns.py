"""Timing several calls in turns, A B C A B C ..., so that clocks and neighbours change for all of them alike.

Layer: bench/peers/harness.
"""

from __future__ import annotations

import statistics
import time
from typing import Callable, NamedTuple

TURN_SECONDS = 0.005  # a turn is one call, or as many short ones as fill this
PAUSE_SECONDS = 0.02  # longer than any peer's threads spin after a call; libgomp's and ONNX Runtime's do


class Times(NamedTuple):
    minimum: float
    median: float
    samples: int


def summarize(samples: list[float]) -> Times:
    return Times(min(samples), statistics.median(samples), len(samples))


def one_turn(call: Callable[[], object]) -> list[float]:
    samples: list[float] = []
    spent = 0.0
    while spent < TURN_SECONDS:
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
        spent += samples[-1]
    return samples


def time_in_turns(calls: dict[str, Callable[[], object]], seconds: float, least_calls: int, pause: bool) -> dict[str, Times]:
    """Until each has had `seconds` and `least_calls` calls. pause: let the threads of one rest before the next begins."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    while any(sum(times) < seconds or len(times) < least_calls for times in samples.values()):
        for name, call in calls.items():
            if pause:
                time.sleep(PAUSE_SECONDS)
            samples[name] += one_turn(call)
    return {name: summarize(times) for name, times in samples.items()}
