"""`petiole models publish` and `install`: the ways in.

The options with an underscore are those of TensorFlow's old `label_image.py`, so that a command
line from then still works.
"""

import math
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from model_store import importers, installers
from model_store.card import ChannelOrder, Channels, ModelCard, Resample
from model_store.errors import ImportOptionError
from model_store.importers import ImportOptions
from petiole.console import (
    AsJson,
    Steps,
    classify_with,
    errors_as_lines,
    next_step,
    open_store,
    progress,
)
from petiole.models_tables import show_card

CHANNELS = 3


Source = Annotated[
    str,
    typer.Argument(
        help="SavedModel folder, Keras, ONNX or OpenVINO file, frozen .pb, or hub handle."
    ),
]
Name = Annotated[str, typer.Option(help="The model's name in the store.")]
Labels = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Text, JSON or CSV in class order; or the word imagenet."),
]
Calibration = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, metavar="FOLDER", help="Pictures to measure on."),
]
InputSize = Annotated[
    int | None,
    typer.Option(
        "--input-size", "--input_height", min=1, metavar="PIXELS", help="Height and width."
    ),
]
InputWidth = Annotated[int | None, typer.Option("--input_width", min=1, hidden=True)]
Mean = Annotated[
    str | None,
    typer.Option("--mean", "--input_mean", metavar="N", help="One number, or three with commas."),
]
Std = Annotated[
    str | None,
    typer.Option(
        "--std",
        "--scale",
        "--input_std",
        metavar="N",
        help="The network gets (pixel - mean) / std of pixels from 0 to 255.",
    ),
]
CropFraction = Annotated[
    float,
    typer.Option(
        min=0.01, max=1.0, metavar="SHARE", help="Side of the square, of the shorter side."
    ),
]
Kernel = Annotated[
    Resample,
    typer.Option(metavar="KERNEL", help="nearest, box, bilinear, hamming, bicubic or lanczos."),
]
Order = Annotated[ChannelOrder, typer.Option(metavar="ORDER", help="RGB or BGR.")]
InputLayer = Annotated[
    str | None,
    typer.Option("--input-layer", "--input_layer", metavar="NAME", help="Where pictures go in."),
]
OutputLayer = Annotated[
    str | None,
    typer.Option("--output-layer", "--output_layer", metavar="NAME", help="Where answers are."),
]
Licence = Annotated[str, typer.Option(help="Licence of the weights.")]
Promote = Annotated[bool, typer.Option(help="Make it production at once.")]


def publish(  # noqa: PLR0913 - one parameter for each option
    source: Source,
    *,
    name: Name,
    labels: Labels = None,
    calibration: Calibration = None,
    input_size: InputSize = None,
    input_width: InputWidth = None,
    mean: Mean = None,
    std: Std = None,
    crop_fraction: CropFraction = 1.0,
    resample: Kernel = "bilinear",
    channel_order: Order = "RGB",
    input_layer: InputLayer = None,
    output_layer: OutputLayer = None,
    licence: Licence = "not stated",
    promote: Promote = False,
    as_json: AsJson = False,
) -> None:
    """Check a model, make and measure its variants, and publish it as the next version."""
    with errors_as_lines():
        options = ImportOptions(
            name=name,
            labels=labels,
            input_size=_square(input_size, input_width),
            mean=_channels(mean, "--mean"),
            scale=_channels(std, "--std", above=0),
            crop_fraction=crop_fraction,
            resample=resample,
            channel_order=channel_order,
            licence=licence,
            input_layer=input_layer,
            output_layer=output_layer,
        )
        _publish(source, options, calibration, promote=promote, as_json=as_json)


def install(
    name: Annotated[str, typer.Argument(help="imagenet, or keras:NAME as in keras:MobileNetV2.")],
    weights: Annotated[
        Path | None, typer.Option(help="File with the weights, instead of downloading them.")
    ] = None,
    calibration: Calibration = None,
    as_json: AsJson = False,
) -> None:
    """Fetch, convert and publish a ready-made model, unless the store has it."""
    with errors_as_lines():
        store = open_store()
        with progress() as report:
            given = installers.Given(weights, calibration)
            card = installers.install(store, name, given=given, report=report)
        show_card(store, card, as_json=as_json)
        if not as_json:
            next_step("to classify with it", *classify_with(card.ref))
            next_step("to start the service", "up")


def _publish(
    source: str,
    options: ImportOptions,
    pictures: Path | None,
    *,
    promote: bool,
    as_json: bool,
) -> None:
    store = open_store()
    with progress() as report, tempfile.TemporaryDirectory(prefix="petiole-") as place:
        directory = Path(place) / "model"
        draft = importers.import_model(source, options, directory, report=report)
        from model_store import picture_sets, pipeline  # noqa: PLC0415 - NumPy

        sets = picture_sets.choose(draft, pictures, report)
        card = pipeline.publish(store, directory, draft, sets=sets, report=report)
        if promote:
            store.promote(card.name, card.version)
        production = store.resolve(card.name)[1]
        _say_what_is_served(report, card, production)
    show_card(store, card, as_json=as_json)
    if not as_json:
        next_step("to classify with it", *classify_with(card.ref))
        if production != card.version:
            next_step("to put it in production", "models", "promote", card.ref)


def _say_what_is_served(report: Steps, card: ModelCard, production: int) -> None:
    if production == card.version:
        report(f"Published {card.ref}; {card.name} means it from now on")
    else:
        report(f"Published {card.ref}; {card.name} still means version {production}")


def _channels(text: str | None, option: str, *, above: float = -math.inf) -> Channels | None:
    """Return three numbers: the text has one for all channels, or three with commas."""
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, CHANNELS) or not above < min(values) <= max(values) < math.inf:
        bound = "" if above < 0 else f" above {above:g}"
        raise ImportOptionError(
            f"{option} is {text!r}; expected one number{bound}, or three as in 124,117,104"
        )
    first, second, third = values * CHANNELS if len(values) == 1 else values
    return first, second, third


def _square(height: int | None, width: int | None) -> int | None:
    if height and width and height != width:
        raise ImportOptionError(
            f"--input_height is {height} and --input_width {width}; expected the same, as "
            "pictures are cropped to a square"
        )
    return height or width
