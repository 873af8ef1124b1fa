"""The rule "no less accurate than PyTorch's own f32 on the same input", and the grid of cases it is applied to.

The rule. The error of an output element is its difference from attention in double. Errors are gathered in groups of one
head size, one class of key lengths and one mask, some hundreds of cases each; in every group

    RMS error of rapt <= RMS error of PyTorch, or RMS error of rapt <= half an ulp of the RMS output.

Per case the comparison would be decided by luck: both errors are a few roundings, and of two equally good sums either is
ahead half the time. Over a group luck averages out to about a percent, and what is left is the arithmetic. Half an ulp is
what rounding the exact result to float32 may cost. Beside the RMS, the largest error of a group may be at most four times
PyTorch's largest: that is loose, because a maximum keeps its luck, and it is there for single elements gone wrong.
Rows that see no key are left out of the errors, and must be 0.

The grid. q_len and kv_len from 1..33 and 127..130; head sizes 1..130 in steps of 3, which meet every remainder of 16 and 32
lanes, and the usual sizes; 4 query heads on 4, 2 or 1 KV heads; no mask and both causal corners; every second case with gaps
between rows. A case is every fourth pair of lengths, a different fourth for each head size: all pairs come up.
"""

from typing import NamedTuple

import numpy as np

import oracle

LENGTHS = (*range(1, 34), *range(127, 131))
HEAD_DIMS = tuple(sorted({*range(1, 131, 3), 2, 8, 24, 32, 48, 63, 65, 80, 96, 128, 129}))
MASKS = (False, "top_left", "bottom_right")
HALF_ULP = 2.0**-24
LARGEST_RATIO = 4.0


class Case(NamedTuple):
    kv_heads: int
    q_len: int
    kv_len: int
    head_dim: int
    causal: object
    gap: int  # unused elements after every row
    offset: int  # into the pools of inputs

    @property
    def group(self):
        return self.head_dim, "1..33" if self.kv_len <= 33 else "127..130", str(self.causal)


def cases(head_dims=HEAD_DIMS, pair_step=4):
    for head_dim in head_dims:
        index = 0
        for i, q_len in enumerate(LENGTHS):
            for j, kv_len in enumerate(LENGTHS):
                if (i + 3 * j + head_dim) % pair_step:
                    continue
                for causal in MASKS:
                    index += 1
                    yield Case((4, 2, 1)[(i + j) % 3], q_len, kv_len, head_dim, causal, index % 2 * 3, index * 61)


class Inputs:
    """Views into three pools of standard normal numbers. Making them afresh for every case would take longer than the calls."""

    SIZE = 1 << 18

    def __init__(self, seed=2026):
        rng = np.random.RandomState(seed)  # its stream is the same in every version of NumPy
        self.pools = [rng.standard_normal(self.SIZE).astype(np.float32) for _ in range(3)]

    def __call__(self, case):
        shapes = [(4, case.q_len), (case.kv_heads, case.kv_len), (case.kv_heads, case.kv_len)]
        return [self._view(pool, case, *shape) for pool, shape in zip(self.pools, shapes, strict=True)]

    def _view(self, pool, case, heads, length):
        row = case.head_dim + case.gap
        size = heads * length * row
        start = case.offset % (self.SIZE - size)
        return pool[start : start + size].reshape(1, heads, length, row)[..., : case.head_dim]


class Errors:
    """Sums over a group: [squared errors, squared outputs, largest error]."""

    def __init__(self):
        self.groups = {}

    def add(self, case, out, truth):
        blind = ~oracle.visible(case.causal, case.q_len, case.kv_len).any(axis=1)
        assert not np.asarray(out)[:, :, blind].any()
        error = np.asarray(out, np.float64) - truth
        assert np.isfinite(error).all(), case  # NaN is neither larger nor smaller than a bound
        if blind.any():
            error, truth = error[:, :, ~blind], truth[:, :, ~blind]
        entry = self.groups.setdefault(case.group, np.zeros(3))
        entry[0] += np.vdot(error, error)
        entry[1] += np.vdot(truth, truth)
        entry[2] = max(entry[2], np.abs(error).max(initial=0))


def compare(ours, theirs):
    """Applies the rule. Both: group -> sums of Errors. Returns the table as lines of text, and the groups that fail."""
    table = [f"{'head_dim':>8} {'kv_len':>9} {'causal':>12} {'RMS, half ulps':>15} {'ratio':>6} {'largest ratio':>13}"]
    worse = []
    for group, (squares, outputs, largest) in ours.items():
        their_squares, _, their_largest = theirs[group]
        rms, their_rms = (np.sqrt(x / outputs) / HALF_ULP for x in (squares, their_squares))
        ratio = rms / their_rms if their_rms else float(rms > 0)
        largest_ratio = largest / their_largest if their_largest else float(largest > 0)
        fails = (ratio > 1 and rms > 1) or (largest_ratio > LARGEST_RATIO and rms > 1)
        line = f"{group[0]:8} {group[1]:>9} {group[2]:>12} {rms:15.3f} {ratio:6.3f} {largest_ratio:13.2f}"
        table.append(line + ("  worse" if fails else ""))
        if fails:
            worse.append(line)
    return table, worse
