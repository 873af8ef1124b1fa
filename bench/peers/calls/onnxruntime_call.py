"""ONNX Runtime on the CPU: its contributed MultiHeadAttention and GroupQueryAttention, and ONNX's own Attention.

K and V go in as [batch, heads, length, dim], as a cache keeps them, wherever the operator takes that. Results are written into
buffers that the session keeps. Layer: bench/peers/calls.
"""

from __future__ import annotations

from typing import Any, Iterator

from .call import Call, Inputs, Peer, Skip, Variant, hidden_as_minus_infinity, repeated

CONTRIBUTED = "com.microsoft"


def numpy_of(tensor: Any, dtype: str) -> Any:
    if dtype == "bf16":
        raise Skip("no bf16 on the CPU")
    return tensor.contiguous().numpy()


def merge_heads(tensor: Any) -> Any:
    """[batch, heads, length, dim] -> [batch, length, heads * dim]."""
    return tensor.transpose(1, 2).reshape(tensor.shape[0], tensor.shape[2], -1)


def split_heads(tensor: Any, heads: int) -> Any:
    return tensor.reshape(tensor.shape[0], tensor.shape[1], heads, -1).transpose(1, 2)


def make_session(inputs: Inputs, node: Any, feeds: dict[str, Any], outputs: list[str]) -> Any:
    import onnx
    import onnxruntime
    from onnx import helper

    def value(name: str, array: Any) -> Any:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

    element = helper.np_dtype_to_tensor_dtype(feeds["q"].dtype)
    graph = helper.make_graph([node], "attention", [value(name, array) for name, array in feeds.items()],
                              [helper.make_tensor_value_info(name, element, None) for name in outputs])  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24), helper.make_opsetid(CONTRIBUTED, 1)])
    model.ir_version = min(model.ir_version, onnx.IR_VERSION, 11)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = inputs.threads
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def bind(session: Any, feeds: dict[str, Any], outputs: list[str], shared: dict[str, str]) -> Any:
    """shared: outputs that lie in the memory of an input, as a decoder keeps its cache."""
    import onnxruntime

    binding = session.io_binding()
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in feeds.items()}
    for name, value in values.items():
        binding.bind_ortvalue_input(name, value)
    for name in outputs:
        if name in shared:
            binding.bind_ortvalue_output(name, values[shared[name]])
        else:
            binding.bind_output(name)
    return binding


def make_call(inputs: Inputs, node: Any, feeds: dict[str, Any], outputs: list[str], shared: dict[str, str] | None = None) -> Call:
    import torch

    session = make_session(inputs, node, feeds, outputs)
    binding = bind(session, feeds, outputs, shared or {})

    def result() -> Any:
        out = torch.from_numpy(binding.get_outputs()[0].numpy())
        return out if out.ndim == 4 else split_heads(out, inputs.shape.q_heads)

    return Call(lambda: session.run_with_iobinding(binding), result)


def multi_head_attention(inputs: Inputs) -> Call:
    from onnx import helper

    s = inputs.shape
    if inputs.masked:
        if s.q_len != s.kv_len:
            raise Skip("MultiHeadAttention's causal mask needs as many queries as keys")
    node = helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["out"], domain=CONTRIBUTED, num_heads=s.q_heads,
                            unidirectional=int(inputs.masked))  # fmt: skip
    feeds = {
        "q": numpy_of(merge_heads(inputs.q), inputs.dtype),
        "k": numpy_of(inputs.k, inputs.dtype),
        "v": numpy_of(inputs.v, inputs.dtype),
    }
    return make_call(inputs, node, feeds, ["out"])


def group_query_attention(inputs: Inputs) -> Call:
    """Causal by definition. The last q_len keys are given as new ones, and the cache is written in place."""
    import numpy as np
    from onnx import helper

    s = inputs.shape
    if s.causal == "top_left" and s.q_len != s.kv_len or s.causal == "none" and s.q_len != 1:
        raise Skip("GroupQueryAttention is causal at the bottom right")
    if s.head_dim != s.head_dim_v:
        raise Skip("GroupQueryAttention has one head size")
    past = s.kv_len - s.q_len
    feeds = {"q": numpy_of(merge_heads(inputs.q), inputs.dtype)}
    feeds |= {name: numpy_of(merge_heads(x[:, :, past:]), inputs.dtype) for name, x in (("k", inputs.k), ("v", inputs.v))}
    names = ["q", "k", "v", "", ""]
    outputs, shared = ["out", "present_k", "present_v"], {}
    if past:
        names[3:] = ["past_k", "past_v"]
        feeds |= {"past_k": numpy_of(inputs.k, inputs.dtype).copy(), "past_v": numpy_of(inputs.v, inputs.dtype).copy()}
        shared = {"present_k": "past_k", "present_v": "past_v"}
    feeds |= {"last": np.full(s.batch, s.kv_len - 1, np.int32), "total": np.array([s.kv_len], np.int32)}
    node = helper.make_node("GroupQueryAttention", [*names, "last", "total"], outputs, domain=CONTRIBUTED,
                            num_heads=s.q_heads, kv_num_heads=s.kv_heads)  # fmt: skip
    return make_call(inputs, node, feeds, outputs, shared)


def onnx_attention(inputs: Inputs) -> Call:
    from onnx import helper

    s = inputs.shape
    names = ["q", "k", "v"]
    feeds = {name: numpy_of(x, inputs.dtype) for name, x in zip(names, (inputs.q, inputs.k, inputs.v))}
    top_left = inputs.masked and (s.causal == "top_left" or s.q_len == s.kv_len)
    if inputs.masked and not top_left:
        feeds["mask"] = numpy_of(hidden_as_minus_infinity(inputs).to(inputs.q.dtype), inputs.dtype)
    node = helper.make_node("Attention", list(feeds), ["out"], is_causal=int(top_left))
    return make_call(inputs, node, feeds, ["out"])


def variants(inputs: Inputs) -> Iterator[Variant]:
    if inputs.group == 1:
        yield Variant("MultiHeadAttention", lambda: multi_head_attention(inputs))
    else:
        yield Variant("MultiHeadAttention, K and V repeated beforehand", lambda: multi_head_attention(repeated(inputs)))
    yield Variant("GroupQueryAttention", lambda: group_query_attention(inputs))
    yield Variant("Attention", lambda: onnx_attention(inputs))


def version() -> str:
    import onnxruntime

    return onnxruntime.__version__


ONNXRUNTIME = Peer("onnxruntime", ["onnxruntime==1.32.*", "onnx==1.23.*", "numpy"], lambda info: "", version, variants)
