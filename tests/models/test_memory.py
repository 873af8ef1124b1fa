"""The command's resident memory while it writes: at most 1.25 times the model's file, and the KV cache."""

import os
import shlex
import subprocess
import sys

import pytest

# A process of its own, because a child is charged with what its parent held at the fork; this one is small.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
TOKENS = 20
PAGE = 64  # tokens
KV_BYTES = 2 * 30 * 3 * 64 * 2  # of a token: keys and values, layers, heads, numbers of a head, bytes of a number: SmolLM2's in f16


# What a forward pass writes takes the same memory from 256 tokens on (kTokensAtOnce of engine/session.cpp).
@pytest.mark.parametrize("prompt", ["The capital of France is", "The capital of France is Paris. " * 80, "The capital of France is Paris. " * 250])
def test_smollm2_takes_little_more_than_its_file(smollm2, prompt):
    rapt = shlex.split(os.environ.get("RAPT_COMMAND", "rapt"))
    ids = subprocess.check_output([*rapt, "tokenize", str(smollm2), prompt]).split()
    command = [*rapt, "generate", str(smollm2), "--prompt", prompt, "--tokens", str(TOKENS), "--ignore-ends"]
    found = int(subprocess.check_output([sys.executable, "-c", MEASURE, *command])) * 1024
    pages = -(-(len(ids) + TOKENS) // PAGE)
    allowed = 1.25 * smollm2.stat().st_size + pages * PAGE * KV_BYTES
    print(len(ids), found, allowed, found / allowed)
    assert found <= allowed
