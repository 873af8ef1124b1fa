"""The oracle of the Llama family: a forward pass in NumPy over the dequantised weights of a GGUF file.

Reading and dequantising is the PyPI package gguf's, so that nothing is shared with the engine but the file. Arithmetic is float64,
which is what float32 implementations are measured against.
"""
import gguf
import numpy as np


def to_bf16(x):
    """Rounded to nearest even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32).astype(np.float64)


ROUNDED = ["attn_q", "attn_k", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]


class Llama:
    """rounded: with weights and inputs rounded to bf16 of the linear layers of these blocks, but for the values' projection, and nothing else."""

    def __init__(self, path, rounded=()):
        reader = gguf.GGUFReader(path)
        self.fields = reader.fields
        name = self.value("general.architecture")
        assert name == "llama", name
        self.weights = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64) for t in reader.tensors}
        of_blocks = {f"blk.{i}.{name}.weight" for i in rounded for name in ROUNDED}
        self.weights = {name: to_bf16(w) if name in of_blocks else w for name, w in self.weights.items()}
        self.rounded = {id(self.weights[name]) for name in of_blocks}
        self.layers = int(self.value("llama.block_count"))
        self.heads = int(self.value("llama.attention.head_count"))
        self.kv_heads = int(self.value("llama.attention.head_count_kv"))
        self.eps = float(self.value("llama.attention.layer_norm_rms_epsilon"))
        self.theta = float(self.value("llama.rope.freq_base"))
        self.head_dim = self.weights["token_embd.weight"].shape[1] // self.heads
        self.head = self.weights.get("output.weight", self.weights["token_embd.weight"])

    def value(self, key):
        return self.fields[key].contents()

    def sequence(self):
        """Keys and values of the tokens so far, by layer."""
        return [(np.zeros((0, self.kv_heads, self.head_dim)), np.zeros((0, self.kv_heads, self.head_dim)))] * self.layers

    def forward(self, ids, sequence):
        """Logits [len(ids), vocab] of tokens that follow those in `sequence`, which is extended."""
        w = self.weights
        x = w["token_embd.weight"][ids]
        past = len(sequence[0][0])
        for i in range(self.layers):
            def layer(name):
                return w[f"blk.{i}.{name}.weight"]
            h = self.norm(x, layer("attn_norm"))
            q = self.rotate(self.linear(h, layer("attn_q")).reshape(len(ids), self.heads, self.head_dim), past)
            k = self.rotate(self.linear(h, layer("attn_k")).reshape(len(ids), self.kv_heads, self.head_dim), past)
            v = self.linear(h, layer("attn_v")).reshape(len(ids), self.kv_heads, self.head_dim)
            k, v = np.concatenate([sequence[i][0], k]), np.concatenate([sequence[i][1], v])
            sequence[i] = k, v
            x = x + self.linear(self.attend(q, k, v, past), layer("attn_output"))
            h = self.norm(x, layer("ffn_norm"))
            gate = self.linear(h, layer("ffn_gate"))
            x = x + self.linear(gate / (1 + np.exp(-gate)) * self.linear(h, layer("ffn_up")), layer("ffn_down"))
        return self.linear(self.norm(x, w["output_norm.weight"]), self.head)

    def linear(self, x, weight):
        return (to_bf16(x) if id(weight) in self.rounded else x) @ weight.T

    def norm(self, x, weight):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * weight

    def rotate(self, x, past):
        """Pairs (0, 1), (2, 3), ...: GGUF's Llama."""
        angle = np.arange(past, past + len(x))[:, None] * self.theta ** (-np.arange(0, self.head_dim, 2) / self.head_dim)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        even, odd = x[..., 0::2], x[..., 1::2]
        return np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)

    def attend(self, q, k, v, past):
        group = self.heads // self.kv_heads
        k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
        s = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(self.head_dim)
        s = np.where(np.arange(len(k)) <= past + np.arange(len(q))[:, None], s, -np.inf)
        p = np.exp(s - s.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        return np.einsum("hqk,khd->qhd", p, v).reshape(len(q), -1)
