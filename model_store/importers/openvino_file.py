"""Imports ONNX and OpenVINO IR files as versions of their own, which OpenVINO reads and runs.

No SavedModel is made of them: OpenVINO is the reference that int8 is measured against.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store import runtimes, verification
from model_store.card import ModelCard, Origin, PreprocessingSpec
from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import ImportOptions, labels, openvino_reasons, probing
from model_store.importers.probing import Rows
from model_store.reports import Report
from model_store.runtimes import openvino as runtime

# isort: split
# After the runtime, which keeps OpenVINO from reporting to its maker.
import openvino
from openvino import opset13
from openvino.preprocess import ColorFormat, PrePostProcessor

REFERENCE = "openvino"
RANK = 4
COLOURS, GREY = 3, 1
_TYPES = ("u8", "f16", "bf16", "f32")


def draft(source: str, options: ImportOptions, directory: Path, *, report: Report) -> ModelCard:
    """Write the checked network into `directory` as OpenVINO's files; return the card's draft.

    Raises:
        ModelFormatError: the file cannot be read, or is no classifier that can be served.
        ImportOptionError: an option is missing, or does not fit.
    """
    path = Path(source)
    network = _one_in_one_out(read(path), options)
    layout, size = _picture(network, options)
    spec = _preprocessing(network, options, size)
    network = _prepared(network, spec, layout)
    report("Trying it on drawn pictures")
    rows = probing.answers(_predict(network), size)
    if rows.shape[1] == 1:
        network = _of_two_labels(network, rows, report)
        rows = probing.answers(_predict(network), size)
    if logits := probing.are_logits(rows, _last(network).get_node().get_type_name()):
        network = _ending(network, opset13.softmax(_last(network), 1))
    report(f"It gives {'logits, which get a softmax' if logits else 'probabilities'}")
    found = labels.find(options.labels, path.parent, classes=rows.shape[1])
    artifact = directory / runtimes.OWN_ARTIFACTS[REFERENCE]
    artifact.parent.mkdir(parents=True)
    openvino.save_model(network, artifact, compress_to_fp16=False)
    return ModelCard(
        name=options.name,
        labels=found,
        preprocessing=spec,
        variants=(),
        licence=options.licence,
        origin=_origin(path),
        reference=REFERENCE,
    )


def read(path: Path) -> Any:
    """Return the network of a file.

    Raises:
        ModelFormatError: OpenVINO cannot read it; the message says why.
    """
    if path.suffix.lower() == ".xml" and not path.with_suffix(".bin").exists():
        raise ModelFormatError(
            f"{path} has no {path.with_suffix('.bin').name} beside it, which holds its weights"
        )
    try:
        return openvino.Core().read_model(path)
    except RuntimeError as exc:
        raise ModelFormatError(
            f"OpenVINO cannot read {path}: {openvino_reasons.reason(str(exc))}"
        ) from exc


def _one_in_one_out(network: Any, options: ImportOptions) -> Any:
    if len(network.inputs) != 1:
        raise ModelFormatError(
            f"the network has {len(network.inputs)} inputs, {_listed(network.inputs)}; expected "
            "the pictures alone: make the others constants where it was made, and export that"
        )
    chosen = [port for port in network.outputs if options.output_layer in port.names]
    if len(network.outputs) != 1 and not chosen:
        raise ImportOptionError(
            f"the network has {len(network.outputs)} outputs, {_listed(network.outputs)}; say "
            "which gives the answers with --output-layer NAME"
        )
    port = (chosen or network.outputs)[0]
    return _ending(network, port.get_node().input_value(0))


def _listed(ports: Any) -> str:
    return ", ".join(
        f"{next(iter(sorted(port.names)), 'nameless')!r} {port.partial_shape}" for port in ports
    )


def _picture(network: Any, options: ImportOptions) -> tuple[str, int]:
    """Return the layout and the side in pixels; the network takes any number of them after that."""
    port = network.inputs[0]
    shape, kind = port.partial_shape, port.element_type.get_type_name()
    found = f"input {_listed([port])} is {kind}"
    layout = _layout(shape) if shape.rank.is_static and len(shape) == RANK else ""
    if not layout or kind not in _TYPES:
        raise ModelFormatError(
            f"{found}; expected one batch of pictures, [N, 3, height, width] or "
            "[N, height, width, 3], uint8 or floats, or 1 instead of 3 for grey"
        )
    height, width = (shape[layout.index(letter)] for letter in "HW")
    side = _side(height, width, options.input_size, found)
    sizes = {"N": -1, "C": shape[layout.index("C")], "H": side, "W": side}
    taken = [sizes[letter] for letter in layout]
    try:
        network.reshape({port: taken})
    except RuntimeError as exc:
        wanted = ", ".join("N" if length == -1 else str(length) for length in taken)
        raise ModelFormatError(
            f"{found} and does not take pictures [{wanted}]; if its batch is fixed, export it with "
            'one of any size, as in torch.onnx.export(…, dynamic_axes={"input": {0: "N"}})'
        ) from exc
    return layout, side


def _layout(shape: Any) -> str:
    for channels in (COLOURS, GREY):
        for layout in ("NCHW", "NHWC"):
            if shape[layout.index("C")] == channels:
                return layout
    return ""


def _side(height: Any, width: Any, wanted: int | None, found: str) -> int:
    known = [side.get_length() for side in (height, width) if side.is_static]
    if len(set(known)) > 1:
        raise ModelFormatError(
            f"{found}; expected square pictures. Where it was made, have it take the square and "
            f"squeeze that itself: torch.nn.Sequential(torch.nn.Upsample(({known[0]}, {known[1]}), "
            'mode="bilinear"), model), and export that with square pictures'
        )
    if not known and wanted is None:
        raise ImportOptionError(f"{found}; say the height and width in pixels with --input-size")
    if known and wanted and known[0] != wanted:
        raise ImportOptionError(f"{found}; --input-size {wanted} does not fit, leave it out")
    return int(known[0] if known else wanted or 0)


def _preprocessing(network: Any, options: ImportOptions, size: int) -> PreprocessingSpec:
    takes_uint8 = network.inputs[0].element_type == openvino.Type.u8
    if takes_uint8 and not (options.mean or options.scale):
        return options.preprocessing(mean=(0.0,) * 3, scale=(1.0,) * 3, input_size=size)
    if takes_uint8 or options.mean is None or options.scale is None:
        raise ImportOptionError(
            "the network takes uint8 pixels and normalises them itself; leave --mean and --std out"
            if takes_uint8
            else "the network takes float pixels; say with --mean and --std how 0 to 255 become "
            "its numbers, (pixel - mean) / std: 123.675,116.28,103.53 and 58.395,57.12,57.375 for "
            "most networks of PyTorch, 0 and 255 for 0 to 1"
        )
    return options.preprocessing(mean=options.mean, scale=options.scale, input_size=size)


def _prepared(network: Any, spec: PreprocessingSpec, layout: str) -> Any:
    """Return a network that takes uint8 [N, H, W, 3], and normalises them and makes them grey."""
    own = network.inputs[0].element_type
    grey = network.inputs[0].partial_shape[layout.index("C")] == GREY
    builder = PrePostProcessor(network)
    taken = builder.input(0)
    taken.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    taken.model().set_layout(openvino.Layout(layout))
    if own != openvino.Type.u8 or grey:
        steps = taken.preprocess().convert_element_type(openvino.Type.f32)
        steps.mean(list(spec.mean)).scale(list(spec.scale))
    if grey:
        taken.tensor().set_color_format(getattr(ColorFormat, spec.channel_order))
        steps.convert_color(ColorFormat.GRAY)
    if own == openvino.Type.u8 and grey:
        steps.custom(_rounded)
    taken.preprocess().convert_element_type(own)
    builder.output(0).tensor().set_element_type(openvino.Type.f32)
    return builder.build()


def _rounded(numbers: Any) -> Any:
    return opset13.round(numbers, "half_to_even").output(0)


def _predict(network: Any) -> Any:
    compiled = openvino.Core().compile_model(network, "CPU", runtime.options(1))

    def predict(images: NDArray[np.uint8]) -> Rows:
        rows: Rows = compiled([images])[0]
        return rows

    return predict


def _of_two_labels(network: Any, rows: Rows, report: Report) -> Any:
    last = _last(network)
    is_probability = probing.is_probability(rows, last.get_node().get_type_name())
    report(
        f"Its one number is a {'probability' if is_probability else 'logit, which gets a sigmoid'}:"
        " that of the second label"
    )
    second = last if is_probability else opset13.sigmoid(last).output(0)
    first = opset13.subtract(opset13.constant(np.float32(1)), second)
    return _ending(network, opset13.concat([first.output(0), second], 1))


def _last(network: Any) -> Any:
    return network.outputs[0].get_node().input_value(0)


def _ending(network: Any, last: Any) -> Any:
    return openvino.Model([last], network.get_parameters(), network.get_friendly_name())


def _origin(path: Path) -> Origin:
    kind = "ONNX file" if path.suffix.lower() == ".onnx" else "OpenVINO IR"
    digest = verification.file_digest(path)
    return Origin("file", f"{kind}, run by OpenVINO", file=path.name, sha256=digest)
