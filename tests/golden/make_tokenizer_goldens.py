#!/usr/bin/env python3
"""Texts with the ids that Hugging Face's tokenizers and SentencePiece give them, and small vocabularies for them: tests/data/tokenizers/.

Usage: make_tokenizer_goldens.py eval.txt     (tests/data/nanogpt-char/eval.txt, the English part of the training text)
"""
import io
import json
import pathlib
import random
import sys

import sentencepiece
from make_bpe_goldens import FOREIGN, HAND_WRITTEN, random_text
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
OUT = DATA / "tokenizers"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TRICKY = [
    "<|im_start|>user\nhi<|im_end|>\n", "<|im_start|><|im_start|>", "a<|im_end|>b", "<|im_end", "<|im_end|", "x<|endoftext|> <|endoftext|>y",
    "[CLS] the [SEP]", "[MASK]ing", "[mask]", "the[SEP]", "2024-11-24", "1234567", " 12 345", "x1234y", "12ab", "٣٤٥", "½½", "don't DON'T Don'T", "it'ſ",
    "a\r\nb\r\n\r\nc", "  \n  x", "\t\tx", "x   ", " \u00a0\u00a0x", "!!\n\n", "foo();\n\n\nbar", "...\r\n", "e\u0301", "é", "Å", "\u212b", "\uac01 \u1100\u1161\u11a8",
    "ﬁ", "İstanbul", "ÀÉÎ naïve Café", "ß ẞ", "ΑΣ ας", "\u0b4b\u2c68", "a\u2e5db", "a\u166db", "a\u111c9b", "a\u1734b", "\u1e944\u1e95e", "a\U0002b900b", "a\U0002b820b",
    "\u200d\u200b\ufeffx", "\ue000x", "a\u00adb", "x\u0000y", "\ufffd", "漢字かな", "中a文", "한국어", "a" * 101, "a" * 100, "é" * 101, ("b" * 99) + "é", "don't do not n't . , ? ! ' 's",
    "▁", "a▁b", "▁▁ a", " ▁", "  two", "<0x0A>", "\n", "\U0001f642 \U0001f680", "<s>", "</s>", "<unk>", "a<s>b",
]


def write(path, value):
    """JSON with one line for each entry of the top object's lists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = []
    for key, item in value.items():
        if isinstance(item, list):
            lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in item)
            parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(item, separators=(',', ':'))}")
    path.write_text("{" + ",\n".join(parts) + "}\n")


def byte_level(split, normalizer=None, ignore_merges=False):
    vocabulary = json.loads((DATA / "bpe" / "vocab.json").read_text())
    merges = [tuple(line.split(" ")) for line in (DATA / "bpe" / "merges.txt").read_text().split("\n") if line and not line.startswith("#")]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    return tokenizer


def byte_level_goldens(texts):
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)

    def by(pattern):
        return [pre_tokenizers.Split(Regex(pattern), "isolated"), plain]

    kinds = {"gpt-2": byte_level([gpt2]),
             "smollm": byte_level([pre_tokenizers.Digits(individual_digits=True), gpt2]),
             "llama-bpe": byte_level(by(LLAMA3), ignore_merges=True),
             "qwen2": byte_level(by(LLAMA3.replace("{1,3}", "")), normalizer=normalizers.NFC())}
    cases = [[text, *(kind.encode(text).ids for kind in kinds.values())] for text in texts]
    write(OUT / "splits.json", {"kinds": list(kinds), "specials": SPECIALS, "cases": cases})


def wordpiece_goldens(texts, corpus):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=700, special_tokens=specials, continuing_subword_prefix="##", show_progress=False)
    tokenizer.train_from_iterator([corpus], trainer)
    vocabulary = tokenizer.get_vocab()
    # What no corpus of this size has and cases need: capitals, accents, CJK, marks.
    for token in ["A", "É", "é", "ß", "漢", "字", "か", "##な", "中", "文", "e", "##\u0301", "\u0b4b\u2c68", "a\u2e5db", "i", "\u166d", "\u111c9"]:
        vocabulary.setdefault(token, len(vocabulary))
    tokenizer.model = models.WordPiece(vocabulary, unk_token="[UNK]")
    ids = {token: vocabulary[token] for token in ("[CLS]", "[SEP]")}
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=list(ids.items()))
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    folder = OUT / "wordpiece"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "vocab.txt").write_text("".join(token + "\n" for token, _ in sorted(vocabulary.items(), key=lambda item: item[1])))
    cases = [[text, tokenizer.encode(text, add_special_tokens=False).ids] for text in texts]
    cases = [[text, ids, tokenizer.decode(ids, skip_special_tokens=False)] for text, ids in cases]
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    for case in cases:
        case.append(tokenizer.encode(case[0], add_special_tokens=False).ids)
    write(folder / "cases.json", {"cases": cases})


def sentencepiece_goldens(texts, corpus):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus.split("\n")), model_writer=model, vocab_size=700, model_type="bpe",
                                             byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
                                             split_digits=True, character_coverage=0.999, user_defined_symbols=[], minloglevel=2)
    oracle = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    size = oracle.get_piece_size()
    tokens = [oracle.id_to_piece(i) for i in range(size)]
    kinds = [2 if oracle.is_unknown(i) else 3 if oracle.is_control(i) else 6 if oracle.is_byte(i) else 1 for i in range(size)]
    texts = [text for text in texts if "\0" not in text and not any(token in text for token in ("<s>", "</s>", "<unk>"))]
    cases = [[text, oracle.encode(text)] for text in texts]
    write(OUT / "sentencepiece.json", {"tokens": tokens, "scores": [oracle.get_score(i) for i in range(size)], "types": kinds, "cases": cases})
    llama_json_goldens(tokens, [oracle.get_score(i) for i in range(size)], texts)


def llama_json_goldens(tokens, scores, texts):
    """The same vocabulary as Hugging Face writes SentencePiece's: with merges, in Llama's two ways of preparing text."""
    vocabulary = {token: i for i, token in enumerate(tokens)}
    merges = []
    for token, score in zip(tokens, scores):
        cuts = [(token[:at], token[at:]) for at in range(1, len(token)) if token[:at] in vocabulary and token[at:] in vocabulary]
        merges += [(score, cut) for cut in sorted(cuts, key=lambda cut: (vocabulary[cut[0]], vocabulary[cut[1]]))]
    merges = [cut for _, cut in sorted(merges, key=lambda item: -item[0])]
    kinds = {}
    for kind in ("legacy", "metaspace"):
        tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        if kind == "legacy":
            tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<unk>", "<s>", "</s>")])
        folder = OUT / kind
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        kinds[kind] = tokenizer
    cases = []
    for text in texts + ["<s>", "</s> x", "a<s>b <unk>c"]:
        ids = [kind.encode(text).ids for kind in kinds.values()]
        cases.append([text, *ids, kinds["legacy"].decode(ids[0], skip_special_tokens=False)])
    write(OUT / "llama.json", {"kinds": list(kinds), "cases": cases})


def main():
    corpus = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8") + FOREIGN * 4
    rng = random.Random(20261125)
    texts = TRICKY + [text for text in HAND_WRITTEN if len(text) < 300] + FOREIGN.split("\n") + [random_text(rng, corpus) for _ in range(150)]
    byte_level_goldens(texts)
    wordpiece_goldens(texts, corpus)
    sentencepiece_goldens(texts, corpus)


if __name__ == "__main__":
    main()
