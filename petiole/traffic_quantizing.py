"""Int8 of a model from pictures that the running service is asked.

The children write the pixels, this process makes int8 of the model and judges it; a shadow on live
pictures then decides. It decodes nothing, and TensorFlow is not needed.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from model_store import (
    ModelCard,
    ModelReference,
    ModelStore,
    agreement,
    picture_sets,
    quantizing,
)
from model_store.errors import CalibrationError, ModelStoreError
from model_store.quantizing import Quantized
from model_store.rollouts import Gate, Rollout
from petiole import rollout_commands
from petiole.console import Steps
from petiole.service_view import Workers
from tasks import real_pictures, stores

GUARD_PERCENT = 2.0
"""Share of the pictures that float32 goes on to see, for as long as int8 is in production."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of the service.

    Attributes:
        pictures: How many different ones are collected.
        percent: Share of all pictures that are collected, and afterwards compared.
        within_seconds: How long the first are waited for.
        compared: How many are compared before the verdict.
        max_slowdown: Predict time of int8 by that of float32, at most.
    """

    pictures: int
    percent: float
    within_seconds: float
    compared: int = 500
    max_slowdown: float = 1.0


def quantize(store: ModelStore, reference: str, wanted: Wanted, *, report: Steps) -> Quantized:
    """Make int8 of the version that answers now; publish it as the next one if it may serve.

    What became of it is kept for a week, so that nobody tries it again by himself meanwhile.

    Raises:
        CalibrationError: the version is not in production, has nothing to quantize, no child
            is ready, another trial runs, or too few different pictures were asked.
        ServiceUnavailableError: the service cannot be reached.
    """
    card = _answering(store, reference)
    with _noted(card):
        quantizing.check(card)
    pixels = _collected(card, wanted, report)
    with _noted(card):
        sets = picture_sets.of_pixels(card, pixels)
        found = quantizing.quantize_on(store, card, sets, report=report)
    became = f"it became {found.card.ref}" if found.card else found.reason
    stores.findings().note_int8(card.ref, became)
    return found


@contextmanager
def _noted(card: ModelCard) -> Iterator[None]:
    """Keep why int8 of a version cannot be made."""
    try:
        yield
    except ModelStoreError as exc:
        stores.findings().note_int8(card.ref, str(exc))
        raise


def confirm(store: ModelStore, card: ModelCard, wanted: Wanted) -> str:
    """Hold a version that was just published against production on live pictures, in a shadow.

    Its gate promotes it if it is sure enough; then the former version guards it. Returns why the
    shadow cannot be, which is kept for a week; nothing if it has begun.
    """
    former = store.resolve(card.name)[1]
    gate = Gate(
        agreement.INT8_SAME_TOP1,
        wanted.compared,
        wanted.max_slowdown,
        sure_agreement=agreement.INT8_SURE_TOP1,
        guard_percent=GUARD_PERCENT,
    )
    rollout = Rollout("shadow", card.version, wanted.percent, gate)
    reference = ModelReference(card.name, str(card.version))
    problem = rollout_commands.begun_or_taken_back(store, reference, rollout)
    if problem:
        stores.findings().note_int8(f"{card.name}@{former}", problem)
    return problem


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let SIGTERM end what is begun as Ctrl-C does, so that collected pixels are deleted."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _answering(store: ModelStore, reference: str) -> ModelCard:
    """Return the card of a version that the children answer with."""
    name, version = store.resolve(reference)
    if store.resolve(name)[1] != version:
        raise CalibrationError(
            f"{name}@{version} is not in production, so nobody asks it; give --images instead"
        )
    trial = store.rollout(name)
    if trial is not None and trial.guard is None:
        raise CalibrationError(
            f"a {trial.kind} of {name}@{trial.version} runs, and a model has one trial at a time;"
            f" wait for its verdict, or end it"
        )
    if not Workers().children():
        raise CalibrationError(
            "no child of a classify worker is ready, so no pictures come; start the service, or"
            " give --images instead"
        )
    return store.card(name, version)


def _collected(card: ModelCard, wanted: Wanted, report: Steps) -> list[bytes]:
    report(
        f"Collecting the pixels of {wanted.pictures} different pictures, of {wanted.percent:g} % of"
        f" those that {card.ref} is asked; they are deleted when there are enough"
    )
    return real_pictures.collect(
        real_pictures.request(
            card.name, card.version, wanted=wanted.pictures, percent=wanted.percent
        ),
        within_seconds=wanted.within_seconds,
        report=lambda n: report.update(f"{n} of {wanted.pictures} pictures"),
    )
