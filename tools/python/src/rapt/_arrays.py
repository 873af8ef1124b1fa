"""The two kinds of arrays that rapt takes, NumPy's and PyTorch's, and what is checked of them.

Layer: below __init__.py. Neither library is imported here: who passes an array has imported its library.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

_KINDS = (("numpy", "ndarray"), ("torch", "Tensor"))


def library_of(name: str, array: Any) -> ModuleType:
    """The module numpy or torch, whichever `array` is from."""
    for module_name, class_name in _KINDS:
        module = sys.modules.get(module_name)
        if module is not None and isinstance(array, getattr(module, class_name, ())):
            return module
    raise TypeError(f"{name} is a {_type_name(array)}; it must be a numpy.ndarray or a torch.Tensor")


def check_array(library: ModuleType, name: str, array: Any) -> Any:
    """Raises unless `array` is a float32 CPU array of `library` with four dimensions. Returns what is to be exported."""
    if library_of(name, array) is not library:
        raise TypeError(f"{name} is a {_type_name(array)}, but q is from {library.__name__}; all arrays must be of one kind")
    if array.dtype != library.float32:
        dtype = str(array.dtype).removeprefix("torch.")
        raise TypeError(f"{name} has dtype {dtype}; float32 is supported")
    if array.ndim != 4:
        raise ValueError(f"{name} has {array.ndim} dimensions; it must have 4: [batch, heads, length, head_dim]")
    return array if library.__name__ == "numpy" else _check_tensor(library, name, array)


def check_writable(library: ModuleType, name: str, array: Any) -> None:
    if library.__name__ == "numpy" and not array.flags.writeable:
        raise ValueError(f"{name} is read-only; it must be writable")


def check_contiguous_rows(library: ModuleType, name: str, array: Any) -> None:
    """Raises unless the last dimension is contiguous. Elements of one row are read in vectors."""
    if array.shape[3] <= 1 or 0 in array.shape:
        return
    stride = array.strides[3] / array.itemsize if library.__name__ == "numpy" else array.stride(3)
    if stride != 1:
        fix = f"numpy.ascontiguousarray({name})" if library.__name__ == "numpy" else f"{name}.contiguous()"
        raise ValueError(f"{name}'s last dimension has stride {stride:g}; it must be contiguous (stride 1), as in {fix}")


def _check_tensor(torch: ModuleType, name: str, tensor: Any) -> Any:
    if tensor.device.type != "cpu" or tensor.layout != torch.strided:
        raise TypeError(f"{name} is a {tensor.layout} tensor on {tensor.device}; it must be a strided tensor on the CPU")
    if tensor.is_neg():
        raise ValueError(f"{name} is a lazily negated view; it must be materialised: {name}.resolve_neg()")
    if not tensor.requires_grad:
        return tensor
    if torch.is_grad_enabled():
        raise NotImplementedError(
            f"{name} requires grad, and rapt computes no gradients; call it under torch.no_grad(), or pass {name}.detach()"
        )
    return tensor.detach()


def _type_name(array: Any) -> str:
    cls = type(array)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
