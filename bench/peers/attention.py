#!/usr/bin/env python3
"""Times rapt.attention and other projects' attention on the same tensors, in turns (A B C A B C ...), in one process.

The first run sets everything up under build/peers: a virtual environment with the peers, rapt's Python package built from this
checkout, and bench_machine. Later runs install only what has changed. A peer that cannot be installed or cannot do a call is
named and skipped.

  rapt          this library
  torch         PyTorch's scaled_dot_product_attention
  zentorch      AMD's operator for PyTorch (needs AVX-512)
  onnxruntime   MultiHeadAttention, GroupQueryAttention or Attention, whichever is fastest
  openvino      ScaledDotProductAttention, for fixed or free shapes, whichever is faster
  onednn        oneDNN's matmul around rapt's softmax: rapt's backend of that name
  onednn_graph  oneDNN's Graph API, where the library fuses attention (RAPT_LIBDNNL names another than the system's)

A row's time is that of its fastest call, and the median of all; GFLOP/s, GB/s and shares refer to the fastest. Work is
2 * visible pairs * (D + Dv) for each query head, bytes are K and V once. "% peak" is of the f32 FMA peak of the ISA level on as
many threads, measured before and after the calls; "% read" (decoding) is of the bandwidth of the level of memory that
holds K and V. Every process is bound to as many CPUs as it has threads. Results that differ are not timed.
"""

from __future__ import annotations

import argparse
import os
import sys

sys.dont_write_bytecode = True  # before the first of our modules

from calls import PEERS  # noqa: E402
from harness import errors, machine, run, shapes  # noqa: E402

DTYPES = list(shapes.ELEMENT_BYTES)


def parse_arguments() -> argparse.Namespace:
    parser = errors.Parser(
        description=__doc__,
        epilog="Exit codes: 0; 1 a result differed or a process died; 2 bad input.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--shape", action="append", metavar="SHAPE",
        help="a name, or B,Hq,Hkv,Lq,Lk,D[,Dv]: batch, query heads, KV heads, query length, KV length, head size, head size of V; "
        "again for more than one (default: all names: " + ", ".join(shapes.named_shapes()) + ")")  # fmt: skip
    add("--causal", choices=["none", "top_left", "bottom_right"], help="mask (default: none, or what a name says)")
    add("--lengths", metavar="N,N,...", help="every shape at these lengths in turn: of queries and keys, or of keys alone where "
        "a shape has one query")  # fmt: skip
    add("--threads", default="1", metavar="N,N,...", help="numbers of threads, one after the other (default: 1)")
    add("--types", default="f32", metavar="T,T,...", help="element types: f32, bf16, f16 (default: f32)")
    add("--peers", default=",".join(PEERS), metavar="P,P,...", help="which to time (default: %(default)s)")
    add("--isa", metavar="LEVEL", help="rapt's ISA level, whose peak is measured too (default: RAPT_ISA, or the best of the CPU)")
    add("--seconds", type=float, default=1.0, metavar="S", help="time for each peer of a row (default: 1)")
    add("--calls", type=int, default=5, metavar="N", help="the least number of timed calls (default: 5)")
    run.add_file_options(add)
    return parser.parse_args()


def check(arguments: argparse.Namespace) -> None:
    arguments.threads = errors.thread_list(arguments.threads)
    arguments.types = errors.choice_list("--types", arguments.types, DTYPES)
    arguments.peers = errors.choice_list("--peers", arguments.peers, list(PEERS))
    arguments.shapes = chosen_shapes(arguments)
    if arguments.isa and arguments.isa not in machine.ISA_LEVELS:
        raise errors.BadInput(f"--isa={arguments.isa} is none of {', '.join(machine.ISA_LEVELS)}")
    if not 0 <= arguments.seconds <= 3600:
        raise errors.BadInput(f"--seconds={arguments.seconds}; it must be from 0 to 3600")
    if not 1 <= arguments.calls <= 10**6:
        raise errors.BadInput(f"--calls={arguments.calls}; it must be from 1 to 1000000")
    run.check_file_options(arguments.json, arguments.append)


def chosen_shapes(arguments: argparse.Namespace) -> list[shapes.Shape]:
    chosen = [shapes.parse_shape(text) for text in arguments.shape or shapes.named_shapes()]
    if arguments.causal:
        chosen = [s._replace(causal=arguments.causal, name=f"{s.name}/{arguments.causal}") for s in chosen]
    if arguments.lengths:
        lengths = errors.number_list("--lengths", arguments.lengths, 1, 1 << 24)
        chosen = [s._replace(name=f"{s.name}/length:{n}", q_len=1 if s.q_len == 1 else n, kv_len=n) for s in chosen for n in lengths]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for s in chosen:
        if shapes.tensor_bytes(s) > memory / 2:
            raise errors.BadInput(f"the tensors of {s.name} take {shapes.tensor_bytes(s) / 1e9:.0f} GB; this machine has {memory / 1e9:.0f} GB")
    return chosen


def measure_all(arguments: argparse.Namespace) -> int:
    import rapt
    from calls.measure import HEADER

    info = rapt.info()
    isa = arguments.isa or info["chosen_isa"]
    if isa not in [level["name"] for level in info["isa_levels"] if level["available"]]:
        raise errors.BadInput(f"--isa={isa} is no level of this CPU; its best is {info['best_isa']}")
    report = run.Report("bench/peers/attention.py", arguments.json, arguments.append, isa, info)
    run.say(f"{info['cpu']}, {isa}\n{HEADER}")
    todo = [(s, dtype, n) for s in arguments.shapes for dtype in arguments.types for n in arguments.threads]
    status = 0
    for number, (s, dtype, threads) in enumerate(todo, 1):
        run.say(f"[{number}/{len(todo)}] {s.name} {dtype}, {threads} thread{'s' if threads > 1 else ''}")
        found = run.in_process("calls.measure", {"shape": s, "dtype": dtype, "threads": threads, "isa": isa, "peers": arguments.peers,
                                                 "seconds": arguments.seconds, "least_calls": arguments.calls})  # fmt: skip
        if isinstance(found, str):
            run.say(f"  {found}")
            status = 1
            continue
        status = 1 if found["wrong"] else status
        report.add(found)
    return status


def prepare() -> tuple[argparse.Namespace, dict[str, list[str]]]:
    arguments = parse_arguments()
    check(arguments)
    return arguments, {name: PEERS[name].requirements for name in arguments.peers if PEERS[name].requirements}


if __name__ == "__main__":
    sys.exit(run.main("attention.py", prepare, measure_all))
