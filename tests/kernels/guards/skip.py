"""How a test of this folder says that it cannot run here. ctest takes the exit status for "skipped" and shows the line."""

import sys

SKIPPED = 77


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)
