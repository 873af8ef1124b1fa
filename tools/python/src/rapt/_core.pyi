"""The extension module, src/module.cpp. Its arguments are those of __init__.py after the checks there."""

from typing import Any

__version__: str

def attention(
    q: Any, k: Any, v: Any, out: Any, lse: Any | None,
    scale: float | None, causal: int, backend: str, isa: str | None, threads: int,
) -> None: ...
def explain(
    q: Any, k: Any, v: Any, scale: float | None, causal: int, backend: str, isa: str | None, threads: int
) -> str: ...
def info() -> dict[str, Any]: ...
