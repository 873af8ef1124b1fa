"""The ONNX operator Attention (opsets 23 to 25) on rapt.attention, for test_onnx.py: what an ONNX runtime would write.

Inputs are NumPy arrays, also of ml_dtypes.bfloat16; missing ones are None. onnx.defs.get_schema("Attention") has the text.
"""

import math
from dataclasses import dataclass

import numpy as np

import rapt

DOUBLE = 11  # onnx.TensorProto.DOUBLE


@dataclass
class Attributes:
    """The operator's attributes with their defaults."""

    scale: float | None = None
    is_causal: int = 0
    q_num_heads: int | None = None
    kv_num_heads: int | None = None
    softcap: float = 0.0
    softmax_precision: int | None = None
    qk_matmul_output_mode: int = 0
    left_window_size: int = -1
    right_window_size: int = -1


def split_heads(x, heads):
    """[batch, length, heads * dim] as [batch, heads, length, dim]; four dimensions are left alone."""
    return x if x.ndim == 4 else x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def padded(mask, kv_len):
    """The mask with the keys that it lacks at its end hidden."""
    missing = kv_len - mask.shape[-1]
    hidden = False if mask.dtype == bool else -np.inf
    return np.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, missing)], constant_values=hidden)


def scores_of(weights, lse):
    """log p + lse: the scores that gave the weights. -inf where the weight is 0."""
    with np.errstate(divide="ignore"):
        return np.log(weights) + lse[..., None]


def qk_matmul_output(mode, q, k, v, weights, lse, options):
    """[batch, q_heads, q_len, kv_len] of one of the four modes, in q's type."""
    if mode == 2:
        scores = scores_of(weights, lse)
    elif mode == 3:
        scores = weights
    else:  # before masks; mode 0 before the soft-cap too
        softcap = options["softcap"] if mode == 1 else None
        plain = {name: options[name] for name in ("scale", "backend", "isa")}
        _, lse, weights = rapt.attention(q, k, v, softcap=softcap, return_lse=True, return_weights=True, **plain)
        scores = scores_of(weights, lse)
    return scores.astype(q.dtype)


def attention(inputs, attributes, want_qk=False, backend="rapt", isa=None):
    """(Y, present_key, present_value, qk_matmul_output or None) for the operator's seven inputs and its attributes.

    A softmax in double is what the backend "reference" computes; the others compute in float32, whatever the storage.
    """
    q, k, v, mask, past_key, past_value, nonpad = inputs
    at = attributes
    backend = "reference" if at.softmax_precision == DOUBLE else backend
    three_dimensions = q.ndim == 3
    q, k, v = split_heads(q, at.q_num_heads), split_heads(k, at.kv_num_heads), split_heads(v, at.kv_num_heads)
    past_len = 0
    if past_key is not None:
        past_len = past_key.shape[2]
        k, v = np.concatenate((past_key, k), axis=2), np.concatenate((past_value, v), axis=2)
    options = {
        "scale": at.scale,
        "softcap": at.softcap or None,
        # Query 0 stands after the cache: a past, or the valid keys less the queries (bottom right of kv_lengths).
        "q_offsets": None if nonpad is not None else [past_len] * q.shape[0],
        "kv_lengths": nonpad,
        "causal": bool(at.is_causal),
        "window": (at.left_window_size, at.right_window_size),
        "mask": None if mask is None else padded(mask, k.shape[2]),
        "backend": backend,
        "isa": isa,
    }
    y, lse, weights = rapt.attention(q, k, v, return_lse=True, return_weights=True, **options)
    qk = qk_matmul_output(at.qk_matmul_output_mode, q, k, v, weights, lse, options) if want_qk else None
    if three_dimensions:
        y = y.transpose(0, 2, 1, 3).reshape(y.shape[0], y.shape[2], math.prod(y.shape[1::2]))
    return y, k, v, qk
