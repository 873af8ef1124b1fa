"""The two kinds of arrays that rapt takes, NumPy's and PyTorch's: what is checked of them, and conversions of small ones.

Layer: below _arguments.py. Neither library is imported here: who passes an array has imported its library.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType

from ._hints import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_KINDS = (("numpy", "ndarray"), ("torch", "Tensor"))

FLOATS = ("float32", "bfloat16", "float16")
STORED = (*FLOATS, "int8")
MASKS = ("bool", *FLOATS)
BOOL = ("bool",)
FLOAT32 = ("float32",)

# Form of arrays.h: how many dimensions an array may have.
_BROADCAST, _ROWS = 1, 2

_LARGEST = {"int32": 2**31 - 1, "int64": 2**63 - 1}
_BYTES = {"int32": 4, "int64": 8}


def library_of(name: str, array: Any) -> ModuleType:
    """The module numpy or torch, whichever `array` is from."""
    for module_name, class_name in _KINDS:
        module = sys.modules.get(module_name)
        if module is not None and isinstance(array, getattr(module, class_name, ())):
            return module
    raise TypeError(f"{name} is a {_type_name(array)}; it must be a numpy.ndarray or a torch.Tensor")


def check_array(
    library: ModuleType, name: str, array: Any, dtypes: tuple[str, ...], layout: str, form: int, output: bool
) -> Any:
    """Raises unless `array` is a CPU array of `library` with one of `dtypes`, four dimensions and contiguous rows.

    _core calls it for what it does not take at first sight. Missing dimensions, where `form` allows them, have extent 1.
    Returns what is to be exported.
    """
    refuse_masked(name, array, f"{name}.data, and what is to be hidden as mask=")
    if library_of(name, array) is not library:
        raise TypeError(
            f"{name} is a {_type_name(array)}, but the first array is from {library.__name__}; all arrays must be of one kind"
        )
    dtype = _dtype_name(array)
    if dtype not in dtypes:
        raise TypeError(f"{name} has dtype {dtype}; {_listed(dtypes)} {'is' if len(dtypes) == 1 else 'are'} supported")
    _check_dimensions(name, array, layout, form)
    array = _check_tensor(library, name, array) if library.__name__ == "torch" else array
    if array.ndim < 4:
        array = array[..., None] if form == _ROWS else array[(None,) * (4 - array.ndim)]
    _check_contiguous_rows(library, name, array)
    if output and library.__name__ == "numpy" and not array.flags.writeable:
        raise ValueError(f"{name} is read-only; it must be writable")
    return _exported(library, array)


def mark_written(library: ModuleType, *arrays: Any) -> None:
    """Tells autograd of tensors that rapt has written to, so that backward() raises where it needs what they held before."""
    increment, tensors = versioned(library, arrays)
    for tensor in tensors:
        increment(tensor)


def versioned(library: ModuleType, arrays: Iterable[Any]) -> tuple[Any, tuple[Any, ...]]:
    """What raises a tensor's version, and those of `arrays` that have one."""
    increment = getattr(library.autograd.graph, "increment_version", None) if library.__name__ == "torch" else None  # from PyTorch 2.1 on
    return increment, tuple(array for array in arrays if not array.is_inference()) if increment is not None else ()


def wide_integer(value: Any, depth: int) -> int | None:
    """The first integer that int64 does not hold in up to `depth` nested lists of nothing but integers. NumPy makes objects or
    floats of such lists, and PyTorch an error."""
    wide = None
    for number in _integers_in(value, depth):
        if number is None:
            return None
        if wide is None and not -(2**63) <= number < 2**63:
            wide = number
    return wide


def _integers_in(value: Any, depth: int) -> Iterator[int | None]:
    """None for what is no integer."""
    if getattr(value, "dtype", None) == object:
        value = value.tolist()
    if isinstance(value, (list, tuple)) and depth > 0:
        for element in value:
            yield from _integers_in(element, depth - 1)
    else:
        yield value if isinstance(value, int) and not isinstance(value, bool) else None


def refuse_masked(name: str, array: Any, instead: str) -> None:
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(array, masked.MaskedArray):
        raise TypeError(f"{name} is a numpy.ma.MaskedArray, whose mask rapt does not read; pass {instead}")


def _check_dimensions(name: str, array: Any, layout: str, form: int) -> None:
    if form == _BROADCAST:
        fits, wanted = 1 <= array.ndim <= 4, "at most 4"
    elif form == _ROWS:
        fits, wanted = array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 1), "3"
    else:
        fits, wanted = array.ndim == 4, "4"
    if not fits:
        raise ValueError(f"{name} has {array.ndim} dimensions; it must have {wanted}: {layout}")


def integers(
    library: ModuleType, name: str, value: Any, shape: tuple[int, ...], dtype: str = "int64", shared: bool = False
) -> Any:
    """Integers (an array of either kind, lists, an integer) as a contiguous array of `dtype` and `shape`; -1 is any extent.

    Dimensions missing on the left are repeated. A copy unless `shared`: they become addresses after they were checked, when the GIL
    is released and another thread may write to the caller's array.
    """
    try:
        array = _as_array(library, name, value, "integers")
        empty = 0 in array.shape  # an empty list has no type of its own
        if not _is(array, "int", "uint") and not empty:
            raise TypeError(f"{name} has dtype {_dtype_name(array)}; it must hold integers")
    except TypeError:
        if wide_integer(value, len(shape)) is not None:
            raise ValueError(f"{name} holds a number that does not fit in {dtype}") from None
        raise
    if not empty and not (array.itemsize <= _BYTES[dtype] and _is(array, "int")):
        _check_range(library, name, array, dtype)
    array = _contiguous(library, _repeated(name, array, shape), dtype)
    if shared:
        return array
    return array.clone() if library.__name__ == "torch" else array.copy()


def _check_range(library: ModuleType, name: str, array: Any, dtype: str) -> None:
    if library.__name__ == "torch":
        array = array.to(library.int64)  # PyTorch finds no maximum of its unsigned types
    largest = _LARGEST[dtype]
    if int(array.max()) > largest or int(array.min()) < -largest - 1:
        raise ValueError(f"{name} holds a number that does not fit in {dtype}")


def numbers(library: ModuleType, name: str, value: Any, shape: tuple[int, ...]) -> Any:
    """Numbers as a contiguous float32 array of `shape`, otherwise as integers()."""
    array = _as_array(library, name, value, "numbers")
    if not _is(array, "int", "uint", "float", "bfloat"):
        raise TypeError(f"{name} has dtype {_dtype_name(array)}; it must hold real numbers")
    return _contiguous(library, _repeated(name, array, shape), "float32")


def booleans(library: ModuleType, name: str, value: Any, shape: tuple[int, ...]) -> Any:
    """Booleans as a contiguous array of `shape`, otherwise as integers()."""
    array = _as_array(library, name, value, "booleans")
    if not _is(array, "bool"):
        raise TypeError(f"{name} has dtype {_dtype_name(array)}; it must be bool")
    return _contiguous(library, _repeated(name, array, shape), "bool")


def _as_array(library: ModuleType, name: str, value: Any, what: str) -> Any:
    if value is None or isinstance(value, str):
        raise TypeError(f"{name} is {value!r}; it must be an array or a list of {what}")
    refuse_masked(name, value, "an array without one")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = _check_tensor(torch, name, value)
    try:
        return library.as_tensor(value) if library.__name__ == "torch" else library.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeError(f"{name} is no array or list of {what}: {error}") from None


def _repeated(name: str, array: Any, shape: tuple[int, ...]) -> Any:
    given = tuple(array.shape)
    if given == shape:
        return array
    missing = len(shape) - len(given)
    fits = missing >= 0 and all(extent in (-1, n) for extent, n in zip(shape[missing:], given, strict=True))
    if not fits or -1 in shape[:missing]:
        wanted = ", ".join("any" if extent == -1 else str(extent) for extent in shape)
        raise ValueError(f"{name} has shape {list(given)}; it must be [{wanted}]")
    full = (*shape[:missing], *given)
    return array.expand(full) if hasattr(array, "expand") else sys.modules["numpy"].broadcast_to(array, full)


def _contiguous(library: ModuleType, array: Any, dtype: str) -> Any:
    if library.__name__ == "torch":
        return array.to(getattr(library, dtype)).contiguous()
    return library.ascontiguousarray(array, dtype=dtype)


def _exported(library: ModuleType, array: Any) -> Any:
    """What DLPack carries: ml_dtypes.bfloat16, which NumPy cannot export, goes as uint16, and module.cpp knows."""
    if library.__name__ == "numpy" and _dtype_name(array) == "bfloat16":
        return array.view(library.uint16)
    return array


def _check_contiguous_rows(library: ModuleType, name: str, array: Any) -> None:
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
    if _has_tangent(torch, tensor):
        raise NotImplementedError(
            f"{name} has a tangent of forward-mode differentiation, and rapt computes no gradients; pass "
            f"torch.autograd.forward_ad.unpack_dual({name}).primal"
        )
    if not tensor.requires_grad:
        return tensor
    if torch.is_grad_enabled():
        raise NotImplementedError(
            f"{name} requires grad, and rapt computes no gradients; call it under torch.no_grad(), or pass {name}.detach()"
        )
    return tensor.detach()


def _has_tangent(torch: ModuleType, tensor: Any) -> bool:
    """Of forward-mode differentiation, where it is not switched off."""
    forward = getattr(torch.autograd, "forward_ad", None)
    if forward is None or getattr(forward, "_current_level", 0) < 0 or torch.is_inference_mode_enabled():
        return False
    return forward.unpack_dual(tensor).tangent is not None


def _dtype_name(array: Any) -> str:
    return _name_of(array.dtype)


def _is(array: Any, *kinds: str) -> bool:
    """Whether the type's name is one of `kinds` and a number of bits."""
    return _kind_of(array.dtype) in kinds


# NumPy takes microseconds to make a name.
@functools.lru_cache(maxsize=64)
def _name_of(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


@functools.lru_cache(maxsize=64)
def _kind_of(dtype: Any) -> str:
    """int, uint, float, ..., in any byte order."""
    return (dtype.name if hasattr(dtype, "name") else _name_of(dtype)).rstrip("0123456789")


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _type_name(array: Any) -> str:
    cls = type(array)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
