"""The oracle of BERT sentence vectors: a forward pass in NumPy over the weights of a safetensors file, in double, a text at a time.

Tokens are Hugging Face's (tokenizers), cut as sentence-transformers does; the vector is the mean of all tokens' last states, divided by its
length (Reimers and Gurevych 2019).
"""
import json
import pathlib

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer


class Bert:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        config = json.loads((folder / "config.json").read_text())
        self.heads, self.layers = config["num_attention_heads"], config["num_hidden_layers"]
        self.eps = config["layer_norm_eps"]
        assert config["hidden_act"] == "gelu", config["hidden_act"]
        most = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(most)
        self.weights = {name.removeprefix("bert."): w.astype(np.float64) for name, w in load_file(folder / "model.safetensors").items()
                        if w.dtype == np.float32}

    def embed(self, text):
        ids = self.tokenizer.encode(text).ids
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for i in range(self.layers):
            name = f"encoder.layer.{i}."
            x = self.norm(x + self.attend(x, name + "attention."), name + "attention.output.LayerNorm")
            h = self.linear(x, name + "intermediate.dense")
            h = h * (1 + erf(h / np.sqrt(2))) / 2
            x = self.norm(x + self.linear(h, name + "output.dense"), name + "output.LayerNorm")
        mean = x.mean(0)
        return mean / np.linalg.norm(mean)

    def attend(self, x, name):
        def heads(y):
            return y.reshape(len(x), self.heads, -1).transpose(1, 0, 2)
        q, k, v = (heads(self.linear(x, f"{name}self.{part}")) for part in ("query", "key", "value"))
        s = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        p = np.exp(s - s.max(-1, keepdims=True))
        o = (p / p.sum(-1, keepdims=True)) @ v
        return self.linear(o.transpose(1, 0, 2).reshape(len(x), -1), name + "output.dense")

    def linear(self, x, name):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.weights[name + ".weight"] + self.weights[name + ".bias"]


def erf(x):
    """The error function to 1.2e-7 (Abramowitz and Stegun 7.1.26 is coarser): Numerical Recipes' erfc by a Chebyshev fit."""
    t = 1 / (1 + 0.5 * np.abs(x))
    poly = np.polyval([0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
                       -1.26551223], t)
    tail = t * np.exp(-x * x + poly)
    return np.where(x >= 0, 1 - tail, tail - 1)
