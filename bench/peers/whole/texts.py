"""The texts of the jobs of kind embed, as text for who takes text, and as the ids of its tokens. Layer: bench/peers/whole."""

from __future__ import annotations

from . import files
from .job import Job, token_ids


def vocabulary() -> list[str]:
    return (files.minilm() / "vocab.txt").read_text(encoding="utf-8").split("\n")


def whole_words(lines: list[str]) -> list[str]:
    """Words that are one token each in MiniLM's vocabulary."""
    return [word for word in lines[2000:12000] if word.isascii() and word.isalpha()]


def words_of(job: Job, words: list[str]) -> list[list[str]]:
    """As many as the job says, less two of each text for the special ones around it."""
    length = job.tokens // job.rows
    return [[words[i] for i in token_ids(length - 2, len(words), seed=row)] for row in range(job.rows)]


def texts_of(job: Job) -> list[str]:
    return [" ".join(text) for text in words_of(job, whole_words(vocabulary()))]


def ids_of(job: Job) -> list[list[int]]:
    """[rows, length]"""
    lines = vocabulary()
    id_of = {word: number for number, word in enumerate(lines)}
    return [[id_of[word] for word in ("[CLS]", *text, "[SEP]")] for text in words_of(job, whole_words(lines))]
