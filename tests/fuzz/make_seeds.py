#!/usr/bin/env python3
"""Small valid files for the fuzz targets to start from: make_seeds.py FOLDER writes FOLDER/{gguf,safetensors,safetensors_index,tokenizer_json,session,text,vocabulary}/.

Needs NumPy, gguf, safetensors and the package rapt itself, which saves the sessions.
"""
import json
import pathlib
import sys

import gguf
import numpy as np
from safetensors.numpy import save_file

import rapt

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TYPE = gguf.GGMLQuantizationType
random = np.random.default_rng(20261128)


def values(*shape):
    return random.normal(0, 0.1, shape).astype(np.float32)


def write_gguf(path):
    """A whole Llama of one layer with a SentencePiece vocabulary of eight tokens; every type of weight with blocks of at most 32."""
    dim = 32
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(16)
    writer.add_embedding_length(dim)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(16)
    writer.add_rope_freq_base(1000.0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", "a", "b", "ab", "▁", "▁a"])
    writer.add_token_scores([0.0, 0.0, 0.0, -3.0, -4.0, -1.0, -5.0, -2.0])
    writer.add_token_types([2, 3, 3, 1, 1, 1, 1, 1])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    shapes = {"token_embd": ((8, dim), TYPE.Q8_0), "output_norm": ((dim,), TYPE.F32), "blk.0.attn_norm": ((dim,), TYPE.F32),
              "blk.0.ffn_norm": ((dim,), TYPE.F32), "blk.0.attn_q": ((32, dim), TYPE.Q8_0), "blk.0.attn_k": ((16, dim), TYPE.Q4_0),
              "blk.0.attn_v": ((16, dim), TYPE.Q4_1), "blk.0.attn_output": ((dim, 32), TYPE.Q5_0), "blk.0.ffn_gate": ((32, dim), TYPE.F16),
              "blk.0.ffn_up": ((32, dim), TYPE.Q5_1), "blk.0.ffn_down": ((dim, 32), TYPE.BF16)}
    for name, (shape, kind) in shapes.items():
        writer.add_tensor(name + ".weight", gguf.quants.quantize(values(*shape), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_safetensors(folder):
    save_file({"q_proj.weight": values(4, 4), "k_proj.weight": values(4, 4), "v_proj.weight": values(4, 4), "out_proj.weight": values(4, 4),
               "out_proj.bias": values(4)}, folder / "projections")
    save_file({"in_proj_weight": values(12, 4), "in_proj_bias": values(12), "out_proj.weight": values(4, 4).astype(np.float16),
               "out_proj.bias": values(4)}, folder / "torch")
    config = {"n_layer": 1, "n_head": 1, "n_embd": 4, "block_size": 8, "vocab_size": 2, "bias": False, "activation": "gelu_erf",
              "layer_norm_eps": 1e-5}
    shapes = {"wte": (2, 4), "wpe": (8, 4), "ln_f": (4,), "h.0.ln_1": (4,), "h.0.ln_2": (4,), "h.0.attn.c_attn": (12, 4),
              "h.0.attn.c_proj": (4, 4), "h.0.mlp.c_fc": (16, 4), "h.0.mlp.c_proj": (4, 16)}
    save_file({f"transformer.{name}.weight": values(*shape) for name, shape in shapes.items()}, folder / "nanogpt",
              {"rapt.family": "gpt2", "rapt.config": json.dumps(config),
               "rapt.tokenizer": json.dumps({"type": "characters", "characters": ["a", "b"]})})


def write_index(path):
    files = {"model.embed_tokens.weight": 1, "model.norm.weight": 2}
    path.write_text(json.dumps({"metadata": {"total_size": 4096}, "weight_map": {name: f"model-0000{n}-of-00002.safetensors" for name, n in files.items()}}))


BPE = {
    "added_tokens": [{"id": 3, "content": "<|im_end|>", "special": True}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "\\s+|\\w+"}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}]},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
}
WORDPIECE = {
    "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
                       "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
                       "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
              "vocab": {"[UNK]": 0, "[CLS]": 1, "a": 2, "##b": 3}},
}


def write_tokenizers(folder):
    files = {path.parent.name: path.read_bytes() for path in REPOSITORY.glob("tests/data/tokenizers/*/tokenizer.json")}
    files |= {"bpe": json.dumps(BPE).encode(), "wordpiece_small": json.dumps(WORDPIECE).encode()}
    text = "ab é <s>12".encode()
    for name, file in files.items():
        (folder / name).write_bytes(bytes([len(text)]) + text + file)


def write_sessions(folder):
    session = rapt.Model(REPOSITORY / "tests/data/chat/model.gguf").session()
    session.save(folder / "empty")
    session.prefill([1, 2, 3])
    session.save(folder / "three")


def write_texts(folder):
    text = "The <|im_end|> e\u0301 \u6f22\u5b57 12 don't [CLS]\n\n  x\u00a0".encode() + b"\xff\xe2\x82"
    for kind in range(7):
        (folder / str(kind)).write_bytes(bytes([kind]) + text)


def write_vocabularies(folder):
    (folder / "wordpiece").write_bytes(b"\0" + "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\né\n".encode())
    (folder / "bpe").write_bytes(b"\1" + json.dumps({"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}).encode() + b"\0#version: 0.2\na b\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in ("gguf", "safetensors", "safetensors_index", "tokenizer_json", "session", "text", "vocabulary"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_gguf(folder / "gguf" / "llama")
    write_safetensors(folder / "safetensors")
    write_index(folder / "safetensors_index" / "index")
    write_tokenizers(folder / "tokenizer_json")
    write_sessions(folder / "session")
    write_texts(folder / "text")
    write_vocabularies(folder / "vocabulary")


if __name__ == "__main__":
    main()
