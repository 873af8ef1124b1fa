"""Random calls of every variant as tensors of PyTorch, with what its oracles need. Imported by the full tier alone."""

import math
from dataclasses import dataclass, field

import numpy as np


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
