"""Values against the double reference: masks, grouped heads, head sizes, lse, ISA levels, backends and threads."""

import itertools

import numpy as np
import pytest

import oracle
import rapt

CAUSAL = [False, True, "top_left", "bottom_right"]


@pytest.mark.parametrize("causal", CAUSAL)
@pytest.mark.parametrize("dim, dim_v", [(1, 1), (3, 5), (17, 16), (64, 64), (130, 33)])
@pytest.mark.parametrize("q_heads, kv_heads", [(1, 1), (6, 2), (4, 1)])
def test_grid(rng, isa, causal, dim, dim_v, q_heads, kv_heads):
    for q_len, kv_len in itertools.product([1, 2, 15, 33, 129], repeat=2):
        q, k, v = oracle.random_qkv(rng, 1, q_heads, kv_heads, q_len, kv_len, dim, dim_v)
        out, lse = rapt.attention(q, k, v, causal=causal, return_lse=True, isa=isa)
        truth, truth_lse = oracle.attention(q, k, v, causal=causal)
        oracle.assert_close(out, truth)
        oracle.assert_close(lse, truth_lse)


@pytest.mark.parametrize("causal", CAUSAL)
def test_backends(rng, backend, causal):
    q, k, v = oracle.random_qkv(rng, 2, 6, 3, 37, 70, 24, 40)
    out, lse = rapt.attention(q, k, v, causal=causal, return_lse=True, backend=backend)
    truth, truth_lse = oracle.attention(q, k, v, causal=causal)
    oracle.assert_close(out, truth)
    oracle.assert_close(lse, truth_lse)


@pytest.mark.parametrize("scale", [0, -0.7, 2, np.float32(0.25)])
def test_scale(rng, scale):
    q, k, v = oracle.random_qkv(rng, dim=8)
    oracle.assert_close(rapt.attention(q, k, v, scale=scale), oracle.attention(q, k, v, scale=float(scale))[0])


def test_default_scale_is_one_over_the_root_of_head_dim(rng):
    q, k, v = oracle.random_qkv(rng, dim=16)
    np.testing.assert_array_equal(rapt.attention(q, k, v), rapt.attention(q, k, v, scale=0.25))


def test_true_is_bottom_right_and_the_corners_differ(rng):
    q, k, v = oracle.random_qkv(rng, q_len=5, kv_len=9)
    bottom_right = rapt.attention(q, k, v, causal="bottom_right")
    np.testing.assert_array_equal(rapt.attention(q, k, v, causal=True), bottom_right)
    assert np.abs(rapt.attention(q, k, v, causal="top_left") - bottom_right).max() > 0.1


def test_first_query_top_left_sees_the_first_key_alone(rng):
    q, k, v = oracle.random_qkv(rng, q_heads=4, kv_heads=2)
    out = rapt.attention(q, k, v, causal="top_left")
    np.testing.assert_array_equal(out[:, :, 0], np.repeat(v, 2, axis=1)[:, :, 0])


def test_rows_that_see_no_key_are_zero(rng, backend):
    q, k, v = oracle.random_qkv(rng, q_len=7, kv_len=3)
    out, lse = rapt.attention(q, k, v, causal=True, return_lse=True, backend=backend)
    np.testing.assert_array_equal(out[:, :, :4], 0)
    np.testing.assert_array_equal(lse[:, :, :4], -np.inf)
    oracle.assert_close(out[:, :, 4:], oracle.attention(q, k, v, causal=True)[0][:, :, 4:])


def test_nan_reaches_the_rows_that_see_it_and_no_other(rng):
    q, k, v = oracle.random_qkv(rng, q_len=20, kv_len=20)
    clean = rapt.attention(q, k, v, causal=True)
    v[:, :, 12] = np.nan
    out = rapt.attention(q, k, v, causal=True)
    np.testing.assert_array_equal(out[:, :, :12], clean[:, :, :12])
    assert np.isnan(out[:, :, 12:]).all()


@pytest.mark.parametrize("causal", [False, True])
def test_the_same_bits_on_any_number_of_threads(rng, isa, causal):
    q, k, v = oracle.random_qkv(rng, 2, 4, 2, 150, 300, 64)
    one = rapt.attention(q, k, v, causal=causal, isa=isa, threads=1, return_lse=True)
    for threads in (2, 3, 8, None):
        other = rapt.attention(q, k, v, causal=causal, isa=isa, threads=threads, return_lse=True)
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_many_options_in_turn(rng):
    """More (backend, isa, threads) than the cache of contexts holds, twice round."""
    q, k, v = oracle.random_qkv(rng)
    truth = oracle.attention(q, k, v)[0]
    for threads in [*range(1, 13)] * 2:
        oracle.assert_close(rapt.attention(q, k, v, threads=threads), truth)
