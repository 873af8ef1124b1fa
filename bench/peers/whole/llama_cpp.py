"""llama.cpp through llama-cpp-python's bindings of its C interface, built for this CPU. Layer: bench/peers/whole."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

from . import files
from .job import Doer, Job, token_ids

BATCH = 512


class Context:
    def __init__(self, job: Job, threads: int, flash: bool, api: Any = None) -> None:
        self.api = llama_cpp = api or importlib.import_module("llama_cpp")
        llama_cpp.llama_backend_init()
        self.quiet = llama_cpp.llama_log_callback(lambda level, text, user: None)
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        path = str(files.smollm2()).encode()
        model_params = llama_cpp.llama_model_default_params()
        if has_tiles() and (job.kind != "generate" or job.depth > 0):
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


def has_tiles() -> bool:
    """Whether llama.cpp lays the weights out for AMX: their product with many tokens ends in a segmentation fault here as elsewhere
    (ggml-org/llama.cpp#20824). Without that layout it multiplies with AVX-512."""
    return " amx_int8 " in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")


def make(job: Job, threads: int, flash: bool) -> Callable[[], object]:
    context: Any = Context(job, threads, flash)
    if job.kind == "prompt":
        ids = token_ids(job.tokens)
        return lambda: (context.rollback(0), context.decode(ids))
    context.decode(token_ids(job.depth))
    ids = token_ids(job.tokens, seed=2)

    def generate() -> None:
        for token in ids:
            context.decode([token])
        context.rollback(job.depth)

    return generate


def bindings_alone() -> Any:
    """Its C interface without the rest of the Python package, which takes longer to import than the library to load."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None:
        raise ImportError("llama_cpp")
    package = sys.modules["llama_cpp"] = ModuleType("llama_cpp")
    package.__path__ = list(spec.submodule_search_locations or ())
    return importlib.import_module("llama_cpp.llama_cpp")


def first_token(threads: int, prompt: str) -> str:
    api, text = bindings_alone(), prompt.encode()
    context: Any = Context(Job("smollm2/start", "smollm2", "start", 1), threads, flash=False, api=api)
    vocabulary = api.llama_model_get_vocab(context.model)
    tokens, piece = (api.llama_token * BATCH)(), ctypes.create_string_buffer(64)
    count = api.llama_tokenize(vocabulary, text, len(text), tokens, BATCH, False, False)
    context.decode(list(tokens[:count]))
    token = api.llama_sampler_sample(api.llama_sampler_init_greedy(), context.context, -1)
    length = api.llama_token_to_piece(vocabulary, token, piece, len(piece), 0, False)
    return piece.raw[:length].decode()


def version() -> str:
    import llama_cpp

    return f"llama-cpp-python {llama_cpp.__version__}"


REQUIREMENTS = ["llama-cpp-python==0.3.36"]
LLAMA = Doer("llama.cpp", REQUIREMENTS, ["smollm2"], version, lambda job, threads: make(job, threads, False), first_token)
LLAMA_FLASH = Doer("llama.cpp-flash", REQUIREMENTS, ["smollm2"], version, lambda job, threads: make(job, threads, True))
