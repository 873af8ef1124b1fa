"""oneDNN's Graph API: softmax(scale Q K' + mask) V as one partition, for the versions that fuse it (3.x, some builds).

Loads a libdnnl by ctypes: the system's, or the file that RAPT_LIBDNNL names. One that has no Graph API, or cuts the graph into several
partitions, is skipped with that reason. Layer: bench/peers/calls.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
from typing import Any, Iterator

from .call import Call, Inputs, Peer, Skip, Variant, hidden_as_minus_infinity, repeated

# Of dnnl_graph_types.h and dnnl_types.h.
ADD, MATMUL, MULTIPLY, SOFTMAX = 2, 39, 46, 64
AXIS, TRANSPOSE_B = 0x30, 0x66
CPU, DEFAULT_STREAM, FUSION = 1, 1, 1
ELEMENT = {"f16": 1, "bf16": 2, "f32": 3}
Dims = ctypes.c_int64 * 12


class LogicalTensor(ctypes.Structure):
    _fields_ = [
        ("id", ctypes.c_size_t), ("ndims", ctypes.c_int), ("dims", Dims), ("data_type", ctypes.c_int),
        ("property", ctypes.c_int), ("layout_type", ctypes.c_int), ("strides", Dims),
    ]  # fmt: skip


@functools.cache
def load() -> ctypes.CDLL:
    path = os.environ.get("RAPT_LIBDNNL") or ctypes.util.find_library("dnnl")
    if not path:
        raise Skip("there is no libdnnl; RAPT_LIBDNNL=FILE names one")
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise Skip(str(error)) from None
    if not hasattr(library, "dnnl_graph_graph_create"):
        raise Skip(f"oneDNN {version_of(library)} has no Graph API; RAPT_LIBDNNL=FILE names another")
    return library


def version_of(library: ctypes.CDLL) -> str:
    library.dnnl_version.restype = ctypes.POINTER(ctypes.c_int)
    return ".".join(map(str, library.dnnl_version()[:3]))


class Graph:
    """A graph under construction, and its engine and stream. Objects of the library live as long as the process."""

    def __init__(self, library: ctypes.CDLL, dtype: str) -> None:
        self.library, self.dtype, self.operations = library, dtype, 0
        self.engine = self.create("dnnl_engine_create", CPU, ctypes.c_size_t(0))
        self.stream = self.create("dnnl_stream_create", self.engine, DEFAULT_STREAM)
        self.graph = self.create("dnnl_graph_graph_create", CPU)
        self.tensors: dict[int, LogicalTensor] = {}

    def call(self, name: str, *arguments: Any) -> None:
        status = getattr(self.library, name)(*arguments)
        if status:
            raise Skip(f"{name} returned {status}")

    def create(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        self.call(name, ctypes.byref(handle), *arguments)
        return handle

    def tensor(self, shape: list[int]) -> LogicalTensor:
        strides = [1] * len(shape)
        for i in reversed(range(len(shape) - 1)):
            strides[i] = strides[i + 1] * shape[i + 1]
        tensor = LogicalTensor()
        self.call("dnnl_graph_logical_tensor_init_with_strides", ctypes.byref(tensor), ctypes.c_size_t(len(self.tensors)),
                  ELEMENT[self.dtype], len(shape), Dims(*shape), Dims(*strides), 0)  # fmt: skip
        self.tensors[tensor.id] = tensor
        return tensor

    def operation(self, kind: int, inputs: list[LogicalTensor], out: LogicalTensor) -> None:
        made = self.create("dnnl_graph_op_create", ctypes.c_size_t(self.operations), kind, b"operation")
        self.operations += 1
        for tensor in inputs:
            self.call("dnnl_graph_op_add_input", made, ctypes.byref(tensor))
        self.call("dnnl_graph_op_add_output", made, ctypes.byref(out))
        if kind == SOFTMAX:
            self.call("dnnl_graph_op_set_attr_s64", made, AXIS, ctypes.byref(ctypes.c_int64(-1)), ctypes.c_size_t(1))
        if kind == MATMUL and self.operations == 1:
            self.call("dnnl_graph_op_set_attr_bool", made, TRANSPOSE_B, ctypes.byref(ctypes.c_uint8(1)), ctypes.c_size_t(1))
        self.call("dnnl_graph_add_op", self.graph, made)

    def only_partition(self) -> tuple[ctypes.c_void_p, list[int]]:
        """The partition and the tensors that it wants, in its order."""
        self.call("dnnl_graph_graph_finalize", self.graph)
        self.call("dnnl_graph_graph_filter", self.graph, FUSION)
        count = ctypes.c_size_t()
        self.call("dnnl_graph_graph_get_partition_num", self.graph, ctypes.byref(count))
        if count.value != 1:
            raise Skip(f"oneDNN {version_of(self.library)} cuts attention into {count.value} partitions: not fused")
        partitions = (ctypes.c_void_p * 1)()
        self.call("dnnl_graph_graph_get_partitions", self.graph, count, partitions)
        partition = ctypes.c_void_p(partitions[0])
        self.call("dnnl_graph_partition_get_input_ports_num", partition, ctypes.byref(count))
        ports = (LogicalTensor * count.value)()
        self.call("dnnl_graph_partition_get_input_ports", partition, count, ports)
        return partition, [port.id for port in ports]

    def compile(self, data: dict[int, int], out: LogicalTensor) -> Any:
        """data: the address of each tensor's elements by its id. Returns what runs it."""
        partition, ids = self.only_partition()
        compiled = self.create("dnnl_graph_compiled_partition_create", partition)
        inputs = (ctypes.POINTER(LogicalTensor) * len(ids))(*(ctypes.pointer(self.tensors[i]) for i in ids))
        outputs = (ctypes.POINTER(LogicalTensor) * 1)(ctypes.pointer(out))
        self.call("dnnl_graph_partition_compile", partition, compiled, ctypes.c_size_t(len(ids)), inputs,
                  ctypes.c_size_t(1), outputs, self.engine)  # fmt: skip

        def bound(i: int) -> ctypes.c_void_p:
            at = ctypes.c_void_p(data[i])
            return self.create("dnnl_graph_tensor_create", ctypes.byref(self.tensors[i]), self.engine, at)

        from_tensors = (ctypes.c_void_p * len(ids))(*(bound(i) for i in ids))
        to_tensors = (ctypes.c_void_p * 1)(bound(out.id))

        def run() -> None:
            self.call("dnnl_graph_compiled_partition_execute", compiled, self.stream, ctypes.c_size_t(len(ids)), from_tensors,
                      ctypes.c_size_t(1), to_tensors)  # fmt: skip
            self.call("dnnl_stream_wait", self.stream)

        return run


def make(inputs: Inputs) -> Call:
    import torch

    graph = Graph(load(), inputs.dtype)
    s, dtype = inputs.shape, inputs.q.dtype
    out = torch.empty(s.batch, s.q_heads, s.q_len, s.head_dim_v, dtype=dtype)
    scale = torch.full((1,), s.head_dim**-0.5, dtype=dtype)
    mask = hidden_as_minus_infinity(inputs).to(dtype)[None, None]
    memory = [inputs.q, inputs.k, inputs.v, scale, out, *([mask] if inputs.masked else [])]
    q, k, v, factor, result, *masks = (graph.tensor(list(x.shape)) for x in memory)
    scores = [s.batch, s.q_heads, s.q_len, s.kv_len]

    products = graph.tensor(scores)
    graph.operation(MATMUL, [q, k], products)
    last = graph.tensor(scores)
    graph.operation(MULTIPLY, [products, factor], last)
    for hidden in masks:
        scaled, last = last, graph.tensor(scores)
        graph.operation(ADD, [scaled, hidden], last)
    weights = graph.tensor(scores)
    graph.operation(SOFTMAX, [last], weights)
    graph.operation(MATMUL, [weights, v], result)
    run = graph.compile({i: tensor.data_ptr() for i, tensor in enumerate(memory)}, result)
    return Call(lambda _keep=memory: run(), lambda: out)


def variants(inputs: Inputs) -> Iterator[Variant]:
    if inputs.group == 1:
        yield Variant("one partition", lambda: make(inputs))
    else:
        yield Variant("one partition, K and V repeated beforehand", lambda: make(repeated(inputs)))


def unavailable() -> str:
    try:
        load()
    except Skip as reason:
        return str(reason)
    return ""


ONEDNN_GRAPH = Peer("onednn_graph", [], lambda info: unavailable(), lambda: version_of(load()), variants)
