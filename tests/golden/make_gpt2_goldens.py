#!/usr/bin/env python3
"""A tiny GPT-2 with random weights: tests/data/gpt2/ as Hugging Face saves it, tests/data/convert/ as nanoGPT saves it.

gpt2/config.json, gpt2/model.safetensors: by save_pretrained (Conv1D weights [in, out], "gelu_new", biases).
gpt2/golden.safetensors: ids and logits, computed in double.
convert/ckpt.pt: the same weights in a checkpoint as nanoGPT's train.py writes one after torch.compile, with what a converter must
leave out: optimizer state, causal masks, the second copy of the tied head. convert/meta.pkl: a vocabulary for it.
"""
import pathlib
import pickle

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
CHARACTERS = [chr(c) for c in range(0x20, 0x7f)] + ["\n", "é", "λ", "漢", "🙂"]
torch.manual_seed(20261124)


def make_model():
    config = GPT2Config(vocab_size=len(CHARACTERS), n_positions=24, n_embd=24, n_layer=2, n_head=3, activation_function="gelu_new")
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():  # GPT-2's own initialisation is so small that a missing bias or norm would hardly show
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3 + (1 if ".ln_" in name and name.endswith("weight") else 0))
    return model


def nanogpt_state(model):
    """Conv1D back to Linear, nanoGPT's names under torch.compile's prefix, the masks it once kept as buffers."""
    state = {}
    for name, tensor in model.state_dict().items():
        transposed = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
        state[f"_orig_mod.{name}"] = tensor.t().contiguous() if transposed else tensor.clone()
    state["_orig_mod.lm_head.weight"] = state["_orig_mod.transformer.wte.weight"]
    for i in range(model.config.n_layer):
        state[f"_orig_mod.transformer.h.{i}.attn.bias"] = torch.ones(24, 24).tril().view(1, 1, 24, 24)
    return state


def main():
    (DATA / "gpt2").mkdir(parents=True, exist_ok=True)
    (DATA / "convert").mkdir(parents=True, exist_ok=True)
    model = make_model()
    model.save_pretrained(DATA / "gpt2")
    (DATA / "gpt2" / "generation_config.json").unlink(missing_ok=True)
    ids = torch.randint(0, len(CHARACTERS), (1, 24))
    with torch.no_grad():
        logits = model.double()(ids).logits.float()
    save_file({"ids": ids[0], "logits": logits[0].contiguous()}, DATA / "gpt2" / "golden.safetensors")

    model = model.float()
    layer = torch.nn.Linear(4, 4)  # an optimizer's state, of which the converter needs nothing
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(4)).sum().backward()
    optimizer.step()
    checkpoint = {
        "model": nanogpt_state(model), "optimizer": optimizer.state_dict(),
        "model_args": {"n_layer": 2, "n_head": 3, "n_embd": 24, "block_size": 24, "bias": True, "vocab_size": len(CHARACTERS),
                       "dropout": 0.0},
        "iter_num": 1, "best_val_loss": torch.tensor(4.5), "config": {"dataset": "tiny", "compile": True},
    }
    torch.save(checkpoint, DATA / "convert" / "ckpt.pt")
    meta = {"vocab_size": len(CHARACTERS), "itos": dict(enumerate(CHARACTERS)), "stoi": {c: i for i, c in enumerate(CHARACTERS)}}
    (DATA / "convert" / "meta.pkl").write_bytes(pickle.dumps(meta))


if __name__ == "__main__":
    main()
