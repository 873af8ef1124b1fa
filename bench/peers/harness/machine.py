"""What a row is compared with, and what its file says of the machine and the build. Layer: bench/peers/harness.

The limits come from bench_machine (bench/machine/), run before and after the calls of a row: clocks change within a run.
"""

from __future__ import annotations

import datetime
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from .environment import BENCH_MACHINE, COMMIT, PACKAGE_BUILD, ROOT
from .errors import Failure

ISA_LEVELS = sorted(file.stem for file in (ROOT / "kernels" / "isa").glob("*.cpp"))  # one file a level
CACHES = (("L1d", "l1d_bytes"), ("L2", "l2_bytes"), ("L3", "l3_bytes"))

Limits = dict[str, float]  # "fma", and "L1", "L2", "L3", "DRAM" as far as they differ: a second, of all threads


def bench_machine(isa: str, threads: int, rows: str, seconds: float) -> dict[str, Any]:
    """The JSON of the rows whose names match."""
    command = [str(BENCH_MACHINE), f"--threads={threads}", f"--benchmark_min_time={seconds}", "--benchmark_format=json",
               f"--isa={isa}", f"--benchmark_filter=^({rows})/threads:{threads}(/|$)"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise Failure(f"{BENCH_MACHINE}: {error.strerror}") from None
    if done.returncode:
        raise Failure(f"bench_machine failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def measure_limits(isa: str, threads: int, reads: bool, seconds: float = 0.2) -> Limits:
    """FLOP/s of fused multiply-adds; with `reads` also bytes a second from each level of memory."""
    rows = bench_machine(isa, threads, f"fma/{isa}" + ("|read/.*" if reads else ""), seconds)["benchmarks"]
    limits: Limits = {}
    for row in rows:
        kind, level = row["name"].split("/")[:2]
        limits["fma" if kind == "fma" else level] = 1e9 * row["GFLOP/s" if kind == "fma" else "GB/s"]
    if "fma" not in limits:
        raise Failure(f"bench_machine has no FMA peak for the ISA level {isa}")
    return limits


def higher(before: Limits, after: Limits) -> Limits:
    return {name: max(rate, after.get(name, 0)) for name, rate in before.items()}


def level_of(size: int, threads: int, info: dict[str, Any]) -> str:
    """The smallest level of memory that holds `size` bytes spread over the threads' caches."""
    for level, capacity in (("L1", info["l1d_bytes"] * threads), ("L2", info["l2_bytes"] * threads), ("L3", info["l3_bytes"])):
        if size <= capacity:
            return level
    return "DRAM"


def compiler() -> str:
    """Of the Python package, from CMake's own record."""
    for file in PACKAGE_BUILD.glob("CMakeFiles/*/CMakeCXXCompiler.cmake"):
        values = dict(re.findall(r'^set\((CMAKE_CXX_COMPILER_ID|CMAKE_CXX_COMPILER_VERSION) "(.*)"\)$', file.read_text(), re.MULTILINE))
        return " ".join(values.values())
    return "unknown"


def flags(isa: str) -> str:
    """That the kernels of an ISA level were compiled with, without paths, warnings and definitions."""
    file = PACKAGE_BUILD / "compile_commands.json"
    if not file.exists():
        return "unknown"
    for entry in json.loads(file.read_text()):
        if entry["file"].endswith(f"kernels/isa/{isa}.cpp"):
            words = entry["command"].split()
            return " ".join(word for word in words if re.match(r"-(O|m|f|std)", word) and "prefix-map" not in word)
    return "unknown"


def make_context(program: str, isa: str, rapt_info: dict[str, Any], versions: dict[str, str]) -> dict[str, Any]:
    """The "context" of a file: Google Benchmark's own members as bench_machine knows them, then ours."""
    google = bench_machine(isa, 1, f"fma/{isa}", 0.01)["context"]
    kept = {key: google[key] for key in ("num_cpus", "mhz_per_cpu", "cpu_scaling_enabled") if key in google}
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "executable": program,
        **kept,
        "cpu": rapt_info["cpu"],
        "cache_sizes": ", ".join(f"{name} {rapt_info[key] >> 10} KiB" for name, key in CACHES if rapt_info[key]),
        "isa": isa,
        "system": system_name(),
        "compiler": compiler(),
        "flags": flags(isa),
        "commit": COMMIT.read_text() if COMMIT.exists() else "unknown",
        "versions": versions,
    }


def system_name() -> str:
    release = Path("/etc/os-release")
    pretty = re.search(r'^PRETTY_NAME="?([^"\n]*)', release.read_text(), re.MULTILINE) if release.exists() else None
    return pretty[1] if pretty else "Linux"
