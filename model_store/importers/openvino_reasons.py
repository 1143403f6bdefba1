"""Why OpenVINO cannot read a file, in a sentence made of its message, with what mends it."""

import re

_STANDARD = "where it was made, export it with standard operations"
_BESIDE = (
    "put that file beside it (cp -L where it is a link), or where it was made write one file: "
    'onnx.save_model(onnx.load("model.onnx"), "whole.onnx")'
)
# Its own sources, and steps of its own, which tell a user nothing.
_NOISE = re.compile(r"Exception from .*|Check '.*' failed at .*|Loading input model")


def reason(message: str) -> str:
    """Return the sentence for the message of a `RuntimeError` of OpenVINO."""
    if outside := re.search(r"Path '(.+?)' resolves to", message):
        return f"its weights lie in {outside[1]!r}, which leads out of its folder; {_BESIDE}"
    if missing := re.search(r"externally stored data in file \((.+?), offset", message):
        return (
            f"its weights lie in {missing[1]!r}, which is missing or shorter than the network says;"
            f" {_BESIDE}"
        )
    if "not supported" in message.lower() or "conversion rule" in message:
        return _of_operations(message)
    lines = [line for line in message.splitlines() if line and not _NOISE.fullmatch(line)]
    return lines[0] if lines else "it is damaged"


def _of_operations(message: str) -> str:
    found = re.search(r"(?:operations?:|operation) +'?([\w.,: ]+)", message)
    if found is None:
        return message
    return f"it needs operations that OpenVINO does not have ({found[1].strip()}); {_STANDARD}"
