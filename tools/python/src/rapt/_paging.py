"""kv_append() and merge(): what surrounds attention() over a cache. Layer: beside _arguments.py."""

from __future__ import annotations

from . import _arrays, _core, _options
from ._hints import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Literal

    from ._types import Array, Numbers


def kv_append(
    k: Array, v: Array, k_pages: Array, v_pages: Array, block_table: Numbers, kv_lengths: Numbers, *,
    k_scale: Array | None = None, v_scale: Array | None = None, kv_layout: Literal["rows", "panels"] = "rows",
    isa: str | None = None, threads: int | None = None,
) -> None:
    """Writes new tokens into a paged KV cache, in place, converting them to its element type.

    Token i of batch b becomes key kv_lengths[b] + i of the sequence, in page block_table[b, (kv_lengths[b] + i) // page_size].
    A page needs no more than to be in the table; nobody else's is written. Afterwards call attention() with the same pages and
    table and kv_lengths grown by the number of tokens.

    Args:
        k: new keys [batch, num_kv_heads, length, head_dim], float32.
        v: new values [batch, num_kv_heads, length, head_dim_v], float32.
        k_pages: the cache's keys [num_pages, num_kv_heads, page_size, head_dim]: float32, bfloat16, float16, or int8, where
            the largest magnitude of a token and head is stored as 127.
        v_pages: the cache's values [num_pages, num_kv_heads, page_size, head_dim_v], of any of these types.
        block_table: [batch, pages] integers: where the pages of each sequence are.
        kv_lengths: [batch] integers: how many keys each sequence has before the call.
        k_scale, v_scale: [num_pages, num_kv_heads, page_size] float32, for int8 pages: the factors are written here.
        kv_layout: "rows", or "panels" for keys in the order in which the kernels read them, so that attention() transposes nothing:
            any type but int8, page_size a multiple of 64, and attention() must use the same ISA level.
        isa, threads: as of attention().

    Raises what attention() raises. The arrays are NumPy's or PyTorch's as there; the pages must be writable.
    """
    library = _arrays.library_of("k", k)
    tensors = {"k": k, "v": v, "k_pages": k_pages, "v_pages": v_pages}
    for name, scale in (("k_scale", k_scale), ("v_scale", v_scale)):
        if scale is not None:
            tensors[name] = scale
    batch = k.shape[0] if k.ndim == 4 else -1  # other dimensions are for _core to refuse
    table = _arrays.integers(library, "block_table", block_table, (batch, -1), "int32")
    lengths = _arrays.integers(library, "kv_lengths", kv_lengths, (batch,))
    _, isa, num_threads = _options.runtime("rapt", isa, threads)
    _core.kv_append(library, tensors, table, table.shape[1], lengths, _options.kv_layout(kv_layout), isa, num_threads)
    _arrays.mark_written(library, *(array for name, array in tensors.items() if name not in ("k", "v")))


def merge(
    a: Array, lse_a: Array, b: Array, lse_b: Array, *, out: Array | None = None, lse: Array | None = None,
    threads: int | None = None,
) -> tuple[Array, Array]:
    """One attention over the keys of two, from the results over each: for a shared prefix, or keys on several machines.

        prefix, prefix_lse = rapt.attention(q, k_prefix, v_prefix, return_lse=True)
        rest, rest_lse = rapt.attention(q, k, v, causal=True, return_lse=True)
        out, lse = rapt.merge(prefix, prefix_lse, rest, rest_lse)

    Args:
        a, b: what attention() returned for the same queries and different keys, [batch, heads, length, dim] float32.
        lse_a, lse_b: their log-sum-exp, [batch, heads, length] float32. Sinks must count in one of them alone.
        out, lse: where the results go; None: new arrays. They may be a or b, and lse_a or lse_b, themselves.
        threads: as of attention().

    Returns:
        (out, lse), shaped as a and lse_a. A row that saw no key in either is 0, its log-sum-exp -inf.

    Raises what attention() raises.
    """
    library = _arrays.library_of("a", a)
    tensors = {"a": a, "lse_a": lse_a, "b": b, "lse_b": lse_b}
    _, _, num_threads = _options.runtime("rapt", None, threads)
    out = library.empty(tuple(a.shape), dtype=library.float32) if out is None else out
    lse = library.empty(tuple(a.shape[:3]), dtype=library.float32) if lse is None else lse
    _core.merge(library, {**tensors, "out": out, "lse": lse}, num_threads)
    _arrays.mark_written(library, out, lse)
    return out, lse
