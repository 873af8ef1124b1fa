"""rapt.Model on the same files. Layer: bench/peers/whole."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

from . import files
from .job import Doer, Job, Skip, token_ids


def load(job: Job, threads: int, arithmetic: str) -> Any:
    import rapt

    if not hasattr(rapt, "Model"):
        raise Skip("this build of rapt's package has no rapt.Model")
    path = {"smollm2": files.smollm2, "minilm": files.minilm, "gpt2": files.gpt2}[job.model]()
    try:
        return rapt.Model(str(path), threads=threads, arithmetic=arithmetic)
    except NotImplementedError as error:
        raise Skip(str(error)) from None


def make(job: Job, threads: int, arithmetic: str = "int8") -> Callable[[], object]:
    model = load(job, threads, arithmetic)
    if job.kind == "embed":
        texts = texts_of(job)
        return lambda: model.embed(texts)
    session = model.session()
    if job.kind == "prompt":
        ids = token_ids(job.tokens)
        return lambda: (session.rollback(0), session.prefill(ids))
    past = token_ids(job.depth)
    if past:
        session.prefill(past)
    return lambda: generate(session, job)


def generate(session: Any, job: Job) -> None:
    for token in token_ids(job.tokens, seed=2):
        session.decode(token)
    session.rollback(job.depth)


def texts_of(job: Job) -> list[str]:
    """Texts of as many tokens as the job says, two of which are the special ones around each text."""
    words = whole_words()
    length = job.tokens // job.rows
    return [" ".join(words[i % len(words)] for i in token_ids(length - 2, len(words), seed=row)) for row in range(job.rows)]


def whole_words() -> list[str]:
    """Words that are one token each in MiniLM's vocabulary."""
    lines = (files.minilm() / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return [word for word in lines[2000:12000] if word.isascii() and word.isalpha()]


def version() -> str:
    import rapt

    return rapt.__version__


OURS = Doer("rapt", [], ["smollm2", "minilm", "gpt2"], version, make, "with_rapt.py")
OURS_BF16 = Doer("rapt-bf16", [], ["smollm2", "minilm", "gpt2"], version, partial(make, arithmetic="bfloat16"))
