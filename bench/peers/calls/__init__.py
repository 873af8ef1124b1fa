"""The peers of an attention call: one module each, and the list. Layer: bench/peers; above harness."""

from .call import Peer
from .onednn_graph import ONEDNN_GRAPH
from .onnxruntime_call import ONNXRUNTIME
from .openvino_call import OPENVINO
from .rapt_call import ONEDNN, RAPT
from .torch_call import PYTORCH, ZENTORCH

PEERS: dict[str, Peer] = {peer.name: peer for peer in (RAPT, PYTORCH, ZENTORCH, ONNXRUNTIME, OPENVINO, ONEDNN, ONEDNN_GRAPH)}
