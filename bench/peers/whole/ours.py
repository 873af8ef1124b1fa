"""rapt.Model on the same files. Layer: bench/peers/whole."""

from __future__ import annotations

from functools import partial
from typing import Any

from . import files
from .job import Doer, Job, Skip, Task, remember, token_ids
from .texts import texts_of


def load(job: Job, threads: int, arithmetic: str) -> Any:
    import rapt

    if not hasattr(rapt, "Model"):
        raise Skip("this build of rapt's package has no rapt.Model")
    path = {"smollm2": files.smollm2, "minilm": files.minilm, "gpt2": files.gpt2}[job.model]()
    try:
        return rapt.Model(str(path), threads=threads, arithmetic=arithmetic)
    except NotImplementedError as error:
        raise Skip(str(error)) from None


def make(job: Job, threads: int, arithmetic: str = "int8") -> Task:
    model = load(job, threads, arithmetic)
    if job.kind == "embed":
        texts = texts_of(job)
        return remember(lambda: model.embed(texts))
    session = model.session()
    if job.kind == "prompt":
        ids = token_ids(job.tokens)
        return remember(lambda: (session.rollback(0), session.prefill(ids))[1])
    past = token_ids(job.depth)
    if past:
        session.prefill(past)
    return remember(lambda: generate(session, job))


def generate(session: Any, job: Job) -> Any:
    logits = None
    for token in token_ids(job.tokens, seed=2):
        logits = session.decode(token)
    session.rollback(job.depth)
    return logits


def version() -> str:
    import rapt

    return rapt.__version__


OURS = Doer("rapt", [], ["smollm2", "minilm", "gpt2"], version, make, "with_rapt.py")
OURS_BF16 = Doer("rapt-bf16", [], ["smollm2", "minilm", "gpt2"], version, partial(make, arithmetic="bfloat16"), bf16=True)
