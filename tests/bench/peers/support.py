"""Makes bench/peers importable, and runs its commands."""

import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PEERS = REPOSITORY / "bench" / "peers"
sys.path.insert(0, str(PEERS))


def command(program, *arguments):
    return subprocess.run([sys.executable, "-B", str(PEERS / program), *arguments], capture_output=True, text=True, timeout=60)
