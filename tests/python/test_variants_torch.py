"""Tensors, and the errors of every variant against PyTorch's: no worse than what PyTorch computes in the same type.

The truth is PyTorch's own attention in float64 on the same inputs (rounded to the type first); the peer is
scaled_dot_product_attention, or, where it has no such argument (soft-cap, sinks), the formula in plain operations, as
models write it. Errors are summed over random calls of a variant; the ratio of the two RMS must not pass 1.
"""

import math

import numpy as np
import pytest

import rapt
from torch_calls import SQUARE, VARIANTS, Maker

pytestmark = pytest.mark.full

SEED = 20261124
CALLS = 40  # of each variant and type
TYPES = ("float32", "bfloat16", "float16")
RATIOS = {}  # (variant, type): RMS error of rapt / of PyTorch


def formula(torch, call, dtype):
    """Attention in plain operations of one type."""
    cap, sink = call.options.get("softcap"), call.options.get("sinks")
    q, k, v = dense(call, dtype)
    scores = q @ k.mT / math.sqrt(q.shape[3])
    if cap is not None:
        scores = cap * torch.tanh(scores / cap)
    if call.additive is not None:
        scores = scores + call.additive.to(dtype)
    if sink is None:
        return scores.softmax(-1) @ v
    column = sink.to(dtype)[:, None, None].expand(*scores.shape[:3], 1)
    return torch.cat((scores, column), -1).softmax(-1)[..., :-1] @ v


def dense(call, dtype):
    """q, k and v of the oracle in a type, k and v repeated for the query heads."""
    k = call.k if call.dense_k is None else call.dense_k
    v = call.v if call.dense_v is None else call.dense_v
    group = call.q.shape[1] // k.shape[1]
    return call.q.to(dtype), *(x.to(dtype).repeat_interleave(group, 1) for x in (k, v))


def pytorch(torch, call, dtype):
    if "softcap" in call.options or "sinks" in call.options:
        return formula(torch, call, dtype)
    additive = call.additive
    if additive is not None:
        additive = additive.to(dtype).expand(*call.q.shape[:3], additive.shape[-1])
    return torch.nn.functional.scaled_dot_product_attention(*dense(call, dtype), attn_mask=additive, is_causal=call.is_causal)


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_no_worse_than_pytorch(variant, type_name):
    import torch

    dtype = getattr(torch, type_name)
    ours = peers = 0.0
    for i in range(CALLS):
        call = variant(Maker(torch, dtype, SEED + i, square=variant in SQUARE))
        truth = pytorch(torch, call, torch.float64)
        out = rapt.attention(call.q, call.k, call.v, **call.options)
        peer = pytorch(torch, call, dtype)
        assert out.dtype == dtype and out.shape == truth.shape and not truth.isnan().any()
        ours += (out.double() - truth).square().sum().item()
        peers += (peer.double() - truth).square().sum().item()
    assert peers > 0
    RATIOS[variant.__name__, type_name] = ratio = math.sqrt(ours / peers)
    assert ratio <= 1, f"seed {SEED}: RMS error {ratio:.3f} times PyTorch's"


def test_table(capsys):
    """Prints what the tests before it found."""
    with capsys.disabled():
        print(f"\nRMS error, rapt / PyTorch, seed {SEED}, {CALLS} calls each\n{'':24}" + "".join(f"{t:>10}" for t in TYPES))
        for variant in VARIANTS:
            row = [RATIOS.get((variant.__name__, t)) for t in TYPES]
            print(f"{variant.__name__:24}" + "".join(f"{'-' if r is None else f'{r:.3f}':>10}" for r in row))
    assert RATIOS


def test_tensors_give_the_bits_of_arrays():
    """Every form of argument as tensors, lists and arrays; bfloat16 as torch.bfloat16 and ml_dtypes.bfloat16."""
    import ml_dtypes
    import torch

    make = Maker(torch, torch.float32, SEED)
    make.q_len, make.kv_len = 20, 60
    q, k, v = (x.to(torch.bfloat16) for x in (lambda call: (call.q, call.k, call.v))(make.call()))
    mask = torch.rand(make.q_len, make.kv_len, generator=make.generator) < 0.8
    tree = torch.rand(make.batch, make.q_len, make.q_len, generator=make.generator) < 0.5
    lengths = torch.full((make.batch,), 50, dtype=torch.int32)
    slopes, bias = make.normal(make.heads), make.normal(make.heads, 1, make.kv_len, dtype=torch.float16)
    options = {"causal": True, "return_lse": True, "return_weights": True}
    results = rapt.attention(
        q, k, v, mask=mask, bias=bias, tree_mask=tree, kv_lengths=lengths, alibi_slopes=slopes, sinks=slopes.double(),
        block_mask=(torch.ones(1, 1, dtype=torch.bool), 20, 60), **options,
    )
    assert [x.dtype for x in results] == [torch.bfloat16, torch.float32, torch.float32]
    arrays = [x.view(torch.int16).numpy().view(ml_dtypes.bfloat16) for x in (q, k, v)]
    expected = rapt.attention(
        *arrays, mask=mask.numpy(), bias=bias.numpy(), tree_mask=tree.tolist(), kv_lengths=lengths.tolist(),
        alibi_slopes=slopes.numpy(), sinks=slopes, block_mask=(np.ones((1, 1), bool), 20, 60), **options,
    )
    assert expected[0].dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(results[0].view(torch.int16).numpy(), expected[0].view(np.int16))
    for result, wanted in zip(results[1:], expected[1:], strict=True):
        np.testing.assert_array_equal(result.numpy(), wanted)


def test_parameters_and_devices_of_every_argument():
    import torch

    make = Maker(torch, torch.float32, SEED)
    call = make.call()
    learned = torch.nn.Parameter(make.normal(make.heads))
    with pytest.raises(NotImplementedError, match=r"sinks requires grad, .*sinks\.detach\(\)"):
        rapt.attention(call.q, call.k, call.v, sinks=learned)
    with torch.no_grad():
        rapt.attention(call.q, call.k, call.v, sinks=learned)
    bias = torch.zeros(make.kv_len, requires_grad=True)
    with pytest.raises(NotImplementedError, match="bias requires grad"):
        rapt.attention(call.q, call.k, call.v, bias=bias)
    with pytest.raises(TypeError, match="kv_lengths is a torch.strided tensor on meta"):
        rapt.attention(call.q, call.k, call.v, kv_lengths=torch.ones(make.batch, device="meta", dtype=torch.int64))
    with pytest.raises(TypeError, match="mask is a numpy.ndarray, but the first array is from torch"):
        rapt.attention(call.q, call.k, call.v, mask=np.ones(make.kv_len, bool))
    with pytest.raises(TypeError, match="mask has dtype uint8; bool"):
        rapt.attention(call.q, call.k, call.v, mask=torch.ones(make.kv_len, dtype=torch.uint8))
