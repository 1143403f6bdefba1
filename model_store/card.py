"""The card of a model version: what it is, how pictures reach it, and how it may be run.

`card.json` is written last when a version is published and read by everyone who runs it; its form
is held by `card.schema.json`.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Literal, Self

import jsonschema

from model_store.doubts.section import Trust
from model_store.errors import ModelFormatError

SCHEMA_VERSION = 1
UNPUBLISHED = 0
FINGERPRINT = "fingerprint.json"

ChannelOrder = Literal["RGB", "BGR"]
Channels = tuple[float, float, float]
Resample = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]


@dataclass(frozen=True)
class PreprocessingSpec:
    """How an upload becomes the uint8 pixels [input_size, input_size, 3] that artifacts take.

    Attributes:
        input_size: Height and width of the network's input, in pixels.
        crop_fraction: Side of the central square that is kept, as a share of the shorter side.
        resample: Name of the Pillow kernel that resizes the square.
        mean: Subtracted from each channel inside the graph, on the scale 0 to 255.
        scale: Divides each channel inside the graph, after the mean is subtracted.
        channel_order: Order of the channels that artifacts take.
    """

    input_size: int
    crop_fraction: float
    resample: Resample = "bicubic"
    mean: Channels = (0.0, 0.0, 0.0)
    scale: Channels = (255.0, 255.0, 255.0)
    channel_order: ChannelOrder = "RGB"


@dataclass(frozen=True)
class Variant:
    """One artifact of a version, and what was measured on it when it was published.

    Attributes:
        runtime: Name of the runtime that loads it.
        precision: `float32`, or `int8` for quantized weights and activations.
        path: Place of the artifact inside the version; `.` is the SavedModel itself.
        same_top1: Share of the measured pictures with the same best label as the SavedModel.
        largest_difference: Largest difference of one probability from the SavedModel.
        milliseconds_per_image: Median time to predict one picture with one thread.
        serves: Whether workers may use it.
        reason: Why it may or may not serve, in a sentence.
        tolerance: Largest difference of one probability from the SavedModel that a worker accepts
            on the golden pictures.
        judged_on: Number of the measured pictures; 0 where nobody noted it.
        same_top1_interval: `same_top1` is at least and at most this, each with 95 % certainty.
    """

    runtime: str
    precision: str
    path: str
    same_top1: float
    largest_difference: float
    milliseconds_per_image: float
    serves: bool
    reason: str
    tolerance: float = 1e-3
    judged_on: int = 0
    same_top1_interval: tuple[float, float] = (0.0, 1.0)

    @property
    def choice(self) -> str:
        """What the setting `runtime` says to get exactly this one, as in `openvino:int8`."""
        return f"{self.runtime}:{self.precision}"

    @property
    def fingerprint(self) -> str:
        """Path inside the version of what it answers to drawn pictures; float32 has none."""
        return f"{self.runtime}/{self.precision}/{FINGERPRINT}"


FOREIGN = frozenset({"hub", "keras", "file"})
"""Kinds of origins. What came in a package is compared with a digest in `pretrained`."""


@dataclass(frozen=True)
class Origin:
    """Where the weights came from.

    Attributes:
        kind: `package`, `training`, `hub`, `keras` or `file`.
        source: The package with its version, the handle, or the training run.
        file: Name of the file that held the weights; empty when there was none.
        sha256: Digest of that file, in hexadecimal; empty when there was none.
    """

    kind: str
    source: str
    file: str = ""
    sha256: str = ""

    @property
    def is_foreign(self) -> bool:
        """Whether it was made elsewhere, and nothing here knows its weights by their digest."""
        return self.kind in FOREIGN


@dataclass(frozen=True)
class ModelCard:
    """All that is known about one version of a model.

    `version`, `created_at` (UTC, ISO 8601) and `files` (SHA-256 by path inside the version) are
    filled in by `ModelStore.publish`. Labels are in class order and differ from each other.
    `golden` holds the paths of the golden pictures inside the version. `reference` is the runtime
    that the others are measured against: TensorFlow, or the one of the file that was imported.
    `trust` is what was measured of how far its answers can be trusted.
    """

    name: str
    labels: tuple[str, ...]
    preprocessing: PreprocessingSpec
    variants: tuple[Variant, ...]
    licence: str
    origin: Origin
    metrics: dict[str, float] = field(default_factory=dict)
    golden: tuple[str, ...] = ()
    reference: str = "tensorflow"
    version: int = UNPUBLISHED
    created_at: str = ""
    files: dict[str, str] = field(default_factory=dict)
    trust: Trust | None = None

    @property
    def ref(self) -> str:
        """The exact version, as in `imagenet@1`."""
        return f"{self.name}@{self.version}"

    def to_json(self) -> str:
        """Return the text of `card.json`."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return what `card.json` says; it names no `trust` where nothing was measured of it."""
        document = {"schema_version": SCHEMA_VERSION, **asdict(replace(self, trust=None))}
        del document["trust"]
        return document | ({"trust": self.trust.to_dict()} if self.trust else {})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the card that a `card.json` describes.

        Raises:
            ModelFormatError: the text is not JSON or breaks the schema; the message says where.
        """
        document = _checked(text)
        document.pop("schema_version")
        return cls(
            **document
            | {
                "labels": tuple(document["labels"]),
                "preprocessing": _preprocessing(document["preprocessing"]),
                "variants": tuple(map(_variant, document["variants"])),
                "origin": Origin(**document["origin"]),
                "golden": tuple(document.get("golden", ())),
                "trust": Trust.of(document["trust"]) if "trust" in document else None,
            }
        )


def _variant(document: dict[str, Any]) -> Variant:
    interval = {"same_top1_interval": tuple(document.get("same_top1_interval", (0.0, 1.0)))}
    return Variant(**document | interval)


def _preprocessing(document: dict[str, Any]) -> PreprocessingSpec:
    channels = {name: tuple(document[name]) for name in ("mean", "scale")}
    return PreprocessingSpec(**document | channels)


def _checked(text: str | bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(text)
        _check_format(document)
        _validator().validate(document)
    except ValueError as exc:
        raise ModelFormatError(f"card.json is not JSON: {exc}") from exc
    except jsonschema.ValidationError as exc:
        raise ModelFormatError(f"card.json is wrong at {exc.json_path}: {exc.message}") from exc
    return document


def _check_format(document: Any) -> None:
    """Refuse a card of a later release with a word about that, not about what is strange in it."""
    number = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(number, int) and number > SCHEMA_VERSION:
        raise ModelFormatError(
            f"card.json of {document.get('name')}@{document.get('version')} has format {number}; "
            f"this release reads formats up to {SCHEMA_VERSION}: bring in the release that wrote "
            "it, or name another version"
        )


@cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = resources.files("model_store").joinpath("card.schema.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(json.loads(schema))
