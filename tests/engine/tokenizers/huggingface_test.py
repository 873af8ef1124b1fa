#!/usr/bin/env python3
"""rapt's tokenizers beside Hugging Face's: the same ids and the same text back, for random texts, every code point and long runs.

Usage: huggingface_test.py [--smollm2 FILE.gguf] [--minilm FOLDER] [--texts N] [--seed N]

RAPT_COMMAND is the rapt command. Needs `tokenizers` and `gguf` from PyPI (tests/engine/README.md); exit status 77 without them, or
without a model. Where models are not named, those that `rapt fetch` has put into the cache are taken.
"""
import argparse
import json
import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

try:
    import gguf
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

COMMAND = shlex.split(os.environ.get("RAPT_COMMAND", "rapt"))
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
WITH_EVERY_POINT = ("SmolLM2", "llama-bpe.gguf", "qwen2/tokenizer.json", "NFKD/tokenizer.json", "MiniLM tokenizer.json",
                    "BERT cased")  # of all kinds one
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


# --- Texts ---------------------------------------------------------------------------------------------------------------------
POOLS = ["abcdefgh XYZ", "0123456789 ", " \t\n\r\u00a0\u2003\u3000", "'.,;:!?-\"()[]{}<>|_#", "äöüßéèñçÅİı", "абвгд ", "漢字仮名한글",
         "\u0301\u0308\u0323\u200d\ufe0f", "\U0001f642\U0001f680\U0001f1eb\U0001f3fd", "\x00\x01\x04\x1f\x7f\x80\x9f\xad\ufffd\ufeff",
         "'s't're've'm'll'd'S'LL'ſ", "  \n\n\r\n  ", "न\u093fกำ\u0e33", "ﬁﬃ½²Ⅳ①", "e\u07fd\u08d0\u08d4\u1abf\u32ff\U00011935\U00011930\U0001e130\u0316", "\U00020000\U0002a6d6\ue000\U0010ffff"]
WORDS = ["the", " of", " and", "ing", " tokenization", " antidisestablishmentarianism", " 1234567", "\n\n", "    ", "<|im_start|>",
         "<|im_end|>", "<|endoftext|>", "<|im_", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "<repo_name>", " don't", " naïve", "Ĉu", " 漢字",
         " \U0001f468\u200d\U0001f469\u200d\U0001f467", " e\u0301", "##ing", "Ġ", "▁", "http://x.y/z?q=1", "if (a[i] != 0) {\n\treturn;\n}"]


def random_text(rng):
    kind = rng.random()
    if kind < 0.4:
        return "".join(rng.choice(rng.choice(POOLS)) for _ in range(rng.randrange(1, 60)))
    if kind < 0.7:
        return "".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 20)))
    if kind < 0.85:
        return "".join(chr(random_code_point(rng)) for _ in range(rng.randrange(1, 30)))
    return "".join(rng.choice(WORDS) if rng.random() < 0.5 else rng.choice(rng.choice(POOLS)) for _ in range(rng.randrange(1, 40)))


def random_code_point(rng):
    limit = rng.choice([0x80, 0x300, 0x800, 0x3000, 0x10000, 0x20000, 0x110000])
    while True:
        point = rng.randrange(limit)
        if not 0xd800 <= point <= 0xdfff:
            return point


def every_code_point():
    for point in range(0x110000):
        if not 0xd800 <= point <= 0xdfff:
            c = chr(point)
            yield f"{c}a{c} {c}{c}1{c}. 's{c} "


def long_runs():
    for unit in ["a", " ", "\n", "1", "!", "é", "漢", "\U0001f642", "\u0301", "ab", "th", " a", "a ", "\u00a0", "ſ", " \n", "x1", "##", "'s"]:
        yield (unit * 50000)[:50000]
        yield "x " + (unit * 50000)[:50000] + " y"


# --- Tokenizers ----------------------------------------------------------------------------------------------------------------
def smollm2_vocabulary(path):
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    return tokens, types, merges


def byte_level(path, split, normalizer=None, ignore_merges=False):
    tokens, types, merges = smollm2_vocabulary(path)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    model = models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in merges], ignore_merges=ignore_merges)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, kind in zip(tokens, types) if kind == 3])
    return tokenizer


def gguf_with_split(path, name, folder):
    """A GGUF file with SmolLM2's vocabulary alone, cut as `name` says."""
    tokens, types, merges = smollm2_vocabulary(path)
    file = folder / f"{name}.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def smollm2_cases(path, folder):
    """(name, what rapt loads, Hugging Face's tokenizer)"""
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    llama3 = [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), plain]
    qwen2 = [pre_tokenizers.Split(Regex(QWEN2), "isolated"), plain]
    kinds = {"smollm": byte_level(path, [pre_tokenizers.Digits(individual_digits=True), gpt2]),
             "gpt-2": byte_level(path, [gpt2]),
             "llama-bpe": byte_level(path, llama3, ignore_merges=True),
             "qwen2": byte_level(path, qwen2, normalizer=normalizers.NFC())}
    yield "SmolLM2", path, kinds["smollm"]
    for name, tokenizer in kinds.items():
        yield f"{name}.gguf", gguf_with_split(path, name, folder), tokenizer
        (folder / name).mkdir()
        tokenizer.save(str(folder / name / "tokenizer.json"))
        yield f"{name}/tokenizer.json", folder / name, tokenizer
    for form in ("NFD", "NFKC", "NFKD"):
        tokenizer = byte_level(path, [gpt2], normalizer=getattr(normalizers, form)())
        (folder / form).mkdir()
        tokenizer.save(str(folder / form / "tokenizer.json"))
        yield f"{form}/tokenizer.json", folder / form, tokenizer


def minilm_cases(path, folder):
    def load():
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
    yield "MiniLM tokenizer.json", path, load()
    (folder / "minilm").mkdir()
    shutil.copy(path / "vocab.txt", folder / "minilm")
    yield "MiniLM vocab.txt", folder / "minilm" / "vocab.txt", load()
    for name, rules in {"cased": {"lowercase": False}, "accents": {"strip_accents": False}, "unclean": {"clean_text": False},
                        "unspaced": {"handle_chinese_chars": False}, "bare": {"lowercase": False, "strip_accents": True}}.items():
        tokenizer = load()
        tokenizer.normalizer = normalizers.BertNormalizer(**rules)
        (folder / name).mkdir()
        tokenizer.save(str(folder / name / "tokenizer.json"))
        yield f"BERT {name}", folder / name, tokenizer


# --- Comparison ----------------------------------------------------------------------------------------------------------------
def rapt_lines(path, values, *options):
    lines = "".join(json.dumps(value) + "\n" for value in values)
    result = subprocess.run([*COMMAND, "tokenize", str(path), "--json-lines", *options], input=lines.encode(), stdout=subprocess.PIPE,
                            check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def compare(name, path, tokenizer, texts):
    """The number of differing texts, of which the first are shown."""
    differing, start = 0, time.monotonic()
    for at in range(0, len(texts), 50000):
        some = texts[at:at + 50000]
        expected = [encoding.ids for encoding in tokenizer.encode_batch(some, add_special_tokens=False)]
        found = rapt_lines(path, some)
        differing += report(name, "ids", some, expected, found, differing)
        backs = tokenizer.decode_batch(expected, skip_special_tokens=False)
        differing += report(name, "text back", some, backs, rapt_lines(path, expected, "--decode"), differing)
        wrapped = [encoding.ids for encoding in tokenizer.encode_batch(some[:100])]
        differing += report(name, "wrapped", some, wrapped, rapt_lines(path, some[:100], "--wrap"), differing)
    print(f"{name}: {len(texts)} texts, {differing} differ, {time.monotonic() - start:.0f} s", flush=True)
    return differing


def report(name, what, texts, expected, found, shown):
    assert len(found) == len(expected)
    wrong = [i for i, (a, b) in enumerate(zip(expected, found)) if a != b]
    for i in wrong[:max(0, 5 - shown)]:
        print(f"{name}: {what} of {texts[i][:80]!a} differ\n  Hugging Face {str(expected[i])[:300]!a}\n  rapt         {str(found[i])[:300]!a}")
    return len(wrong)


def cached(name):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "rapt"
    return cache / name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smollm2", type=pathlib.Path, default=cached("smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--minilm", type=pathlib.Path, default=cached("minilm"))
    parser.add_argument("--texts", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--only", default="", help="names of cases must contain this")
    parser.add_argument("--no-points", action="store_true", help="not every code point")
    options = parser.parse_args()
    if not options.smollm2.exists() or not options.minilm.exists():
        print("skipped: no models; `rapt fetch smollm2` and `rapt fetch minilm` get them")
        return 77
    rng = random.Random(options.seed)
    texts = [""] + [random_text(rng) for _ in range(options.texts)] + list(long_runs())
    points = [] if options.no_points else list(every_code_point())
    differing = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for case in [*smollm2_cases(options.smollm2, folder), *minilm_cases(options.minilm, folder)]:
            if options.only in case[0]:
                differing += compare(*case, texts + points if case[0] in WITH_EVERY_POINT else texts)
    print("the same" if differing == 0 else f"{differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
