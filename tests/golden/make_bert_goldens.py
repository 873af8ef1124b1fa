#!/usr/bin/env python3
"""A tiny BERT with random weights: tests/data/bert/ as Hugging Face saves it.

golden.safetensors: ids of texts of many lengths, one after the other, where each begins (offsets), and the vectors that
sentence-transformers would make of them: the mean of the tokens' last hidden states ("mean") or that of the first token ("first"),
divided by its length; computed in double, one text at a time. vocab.txt gives its ids words, so that texts can be read.
"""
import pathlib
import string

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "bert"
LENGTHS = [3, 1, 40, 7, 2, 29, 16, 1]
WORDS = [*"[PAD] [UNK] [CLS] [SEP] [MASK]".split(), *string.ascii_lowercase, *("##" + letter for letter in string.ascii_lowercase),
         *"the cat sat on mat dog ran and is . , ! ? ' - 1 2 3 ##ing ##ed".split()]
torch.manual_seed(20261126)


def main():
    config = BertConfig(vocab_size=90, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=50,
                        max_position_embeddings=40)
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3 + (1 if "LayerNorm.weight" in key else 0))
    model.save_pretrained(DATA)
    (DATA / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    model = model.double()
    texts = [torch.randint(0, config.vocab_size, (length,)) for length in LENGTHS]
    with torch.no_grad():
        states = [model(ids[None]).last_hidden_state[0] for ids in texts]
    normal = torch.nn.functional.normalize
    offsets = torch.tensor([0] + LENGTHS).cumsum(0)
    save_file({"ids": torch.cat(texts), "offsets": offsets, "mean": normal(torch.stack([s.mean(0) for s in states])).float(),
               "first": normal(torch.stack([s[0] for s in states])).float()}, DATA / "golden.safetensors")


if __name__ == "__main__":
    main()
