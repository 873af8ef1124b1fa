"""Fixtures and parameter lists shared by the tests: every ISA level and backend that can run here is tested."""

import numpy as np
import pytest

import rapt


def _runnable(entries):
    """A pytest parameter for every entry of info(); those that cannot run here are skipped with the library's reason."""
    return [
        pytest.param(e["name"], marks=[] if e["available"] else pytest.mark.skip(reason=str(e["why_not"]))) for e in entries
    ]


def pytest_generate_tests(metafunc):
    info = rapt.info()
    if "isa" in metafunc.fixturenames:
        metafunc.parametrize("isa", _runnable(info["isa_levels"]))
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", _runnable(info["backends"]))


@pytest.fixture
def rng():
    return np.random.RandomState(2026)
