"""No less accurate than PyTorch's own f32; the rule and the grid are in accuracy.py."""

from pathlib import Path

import numpy as np
import pytest

import accuracy
import oracle
import rapt

GOLDEN = Path(__file__).parent / "data" / "accuracy.npz"


def test_against_stored_errors_of_pytorch(isa):
    """On a part of the grid, with the errors that make_accuracy_golden.py stored."""
    with np.load(GOLDEN) as golden:
        head_dims, pair_step, seed = golden["head_dims"].tolist(), int(golden["pair_step"]), int(golden["seed"])
        theirs = dict(zip(map(tuple, golden["groups"].tolist()), golden["errors"], strict=True))
    theirs = {(int(head_dim), *rest): errors for (head_dim, *rest), errors in theirs.items()}
    inputs, ours = accuracy.Inputs(seed), accuracy.Errors()
    for case in accuracy.cases(head_dims, pair_step):
        q, k, v = inputs(case)
        out = rapt.attention(q, k, v, causal=case.causal, isa=isa, threads=1)
        ours.add(case, out, oracle.attention(q, k, v, causal=case.causal)[0])
    assert ours.groups.keys() == theirs.keys()
    table, worse = accuracy.compare(ours.groups, theirs)
    print(*table, sep="\n")
    assert not worse, "\n".join(worse)


@pytest.mark.full
def test_against_pytorch(isa):
    """The whole grid, both run here on the same inputs. pytest -m full -s -k pytorch prints the table."""
    import pytorch

    pytorch.use_one_thread()
    inputs, ours, theirs = accuracy.Inputs(), accuracy.Errors(), accuracy.Errors()
    for case in accuracy.cases():
        q, k, v = inputs(case)
        truth = pytorch.double_truth(q, k, v, case.causal)
        ours.add(case, rapt.attention(q, k, v, causal=case.causal, isa=isa, threads=1), truth)
        theirs.add(case, pytorch.attention(q, k, v, case.causal), truth)
    table, worse = accuracy.compare(ours.groups, theirs.groups)
    print(*table, sep="\n")
    assert not worse, f"{len(worse)} of {len(ours.groups)} groups are worse than PyTorch:\n" + "\n".join(worse)


@pytest.mark.full
def test_the_two_truths_agree(rng):
    import pytorch

    q, k, v = oracle.random_qkv(rng, 1, 4, 2, 33, 20, 48)
    for causal in accuracy.MASKS:
        truth = oracle.attention(q, k, v, causal=causal)[0]
        np.testing.assert_allclose(pytorch.double_truth(q, k, v, causal), truth, rtol=1e-12, atol=1e-14)


def test_the_rule_tells_errors_apart():
    """Relative errors of 3e-7 fail the rule against errors of 2e-7; equal ones pass, and so does rounding alone."""
    inputs, errors = accuracy.Inputs(), {0: accuracy.Errors(), 2e-7: accuracy.Errors(), 3e-7: accuracy.Errors()}
    for case in accuracy.cases([64], 16):
        q, k, v = inputs(case)
        truth = oracle.attention(q, k, v, causal=case.causal)[0]
        for size, gathered in errors.items():
            gathered.add(case, (truth * (1 + size * np.sign(q))).astype(np.float32), truth)
    small, large = errors[2e-7].groups, errors[3e-7].groups
    assert len(accuracy.compare(large, small)[1]) == len(large)
    assert not accuracy.compare(small, large)[1] and not accuracy.compare(small, small)[1]
    assert not accuracy.compare(errors[0].groups, errors[0].groups)[1]


def test_the_rule_is_not_deaf_to_nan():
    case = next(accuracy.cases([64]))
    truth = np.zeros((1, 4, case.q_len, 64))
    out = truth.astype(np.float32)
    out[0, 2, 0, 3] = np.nan
    with pytest.raises(AssertionError):
        accuracy.Errors().add(case, out, truth)
