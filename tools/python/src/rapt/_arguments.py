"""The arguments of attention() as the members of rapt_attention_params, by name, for _core. Layer: below __init__.py.

Shapes that the library reads through bare pointers are checked here; what it checks itself (shapes of tensors, ranges) is not.
"""

from __future__ import annotations

from . import _arrays, _core, _options
from ._hints import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

# Arguments that most calls do not give.
_OPTIONAL = (
    "scale", "softcap", "kv_lengths", "q_offsets", "prefix_lengths", "cu_seqlens_q", "cu_seqlens_k", "block_table",
    "mask", "bias", "block_mask", "q_documents", "k_documents", "tree_mask", "alibi_slopes", "sinks", "k_scale", "v_scale",
    "weight_heads", "weight_rows",
)  # fmt: skip
_RETURNED = ("lse", "weights", "column_sums", "entropy", "max_score")  # by return_...; in the order of the results
_PAIRS = (("cu_seqlens_q", "cu_seqlens_k"), ("q_documents", "k_documents"))


class Call:
    """One call: `arguments` for _core, `runtime` for its context, and the results in the order in which they are returned."""

    def __init__(self, options: dict[str, Any], allocate: bool, shared: bool = False) -> None:
        """`options`: what attention() was called with. `allocate`: make the arrays of the results, which are shapes otherwise.
        `shared`: integers are read from the caller's arrays where those can be read as they are."""
        self.q, self.k, self.v = options["q"], options["k"], options["v"]
        self.library = _arrays.library_of("q", self.q)
        self.arguments = _core.AttentionArguments(self.library)
        self._set = self.arguments.set
        self._set("q", self.q)
        self._set("k", self.k)
        self._set("v", self.v)
        self._allocate = allocate
        self._shared = shared
        self.given = {name: value for name in _OPTIONAL if (value := options[name]) is not None}
        for one, other in _PAIRS:
            if (one in self.given) != (other in self.given):
                raise ValueError(f"{one} and {other} go together; one of them is None")
        self._set("causal", _options.causal(options["causal"]))
        if options["window"] is not _options.NO_WINDOW:
            left, right = _options.window(options["window"])
            self._set("window_left", left)
            self._set("window_right", right)
        self.runtime = _options.runtime(options["backend"], options["isa"], options["threads"])
        self.kv_len = self.k.shape[2]
        if self.given:
            self._numbers()
            self._sequences(options["kv_layout"])
            self._masks()
            self._scores()
        elif options["kv_layout"] != "rows":
            self._layout(options["kv_layout"])
        self.results = self._outputs(options)

    def _numbers(self) -> None:
        if "scale" in self.given:
            self._set("softmax_scale", _options.real("scale", self.given["scale"], ", or None for 1 / sqrt(head_dim)"))
        if "softcap" in self.given:
            self._set("softcap", _options.positive("softcap", self.given["softcap"], ", or None for none"))

    def _integers(self, name: str, shape: tuple[int, ...], dtype: str = "int64") -> Any:
        """The argument as an array, if it was given."""
        if name not in self.given:
            return None
        array = _arrays.integers(self.library, name, self.given[name], shape, dtype, self._shared)
        self._set(name, array)
        return array

    def _layout(self, kv_layout: Any) -> None:
        layout = _options.kv_layout(kv_layout)
        if layout and "block_table" not in self.given:
            raise ValueError(f"kv_layout is {kv_layout!r}, but block_table is None; only pages have a layout")
        self._set("k_layout", layout)

    def _sequences(self, kv_layout: Any) -> None:
        sequences = self.q.shape[0]
        if "cu_seqlens_q" in self.given:
            starts = self._integers("cu_seqlens_q", (-1,))
            sequences = starts.shape[0] - 1
            self._integers("cu_seqlens_k", (max(sequences, 0) + 1,))
            self._set("num_sequences", sequences)
        lengths = self._integers("kv_lengths", (sequences,))
        self._integers("q_offsets", (sequences,))
        self._integers("prefix_lengths", (sequences,))
        self._layout(kv_layout)
        if "block_table" not in self.given:
            return
        if lengths is None:
            raise ValueError("kv_lengths is None; with a block_table it says how many keys each batch has")
        self._set("block_table_stride", self._integers("block_table", (sequences, -1), "int32").shape[1])
        self.kv_len = max([0, *lengths.tolist()])

    def _masks(self) -> None:
        for name in ("mask", "bias"):
            if name in self.given:
                self._set(name, self.given[name])
        if "block_mask" in self.given:
            array, block_q, block_kv = _options.block_mask(self.given["block_mask"])
            self._set("block_mask_q", block_q)
            self._set("block_mask_kv", block_kv)
            self._set("block_mask", array)
        batch, q_len = self.q.shape[0], self.q.shape[2]
        self._integers("q_documents", (batch, q_len), "int32")
        self._integers("k_documents", (batch, self.kv_len), "int32")
        if "tree_mask" in self.given:
            tree = _arrays.booleans(self.library, "tree_mask", self.given["tree_mask"], (batch, q_len, q_len))
            self._set("tree_mask", tree)

    def _scores(self) -> None:
        for name in ("alibi_slopes", "sinks"):
            if name in self.given:
                self._set(name, _arrays.numbers(self.library, name, self.given[name], (self.q.shape[1],)))
        for name in ("k_scale", "v_scale"):
            if name in self.given:
                self._set(name, self.given[name])

    def _outputs(self, options: dict[str, Any]) -> list[Any]:
        batch, heads, q_len = self.q.shape[:3]
        out = options["out"]
        if out is None:
            out = self._result("out", (batch, heads, q_len, self.v.shape[3]), self.q.dtype)
        else:
            self._set("out", out)
        results = [out]
        for name in _RETURNED:
            wanted = options["return_" + name]
            if wanted is not False and _options.flag("return_" + name, wanted):
                of_keys = {"weights": self._weights_shape, "column_sums": lambda: (batch, heads, self.kv_len)}
                shape = of_keys[name]() if name in of_keys else (batch, heads, q_len)
                results.append(self._result(name, shape, self.library.float32))
        if options["return_weights"] is False:
            for name in ("weight_heads", "weight_rows"):
                if name in self.given:
                    raise ValueError(f"{name} says what return_weights returns, but return_weights is False")
        return results

    def _weights_shape(self) -> tuple[int, ...]:
        if "cu_seqlens_q" in self.given:
            raise ValueError("return_weights cannot be combined with cu_seqlens_q")
        heads, rows = self._integers("weight_heads", (-1,)), self._integers("weight_rows", (-1,))
        return (
            self.q.shape[0],
            self.q.shape[1] if heads is None else heads.shape[0],
            self.q.shape[2] if rows is None else rows.shape[0],
            self.kv_len,
        )

    def _result(self, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        if not self._allocate:
            self.arguments.set_extents(name, (*shape, 1)[:4])
            return None
        array = self.library.empty(shape, dtype=dtype)
        self.arguments.set_made(name, array)
        return array
