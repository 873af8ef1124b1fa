#!/usr/bin/env python3
"""Tiny models of the Llama family with random weights: tests/data/{llama,mistral,qwen2,qwen3}/ as Hugging Face saves them.

Each has config.json, model.safetensors, and golden.safetensors: ids and logits, computed in double. Between them they have all that
the family can have: own and tied heads, biases, head norms, head sizes apart from the width, windows, Llama 3.1's rotary scaling,
and weights in f32, bf16 and f16.
"""
import copy
import pathlib

import torch
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM,
                          Qwen3Config, Qwen3ForCausalLM)

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
SMALL = dict(vocab_size=90, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=96)
LLAMA3 = dict(rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=24)
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SMALL, rope_parameters=LLAMA3, attention_bias=True, mlp_bias=True), torch.float32),
    "mistral": (MistralForCausalLM, MistralConfig(**SMALL, sliding_window=7), torch.float32),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SMALL, tie_word_embeddings=True, use_sliding_window=True, sliding_window=9,
                                            max_window_layers=1), torch.bfloat16),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SMALL, head_dim=12, tie_word_embeddings=True), torch.float16),
}
torch.manual_seed(20261125)


def main():
    for name, (kind, config, dtype) in MODELS.items():
        folder = DATA / name
        config._attn_implementation = "eager"
        model = kind(config).eval()
        with torch.no_grad():  # so large that every bias, norm and position shows
            for key, parameter in model.named_parameters():
                value = torch.randn_like(parameter) * 0.3 + (1 if "norm" in key and key.endswith("weight") else 0)
                parameter.copy_(value.to(dtype))
        copy.deepcopy(model).to(dtype).save_pretrained(folder)  # a copy: the rotary frequencies must not be rounded
        (folder / "generation_config.json").unlink(missing_ok=True)
        ids = torch.randint(0, config.vocab_size, (1, 70))
        with torch.no_grad():
            logits = model.double()(ids).logits.float()
        save_file({"ids": ids[0], "logits": logits[0].contiguous()}, folder / "golden.safetensors",
                  {"num_parameters": str(sum(p.numel() for p in model.parameters()))})


if __name__ == "__main__":
    main()
