"""all-MiniLM-L6-v2 against NumPy in double (bert_numpy.py): 200 texts of many languages and lengths."""

import random

import numpy as np
from bert_numpy import Bert
from conftest import load_bf16

import rapt

SENTENCES = [
    "The quick brown fox jumps over the lazy dog.", "Der Ball fliegt über das Tor, und die Kinder lachen.", "Où est la bibliothèque ?",
    "El perro duerme debajo de la mesa.", "Il treno per Roma parte alle otto.", "O mar está calmo esta manhã.", "De kat zit op de vensterbank.",
    "Барсук живёт в норе под старым дубом.", "Το τρένο έφυγε νωρίς το πρωί.", "東京は今日もとても暑いです。", "我喜欢在雨天读书。", "오늘은 날씨가 참 좋네요.",
    "ذهب الولد إلى المدرسة صباحا.", "הילדה קוראת ספר ליד החלון.", "मुझे पहाड़ों में घूमना पसंद है।", "วันนี้อากาศดีมาก", "Chiều nay trời mưa to.", "Bugün hava çok güzel.",
    "Pchnąć w tę łódź jeża lub ośm skrzyń fig.", "Příliš žluťoučký kůň úpěl ďábelské ódy.", "Flygande bäckasiner söka hwila på mjuka tuvor.",
    "E = mc², and 2 + 2 = 4 (π ≈ 3.14159).", "for (int i = 0; i < n; ++i) sum += a[i];", "Pay $1,234.56 by 2026-11-28!", "🙂🚀 emoji 👨‍👩‍👧", "a", "",
    "   ", "[SEP] is a token, [CLS] too", "ÀÉÎÕÜ naïve café", "antidisestablishmentarianism",
]


def texts():
    """The sentences, and others from one word to more than the model's 256 tokens made of them."""
    chosen = random.Random(20261128)
    made = list(SENTENCES)
    while len(made) < 200:
        made.append(" ".join(chosen.choices(SENTENCES, k=chosen.choice([1, 2, 2, 3, 4, 6, 30]))))
    return made


def test_vectors(minilm):
    model, oracle = rapt.Model(minilm), Bert(minilm)
    assert model.info["context_length"] == 256
    wanted = np.stack([oracle.embed(text) for text in texts()])
    found = model.embed(texts())
    cosines = (found * wanted).sum(1)
    print(cosines.min())
    assert cosines.min() >= 0.99999
    assert np.abs(found - wanted).max() <= 2e-6
    assert np.abs(wanted - wanted[0]).max() > 0.1  # the texts differ


def test_vectors_in_bf16(minilm):
    model, oracle = load_bf16(minilm), Bert(minilm)
    wanted = np.stack([oracle.embed(text) for text in texts()])
    found = model.embed(texts())
    cosines = (found * wanted).sum(1)
    print(cosines.min())
    assert cosines.min() >= 0.9995
    assert np.abs(found - wanted).max() > 1e-5  # or nothing was rounded
    alone = rapt.Model(minilm, arithmetic="bfloat16", threads=1)
    for n in (0, 12, 199):
        np.testing.assert_array_equal(alone.embed([texts()[n]])[0], found[n])


def test_meaning(minilm):
    model = rapt.Model(minilm)
    cat, kitten, stock = model.embed(["A cat sleeps on the sofa.", "A kitten naps on the couch.", "The stock market fell today."])
    assert cat @ kitten > 0.6 > 0.2 > cat @ stock


def test_a_text_alone_and_in_company(minilm):
    model = rapt.Model(minilm)
    together = model.embed(texts())
    for n in (0, 12, 199):
        np.testing.assert_array_equal(model.embed([texts()[n]])[0], together[n])


