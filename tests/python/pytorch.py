"""PyTorch's attention on NumPy arrays: its own f32, and the double truth. Imported by the full tier alone."""

import numpy as np
import torch

import oracle


def use_one_thread():
    torch.set_num_threads(1)


def _mask(causal, q_len, kv_len):
    return None if causal is False else torch.from_numpy(oracle.visible(causal, q_len, kv_len))


def attention(q, k, v, causal):
    """scaled_dot_product_attention as one calls it: is_causal for the top left corner, a boolean mask for the other.

    Rows that see no key are set to 0, whatever PyTorch makes of them.
    """
    q, k, v = map(torch.from_numpy, (q, k, v))
    if causal == "bottom_right":
        mask = _mask(causal, q.shape[2], k.shape[2])
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        out[:, :, ~mask.any(dim=1)] = 0
    else:
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal == "top_left", enable_gqa=True)
    return out.numpy()


def double_truth(q, k, v, causal):
    """Attention in float64, written out: matmul, softmax, matmul."""
    q, k, v = (torch.from_numpy(np.ascontiguousarray(x)).double() for x in (q, k, v))
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
    scores = q @ k.mT * q.shape[3] ** -0.5
    mask = _mask(causal, q.shape[2], k.shape[2])
    if mask is None:
        return (scores.softmax(dim=3) @ v).numpy()
    out = scores.masked_fill(~mask, -torch.inf).softmax(dim=3) @ v
    out[:, :, ~mask.any(dim=1)] = 0
    return out.numpy()
