"""Int8 of a model from pictures that the running service is asked.

The children write the pixels, this process makes int8 of the model and judges it. It decodes
nothing, and TensorFlow is not needed.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import time

from model_store import ModelCard, ModelStore, picture_sets, quantizing
from model_store.errors import CalibrationError
from model_store.quantizing import Quantized
from petiole.console import Steps
from petiole.service_view import Workers
from tasks import real_pictures, stores
from tasks.job_stores.collections import Refusal


@dataclass(frozen=True)
class Wanted:
    """How many different pictures, of what share of all, and for how long they are waited for."""

    pictures: int
    percent: float
    within_seconds: float


def quantize(store: ModelStore, reference: str, wanted: Wanted, *, report: Steps) -> Quantized:
    """Make int8 of the version that answers now; publish it as the next one if it may serve.

    Why it may not is kept for a week, for whoever would try it by himself.

    Raises:
        CalibrationError: the version is not in production, has nothing to quantize, no child
            answers with it, or too few different pictures were asked.
        ServiceUnavailableError: the service cannot be reached.
    """
    card = _answering(store, reference)
    quantizing.check(card)
    pixels = _collected(card, wanted, report)
    found = quantizing.quantize_on(store, card, picture_sets.of_pixels(card, pixels), report=report)
    if found.card is None:
        stores.collections().refuse(card.ref, Refusal(found.variant.reason, time()))
    return found


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
    ref = f"{name}@{version}"
    loaded = {each.partition(" ")[0] for note in Workers().children() for each in note.models or ()}
    if ref not in loaded:
        raise CalibrationError(
            f"no running child has {ref}, so no pictures of it come; start the service, or ask it"
            " once, or give --images instead"
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
