"""OpenVINO's ScaledDotProductAttention on the CPU, compiled for fixed and for free shapes. Layer: bench/peers/calls."""

from __future__ import annotations

import functools
from typing import Any, Iterator

from .call import Call, Inputs, Peer, Variant, hidden_as_minus_infinity, repeated


@functools.cache
def core() -> Any:
    import openvino

    return openvino.Core()


def element_type(dtype: str) -> Any:
    import openvino

    return getattr(openvino.Type, dtype)


def share(tensor: Any, dtype: str) -> Any:
    """An OpenVINO tensor over the memory of PyTorch's. NumPy has no bf16: its bits travel as int16."""
    import openvino
    import torch

    array = (tensor.view(torch.int16) if dtype == "bf16" else tensor).numpy()
    return openvino.Tensor(array, openvino.Shape(list(tensor.shape)), element_type(dtype))


def make(inputs: Inputs, free_shapes: bool) -> Call:
    import openvino
    import torch
    from openvino import opset13

    s, kind = inputs.shape, element_type(inputs.dtype)
    tensors = [inputs.q, inputs.k, inputs.v]
    is_causal = inputs.masked and (s.causal == "top_left" or s.q_len == s.kv_len)
    if inputs.masked and not is_causal:
        tensors.append(hidden_as_minus_infinity(inputs).to(inputs.q.dtype))

    def parameter(tensor: Any) -> Any:
        shape = list(tensor.shape)
        if free_shapes:
            shape = [-1, shape[1], -1, shape[3]] if len(shape) == 4 else [-1, -1]
        return opset13.parameter(openvino.PartialShape(shape), kind)

    parameters = [parameter(tensor) for tensor in tensors]
    model = openvino.Model([opset13.scaled_dot_product_attention(*parameters, causal=is_causal)], parameters)
    options = {"INFERENCE_NUM_THREADS": inputs.threads, "INFERENCE_PRECISION_HINT": inputs.dtype, "PERFORMANCE_HINT": "LATENCY"}
    request = core().compile_model(model, "CPU", options).create_infer_request()
    for index, tensor in enumerate(tensors):
        request.set_input_tensor(index, share(tensor, inputs.dtype))
    out = torch.empty(s.batch, s.q_heads, s.q_len, s.head_dim_v, dtype=inputs.q.dtype)
    request.set_output_tensor(0, share(out, inputs.dtype))
    return Call(lambda _keep=tensors: request.infer(share_outputs=True), lambda: out)


def variants(inputs: Inputs) -> Iterator[Variant]:
    given, remark = (inputs, "") if inputs.group == 1 else (repeated(inputs), ", K and V repeated beforehand")
    yield Variant("fixed shapes" + remark, lambda: make(given, False))
    yield Variant("free shapes" + remark, lambda: make(given, True))


def version() -> str:
    import openvino

    return openvino.__version__.split("-")[0]


OPENVINO = Peer("openvino", ["openvino==2026.4.*", "numpy"], lambda info: "", version, variants)
