"""Tensors as pictures: encoded ones, and pixels that the client has decoded itself.

Every size is checked against the bytes that are there before anything is made of it.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

from api import encoded, uploads
from api.errors import ApiError, MalformedRequestError
from api.settings import settings
from api.uploads import Upload
from model_store.errors import ImageError
from model_store.pictures import npy

BYTES, UINT8, FP32 = "BYTES", "UINT8", "FP32"
KINDS = {UINT8: npy.UINT8, FP32: npy.FLOAT32}
LENGTH = struct.Struct("<I")
MOST_DIMENSIONS = 4


@dataclass(frozen=True)
class Tensor:
    """Pictures [N] as `BYTES`, or their pixels [N, H, W, 3].

    Its values are `data`, flat or nested, or `raw` as the binary extension writes them.
    """

    datatype: str
    shape: tuple[int, ...]
    data: list[Any] | None = None
    raw: bytes = b""


def of(tensor: Tensor) -> tuple[Upload, ...]:
    """Return the pictures of a tensor, each checked like any upload.

    Raises:
        MalformedRequestError: its shape and its values do not fit, or there are too many.
        ApiError, ImageError: a picture cannot be taken; says which.
    """
    _check_shape(tensor)
    check_count(tensor.shape[0])
    return checked(_encoded(tensor) if tensor.datatype == BYTES else _arrays(tensor))


def check_count(n: int) -> None:
    """Refuse more pictures than one request may have.

    Raises:
        MalformedRequestError: there are more, or none.
    """
    most = settings().max_batch_pictures
    if not 1 <= n <= most:
        message = f"{n} pictures in one request; expected 1 to {most}; see /bulk for more"
        raise MalformedRequestError(message)


def checked(images: Iterable[bytes]) -> tuple[Upload, ...]:
    """Return pictures whose size and header allow to classify them.

    Raises:
        ApiError, ImageError: one cannot be taken; says which.
    """
    found = []
    for number, image in enumerate(images, 1):
        try:
            found.append(uploads.checked(image, filename="image"))
        except (ApiError, ImageError) as exc:
            raise type(exc)(f"picture {number}: {exc}") from exc
    return tuple(found)


def array(nested: list[Any]) -> bytes:
    """Return pixels [H][W][3] as a picture: whole numbers are uint8, others float32.

    Raises:
        MalformedRequestError: it is no such array.
    """
    shape = _shape_of(nested)
    if len(shape) != MOST_DIMENSIONS - 1:
        raise MalformedRequestError(f"an array has {len(shape)} dimensions; expected [H, W, 3]")
    flat = _flat(nested, shape)
    kind = FP32 if any(isinstance(value, float) for value in flat) else UINT8
    tensor = Tensor(kind, (1, *shape), flat)
    _check_shape(tensor)
    return next(_arrays(tensor))


def _check_shape(tensor: Tensor) -> None:
    shape = tensor.shape
    if tensor.datatype == BYTES:
        if len(shape) == 1 or shape[1:] == (1,):
            return
        raise MalformedRequestError(f"a BYTES tensor is {list(shape)}; expected [N]")
    if len(shape) != MOST_DIMENSIONS or shape[-1] != npy.CHANNELS:
        message = f"a tensor of pixels is {list(shape)}; expected [N, height, width, 3]"
        raise MalformedRequestError(message)


def _encoded(tensor: Tensor) -> Iterator[bytes]:
    """Yield the files that a `BYTES` tensor holds."""
    if tensor.data is None:
        yield from _elements(tensor.raw, tensor.shape[0])
        return
    for text in _flat(tensor.data, tensor.shape):
        if not isinstance(text, str):
            raise MalformedRequestError("BYTES data in JSON are texts: each a picture in base64")
        yield encoded.decoded(text)


def _elements(raw: bytes, n: int) -> Iterator[bytes]:
    """Yield the `n` elements of a `BYTES` tensor: each its length in four bytes, then itself."""
    at = 0
    for number in range(1, n + 1):
        begin = at + LENGTH.size
        end = begin + LENGTH.unpack_from(raw, at)[0] if begin <= len(raw) else begin
        if end > len(raw):
            message = f"element {number} of the BYTES tensor ends after its {len(raw)} bytes"
            raise MalformedRequestError(message)
        yield raw[begin:end]
        at = end
    if at != len(raw):
        message = f"the BYTES tensor has {len(raw)} bytes; its {n} elements have {at}"
        raise MalformedRequestError(message)


def _arrays(tensor: Tensor) -> Iterator[bytes]:
    """Yield the pixels of each picture as an array of its own."""
    n, height, width, _ = tensor.shape
    kind = KINDS[tensor.datatype]
    expected = prod(tensor.shape) * npy.ITEM_BYTES[kind]
    values = tensor.raw if tensor.data is None else _packed(tensor)
    if len(values) != expected:
        message = f"{tensor.datatype} {list(tensor.shape)} has {len(values)} bytes"
        raise MalformedRequestError(f"{message}; expected {expected}")
    size = expected // n
    for start in range(0, expected, size):
        piece = values[start : start + size]
        yield npy.to_bytes(piece, kind=kind, height=height, width=width)


def _packed(tensor: Tensor) -> bytes:
    flat = _flat(tensor.data or [], tensor.shape)
    try:
        if tensor.datatype == UINT8:
            return bytes(flat)
        return struct.pack(f"<{len(flat)}f", *flat)
    except (TypeError, ValueError, OverflowError, struct.error) as exc:
        expected = "whole numbers from 0 to 255" if tensor.datatype == UINT8 else "float32 numbers"
        raise MalformedRequestError(f"{tensor.datatype} data must be {expected}") from exc


def _shape_of(nested: list[Any]) -> tuple[int, ...]:
    """Return the shape that the first elements of a nested list have, to four dimensions."""
    shape: list[int] = []
    inner: Any = nested
    while isinstance(inner, list) and len(shape) < MOST_DIMENSIONS:
        shape.append(len(inner))
        inner = inner[0] if inner else None
    return tuple(shape)


def _flat(data: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Return the values of a list that is flat already, or nested as the shape says.

    Raises:
        MalformedRequestError: it has another shape.
    """
    expected, level = prod(shape), data
    if data and isinstance(data[0], list):
        _check_nested(len(data) == shape[0], shape)
        for inner in shape[1:]:
            is_right = all(isinstance(each, list) and len(each) == inner for each in level)
            _check_nested(is_right, shape)
            level = list(chain.from_iterable(level))
    if len(level) != expected:
        message = f"{len(level)} values are no tensor {list(shape)}; expected {expected}"
        raise MalformedRequestError(message)
    return level


def _check_nested(is_right: bool, shape: tuple[int, ...]) -> None:
    if not is_right:
        raise MalformedRequestError(f"the nested data are not {list(shape)}")
