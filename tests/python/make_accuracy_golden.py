"""Writes data/accuracy.npz: PyTorch's errors on the part of the grid that the quick tier runs. Needs torch==2.13.0.

python tests/python/make_accuracy_golden.py
"""

from pathlib import Path

import numpy as np

import accuracy
import oracle
import pytorch

HEAD_DIMS, PAIR_STEP, SEED = [1, 7, 16, 31, 64, 100, 128, 130], 7, 2026


def main():
    pytorch.use_one_thread()
    inputs, errors = accuracy.Inputs(SEED), accuracy.Errors()
    for case in accuracy.cases(HEAD_DIMS, PAIR_STEP):
        q, k, v = inputs(case)
        errors.add(case, pytorch.attention(q, k, v, case.causal), oracle.attention(q, k, v, causal=case.causal)[0])
    path = Path(__file__).parent / "data" / "accuracy.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        head_dims=HEAD_DIMS,
        pair_step=PAIR_STEP,
        seed=SEED,
        groups=[[str(x) for x in group] for group in errors.groups],
        errors=list(errors.groups.values()),
        made_with=f"torch {pytorch.torch.__version__}, {pytorch.torch.backends.cpu.get_cpu_capability()}",
    )
    print(f"{path}: {len(errors.groups)} groups")


if __name__ == "__main__":
    main()
