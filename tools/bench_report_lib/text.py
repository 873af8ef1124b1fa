"""Every row of the files as lines of tab-separated fields, attention and whole models alike. Layer: tools/bench_report. Needs no matplotlib."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from bench_report_lib.data import OURS, SCHEMA_ERRORS, BadFile, median_of, name_of, read_rows, seconds_of

COLUMNS = ("file", "job", "threads", "name", "fastest_s", "median_s", "x_rapt", "x_rapt_median", "note")


class Line(NamedTuple):
    job: str
    name: str
    threads: str
    fastest: float | None  # None where it failed; the note says why
    median: float | None
    note: str


def parse_name(name: str) -> tuple[str, str, str] | None:
    """Job, who ran it, threads. bench/peers: job/name/threads:N; bench_attention: job/backend/isa/threads:N, of which job and isa are the job."""
    found = re.fullmatch(r"(.+)/(rapt|reference|onednn)/(\w+)/threads:(\d+)(?:/manual_time)?", name)
    if found:
        return f"{found[1]}/{found[3]}", found[2], found[4]
    found = re.fullmatch(r"(.+)/([^/]+)/threads:(\d+)", name)
    return (found[1], found[2], found[3]) if found else None


def parse_line(row: dict[str, Any]) -> Line | None:
    parsed = parse_name(name_of(row))
    if not parsed:
        return None
    job, name, threads = parsed
    if row.get("error_occurred"):
        return Line(job, name, threads, None, None, " ".join(str(row.get("error_message", "")).split()))
    if "real_time" not in row:
        return None
    return Line(job, name, threads, seconds_of(row), median_of(row), "")


def baseline(line: Line, lines: list[Line]) -> Line | None:
    """What `line` is compared with: rapt, and where both have one the row of the same arithmetic, as openvino-bf16 with rapt-bf16."""
    beside = {other.name: other for other in lines if (other.job, other.threads) == (line.job, line.threads) and other.fastest is not None}
    suffix = re.search(r"-bf16$", line.name)
    return (suffix and beside.get(OURS + suffix[0])) or beside.get(OURS)


def number(value: float | None, digits: int = 6) -> str:
    return "" if value is None else f"{value:.{digits}g}"


def fields(file: str, line: Line, lines: list[Line]) -> tuple[str, ...]:
    ours = baseline(line, lines)
    ratio = line.fastest / ours.fastest if ours and ours.fastest and line.fastest is not None else None
    of_medians = line.median / ours.median if ours and ours.median and line.median is not None else None
    return (file, line.job, line.threads, line.name, number(line.fastest), number(line.median), number(ratio, 4), number(of_medians, 4), line.note)


def table(path: str, name: str) -> list[tuple[str, ...]]:
    """The fields of each row of a file, in its order, under COLUMNS. x_rapt above 1: rapt is faster."""
    try:
        lines = [line for row in read_rows(path)["benchmarks"] if (line := parse_line(row))]
    except SCHEMA_ERRORS as error:
        raise BadFile(f"{path} has a row that is not of Google Benchmark's schema: {type(error).__name__}: {error}") from None
    if not lines:
        raise BadFile(f"{path} has no rows that name a job, who ran it and threads: it must come from bench/peers or bench_attention")
    return [fields(name, line, lines) for line in lines]
