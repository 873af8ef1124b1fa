#!/usr/bin/env python3
"""Tiny chat models whose words are known beforehand, in GGUF: tests/data/chat/model.gguf and endless.gguf.

A token's successor is built into the weights: embeddings are one-hot, and the head has a 1 at the predecessor. After a newline, as the
ChatML format ends its prompt, it says ANSWER and the token that ends a turn; then it would go on with AFTERWARDS, for ever. The endless
one says ANSWER and a newline again and again. The one layer adds a little noise, so that logits depend on the context. No oracle is needed: the words are the construction.
"""
import pathlib

import gguf
import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "chat"
ANSWER, AFTERWARDS = "Thé 漢!", "_+"  # no byte twice
MERGED = ["in"]  # a merge, because a BPE without one is none
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
DIM, INNER, HEADS, HEAD_DIM = 288, 32, 2, 16
TYPE = gguf.GGMLQuantizationType


def byte_alphabet():
    """GPT-2's letters for the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = iter(range(256, 512))
    return [chr(b) if b in shown else chr(next(hidden)) for b in range(256)]


def special(name):
    return 256 + len(MERGED) + SPECIALS.index(name)


def chain(endless):
    """(token, its successor)"""
    said = [ord("\n"), *ANSWER.encode()]
    if endless:
        return [*zip(said, said[1:]), (said[-1], said[0])]
    said += [special("<|im_end|>"), *AFTERWARDS.encode()]
    assert len(set(said)) == len(said)
    return [*zip(said, said[1:]), (said[-1], said[-len(AFTERWARDS)])]


def add(writer, name, array, kind=TYPE.F32):
    writer.add_tensor(name, gguf.quants.quantize(array.astype(np.float32), kind), raw_dtype=kind)


def add_tokenizer(writer):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*byte_alphabet(), *MERGED, *SPECIALS])
    writer.add_token_types([gguf.TokenType.NORMAL] * (256 + len(MERGED)) + [gguf.TokenType.CONTROL] * len(SPECIALS))
    writer.add_token_merges([" ".join(merged) for merged in MERGED])
    writer.add_eos_token_id(special("<|im_end|>"))
    writer.add_chat_template(TEMPLATE)


def write(path, context, endless):
    random = np.random.default_rng(20261128)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(context)
    writer.add_embedding_length(DIM)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_rope_freq_base(1000.0)
    add_tokenizer(writer)
    vocab = 256 + len(MERGED) + len(SPECIALS)
    head = np.zeros((vocab, DIM))
    for token, successor in chain(endless):
        head[successor, token] = 1
    add(writer, "token_embd.weight", np.eye(vocab, DIM), TYPE.Q8_0)
    add(writer, "output.weight", head, TYPE.Q8_0)
    add(writer, "output_norm.weight", np.ones(DIM))
    for name in ("attn_norm", "ffn_norm"):
        add(writer, f"blk.0.{name}.weight", np.ones(DIM))
    width = HEADS * HEAD_DIM
    for name, shape in {"attn_q": (width, DIM), "attn_k": (width, DIM), "attn_v": (width, DIM), "attn_output": (DIM, width),
                        "ffn_gate": (INNER, DIM), "ffn_up": (INNER, DIM), "ffn_down": (DIM, INNER)}.items():
        add(writer, f"blk.0.{name}.weight", random.normal(0, 0.02, shape), TYPE.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    write(FOLDER / "model.gguf", 160, endless=False)
    write(FOLDER / "endless.gguf", 1 << 18, endless=True)
