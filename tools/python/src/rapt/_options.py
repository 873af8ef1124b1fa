"""Arguments that are no arrays: numbers and names, checked. Layer: below _arguments.py."""

from __future__ import annotations

import math
import numbers
import operator

from . import _core
from ._hints import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

# rapt_causal of rapt.h, by name. False and True are looked up by identity, so that 0 and 1 are not taken for them.
_CAUSAL = {"top_left": 1, "bottom_right": 2}
_KV_LAYOUTS = ("rows", "panels")  # rapt_kv_layout
NO_WINDOW = (-1, -1)  # the default of attention(), known by identity


def real(name: str, value: Any, otherwise: str) -> float:
    """`otherwise` ends the text of an error: ", or None for ..."."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; it must be a number{otherwise}")
    try:
        number = float(value)
    except OverflowError:  # an int that no double holds
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}; it must be finite")
    return number


def positive(name: str, value: Any, otherwise: str) -> float:
    value = real(name, value, otherwise)
    if value <= 0:
        raise ValueError(f"{name} is {value:g}; it must be positive{otherwise}")
    return value


def integer(name: str, value: Any, least: int, most: int, otherwise: str) -> int:
    """`otherwise` as in real()."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; it must be an integer{otherwise}")
    if not least <= number <= most:
        raise ValueError(f"{name} is {number}; it must be at {f'least {least}' if number < least else f'most {most}'}{otherwise}")
    return number


def causal(value: Any) -> int:
    if value is False:
        return 0
    if value is True:
        return _CAUSAL["bottom_right"]
    allowed = "False, True, 'top_left' or 'bottom_right'"
    if not isinstance(value, str):
        raise TypeError(f"causal is {value!r}; it must be {allowed}")
    if value not in _CAUSAL:
        raise ValueError(f"causal is {value!r}; it must be {allowed}")
    return _CAUSAL[value]


def kv_layout(value: Any) -> int:
    if not isinstance(value, str) or value not in _KV_LAYOUTS:
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"kv_layout is {value!r}; it must be 'rows' or 'panels'")
    return _KV_LAYOUTS.index(value)


def window(value: Any) -> tuple[int, int]:
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"window is {value!r}; it must be a pair (left, right) of numbers of keys, -1 for no limit")
    if len(value) != 2:
        raise ValueError(f"window has {len(value)} elements; it must be a pair (left, right)")
    left, right = (integer(f"window[{i}]", n, -1, 2**63 - 1, ", -1 meaning no limit") for i, n in enumerate(value))
    return left, right


def block_mask(value: Any) -> tuple[Any, int, int]:
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"block_mask is a {type(value).__name__}; it must be a triple (array, block_q, block_kv)")
    if len(value) != 3:
        raise ValueError(f"block_mask has {len(value)} elements; it must be a triple (array, block_q, block_kv)")
    array, block_q, block_kv = value
    return (array, integer("block_mask's block_q", block_q, 1, 2**63 - 1, ""),
            integer("block_mask's block_kv", block_kv, 1, 2**63 - 1, ""))


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; it must be False or True")
    return value


def _is_c_string(value: str) -> bool:
    try:
        return b"\0" not in value.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate
        return False


def runtime(backend: Any, isa: Any, threads: Any) -> tuple[str, str | None, int]:
    """What a context is made from; 0 threads: as many as the process may use."""
    if backend is None:
        backend = "rapt"
    if not isinstance(backend, str):
        raise TypeError(f"backend is {backend!r}; it must be a name such as 'rapt', or None for that one")
    if isa is not None and not isinstance(isa, str):
        raise TypeError(f"isa is {isa!r}; it must be a name such as 'avx2', or None for the best that the CPU has")
    for name, value in (("backend", backend), ("isa", isa)):
        if value is not None and not _is_c_string(value):
            raise ValueError(f"{name} is {value!r}; a name has no NUL and no lone surrogate in it")
    if threads is None:
        return backend, isa, 0
    return backend, isa, integer("threads", threads, 1, _core.MAX_THREADS, ", or None for as many as the process may use")
