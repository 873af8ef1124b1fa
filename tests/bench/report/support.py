"""Makes tools/bench_report's parts importable, runs it, and writes small files for it."""

import json
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "tools"))

CONTEXT = {"cpu": "A <fast> CPU", "date": "2026-11-24", "compiler": "GNU 12", "commit": "abc", "versions": {"rapt": "rapt 1", "torch": "2"}}


def row(shape, peer, microseconds, threads=1, dtype="f32", **counters):
    """As bench/peers writes it; half of 100 GFLOP/s, and K and V at a tenth of that."""
    gflops = 50.0 / threads
    return {"name": f"{shape}/{dtype}/{peer}/threads:{threads}", "real_time": microseconds, "time_unit": "us", "median_s": microseconds * 2e-6,
            "GFLOP/s": gflops, "GB/s": gflops / 10, "%peak": gflops, "fma_peak_GFLOP/s": 100.0, **counters}  # fmt: skip


def write(path, rows):
    pathlib.Path(path).write_text(json.dumps({"context": CONTEXT, "benchmarks": rows}))
    return str(path)


def report(*arguments):
    command = [sys.executable, "-B", str(REPOSITORY / "tools/bench_report"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)
