"""The tiny classifier of `tiny_sources` as an ONNX file, written field by field.

Source of the field numbers: `onnx.proto3` of the ONNX project.
"""

import struct
from pathlib import Path

SHARPNESS = 6.0
FLOAT = 1


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes((value & 127 | 128,)), value >> 7
    return out + bytes((value,))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _value(field: int, name: str, shape: tuple[int | str, ...]) -> bytes:
    dims = b"".join(
        _text(1, _text(2, side) if isinstance(side, str) else _number(1, side)) for side in shape
    )
    tensor = _number(1, FLOAT) + _text(2, dims)
    return _text(field, _text(1, name) + _text(2, _text(1, tensor)))


def _node(op: str, taken: list[str], given: str, *, domain: str = "", **ints: list[int]) -> bytes:
    raw = b"".join(_text(1, name) for name in taken) + _text(2, given) + _text(4, op)
    for name, values in ints.items():
        numbers = b"".join(_number(8, value) for value in values)
        raw += _text(5, _text(1, name) + numbers + _number(20, 7))
    return _text(1, raw + (_text(7, domain) if domain else b""))


def write(  # noqa: PLR0913 - one for each thing that a file may have otherwise
    path: Path,
    *,
    last: str = "Softmax",
    domain: str = "",
    shape: tuple[int | str, ...] = ("N", 3, 8, 8),
    inputs: tuple[str, ...] = ("image",),
    outputs: tuple[str, ...] = ("answer",),
    one_number: bool = False,
) -> Path:
    """Write a network of pixels from 0 to 1; `last` is its last operation.

    With `one_number` it gives the mean of all channels.
    """
    sharpness = _number(2, FLOAT) + _text(8, "sharpness") + _text(9, struct.pack("<f", SHARPNESS))
    axes = [2, 3] if shape[1] == 3 else [1, 2]
    axes = [1, 2, 3] if one_number else axes
    graph = _node("ReduceMean", ["image"], "mean", axes=axes) + _node("Flatten", ["mean"], "flat")
    graph += _node("Mul", ["flat", "sharpness"], "logits")
    graph += b"".join(_node(last, ["logits"], name, domain=domain) for name in outputs)
    graph += _text(2, "tiny") + _text(5, sharpness)
    graph += b"".join(_value(11, name, shape) for name in inputs)
    graph += b"".join(_value(12, name, ("N", 1 if one_number else 3)) for name in outputs)
    opsets = _text(8, _number(2, 13)) + (
        _text(8, _text(1, domain) + _number(2, 1)) if domain else b""
    )
    path.write_bytes(_number(1, 8) + _text(7, graph) + opsets)
    return path
