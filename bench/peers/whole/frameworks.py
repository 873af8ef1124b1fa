"""PyTorch and OpenVINO running what transformers builds: MiniLM, and GPT-2 with and without a KV cache. Layer: bench/peers/whole."""

from __future__ import annotations

import os
import warnings
from typing import Any, Callable

from . import files
from .job import Doer, Job, Skip, Task, remember, token_ids
from .texts import ids_of

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the files are here

TRANSFORMERS = ["torch==2.13.0", "numpy", "transformers==5.24.*"]


def batch(job: Job) -> tuple[Any, Any]:
    """Ids and mask [rows, length]."""
    import torch

    ids = torch.tensor(ids_of(job))
    return ids, torch.ones_like(ids)


def quiet() -> None:
    """No progress bars and warnings between the rows."""
    import transformers

    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def minilm() -> Any:
    from transformers import AutoModel

    quiet()
    return AutoModel.from_pretrained(files.minilm(), add_pooling_layer=False).eval()  # a sentence's vector is its tokens' mean


def vectors(hidden: Any) -> Any:
    """Of [rows, length, dim]: the mean of a text's tokens, of length 1."""
    import numpy as np

    means = np.asarray(hidden, np.float32).mean(axis=1)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def last_logits(output: Any) -> Any:
    return output.logits[0, -1].numpy()


def inference(call: Callable[[], Any]) -> Callable[[], Any]:
    import torch

    def run() -> Any:
        with torch.inference_mode():
            return call()

    return run


def with_torch(job: Job, threads: int) -> Task:
    import torch

    torch.set_num_threads(threads)
    if job.model == "minilm":
        model, (ids, mask) = minilm(), batch(job)
        return remember(inference(lambda: model(input_ids=ids, attention_mask=mask)), lambda output: vectors(output.last_hidden_state))
    from transformers import GPT2LMHeadModel

    quiet()
    model = GPT2LMHeadModel.from_pretrained(files.gpt2()).eval()
    if job.kind == "prompt":
        ids = torch.tensor([token_ids(job.tokens)])
        return remember(inference(lambda: model(ids, logits_to_keep=1)), last_logits)  # those after the last token, as generate() asks and rapt computes
    ids = [torch.tensor([[token]]) for token in token_ids(job.tokens, seed=2)]

    def generate() -> Any:
        output = None
        for token in ids:
            output = model(token, cache=output and output.cache, use_cache=True)
        return output

    return remember(inference(generate), last_logits)


def with_openvino(job: Job, threads: int, precision: str) -> Task:
    import openvino

    ids, mask = batch(job)
    shape = list(ids.shape)
    converted = openvino.convert_model(minilm(), example_input={"input_ids": ids, "attention_mask": mask},
                                       input=[("input_ids", shape), ("attention_mask", shape)])  # fmt: skip
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise Skip("OpenVINO has no bf16 on this CPU")
    request = core.compile_model(converted, "CPU", options).create_infer_request()
    inputs = {0: ids.numpy(), 1: mask.numpy()}
    return remember(lambda: request.infer(inputs, share_inputs=True, share_outputs=True), lambda output: vectors(output[0]))


def torch_version() -> str:
    import torch
    import transformers

    return f"PyTorch {torch.__version__}, transformers {transformers.__version__}"


def openvino_version() -> str:
    import openvino

    return openvino.__version__.split("-")[0]


TORCH = Doer("torch", TRANSFORMERS, ["minilm", "gpt2"], torch_version, with_torch)
OPENVINO = Doer("openvino", [*TRANSFORMERS, "openvino==2026.4.*"], ["minilm"], openvino_version,
                lambda job, threads: with_openvino(job, threads, "f32"))  # fmt: skip
OPENVINO_BF16 = Doer("openvino-bf16", [*TRANSFORMERS, "openvino==2026.4.*"], ["minilm"], openvino_version,
                     lambda job, threads: with_openvino(job, threads, "bf16"), bf16=True)  # fmt: skip
