"""PyTorch's scaled_dot_product_attention, and zentorch's operator for it. Layer: bench/peers/calls."""

from __future__ import annotations

from typing import Any, Callable, Iterator

from .call import Call, Inputs, Peer, Skip, Variant, hidden_as_minus_infinity, repeated

TORCH = "torch==2.13.0"


def remember(call: Callable[[], Any]) -> Call:
    """Keeps the last result."""
    last: list[Any] = [None]

    def run() -> None:
        last[0] = call()

    return Call(run, lambda: last[0])


def masks(inputs: Inputs) -> tuple[bool, Any]:
    """is_causal, which is the top left corner's, and otherwise a mask to add."""
    if not inputs.masked:
        return False, None
    s = inputs.shape
    if s.causal == "top_left" or s.q_len == s.kv_len:
        return True, None
    return False, hidden_as_minus_infinity(inputs).to(inputs.q.dtype)


def torch_variants(inputs: Inputs) -> Iterator[Variant]:
    import torch

    is_causal, mask = masks(inputs)

    def make(given: Inputs, grouped: bool) -> Call:
        return remember(lambda: torch.nn.functional.scaled_dot_product_attention(
            given.q, given.k, given.v, attn_mask=mask, is_causal=is_causal, enable_gqa=grouped))  # fmt: skip

    if inputs.group == 1:
        yield Variant("", lambda: make(inputs, False))
    else:
        yield Variant("enable_gqa", lambda: make(inputs, True))
        yield Variant("K and V repeated beforehand", lambda: make(repeated(inputs), False))


def zentorch_variants(inputs: Inputs) -> Iterator[Variant]:
    import torch
    import zentorch  # noqa: F401 registers the operator

    is_causal, mask = masks(inputs)

    def make(given: Inputs) -> Call:
        if inputs.dtype == "f16":
            raise Skip("no f16")
        call = torch.ops.zentorch.zentorch_sdpa
        return remember(lambda: call(given.q, given.k, given.v, is_causal=is_causal, attn_mask=mask)[0])

    if inputs.group == 1:
        yield Variant("zentorch_sdpa", lambda: make(inputs))
    else:
        yield Variant("zentorch_sdpa, K and V repeated beforehand", lambda: make(repeated(inputs)))


def zentorch_unavailable(info: dict[str, Any]) -> str:
    if info["best_isa"] in ("scalar", "avx2"):
        return "its kernels need AVX-512; without it the operator calls PyTorch's"
    return ""


def torch_version() -> str:
    import torch

    return torch.__version__


def zentorch_version() -> str:
    import zentorch

    return zentorch.__version__


PYTORCH = Peer("torch", [TORCH, "numpy"], lambda info: "", torch_version, torch_variants)
ZENTORCH = Peer("zentorch", [TORCH, "zentorch==2.13.*"], zentorch_unavailable, zentorch_version, zentorch_variants)
