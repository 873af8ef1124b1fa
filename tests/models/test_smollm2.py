"""SmolLM2 against a NumPy pass in double over its dequantised weights: logits, greedy texts, perplexity; in f32, with 8-bit inputs and in bf16.

Greedy texts are compared by one pass of the oracle over prompt and text: the text is the oracle's own if each of its tokens is the most
likely one after those before it.
"""

import pathlib

import numpy as np
import pytest
from conftest import load_bf16
from llama_numpy import Llama

import rapt

PROMPTS = [
    "The capital of France is",
    "def fibonacci(n):\n    ",
    "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n",
    "Once upon a time, in a small village by the sea,",
    "1, 1, 2, 3, 5, 8, 13,",
    "Die Hauptstadt von Deutschland ist",
    "The three laws of motion say that",
    "import numpy as np\n\n",
    "<|im_start|>user\nWrite a haiku about autumn.<|im_end|>\n<|im_start|>assistant\n",
    "Photosynthesis is the process by which",
]
TEXT = pathlib.Path(__file__).resolve().parents[1] / "data/nanogpt-char/eval.txt"
BF16 = 5e-3  # of logits computed with weights and inputs rounded to bf16 where that errs least:
BF16_BLOCKS = range(14, 27)  # (engine/models/llama.cpp)
EIGHT_BITS = 4e-2  # of logits computed with inputs rounded to 8 bits, of a prompt and a text of 64 tokens
# Of llama.cpp's logits for the prompts, which it computes with inputs rounded to 8 bits: llama-cpp-python 0.3.36 as it comes, AVX-512 with VNNI.
LLAMA_CPP = [0.0504, 0.0144, 0.0256, 0.0404, 0.0295, 0.0163, 0.0251, 0.0290, 0.0228, 0.0146]


def relative_rms(found, expected):
    return np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))


@pytest.fixture(scope="module")
def oracle(smollm2):
    return Llama(smollm2)


@pytest.fixture(scope="module")
def exact(smollm2):
    return rapt.Model(smollm2, arithmetic="float32")


@pytest.fixture(scope="module")
def rounded(smollm2):
    return rapt.Model(smollm2)


@pytest.fixture(scope="module")
def bf16(smollm2):
    return load_bf16(smollm2)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_logits_and_greedy_text(prompt, oracle, exact, rounded):
    session = exact.session()
    "".join(exact.generate(prompt, 65, ignore_ends=True, session=session))
    ids = session.ids  # of the prompt and of 64 tokens
    assert len(ids) == len(exact.tokenize(prompt)) + 64
    expected = oracle.forward(np.array(ids), oracle.sequence())
    greedy = ids[-64:]
    assert expected[-65:-1].argmax(-1).tolist() == greedy
    errors = {name: relative_rms(model.logits(ids), expected) for name, model in [("f32", exact), ("int8", rounded)]}
    print(prompt.encode(), errors)
    assert errors["f32"] <= 1e-5
    assert errors["int8"] <= EIGHT_BITS


def test_bf16_errs_as_the_rounding_does(smollm2, oracle, bf16):
    """The error of bf16 is that of rounded operands in exact arithmetic: sums, attention and norms add nothing to it."""
    rounding, one_thread = Llama(smollm2, rounded=BF16_BLOCKS), rapt.Model(smollm2, arithmetic="bfloat16", threads=1)
    errors = []
    for prompt in PROMPTS:
        ids = np.array(bf16.tokenize(prompt))
        logits = bf16.logits(ids)
        expected = oracle.forward(ids, oracle.sequence())
        errors.append([relative_rms(found, expected) for found in (logits, rounding.forward(ids, rounding.sequence()))])
        print(prompt.encode(), errors[-1])
        session = one_thread.session()
        for id, row in zip(ids, logits, strict=True):
            np.testing.assert_array_equal(session.decode(id), row)
    ours, least = np.array(errors).T
    print(ours.mean(), least.mean())
    assert ours.max() <= BF16
    assert ours.mean() <= 1.25 * least.mean()
    assert ours.min() > 1e-3  # or nothing was rounded


@pytest.mark.parametrize(("prompt", "theirs"), list(zip(PROMPTS, LLAMA_CPP, strict=True)))
def test_eight_bits_err_less_than_llama_cpp_did(prompt, theirs, oracle, rounded):
    ids = np.array(rounded.tokenize(prompt))
    ours = relative_rms(rounded.logits(ids), oracle.forward(ids, oracle.sequence()))
    print(prompt.encode(), ours, theirs)
    assert 1e-3 < ours < theirs  # below that nothing was rounded


def test_eight_bits_err_less_than_llama_cpp(smollm2, oracle, rounded):
    """The same beside llama.cpp of today."""
    llama_cpp = pytest.importorskip("llama_cpp", reason="pip install llama-cpp-python, which compiles for many minutes")
    peer = llama_cpp.Llama(str(smollm2), n_ctx=512, logits_all=True, verbose=False)
    errors = []
    for prompt in PROMPTS:
        ids = rounded.tokenize(prompt)
        peer.reset()
        peer.eval(ids)
        expected = oracle.forward(np.array(ids), oracle.sequence())
        errors.append([relative_rms(logits, expected) for logits in (rounded.logits(ids), np.array(peer.scores[: len(ids)]))])
        print(prompt.encode(), errors[-1])
    ours, theirs = np.array(errors).T
    assert (ours < theirs).all()


def test_perplexity(oracle, exact, rounded, bf16):
    ids = np.array(exact.tokenize(TEXT.read_text()[:12000])[:2001])
    assert len(ids) == 2001
    sequence = oracle.sequence()
    expected = sum(loss(oracle.forward(part, sequence), after) for part, after in zip(np.split(ids[:-1], 8), np.split(ids[1:], 8), strict=True))
    for model, bound in [(exact, 1e-4), (rounded, 0.005), (bf16, 0.005)]:
        perplexity = np.exp((loss(model.logits(ids[:-1]), ids[1:]) - expected) / 2000)
        print(perplexity)
        assert abs(perplexity - 1) <= bound


def loss(logits, after):
    """The sum of -log p of the tokens that come after."""
    total = 0.0
    for row, id in zip(logits, after, strict=True):
        row = row.astype(np.float64)
        total += row.max() + np.log(np.exp(row - row.max()).sum()) - row[id]
    return total
