"""Tensors, and the errors of every variant against PyTorch's: no worse than what PyTorch computes in the same type.

The truth is PyTorch's own attention in float64 on the same inputs (rounded to the type first); the peer is
scaled_dot_product_attention, or, where it has no such argument (soft-cap, sinks), the formula in plain operations, as
models write it. Errors are summed over random calls of a variant; the ratio of the two RMS must not pass 1.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

import rapt

pytestmark = pytest.mark.full

SEED = 20261124
CALLS = 40  # of each variant and type
TYPES = ("float32", "bfloat16", "float16")
RATIOS = {}  # (variant, type): RMS error of rapt / of PyTorch


@dataclass
class Call:
    """One random call: what rapt gets, and the same as an additive tensor, a soft-cap and sinks for the oracle."""

    q: object
    k: object
    v: object
    options: dict = field(default_factory=dict)
    additive: object = None  # [B, H, q_len, kv_len] or broadcast, float64; -inf hides
    is_causal: bool = False  # scaled_dot_product_attention's own, without a tensor
    # As the oracle sees k and v, where rapt gets them in another form.
    dense_k: object = None
    dense_v: object = None


class Maker:
    """Random tensors of one call, of one type."""

    def __init__(self, torch, dtype, seed, square=False):
        self.torch, self.dtype = torch, dtype
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        pick = self.rng.integers
        self.batch, self.kv_heads, self.group = int(pick(1, 3)), int(pick(1, 3)), int(pick(1, 4))
        self.q_len = int(pick(1, 80))
        self.kv_len = self.q_len if square else self.q_len + int(self.rng.choice([0, 7, 100, 1200]))
        self.dim = int(self.rng.choice([8, 24, 64, 80, 128]))
        self.heads = self.kv_heads * self.group

    def normal(self, *shape, dtype=None):
        return self.torch.randn(*shape, generator=self.generator).to(dtype or self.dtype)

    def call(self, **options):
        q = self.normal(self.batch, self.heads, self.q_len, self.dim)
        k, v = (self.normal(self.batch, self.kv_heads, self.kv_len, self.dim) for _ in range(2))
        return Call(q, k, v, options)

    def relative(self):
        """[q_len, kv_len]: position of the key less that of the query, bottom right."""
        t = self.torch
        return t.arange(self.kv_len)[None] - (t.arange(self.q_len)[:, None] + self.kv_len - self.q_len)

    def hide(self, visible):
        return self.torch.zeros(visible.shape, dtype=self.torch.float64).masked_fill(~visible, -math.inf)


def plain(make):
    return make.call()


def long(make):
    """Sums over thousands of keys, where an error that grows with their number shows."""
    make.kv_len += 3000
    return make.call()


def causal(make):
    call = make.call(causal=True)
    call.is_causal = True
    return call


def causal_bottom_right(make):
    call = make.call(causal=True)
    call.additive = make.hide(make.relative() <= 0)
    return call


def window(make):
    left, right = int(make.rng.integers(0, 40)), int(make.rng.integers(0, 10))
    call = make.call(window=(left, right))
    call.additive = make.hide((make.relative() >= -left) & (make.relative() <= right))
    return call


def bool_mask(make):
    visible = make.torch.rand(make.batch, 1, make.q_len, make.kv_len, generator=make.generator) < 0.7
    visible[..., 0] = True
    call = make.call(mask=visible)
    call.additive = make.hide(visible)
    return call


def additive_mask(make):
    mask = make.normal(make.heads, make.q_len, make.kv_len)
    call = make.call(mask=mask)
    call.additive = mask.double()[None]
    return call


def bias(make):
    tensor = make.normal(1, make.heads, make.q_len, make.kv_len)
    call = make.call(bias=tensor, causal=True)
    call.additive = tensor.double() + make.hide(make.relative() <= 0)
    return call


def alibi(make):
    slopes = make.torch.tensor([2.0 ** (-8 * (h + 1) / make.heads) for h in range(make.heads)])
    call = make.call(alibi_slopes=slopes, causal=True)
    call.additive = -slopes.double()[:, None, None] * make.relative().abs() + make.hide(make.relative() <= 0)
    return call


def softcap(make):
    return make.call(softcap=float(make.rng.choice([1.5, 30.0, 50.0])))


def sinks(make):
    return make.call(sinks=make.normal(make.heads, dtype=make.torch.float32))


def softcap_sinks_window(make):
    call = make.call(softcap=20.0, sinks=make.normal(make.heads, dtype=make.torch.float32), window=(24, 0))
    call.additive = make.hide((make.relative() >= -24) & (make.relative() <= 0))
    return call


def kv_lengths(make):
    lengths = make.torch.from_numpy(make.rng.integers(1, make.kv_len + 1, make.batch))
    call = make.call(kv_lengths=lengths)
    call.additive = make.hide(make.torch.arange(make.kv_len)[None] < lengths[:, None])[:, None, None]
    return call


def prefix(make):
    lengths = make.rng.integers(1, make.kv_len + 1, make.batch).tolist()
    call = make.call(causal=True, prefix_lengths=lengths)
    below = make.torch.arange(make.kv_len)[None, None] < make.torch.tensor(lengths)[:, None, None]
    call.additive = make.hide((make.relative() <= 0) | below)[:, None]
    return call


def documents(make):
    """Half of the keys are of document 0, which every query is of, and so on: each query finds one key at least."""
    k_documents = make.torch.arange(make.kv_len).remainder(3).expand(make.batch, -1)
    q_documents = make.torch.arange(make.q_len).remainder(min(3, make.kv_len)).expand(make.batch, -1)
    call = make.call(q_documents=q_documents, k_documents=k_documents)
    call.additive = make.hide(q_documents[..., None] == k_documents[:, None])[:, None]
    return call


def paged(make):
    call = make.call(causal=True)
    call.additive = make.hide(make.relative() <= 0)
    call.dense_k, call.dense_v = call.k, call.v
    size, pages = 16, -(-make.kv_len // 16)
    table = make.torch.from_numpy(make.rng.permutation(make.batch * pages)).reshape(make.batch, pages)
    for name in ("k", "v"):
        rows = make.torch.zeros(make.batch, make.kv_heads, pages * size, make.dim, dtype=make.dtype)
        rows[:, :, : make.kv_len] = getattr(call, name)
        stored = make.torch.zeros(make.batch * pages, make.kv_heads, size, make.dim, dtype=make.dtype)
        stored[table.flatten()] = rows.unflatten(2, (pages, size)).transpose(1, 2).flatten(0, 1)
        setattr(call, name, stored)
    call.options.update(block_table=table, kv_lengths=[make.kv_len] * make.batch)
    return call


def int8_keys_and_values(make):
    """The oracle gets what the stored numbers stand for, exactly; the peer that, rounded to its type, as it must."""
    call = make.call()
    for name in ("k", "v"):
        stored = make.torch.randint(-127, 128, getattr(call, name).shape, generator=make.generator).to(make.torch.int8)
        scale = make.torch.rand(stored.shape[:3], generator=make.generator) * 0.02 + 0.005
        setattr(call, name, stored)
        setattr(call, f"dense_{name}", stored.double() * scale.double()[..., None])
        call.options[f"{name}_scale"] = scale
    return call


SQUARE = {causal}
VARIANTS = [
    plain, long, causal, causal_bottom_right, window, bool_mask, additive_mask, bias, alibi, softcap, sinks,
    softcap_sinks_window, kv_lengths, prefix, documents, paged, int8_keys_and_values,
]


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
