#!/usr/bin/env python3
"""Times rapt.attention and PyTorch's scaled_dot_product_attention on the same tensors, in turns, in one process.

Needs the Python packages rapt (pip install .) and torch==2.13.0. Inputs are float32, standard normal, with a fixed seed. Each
shape begins with one untimed call of each; the results must agree. The time of a row is its fastest call; GFLOP/s and GB/s
refer to it. Work: 2 * visible pairs * (D + Dv) for each query head; bytes: K and V once. Both allocate their result.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import statistics
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple, NoReturn

SHAPES_FILE = Path(__file__).resolve().parent.parent / "attention" / "named_shapes.inc"
CAUSAL = {"kFull": "none", "kCausal": "bottom_right"}
MIN_SAMPLES = 5
TURN_SECONDS = 0.005  # a turn is one call, or as many short ones as fill this
TOLERANCE = 1e-4  # of outputs that are averages of standard normal values


class Shape(NamedTuple):
    name: str
    batch: int
    q_heads: int
    kv_heads: int
    q_len: int
    kv_len: int
    head_dim: int
    head_dim_v: int
    causal: str


class BadInput(Exception):
    """One line that says what is right."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(message)


def named_shapes() -> dict[str, Shape]:
    lines = re.findall(r'^\{"(\w+)", ([\d, ]+), (k\w+)\},$', SHAPES_FILE.read_text(), re.MULTILINE)
    return {name: Shape(name, *map(int, numbers.split(",")), CAUSAL[causal]) for name, numbers, causal in lines}


def parse_shape(text: str) -> Shape:
    named = named_shapes()
    if text in named:
        return named[text]
    if not re.fullmatch(r"[1-9]\d{0,7}(,[1-9]\d{0,7}){5,6}", text):
        raise BadInput(f"--shape={text} is neither one of {', '.join(named)} nor B,Hq,Hkv,Lq,Lk,D[,Dv]")
    numbers = [int(number) for number in text.split(",")]
    if numbers[1] % numbers[2]:
        raise BadInput(f"--shape={text}: Hq must be a multiple of Hkv, but {numbers[1]} is not one of {numbers[2]}")
    return Shape(text, *numbers[:6], numbers[-1], "none")


def visible_keys(s: Shape, query: int) -> int:
    if s.causal == "none":
        return s.kv_len
    shift = s.kv_len - s.q_len if s.causal == "bottom_right" else 0
    return min(max(query + shift + 1, 0), s.kv_len)


def flops(s: Shape) -> int:
    pairs = sum(visible_keys(s, query) for query in range(s.q_len))
    return 2 * s.batch * s.q_heads * pairs * (s.head_dim + s.head_dim_v)


def kv_bytes(s: Shape) -> int:
    return 4 * s.batch * s.kv_heads * visible_keys(s, s.q_len - 1) * (s.head_dim + s.head_dim_v)


def make_calls(s: Shape, threads: int) -> dict[str, Callable[[], object]]:
    """The peers of a row: name -> a call that returns the output."""
    import rapt
    import torch

    generator = torch.Generator().manual_seed(1)
    q, k, v = (
        torch.randn(s.batch, heads, length, dim, generator=generator)
        for heads, length, dim in (
            (s.q_heads, s.q_len, s.head_dim),
            (s.kv_heads, s.kv_len, s.head_dim),
            (s.kv_heads, s.kv_len, s.head_dim_v),
        )
    )
    causal = False if s.causal == "none" else s.causal
    # PyTorch's is_causal is the top left corner; the other one needs a mask unless they are the same.
    is_causal = s.causal == "top_left" or (s.causal == "bottom_right" and s.q_len == s.kv_len)
    mask = None
    if s.causal == "bottom_right" and not is_causal:
        mask = torch.ones(s.q_len, s.kv_len, dtype=torch.bool).tril(s.kv_len - s.q_len)

    def call_torch() -> torch.Tensor:
        with torch.inference_mode():
            return torch.nn.functional.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, is_causal=is_causal, enable_gqa=s.q_heads != s.kv_heads
            )

    return {"rapt": lambda: rapt.attention(q, k, v, causal=causal, threads=threads), "torch": call_torch}


def largest_difference(calls: dict[str, Callable[[], object]], s: Shape) -> float:
    """Over rows that see a key: PyTorch gives NaN for the others."""
    first_row = max(s.q_len - s.kv_len, 0) if s.causal == "bottom_right" else 0
    ours, theirs = (call()[:, :, first_row:] for call in calls.values())
    return float((ours - theirs).abs().max())


def time_in_turns(calls: dict[str, Callable[[], object]], seconds: float, threads: int) -> dict[str, list[float]]:
    """Turns A B A B ... until each has had `seconds` and MIN_SAMPLES calls."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    spent = dict.fromkeys(calls, 0.0)
    while any(spent[name] < seconds or len(samples[name]) < MIN_SAMPLES for name in calls):
        for name, call in calls.items():
            if threads > 1:
                time.sleep(0.01)  # the other's threads stop spinning: each may have an OpenMP of its own
            turn = 0.0
            while turn < TURN_SECONDS:
                start = time.perf_counter()
                call()
                took = time.perf_counter() - start
                samples[name].append(took)
                turn += took
            spent[name] += turn
    return samples


def make_row(s: Shape, peer: str, samples: list[float], threads: int) -> dict[str, object]:
    """A member of "benchmarks" in Google Benchmark's JSON."""
    fastest = min(samples)
    name = f"{s.name}/{peer}/threads:{threads}"
    return {
        "name": name,
        "run_name": name,
        "run_type": "iteration",
        "repetitions": 1,
        "repetition_index": 0,
        "threads": 1,
        "iterations": len(samples),
        "real_time": fastest * 1e6,
        "cpu_time": fastest * 1e6,
        "time_unit": "us",
        "GFLOP/s": flops(s) / fastest / 1e9,
        "GB/s": kv_bytes(s) / fastest / 1e9,
        "median_s": statistics.median(samples),
        "samples": len(samples),
    }


def print_row(s: Shape, row: dict[str, object], peer: str) -> None:
    print(
        f"{s.name:<20} {peer:<6} {row['real_time']:>12.1f} {row['median_s'] * 1e6:>12.1f} {row['GFLOP/s']:>9.1f} "
        f"{row['GB/s']:>8.2f} {row['samples']:>8}",
        flush=True,
    )


def make_context(threads: int) -> dict[str, object]:
    import rapt
    import torch

    info = rapt.info()
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "host_name": platform.node(),
        "executable": Path(__file__).name,
        "num_cpus": os.cpu_count(),
        "cpu": info["cpu"],
        "isa": info["chosen_isa"],
        "threads": threads,
        "rapt": rapt.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def run(shapes: list[Shape], threads: int, seconds: float, json_file: str | None) -> int:
    import torch

    torch.set_num_threads(threads)
    context = make_context(threads)
    for key in ("cpu", "isa", "threads", "rapt", "torch", "python"):
        print(f"{key}: {context[key]}")
    print(f"{'shape':<20} {'peer':<6} {'min us':>12} {'median us':>12} {'GFLOP/s':>9} {'GB/s':>8} {'calls':>8}")
    rows, status = [], 0
    for s in shapes:
        calls = make_calls(s, threads)
        difference = largest_difference(calls, s)
        if not difference <= TOLERANCE:
            print(f"{s.name}: the results differ by {difference:.2g}, more than {TOLERANCE}", file=sys.stderr)
            status = 1
            continue
        samples = time_in_turns(calls, seconds, threads)
        of_shape = {peer: make_row(s, peer, samples[peer], threads) for peer in calls}
        for peer, row in of_shape.items():
            print_row(s, row, peer)
        ratios = [of_shape["torch"][key] / of_shape["rapt"][key] for key in ("real_time", "median_s")]
        print(f"{'':<20} rapt is {ratios[0]:.2f} times as fast (minimum), {ratios[1]:.2f} (median)", flush=True)
        rows += of_shape.values()
    if json_file:
        try:
            Path(json_file).write_text(json.dumps({"context": context, "benchmarks": rows}, indent=2) + "\n")
        except OSError as error:
            raise BadInput(f"--json={json_file}: {error.strerror}") from None
    return status


def parse_arguments() -> argparse.Namespace:
    parser = Parser(
        description=__doc__,
        epilog="Exit codes: 0; 1 the results of a shape differ; 2 bad input or a missing package.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shape", action="append", metavar="SHAPE",
                        help="a name, or B,Hq,Hkv,Lq,Lk,D[,Dv]; again for more than one (default: all names: "
                        + ", ".join(named_shapes()) + ")")  # fmt: skip
    parser.add_argument("--causal", choices=["none", "top_left", "bottom_right"],
                        help="mask (default: none, or what a name says)")  # fmt: skip
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of each (default: 1)")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="time for each row (default: 1)")
    parser.add_argument("--json", metavar="FILE", help="also write the rows in Google Benchmark's JSON")
    return parser.parse_args()


def main() -> int:
    try:
        arguments = parse_arguments()
        if not 1 <= arguments.threads <= 4096:
            raise BadInput(f"--threads={arguments.threads}; it must be from 1 to 4096")
        if not 0 <= arguments.seconds <= 3600:
            raise BadInput(f"--seconds={arguments.seconds}; it must be from 0 to 3600")
        if arguments.json and not Path(arguments.json).resolve().parent.is_dir():
            raise BadInput(f"--json={arguments.json}: the folder does not exist")
        shapes = [parse_shape(text) for text in arguments.shape or named_shapes()]
        if arguments.causal:
            shapes = [s._replace(causal=arguments.causal) for s in shapes]
        return run(shapes, arguments.threads, arguments.seconds, arguments.json)
    except BadInput as error:
        print(f"attention_torch.py: {error}", file=sys.stderr)
    except ImportError as error:
        how = "pip install . in the repository, and pip install torch==2.13.0"
        print(f"attention_torch.py: {error}; {how}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
