"""Random combinations of variants against PyTorch's flex_attention, which says them in its own terms: functions of one score.

The truth is flex_attention in float64 on the same inputs, the peer flex_attention in their type; the ratio of the two RMS
errors must not pass 1. Single variants, beside scaled_dot_product_attention, are in test_variants_torch.py.
"""

import math

import numpy as np
import pytest

import rapt
from torch_calls import Maker

pytestmark = pytest.mark.full

SEED = 20261128
CALLS = 40  # of each type and number of variants in one call
TYPES = ("float32", "bfloat16", "float16")


# --- Variants: rapt's options, and the same as score -> score or -> visible of flex_attention ------------------------


def softcap(make):
    cap = float(make.rng.choice([1.5, 20.0, 50.0]))
    return {"softcap": cap}, lambda s, b, h, i, j: cap * make.torch.tanh(s / cap), None


def bias(make):
    heads = int(make.rng.choice([1, make.heads]))
    tensor = make.normal(make.batch, heads, make.q_len, make.kv_len)
    return {"bias": tensor}, lambda s, b, h, i, j: s + tensor[b, h % heads, i, j], None


def alibi(make):
    slopes = make.torch.rand(make.heads, generator=make.generator)
    past = make.kv_len - make.q_len
    return {"alibi_slopes": slopes}, lambda s, b, h, i, j: s - slopes[h] * (i + past - j).abs(), None


def sinks(make):
    return {"sinks": make.normal(make.heads, dtype=make.torch.float32) * 3}, None, None


def causal(make):
    past = make.kv_len - make.q_len
    return {"causal": True}, None, lambda b, h, i, j: j <= i + past


def window(make):
    left, right = int(make.rng.integers(0, 60)), int(make.rng.integers(0, 20))
    past = make.kv_len - make.q_len
    return {"window": (left, right)}, None, lambda b, h, i, j: (j - i - past >= -left) & (j - i - past <= right)


def bool_mask(make):
    mask = make.torch.rand(make.batch, make.heads, make.q_len, make.kv_len, generator=make.generator) < 0.8
    return {"mask": mask}, None, lambda b, h, i, j: mask[b, h, i, j]


def documents(make):
    of_k = make.torch.from_numpy(np.sort(make.rng.integers(0, 4, (make.batch, make.kv_len)), axis=1))
    of_q = of_k[:, make.kv_len - make.q_len :].contiguous()
    return {"q_documents": of_q, "k_documents": of_k}, None, lambda b, h, i, j: of_q[b, i] == of_k[b, j]


def query_offsets(make):
    """With key lengths, which flex_attention says as two masks."""
    lengths = make.torch.from_numpy(make.rng.integers(1, make.kv_len + 1, make.batch))
    offsets = make.torch.from_numpy(make.rng.integers(0, make.kv_len, make.batch))
    options = {"kv_lengths": lengths, "q_offsets": offsets, "causal": True}
    return options, None, lambda b, h, i, j: (j < lengths[b]) & (j <= i + offsets[b])


# In the order of the formula: softcap, then what is added. Of those that place the queries, a call takes one.
SCORES = (softcap, bias, alibi)
MASKS = (bool_mask, documents)
POSITIONS = (causal, window, query_offsets)


def pick(make, number):
    """`number` variants that one call may ask for, in the order of the formula."""
    position = make.rng.choice(POSITIONS)
    usable = [v for v in (*SCORES, *MASKS, position, sinks) if not (v is alibi and position is query_offsets)]
    chosen = set(make.rng.permutation(len(usable))[:number].tolist())
    return [v for i, v in enumerate(usable) if i in chosen]


# --- Both sides of a call ---------------------------------------------------------------------------------------------


def flex(torch, q, k, v, scores, masks, sink):
    """flex_attention in the type of q. A sink is one more key of value 0: it scales the rows by sigmoid(lse - sink)."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def score_mod(s, b, h, i, j):
        for function in scores:
            s = function(s, b, h, i, j)
        return s

    def mask_mod(b, h, i, j):
        visible = j >= 0
        for function in masks:
            visible = visible & function(b, h, i, j)
        return visible

    shape = q.shape[0], q.shape[1], q.shape[2], k.shape[2]
    block_mask = create_block_mask(mask_mod, *shape, device="cpu") if masks else None
    out, lse = flex_attention(q, k, v, score_mod, block_mask, enable_gqa=True, return_lse=True)
    if sink is not None:
        out = (out * (lse.to(torch.promote_types(q.dtype, torch.float32)) - sink[:, None]).sigmoid()[..., None]).to(q.dtype)
    return out


def layout(make, tensor):
    """The same numbers as [batch, heads, length, dim] or as a view of [batch, length, heads, dim]."""
    return tensor if make.rng.random() < 0.5 else tensor.transpose(1, 2).contiguous().transpose(1, 2)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("number", range(4))
def test_no_worse_than_flex_attention(number, type_name):
    import torch

    dtype = getattr(torch, type_name)
    ours = peers = 0.0
    for seed in range(SEED, SEED + CALLS):
        make = Maker(torch, dtype, seed)
        variants = pick(make, number)
        parts = [variant(make) for variant in variants]
        options = {name: value for part in parts for name, value in part[0].items()}
        scores, masks = ([part[i] for part in parts if part[i]] for i in (1, 2))
        call = make.call()
        q, k, v = (layout(make, x) for x in (call.q, call.k, call.v))
        sink = options.get("sinks")
        truth = flex(torch, q.double(), k.double(), v.double(), scores, masks, None if sink is None else sink.double())
        out, peer = rapt.attention(q, k, v, **options), flex(torch, q, k, v, scores, masks, sink)
        error = (out.double() - truth).square().sum().item()
        names = ", ".join(variant.__name__ for variant in variants)
        assert out.dtype == dtype and not truth.isnan().any()
        assert error <= 1e-3 * truth.square().sum().item() + 1e-9, f"seed {seed}, {names}: not the same formula"
        ours += error
        peers += (peer.double() - truth).square().sum().item()
    ratio = math.sqrt(ours / peers)
    print(f"{number} variants, {type_name}: RMS error {ratio:.3f} times flex_attention's")
    assert ratio <= 1, f"seed {SEED}: RMS error {ratio:.3f} times flex_attention's"
