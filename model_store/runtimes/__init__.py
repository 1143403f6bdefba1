"""Runtimes: what loads an artifact and predicts with it; the plug-in point of the model store.

A runtime is a class behind an entry point in the group `petiole.runtimes`. The built-in ones are
registered the same way, so one from another package is their equal.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from model_store.card import ModelCard
from model_store.doubts import scaling
from model_store.doubts.section import Trust
from model_store.errors import RuntimeUnavailableError

GROUP = "petiole.runtimes"
REFERENCE = "tensorflow"
PROBABILITIES, FEATURES = "probabilities", "features"
"""What the outputs of networks are called."""
# Where the artifact of a version lies that is no SavedModel, by the runtime that is its reference.
OWN_ARTIFACTS = {"openvino": "openvino/float32/model.xml"}

# Our own runtimes are all in one package, so their libraries' versions tell them apart.
_LIBRARIES = {"litert": "ai-edge-litert", "openvino": "openvino", "tensorflow": "tensorflow"}


class LoadedArtifact(Protocol):
    """A network in memory, which any number of threads may use at once."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes] of images [N, H, W, 3], row for row."""
        ...


@dataclass(frozen=True, eq=False)
class Rows:
    """What a network says of N images: probabilities [N, classes], and its features [N, width].

    The features are what its last layer takes; None where the artifact does not give them.
    """

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32] | None = None


@runtime_checkable
class Describer(Protocol):
    """What a loaded artifact that can give its features has besides; one without it has none."""

    def describe(self, images: NDArray[np.uint8]) -> Rows:
        """Return the probabilities that `predict` returns, and the features if there are some."""
        ...


class Runtime(Protocol):
    """How artifacts of one kind are made and loaded."""

    def load(self, artifact: Path, card: ModelCard, *, threads: int) -> LoadedArtifact:
        """Return the artifact in memory, predicting with that many threads.

        Raises:
            ModelFormatError: the runtime cannot read the artifact.
        """
        ...

    def convert(self, saved_model: Path, destination: Path) -> Path:
        """Write the float32 artifact of a SavedModel into `destination`; return its path.

        Raises:
            ModelFormatError: the SavedModel cannot be converted.
        """
        ...


@runtime_checkable
class Quantizer(Protocol):
    """What a runtime that can make int8 artifacts has besides; one without it has none."""

    def quantize(self, saved_model: Path, destination: Path, images: NDArray[np.uint8]) -> Path:
        """Write the int8 artifact of a SavedModel into `destination`; return its path.

        It takes uint8 and gives float32 like any other, and the ranges of its activations are those
        that the calibration pictures `images` [N, H, W, 3] bring about.

        Raises:
            ModelFormatError: the SavedModel cannot be quantized.
            RuntimeUnavailableError: the library that quantizes is not installed.
        """
        ...


@dataclass(frozen=True, eq=False)
class Calibrated:
    """An artifact whose network knows nothing of the temperature in its version's card."""

    artifact: LoadedArtifact
    temperature: float

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes] as they are served."""
        return scaling.scaled(self.artifact.predict(images), self.temperature)

    def describe(self, images: NDArray[np.uint8]) -> Rows:
        """Return the probabilities as they are served, and the features if there are some."""
        rows = describe(self.artifact, images)
        return Rows(scaling.scaled(rows.probabilities, self.temperature), rows.features)


def load(name: str, artifact: Path, card: ModelCard, *, threads: int) -> LoadedArtifact:
    """Return an artifact of a version, which predicts what is served: after its temperature.

    Raises:
        RuntimeUnavailableError: the runtime of that name is not there.
        ModelFormatError: the runtime cannot read the artifact.
    """
    loaded = find(name).load(artifact, card, threads=threads)
    temperature = (card.trust or Trust()).temperature_after
    return loaded if temperature == 1 else Calibrated(loaded, temperature)


def describe(artifact: LoadedArtifact, images: NDArray[np.uint8]) -> Rows:
    """Return what an artifact says of images [N, H, W, 3], with features if it gives them."""
    if isinstance(artifact, Describer):
        return artifact.describe(images)
    return Rows(artifact.predict(images))


def names() -> tuple[str, ...]:
    """Return the names of the registered runtimes, sorted; their libraries may be missing."""
    return tuple(sorted(entry_points(group=GROUP).names))


def version(name: str) -> str:
    """Return the version of a runtime's library, without importing it; empty if not installed.

    For a runtime from another package it is that package's version.
    """
    try:
        if name in _LIBRARIES:
            return distribution_version(_LIBRARIES[name])
        found = entry_points(group=GROUP)[name].dist
    except (PackageNotFoundError, KeyError):
        return ""
    return found.version if found else ""


def find(name: str) -> Runtime:
    """Return the runtime of that name, importing its library.

    Raises:
        RuntimeUnavailableError: nobody registered it, or its library cannot be imported.
    """
    registered = entry_points(group=GROUP)
    if name not in registered.names:
        known = ", ".join(names()) or "none; is the package petiole installed?"
        raise RuntimeUnavailableError(f"no runtime {name!r}; registered are: {known}")
    try:
        runtime: type[Runtime] = registered[name].load()
    except ImportError as exc:
        raise RuntimeUnavailableError(
            f"runtime {name} cannot be imported ({exc}); install the library it needs"
        ) from exc
    return runtime()
