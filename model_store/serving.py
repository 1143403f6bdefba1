"""A model ready to serve: one version of the store, one runtime, pixels in and labels out.

A worker child calls `load` and `warm_up` once, then `prepare`, `predict` and `rank` for each job.
"""

import logging
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import choosing, fitness, golden, preprocessing, ranking, runtimes
from model_store.card import ModelCard, Variant
from model_store.choosing import AUTO
from model_store.doubts.judging import Judge
from model_store.errors import ModelFormatError, RuntimeUnavailableError
from model_store.fitness import Judgement
from model_store.pictures.headers import DEFAULT_MAX_PIXELS
from model_store.predictions import CONFIDENT, UNCERTAIN, Answer, Prediction, Wanted
from model_store.preprocessing import Prepared
from model_store.references import ModelReference
from model_store.runtimes import REFERENCE, LoadedArtifact, Rows
from model_store.store import ModelStore

logger = logging.getLogger(__name__)

# Largest error of a row's sum that float32 rounding explains, with room for int8 softmax tables.
SUM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class ServedModel:
    """A version in memory with the variant that was chosen. Used by one thread at a time.

    `directory` has the version's verified files; `judgements` are those of its variants that are
    not float32, on this kind of machine.
    """

    card: ModelCard
    variant: Variant
    artifact: LoadedArtifact
    directory: Path
    judgements: tuple[Judgement, ...] = ()

    @cached_property
    def judge(self) -> Judge:
        """What this version can say of its answers; its references are read at the first use."""
        card = self.card
        return Judge.of(card.labels, card.trust, self.directory, files=card.files)

    @property
    def can_say_all(self) -> bool:
        """Whether it can say all that the card vouches for: strangeness needs features."""
        if self.card.trust is None or self.card.trust.novelty is None:
            return True
        size = self.card.preprocessing.input_size
        black = np.zeros((1, size, size, 3), np.uint8)
        return runtimes.describe(self.artifact, black).features is not None

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

    def prepared(self, upload: bytes, *, max_pixels: int, show_cut_off: bool) -> Prepared:
        """Return the same pixels as `prepare`, and what the upload's client should know.

        With `show_cut_off`, a JPEG that is cut off gives the part that there is.

        Raises:
            ImageError: the upload cannot be classified; the class says why.
        """
        if not show_cut_off:
            return Prepared(self.prepare(upload, max_pixels=max_pixels))
        spec = self.card.preprocessing
        return preprocessing.prepare_what_is_there(upload, spec, max_pixels=max_pixels)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities [N, classes] of images [N, H, W, 3], row for row."""
        return self.artifact.predict(images)

    def rank(self, probabilities: NDArray[np.float32], *, k: int) -> tuple[Prediction, ...]:
        """Return the `k` best labels of one picture's probabilities [classes], best first."""
        return ranking.top_k(probabilities, self.card.labels, k)

    def answer(self, images: NDArray[np.uint8], wanted: Wanted) -> tuple[Answer, ...]:
        """Return the labels of images [N, H, W, 3] and their doubts, in their order."""
        rows = self._rows(images)
        features = [None] * len(images) if rows.features is None else rows.features
        pairs = zip(rows.probabilities, features, strict=True)
        return tuple(self._answer(row, described, wanted) for row, described in pairs)

    def classify(self, upload: bytes, *, k: int) -> tuple[Prediction, ...]:
        """Return the `k` best labels of one upload: `prepare`, `predict` and `rank` in a row.

        Raises:
            ImageError: the upload cannot be classified; the class says why.
        """
        return self.rank(self.predict(self.prepare(upload)[None])[0], k=k)

    def _rows(self, images: NDArray[np.uint8]) -> Rows:
        if self.judge.likeness is None:
            return Rows(self.predict(images))
        return runtimes.describe(self.artifact, images)

    def _answer(
        self,
        probabilities: NDArray[np.float32],
        features: NDArray[np.float32] | None,
        wanted: Wanted,
    ) -> Answer:
        ranked = self.rank(probabilities, k=wanted.top_k)
        doubts = self.judge.doubts(
            probabilities,
            features,
            ignores_unknown=wanted.ignores_unknown,
            neighbours=wanted.neighbours,
        )
        kept = tuple(each for each in ranked if each.probability >= wanted.min_probability)
        if not kept and doubts.verdict == CONFIDENT:
            doubts = replace(doubts, verdict=UNCERTAIN)
        return Answer(kept, doubts)

    def warm_up(self, batch_sizes: tuple[int, ...] = (1,)) -> None:
        """Predict black pictures and the golden ones; only then may the model serve.

        The first job does not pay for the first call, and a model that answers differently here
        than where it was published never gets a job.

        Raises:
            ModelFormatError: the answers are not probabilities of this card's labels.
            GoldenMismatchError: see `check_golden`.
        """
        _ = self.judge
        size = self.card.preprocessing.input_size
        for n in batch_sizes:
            probabilities = self.predict(np.zeros((n, size, size, 3), np.uint8))
            self._check(probabilities, (n, len(self.card.labels)))
        self.check_golden()

    def check_golden(self) -> None:
        """Answer the golden pictures through `preprocessing` and this runtime; compare.

        Raises:
            GoldenMismatchError: pixels or probabilities differ too much from the published ones, or
                none were published; the message says which picture, by how much and what to do.
        """
        golden.check(self.directory, self.card, self.variant, self.predict)

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
        runtime: `auto` for the fastest variant that may serve, a runtime's name for its fastest, or
            one exactly, as in `openvino:int8`. The fastest is measured on the first load on this
            kind of machine and remembered in the store's cache directory. So is whether a variant
            that is not float32 answers here as where it was made; only if it does may it serve,
            unless it is asked for exactly. Of a version that knows what is strange to it, `auto`
            passes over those that give no features, if others do.
        threads: Threads to predict with.

    Raises:
        UnknownModelError, UnknownVersionError: the reference means nothing.
        CorruptVersionError: a file is missing or its SHA-256 is wrong.
        RuntimeUnavailableError: no variant for that runtime may serve, or it is not installed.
        ModelFormatError: the runtime cannot read the artifact.
    """
    card = store.card(*store.resolve(reference))
    directory = store.fetch(card.name, card.version)
    candidates = choosing.candidates(card, runtime)
    judgements = fitness.judge(
        card,
        directory,
        candidates,
        cache_directory=store.cache_directory,
        load=lambda variant: runtimes.find(variant.runtime).load(
            directory / variant.path, card, threads=1
        ),
    )
    fit, judgements = _fit(candidates, judgements, runtime)
    variants = _fastest_first(card, directory, fit, store.cache_directory)
    model = next(_loaded(card, directory, variants, runtime, threads), None)
    if model is None:
        raise RuntimeUnavailableError(
            f"{card.ref} cannot be served with runtime {runtime!r} here; its variants are: "
            + "; ".join(_reasons(card, judgements))
        )
    if runtime == AUTO and not model.can_say_all:
        # Not the reference: who serves without TensorFlow does not load it for this.
        others = [v for v in variants if v != model.variant and v.runtime != REFERENCE]
        rest = _loaded(card, directory, others, runtime, threads)
        model = next((each for each in rest if each.can_say_all), model)
    logger.info("model loaded", extra={"model": card.ref, "runtime": model.variant.choice})
    return replace(model, judgements=judgements)


def _loaded(
    card: ModelCard, directory: Path, variants: Iterable[Variant], runtime: str, threads: int
) -> Iterator[ServedModel]:
    """Yield the variants in memory; of several runtimes those that are not installed are passed."""
    for variant in variants:
        try:
            artifact = _artifact(card, directory, variant, threads)
        except RuntimeUnavailableError as exc:
            if runtime != AUTO:
                raise
            logger.warning("runtime skipped", extra={"model": card.ref, "reason": str(exc)})
            continue
        yield ServedModel(card, variant, artifact, directory)


def _fit(
    variants: tuple[Variant, ...], judgements: Iterable[Judgement], runtime: str
) -> tuple[tuple[Variant, ...], tuple[Judgement, ...]]:
    """Return the variants that may serve on this machine, and the judgements as they are told.

    One that is asked for exactly, as `openvino:int8`, is not kept out: that is the operator's
    explicit wish, and refusing it would leave nothing that serves. It is warned of.
    """
    told = tuple(_asked(each) if each.choice == runtime else each for each in judgements)
    unfit = {each.choice: each for each in told if not each.is_fit}
    for each in unfit.values():
        fields = {"model": each.ref, "runtime": each.choice, "reason": each.reason}
        logger.warning("variant not fit for this machine", extra=fields)
    return tuple(v for v in variants if v.choice not in unfit or v.choice == runtime), told


def _asked(judgement: Judgement) -> Judgement:
    if judgement.is_fit:
        return judgement
    return replace(judgement, reason=f"served, as it is asked for by name, but {judgement.reason}")


def _reasons(card: ModelCard, judgements: Iterable[Judgement]) -> Iterator[str]:
    here = {each.choice: each.reason for each in judgements if not each.is_fit}
    for variant in card.variants:
        reason = here.get(variant.choice, variant.reason)
        yield f"{variant.runtime} {variant.precision} ({reason})"


def _artifact(card: ModelCard, directory: Path, variant: Variant, threads: int) -> LoadedArtifact:
    return runtimes.load(variant.runtime, directory / variant.path, card, threads=threads)


def _fastest_first(
    card: ModelCard, directory: Path, variants: tuple[Variant, ...], cache_directory: Path
) -> tuple[Variant, ...]:
    # The reference is not measured; see `choosing.candidates`.
    measured = tuple(variant for variant in variants if variant.runtime != REFERENCE)
    if len(measured) < 2:  # noqa: PLR2004 - one of them is no choice
        return variants
    found = choosing.recall(card, measured, cache_directory)
    if not found:
        found = dict(_milliseconds(card, directory, measured))
        choosing.remember(card, measured, cache_directory, found)
    return tuple(sorted(variants, key=lambda variant: found.get(variant.choice, math.inf)))


def _milliseconds(
    card: ModelCard, directory: Path, variants: Iterable[Variant]
) -> Iterator[tuple[str, float]]:
    size = card.preprocessing.input_size
    black = np.zeros((1, size, size, 3), np.uint8)
    for variant in variants:
        # What cannot be loaded comes last, and is refused where it is asked for by name.
        with suppress(RuntimeUnavailableError, ModelFormatError):
            artifact = _artifact(card, directory, variant, threads=1)
            # The least of them: what else runs here, such as the other children, only adds.
            yield variant.choice, min(choosing.milliseconds(artifact.predict, black))
