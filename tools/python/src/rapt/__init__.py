"""rapt: exact attention on a CPU, for NumPy arrays and PyTorch CPU tensors, and models that write text and read it.

    import numpy as np, rapt
    q = np.random.standard_normal((1, 8, 128, 64), dtype=np.float32)    # [batch, heads, length, head_dim]
    k, v = np.random.standard_normal((2, 1, 2, 128, 64), dtype=np.float32)     # 2 key and value heads for 8 query heads
    out = rapt.attention(q, k, v, causal=True)

    attention(q, k, v)     softmax(mask(bias(softcap(scale * q k')))) v
    prepare(q, k, v)       the same call, looked at once and made many times
    kv_append(k, v, ...)   writes new tokens into a paged cache
    merge(a, lse_a, ...)   one attention over the keys of two
    explain(q, k, v)       what attention would do, in one line
    workspace_size(q, k, v)   the bytes of memory that it would take
    info()                 the CPU, its ISA levels, threads and the backends
    Model(path)            a model that writes text or makes vectors of it: tokenize, generate, logits, embed, session
"""

from __future__ import annotations

from . import _arguments, _arrays, _core
from ._core import __version__
from ._hints import TYPE_CHECKING
from ._model import Model, Session
from ._options import NO_WINDOW as _NO_WINDOW
from ._paging import kv_append, merge
from ._prepared import Prepared

if TYPE_CHECKING:
    from typing import Any, Literal, overload

    from typing_extensions import Unpack

    from ._types import AllOptions, Array, Options
else:

    def overload(function):
        return function

__all__ = ["Model", "Session", "__version__", "attention", "explain", "info", "kv_append", "merge", "prepare", "workspace_size"]


@overload
def attention(
    q: Array, k: Array, v: Array, *,
    return_lse: Literal[False] = False, return_weights: Literal[False] = False, **options: Unpack[Options[Array]],
) -> Array: ...
@overload
def attention(
    q: Array, k: Array, v: Array, *,
    return_lse: Literal[True], return_weights: Literal[False] = False, **options: Unpack[Options[Array]],
) -> tuple[Array, Array]: ...
@overload
def attention(
    q: Array, k: Array, v: Array, *,
    return_lse: Literal[False] = False, return_weights: Literal[True], **options: Unpack[Options[Array]],
) -> tuple[Array, Array]: ...
@overload
def attention(
    q: Array, k: Array, v: Array, *,
    return_lse: Literal[True], return_weights: Literal[True], **options: Unpack[Options[Array]],
) -> tuple[Array, Array, Array]: ...
@overload
def attention(q: Array, k: Array, v: Array, **options: Unpack[AllOptions[Array]]) -> tuple[Array, ...]: ...
def attention(
    q, k, v, *, scale=None, causal=False, window=_NO_WINDOW, mask=None, bias=None, alibi_slopes=None, softcap=None, sinks=None,
    kv_lengths=None, q_offsets=None, prefix_lengths=None, cu_seqlens_q=None, cu_seqlens_k=None, block_mask=None,
    q_documents=None, k_documents=None, tree_mask=None, block_table=None, kv_layout="rows", k_scale=None, v_scale=None,
    out=None, return_lse=False, return_weights=False, weight_heads=None, weight_rows=None, return_column_sums=False,
    return_entropy=False, return_max_score=False, backend="rapt", isa=None, threads=None
):
    """Attention: softmax(mask(bias(softcap(scale * q k')))) v, for every batch and head.

    Arrays are numpy.ndarray or torch.Tensor on the CPU, all of one kind, and the results are of that kind. q, k, v, mask,
    bias, the scales and out are not copied: any strides will do (transposed heads, slices, reversed or repeated axes) as
    long as the last dimension is contiguous. Inputs may be read-only. Element types are float32, bfloat16 (torch.bfloat16,
    ml_dtypes.bfloat16) and float16, chosen for each array on its own; the arithmetic is float32 (see isa). Lengths, offsets, documents,
    tables, slopes and sinks are small and may be lists or arrays of any integer or real type; one dimension fewer than
    said is repeated.

    Every query has a position: query i of a sequence stands at p = q_offset + i, key j at j. Without q_offsets and unless
    causal is "top_left", the queries are the last ones: p = i + kv_length - q_len. All masks given hold together.

    Args:
        q: queries [batch, num_q_heads, q_len, head_dim].
        k: keys [batch, num_kv_heads, kv_len, head_dim]; num_q_heads is a multiple of num_kv_heads, and query head h
            reads key and value head h // (num_q_heads // num_kv_heads). Also int8, with k_scale.
        v: values [batch, num_kv_heads, kv_len, head_dim_v]. Also int8, with v_scale.
        scale: factor of the scores, a finite number without unit; None means 1 / sqrt(head_dim).
        causal: which keys a query sees. False: all. "top_left": query i sees keys j <= i. "bottom_right" or True:
            j <= i + kv_len - q_len, as with a KV cache whose last q_len positions are the queries. With q_offsets both
            mean j <= p.
        window: (left, right): a query sees the keys p - left to p + right; -1 is no limit.
        mask: [batch, num_q_heads, q_len, kv_len], bool (true: attend) or a float that is added to the scores, where -inf
            hides. Extents of 1, but the last, and dimensions missing on the left are repeated.
        bias: as an additive mask; for relative positions (T5, Swin).
        alibi_slopes: [num_q_heads]: a score becomes s - slope * |p - j|.
        softcap: a positive number: a score becomes softcap * tanh(s / softcap). None: none.
        sinks: [num_q_heads]: a logit for each head that takes weight and has no value. It counts in the log-sum-exp.
        kv_lengths: [batch]: how many keys are in use; None: all. Keys beyond are never read.
        q_offsets: [batch]: position of query 0.
        prefix_lengths: [batch]: keys below it are visible to every query (prefix LM); not with window's left.
        cu_seqlens_q, cu_seqlens_k: [sequences + 1], from 0: a ragged batch. q is [1, num_q_heads, total, head_dim], and
            sequence n has the queries cu_seqlens_q[n] to cu_seqlens_q[n + 1] - 1, and keys likewise. What is [batch] above
            is then [sequences]; mask, bias, documents, trees, tables and return_weights are not possible. Queries behind
            the last sequence see no key; their rows of an `out` that was given stay as they are.
        block_mask: (array, block_q, block_kv): array is [batch, num_q_heads, ceil(q_len / block_q),
            ceil(kv_len / block_kv)] bool, true: attend; hidden blocks cost nothing. Repeated as mask.
        q_documents, k_documents: [batch, q_len] and [batch, kv_len] integers: a query sees the keys of its own document.
        tree_mask: [batch, q_len, q_len] bool, for speculative decoding: whether query i sees key kv_length - q_len + j;
            earlier keys are visible.
        block_table: [batch, pages] integers: k, v and the scales are pages, [num_pages, num_kv_heads, page_size, dim], and
            key j of batch b lies in page block_table[b, j // page_size]. Needs kv_lengths, and kv_len is the largest of them.
        kv_layout: how the keys lie in their pages: "rows" as said, or "panels", as kv_append(kv_layout="panels") of the same
            ISA level wrote them: what the kernels read without transposing.
        k_scale, v_scale: [batch, num_kv_heads, kv_len] float32, a factor for each token and head: k is k_scale * stored.
        out: where the result goes, [batch, num_q_heads, q_len, head_dim_v]; it must not overlap an input or itself.
            None: a new array of q's element type.
        return_lse: also return the log-sum-exp of every row of scores, in nats: [batch, num_q_heads, q_len].
        return_weights: also return the softmax itself, [batch, num_q_heads, q_len, kv_len]; a second look at the keys, and the
            one thing here whose size is q_len times kv_len.
        weight_heads, weight_rows: the query heads and the queries whose weights return_weights returns, integers in any
            order; None: all. The weights are then [batch, heads chosen, rows chosen, kv_len].
        return_column_sums: also return the sum of the weights that each key got, for cache eviction:
            [batch, num_q_heads, kv_len].
        return_entropy: also return the entropy of every row's weights, -sum(p log p) in nats: [batch, num_q_heads, q_len].
        return_max_score: also return the largest score of every row: [batch, num_q_heads, q_len]. Weights, column sums,
            entropy and largest score together cost one second look at the keys.
        backend: "rapt" (the kernels; so does None), "reference" (double precision, slow) or "onednn"; see info().
        isa: "scalar", "avx2", "avx512", "avx512_intel", "avx512_vnni", "avx512_bf16" or "amx_bf16": the instructions the kernels may
            use; "amx_bf16", and "avx512_bf16" on other CPUs than Intel's, multiply bf16 q, k and v as they are. None: the best that this CPU has, or the level named by the environment's RAPT_ISA when the calling thread made its first call.
        threads: how many threads work on the call. None: as many as the process may use (see info()). The same bits
            come out for any number. OpenMP's threads spin while they wait for one another; where other programs want the
            CPUs too, start Python with OMP_WAIT_POLICY=passive in its environment.

    Returns:
        The result [batch, num_q_heads, q_len, head_dim_v], `out` itself if it was given. With any return_... a tuple: the
        result, then what was asked for, in the order of the arguments above, in float32. A row that sees no key is 0, its
        log-sum-exp and largest score -inf, its weights and entropy 0.

    Raises:
        ValueError: shapes that disagree, a last dimension that is not contiguous, an overlap, an unknown name, arguments
            that exclude each other.
        TypeError: not an array of NumPy or PyTorch, mixed kinds, an element type or a device that is not supported.
        NotImplementedError: an ISA level that this CPU lacks, a backend that this build lacks or that cannot do the call,
            a tensor that requires grad while gradients are recorded: rapt computes none.
        MemoryError: no memory for the result or the workspace.

    The GIL is released while it computes, and threads of a program may call at the same time. Ctrl-C is seen only when the call has ended.
    """
    call = _arguments.Call(locals(), allocate=True)
    _core.attention(call.arguments, *call.runtime)
    if out is not None:
        _arrays.mark_written(call.library, out)
    return call.results[0] if len(call.results) == 1 else tuple(call.results)


def prepare(q: Array, k: Array, v: Array, **options: Unpack[AllOptions[Array]]) -> Prepared:
    """attention() of these arrays as an object to be called again and again, each time over what the arrays then hold.

    Arguments and errors are those of attention(), whose looking at them costs some 5 microseconds; a prepared call costs a
    tenth of that. Results are allocated once, and every call writes them anew. The arrays are kept alive, but their memory must stay
    where it is and as large: while a call is prepared nobody may resize it (storage.resize_ and tensor.set_ of PyTorch, numpy's
    resize(refcheck=False)).

    Every call reads anew: q, k, v, mask, bias, block_mask and the scales; and of the small arguments the arrays that are contiguous
    and of the type in which they are read: int64 lengths, offsets, cu_seqlens, weight_heads and weight_rows, int32 tables and
    documents, float32 slopes and sinks. Copied when the call is prepared, and the same ever after: lists, arrays of other types, with
    gaps or repeated, and a tree_mask. With a block_table the extent of keys is the largest of kv_lengths: where that changes, what was
    prepared with a mask, bias, block_mask, documents or results over keys raises ValueError. Arrays of integers, which say where to read, must not
    change while a call runs.

        call = rapt.prepare(q, k, v, out=out, causal=True)
        call()                     # writes out, and returns it
    """
    call = _arguments.Call({"q": q, "k": k, "v": v, **_all_options("prepare", options)}, allocate=True, shared=True)
    return Prepared(call)


def explain(q: Array, k: Array, v: Array, **options: Unpack[AllOptions[Array]]) -> str:
    """What attention() would do with these arguments, as one line: kernel, ISA level, blocks, splits, workspace.

    Arguments and errors are those of attention(). The elements of tensors are not read, and no result is allocated.
    """
    call = _described("explain", {"q": q, "k": k, "v": v}, options)
    return _core.explain(call.arguments, *call.runtime)


def workspace_size(q: Array, k: Array, v: Array, **options: Unpack[AllOptions[Array]]) -> int:
    """The bytes of memory that attention() would take beyond its arrays, all threads together.

    Arguments and errors are those of attention(). The elements of tensors are not read, and no result is allocated. The
    memory is kept for the next call of the thread.
    """
    call = _described("workspace_size", {"q": q, "k": k, "v": v}, options)
    return _core.workspace_size(call.arguments, *call.runtime)


def _described(function: str, inputs: dict[str, Any], options: Any) -> _arguments.Call:
    """The call of attention() with these arguments, without results."""
    return _arguments.Call({**inputs, **_all_options(function, options)}, allocate=False)


def _all_options(function: str, options: Any) -> dict[str, Any]:
    """attention()'s keyword arguments: `options`, and the defaults of the others."""
    defaults = attention.__kwdefaults__ or {}
    for name in options:
        if name not in defaults:
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}'")
    return {**defaults, **options}


def info() -> dict[str, Any]:
    """What this build and this machine have.

    version: of rapt. cpu: brand string. isa_levels: from the lowest to the highest, each with name, available and
    why_not (None or a text). best_isa, chosen_isa: the highest that the CPU has, and that or a lower one by RAPT_ISA.
    logical_cpus: online. num_threads and threads_reason: what threads=None means, and which limit decided it.
    l1d_bytes, l2_bytes (of one core), l3_bytes: caches, 0 where unknown. openmp: its version, or "none". backends:
    each with name, available, why_not and version.
    """
    return _core.info()
