"""The arguments of attention() as the members of rapt_attention_params, by name, for _core. Layer: below __init__.py.

Shapes that the library reads through bare pointers are checked here; what it checks itself (shapes of tensors, ranges) is not.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from . import _arrays, _options

_DENSE = "[batch, num_q_heads, q_len, kv_len]"


class Call:
    """One call: `arguments` for _core, `runtime` for its context, and the results in the order in which they are returned."""

    def __init__(
        self, q, k, v, *, scale, causal, window, mask, bias, alibi_slopes, softcap, sinks, kv_lengths, q_offsets,
        prefix_lengths, cu_seqlens_q, cu_seqlens_k, block_mask, q_documents, k_documents, tree_mask, block_table, k_scale,
        v_scale, out, return_lse, return_weights, backend, isa, threads, allocate,
    ) -> None:
        """`allocate`: make the arrays of the results. Without it they are shapes, for explain()."""
        self.library = _arrays.library_of("q", q)
        self.q, self.k, self.v = q, k, v
        self._allocate = allocate
        self.arguments: dict[str, Any] = {}
        self._tensor("q", q, _arrays.FLOATS)
        self._tensor("k", k, _arrays.STORED)
        self._tensor("v", v, _arrays.STORED)
        self._numbers(scale, causal, window, softcap)
        self.runtime = _options.runtime(backend, isa, threads)
        self._sequences(kv_lengths, q_offsets, prefix_lengths, cu_seqlens_q, cu_seqlens_k, block_table)
        self._masks(mask, bias, block_mask, q_documents, k_documents, tree_mask)
        for name, value in (("alibi_slopes", alibi_slopes), ("sinks", sinks)):
            if value is not None:
                self.arguments[name] = _arrays.numbers(self.library, name, value, (q.shape[1],))
        for name, value in (("k_scale", k_scale), ("v_scale", v_scale)):
            if value is not None:
                self.arguments[name] = _arrays.check_factors(self.library, name, value)
        self.results = self._outputs(out, return_lse, return_weights)

    def _tensor(self, name: str, array: Any, dtypes: tuple[str, ...], layout: str = "") -> None:
        self.arguments[name] = _arrays.check_array(self.library, name, array, dtypes, layout)

    def _numbers(self, scale: Any, causal: Any, window: Any, softcap: Any) -> None:
        if scale is not None:
            self.arguments["softmax_scale"] = _options.real("scale", scale, "1 / sqrt(head_dim)")
        self.arguments["causal"] = _options.causal(causal)
        self.arguments["window_left"], self.arguments["window_right"] = _options.window(window)
        if softcap is not None:
            self.arguments["softcap"] = _options.positive("softcap", softcap, "none")

    def _integers(self, name: str, value: Any, shape: tuple[int, ...], dtype: str = "int64") -> None:
        if value is not None:
            self.arguments[name] = _arrays.integers(self.library, name, value, shape, dtype)

    def _sequences(self, kv_lengths, q_offsets, prefix_lengths, cu_seqlens_q, cu_seqlens_k, block_table) -> None:
        if (cu_seqlens_q is None) != (cu_seqlens_k is None):
            raise ValueError("cu_seqlens_q and cu_seqlens_k go together; one of them is None")
        sequences = self.q.shape[0]
        if cu_seqlens_q is not None:
            self._integers("cu_seqlens_q", cu_seqlens_q, (-1,))
            sequences = self.arguments["cu_seqlens_q"].shape[0] - 1
            self._integers("cu_seqlens_k", cu_seqlens_k, (max(sequences, 0) + 1,))
            self.arguments["num_sequences"] = sequences
        self._integers("kv_lengths", kv_lengths, (sequences,))
        self._integers("q_offsets", q_offsets, (sequences,))
        self._integers("prefix_lengths", prefix_lengths, (sequences,))
        self.kv_len = self.k.shape[2]
        if block_table is None:
            return
        if kv_lengths is None:
            raise ValueError("kv_lengths is None; with a block_table it says how many keys each batch has")
        self._integers("block_table", block_table, (sequences, -1), "int32")
        self.arguments["block_table_stride"] = self.arguments["block_table"].shape[1]
        self.kv_len = max([0, *self.arguments["kv_lengths"].tolist()])

    def _masks(self, mask, bias, block_mask, q_documents, k_documents, tree_mask) -> None:
        if mask is not None:
            self._tensor("mask", mask, _arrays.MASKS, _DENSE)
        if bias is not None:
            self._tensor("bias", bias, _arrays.FLOATS, _DENSE)
        if block_mask is not None:
            array, self.arguments["block_mask_q"], self.arguments["block_mask_kv"] = _options.block_mask(block_mask)
            self._tensor("block_mask", array, ("bool",), "[batch, num_q_heads, blocks of queries, blocks of keys]")
        batch, q_len = self.q.shape[0], self.q.shape[2]
        if (q_documents is None) != (k_documents is None):
            raise ValueError("q_documents and k_documents go together; one of them is None")
        self._integers("q_documents", q_documents, (batch, q_len), "int32")
        self._integers("k_documents", k_documents, (batch, self.kv_len), "int32")
        if tree_mask is not None:
            self.arguments["tree_mask"] = _arrays.booleans(self.library, "tree_mask", tree_mask, (batch, q_len, q_len))

    def _outputs(self, out: Any, return_lse: Any, return_weights: Any) -> list[Any]:
        library, rows = self.library, tuple(self.q.shape[:3])
        if out is None:
            out = self._result("out", (*rows, self.v.shape[3]), self.q.dtype)
        else:
            self._tensor("out", out, _arrays.FLOATS)
            _arrays.check_writable(library, "out", out)
        results = [out]
        if _options.flag("return_lse", return_lse):
            results.append(self._result("lse", rows, library.float32))
        if _options.flag("return_weights", return_weights):
            if "cu_seqlens_q" in self.arguments:
                raise ValueError("return_weights cannot be combined with cu_seqlens_q")
            results.append(self._result("weights", (*rows, self.kv_len), library.float32))
        return results

    def _result(self, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        if not self._allocate:
            self.arguments[name] = (*shape, 1)[:4]
            return None
        array = self.library.empty(shape, dtype=dtype)
        view = array[..., None] if len(shape) == 3 else array
        self.arguments[name] = _arrays.check_array(self.library, name, view)
        return array
