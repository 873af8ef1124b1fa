"""rapt.attention, and its onednn backend (oneDNN's matmul around rapt's softmax). Layer: bench/peers/calls."""

from __future__ import annotations

from typing import Any, Iterator

from .call import Call, Inputs, Peer, Skip, Variant


def make(inputs: Inputs, backend: str, prepared: bool) -> Call:
    import rapt
    import torch

    s = inputs.shape
    out = torch.empty(s.batch, s.q_heads, s.q_len, s.head_dim_v, dtype=inputs.q.dtype)
    options: dict[str, Any] = {
        "causal": False if s.causal == "none" else s.causal,
        "out": out,
        "backend": backend,
        "isa": inputs.isa,
        "threads": inputs.threads,
    }
    try:
        rapt.explain(inputs.q, inputs.k, inputs.v, **options)
    except NotImplementedError as error:
        raise Skip(str(error)) from None
    if prepared:
        return Call(rapt.prepare(inputs.q, inputs.k, inputs.v, **options), lambda: out)
    return Call(lambda: rapt.attention(inputs.q, inputs.k, inputs.v, **options), lambda: out)


def explain(inputs: Inputs) -> str:
    import rapt

    causal = False if inputs.shape.causal == "none" else inputs.shape.causal
    return rapt.explain(inputs.q, inputs.k, inputs.v, causal=causal, isa=inputs.isa, threads=inputs.threads)


def variants(inputs: Inputs, backend: str) -> Iterator[Variant]:
    # As ONNX Runtime with bound tensors and OpenVINO with those of its request: what there is to check was checked before.
    yield Variant("prepared", lambda: make(inputs, backend, True))


def backend_version(backend: str) -> str:
    import rapt

    return next(b["version"] or "" for b in rapt.info()["backends"] if b["name"] == backend)


def why_not(info: dict[str, Any], backend: str) -> str:
    return next(b["why_not"] or "" for b in info["backends"] if b["name"] == backend)


RAPT = Peer("rapt", [], lambda info: "", lambda: backend_version("rapt"), lambda inputs: variants(inputs, "rapt"))
ONEDNN = Peer("onednn", [], lambda info: why_not(info, "onednn"), lambda: backend_version("onednn"),
              lambda inputs: variants(inputs, "onednn"))  # fmt: skip
