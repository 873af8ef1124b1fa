"""Rows and files in Google Benchmark's JSON schema. Layer: bench/peers/harness."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .errors import BadInput
from .turns import Times

Row = dict[str, Any]

# Of two runs into one file these must agree, or their rows could not be compared.
SAME_IN_A_FILE = ("cpu", "compiler", "flags", "commit")


def make_row(name: str, times: Times, label: str, counters: dict[str, float]) -> Row:
    """A member of "benchmarks". real_time is that of the fastest call, and so are the counters."""
    return {
        "name": name,
        "run_name": name,
        "run_type": "iteration",
        "repetitions": 1,
        "repetition_index": 0,
        "threads": 1,  # Google Benchmark's own; the call's are in the name and in "call_threads"
        "iterations": times.samples,
        "real_time": times.minimum * 1e6,
        "cpu_time": times.minimum * 1e6,
        "time_unit": "us",
        "label": label,
        "median_s": times.median,
        "samples": times.samples,
        **counters,
    }


def failed_row(name: str, message: str) -> Row:
    """What did not run, with the reason, as Google Benchmark writes it."""
    return {"name": name, "run_name": name, "run_type": "iteration", "error_occurred": True, "error_message": message}


def read(path: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text())
    except OSError as error:
        raise BadInput(f"--json={path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("benchmarks"), list):
        raise BadInput(f"--json={path} is not a file of Google Benchmark's schema; --append adds only to such a file")
    return content


def join(before: dict[str, Any], context: dict[str, Any], rows: list[Row], path: str) -> tuple[dict[str, Any], list[Row]]:
    """Context and rows of a file with `rows` in the place of those of the same name, and after the others."""
    old = before.get("context", {})
    for key in SAME_IN_A_FILE:
        if old.get(key) != context.get(key):
            raise BadInput(f"--json={path} was measured with {key} {old.get(key)}, not {context.get(key)}: the rows cannot be compared")
    versions = {**old.get("versions", {}), **context["versions"]}
    for name, version in old.get("versions", {}).items():
        if versions[name] != version:
            raise BadInput(f"--json={path} was measured with {name} {version}, not {versions[name]}: the rows cannot be compared")
    names = {row["name"] for row in rows}
    return {**old, "versions": versions}, [row for row in before["benchmarks"] if row["name"] not in names] + rows


def write(path: str, context: dict[str, Any], rows: list[Row]) -> None:
    """Beside the file, then in its place: an interrupted run keeps the rows before."""
    text = json.dumps({"context": context, "benchmarks": rows}, indent=1) + "\n"
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe is no file to be replaced
            Path(path).write_text(text)
            return
        part = Path(f"{os.path.realpath(path)}.part")
        try:
            part.write_text(text)
            os.replace(part, os.path.realpath(path))
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"--json={path}: {error.strerror}") from None
