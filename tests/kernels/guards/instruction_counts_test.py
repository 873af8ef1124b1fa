"""instruction_counts_test.py [--update] COMPILER BUILD_TYPE PROGRAM: instructions of chosen calls against the stored counts.

The noise of a shared machine does not reach an instruction count: the same program executes the same instructions every time.
PROGRAM is guard_calls; the counts of each compiler version and build type are in instruction_counts.json. A count that moved by
more than TOLERANCE and SLACK fails, up or down: a faster call is stored too, or the guard would sleep through its next regression.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from skip import skip

STORED = pathlib.Path(__file__).with_name("instruction_counts.json")
TOLERANCE = 0.01  # one more pass over the scores is 1 to 2 % of a call
SLACK = 200  # instructions: what another C library changes around a call


def measure(program: str) -> dict[str, int]:
    """Name of a call -> instructions."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out", program]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
        counts = {}
        for file in pathlib.Path(folder).iterdir():
            text = file.read_text()
            name = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.MULTILINE)
            if name:
                counts[name[1]] = int(re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)[1])
    return counts


def compare(counts: dict[str, int], stored: dict[str, int]) -> list[str]:
    """What is wrong. Calls of a level that this CPU lacks are not measured, and no fault."""
    levels = {name.split()[0] for name in counts}
    wrong = [f"{name}: stored, but no longer measured" for name in stored if name.split()[0] in levels and name not in counts]
    for name, count in sorted(counts.items()):
        if name not in stored:
            wrong.append(f"{name}: {count}, and nothing is stored")
            continue
        change = count / stored[name] - 1
        print(f"{name:<24} {count:>12,} {100 * change:>+7.2f} %")
        if abs(count - stored[name]) > TOLERANCE * stored[name] + SLACK:
            wrong.append(f"{name}: {count:,} instructions, {100 * change:+.1f} % of the stored {stored[name]:,}; {TOLERANCE:.0%} are allowed")
    return wrong


def main() -> int:
    arguments = sys.argv[1:]
    update = arguments[:1] == ["--update"]
    compiler, build_type, *program = arguments[1:] if update else arguments
    key = f"{compiler} {build_type}"
    everything = json.loads(STORED.read_text())
    if not update and key not in everything:
        skip(f"no counts are stored for {key}, only for {', '.join(everything) or 'none'}")
    if not shutil.which("valgrind") or not program:
        skip("valgrind, or its header while configuring, is not installed (Debian: valgrind)")
    counts = measure(program[0])
    if not counts:
        sys.exit("no call was counted")
    if update:
        everything[key] = {**everything.get(key, {}), **counts}
        STORED.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n")
        print(f"stored {len(counts)} counts for {key}")
        return 0
    wrong = compare(counts, everything[key])
    if wrong:
        print("\n".join(wrong))
        print("If that is meant, store the new counts: cmake --build BUILD --target update_instruction_counts")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
