"""rapt.info(), rapt.explain(), the version, and the package as it is installed."""

import importlib.metadata
import importlib.resources
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import oracle
import rapt


def test_info():
    info = rapt.info()
    assert json.loads(json.dumps(info)) == info
    levels = {e["name"]: e for e in info["isa_levels"]}
    assert next(iter(levels)) == "scalar" and levels["scalar"]["available"]
    available = [name for name, e in levels.items() if e["available"]]
    assert info["best_isa"] == available[-1] and info["chosen_isa"] in available
    assert info["chosen_isa"] == os.environ.get("RAPT_ISA", info["best_isa"])
    for entry in info["isa_levels"] + info["backends"]:
        assert entry["available"] == (entry["why_not"] is None)
        assert entry["available"] or entry["name"] in entry["why_not"]
    backends = {e["name"]: e for e in info["backends"]}
    assert {"rapt", "reference", "onednn"} <= backends.keys()
    assert backends["rapt"]["available"] and backends["reference"]["available"]
    assert all(e["version"] for e in info["backends"])
    assert info["cpu"] and info["openmp"]
    assert 1 <= info["num_threads"] <= info["logical_cpus"] and info["threads_reason"]
    assert all(info[name] >= 0 for name in ("l1d_bytes", "l2_bytes", "l3_bytes"))


def test_levels_follow_the_cpu():
    """Against Linux's own list of CPU features."""
    with open("/proc/cpuinfo") as file:
        flags = next((line.split(":")[1].split() for line in file if line.startswith("flags")), None)
    if flags is None:
        pytest.skip("no x86 feature list")
    available = {e["name"]: e["available"] for e in rapt.info()["isa_levels"]}
    assert available["avx2"] == ({"avx2", "fma"} <= set(flags))
    avx512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"}
    assert available["avx512"] == (avx512 <= set(flags))
    assert not available["avx512_intel"] or available["avx512"]  # and the CPU is Intel's
    assert available["avx512_vnni"] == (avx512 | {"avx512_vnni"} <= set(flags))
    assert available["avx512_bf16"] == (avx512 | {"avx512_vnni", "avx512_bf16"} <= set(flags))
    # The system may refuse a process its tiles; then there is no such level, whatever the CPU.
    assert not available["amx_bf16"] or avx512 | {"avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16"} <= set(flags)


SMALL_SIGNAL_STACK = '''
import ctypes
class Stack(ctypes.Structure):
    _fields_ = [("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
memory = ctypes.create_string_buffer(8192)
def use_small_stack():
    return ctypes.CDLL(None).sigaltstack(ctypes.byref(Stack(ctypes.addressof(memory), 0, 8192)), None)
'''


def run_in_new_process(code: str, **environment: str) -> str:
    env = {name: value for name, value in os.environ.items() if name != "RAPT_ISA"} | environment
    return subprocess.run([sys.executable, "-c", SMALL_SIGNAL_STACK + code], env=env, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def tiles():
    if run_in_new_process("import rapt; print(rapt.info()['best_isa'])") != "amx_bf16":
        pytest.skip("this CPU, or its system, has no tiles")


def test_tiles_are_left_where_a_signal_stack_is_too_small_for_them(tiles):
    code = "assert use_small_stack() == 0; import rapt; print(rapt.info()['best_isa'])"
    assert run_in_new_process(code) == "avx512_bf16"


def test_a_lower_level_does_not_ask_for_tiles(tiles):
    code = "import rapt; assert rapt.info()['chosen_isa'] == 'avx2'; print(use_small_stack())"
    assert run_in_new_process(code, RAPT_ISA="avx2") == "0"
    assert run_in_new_process("import rapt; rapt.info(); print(use_small_stack())") == "-1"  # or the test shows nothing


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", rapt.__version__)
    assert rapt.__version__ == rapt.info()["version"] == importlib.metadata.version("rapt-attention")


def test_explain(rng, isa, backend):
    q, k, v = oracle.random_qkv(rng)
    text = rapt.explain(q, k, v, causal=True, isa=isa, backend=backend, threads=1)
    assert text.startswith(backend) and "\n" not in text
    if backend == "rapt":
        assert isa in text


def test_explain_follows_the_arguments(rng):
    q, k, v = oracle.random_qkv(rng, 1, 8, 2, 3, 5, 8)
    assert "8 query heads on 2 KV heads" in rapt.explain(q, k, v)
    assert rapt.explain(q, k, v) != rapt.explain(np.repeat(q, 40, axis=2), k, v)


def test_the_package_is_typed_and_documented():
    assert importlib.resources.files(rapt).joinpath("py.typed").is_file()
    for name in rapt.__all__:
        if callable(getattr(rapt, name)):
            assert len(getattr(rapt, name).__doc__) > 100
