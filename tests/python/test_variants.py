"""Every argument of attention() beyond causal and scale, against the double reference: output, log-sum-exp and weights."""

import ml_dtypes
import numpy as np
import pytest

import oracle
import oracle_variants
import rapt

BATCH, HEADS, KV_HEADS, Q_LEN, KV_LEN, DIM = 2, 6, 2, 23, 150, 24
RELATIVE = oracle_variants.relative(Q_LEN, KV_LEN)


@pytest.fixture
def qkv(rng):
    return oracle.random_qkv(rng, BATCH, HEADS, KV_HEADS, Q_LEN, KV_LEN, DIM)


@pytest.fixture(params=["rapt", "reference"])
def both(request):
    """The backends that do everything."""
    return request.param


def check(qkv, options, backend="rapt", **truth):
    """The call's three results against the oracle with `truth`; returns the output."""
    out, lse, weights = rapt.attention(*qkv, return_lse=True, return_weights=True, backend=backend, **options)
    true_out, true_lse, true_weights = oracle_variants.attention(*qkv, **truth)
    oracle.assert_close(out, true_out)
    oracle.assert_close(lse, true_lse)
    oracle.assert_close(weights, true_weights)
    return out


@pytest.mark.parametrize("left, right", [(0, 0), (5, 3), (-1, 2), (7, -1), (-1, -1), (200, 200)])
def test_window(qkv, both, left, right):
    visible = ((RELATIVE >= -left) | (left < 0)) & ((RELATIVE <= right) | (right < 0))
    check(qkv, {"window": (left, right)}, both, visible=visible)
    check(qkv, {"window": [left, right], "causal": True}, both, visible=visible & (RELATIVE <= 0))


@pytest.mark.parametrize(
    "shape", [(KV_LEN,), (Q_LEN, KV_LEN), (1, KV_LEN), (HEADS, 1, KV_LEN), (BATCH, 1, 1, KV_LEN), (BATCH, HEADS, Q_LEN, KV_LEN)]
)
def test_masks_and_bias_of_any_shape(rng, qkv, both, shape):
    visible = rng.random_sample(shape) < 0.5
    check(qkv, {"mask": visible}, both, visible=visible)
    added = rng.standard_normal(shape)
    added[rng.random_sample(shape) < 0.2] = -np.inf
    for dtype in (np.float32, np.float16, ml_dtypes.bfloat16):
        typed = added.astype(dtype)
        check(qkv, {"mask": typed}, both, added=typed.astype(np.float64))
        check(qkv, {"bias": typed, "causal": True}, both, added=typed.astype(np.float64), visible=RELATIVE <= 0)


def test_broadcast_mask_is_not_copied(rng):
    """Views with stride 0 of one row; a full mask of this call would take 16 GiB."""
    row = rng.random_sample(1 << 16) < 0.5
    q, k, v = oracle.random_qkv(rng, 1, 4, 1, 1, 1 << 16, 8)
    q = np.broadcast_to(q, (1, 4, 1, 8))
    mask = np.broadcast_to(row, (1, 4, 1 << 16, 1 << 16))[:, :, :1]
    np.testing.assert_array_equal(rapt.attention(q, k, v, mask=mask), rapt.attention(q, k, v, mask=row))
    long = np.broadcast_to(q, (1, 4, 1 << 16, 8))
    assert "boolean mask" in rapt.explain(long, k, v, mask=np.broadcast_to(row, (1, 4, 1 << 16, 1 << 16)))


def test_softcap_comes_before_bias_and_sinks_after(rng, qkv, both):
    bias = rng.standard_normal((HEADS, Q_LEN, KV_LEN)).astype(np.float32)
    sinks = rng.standard_normal(HEADS)
    check(qkv, {"softcap": 0.7}, both, softcap=0.7)
    check(qkv, {"sinks": sinks.tolist()}, both, sinks=sinks.astype(np.float32))
    check(qkv, {"softcap": 0.7, "bias": bias, "sinks": sinks}, both, softcap=0.7, added=bias, sinks=sinks.astype(np.float32))


@pytest.mark.parametrize("offset", [None, 40])
def test_alibi_follows_positions(qkv, both, offset):
    slopes = 2.0 ** -np.arange(1, HEADS + 1)
    relative = oracle_variants.relative(Q_LEN, KV_LEN, offset)
    added = -slopes[:, None, None] * np.abs(relative)
    offsets = {} if offset is None else {"q_offsets": offset}
    check(qkv, {"alibi_slopes": slopes, **offsets}, both, added=added)
    check(qkv, {"alibi_slopes": slopes.tolist(), "causal": True, **offsets}, both, added=added, visible=relative <= 0)


@pytest.mark.parametrize("make", [list, np.array, lambda x: np.array(x, np.int32), lambda x: np.array(x, ">i8")])
def test_lengths_offsets_and_prefixes(qkv, both, make):
    lengths, offsets, prefixes = [150, 31], [100, 9], [20, 12]
    keys = np.arange(KV_LEN)
    used = keys < np.array(lengths)[:, None, None, None]
    check(qkv, {"kv_lengths": make(lengths)}, both, visible=used)
    relative = np.stack([oracle_variants.relative(Q_LEN, KV_LEN, offset) for offset in offsets])[:, None]
    options = {"kv_lengths": make(lengths), "q_offsets": make(offsets), "causal": True}
    check(qkv, options, both, visible=used & (relative <= 0))
    prefix = keys < np.array(prefixes)[:, None, None, None]
    check(qkv, {**options, "prefix_lengths": make(prefixes)}, both, visible=used & ((relative <= 0) | prefix))


def test_keys_beyond_the_length_are_not_read(qkv):
    q, k, v = qkv
    expected = rapt.attention(q, k, v, kv_lengths=[40, 11])
    k[0, :, 40:] = v[0, :, 40:] = k[1, :, 11:] = v[1, :, 11:] = np.nan
    np.testing.assert_array_equal(rapt.attention(q, k, v, kv_lengths=[40, 11]), expected)


def test_rows_that_see_no_key(qkv, both):
    visible = np.ones((Q_LEN, KV_LEN), bool)
    visible[3] = False
    out = check(qkv, {"mask": visible}, both, visible=visible)
    np.testing.assert_array_equal(out[:, :, 3], 0)


def test_ragged(rng, both):
    starts_q, starts_k = [0, 5, 5, 12, 40], [0, 30, 41, 41, 90]
    q, k, v = oracle.random_qkv(rng, 1, HEADS, KV_HEADS, 40, 90, DIM)
    options = {"causal": True, "backend": both, "return_lse": True}
    out, lse = rapt.attention(q, k, v, cu_seqlens_q=starts_q, cu_seqlens_k=starts_k, **options)
    for n in range(4):
        rows, keys = slice(*starts_q[n : n + 2]), slice(*starts_k[n : n + 2])
        alone = [x[:, :, part] for x, part in ((q, rows), (k, keys), (v, keys))]
        expected, expected_lse = rapt.attention(*alone, **options)
        np.testing.assert_array_equal(out[:, :, rows], expected)
        np.testing.assert_array_equal(lse[:, :, rows], expected_lse)


def test_block_mask(rng, qkv, both):
    blocks = rng.random_sample((HEADS, -(-Q_LEN // 8), -(-KV_LEN // 32))) < 0.5
    visible = np.repeat(np.repeat(blocks, 8, axis=1), 32, axis=2)[:, :Q_LEN, :KV_LEN]
    check(qkv, {"block_mask": (blocks, 8, 32)}, both, visible=visible)


def test_documents(rng, qkv, both):
    of_q, of_k = rng.randint(0, 3, (BATCH, Q_LEN)), rng.randint(0, 3, (BATCH, KV_LEN))
    visible = (of_q[..., None] == of_k[:, None])[:, None]
    check(qkv, {"q_documents": of_q, "k_documents": of_k.astype(np.uint8)}, both, visible=visible)
    check(qkv, {"q_documents": of_q[0], "k_documents": of_k[0].tolist()}, both, visible=visible[:1])


@pytest.mark.parametrize("new", [1, Q_LEN, 70])
def test_tree_mask(rng, both, new):
    qkv = oracle.random_qkv(rng, BATCH, HEADS, KV_HEADS, new, 100, DIM)
    tree = np.tril(rng.random_sample((BATCH, new, new)) < 0.5) | np.eye(new, dtype=bool)
    visible = np.ones((BATCH, 1, new, 100), bool)
    visible[:, 0, :, 100 - new :] = tree
    check(qkv, {"tree_mask": tree}, both, visible=visible)
    visible[:, 0, :, 100 - new :] = tree[0]
    check(qkv, {"tree_mask": tree[0]}, both, visible=visible)


def to_pages(rng, x, size):
    """x [batch, heads, length, dim] in shuffled pages, the last one filled up with NaN, and the table."""
    batch, heads, length, dim = x.shape
    count = -(-length // size)
    full = np.full((batch, heads, count * size, dim), np.nan if x.dtype.kind == "f" else 0, x.dtype)
    full[:, :, :length] = x
    order = rng.permutation(batch * count)
    pages = np.empty((batch * count, heads, size, dim), x.dtype)
    pages[order] = full.reshape(batch, heads, count, size, dim).transpose(0, 2, 1, 3, 4).reshape(-1, heads, size, dim)
    return pages, order.reshape(batch, count)


@pytest.mark.parametrize("size", [1, 16, 64])
def test_pages_give_the_bits_of_contiguous_keys(rng, qkv, both, size):
    q, k, v = qkv
    state = rng.get_state()
    k_pages, table = to_pages(rng, k, size)
    rng.set_state(state)
    v_pages, _ = to_pages(rng, v, size)
    options = {"causal": True, "return_lse": True, "return_weights": True, "backend": both, "kv_lengths": [KV_LEN, 77]}
    expected = rapt.attention(q, k, v, **options)
    paged = rapt.attention(q, k_pages, v_pages, block_table=table, **options)
    for result, wanted in zip(paged, expected, strict=True):
        np.testing.assert_array_equal(result, wanted)


def test_int8_keys_and_values(rng, qkv, both):
    q, k, v = qkv
    options, exact = {}, {}
    for name, x in (("k", k), ("v", v)):
        scale = (np.abs(x).max(axis=3, keepdims=True) / 127).astype(np.float32)
        stored = np.round(x / scale).astype(np.int8)
        options |= {name: stored, f"{name}_scale": scale[..., 0]}
        exact[name] = stored * scale.astype(np.float64)
    truth, truth_lse, _ = oracle_variants.attention(q, exact["k"], exact["v"])
    out, lse = rapt.attention(q, **options, return_lse=True, backend=both)
    oracle.assert_close(out, truth)
    oracle.assert_close(lse, truth_lse)
    four = options | {"k_scale": options["k_scale"][..., None], "v_scale": options["v_scale"][..., None]}
    np.testing.assert_array_equal(rapt.attention(q, **four, backend=both), out)


TYPES = {"float32": (np.float32, 4e-6), "float16": (np.float16, 2**-10), "bfloat16": (ml_dtypes.bfloat16, 2**-7)}


@pytest.mark.parametrize("of_out", [None, *TYPES])
@pytest.mark.parametrize("of_kv", TYPES)
@pytest.mark.parametrize("of_q", TYPES)
def test_types(qkv, isa, of_q, of_kv, of_out):
    q, k, v = qkv[0].astype(TYPES[of_q][0]), *(x.astype(TYPES[of_kv][0]) for x in qkv[1:])
    out = None if of_out is None else np.empty(q.shape, TYPES[of_out][0])
    result = rapt.attention(q, k, v, out=out, isa=isa, causal=True)
    dtype, bound = TYPES[of_out or of_q]
    if "bf16 products" in rapt.explain(q, k, v, out=out, isa=isa, causal=True):  # weights are rounded to 8 bits: an error of 2^-8 of sum(p |v|)
        bound = TYPES["bfloat16"][1]
    truth = oracle_variants.attention(q, k, v, visible=RELATIVE <= 0)[0]
    assert result.dtype == dtype and (out is None or result is out)
    np.testing.assert_allclose(result.astype(np.float64), truth, rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_views_of_other_types(qkv, dtype):
    """Read-only and strided arrays, and a slice of a wider output."""
    typed = [x.astype(dtype) for x in qkv]
    expected = rapt.attention(*typed)
    stored = [np.ascontiguousarray(x.transpose(0, 2, 1, 3)) for x in typed]
    for x in stored:
        x.flags.writeable = False
    wide = np.zeros((*expected.shape[:3], DIM + 8), dtype)
    rapt.attention(*(x.transpose(0, 2, 1, 3) for x in stored), out=wide[..., :DIM])
    np.testing.assert_array_equal(wide[..., :DIM], expected)
    assert not wide[..., DIM:].any()


def test_order_of_results(qkv):
    out = rapt.attention(*qkv)
    lse = rapt.attention(*qkv, return_lse=True)
    weights = rapt.attention(*qkv, return_weights=True)
    everything = rapt.attention(*qkv, return_lse=True, return_weights=True)
    for pair in (lse, weights):
        np.testing.assert_array_equal(pair[0], out)
    for result, wanted in zip(everything, (out, lse[1], weights[1]), strict=True):
        np.testing.assert_array_equal(result, wanted)
    assert everything[2].shape == (BATCH, HEADS, Q_LEN, KV_LEN) and everything[2].dtype == np.float32


def test_explain_names_what_was_asked(qkv):
    q, k, v = qkv
    mask = np.ones((Q_LEN, KV_LEN), bool)
    text = rapt.explain(
        q, k, v, causal=True, window=(5, -1), mask=mask, softcap=30, sinks=[0.0] * HEADS, alibi_slopes=[1.0] * HEADS,
        kv_lengths=[3, 4], return_weights=True,
    )
    for word in ("causal", "window", "boolean mask", "soft-cap", "sinks", "ALiBi", "key lengths", "weights"):
        assert word in text
    assert "weights" not in rapt.explain(q, k, v)
    assert "f16 queries" in rapt.explain(q.astype(np.float16), k, v)
    assert "f16 output" in rapt.explain(q.astype(np.float16), k, v)
    assert "f16 output" in rapt.explain(q, k, v, out=np.empty(q.shape, np.float16))
