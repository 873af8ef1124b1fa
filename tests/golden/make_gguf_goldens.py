#!/usr/bin/env python3
"""A tiny Llama in GGUF, written by the PyPI package gguf: tests/data/llama-gguf/.

Every type of weight is in it that has blocks of at most 32 values and that the package quantises to; norms and biases are f32.
golden.safetensors: ids and logits by tests/models/llama_numpy.py, in double over the dequantised weights.
"""
import pathlib
import sys

import gguf
import numpy as np
from safetensors.numpy import save_file

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "models"))
from llama_numpy import Llama  # noqa: E402

FOLDER = TESTS / "data" / "llama-gguf"
LAYERS, HEADS, KV_HEADS, DIM, INNER, VOCAB = 2, 4, 2, 64, 96, 90
TYPE = gguf.GGMLQuantizationType
TYPES = {"attn_q": [TYPE.Q4_1, TYPE.Q5_0], "attn_k": [TYPE.Q8_0, TYPE.Q5_1], "attn_v": [TYPE.Q4_0, TYPE.F16],
         "attn_output": [TYPE.Q4_1, TYPE.BF16], "ffn_gate": [TYPE.Q4_1, TYPE.Q8_0], "ffn_up": [TYPE.Q4_1, TYPE.Q4_0],
         "ffn_down": [TYPE.Q4_1, TYPE.F32]}
SHAPES = {"attn_q": (DIM, DIM), "attn_k": (DIM // 2, DIM), "attn_v": (DIM // 2, DIM), "attn_output": (DIM, DIM),
          "ffn_gate": (INNER, DIM), "ffn_up": (INNER, DIM), "ffn_down": (DIM, INNER)}
random = np.random.default_rng(20261127)


def values(*shape):
    return random.normal(0, 0.3, shape).astype(np.float32)


def add(writer, name, array, kind=TYPE.F32):
    writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(96)
    writer.add_embedding_length(DIM)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(DIM // HEADS)
    writer.add_rope_freq_base(1000.0)
    add(writer, "token_embd.weight", values(VOCAB, DIM), TYPE.Q8_0)  # the head too
    add(writer, "output_norm.weight", 1 + values(DIM))
    for i in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            add(writer, f"blk.{i}.{name}.weight", 1 + values(DIM))
        for name, shape in SHAPES.items():
            add(writer, f"blk.{i}.{name}.weight", values(*shape), TYPES[name][i])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ids = random.integers(0, VOCAB, 70)
    oracle = Llama(path)
    save_file({"ids": ids, "logits": oracle.forward(ids, oracle.sequence()).astype(np.float32)}, FOLDER / "golden.safetensors",
              {"num_parameters": str(sum(w.size for w in oracle.weights.values()))})


if __name__ == "__main__":
    main()
