"""The command's resident memory while it writes: at most 1.25 times the model's file, and the KV cache."""

import os
import subprocess
import sys

# A process of its own, because a child is charged with what its parent held at the fork; this one is small.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
PROMPT, TOKENS = "The capital of France is", 20
PAGE = 64 * 2 * 30 * 3 * 64 * 2  # tokens, keys and values, layers, heads, numbers of a head, bytes: SmolLM2's in f16


def test_smollm2_takes_little_more_than_its_file(smollm2):
    command = [*os.environ.get("RAPT_COMMAND", "rapt").split(), "generate", str(smollm2), "--prompt", PROMPT, "--tokens", str(TOKENS),
               "--ignore-ends"]
    found = int(subprocess.check_output([sys.executable, "-c", MEASURE, *command])) * 1024
    allowed = 1.25 * smollm2.stat().st_size + PAGE
    print(found, allowed, found / allowed)
    assert found <= allowed
