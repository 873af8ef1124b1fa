#!/usr/bin/env python3
"""Goldens for rapt's attention modules: tests/data/modules/attention.safetensors.

Every case is a state dict as PyTorch programs save it, under the prefix "<case>.", with "<case>.test.query", perhaps
"<case>.test.key_value", and "<case>.test.output". The metadata gives, for each case, kind, number of heads and causal mask.
Computed in double from weights that are exact in f32; the output is rounded once.
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "modules"
torch.manual_seed(20261124)
tensors, metadata = {}, {}


def f32(x):
    """Rounded to f32 and back: what rapt gets is what the oracle gets."""
    return x.detach().float().double()


def attention(q, k, v, causal):
    """Scaled dot-product attention as the paper writes it; a causal mask lets the last query see every key."""
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if causal:
        q_len, kv_len = scores.shape[-2:]
        visible = torch.ones(q_len, kv_len, dtype=torch.bool).tril(kv_len - q_len)
        scores = scores.masked_fill(~visible, float("-inf"))
    return torch.softmax(scores, dim=-1) @ v


class SingleHead(nn.Module):
    def __init__(self, dim, head_dim, head_dim_v, bias, names):
        super().__init__()
        self.names = names
        for name, out in zip(names, (head_dim, head_dim, head_dim_v)):
            setattr(self, name, nn.Linear(dim, out, bias=bias))

    def forward(self, x, z, causal):
        q, k, v = (getattr(self, name)(y) for name, y in zip(self.names, (x, z, z)))
        return attention(q, k, v, causal)


class Heads(nn.Module):
    """Single heads in a list, concatenated and projected."""

    def __init__(self, dim, heads, bias):
        super().__init__()
        self.heads = nn.ModuleList(SingleHead(dim, dim // heads, dim // heads, bias, ("query", "key", "value")) for _ in range(heads))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, z, causal):
        return self.proj(torch.cat([head(x, z, causal) for head in self.heads], dim=-1))


class MultiHead(nn.Module):
    """One projection each for all heads, which are then split by reshaping."""

    def __init__(self, dim, heads, width, width_v, out, bias, names):
        super().__init__()
        self.heads, self.names = heads, names
        for name, (i, o) in zip(names, ((dim, width), (dim, width), (dim, width_v), (width_v, out))):
            setattr(self, name, nn.Linear(i, o, bias=bias))

    def forward(self, x, z, causal):
        query, key, value, output = (getattr(self, name) for name in self.names)
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in (query(x), key(z), value(z)))
        return output(attention(q, k, v, causal).transpose(1, 2).flatten(2))


class Torch(nn.MultiheadAttention):
    def __init__(self, dim, heads, bias):
        super().__init__(dim, heads, bias=bias, batch_first=True)
        if bias:  # they start as zeros, which would hide a bias that is not added
            nn.init.normal_(self.in_proj_bias, std=0.3)
            nn.init.normal_(self.out_proj.bias, std=0.3)

    def forward(self, x, z, causal):
        mask = None
        if causal:
            mask = ~torch.ones(x.shape[1], z.shape[1], dtype=torch.bool).tril(z.shape[1] - x.shape[1])
        return super().forward(x, z, z, attn_mask=mask, need_weights=False)[0]


def case(name, kind, heads, module, dim, batch, q_len, kv_len=None, causal=False):
    module = module.double()
    module.load_state_dict({key: f32(value) for key, value in module.state_dict().items()})
    x = f32(torch.randn(batch, q_len, dim))
    z = x if kv_len is None else f32(torch.randn(batch, kv_len, dim))
    with torch.no_grad():
        y = module(x, z, causal)
    for key, value in module.state_dict().items():
        tensors[f"{name}.{key}"] = value.float().contiguous()
    tensors[f"{name}.test.query"] = x.float()
    if kv_len is not None:
        tensors[f"{name}.test.key_value"] = z.float()
    tensors[f"{name}.test.output"] = y.float().contiguous()
    metadata[name] = f"{kind} {heads} {int(causal)}"


PROJ = ("q_proj", "k_proj", "v_proj", "out_proj")
PAPER = ("W_q", "W_k", "W_v", "W_o")

case("torch_bias", "multi", 3, Torch(24, 3, True), 24, 2, 9)
case("torch_no_bias", "multi", 5, Torch(40, 5, False), 40, 2, 7)
case("torch_causal", "multi", 4, Torch(20, 4, True), 20, 2, 33, causal=True)
case("torch_one_token", "multi", 2, Torch(16, 2, True), 16, 3, 1, causal=True)
case("torch_cross", "multi", 3, Torch(24, 3, True), 24, 2, 5, kv_len=19)
case("torch_cross_causal", "multi", 3, Torch(24, 3, True), 24, 2, 5, kv_len=19, causal=True)
case("projections", "multi", 4, MultiHead(20, 4, 28, 12, 10, True, PROJ), 20, 2, 17)
case("projections_no_bias", "multi", 2, MultiHead(12, 2, 12, 12, 12, False, PROJ), 12, 1, 40, causal=True)
case("paper_names", "multi", 3, MultiHead(24, 3, 24, 24, 24, False, PAPER), 24, 2, 6)
case("heads", "multi", 3, Heads(24, 3, False), 24, 2, 13, causal=True)
case("heads_bias_cross", "multi", 2, Heads(16, 2, True), 16, 2, 4, kv_len=11)
case("single", "single", 1, SingleHead(32, 16, 16, False, ("query", "key", "value")), 32, 2, 8, causal=True)
case("single_bias", "single", 1, SingleHead(24, 10, 10, True, PROJ[:3]), 24, 2, 21)
case("single_value_dim", "single", 1, SingleHead(18, 7, 13, True, PAPER[:3]), 18, 1, 6)
case("single_cross", "single", 1, SingleHead(24, 8, 8, True, ("query", "key", "value")), 24, 2, 3, kv_len=14, causal=True)

DATA.mkdir(parents=True, exist_ok=True)
save_file(tensors, DATA / "attention.safetensors", metadata)
print(f"{len(metadata)} cases")
