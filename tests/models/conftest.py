"""Where the models are: what `rapt fetch` has put into the cache."""

import os
import pathlib

import pytest

import rapt


def _fetched(name):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "rapt" / name
    assert cache.exists(), f"`rapt fetch {name}` gets the model that this test needs"
    return cache


def load_bf16(path):
    """The model in bf16, or a skip that says what is missing."""
    try:
        return rapt.Model(path, arithmetic="bfloat16")
    except NotImplementedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def smollm2():
    return _fetched("smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def minilm():
    return _fetched("minilm")
