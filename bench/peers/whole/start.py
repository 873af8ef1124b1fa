"""The first token of a process: reads the file, takes in a prompt and says which token comes next. Layer: bench/peers/whole.

A call is a process of its own, `python -m whole.start WHO THREADS`, timed from before it starts until it has ended. It prints the token's text.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Callable

from harness.errors import Failure

PROMPT = "The three primary colours are red, yellow and"


def in_process(who: str, threads: int) -> Callable[[], str]:
    """What times a process; the file and the libraries are in memory after the first call."""
    command = [sys.executable, "-B", "-m", "whole.start", who, str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}

    def call() -> str:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise Failure((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
        return done.stdout

    return call


if __name__ == "__main__":
    from . import DOERS

    print(DOERS[sys.argv[1]].first_token(int(sys.argv[2]), PROMPT), end="")
