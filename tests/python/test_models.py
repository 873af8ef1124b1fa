"""rapt.Model and rapt.Session on the bundled nanoGPT model and tiny ones of tests/data: what Python adds to engine.h."""

import json
import pathlib
import signal
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rapt

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "tests/data"
NANOGPT = REPOSITORY / "tools/models/nanogpt-char/model.safetensors"
CHAT = DATA / "chat/model.gguf"  # answers this; see tests/golden/make_chat_model.py
ANSWER = "Thé 漢!"


def read_safetensors(path):
    """name -> array, and the metadata; F32 and I64 alone."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    dtypes = {"F32": np.float32, "I64": np.int64}
    arrays = {
        name: np.frombuffer(data[8 + size + e["data_offsets"][0] : 8 + size + e["data_offsets"][1]], dtypes[e["dtype"]]).reshape(e["shape"])
        for name, e in header.items()
    }
    return arrays, metadata


@pytest.fixture(scope="module")
def nanogpt():
    return rapt.Model(NANOGPT, threads=1)


@pytest.fixture(scope="module")
def chat():
    return rapt.Model(CHAT)


def test_info(nanogpt):
    assert nanogpt.info["family"] == "gpt2" and nanogpt.info["tokenizer"] == "characters" and nanogpt.info["chat"] == "none"
    assert nanogpt.info["vocab_size"] == 65 and nanogpt.info["context_length"] == 128
    assert nanogpt.info["kv_dtype"] == "float32"
    assert nanogpt.info["writes_text"] and not nanogpt.info["makes_vectors"]
    assert "gpt2" in repr(nanogpt)


@pytest.mark.parametrize("folder, file", [("gpt2", "model.safetensors"), ("llama", ""), ("qwen3", ""), ("llama-gguf", "model.gguf")])
def test_logits(folder, file):
    golden, _ = read_safetensors(DATA / folder / "golden.safetensors")
    model = rapt.Model(DATA / folder / file, arithmetic="float32")
    logits = model.logits(golden["ids"])
    assert logits.dtype == np.float32 and logits.shape == golden["logits"].shape
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=5e-4)


def test_logits_of_nothing(nanogpt):
    assert nanogpt.logits([]).shape == (0, 65)


def test_nothing_is_refused_like_something(nanogpt):
    bert = rapt.Model(DATA / "bert")
    for wrong, nothing, something in [(nanogpt.embed, [], ["a"]), (bert.logits, [], [1])]:
        texts = []
        for argument in (nothing, something):
            with pytest.raises(NotImplementedError) as caught:
                wrong(argument)
            texts.append(str(caught.value))
        assert texts[0] == texts[1]


def test_tokens_and_text(nanogpt, chat):
    text = "To be, or not"
    assert nanogpt.detokenize(nanogpt.tokenize(text)) == text
    assert chat.tokenize("<|im_end|>in") == [259, 256]  # a special token, a merge
    assert chat.detokenize(np.array([84, 0xC3], np.int64)) != ""  # any integers
    assert chat.detokenize(chat.tokenize("é")[:1]) == "\ufffd"
    with pytest.raises(ValueError, match="U\\+00E9"):
        nanogpt.tokenize("é")
    with pytest.raises(ValueError, match=r"ids\[1\] is 65"):
        nanogpt.detokenize([0, 65])


def test_texts_longer_than_expected(chat, tmp_path):
    """More bytes than 8 an id, and more ids than bytes: the buffers of the first attempt do not hold them."""
    assert chat.detokenize(chat.tokenize("<|im_start|>") * 1000) == "<|im_start|>" * 1000
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((DATA / "llama" / name).read_bytes())
    tokenizer = {
        "version": "1.0", "added_tokens": [], "post_processor": None, "decoder": {"type": "ByteLevel"},
        "normalizer": {"type": "Replace", "pattern": {"String": "x"}, "content": "y" * 50},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "model": {"type": "BPE", "vocab": {"x": 0, "<s>": 1, "</s>": 2, "y": 3}, "merges": []},
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert rapt.Model(tmp_path).tokenize("x" * 20) == [3] * 1000


def test_generate_is_nanogpts(nanogpt):
    _, golden = read_safetensors(DATA / "nanogpt-char/golden.safetensors")
    expected = golden["greedy_text"][len(golden["prompt"]) :]
    assert "".join(nanogpt.generate(golden["prompt"], 200)) == expected
    assert "".join(nanogpt.generate(nanogpt.tokenize(golden["prompt"]), 50)) == expected[:50]
    assert len("".join(nanogpt.generate(golden["prompt"]))) == 128 - len(golden["prompt"])  # until the context is full


def test_generate_options(nanogpt):
    def text(**options):
        return "".join(nanogpt.generate("JULIET:", 40, **options))

    assert text(temperature=1, seed=1) == text(temperature=1, seed=1) != text(temperature=1, seed=2)
    assert text(temperature=1, top_k=1) == text(temperature=1, top_p=1e-6) == text()
    assert text(repetition_penalty=2) != text()


def test_generate_a_chat(chat):
    messages = [{"role": "user", "content": "hello"}]
    pieces = list(chat.generate(messages))
    assert pieces == list(ANSWER)  # whole characters, and no end token
    assert "".join(chat.generate(messages, 11, ignore_ends=True)) == ANSWER + "<|im_end|>_"
    expected = chat.tokenize("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n")
    assert chat.chat_ids(messages) == expected


def test_generate_stops_when_nobody_wants_more(nanogpt):
    pieces = nanogpt.generate("JULIET:", 10**9)
    assert len(next(pieces)) == 1
    pieces.close()


def test_generate_in_a_session(nanogpt):
    session = nanogpt.session()
    first = "".join(nanogpt.generate("JULIET:", 20, session=session))
    assert len(session) == 7 + 19
    assert nanogpt.detokenize(session.ids) == "JULIET:" + first[:19]
    assert "".join(nanogpt.generate("JULIET:" + first, 20, session=session)) == "".join(nanogpt.generate("JULIET:" + first, 20))
    pieces = nanogpt.generate("JULIET:", 20, session=session)
    next(pieces)
    session.rollback(0)
    with pytest.raises(ValueError, match="session was changed"):
        next(pieces)


def test_session(nanogpt, tmp_path):
    ids = nanogpt.tokenize("To be, or not to be")
    logits = nanogpt.logits(ids)
    session = nanogpt.session()
    np.testing.assert_array_equal(session.prefill(ids[:10]), logits[9])
    for i in range(10, 15):
        np.testing.assert_array_equal(session.decode(ids[i]), logits[i])
    fork = session.fork()
    np.testing.assert_array_equal(fork.prefill(ids[15:]), logits[-1])
    assert len(session) == 15 and fork.ids == ids
    fork.rollback(12)
    np.testing.assert_array_equal(fork.prefill(ids[12:]), logits[-1])
    session.save(tmp_path / "session")
    fork.load(str(tmp_path / "session"))
    assert fork.ids == ids[:15]
    np.testing.assert_array_equal(fork.prefill(ids[15:]), logits[-1])
    np.testing.assert_array_equal(nanogpt.session(tmp_path / "session").prefill(ids[15:]), logits[-1])


def test_a_session_loaded_anew_ends_its_text(nanogpt, tmp_path):
    session = nanogpt.session()
    session.prefill([1])
    session.save(tmp_path / "session")
    pieces = nanogpt.generate("JULIET:", 20, session=session)
    next(pieces)
    session.load(tmp_path / "session")
    with pytest.raises(ValueError, match="loaded anew"):
        next(pieces)


def test_embed():
    bert = rapt.Model(DATA / "bert")
    assert bert.info["makes_vectors"] and bert.info["tokenizer"] == "wordpiece"
    texts = ["The cat sat on the mat.", "a dog", "", "cat " * 100]
    vectors = bert.embed(texts)
    assert vectors.shape == (4, 36) and vectors.dtype == np.float32
    np.testing.assert_allclose((vectors**2).sum(1), 1, atol=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_array_equal(bert.embed([text])[0], vector)
    assert bert.embed([]).shape == (0, 36)
    with pytest.raises(NotImplementedError, match="vectors of texts"):
        bert.session()
    with pytest.raises(TypeError, match="a list of texts"):
        bert.embed("one")


def test_an_empty_session_is_true(nanogpt):
    assert nanogpt.session() and len(nanogpt.session()) == 0


def test_threads_share_a_model_and_wait_for_a_session(nanogpt):
    expected = ["".join(nanogpt.generate(f"JULIET:{c}", 30)) for c in "abcd"]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda c: "".join(nanogpt.generate(f"JULIET:{c}", 30)), "abcd")) == expected
        session = nanogpt.session()
        list(pool.map(lambda _: session.decode(1), range(20)))
        assert session.ids == [1] * 20


def test_the_gil_is_released():
    """During one long call: between two calls the interpreter would hand the GIL over by itself."""
    slow = rapt.Model(NANOGPT, threads=1, backend="reference")
    started, turns = threading.Event(), 0

    def call():
        started.set()
        slow.logits([1] * 128)

    caller = threading.Thread(target=call)
    caller.start()
    started.wait()
    while caller.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 20


@pytest.mark.parametrize("name", ["tokenize", "detokenize", "chat_ids"])
def test_the_gil_is_released_while_a_text_becomes_tokens(chat, name):
    text = "hello in the " * 200_000
    argument = {"tokenize": text, "detokenize": np.resize([10, 258, 20], 10_000_000), "chat_ids": [{"role": "user", "content": text}]}[name]
    started, ended, turns = threading.Event(), [], []

    def call():
        started.set()
        getattr(chat, name)(argument)
        ended.append(time.monotonic())

    caller = threading.Thread(target=call)
    caller.start()
    started.wait()
    while caller.is_alive():
        time.sleep(0.001)
        turns.append(time.monotonic())
    assert sum(turn < ended[0] for turn in turns) > 20


def with_context(path, length):
    """A GGUF model's bytes with another context_length."""
    data = bytearray(path.read_bytes())
    value = data.index(key := b"llama.context_length") + len(key) + 4  # behind the key its type
    data[value : value + 4] = struct.pack("<I", length)
    return data


@pytest.fixture
def control_c():
    """Python's own handler: what a script starts in the background ignores SIGINT, and so would Python then."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
    signal.signal(signal.SIGINT, before)


def test_control_c_is_seen_while_tokens_are_computed(tmp_path, control_c):
    """Among so many that to compute them all would take minutes."""
    (tmp_path / "model.gguf").write_bytes(with_context(CHAT, 1 << 20))
    model = rapt.Model(tmp_path / "model.gguf", threads=1)
    session, ids = model.session(), [10] * 300_000
    session.prefill(ids[:5])
    for compute, held in [
        (lambda: session.prefill(ids), 5),
        (lambda: next(model.generate(ids, session=session)), None),
        (lambda: model.logits(ids[:100_000]), None),
    ]:
        control_c()
        with pytest.raises(KeyboardInterrupt):
            compute()
        assert len(session) == held if held else len(session) < len(ids)


def test_control_c_is_seen_while_texts_are_embedded(control_c):
    """Among so many that to embed them all would take tens of seconds."""
    bert = rapt.Model(DATA / "bert", threads=1)
    texts = ["the cat sat on the mat " * 6] * 100_000
    control_c()
    with pytest.raises(KeyboardInterrupt):
        bert.embed(texts)


def test_models_live_as_long_as_their_sessions_and_texts():
    model = rapt.Model(NANOGPT)
    session, pieces = model.session(), model.generate("JULIET:", 5)
    del model
    assert session.decode(1).shape == (65,)
    assert len("".join(pieces)) == 5


@pytest.mark.parametrize(
    "error, text, call",
    [
        (FileNotFoundError, "cannot open '/nowhere.gguf'", lambda m: rapt.Model("/nowhere.gguf")),
        (NotADirectoryError, "cannot open", lambda m: rapt.Model(NANOGPT / "x")),
        (OSError, "not a regular file", lambda m: m.session().save("/")),
        (ValueError, "kv_dtype is 'float64'", lambda m: rapt.Model(NANOGPT, kv_dtype="float64")),
        (ValueError, "arithmetic is 'bf16'", lambda m: rapt.Model(NANOGPT, arithmetic="bf16")),
        (NotImplementedError, "avx512_bf16 or amx_bf16; the level is scalar", lambda m: rapt.Model(NANOGPT, arithmetic="bfloat16", isa="scalar")),
        (ValueError, "threads is 0", lambda m: rapt.Model(NANOGPT, threads=0)),
        (ValueError, "threads is 2147483648; it must be at most", lambda m: rapt.Model(NANOGPT, threads=2**31)),
        (ValueError, "backend", lambda m: rapt.Model(NANOGPT, backend="cuda")),
        (ValueError, "NUL", lambda m: rapt.Model("a\0b")),
        (ValueError, "ids\\[0\\] is 65", lambda m: m.logits([65])),
        (ValueError, "ids has 129 tokens; the context holds 128", lambda m: m.logits([0] * 129)),
        (ValueError, "ids has 1000000 tokens; the context holds 128", lambda m: m.logits(np.zeros(1_000_000, int))),
        (ValueError, f"there is {2**70}", lambda m: m.logits([1, 2**70])),
        (ValueError, f"there is {-2**70}", lambda m: m.detokenize([-(2**70)])),
        (TypeError, "ids must be integers", lambda m: m.logits([1.5, 2**70])),
        (TypeError, "ids must be integers", lambda m: m.session().prefill([[1], [2, 3]])),
        (TypeError, "prompt must be a text, messages, or integers", lambda m: m.generate([[1], [2, 3]])),
        (TypeError, "ids is a numpy.ma.MaskedArray", lambda m: m.logits(np.ma.masked_array([1, 2], [True, False]))),
        (TypeError, "id is 'x'; it must be an integer$", lambda m: m.session().decode("x")),
        (TypeError, "id is 3.0; it must be an integer$", lambda m: m.session().decode(3.0)),
        (TypeError, r"id is \[3\]; it must be an integer$", lambda m: m.session().decode([3])),
        (ValueError, "id is -1; it must be at least 0", lambda m: m.session().decode(-1)),
        (ValueError, "id is 65; it must be at most 64", lambda m: m.session().decode(65)),
        (ValueError, r"isa is 'scalar\\x00'", lambda m: rapt.Model(NANOGPT, isa="scalar\0")),
        (ValueError, r"backend is '\\ud800'", lambda m: rapt.Model(NANOGPT, backend="\ud800")),
        (ValueError, "there is -1", lambda m: m.logits([-1])),
        (ValueError, "there is 4294967296", lambda m: m.logits([2**32])),
        (TypeError, "integers", lambda m: m.logits([0.5])),
        (TypeError, "integers", lambda m: m.logits([[1]])),
        (ValueError, "ids is empty", lambda m: m.session().prefill([])),
        (ValueError, "length is 3", lambda m: m.session().rollback(3)),
        (ValueError, "length is 9223372036854775808", lambda m: m.session().rollback(2**63)),
        (ValueError, "length is -1", lambda m: m.session().rollback(-1)),
        (FileNotFoundError, "/nowhere", lambda m: m.session("/nowhere")),
        (TypeError, "model is None", lambda m: rapt.Session(None)),
        (ValueError, "prompt is empty", lambda m: m.generate("")),
        (ValueError, "prompt is empty", lambda m: m.generate([])),
        (ValueError, "NUL", lambda m: m.generate("a\0b")),
        (ValueError, "tokens is -1", lambda m: m.generate("a", -1)),
        (ValueError, "tokens is 9223372036854775808", lambda m: m.generate("a", 2**63)),
        (TypeError, "tokens is 0.5", lambda m: m.generate("a", 0.5)),
        (ValueError, "top_k is -1", lambda m: m.generate("a", top_k=-1)),
        (ValueError, "seed is -1", lambda m: m.generate("a", seed=-1)),
        (ValueError, "seed is 18446744073709551616", lambda m: m.generate("a", seed=2**64)),
        (ValueError, "temperature is -1", lambda m: m.generate("a", temperature=-1)),
        (ValueError, "another model", lambda m: m.generate("a", session=rapt.Model(CHAT).session())),
        (NotImplementedError, "chat format", lambda m: m.generate([{"role": "user", "content": "a"}])),
        (TypeError, "path is 5", lambda m: rapt.Model(5)),
        (TypeError, "backend is 5", lambda m: rapt.Model(NANOGPT, backend=5)),
        (TypeError, r"kv_dtype is \['float32'\]", lambda m: rapt.Model(NANOGPT, kv_dtype=["float32"])),
        (TypeError, "path is 5", lambda m: m.session().load(5)),
        (TypeError, "prompt must be a text, messages, or integers", lambda m: m.generate(None)),
        (TypeError, "prompt must be a text, messages, or integers", lambda m: m.generate({"role": "user", "content": "a"})),
        (ValueError, "prompt must be from 0", lambda m: m.generate([-1])),
        (TypeError, "temperature is 'hot'; it must be a number$", lambda m: m.generate("a", temperature="hot")),
        (TypeError, "top_p is 'x'", lambda m: m.generate("a", top_p="x")),
        (TypeError, "repetition_penalty is None", lambda m: m.generate("a", repetition_penalty=None)),
        (ValueError, "temperature is inf; it must be finite", lambda m: m.generate("a", temperature=float("inf"))),
        (ValueError, "temperature is inf; it must be finite", lambda m: m.generate("a", temperature=10**400)),
        (TypeError, "ignore_ends is 'x'", lambda m: m.generate("a", ignore_ends="x")),
        (TypeError, "session is 5", lambda m: m.generate("a", session=5)),
        (TypeError, "messages is 5", lambda m: m.chat_ids(5)),
        (TypeError, "texts is 5", lambda m: m.embed(5)),
        (TypeError, "messages\\[0\\]", lambda m: m.chat_ids([{"role": "user"}])),
        (NotImplementedError, "makes no vectors", lambda m: m.embed(["a"])),
        (TypeError, "it must be a text", lambda m: m.tokenize(b"a")),
        (UnicodeEncodeError, "surrogates.*, in text", lambda m: m.tokenize("\ud800")),
        (UnicodeEncodeError, r"surrogates.*, in messages\[0\] content", lambda m: m.chat_ids([{"role": "user", "content": "\ud800"}])),
        (UnicodeEncodeError, "surrogates.*, in prompt", lambda m: m.generate("\ud800")),
    ],
)
def test_errors(nanogpt, error, text, call):
    with pytest.raises(error, match=text):
        call(nanogpt)


def test_a_file_that_is_no_model(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + b"\xff" * 40)
    with pytest.raises(ValueError, match="model.gguf"):
        rapt.Model(path)
