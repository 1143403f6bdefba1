"""A model ready to serve: one version of the store, one runtime, pixels in and labels out.

A worker child calls `load` and `warm_up` once, then `prepare`, `predict` and `rank` for each job.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store import preprocessing, ranking, runtimes
from model_store.card import ModelCard, Variant
from model_store.errors import ModelFormatError, RuntimeUnavailableError
from model_store.headers import DEFAULT_MAX_PIXELS
from model_store.ranking import Prediction
from model_store.references import ModelReference
from model_store.runtimes import LoadedArtifact
from model_store.store import ModelStore

logger = logging.getLogger(__name__)

AUTO = "auto"

# Largest error of a row's sum that float32 rounding explains, with room for int8 softmax tables.
SUM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class ServedModel:
    """A version in memory with the variant that was chosen. Used by one thread at a time."""

    card: ModelCard
    variant: Variant
    artifact: LoadedArtifact

    @property
    def runtime(self) -> str:
        """The name of the runtime that predicts."""
        return self.variant.runtime

    def prepare(self, upload: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the pixels [H, W, 3] that `predict` takes for one upload.

        Raises:
            ImageError: the upload cannot be classified; the class says why.
        """
        return preprocessing.prepare(upload, self.card.preprocessing, max_pixels=max_pixels)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes] of images [N, H, W, 3], row for row."""
        return self.artifact.predict(images)

    def rank(self, probabilities: NDArray[np.float32], *, k: int) -> tuple[Prediction, ...]:
        """Return the `k` best labels of one picture's probabilities [classes], best first."""
        return ranking.top_k(probabilities, self.card.labels, k)

    def classify(self, upload: bytes, *, k: int) -> tuple[Prediction, ...]:
        """Return the `k` best labels of one upload: `prepare`, `predict` and `rank` in a row.

        Raises:
            ImageError: the upload cannot be classified; the class says why.
        """
        return self.rank(self.predict(self.prepare(upload)[None])[0], k=k)

    def warm_up(self, batch_sizes: tuple[int, ...] = (1,)) -> None:
        """Predict black pictures, so that the first job does not pay for the first call.

        Raises:
            ModelFormatError: the answers are not probabilities of this card's labels.
        """
        size = self.card.preprocessing.input_size
        for n in batch_sizes:
            probabilities = self.predict(np.zeros((n, size, size, 3), np.uint8))
            self._check(probabilities, (n, len(self.card.labels)))

    def _check(self, probabilities: NDArray[np.float32], shape: tuple[int, int]) -> None:
        if probabilities.shape != shape:
            raise ModelFormatError(
                f"{self.card.ref} through {self.runtime} answers {probabilities.shape}; "
                f"expected {shape}, one probability for each label"
            )
        if not np.allclose(probabilities.sum(axis=1), 1, atol=SUM_TOLERANCE):
            raise ModelFormatError(
                f"{self.card.ref} through {self.runtime}: rows sum to "
                f"{probabilities.sum(axis=1)}; expected 1, as probabilities do"
            )


def load(
    store: ModelStore, reference: ModelReference | str, *, runtime: str = AUTO, threads: int = 1
) -> ServedModel:
    """Return a version in memory, every byte of it verified.

    Args:
        store: Where the version is.
        reference: `name`, `name@version` or `name@alias`.
        runtime: A runtime's name, or `auto` for the fastest variant that may serve here.
        threads: Threads to predict with.

    Raises:
        UnknownModelError, UnknownVersionError: the reference means nothing.
        CorruptVersionError: a file is missing or its SHA-256 is wrong.
        RuntimeUnavailableError: no variant for that runtime may serve, or it is not installed.
        ModelFormatError: the runtime cannot read the artifact.
    """
    card = store.card(*store.resolve(reference))
    directory = store.fetch(card.name, card.version)
    for variant in choices(card, runtime):
        try:
            found = runtimes.find(variant.runtime)
        except RuntimeUnavailableError as exc:
            if runtime != AUTO:
                raise
            logger.warning("runtime skipped", extra={"model": card.ref, "reason": str(exc)})
            continue
        artifact = found.load(directory / variant.path, card, threads=threads)
        logger.info("model loaded", extra={"model": card.ref, "runtime": variant.runtime})
        return ServedModel(card, variant, artifact)
    raise RuntimeUnavailableError(
        f"{card.ref} cannot be served with runtime {runtime!r} here; its variants are: "
        + "; ".join(f"{v.runtime} {v.precision} ({v.reason})" for v in card.variants)
    )


def choices(card: ModelCard, runtime: str = AUTO) -> Iterator[Variant]:
    """Yield the variants that may serve, fastest first; only those of `runtime` if it is named."""
    for variant in sorted(card.variants, key=lambda variant: variant.milliseconds_per_image):
        if variant.serves and runtime in (AUTO, variant.runtime):
            yield variant
