"""Ways in: each turns what a user has into a SavedModel directory and the draft of its card.

An importer is a module here with `read(source, options)`, which returns a `networks.Network`.
Importing this package loads neither NumPy nor TensorFlow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from model_store import heavy
from model_store.card import ChannelOrder, Channels, ModelCard, PreprocessingSpec, Resample
from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import file_kinds
from model_store.references import is_name
from model_store.reports import Report

if TYPE_CHECKING:
    from model_store.importers.networks import Network

HUB_PREFIX = "hub:"
# The only one whose files become no SavedModel.
OPENVINO_FILE = "openvino_file"
ACCEPTED = (
    "a SavedModel directory, a Keras file (.keras or .h5), a frozen graph (.pb), "
    "an ONNX (.onnx) or OpenVINO (.xml) file, "
    "or the handle or folder of a TF Hub module (https://… or hub:FOLDER)"
)


@dataclass(frozen=True)
class ImportOptions:
    """What the source does not say about itself; None means that it says so, or has a usual value.

    Attributes:
        name: The model's name in the store.
        labels: File with one label a line in class order, or the word `imagenet`.
        input_size: Height and width in pixels, for networks that take any.
        mean: Subtracted from each channel, on the scale 0 to 255.
        scale: Divides each channel after that.
        crop_fraction: Side of the central square, as a share of the shorter side.
        resample: Kernel that resizes the square.
        channel_order: Order of the channels that the network takes.
        licence: Licence of the weights.
        input_layer: Tensor or signature input that takes the pictures.
        output_layer: Tensor or signature output that gives the answers.
    """

    name: str
    labels: str | None = None
    input_size: int | None = None
    mean: Channels | None = None
    scale: Channels | None = None
    crop_fraction: float = 1.0
    resample: Resample = "bilinear"
    channel_order: ChannelOrder = "RGB"
    licence: str = "not stated"
    input_layer: str | None = None
    output_layer: str | None = None

    def preprocessing(
        self, *, mean: Channels, scale: Channels, input_size: int
    ) -> PreprocessingSpec:
        """Return how pictures reach the network, with the numbers that were found for it."""
        return PreprocessingSpec(
            input_size=input_size,
            crop_fraction=self.crop_fraction,
            resample=self.resample,
            mean=mean,
            scale=scale,
            channel_order=self.channel_order,
        )


class Importer(Protocol):
    """A module here that reads the sources of one kind."""

    def read(self, source: str, options: ImportOptions) -> "Network":
        """Return the classifier in a source, as it was found.

        Raises:
            ModelFormatError: there is none that can be served; the message says why.
            ImportOptionError: an option is missing, or does not fit the source.
        """
        ...


def import_model(
    source: str, options: ImportOptions, directory: Path, *, report: Report
) -> ModelCard:
    """Write the model of `source` into `directory`, in a child with limits; return its draft.

    The directory then has a SavedModel, or what the draft's reference runtime loads.

    Raises:
        ImportOptionError: an option is missing, or does not fit the source.
        ModelFormatError: the source is no image classifier that can be served; the message says
            what was found and what was expected.
        WeightsUnavailableError: a handle cannot be fetched from here.
    """
    _check_name(options.name)
    importer_of(source)
    report(f"Reading {source}")
    from model_store.importers import confined  # noqa: PLC0415 - stands on this module

    return confined.draft(source, options, directory, report=report)


def draft(source: str, options: ImportOptions, directory: Path, *, report: Report) -> ModelCard:
    """Do in this process what `import_model` has a child do; for sources that are trusted.

    Raises:
        ModelStoreError: see `import_model`.
    """
    _check_name(options.name)
    importer = importer_of(source)
    if importer == OPENVINO_FILE:
        from model_store.importers import openvino_file  # noqa: PLC0415 - NumPy and OpenVINO

        return openvino_file.draft(source, options, directory, report=report)
    found = cast(Importer, heavy.load(f"model_store.importers.{importer}"))
    from model_store.importers import drafts  # noqa: PLC0415 - TensorFlow

    return drafts.draft(found.read(source, options), options, directory, report=report)


def _check_name(name: str) -> None:
    if not is_name(name):
        raise ImportOptionError(
            f"--name is {name!r}; use at most 64 lower-case letters, digits, dots, "
            "dashes and underscores"
        )


def importer_of(source: str) -> str:
    """Return the name of the module here that reads a source.

    Raises:
        ModelFormatError: none does, or nothing is there; the message lists what is accepted.
    """
    if source.startswith(HUB_PREFIX) or is_address(source):
        return "hub_module"
    path = Path(source)
    if not path.exists():
        raise ModelFormatError(f"there is no {source}; expected {ACCEPTED}")
    return _importer_of_directory(path) if path.is_dir() else _importer_of_file(path)


def is_address(source: str) -> bool:
    """Tell whether a source has to be fetched."""
    return source.removeprefix(HUB_PREFIX).startswith(("https://", "http://"))


def _importer_of_directory(path: Path) -> str:
    if (path / "tfhub_module.pb").exists():
        return "hub_module"
    if any((path / f"saved_model.{ending}").exists() for ending in ("pb", "pbtxt")):
        return "saved_model"
    raise ModelFormatError(f"{path} has no saved_model.pb in it; expected {ACCEPTED}")


def _importer_of_file(path: Path) -> str:
    if path.name == "saved_model.pb":
        raise ModelFormatError(f"{path} is part of a SavedModel; publish its folder {path.parent}")
    found = file_kinds.kind(path)
    if found.importer is None:
        raise ModelFormatError(
            f"{path} cannot be published: {found.advice or f'expected {ACCEPTED}'}"
        )
    return found.importer
