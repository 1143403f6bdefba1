"""The tiny classifier of `tiny_sources` as an ONNX file, written field by field.

Source of the field numbers: `onnx.proto3` of the ONNX project.
"""

import struct
from pathlib import Path

SHARPNESS = 6.0
WEIGHTS = struct.pack("<f", SHARPNESS)
FLOAT, UINT8 = 1, 2


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


def _value(field: int, name: str, shape: tuple[int | str, ...], kind: int = FLOAT) -> bytes:
    dims = b"".join(
        _text(1, _text(2, side) if isinstance(side, str) else _number(1, side)) for side in shape
    )
    tensor = _number(1, kind) + _text(2, dims)
    return _text(field, _text(1, name) + _text(2, _text(1, tensor)))


def _node(
    op: str, taken: list[str], given: str, *, domain: str = "", **attributes: int | list[int]
) -> bytes:
    raw = b"".join(_text(1, name) for name in taken) + _text(2, given) + _text(4, op)
    for name, value in attributes.items():
        if isinstance(value, list):
            numbers = b"".join(_number(8, number) for number in value) + _number(20, 7)
        else:
            numbers = _number(3, value) + _number(20, 2)
        raw += _text(5, _text(1, name) + numbers)
    return _text(1, raw + (_text(7, domain) if domain else b""))


def _outside(location: str) -> bytes:
    entries = {"location": location, "offset": "0", "length": str(len(WEIGHTS))}
    pairs = (_text(13, _text(1, key) + _text(2, value)) for key, value in entries.items())
    return b"".join(pairs) + _number(14, 1)


def write(  # noqa: PLR0913 - one for each thing that a file may have otherwise
    path: Path,
    *,
    last: str = "Softmax",
    domain: str = "",
    shape: tuple[int | str, ...] = ("N", 3, 8, 8),
    inputs: tuple[str, ...] = ("image",),
    outputs: tuple[str, ...] = ("answer",),
    one_number: bool = False,
    weights_at: str | None = None,
    takes_uint8: bool = False,
) -> Path:
    """Write a network of pixels from 0 to 1; `last` is its last operation.

    With `one_number` it gives the mean of all channels; with `weights_at` it says that its one
    weight lies in the file of that name, which is not written here; with `takes_uint8` it takes
    pixels from 0 to 255 and divides them by 255 itself.
    """
    raw = _text(9, WEIGHTS) if weights_at is None else _outside(weights_at)
    sharpness = _number(2, FLOAT) + _text(8, "sharpness") + raw
    full = _number(2, FLOAT) + _text(8, "full") + _text(9, struct.pack("<f", 255.0))
    axes = [1, 2] if shape[1] not in (1, 3) else [2, 3]
    axes = [1, 2, 3] if one_number else axes
    graph = b""
    if takes_uint8:
        graph += _node("Cast", ["image"], "floats", to=FLOAT)
        graph += _node("Div", ["floats", "full"], "pixels") + _text(5, full)
    pixels = "pixels" if takes_uint8 else "image"
    graph += _node("ReduceMean", [pixels], "mean", axes=axes) + _node("Flatten", ["mean"], "flat")
    graph += _node("Mul", ["flat", "sharpness"], "logits")
    graph += b"".join(_node(last, ["logits"], name, domain=domain) for name in outputs)
    graph += _text(2, "tiny") + _text(5, sharpness)
    kind = UINT8 if takes_uint8 else FLOAT
    graph += b"".join(_value(11, name, shape, kind) for name in inputs)
    graph += b"".join(_value(12, name, ("N", 1 if one_number else 3)) for name in outputs)
    opsets = _text(8, _number(2, 13)) + (
        _text(8, _text(1, domain) + _number(2, 1)) if domain else b""
    )
    path.write_bytes(_number(1, 8) + _text(7, graph) + opsets)
    return path
