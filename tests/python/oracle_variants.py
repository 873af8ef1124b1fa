"""The double reference for what attention() can mask and add, in NumPy, for the quick tier: dense masks, one formula."""

import numpy as np


def attention(q, k, v, *, visible=True, added=0.0, softcap=None, sinks=None, scale=None):
    """Output, log-sum-exp and weights in double. `visible` and `added` are broadcast to [batch, q_heads, q_len, kv_len]."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scores = (q @ k.swapaxes(2, 3)) * (scale or 1 / np.sqrt(q.shape[3]))
    if softcap is not None:
        scores = softcap * np.tanh(scores / softcap)
    scores = np.where(visible, scores + added, -np.inf)
    highest = scores.max(axis=3, keepdims=True, initial=-np.inf)
    if sinks is not None:
        sinks = np.asarray(sinks, np.float64)[:, None, None]
        highest = np.maximum(highest, sinks)
    highest = np.where(np.isfinite(highest), highest, 0)
    p = np.exp(scores - highest)
    total = p.sum(axis=3, keepdims=True) + (0 if sinks is None else np.exp(sinks - highest))
    weights = p / np.where(total == 0, 1, total)
    with np.errstate(divide="ignore"):
        lse = np.log(total) + highest
    return weights @ v, lse[..., 0], weights


def relative(q_len, kv_len, offset=None):
    """[q_len, kv_len]: position of key j less that of query i, which is i + offset (bottom right if None)."""
    offset = kv_len - q_len if offset is None else offset
    return np.arange(kv_len)[None] - (np.arange(q_len)[:, None] + offset)
