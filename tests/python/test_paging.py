"""kv_append() into pages of every type and layout, and merge()."""

import ml_dtypes
import numpy as np
import pytest

import oracle
import oracle_variants
import rapt

BATCH, HEADS, KV_HEADS, KV_LEN, DIM, DIM_V = 2, 4, 2, 150, 24, 16


class Cache:
    """Pages in the order of a shuffled table, filled with what must not be read."""

    def __init__(self, rng, page_size, dtype=np.float32, scales=False, spare=3):
        self.length = np.zeros(BATCH, np.int64)
        count = -(-KV_LEN // page_size)
        self.table = rng.permutation(BATCH * count + spare)[: BATCH * count].reshape(BATCH, count)
        shape = (BATCH * count + spare, KV_HEADS, page_size)
        fill = 77 if scales else np.nan
        self.k, self.v = np.full((*shape, DIM), fill, dtype), np.full((*shape, DIM_V), fill, dtype)
        self.scales = {name: np.full(shape, np.nan, np.float32) for name in ("k_scale", "v_scale")} if scales else {}
        self.spare = np.setdiff1d(np.arange(shape[0]), self.table)

    def append(self, k, v, **options):
        rapt.kv_append(k, v, self.k, self.v, self.table, self.length, **self.scales, **options)
        self.length = self.length + k.shape[2]

    def attention(self, q, **options):
        return rapt.attention(q, self.k, self.v, block_table=self.table, kv_lengths=self.length, **self.scales, **options)

    def rows(self, pages):
        """[batch, heads, length, ...] from pages in rows."""
        whole = pages[self.table]  # [batch, count, heads, size, ...]
        whole = np.moveaxis(whole, 2, 1)
        return whole.reshape(BATCH, KV_HEADS, -1, *pages.shape[3:])[:, :, : self.length[0]]


@pytest.fixture
def qkv(rng):
    return oracle.random_qkv(rng, BATCH, HEADS, KV_HEADS, 9, KV_LEN, DIM, DIM_V)


def append_all(cache, k, v, steps=(1, 63, 70, 0, 16), **options):
    at = 0
    for step in steps:
        cache.append(k[:, :, at : at + step], v[:, :, at : at + step], **options)
        at += step
    assert at == KV_LEN


@pytest.mark.parametrize("size", [1, 16, 64, 150])
def test_rows_hold_what_was_appended(rng, qkv, size):
    q, k, v = qkv
    cache = Cache(rng, size)
    append_all(cache, k, v)
    np.testing.assert_array_equal(cache.rows(cache.k), k)
    np.testing.assert_array_equal(cache.rows(cache.v), v)
    assert np.isnan(cache.k[cache.spare]).all() and np.isnan(cache.v[cache.spare]).all()
    np.testing.assert_array_equal(cache.attention(q, causal=True), rapt.attention(q, k, v, causal=True))


@pytest.mark.parametrize("size", [64, 192])
def test_panels_give_the_bits_of_rows(rng, qkv, isa, size):
    q, k, v = qkv
    cache = Cache(rng, size)
    append_all(cache, k, v, kv_layout="panels", isa=isa, threads=1)
    options = {"causal": True, "return_lse": True, "return_column_sums": True, "isa": isa}
    for result, wanted in zip(cache.attention(q, kv_layout="panels", **options), rapt.attention(q, k, v, **options), strict=True):
        np.testing.assert_array_equal(result, wanted)
    assert "panel pages" in rapt.explain(q, cache.k, cache.v, block_table=cache.table, kv_lengths=cache.length, kv_layout="panels")


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_halves_are_rounded_to_nearest(rng, qkv, dtype):
    q, k, v = qkv
    cache = Cache(rng, 16, dtype)
    append_all(cache, k, v)
    np.testing.assert_array_equal(cache.rows(cache.k).view(np.uint16), k.astype(dtype).view(np.uint16))
    np.testing.assert_array_equal(cache.rows(cache.v).view(np.uint16), v.astype(dtype).view(np.uint16))
    np.testing.assert_array_equal(cache.attention(q), rapt.attention(q, k.astype(dtype), v.astype(dtype)))


def test_int8(rng, qkv):
    q, k, v = qkv
    k[0, 1, 5] = 0  # a row of zeros has factor 0
    cache = Cache(rng, 16, np.int8, scales=True)
    append_all(cache, k, v)
    restored = []
    for name, exact in (("k", k), ("v", v)):
        factors = cache.rows(cache.scales[f"{name}_scale"])
        stored = cache.rows(getattr(cache, name))
        np.testing.assert_allclose(factors, np.abs(exact).max(axis=3) / 127, rtol=1e-6)
        restored.append(stored * factors[..., None].astype(np.float64))
        assert (np.abs(restored[-1] - exact) <= 0.5001 * factors[..., None]).all()
    oracle.assert_close(cache.attention(q), oracle_variants.attention(q, *restored)[0])


def test_sequences_of_different_lengths(rng, qkv):
    """Each batch goes on where it is; a token decoded against the cache is that of the whole sequence."""
    q, k, v = qkv
    cache = Cache(rng, 64)
    cache.append(k[:, :, :100], v[:, :, :100], kv_layout="panels")
    cache.length = np.array([100, 40])
    cache.append(k[:, :, 100:110], v[:, :, 100:110], kv_layout="panels")
    out = cache.attention(q, causal=True, kv_layout="panels")
    for b, kept in enumerate((100, 40)):
        keys, values = (np.concatenate((x[b : b + 1, :, :kept], x[b : b + 1, :, 100:110]), axis=2) for x in (k, v))
        np.testing.assert_array_equal(out[b : b + 1], rapt.attention(q[b : b + 1], keys, values, causal=True))


def test_strided_tokens_and_pages(rng, qkv):
    """Tokens as [batch, length, heads, dim], and pages that are a slice of a larger cache of many layers."""
    _, k, v = qkv
    layers = np.full((4, KV_HEADS, 3, 64, DIM), np.nan, np.float32)
    values = np.full((4, KV_HEADS, 3, 64, DIM_V), np.nan, np.float32)
    k, v = k[:, :, :64], v[:, :, :64]
    k_new, v_new = (np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3) for x in (k, v))
    rapt.kv_append(k_new, v_new, layers[:, :, 1], values[:, :, 1], [[3], [0]], [0, 0])
    np.testing.assert_array_equal(layers[[3, 0], :, 1], k)
    np.testing.assert_array_equal(values[[3, 0], :, 1], v)
    assert np.isnan(layers[:, :, [0, 2]]).all() and np.isnan(layers[[1, 2]]).all()


def with_cache(change):
    """Arguments of kv_append with one changed."""
    good = {
        "k": np.zeros((BATCH, KV_HEADS, 3, DIM), np.float32), "v": np.zeros((BATCH, KV_HEADS, 3, DIM_V), np.float32),
        "k_pages": np.zeros((4, KV_HEADS, 64, DIM), np.float32), "v_pages": np.zeros((4, KV_HEADS, 64, DIM_V), np.float32),
        "block_table": [[0, 1], [2, 3]], "kv_lengths": [0, 64],
    }  # fmt: skip
    return {**good, **{name: value(good[name]) if callable(value) else value for name, value in change.items()}}


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("change, error, text", [
    ({"k": lambda x: x.astype(np.float16)}, TypeError, "k has dtype float16; float32 is supported"),
    ({"k": lambda x: x[0]}, ValueError, "k has 3 dimensions; it must have 4: [batch, num_kv_heads, length, head_dim]"),
    ({"k": lambda x: x.tolist()}, TypeError, "k is a list; it must be a numpy.ndarray or a torch.Tensor"),
    ({"v": lambda x: x[:, :, :2]}, ValueError, "v.shape[2] is 2"),
    ({"k_pages": lambda x: x.astype(np.float64)}, TypeError, "k_pages has dtype float64; float32, bfloat16, float16 and int8"),
    ({"k_pages": read_only}, ValueError, "k_pages is read-only; it must be writable"),
    ({"v_pages": lambda x: x[:, :1]}, ValueError, "v_pages.shape[1] is 1"),
    ({"v_pages": lambda x: x.astype(np.int8)}, ValueError, "v_scale is not given, but v_pages is RAPT_I8"),
    ({"k_scale": np.zeros((4, KV_HEADS), np.float32)}, ValueError, "k_scale has 2 dimensions; it must have 3: [num_pages"),
    ({"v": (2, 2, 3, 16)}, TypeError, "v is a tuple; it must be a numpy.ndarray"),
    ({"k_pages": (4, 2, 64, 24)}, TypeError, "k_pages is a tuple; it must be a numpy.ndarray"),
    ({"block_table": [[0, 1], [2, 4]]}, ValueError, "block_table[3] is 4; there are 4 pages"),
    ({"block_table": [[0], [1]]}, ValueError, "token 66 of batch 1 lies in page 1 of the sequence"),
    ({"block_table": [[0], [1], [2]]}, ValueError, "block_table has shape [3, 1]; it must be [2, any]"),
    ({"kv_lengths": [0, 126]}, ValueError, "token 128 of batch 1 lies in page 2 of the sequence"),
    ({"kv_lengths": [0, -1]}, ValueError, "kv_lengths[1] is -1; it is 0 to 1099511627776"),
    ({"kv_lengths": [0, 1, 2]}, ValueError, "kv_lengths has shape [3]; it must be [2]"),
    ({"kv_lengths": None}, TypeError, "kv_lengths is None; it must be an array or a list of integers"),
    ({"kv_layout": "columns"}, ValueError, "kv_layout is 'columns'; it must be 'rows' or 'panels'"),
    ({"kv_layout": 1}, TypeError, "kv_layout is 1; it must be 'rows' or 'panels'"),
    ({"kv_layout": "panels", "k_pages": lambda x: x[:, :, :48], "v_pages": lambda x: x[:, :, :48]}, ValueError,
     "a multiple of 64 tokens, but k_pages.shape[2] is 48"),
    ({"kv_layout": "panels", "k_pages": lambda x: x.astype(np.int8), "k_scale": np.ones((4, KV_HEADS, 64), np.float32)},
     ValueError, "that needs f32, bf16 or f16, but k_pages is RAPT_I8"),
    ({"isa": "mmx"}, ValueError, "isa is 'mmx'"),
    ({"threads": 0}, ValueError, "threads is 0; it must be at least 1"),
])  # fmt: skip
def test_wrong_appends(change, error, text):
    with pytest.raises(error) as caught:
        rapt.kv_append(**with_cache(change))
    assert text.lower() in str(caught.value).lower()


def test_the_layout_belongs_to_pages(qkv):
    for options in ({"kv_layout": "panels"}, {"kv_layout": "panels", "kv_lengths": [3, 4]}):
        with pytest.raises(ValueError, match="kv_layout is 'panels', but block_table is None; only pages have a layout"):
            rapt.attention(*qkv, **options)
    with pytest.raises(ValueError, match="kv_layout is 'Rows'; it must be 'rows' or 'panels'"):
        rapt.attention(*qkv, kv_layout="Rows")


# --- merge ------------------------------------------------------------------------------------------------------------


def parts_of(qkv, at, **options):
    """The results over the keys before `at` and from it on."""
    q, k, v = qkv
    before = rapt.attention(q, k[:, :, :at], v[:, :, :at], return_lse=True)
    return before + rapt.attention(q, k[:, :, at:], v[:, :, at:], return_lse=True, **options)


@pytest.mark.parametrize("at", [0, 1, 77, 149, 150])
def test_merge_gives_the_whole(qkv, at):
    results = rapt.merge(*parts_of(qkv, at))
    for result, truth in zip(results, oracle.attention(*qkv), strict=True):
        oracle.assert_close(result, truth)


def test_merge_of_a_prefix_and_a_causal_rest(qkv):
    results = rapt.merge(*parts_of(qkv, 100, causal=True), threads=2)
    for result, truth in zip(results, oracle.attention(*qkv, causal=True), strict=True):
        oracle.assert_close(result, truth)


def test_merge_in_place_and_of_nothing(qkv):
    a, lse_a, b, lse_b = parts_of(qkv, 60)
    wanted = rapt.merge(a, lse_a, b, lse_b)
    kept = a.copy(), lse_a.copy()
    out, lse = rapt.merge(a, lse_a[..., None], b, lse_b, out=a, lse=lse_a)
    assert out is a and lse is lse_a
    np.testing.assert_array_equal(out, wanted[0])
    np.testing.assert_array_equal(lse, wanted[1])
    nothing, none = np.zeros_like(b), np.full_like(lse_b, -np.inf)
    np.testing.assert_array_equal(rapt.merge(*kept, nothing, none)[0], kept[0])
    empty, empty_lse = rapt.merge(nothing, none, nothing, none)
    assert not empty.any() and (empty_lse == -np.inf).all()


def test_wrong_merges(qkv):
    a, lse_a, b, lse_b = parts_of(qkv, 60)
    for arguments, options, error, text in [
        ((a, lse_a, b[:, :1], lse_b), {}, ValueError, "b.shape[1] is 1"),
        ((a, lse_a[:, :, 1:], b, lse_b), {}, ValueError, "lse_a.shape[2] is 8"),
        ((a, a, b, lse_b), {}, ValueError, "lse_a.shape[3] is 16; it must be 1 (one value a row)"),
        ((a.astype(np.float16), lse_a, b, lse_b), {}, TypeError, "a has dtype float16; float32 is supported"),
        ((a[0], lse_a, b, lse_b), {}, ValueError, "a has 3 dimensions; it must have 4"),
        ((None, lse_a, b, lse_b), {}, TypeError, "a is a NoneType; it must be a numpy.ndarray"),
        ((a, lse_a, b, None), {}, TypeError, "lse_b is a NoneType; it must be a numpy.ndarray"),
        ((a, lse_a.shape + (1,), b, lse_b), {}, TypeError, "lse_a is a tuple; it must be a numpy.ndarray"),
        ((a, lse_a, b, lse_b), {"out": a.shape}, TypeError, "out is a tuple; it must be a numpy.ndarray"),
        ((a, lse_a, b, lse_b), {"out": b[:, :, 1:]}, ValueError, "out.shape[2] is 8"),
        ((a, lse_a, b, lse_b), {"lse": read_only(lse_b.copy())}, ValueError, "lse is read-only; it must be writable"),
    ]:
        with pytest.raises(error) as caught:
            rapt.merge(*arguments, **options)
        assert text in str(caught.value)
