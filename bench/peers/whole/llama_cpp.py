"""llama.cpp through llama-cpp-python's bindings of its C interface, built for this CPU. Layer: bench/peers/whole."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from . import files
from .job import Doer, Job, Task, token_ids

BATCH = 512


class Context:
    def __init__(self, job: Job, threads: int, flash: bool) -> None:
        import llama_cpp

        self.api = llama_cpp
        llama_cpp.llama_backend_init()
        self.quiet = llama_cpp.llama_log_callback(lambda level, text, user: None)
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        path = str(files.smollm2()).encode()
        model_params = llama_cpp.llama_model_default_params()
        if has_tiles() and (job.kind == "prompt" or job.depth > 0):
            model_params.use_extra_bufts = False
        self.model = llama_cpp.llama_model_load_from_file(path, model_params)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = job.depth + job.tokens + BATCH
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = int(flash)
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.memory = llama_cpp.llama_get_memory(self.context)

    def decode(self, ids: list[int]) -> None:
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            tokens = (self.api.llama_token * len(part))(*part)  # the batch only points to it
            batch = self.api.llama_batch_get_one(tokens, len(part))
            status = self.api.llama_decode(self.context, batch)
            if status:
                raise RuntimeError(f"llama_decode returned {status}")

    def rollback(self, length: int) -> None:
        self.api.llama_memory_seq_rm(self.memory, 0, length, -1)

    def last_logits(self) -> Any:
        """[vocabulary], after the token decoded last."""
        import numpy as np

        count = self.api.llama_vocab_n_tokens(self.api.llama_model_get_vocab(self.model))
        return np.ctypeslib.as_array(self.api.llama_get_logits_ith(self.context, -1), (count,)).copy()


def has_tiles() -> bool:
    """Whether llama.cpp lays the weights out for AMX: their product with many tokens ends in a segmentation fault here as elsewhere
    (ggml-org/llama.cpp#20824). Without that layout it multiplies with AVX-512."""
    return " amx_int8 " in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")


def make(job: Job, threads: int, flash: bool) -> Task:
    context: Any = Context(job, threads, flash)
    if job.kind == "prompt":
        ids = token_ids(job.tokens)
        return Task(lambda: (context.rollback(0), context.decode(ids)), context.last_logits)
    context.decode(token_ids(job.depth))
    ids = token_ids(job.tokens, seed=2)

    def generate() -> None:
        for token in ids:
            context.decode([token])
        context.rollback(job.depth)

    return Task(generate, context.last_logits)


def version() -> str:
    import llama_cpp

    return f"llama-cpp-python {llama_cpp.__version__}"


REQUIREMENTS = ["llama-cpp-python==0.3.36"]
LLAMA = Doer("llama.cpp", REQUIREMENTS, ["smollm2"], version, lambda job, threads: make(job, threads, False), "with_llama_cpp.py")
LLAMA_FLASH = Doer("llama.cpp-flash", REQUIREMENTS, ["smollm2"], version, lambda job, threads: make(job, threads, True))
