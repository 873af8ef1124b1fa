"""Threads and processes: concurrent callers, the GIL, forked children, the environment's RAPT_ISA."""

import multiprocessing
import os
import pathlib
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import oracle
import rapt

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def test_concurrent_callers(rng):
    inputs = [oracle.random_qkv(rng, 1, 4, 2, 20 + i, 50 + i, 32) for i in range(12)]
    expected = [rapt.attention(*arrays, causal=True) for arrays in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            results = pool.map(lambda arrays: rapt.attention(*arrays, causal=True, threads=2), inputs)
            for result, wanted in zip(results, expected, strict=True):
                np.testing.assert_array_equal(result, wanted)


def test_the_gil_is_released_during_a_call(rng):
    """While a call runs, this thread goes on. With the GIL held it would get a turn or two before the call's end."""
    q, k, v = oracle.random_qkv(rng, 1, 4, 4, 700, 700, 64)
    started, turns = threading.Event(), 0

    def call():
        started.set()
        rapt.attention(q, k, v, backend="reference", threads=1)

    caller = threading.Thread(target=call)
    caller.start()
    started.wait()
    while caller.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 20


def _call_and_send(connection, arrays, options):
    connection.send(rapt.attention(*arrays, **options))
    connection.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("threads", [None, 1, 2, 4])
def test_a_forked_child_can_call(rng, backend, threads):
    """GNU OpenMP's threads do not survive a fork; a child that waited for them would hang."""
    arrays = oracle.random_qkv(rng, 2, 4, 2, 100, 100, 32)
    options = {"backend": backend, "threads": threads, "causal": True}
    expected = rapt.attention(*arrays, **options)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_call_and_send, args=(sender, arrays, options))
    child.start()
    try:
        assert receiver.poll(60), "the child hangs"
        np.testing.assert_array_equal(receiver.recv(), expected)
        child.join(60)
        assert child.exitcode == 0
    finally:
        if child.is_alive():
            child.kill()
        child.join()
    np.testing.assert_array_equal(rapt.attention(*arrays, **options), expected)


def _run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_environment_lowers_the_level():
    done = _run("import rapt; print(rapt.info()['chosen_isa'])", RAPT_ISA="scalar")
    assert (done.stdout, done.stderr) == ("scalar\n", "")


def test_environment_with_an_unknown_level():
    code = "import numpy, rapt; x = numpy.ones((1, 1, 2, 4), 'f4'); rapt.attention(x, x, x)"
    done = _run(code, RAPT_ISA="mmx")
    assert done.returncode == 1 and done.stdout == ""
    assert "ValueError: rapt_context_create: environment variable RAPT_ISA is 'mmx'" in done.stderr


DAEMONS = {
    "generate": "for _ in generator.generate('JULIET:', 100, temperature=1): pass",
    "prefill": "generator.session().prefill([1] * 128)",
    "embed": "embedder.embed(['the cat sat on the mat'] * 20)",
    "tokenize": "embedder.tokenize('the cat ' * 5000)",
    "attention": "rapt.attention(x, x, x, threads=1)",
}


@pytest.mark.parametrize("name", DAEMONS)
def test_daemon_threads_compute_while_python_ends(name):
    """Python ends a thread that asks for the GIL then; it must not take the process with it, nor be told of as a leak."""
    code = f"""
import threading, time, numpy, rapt

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(0.3)  # at the end of Python, so that the threads notice

slow = Slow()
x = numpy.ones((1, 2, 500, 64), "f4")
generator = rapt.Model("{REPOSITORY}/tools/models/nanogpt-char/model.safetensors", threads=1) if {name in ("generate", "prefill")} else None
embedder = rapt.Model("{REPOSITORY}/tests/data/bert", threads=1) if {name in ("embed", "tokenize")} else None

def compute(rapt=rapt, x=x, generator=generator, embedder=embedder):
    while True:
        {DAEMONS[name]}

for _ in range(2):
    threading.Thread(target=compute, daemon=True).start()
time.sleep(0.1)
"""
    for _ in range(4):
        done = _run(code)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_thread_that_ends_python_can_call():
    """From a destructor that runs then."""
    code = f"""
import rapt
class Late:
    def __del__(self, tokenize=rapt.Model("{REPOSITORY}/tests/data/bert")._core.tokenize, show=print):
        show(len(tokenize(b"cat " * 10)))
late = Late()
"""
    done = _run(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "10\n", "")


def test_importing_needs_neither_numpy_nor_torch_nor_typing():
    done = _run("import sys, rapt; rapt.info(); print({'numpy', 'torch', 'typing'} & set(sys.modules))")
    assert done.stdout == "set()\n", done.stderr


def test_nothing_is_printed():
    done = _run("import numpy, rapt; x = numpy.ones((1, 1, 200, 64), 'f4'); rapt.attention(x, x, x, causal=True)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
