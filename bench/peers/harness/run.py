"""What attention.py and models.py do alike: a process for each row, and a file that grows row by row. Layer: bench/peers/harness."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

from . import environment, errors, machine, rows

PEERS = Path(__file__).resolve().parents[1]


def bind(threads: int) -> None:
    """Binds this process to as many CPUs as it has threads: no peer may use more than the row says."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[-threads:]))


def in_process(module: str, spec: dict[str, Any]) -> dict[str, Any] | str:
    """Runs `python -m module SPEC RESULT`. Returns its result, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-B", "-m", module, json.dumps(spec), str(result)]
        status = subprocess.run(command, cwd=PEERS, env={**os.environ, "OMP_NUM_THREADS": str(spec["threads"])}).returncode
        if status == 0:
            return json.loads(result.read_text())
        return f"the process was killed by signal {-status}" if status < 0 else f"the process exited with status {status}"


def child(measure: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """The other side of in_process."""
    spec = json.loads(sys.argv[1])
    bind(spec["threads"])
    try:
        Path(sys.argv[2]).write_text(json.dumps(measure(spec)))
    except errors.Failure as error:
        say(f"  {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def say(text: str) -> None:
    print(text, flush=True)


class Report:
    """The rows of a run so far, and the file that gets them after each row."""

    def __init__(self, program: str, file: str | None, append: bool, isa: str, info: dict[str, Any]) -> None:
        self.program, self.file, self.isa, self.info = program, file, isa, info
        self.before = rows.read(file) if file and append and Path(file).exists() else None
        if self.before is not None:  # a file of another machine or commit is refused before anything is measured
            rows.join(self.before, machine.make_context(program, isa, info, {}), [], file)
        self.rows: list[rows.Row] = []
        self.versions: dict[str, str] = {}

    def add(self, found: dict[str, Any]) -> None:
        self.rows += found["rows"]
        self.versions |= found["versions"]
        if not self.file:
            return
        context, together = machine.make_context(self.program, self.isa, self.info, self.versions), self.rows
        if self.before is not None:
            context, together = rows.join(self.before, context, self.rows, self.file)
        rows.write(self.file, context, together)


def add_file_options(add: Callable[..., Any]) -> None:
    add("--json", metavar="FILE", help="also write the rows in Google Benchmark's JSON schema")
    add("--append", action="store_true", help="keep the rows that FILE has, but those measured again; the machine, the compiler "
        "and the versions must be the same")  # fmt: skip
    add("--no-setup", action="store_true", help="use what build/peers has")


def check_file_options(json_file: str | None, append: bool) -> None:
    if append and not json_file:
        raise errors.BadInput("--append needs --json=FILE, the file to add to")
    if json_file and not Path(json_file).resolve().parent.is_dir():
        raise errors.BadInput(f"--json={json_file}: the folder does not exist")


def main(name: str, prepare: Callable[[], tuple[Any, dict[str, list[str]]]], run: Callable[[Any], int]) -> int:
    """prepare: the checked arguments, and what pip installs for whom."""
    try:
        arguments, requirements = prepare()
        if not environment.entered():
            if not arguments.no_setup:
                environment.set_up(requirements)
            environment.enter()
        return run(arguments)
    except errors.BadInput as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except errors.Failure as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
