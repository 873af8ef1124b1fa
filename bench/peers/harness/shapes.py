"""The shapes of attention calls: those of bench/attention/named_shapes.inc by name, any other by its numbers.

Work and bytes are counted as bench_attention counts them. Layer: bench/peers/harness.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from .errors import BadInput

SHAPES_FILE = Path(__file__).resolve().parents[2] / "attention" / "named_shapes.inc"
MASKS = {"kFull": "none", "kCausal": "bottom_right"}
ELEMENT_BYTES = {"f32": 4, "bf16": 2, "f16": 2}


class Shape(NamedTuple):
    name: str
    batch: int
    q_heads: int
    kv_heads: int
    q_len: int
    kv_len: int
    head_dim: int
    head_dim_v: int
    causal: str  # none, top_left or bottom_right


def named_shapes() -> dict[str, Shape]:
    """Reads the lines `{"name", batch, ..., head_dim_v, kMask...},`; what follows the mask is not a peer's."""
    lines = re.findall(r'^\{"(\w+)", ((?:\d+, ){7})(k\w+).*\},$', SHAPES_FILE.read_text(), re.MULTILINE)
    return {name: Shape(name, *map(int, numbers.split(", ")[:7]), MASKS[mask]) for name, numbers, mask in lines}


def parse_shape(text: str) -> Shape:
    named = named_shapes()
    if text in named:
        return named[text]
    if not re.fullmatch(r"[1-9]\d{0,7}(,[1-9]\d{0,7}){5,6}", text):
        raise BadInput(f"--shape={text} is neither one of {', '.join(named)} nor B,Hq,Hkv,Lq,Lk,D[,Dv]")
    numbers = [int(number) for number in text.split(",")]
    if numbers[1] % numbers[2]:
        raise BadInput(f"--shape={text}: Hq must be a multiple of Hkv, but {numbers[1]} is not one of {numbers[2]}")
    return Shape(text, *numbers[:6], numbers[-1], "none")


def visible_keys(s: Shape, query: int) -> int:
    if s.causal == "none":
        return s.kv_len
    shift = s.kv_len - s.q_len if s.causal == "bottom_right" else 0
    return min(max(query + shift + 1, 0), s.kv_len)


def first_seeing_query(s: Shape) -> int:
    """Queries before it see no key; there projects disagree about what the result is."""
    return max(s.q_len - s.kv_len, 0) if s.causal == "bottom_right" else 0


def flops(s: Shape) -> int:
    """2 * visible pairs * (D + Dv) for each query head."""
    pairs = sum(visible_keys(s, query) for query in range(s.q_len))
    return 2 * s.batch * s.q_heads * pairs * (s.head_dim + s.head_dim_v)


def kv_bytes(s: Shape, dtype: str) -> int:
    """K and V once, as far as a query sees them."""
    return ELEMENT_BYTES[dtype] * s.batch * s.kv_heads * visible_keys(s, s.q_len - 1) * (s.head_dim + s.head_dim_v)


def tensor_bytes(s: Shape) -> int:
    """Of q, k, v and an output in f32: the least that a comparison needs."""
    q_and_out = s.batch * s.q_heads * s.q_len * (s.head_dim + s.head_dim_v)
    return 4 * (q_and_out + s.batch * s.kv_heads * s.kv_len * (s.head_dim + s.head_dim_v))
