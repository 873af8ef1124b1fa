"""What attention() returns beside its result: weights of chosen heads and rows, column sums, entropy, largest scores."""

import numpy as np
import pytest

import oracle
import oracle_variants
import rapt

BATCH, HEADS, KV_HEADS, Q_LEN, KV_LEN, DIM = 2, 6, 2, 23, 150, 24
RELATIVE = oracle_variants.relative(Q_LEN, KV_LEN)
RETURNED = ("lse", "weights", "column_sums", "entropy", "max_score")
USED = np.arange(KV_LEN) < np.array([150, 31])[:, None, None, None]
SINKS = np.linspace(-1, 2, HEADS).astype(np.float32)

CASES = {
    "plain": ({}, {}),
    "causal": ({"causal": True}, {"visible": RELATIVE <= 0}),
    "rows without a key": ({"causal": True, "q_offsets": -5}, {"visible": RELATIVE <= -5 - (KV_LEN - Q_LEN)}),
    "window": ({"window": (5, 3)}, {"visible": (RELATIVE >= -5) & (RELATIVE <= 3)}),
    "key lengths": ({"kv_lengths": [150, 31]}, {"visible": USED}),
    "soft-cap and sinks": ({"softcap": 0.7, "sinks": SINKS}, {"softcap": 0.7, "sinks": SINKS}),
}


@pytest.fixture
def qkv(rng):
    return oracle.random_qkv(rng, BATCH, HEADS, KV_HEADS, Q_LEN, KV_LEN, DIM)


def everything(*arguments, **options):
    """All outputs, by name."""
    results = rapt.attention(*arguments, **options, **{f"return_{name}": True for name in RETURNED})
    return dict(zip(("out", *RETURNED), results, strict=True))


def expected(qkv, **truth):
    """All outputs in double, from the weights."""
    out, lse, weights = oracle_variants.attention(*qkv, **truth)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.where(weights > 0, np.log(weights), 0)
        max_score = np.log(weights.max(axis=3, initial=0)) + lse
    max_score = np.where(np.isnan(max_score), -np.inf, max_score)
    return {
        "out": out, "lse": lse, "weights": weights, "column_sums": weights.sum(axis=2),
        "entropy": -(weights * logarithms).sum(axis=3), "max_score": max_score,
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("engine", ["rapt", "reference"])
def test_every_output(qkv, case, engine):
    options, truth = case
    results, wanted = everything(*qkv, backend=engine, **options), expected(qkv, **truth)
    for name, value in results.items():
        oracle.assert_close(value, wanted[name], bound=1e-5)
    np.testing.assert_array_equal(results["out"], rapt.attention(*qkv, backend=engine, **options))


def test_outputs_come_one_by_one_and_in_order(qkv):
    together = everything(*qkv, causal=True)
    for name in RETURNED:
        out, alone = rapt.attention(*qkv, causal=True, **{f"return_{name}": True})
        np.testing.assert_array_equal(out, together["out"])
        np.testing.assert_array_equal(alone, together[name])
    pair = rapt.attention(*qkv, causal=True, return_max_score=True, return_lse=True)
    np.testing.assert_array_equal(pair[1], together["lse"])
    np.testing.assert_array_equal(pair[2], together["max_score"])


@pytest.mark.parametrize("heads", [None, [4], np.array([5, 0, 3], np.int32), []])
@pytest.mark.parametrize("rows", [None, [Q_LEN - 1], (22, 3, 7, 0), []])
def test_weights_of_chosen_heads_and_rows(qkv, heads, rows):
    out, every = rapt.attention(*qkv, causal=True, return_weights=True)
    chosen = {"weight_heads": heads, "weight_rows": rows}
    result, weights = rapt.attention(*qkv, causal=True, return_weights=True, **chosen)
    wanted = every if heads is None else every[:, np.array(heads, int)]
    wanted = wanted if rows is None else wanted[:, :, np.array(rows, int)]
    np.testing.assert_array_equal(result, out)
    np.testing.assert_array_equal(weights, wanted)


def test_chosen_weights_take_no_full_matrix(rng):
    """Of 64 thousand queries the weights of one: all of them would take 16 GiB a head."""
    q, k, v = oracle.random_qkv(rng, 1, 2, 1, 1, 1 << 16, 8)
    many = np.broadcast_to(q, (1, 2, 1 << 16, 8))
    chosen = {"return_weights": True, "weight_heads": [1], "weight_rows": [40000]}
    assert "weights" in rapt.explain(many, k, v, **chosen)
    assert rapt.workspace_size(many, k, v, **chosen) < 64 << 20
    out, weights = rapt.attention(many[:, :, :50], k, v, **{**chosen, "weight_rows": [49]})
    assert weights.shape == (1, 1, 1, 1 << 16)
    oracle.assert_close(weights, oracle_variants.attention(q, k, v)[2][:, 1:])


def test_ragged_column_sums(rng):
    starts_q, starts_k = [0, 5, 5, 12, 40], [0, 30, 41, 41, 90]
    q, k, v = oracle.random_qkv(rng, 1, HEADS, KV_HEADS, 40, 90, DIM)
    options = {"causal": True, "return_column_sums": True, "return_entropy": True}
    out, sums, entropy = rapt.attention(q, k, v, cu_seqlens_q=starts_q, cu_seqlens_k=starts_k, **options)
    assert sums.shape == (1, HEADS, 90) and entropy.shape == (1, HEADS, 40)
    for n in range(4):
        rows, keys = slice(*starts_q[n : n + 2]), slice(*starts_k[n : n + 2])
        alone, alone_sums, alone_entropy = rapt.attention(q[:, :, rows], k[:, :, keys], v[:, :, keys], **options)
        np.testing.assert_array_equal(out[:, :, rows], alone)
        np.testing.assert_array_equal(entropy[:, :, rows], alone_entropy)
        oracle.assert_close(sums[:, :, keys], alone_sums.astype(np.float64))


def test_ragged_rows_of_no_sequence_see_nothing(rng, monkeypatch):
    q, k, v = oracle.random_qkv(rng, 1, HEADS, KV_HEADS, 40, 90, DIM)
    monkeypatch.setattr(np, "empty", lambda shape, dtype: np.full(shape, np.nan, dtype))
    for starts_q in ([0, 5, 12], [0, 0, 0]):
        end, ragged = starts_q[-1], {"cu_seqlens_q": starts_q, "cu_seqlens_k": [0, 30, 41]}
        out, lse, sums, entropy, most = rapt.attention(
            q, k, v, **ragged, return_lse=True, return_column_sums=True, return_entropy=True, return_max_score=True)
        for array, expected in [(out, 0), (entropy, 0), (lse, -np.inf), (most, -np.inf)]:
            np.testing.assert_array_equal(array[:, :, end:], expected)
            assert np.isfinite(array[:, :, :end]).all()
        np.testing.assert_array_equal(sums[:, :, 41:], 0)
        given = np.full((1, HEADS, 40, DIM), 7, np.float32)
        assert (rapt.attention(q, k, v, **ragged, out=given)[:, :, end:] == 7).all()


@pytest.mark.parametrize("options, error, text", [
    ({"weight_heads": [0]}, ValueError, "weight_heads says what return_weights returns, but return_weights is False"),
    ({"weight_rows": [0]}, ValueError, "weight_rows says what return_weights returns, but return_weights is False"),
    ({"return_weights": True, "weight_heads": [0, HEADS]}, ValueError, "weight_heads[1] is 6; it is 0 to 5"),
    ({"return_weights": True, "weight_rows": [-1]}, ValueError, "weight_rows[0] is -1; it is 0 to 22"),
    ({"return_weights": True, "weight_rows": [[0]]}, ValueError, "weight_rows has shape [1, 1]; it must be [any]"),
    ({"return_weights": True, "weight_rows": 3}, ValueError, "weight_rows has shape []; it must be [any]"),
    ({"return_weights": True, "weight_heads": [0.5]}, TypeError, "weight_heads has dtype float64; it must hold integers"),
    ({"return_entropy": 1}, TypeError, "return_entropy is 1; it must be False or True"),
    ({"return_column_sums": None}, TypeError, "return_column_sums is None; it must be False or True"),
])  # fmt: skip
def test_errors(qkv, options, error, text):
    for function in (rapt.attention, rapt.explain, rapt.workspace_size):
        with pytest.raises(error) as caught:
            function(*qkv, **options)
        assert text in str(caught.value)


def test_workspace_size(qkv):
    one, two = (rapt.workspace_size(*qkv, causal=True, threads=n) for n in (1, 2))
    assert 0 < one < two < 64 << 20
    assert rapt.workspace_size(*(x[:, :, :0] for x in qkv)) == 0
    with pytest.raises(TypeError, match=r"workspace_size\(\) got an unexpected keyword argument 'thread'"):
        rapt.workspace_size(*qkv, thread=1)
