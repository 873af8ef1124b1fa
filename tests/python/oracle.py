"""The double reference that the tests compare with, and inputs for it. Written from the formula alone, in NumPy."""

import numpy as np


def visible(causal, q_len, kv_len):
    """[q_len, kv_len], True where query i sees key j."""
    i, j = np.arange(q_len)[:, None], np.arange(kv_len)[None, :]
    if causal is False:
        return np.ones((q_len, kv_len), bool)
    if causal == "top_left":
        return j <= i
    return j <= i + kv_len - q_len


def attention(q, k, v, *, scale=None, causal=False):
    """softmax(mask(scale * q k')) v and its log-sum-exp, in double. Rows without a key give 0 and -inf."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    group_size = q.shape[1] // k.shape[1]
    k, v = (np.repeat(x, group_size, axis=1) for x in (k, v))
    scale = 1 / np.sqrt(q.shape[3]) if scale is None else scale
    scores = scale * (q @ k.swapaxes(2, 3))
    scores[..., ~visible(causal, q.shape[2], k.shape[2])] = -np.inf
    maximum = scores.max(axis=3, keepdims=True, initial=-np.inf)
    p = np.exp(scores - np.where(np.isfinite(maximum), maximum, 0))
    total = p.sum(axis=3, keepdims=True)
    out = (p @ v) / np.where(total == 0, 1, total)
    with np.errstate(divide="ignore"):
        lse = maximum + np.log(total)
    return out, lse[..., 0]


def random_qkv(rng, batch=2, q_heads=4, kv_heads=2, q_len=9, kv_len=21, dim=40, dim_v=None):
    """Standard normal q, k and v in float32. `rng` is a numpy.random.RandomState, whose streams NumPy never changes."""
    shapes = ((batch, q_heads, q_len, dim), (batch, kv_heads, kv_len, dim), (batch, kv_heads, kv_len, dim_v or dim))
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def assert_close(out, truth, bound=4e-6):
    """Every element within `bound` of the truth, for standard normal inputs: about 30 roundings of values near 1."""
    out = np.asarray(out)
    assert out.dtype == np.float32 and out.shape == truth.shape
    np.testing.assert_allclose(out, truth, rtol=bound, atol=bound)
