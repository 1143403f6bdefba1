"""The fastest way to compute a backbone's features here, checked against TensorFlow.

What is made is kept beside the features, so a second run neither converts nor checks again.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import ModelCard, ModelStoreError, drawings, heavy, runtimes, verification
from model_store.errors import RuntimeUnavailableError
from model_store.publishing import SAVED_MODEL
from model_store.runtimes import REFERENCE, LoadedArtifact
from training import whole
from training.learning.backbone import Backbone

# By speed on x86 CPUs: 10 ms a picture, 13 ms, 19 ms (EfficientNet-Lite0, one thread).
PREFERENCE = ("openvino", "litert", REFERENCE)
CHECKED_PICTURES = 4

# Largest error of a feature, as a share of the largest feature. Rounding in another order gives
# 1e-5 with these networks; a wrong channel order or scale gives more than 0.1.
TOLERANCE = 1e-3

_NOTE = "extractor.json"
_SAVED_MODEL = "saved_model"


@dataclass(frozen=True)
class Extractor:
    """An artifact that gives features, and the runtime that it was checked with.

    `saved_model` is the directory that it was made from: uint8 images in, features out.
    """

    runtime: str
    artifact: Path
    card: ModelCard
    saved_model: Path

    def load(self, *, threads: int = 1) -> LoadedArtifact:
        """Return the artifact in memory; `predict` gives features [N, width]."""
        return runtimes.find(self.runtime).load(self.artifact, self.card, threads=threads)


def prepare(backbone: Backbone, directory: Path, *, report: Callable[[str], None]) -> Extractor:
    """Return the extractor of a backbone, made in `directory` unless it is there.

    Args:
        backbone: The network.
        directory: Holds the extractors of all backbones.
        report: Called with a sentence at each step.
    """
    place = directory / f"{backbone.identity[:16]}-{backbone.spec.input_size}"
    if (known := _known(backbone, place)) is not None:
        return known
    with whole.folder(directory, "partial-") as partial:
        made = _make(backbone, partial / place.name / _SAVED_MODEL, report)
        artifact = str(made.artifact.relative_to(partial / place.name))
        note = {"runtime": made.runtime, "artifact": artifact, "sha256": _digest(made.saved_model)}
        (partial / place.name / _NOTE).write_text(json.dumps(note))
        try:
            whole.move(partial / place.name, place)
        except OSError:
            # Another run was first; its extractor is as good as ours.
            if (known := _known(backbone, place)) is not None:
                return known
            whole.set_aside(place, partial)
            whole.move(partial / place.name, place)
    return Extractor(made.runtime, place / note["artifact"], made.card, place / _SAVED_MODEL)


def _known(backbone: Backbone, place: Path) -> Extractor | None:
    try:
        note = json.loads((place / _NOTE).read_text())
        runtimes.find(note["runtime"])
        if note["sha256"] != _digest(place / _SAVED_MODEL):
            return None
    except (OSError, ValueError, KeyError, RuntimeUnavailableError):
        return None
    artifact, saved_model = place / note["artifact"], place / _SAVED_MODEL
    return Extractor(note["runtime"], artifact, _card(backbone), saved_model)


def _digest(saved_model: Path) -> str:
    return verification.file_digest(saved_model / SAVED_MODEL)


def _make(backbone: Backbone, saved_model: Path, report: Callable[[str], None]) -> Extractor:
    report(f"Preparing {backbone.name} (kept for later runs)")
    heavy.prepare()
    from training.learning import graphs  # noqa: PLC0415 - TensorFlow

    graphs.save_features(backbone, saved_model)
    card = _card(backbone)
    images = drawings.textures(CHECKED_PICTURES, input_size=backbone.spec.input_size)
    reference = Extractor(REFERENCE, saved_model, card, saved_model)
    expected = reference.load().predict(images)
    for name in PREFERENCE[:-1]:
        try:
            artifact = runtimes.find(name).convert(saved_model, saved_model / name)
            made = Extractor(name, artifact, card, saved_model)
            difference = _difference(made.load().predict(images), expected)
        except ModelStoreError as exc:
            report(f"Left out {name}: {exc}")
            continue
        if difference <= TOLERANCE:
            return made
        report(f"Left out {name}: its features differ from TensorFlow's by {difference:.1e}")
    return reference


def _difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-9))


def _card(backbone: Backbone) -> ModelCard:
    """Return the card that runtimes name in their messages; it is never published."""
    return ModelCard(
        name=backbone.name,
        labels=(),
        preprocessing=backbone.spec,
        variants=(),
        licence=backbone.licence,
        origin=backbone.origin,
    )
