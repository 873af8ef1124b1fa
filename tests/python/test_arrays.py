"""Views: any strides without copies, outputs in place, read-only and empty arrays, references that end with the call."""

import sys
import tracemalloc

import numpy as np
import pytest

import oracle
import rapt
from rapt import _arrays, _model


def padded(array, gap=3):
    """The same values with `gap` elements of NaN after every row, head and batch."""
    shape = [n + gap for n in array.shape]
    big = np.full(shape, np.nan, array.dtype)
    view = big[tuple(slice(0, n) for n in array.shape)]
    view[...] = array
    return view


VIEWS = {
    "gaps": padded,
    "batch, length, heads, dim storage": lambda x: np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3),
    "heads first": lambda x: np.ascontiguousarray(x.transpose(1, 2, 0, 3)).transpose(2, 0, 1, 3),
    "reversed length": lambda x: np.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1],
    "reversed batch and heads": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "every second row": lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
    "one element off alignment": lambda x: np.concatenate([[0], x.ravel()]).astype(np.float32)[1:].reshape(x.shape),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_strides_give_the_same_bits(rng, isa, view):
    q, k, v = oracle.random_qkv(rng, 2, 4, 2, 19, 37, 24)
    expected = rapt.attention(q, k, v, causal=True, isa=isa)
    qv, kv, vv = view(q), view(k), view(v)
    np.testing.assert_array_equal(rapt.attention(qv, kv, vv, causal=True, isa=isa), expected)
    oracle.assert_close(expected, oracle.attention(q, k, v, causal=True)[0])


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_out_is_written_in_place_and_nothing_else_is(rng, view):
    q, k, v = oracle.random_qkv(rng, 2, 4, 2, 19, 37, 24)
    expected = rapt.attention(q, k, v)
    out = view(np.full(expected.shape, 7, np.float32))
    base = out if out.base is None else out.base
    untouched = np.ones(base.shape, bool)  # of base: where no element of out lies
    offset = (out.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // 4
    flat = np.arange(base.size).reshape(base.shape)
    reached = np.lib.stride_tricks.as_strided(flat.ravel()[offset:], out.shape, [2 * s for s in out.strides])
    untouched.ravel()[reached.ravel()] = False
    before = base[untouched].copy()
    assert rapt.attention(q, k, v, out=out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(base[untouched], before)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_are_copies_unless_shared(dtype):
    """Another thread may write to the caller's while a call without the GIL takes them for addresses."""
    given = np.arange(6, dtype=dtype)
    for shared in (False, True):
        taken = _arrays.integers(np, "block_table", given, (-1,), dtype, shared)
        assert np.shares_memory(taken, given) == shared
        np.testing.assert_array_equal(taken, given)
    assert not np.shares_memory(_model._ids(given), given)


def test_fused_projection(rng):
    """q, k and v as slices of one [batch, length, 3, heads, dim] buffer."""
    qkv = rng.standard_normal((2, 33, 3, 4, 16)).astype(np.float32)
    q, k, v = qkv.transpose(2, 0, 3, 1, 4)
    oracle.assert_close(rapt.attention(q, k, v), oracle.attention(q, k, v)[0])


def test_a_call_copies_nothing(rng):
    q, k, v = oracle.random_qkv(rng, 1, 8, 8, 128, 512, 64)
    q, k, v = padded(q), padded(k), padded(v)
    out = np.empty(q.shape, np.float32)
    rapt.attention(q, k, v, out=out)  # the context exists from here on
    tracemalloc.start()  # counts what NumPy and Python allocate
    try:
        rapt.attention(q, k, v, out=out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16384 < q.nbytes


def test_repeated_keys_stay_one_row():
    """A million keys that are one row in memory: a copy of them would take 16 GiB."""
    row = np.ones((1, 1, 1, 64), np.float32)
    k = np.broadcast_to(row, (1, 64, 1 << 20, 64))
    q = np.ones((1, 64, 1, 64), np.float32)
    assert k.strides[1:3] == (0, 0)
    text = rapt.explain(q, k, k)
    assert "rapt" in text
    np.testing.assert_allclose(rapt.attention(q[:, :1], k[:, :1, : 1 << 16], k[:, :1, : 1 << 16]), 1, rtol=1e-6)


def test_read_only_inputs(rng):
    q, k, v = oracle.random_qkv(rng)
    expected = rapt.attention(q, k, v)
    for array in (q, k, v):
        array.flags.writeable = False
    np.testing.assert_array_equal(rapt.attention(q, k, v), expected)
    frombytes = np.frombuffer(q.tobytes(), np.float32).reshape(q.shape)
    np.testing.assert_array_equal(rapt.attention(frombytes, k, v), expected)


def test_subclass_and_memory_map(rng, tmp_path):
    q, k, v = oracle.random_qkv(rng)
    np.save(tmp_path / "k.npy", k)
    mapped = np.load(tmp_path / "k.npy", mmap_mode="r")
    np.testing.assert_array_equal(rapt.attention(q, mapped, v), rapt.attention(q, k, v))


@pytest.mark.parametrize(
    "batch, q_len, kv_len", [(0, 3, 4), (2, 0, 4), (2, 3, 0), (0, 0, 0)], ids=["no batch", "no query", "no key", "nothing"]
)
def test_empty(rng, backend, batch, q_len, kv_len):
    q, k, v = oracle.random_qkv(rng, batch, 4, 2, q_len, kv_len, 8, 5)
    out, lse = rapt.attention(q, k, v, causal=True, return_lse=True, backend=backend)
    assert out.shape == (batch, 4, q_len, 5) and lse.shape == (batch, 4, q_len)
    np.testing.assert_array_equal(out, 0)
    np.testing.assert_array_equal(lse, -np.inf)


def test_references_end_with_the_call(rng):
    q, k, v = oracle.random_qkv(rng)
    out = np.empty(q.shape, np.float32)
    arrays = (q, k, v, out)
    before = [sys.getrefcount(x) for x in arrays]
    rapt.attention(q, k, v, out=out)
    rapt.explain(q, k, v)
    with pytest.raises(ValueError):
        rapt.attention(q, k[:, :, 1:], v, out=out)
    assert [sys.getrefcount(x) for x in arrays] == before


def test_results_are_new_arrays_of_their_own(rng):
    q, k, v = oracle.random_qkv(rng)
    first, lse = rapt.attention(q, k, v, return_lse=True)
    kept = first.copy()
    second = rapt.attention(-q, k, v)
    assert first.flags.owndata and lse.flags.owndata and not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, kept)
