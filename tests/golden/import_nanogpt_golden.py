#!/usr/bin/env python3
"""Brings golden.npz, which nanoGPT's own model.py wrote, to files that the C++ tests read: tests/data/nanogpt-char/.

golden.npz: ids and targets [1, 128], logits [1, 128, 65], loss; prompt, greedy_text, greedy_ids: a prompt and 200 greedy tokens
after it, the context cropped to the last 128; eval_text, eval_loss: mean loss over windows of 128 without overlap.
"""
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "nanogpt-char"


def main():
    golden = np.load(sys.argv[1])
    arrays = {name: np.ascontiguousarray(golden[name][0]) for name in ("ids", "targets", "logits", "greedy_ids")}
    metadata = {name: str(golden[name]) for name in ("prompt", "greedy_text")}
    metadata |= {name: repr(float(golden[name])) for name in ("loss", "eval_loss", "margin")}
    save_file(arrays, DATA / "golden.safetensors", metadata)
    (DATA / "eval.txt").write_text(str(golden["eval_text"]), encoding="utf-8")


if __name__ == "__main__":
    main()
