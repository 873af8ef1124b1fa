"""Types for static checkers. Layer: beside __init__.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar

import numpy
import torch
from typing_extensions import TypeAlias, TypedDict

Array = TypeVar("Array", numpy.ndarray[Any, Any], torch.Tensor)

Causal: TypeAlias = Literal[False, True, "top_left", "bottom_right"]
Numbers: TypeAlias = "numpy.ndarray[Any, Any] | torch.Tensor | Sequence[float] | Sequence[Sequence[float]] | float"
BlockMask: TypeAlias = "tuple[Array, int, int]"


class Options(TypedDict, Generic[Array], total=False):
    """The arguments of attention() but the three inputs and what decides the type of the result."""

    scale: float | None
    causal: Causal
    window: tuple[int, int]
    mask: Array | None
    bias: Array | None
    alibi_slopes: Numbers | None
    softcap: float | None
    sinks: Numbers | None
    kv_lengths: Numbers | None
    q_offsets: Numbers | None
    prefix_lengths: Numbers | None
    cu_seqlens_q: Numbers | None
    cu_seqlens_k: Numbers | None
    block_mask: BlockMask[Array] | None
    q_documents: Numbers | None
    k_documents: Numbers | None
    tree_mask: Numbers | None
    block_table: Numbers | None
    kv_layout: Literal["rows", "panels"]
    k_scale: Array | None
    v_scale: Array | None
    out: Array | None
    weight_heads: Numbers | None
    weight_rows: Numbers | None
    backend: str | None
    isa: str | None
    threads: int | None

class AllOptions(Options[Array], total=False):
    """All arguments of attention() but the three inputs."""

    return_lse: bool
    return_weights: bool
    return_column_sums: bool
    return_entropy: bool
    return_max_score: bool
