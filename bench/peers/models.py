#!/usr/bin/env python3
"""Times rapt.Model and other projects on the same model files, in turns (A B C A B C ...), in one process.

  smollm2   SmolLM2-135M-Instruct, Q4_1 GGUF: a prompt of 512 tokens; 64 generated tokens with 0 or 4096 in the cache; start: a Python process
            from its start over a short prompt's first token to its end
  minilm    all-MiniLM-L6-v2: sentence vectors of 1 x 16, 1 x 128, 32 x 128 and 1 x 256 tokens
  gpt2      GPT-2, 124 million random weights: a prompt of 512 tokens; 32 generated tokens

  rapt                         this library; skipped where its Python package has no Model or cannot read a file
  rapt-bf16                    its linear layers in bf16, where the CPU has products of it
  llama.cpp, llama.cpp-flash   llama-cpp-python built for this CPU, without and with flash attention (smollm2)
  torch                        PyTorch with transformers (minilm, gpt2)
  openvino, openvino-bf16      OpenVINO in f32, and in bf16 where the CPU has it (minilm)

The first run sets everything up under build/peers; building llama.cpp takes minutes. The files come inside packages of PyPI. A row's time
is that of its fastest call, and the median of all; tokens/s refers to the fastest. Results that differ from rapt's are not timed. Files are read before the clock starts;
of start they are in memory.
"""

from __future__ import annotations

import argparse
import sys

sys.dont_write_bytecode = True  # before the first of our modules

from harness import errors, run  # noqa: E402
from whole import DOERS  # noqa: E402
from whole.files import PACKAGES  # noqa: E402
from whole.frameworks import TRANSFORMERS  # noqa: E402
from whole.job import JOBS  # noqa: E402


def parse_arguments() -> argparse.Namespace:
    parser = errors.Parser(
        description=__doc__,
        epilog="Exit codes: 0; 1 a result differed or a process died; 2 bad input.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    names = [job.name for job in JOBS]
    add("--job", action="append", metavar="JOB", help="one of " + ", ".join(names) + "; again for more than one (default: all)")
    add("--threads", default="1", metavar="N,N,...", help="numbers of threads, one after the other (default: 1)")
    add("--who", default=",".join(DOERS), metavar="W,W,...", help="whom to time (default: %(default)s)")
    add("--seconds", type=float, default=3.0, metavar="S", help="time for each of a row (default: 3)")
    add("--calls", type=int, default=3, metavar="N", help="the least number of timed calls (default: 3)")
    run.add_file_options(add)
    arguments = parser.parse_args()
    arguments.threads = errors.thread_list(arguments.threads)
    arguments.who = errors.choice_list("--who", arguments.who, list(DOERS))
    arguments.job = arguments.job or names
    for name in arguments.job:
        if name not in names:
            raise errors.BadInput(f"--job={name} is none of {', '.join(names)}")
    if not 0 <= arguments.seconds <= 3600:
        raise errors.BadInput(f"--seconds={arguments.seconds}; it must be from 0 to 3600")
    if not 1 <= arguments.calls <= 10**6:
        raise errors.BadInput(f"--calls={arguments.calls}; it must be from 1 to 1000000")
    run.check_file_options(arguments.json, arguments.append)
    return arguments


def requirements(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """What pip installs: for whom, and the files."""
    found = {name: DOERS[name].requirements for name in arguments.who if DOERS[name].requirements}
    for model, package in PACKAGES.items():
        if any(name.startswith(model) for name in arguments.job):
            found[f"the files of {model}"] = ["--no-deps", package]
    if any(name.startswith("gpt2") for name in arguments.job):
        found["the files of gpt2"] = TRANSFORMERS  # which writes them
    return found


def measure_all(arguments: argparse.Namespace) -> int:
    import rapt
    from whole.measure import HEADER

    info = rapt.info()
    report = run.Report("bench/peers/models.py", arguments.json, arguments.append, info["chosen_isa"], info)
    run.say(f"{info['cpu']}, {info['chosen_isa']}\n{HEADER}")
    todo = [(job, threads) for job in arguments.job for threads in arguments.threads]
    status = 0
    for number, (job, threads) in enumerate(todo, 1):
        run.say(f"[{number}/{len(todo)}] {job}, {threads} thread{'s' if threads > 1 else ''}")
        found = run.in_process("whole.measure", {"job": job, "threads": threads, "who": arguments.who, "seconds": arguments.seconds,
                                                 "least_calls": arguments.calls})  # fmt: skip
        if isinstance(found, str):
            run.say(f"  {found}")
            status = 1
            continue
        status = 1 if found["wrong"] else status
        report.add(found)
    return status


def prepare() -> tuple[argparse.Namespace, dict[str, list[str]]]:
    arguments = parse_arguments()
    return arguments, requirements(arguments)


if __name__ == "__main__":
    sys.exit(run.main("models.py", prepare, measure_all))
