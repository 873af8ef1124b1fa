"""What one attention call of a peer is made from, and what it offers. Layer: bench/peers/calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterator, NamedTuple

from harness.shapes import Shape

if TYPE_CHECKING:
    import torch

TORCH_DTYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}


class Inputs(NamedTuple):
    shape: Shape
    dtype: str  # f32, bf16 or f16
    threads: int
    isa: str  # rapt's level
    q: torch.Tensor  # [batch, heads, length, dim], contiguous
    k: torch.Tensor
    v: torch.Tensor

    @property
    def group(self) -> int:
        """Query heads of one KV head."""
        return self.shape.q_heads // self.shape.kv_heads

    @property
    def masked(self) -> bool:
        """Whether the causal mask hides anything."""
        s = self.shape
        return s.causal != "none" and not (s.causal == "bottom_right" and s.q_len == 1)


class Call(NamedTuple):
    run: Callable[[], object]
    result: Callable[[], torch.Tensor]  # of the last run, [batch, q_heads, q_len, head_dim_v]


class Variant(NamedTuple):
    """One way in which a peer may be asked; the fastest is timed. make raises Skip where it does not apply."""

    label: str
    make: Callable[[], Call]


class Skip(Exception):
    """Why a peer cannot do a call, in a few words."""


class Peer(NamedTuple):
    name: str
    requirements: list[str]  # what pip installs
    unavailable: Callable[[dict[str, Any]], str]  # given rapt.info(): why it cannot run here at all, or ""
    version: Callable[[], str]
    variants: Callable[[Inputs], Iterator[Variant]]


def make_inputs(shape: Shape, dtype: str, threads: int, isa: str) -> Inputs:
    """Standard normal values, the same for every run."""
    import torch

    generator = torch.Generator().manual_seed(1)
    q, k, v = (
        torch.randn(shape.batch, heads, length, dim, generator=generator).to(getattr(torch, TORCH_DTYPES[dtype]))
        for heads, length, dim in (
            (shape.q_heads, shape.q_len, shape.head_dim),
            (shape.kv_heads, shape.kv_len, shape.head_dim),
            (shape.kv_heads, shape.kv_len, shape.head_dim_v),
        )
    )
    return Inputs(shape, dtype, threads, isa, q, k, v)


def repeated(inputs: Inputs) -> Inputs:
    """With a KV head for each query head, for peers without grouped heads. The copying is not timed."""
    k, v = (x.repeat_interleave(inputs.group, dim=1) for x in (inputs.k, inputs.v))
    return inputs._replace(shape=inputs.shape._replace(kv_heads=inputs.shape.q_heads), k=k, v=v)


def hidden_as_minus_infinity(inputs: Inputs) -> torch.Tensor:
    """The causal mask as numbers to be added to the scores, [q_len, kv_len] f32."""
    import torch

    s = inputs.shape
    shift = s.kv_len - s.q_len if s.causal == "bottom_right" else 0
    return torch.full((s.q_len, s.kv_len), float("-inf")).triu(shift + 1)
