"""PyTorch and OpenVINO running what transformers builds: MiniLM, and GPT-2 with and without a KV cache. Layer: bench/peers/whole."""

from __future__ import annotations

import os
import warnings
from typing import Any, Callable

from . import files
from .job import Doer, Job, Skip, token_ids

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the files are here

TRANSFORMERS = ["torch==2.13.0", "numpy", "transformers==5.24.*"]


def batch(job: Job) -> tuple[Any, Any]:
    """Ids and mask [rows, length]."""
    import torch

    length = job.tokens // job.rows
    ids = torch.tensor([token_ids(length, 20000, seed=row) for row in range(job.rows)])
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
    return AutoModel.from_pretrained(files.minilm()).eval()


def inference(call: Callable[[], object]) -> Callable[[], object]:
    import torch

    def run() -> object:
        with torch.inference_mode():
            return call()

    return run


def with_torch(job: Job, threads: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(threads)
    if job.model == "minilm":
        model, (ids, mask) = minilm(), batch(job)
        return inference(lambda: model(input_ids=ids, attention_mask=mask))
    from transformers import GPT2LMHeadModel

    quiet()
    model = GPT2LMHeadModel.from_pretrained(files.gpt2()).eval()
    if job.kind == "prompt":
        ids = torch.tensor([token_ids(job.tokens)])
        return inference(lambda: model(ids))
    ids = [torch.tensor([[token]]) for token in token_ids(job.tokens, seed=2)]

    def generate() -> None:
        past = None
        for token in ids:
            past = model(token, past_key_values=past, use_cache=True).past_key_values

    return inference(generate)


def with_openvino(job: Job, threads: int, precision: str) -> Callable[[], object]:
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
    return lambda: request.infer(inputs, share_inputs=True, share_outputs=True)


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
                     lambda job, threads: with_openvino(job, threads, "bf16"))  # fmt: skip
