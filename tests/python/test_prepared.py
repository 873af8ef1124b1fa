"""prepare(): the bits of attention(), over what the arrays hold at each call."""

import gc

import numpy as np
import pytest

import rapt


def arrays(rng, q_len=5, kv_len=9):
    shapes = ((2, 4, q_len, 8), (2, 2, kv_len, 8), (2, 2, kv_len, 8))
    return tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes)


def test_same_bits_as_attention(rng):
    q, k, v = arrays(rng)
    options = {"causal": True, "window": (3, -1), "softcap": 2.0, "sinks": [0.5, 1, 2, 3], "return_lse": True}
    call = rapt.prepare(q, k, v, **options)
    for _ in range(3):
        q[...], k[...], v[...] = arrays(rng)
        for got, expected in zip(call(), rapt.attention(q, k, v, **options), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_writes_the_same_array_each_time(rng):
    q, k, v = arrays(rng)
    out = np.empty_like(q)
    call = rapt.prepare(q, k, v, out=out)
    assert call() is out
    assert call() is out
    np.testing.assert_array_equal(out, rapt.attention(q, k, v))


def test_keeps_its_arrays_alive(rng):
    q, k, v = arrays(rng)
    expected = rapt.attention(q, k, v)
    call = rapt.prepare(q.copy(), k.copy(), v.copy())
    gc.collect()
    np.testing.assert_array_equal(call(), expected)


def test_errors_name_the_argument_when_prepared(rng):
    q, k, v = arrays(rng)
    with pytest.raises(TypeError, match=r"prepare\(\) got an unexpected keyword argument 'casual'"):
        rapt.prepare(q, k, v, casual=True)
    with pytest.raises(ValueError, match="softcap"):
        rapt.prepare(q, k, v, softcap=-1)


def test_errors_of_the_call_come_with_the_call(rng):
    q, k, v = arrays(rng)
    lengths = np.array([9, 9], dtype=np.int64)
    call = rapt.prepare(q, k, v, kv_lengths=lengths)
    call()
    lengths[1] = 10
    with pytest.raises(ValueError, match="kv_lengths"):
        call()
