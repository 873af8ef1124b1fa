"""Models that write text or make vectors of it: engine.h for Python. Layer: beside __init__.py, above _core."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from . import _arrays, _core, _options
from ._hints import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Union

    import numpy
    from typing_extensions import TypeAlias

    Floats: TypeAlias = "numpy.ndarray[Any, numpy.dtype[numpy.float32]]"
    Ids: TypeAlias = "Sequence[int] | numpy.ndarray[Any, Any]"
    Prompt: TypeAlias = Union[str, Ids, "Sequence[Mapping[str, str]]"]
    Path: TypeAlias = "str | bytes | os.PathLike[str] | os.PathLike[bytes]"

_KV_DTYPES = {None: 0, "float32": 1, "bfloat16": 2, "float16": 3, "int8": 4}  # rapt_kv_dtype
_KV_DTYPE_NAMES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "int8": "int8", "none": "none"}  # rapt_model_info
_ARITHMETICS = {"int8": 0, "float32": 1, "bfloat16": 2}  # rapt_arithmetic


class Model:
    """A model: a GGUF file, a .safetensors file, or a folder with model.safetensors and what stands beside it. Of one in several files the
    first (NAME-00001-of-00003.gguf), or the folder with model.safetensors.index.json.

        model = rapt.Model("SmolLM2-135M-Instruct.Q4_1.gguf")
        for text in model.generate([{"role": "user", "content": "What is gravity?"}]):
            print(text, end="", flush=True)

    Read-only: threads may share it, one thread a session at a time. The GIL is released while it computes; Ctrl-C is seen after
    256 tokens at most.

    Args:
        path: of the file or folder. Files are treated as hostile.
        threads: how many threads work on a call; None: as many as the process may use. Never changes a result.
        backend: of the attention inside: "rapt", "reference" or "onednn".
        isa: as in attention().
        kv_dtype: how sessions keep keys and values: "float32", "bfloat16", "float16" or "int8". None: "float16" where
            linear layers round their inputs, beside which it is not seen ("bfloat16" with quantised weights and "int8" on ISA
            level "amx_bf16"), else "float32"; backend "onednn" reads no other.
        arithmetic: of linear layers: "int8" rounds the inputs of those with quantised weights to 8 bits, "float32" does not and is
            slower; "bfloat16" rounds weights and inputs where that errs little, on ISA levels "avx512_bf16" and "amx_bf16".

    Raises:
        ValueError: a file that is no model, with what is wrong with it; an unknown name.
        OSError: a file that cannot be read: FileNotFoundError, PermissionError and the like.
        NotImplementedError: a family or a backend that rapt lacks, an arithmetic that the ISA level lacks, a kv_dtype that backend "onednn" does not
            read, or a package that was built without the engine.
    """

    def __init__(
        self, path: Path, threads: int | None = None, *, backend: str | None = None, isa: str | None = None,
        kv_dtype: str | None = None, arithmetic: str = "int8",
    ) -> None:
        if not hasattr(_core, "Model"):
            raise NotImplementedError("this rapt was built without its engine, for lack of PCRE2, utf8proc, zlib, nlohmann-json or RapidJSON")
        backend, isa, num_threads = _options.runtime(backend, isa, threads)
        self._core = _core.Model(
            _path(path), num_threads, backend, isa, _choice("kv_dtype", kv_dtype, _KV_DTYPES),
            _choice("arithmetic", arithmetic, _ARITHMETICS),
        )
        self._info = self._core.info()
        self._info["kv_dtype"] = _KV_DTYPE_NAMES[self._info["kv_dtype"]]

    def __repr__(self) -> str:
        return f"<rapt.Model {self._info['family']}, {self._info['num_parameters']} parameters>"

    @property
    def info(self) -> dict[str, Any]:
        """family, tokenizer, chat ("none" where the model has none), num_layers, num_heads, num_kv_heads, embed_dim, vocab_size,
        context_length, num_parameters, kv_dtype (as "float16"), writes_text (sessions and generate), makes_vectors (embed)."""
        return dict(self._info)

    def tokenize(self, text: str) -> list[int]:
        """The ids of a text. Special tokens ("<|im_end|>") are recognised in it, none are added."""
        return self._core.tokenize(_utf8("text", text))

    def detokenize(self, ids: Ids) -> str:
        """The text of ids. Bytes that make no character, as single tokens may have them, become U+FFFD."""
        return self._core.detokenize(_ids(ids)).decode("utf-8", "replace")

    def chat_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """A conversation as the model's family writes it down, up to where the answer begins.

        Each message is {"role": "system", "user" or "assistant", "content": text}. What was said never becomes a special token.
        """
        roles, contents = [], []
        if isinstance(messages, Mapping) or not isinstance(messages, Iterable):
            raise TypeError(f"messages is {messages!r}; it must be a list of messages")
        for n, message in enumerate(messages):
            if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
                raise TypeError(f'messages[{n}] must be {{"role": ..., "content": ...}}')
            roles.append(_text(f"messages[{n}] role", message["role"]))
            contents.append(_text(f"messages[{n}] content", message["content"]))
        return self._core.chat_ids(roles, contents)

    def logits(self, ids: Ids) -> Floats:
        """[len(ids), vocab_size]: what the model expects after each of the tokens, before softmax."""
        import numpy

        ids = _ids(ids)
        session = _core.Session(self._core)
        if len(ids) > self._info["context_length"]:  # which there may be no memory for
            raise ValueError(f"ids has {len(ids)} tokens; the context holds {self._info['context_length']}")
        logits = numpy.empty((len(ids), self._info["vocab_size"]), numpy.float32)
        session.append(ids, logits, None)
        return logits

    def generate(
        self, prompt: Prompt, tokens: int | None = None, *, temperature: float = 0.0, top_k: int = 0, top_p: float = 1.0,
        repetition_penalty: float = 1.0, seed: int = 0, ignore_ends: bool = False, session: Session | None = None,
    ) -> Iterator[str]:
        """The text after a prompt, piece by piece; whole characters always.

        Args:
            prompt: a text, ids, or the messages of a conversation (see chat_ids).
            tokens: the most to write. None: until the model ends its text, or its context is full.
            temperature: 0: always the most likely token; higher: more surprising.
            top_k, top_p: draw among the k most likely tokens (0: all), or the most likely that together have probability p.
            repetition_penalty: above 1: less likely are tokens that the text already has.
            seed: of the draws; the same seed, the same text.
            ignore_ends: go on where the model ends its text.
            session: of this model. What it has of the prompt is not computed again, what the prompt does not have it forgets;
                afterwards it holds the prompt and the text but for the last token written, which to go on with prefill() comes first;
                where the model ended its text nothing is missing.
        """
        if session is not None and not isinstance(session, Session):
            raise TypeError(f"session is {session!r}; it must be a Session, or None for one of its own")
        if session is not None and session._model is not self:
            raise ValueError("session is of another model")
        text, ids = self._prompt(prompt)
        core = session._core if session is not None else _core.Session(self._core)
        generation = _core.Generation(
            core, text, ids, -1 if tokens is None else _count("tokens", tokens), _options.real("temperature", temperature, ""),
            _count("top_k", top_k), _options.real("top_p", top_p, ""), _options.real("repetition_penalty", repetition_penalty, ""),
            _count("seed", seed, 2**64 - 1), _options.flag("ignore_ends", ignore_ends),
        )
        return _pieces(generation)

    def embed(self, texts: Sequence[str]) -> Floats:
        """[len(texts), embed_dim]: a vector of length 1 for each text; the dot product of two is their cosine.

        What a text has beyond the context is cut off. Texts may be of any lengths: none is padded.
        """
        import numpy

        if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
            raise TypeError(f"texts is {texts!r}; it must be a list of texts")
        encoded = [_utf8(f"texts[{n}]", text) for n, text in enumerate(texts)]
        vectors = numpy.empty((len(encoded), self._info["embed_dim"]), numpy.float32)
        self._core.embed(encoded, vectors)
        return vectors

    def session(self, path: Path | None = None) -> Session:
        """An empty sequence, or one that Session.save() has written to `path`."""
        session = Session(self)
        if path is not None:
            session.load(path)
        return session

    def _prompt(self, prompt: Any) -> tuple[bytes | None, Any]:
        """(text, None) or (None, ids)"""
        if isinstance(prompt, str):
            return _text("prompt", prompt).encode("utf-8"), None
        if isinstance(prompt, Sequence) and len(prompt) > 0 and isinstance(prompt[0], Mapping):
            return None, _ids(self.chat_ids(prompt))
        return None, _ids(prompt, "prompt", "a text, messages, or integers, one after the other")


class Session:
    """One sequence of tokens with the keys and values that a model made of them. Model.session() makes one."""

    def __init__(self, model: Model, core: Any = None) -> None:
        if not isinstance(model, Model):
            raise TypeError(f"model is {model!r}; it must be a Model")
        self._model = model
        self._core = core if core is not None else _core.Session(model._core)

    def __len__(self) -> int:
        return self._core.length()

    def __bool__(self) -> bool:
        return True  # also without tokens, so that `session or ...` means None

    @property
    def ids(self) -> list[int]:
        """All tokens so far."""
        return self._core.ids()

    def prefill(self, ids: Ids) -> Floats:
        """Appends tokens, at least one, and returns the logits [vocab_size] after the last. The same bits whole or in pieces.
        An exception, KeyboardInterrupt among them, leaves the session as it was."""
        import numpy

        array = _ids(ids)
        if len(array) == 0:
            raise ValueError("ids is empty; there must be a token for the logits after it")
        last = numpy.empty(self._model._info["vocab_size"], numpy.float32)
        self._core.append(array, None, last)
        return last

    def decode(self, id: int) -> Floats:
        """Appends one token and returns the logits after it."""
        return self.prefill([_options.integer("id", id, 0, self._model._info["vocab_size"] - 1, "")])

    def fork(self) -> Session:
        """A session with the same tokens; keys and values are shared until one of the two goes on."""
        return Session(self._model, self._core.fork())

    def rollback(self, length: int) -> None:
        """Forgets all but the first `length` tokens."""
        self._core.rollback(_count("length", length))

    def save(self, path: Path) -> None:
        """Writes the tokens with their keys and values to a file with a checksum."""
        self._core.save(_path(path))

    def load(self, path: Path) -> None:
        """Becomes what save() wrote, by the same model with the same kv_dtype and arithmetic. Where the ISA level may be another,
        name a kv_dtype: None depends on it."""
        self._core.load(_path(path))


def _pieces(generation: Any) -> Iterator[str]:
    while True:
        id, text = generation.next()
        if text:
            yield text.decode("utf-8", "replace")
        if id < 0:
            return


def _choice(name: str, value: Any, values: dict[str, int]) -> int:
    if not isinstance(value, (str, type(None))) or value not in values:
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} is {value!r}; it must be one of {', '.join(map(str, values))}")
    return values[value]


def _count(name: str, value: Any, most: int = 2**63 - 1) -> int:
    return _options.integer(name, value, 0, most, "")


def _text(name: str, value: Any) -> str:
    if b"\0" in _utf8(name, value):
        raise ValueError(f"{name} has a NUL in it")
    return value


def _utf8(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}; it must be a text")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:  # a lone surrogate
        error.reason += f", in {name}"
        raise


def _path(path: Any) -> bytes:
    try:
        encoded = os.fsencode(path)
    except TypeError:
        raise TypeError(f"path is {path!r}; it must be a text, bytes or an os.PathLike") from None
    if b"\0" in encoded:
        raise ValueError("path has a NUL in it")
    return encoded


def _ids(ids: Any, name: str = "ids", what: str = "integers, one after the other") -> Any:
    """Any list or array of integers as int32. A copy: the caller's may change once the GIL is released, after the ids were checked."""
    import numpy

    _arrays.refuse_masked(name, ids, "an array without one")
    try:
        array = numpy.asarray(ids)
    except ValueError:  # lists of several lengths
        raise TypeError(f"{name} must be {what}") from None
    if array.ndim != 1 or (array.size > 0 and array.dtype.kind not in "iu"):
        if (wide := _arrays.wide_integer(ids, 1)) is not None:
            raise ValueError(f"{name} must be from 0 to 2^31 - 1, but there is {wide}")
        raise TypeError(f"{name} must be {what}")
    if array.size > 0 and not (0 <= array.min() and array.max() < 2**31):
        raise ValueError(f"{name} must be from 0 to 2^31 - 1, but there is {array.min() if array.min() < 0 else array.max()}")
    return numpy.array(array, numpy.int32, order="C")
