"""rapt: exact attention on a CPU, for NumPy arrays and PyTorch CPU tensors.

    import numpy as np, rapt
    q = np.random.standard_normal((1, 8, 128, 64), dtype=np.float32)    # [batch, heads, length, head_dim]
    k, v = np.random.standard_normal((2, 1, 2, 128, 64), dtype=np.float32)     # 2 key and value heads for 8 query heads
    out = rapt.attention(q, k, v, causal=True)

    attention(q, k, v)     softmax(mask(scale * q k')) v
    explain(q, k, v)       what attention would do, in one line
    info()                 the CPU, its ISA levels, threads and the backends
"""

from __future__ import annotations

import math
import numbers
import operator
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from . import _arrays, _core
from ._core import __version__

if TYPE_CHECKING:
    import numpy
    import torch

    Array = TypeVar("Array", numpy.ndarray[Any, Any], torch.Tensor)
else:
    Array = TypeVar("Array")

Causal = Literal[False, True, "top_left", "bottom_right"]

__all__ = ["__version__", "attention", "explain", "info"]

# rapt_causal of rapt.h. The strings' names; False and True are looked up by identity, so that 0 and 1 are not taken for them.
_CAUSAL = {"top_left": 1, "bottom_right": 2}


@overload
def attention(
    q: Array, k: Array, v: Array, *, scale: float | None = None, causal: Causal = False, out: Array | None = None,
    return_lse: Literal[False] = False, backend: str = "rapt", isa: str | None = None, threads: int | None = None,
) -> Array: ...
@overload
def attention(
    q: Array, k: Array, v: Array, *, scale: float | None = None, causal: Causal = False, out: Array | None = None,
    return_lse: Literal[True], backend: str = "rapt", isa: str | None = None, threads: int | None = None,
) -> tuple[Array, Array]: ...
def attention(
    q, k, v, *, scale=None, causal=False, out=None, return_lse=False, backend="rapt", isa=None, threads=None
):
    """Attention: softmax(mask(scale * q k')) v, for every batch and head.

    Arrays are float32 numpy.ndarray or torch.Tensor on the CPU, all of one kind, and the result is of that kind. Nothing
    is copied: any strides will do (transposed heads, slices, reversed or repeated axes) as long as the last dimension
    is contiguous. Inputs may be read-only.

    Args:
        q: queries [batch, num_q_heads, q_len, head_dim].
        k: keys [batch, num_kv_heads, kv_len, head_dim]; num_q_heads is a multiple of num_kv_heads, and query head h
            reads key and value head h // (num_q_heads // num_kv_heads).
        v: values [batch, num_kv_heads, kv_len, head_dim_v].
        scale: factor of the scores, a finite number without unit; None means 1 / sqrt(head_dim).
        causal: which keys a query sees. False: all. "top_left": query i sees keys j <= i. "bottom_right" or True:
            j <= i + kv_len - q_len, as with a KV cache whose last q_len positions are the queries.
        out: where the result goes, [batch, num_q_heads, q_len, head_dim_v]; it must not overlap an input or itself.
            None: a new array.
        return_lse: also return the log-sum-exp of every row of scores, in nats.
        backend: "rapt" (the kernels), "reference" (double precision, slow) or "onednn"; see info().
        isa: "scalar", "avx2", "avx512": the instructions the kernels may use. None: the best that this CPU has, or the
            level named by the environment's RAPT_ISA when the calling thread made its first call.
        threads: how many threads work on the call. None: as many as the process may use (see info()). The same bits
            come out for any number.

    Returns:
        The result [batch, num_q_heads, q_len, head_dim_v], `out` itself if it was given. With return_lse a pair of it
        and the log-sum-exp [batch, num_q_heads, q_len]. A row that sees no key is 0 and its log-sum-exp -inf.

    Raises:
        ValueError: shapes that disagree, a last dimension that is not contiguous, an overlap, an unknown name.
        TypeError: not an array of NumPy or PyTorch, mixed kinds, another dtype or device than float32 on the CPU.
        NotImplementedError: an ISA level that this CPU lacks, a backend that this build lacks, a tensor that requires
            grad while gradients are recorded: rapt computes none.
        MemoryError: no memory for the result or the workspace.

    The GIL is released while it computes, and threads of a program may call at the same time.
    """
    library = _arrays.library_of("q", q)
    q, k, v = _check_inputs(library, q, k, v)
    options = _check_options(scale, causal, backend, isa, threads)
    if not isinstance(return_lse, bool):
        raise TypeError(f"return_lse is {return_lse!r}; it must be False or True")
    target = out
    if out is None:
        out = target = library.empty((*q.shape[:3], v.shape[3]), dtype=library.float32)
    else:
        target = _arrays.check_array(library, "out", out)
        _arrays.check_writable(library, "out", target)
        _arrays.check_contiguous_rows(library, "out", target)
    lse = library.empty(tuple(q.shape[:3]), dtype=library.float32) if return_lse else None
    _core.attention(q, k, v, target, lse, *options)
    return (out, lse) if return_lse else out


def explain(
    q: Array, k: Array, v: Array, *, scale: float | None = None, causal: Causal = False,
    backend: str = "rapt", isa: str | None = None, threads: int | None = None,
) -> str:
    """What attention() would do with these arguments, as one line: kernel, ISA level, blocks, splits, workspace.

    Arguments and errors are those of attention(). The elements of the arrays are not read.
    """
    library = _arrays.library_of("q", q)
    q, k, v = _check_inputs(library, q, k, v)
    return _core.explain(q, k, v, *_check_options(scale, causal, backend, isa, threads))


def info() -> dict[str, Any]:
    """What this build and this machine have.

    version: of rapt. cpu: brand string. isa_levels: from the lowest to the highest, each with name, available and
    why_not (None or a text). best_isa, chosen_isa: the highest that the CPU has, and that or a lower one by RAPT_ISA.
    logical_cpus: online. num_threads and threads_reason: what threads=None means, and which limit decided it.
    l1d_bytes, l2_bytes (of one core), l3_bytes: caches, 0 where unknown. openmp: its version, or "none". backends:
    each with name, available, why_not and version.
    """
    return _core.info()


def _check_inputs(library: Any, q: Any, k: Any, v: Any) -> list[Any]:
    checked = []
    for name, array in (("q", q), ("k", k), ("v", v)):
        array = _arrays.check_array(library, name, array)
        _arrays.check_contiguous_rows(library, name, array)
        checked.append(array)
    return checked


def _check_options(
    scale: Any, causal: Any, backend: Any, isa: Any, threads: Any
) -> tuple[float | None, int, str, str | None, int]:
    if scale is not None:
        if not isinstance(scale, numbers.Real) or isinstance(scale, bool):
            raise TypeError(f"scale is {scale!r}; it must be a number, or None for 1 / sqrt(head_dim)")
        scale = float(scale)
        if not math.isfinite(scale):
            raise ValueError(f"scale is {scale}; it must be finite")
    if not isinstance(backend, str):
        raise TypeError(f"backend is {backend!r}; it must be a name such as 'rapt'")
    if isa is not None and not isinstance(isa, str):
        raise TypeError(f"isa is {isa!r}; it must be a name such as 'avx2', or None for the best that the CPU has")
    return scale, _check_causal(causal), backend, isa, _check_threads(threads)


def _check_causal(causal: Any) -> int:
    if causal is False:
        return 0
    if causal is True:
        return _CAUSAL["bottom_right"]
    allowed = "False, True, 'top_left' or 'bottom_right'"
    if not isinstance(causal, str):
        raise TypeError(f"causal is {causal!r}; it must be {allowed}")
    if causal not in _CAUSAL:
        raise ValueError(f"causal is {causal!r}; it must be {allowed}")
    return _CAUSAL[causal]


def _check_threads(threads: Any) -> int:
    if threads is None:
        return 0
    try:
        count = operator.index(threads)
    except TypeError:
        count = None
    if count is None or isinstance(threads, bool):
        raise TypeError(f"threads is {threads!r}; it must be an integer, or None for as many as the process may use")
    if not 1 <= count < 2**31:
        raise ValueError(f"threads is {count}; it must be at least 1, or None for as many as the process may use")
    return count
