"""Reads a state dict in PyTorch's legacy file format, without PyTorch and without running its code.

The file is a row of pickles (a magic number, the protocol, facts about the machine, the state dict
with references to storages, the storage keys), then each storage as an int64 count and raw numbers.

Source: `torch/serialization.py`, `_legacy_save`.
"""

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from model_store.errors import ModelFormatError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    size: int


@dataclass(frozen=True)
class _Tensor:
    """Where a tensor lies in its storage; offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Return every tensor of the file by its name, contiguous.

    Raises:
        ModelFormatError: the file is of another format, asks for a name outside a short list, or
            ends too early.
    """
    try:
        with path.open("rb") as stream:
            return _read(stream)
    except ModelFormatError:
        raise
    except (OSError, ValueError, TypeError, LookupError, EOFError, pickle.UnpicklingError) as exc:
        raise ModelFormatError(f"{path.name} is no legacy PyTorch state dict: {exc}") from exc


def _read(stream: BinaryIO) -> dict[str, NDArray[Any]]:
    if (_unpickle(stream), _unpickle(stream)) != (MAGIC_NUMBER, PROTOCOL_VERSION):
        raise ValueError("the magic number or the protocol version is another one")
    _check_machine(_unpickle(stream))
    tensors = _unpickle(stream)
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    numbers = {key: _numbers(stream, storages[key]) for key in _unpickle(stream)}
    return {name: _array(name, tensor, numbers) for name, tensor in tensors.items()}


def _check_machine(facts: Mapping[str, Any]) -> None:
    if not facts["little_endian"]:
        raise ValueError("the numbers are big-endian; only little-endian files are read")


def _numbers(stream: BinaryIO, storage: _Storage) -> NDArray[Any]:
    size = int.from_bytes(stream.read(8), "little", signed=True)
    if size != storage.size:
        raise ValueError(f"storage {storage.key} has {size} numbers; expected {storage.size}")
    return np.frombuffer(stream.read(size * storage.dtype.itemsize), storage.dtype, count=size)


def _array(name: str, tensor: _Tensor, numbers: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    storage = numbers[tensor.storage.key][tensor.offset :]
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True))
    inside = tensor.offset >= 0 and min(tensor.strides, default=0) >= 0 and last < len(storage)
    if not inside or math.prod(tensor.shape) > len(storage):
        raise ValueError(f"tensor {name} reaches outside its storage")
    # Convolution kernels are stored channels last, so a plain reshape would shuffle them.
    strides = [stride * storage.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(storage, tensor.shape, strides).copy()


def _unpickle(stream: BinaryIO) -> Any:
    return _RestrictedUnpickler(stream).load()


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


_ALLOWED: dict[tuple[str, str], Callable[..., Any] | np.dtype[Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that can build nothing but numbers, text, containers and `_Tensor`."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for here.

        Raises:
            ModelFormatError: the name is not on the list.
        """
        if (module, name) not in _ALLOWED:
            raise ModelFormatError(f"the file asks for {module}.{name}, which is not allowed")
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a reference names."""
        kind, dtype, key, _device, size, view = pid
        if kind != "storage" or view is not None:
            raise ModelFormatError(f"the file refers to a {kind!r} with view {view!r}")
        return _Storage(key, dtype, size)
