#!/usr/bin/env python3
"""A byte-level BPE of 1,000 tokens, trained here, and texts with the ids that Hugging Face's tokenizers gives them: tests/data/bpe/.

Usage: make_bpe_goldens.py eval.txt     (tests/data/nanogpt-char/eval.txt, the English part of the training text)
"""
import json
import pathlib
import random
import sys

from tokenizers import ByteLevelBPETokenizer

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "bpe"
FOREIGN = """Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva.
Съешь же ещё этих мягких французских булок, да выпей чаю. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. 我能吞下玻璃而不伤身体。
いろはにほへと ちりぬるを わかよたれそ つねならむ。 다람쥐 헌 쳇바퀴에 타고파. नमस्ते दुनिया. שלום עולם. مرحبا بالعالم.
I'll say we've seen what they're doing; he'd said I'm sure it's John's, don't you? 3.14159 1,000,000 2026-11-24 x² ½ Ⅳ ١٢٣
"""
HAND_WRITTEN = [
    "", " ", "  ", "   ", "\n", "\n\n\n", "\t", " \t \n \r\n ", "a", " a", "a ", "  a", "a  b", "a   b   ", "\u00a0x\u00a0\u00a0y", "\u3000漢\u3000字",
    "\u2028\u2029x", "\u180ex\u180e y", "\x1cx\x1f y", "\x85x\x85\x85y", "\u200bzero\u200b width", "\ufeffbom", "\x00nul\x00", "\x7f\x1b[0m",
    "I'll we've they're he'd I'm it's don't", "I'LL WE'VE", "'s's's", " 's 't 're", "''''", "'", "s'", "x'sy", "don\u2019t",
    "123 456", " 1 22 333", "1a2b3c", "x²y³", "½ Ⅳ ١٢٣ 四", "hello, world!", "a.b.c...", "!!!???", "--- ~~~ ===", "foo_bar __init__(self)",
    "\U0001f642", "\U0001f642\U0001f642 \U0001f642", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd",
    "e\u0301 e\u0301e\u0301", "Z\u0335\u0321a\u0337lgo", "a\u0300\u0301\u0302\u0303", "\u0301alone", "नि", "กำ", "한글 \u1112\u1161\u11ab",
    "漢字かな交じり文", "中文 和 English 混合", "العربية", "עברית", "ﬁ ﬃ", "\U00020000\U0002a6d6", "\U0010ffff", "\ue000\uf8ff", "<|endoftext|>",
    "a" * 1000, " " * 1000, "\n" * 257, "ab" * 500, "1" * 300, "!" * 300, "漢" * 200, "\U0001f642" * 100, "the " * 200, " \n" * 100,
]


def random_text(rng, corpus):
    """A random cut of the corpus, or random characters of many scripts."""
    if rng.random() < 0.5:
        start = rng.randrange(len(corpus))
        return corpus[start:start + rng.randrange(1, 120)]
    pools = ["abcdefgh XYZ", "0123456789 ", " \t\n\u00a0\u2003", "'.,;:!?-\"()", "äöüßéèñç", "абвгд ", "漢字仮名", "\u0301\u0308\u200d",
             "\U0001f642\U0001f680\U0001f1eb", "\x00\x01\x1f\x7f\x80\x9f\xad\xff", "'s't're've'm'll'd"]
    return "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randrange(1, 40)))


def main():
    corpus = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8") + FOREIGN * 4
    tokenizer = ByteLevelBPETokenizer(add_prefix_space=False)
    tokenizer.train_from_iterator([corpus], vocab_size=1000, min_frequency=2, show_progress=False)
    DATA.mkdir(parents=True, exist_ok=True)
    tokenizer.save_model(str(DATA))
    rng = random.Random(20261124)
    texts = HAND_WRITTEN + FOREIGN.split("\n") + [random_text(rng, corpus) for _ in range(300)]
    cases = [[text, tokenizer.encode(text).ids] for text in texts]
    for text, ids in cases:
        assert tokenizer.decode(ids, skip_special_tokens=False) == text, repr(text)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (DATA / "cases.json").write_text(f'{{"cases": [\n{lines}\n]}}\n')
    print(f"{len(cases)} cases, {tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
