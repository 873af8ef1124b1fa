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


def paged(rng, kv_len=9):
    """q and pages of 4 keys, three pages a sequence, and what goes with them."""
    q, _, _ = arrays(rng)
    k, v = rng.standard_normal((2, 6, 2, 4, 8)).astype(np.float32)
    table = np.array([[5, 0, 2], [1, 4, 3]], np.int32)
    return (q, k, v), {"block_table": table, "kv_lengths": np.array([kv_len, kv_len - 2], np.int64)}


def test_a_cache_that_grows(rng):
    """Lengths and tables are read anew: decoding prepares once."""
    qkv, options = paged(rng, 7)
    call = rapt.prepare(*qkv, causal=True, **options)
    for grown, first_page in ((0, 5), (1, 5), (3, 1)):
        options["kv_lengths"] += grown
        options["block_table"][0, 0] = first_page
        np.testing.assert_array_equal(call(), rapt.attention(*qkv, causal=True, **options))


def test_documents_are_of_as_many_keys_as_were_prepared(rng):
    """k_documents is read at a distance of the largest length from sequence to sequence, which lengths that grow would lead out of it."""
    qkv, options = paged(rng)
    lengths = options["kv_lengths"]
    options |= {"q_documents": rng.randint(0, 2, (2, 5)), "k_documents": rng.randint(0, 2, (2, 9))}
    call = rapt.prepare(*qkv, **options)
    lengths[1] = 9
    np.testing.assert_array_equal(call(), rapt.attention(*qkv, **options))
    for change in (1, -1):
        lengths[:] = 9 + change
        with pytest.raises(ValueError, match=rf"k_documents has 9 keys a batch; it must have {9 + change}, the largest of kv_lengths"):
            call()


def expect_rows_of_none(rng, of_numpy, dtype=None):
    """Rows behind the last sequence hold nothing of an earlier call, in which they were rows of one."""
    q, k, v = (of_numpy(rng.standard_normal((1, heads, 6, 8)).astype(np.float32)) for heads in (4, 2, 2))
    q = q if dtype is None else q.to(dtype)
    starts = np.array([0, 6])
    returned = {f"return_{name}": True for name in ("lse", "column_sums", "entropy", "max_score")}
    options = {"cu_seqlens_q": of_numpy(starts), "cu_seqlens_k": [0, 6], **returned}
    call = rapt.prepare(q, k, v, **options)
    for end in (6, 3, 5, 0):
        starts[1] = end
        results = call()
        for got, expected in zip(results, rapt.attention(q, k, v, **options), strict=True):
            assert (got == expected).all()
        out, lse, _, entropy, max_score = results
        assert (out[:, :, end:] == 0).all() and (entropy[:, :, end:] == 0).all()
        assert (lse[:, :, end:] == -np.inf).all() and (max_score[:, :, end:] == -np.inf).all()


def test_ragged_batches_that_shrink(rng):
    expect_rows_of_none(rng, lambda x: x)
    q, k, v = (rng.standard_normal((1, 2, 6, 8)).astype(np.float32) for _ in range(3))
    out = np.full_like(q, 7)
    rapt.prepare(q, k, v, cu_seqlens_q=[0, 4], cu_seqlens_k=[0, 6], out=out)()
    assert (out[:, :, 4:] == 7).all() and (out[:, :, :4] != 7).all()  # the caller's stays as it is


@pytest.mark.full
def test_ragged_batches_of_tensors_that_shrink(rng):
    import torch

    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        expect_rows_of_none(rng, torch.from_numpy, dtype)


# What prepare() says it reads anew, and a change of each that changes the result.
READ_ANEW = {
    "kv_lengths": ("int64", [9, 7], [3, 4]),
    "q_offsets": ("int64", [4, 2], [0, 1]),
    "prefix_lengths": ("int64", [0, 1], [9, 8]),
    "q_documents": ("int32", [[0, 0, 1, 1, 1]] * 2, [[1, 0, 1, 0, 1]] * 2),
    "k_documents": ("int32", [[0, 0, 1, 1, 1, 0, 1, 0, 1]] * 2, [[1, 0, 1, 0, 1, 0, 0, 0, 1]] * 2),
    "alibi_slopes": ("float32", [0, 1, 2, 3], [3, 2, 1, 0]),
    "sinks": ("float32", [0, 1, 2, 3], [3, 2, 1, 0]),
}


def expect_changes_arrive(qkv, of_type, as_read):
    """`of_type`: makes an array of a type. Whether a change of each array of READ_ANEW arrives: if it is of the type it is read in, `as_read`."""
    for name, (dtype, before, after) in READ_ANEW.items():
        other = {"int64": "int32", "int32": "int64", "float32": "float64"}[dtype]
        given = of_type(before, dtype if as_read else other)
        options = {"causal": True, "q_documents": [[0] * 5] * 2, "k_documents": [[0] * 9] * 2} if "documents" in name else {"causal": True}
        options[name] = given
        call = rapt.prepare(*qkv, **options)
        old = rapt.attention(*qkv, **options)
        given[...] = of_type(after, dtype)
        new = rapt.attention(*qkv, **options)
        assert not (np.asarray(old) == np.asarray(new)).all(), name
        np.testing.assert_array_equal(call(), new if as_read else old, name)


@pytest.mark.parametrize("as_read", [True, False])
def test_arrays_are_read_anew_where_nothing_converts_them(rng, as_read):
    expect_changes_arrive(arrays(rng), np.array, as_read)


@pytest.mark.full
@pytest.mark.parametrize("as_read", [True, False])
def test_tensors_are_read_anew_where_nothing_converts_them(rng, as_read):
    import torch

    def of_type(values, dtype):
        return torch.tensor(values, dtype=getattr(torch, dtype))

    expect_changes_arrive([torch.from_numpy(x) for x in arrays(rng)], of_type, as_read)
    (q, k, v), options = paged(rng)
    pages = [torch.from_numpy(x) for x in (q, k, v)]
    call = rapt.prepare(*pages, **{name: torch.from_numpy(x) for name, x in options.items()})
    options["block_table"][0, 0] = 1
    np.testing.assert_array_equal(call(), rapt.attention(q, k, v, **options))


def test_a_tree_is_packed_when_prepared(rng):
    qkv, tree = arrays(rng), np.tril(np.ones((2, 5, 5), bool))
    call = rapt.prepare(*qkv, tree_mask=tree)
    expected = rapt.attention(*qkv, tree_mask=tree)
    tree[...] = False
    np.testing.assert_array_equal(call(), expected)
