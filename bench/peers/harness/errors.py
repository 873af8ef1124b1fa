"""Errors that end a comparison with one line. Layer: bench/peers/harness."""

from __future__ import annotations

import argparse
import os
from typing import NoReturn


class BadInput(Exception):
    """One line that says what is right; the program exits with 2."""


class Failure(Exception):
    """One line that says what went wrong; the program exits with 1."""


class Parser(argparse.ArgumentParser):
    """Without the usage before an error: the line says what is right."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(message)


def choice_list(option: str, text: str, choices: list[str]) -> list[str]:
    """A comma-separated list of some of `choices`, each once, in the order given."""
    chosen = list(dict.fromkeys(text.split(",")))
    for name in chosen:
        if name not in choices:
            raise BadInput(f"{option}={text}: '{name}' is none of {', '.join(choices)}")
    return chosen


def thread_list(text: str) -> list[int]:
    """--threads: no more than the CPUs that this process may use, to which each row is bound."""
    return number_list("--threads", text, 1, len(os.sched_getaffinity(0)))


def number_list(option: str, text: str, least: int, most: int) -> list[int]:
    """A comma-separated list of integers from `least` to `most`."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [least - 1]
    if not all(least <= number <= most for number in numbers):
        raise BadInput(f"{option}={text}; it must be numbers from {least} to {most}, as in {option}=1,2")
    return list(dict.fromkeys(numbers))
