"""What a job on a whole model is, and what does it. Layer: bench/peers/whole."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple


class Job(NamedTuple):
    name: str
    model: str  # smollm2, minilm or gpt2
    kind: str  # prompt, generate, embed or start
    tokens: int  # that one timed call works on: rows * length of a prompt or of texts, or generated ones; start: the one that it ends with
    depth: int = 0  # generate: tokens in the cache before
    rows: int = 1  # embed: texts


JOBS = [
    Job("smollm2/prompt:512", "smollm2", "prompt", 512),
    Job("smollm2/generate/depth:0", "smollm2", "generate", 64, depth=0),
    Job("smollm2/generate/depth:4096", "smollm2", "generate", 64, depth=4096),
    Job("smollm2/start", "smollm2", "start", 1),
    Job("minilm/1x16", "minilm", "embed", 16),
    Job("minilm/1x128", "minilm", "embed", 128),
    Job("minilm/32x128", "minilm", "embed", 32 * 128, rows=32),
    Job("minilm/1x256", "minilm", "embed", 256),  # the longest that it takes
    Job("gpt2/prompt:512", "gpt2", "prompt", 512),
    Job("gpt2/generate/depth:0", "gpt2", "generate", 32, depth=0),
]


class Skip(Exception):
    """Why somebody cannot do a job, in a few words."""


class Task(NamedTuple):
    """A job made ready: what is timed, and what it found, which is not."""

    run: Callable[[], object]
    result: Callable[[], Any]  # of the last run, NumPy: the logits [vocabulary] after the last token, or the vectors [rows, dim], of length 1


def remember(call: Callable[[], Any], understood: Callable[[Any], Any] = lambda found: found) -> Task:
    """Keeps what the last call returned; `understood` makes the result of it."""
    last: list[Any] = [None]

    def run() -> None:
        last[0] = call()

    return Task(run, lambda: understood(last[0]))


class Doer(NamedTuple):
    """One project, perhaps in one of its modes."""

    name: str
    requirements: list[str]
    models: list[str]
    version: Callable[[], str]
    make: Callable[[Job, int], Task]  # for a number of threads. Raises Skip
    first_token: str | None = None  # the program in starts/ that does jobs of kind start; None: none does
    bf16: bool = False  # rounds weights and inputs of layers to it


def takes(doer: Doer, job: Job) -> bool:
    return job.model in doer.models and (job.kind != "start" or doer.first_token is not None)


def token_ids(count: int, vocabulary: int = 40000, seed: int = 1) -> list[int]:
    """Ids of ordinary tokens, the same for everybody who writes text; SmolLM2 and GPT-2 have more than 40000."""
    return [1000 % vocabulary + (i * 7919 + seed * 31) % (vocabulary - 1000 % vocabulary) for i in range(count)]
