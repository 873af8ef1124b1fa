"""The first token of a process that reads the file, takes in a prompt and says which token comes next. Layer: bench/peers/whole.

A call is a process of its own, one of the programs in starts/, timed from before it starts until it has ended. They import what a user's
program would and nothing of ours.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Callable

from harness.errors import Failure

from . import files

STARTS = Path(__file__).resolve().parents[1] / "starts"
PROMPT = "The three primary colours are red, yellow and"


def process(program: str, threads: int) -> Callable[[], str]:
    """The file and the libraries are in memory after the first call."""
    command = [sys.executable, "-B", str(STARTS / program), str(files.smollm2()), str(threads), PROMPT]

    def call() -> str:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
        return done.stdout

    return call


def check_same(calls: dict[str, Callable[[], object]]) -> None:
    """Everybody must write the same token; otherwise the times are no comparison."""
    said = {name: call() for name, call in calls.items()}
    if len(set(said.values())) > 1:
        raise Failure(f"different tokens follow {PROMPT!r}: {said}")
