"""Calls that are prepared once and made many times."""

from __future__ import annotations

from . import _arrays, _core
from ._hints import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from . import _arguments


class Prepared:
    """What prepare() returns: calling it computes, and returns what attention() would."""

    __slots__ = ("_increment", "_results", "_run", "_written")

    def __init__(self, call: _arguments.Call) -> None:
        self._run = _core.PreparedAttention(call.arguments, *call.runtime)
        self._increment, self._written = _arrays.versioned(call.library, call.results)
        self._results = call.results[0] if len(call.results) == 1 else tuple(call.results)

    def __call__(self) -> Any:
        self._run()
        for tensor in self._written:
            self._increment(tensor)
        return self._results
