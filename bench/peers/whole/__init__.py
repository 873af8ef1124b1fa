"""Whole models of other projects beside rapt.Model: the jobs (job.py), who does them, and the list. Layer: bench/peers; above harness."""

from .frameworks import OPENVINO, OPENVINO_BF16, TORCH
from .job import Doer
from .llama_cpp import LLAMA, LLAMA_FLASH
from .ours import OURS, OURS_BF16

DOERS: dict[str, Doer] = {doer.name: doer for doer in (OURS, OURS_BF16, LLAMA, LLAMA_FLASH, TORCH, OPENVINO, OPENVINO_BF16)}
