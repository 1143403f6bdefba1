"""Whether a variant may serve on this kind of machine: judged once, then remembered.

Float32 variants are not asked: their golden pictures hold them within 0.001 at every load. Others
answer their fingerprint (see `fingerprints`) before they serve on a CPU for the first time.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from model_store import fingerprints, machine
from model_store.agreement import FLOAT32
from model_store.card import ModelCard, Variant
from model_store.errors import ModelFormatError, RuntimeUnavailableError
from model_store.fingerprints import Sameness
from model_store.runtimes import LoadedArtifact

FOLDER = "judgements"

Load = Callable[[Variant], LoadedArtifact]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judgement:
    """What became of a variant on this kind of machine.

    Attributes:
        ref: The version, as in `imagenet@2`.
        choice: The variant, as in `openvino:int8`.
        is_fit: Whether it answers here as where it was made.
        reason: Why, in a sentence with the figures here and where it was made.
    """

    ref: str
    choice: str
    is_fit: bool
    reason: str

    @property
    def called(self) -> str:
        """Version and variant, as in `imagenet@2 openvino:int8`."""
        return f"{self.ref} {self.choice}"


@dataclass(frozen=True)
class _Remembered:
    machine: str
    runtimes: dict[str, str]
    sameness: Sameness


def judge(
    card: ModelCard,
    directory: Path,
    variants: Iterable[Variant],
    *,
    cache_directory: Path,
    load: Load,
) -> tuple[Judgement, ...]:
    """Return a judgement of each variant that is not float32; measures those not measured yet.

    Args:
        card: The version.
        directory: Its verified files.
        variants: Those that it is about.
        cache_directory: Where what was measured is remembered.
        load: Loads a variant's network, as it is before any temperature.
    """
    judged = (variant for variant in variants if variant.precision != FLOAT32)
    return tuple(_judged(card, directory, each, cache_directory, load) for each in judged)


def recall(card: ModelCard, variant: Variant, cache_directory: Path) -> Judgement | None:
    """Return the judgement that was made on this kind of machine; None where none was."""
    if variant.precision == FLOAT32:
        return None
    if variant.fingerprint not in card.files:
        return _unproven(card, variant)
    found = _recalled(card, variant, cache_directory)
    return _of(card, variant, found) if found else None


def _judged(
    card: ModelCard, directory: Path, variant: Variant, cache_directory: Path, load: Load
) -> Judgement:
    known = recall(card, variant, cache_directory)
    if known is not None:
        return known
    try:
        found = fingerprints.compare(directory / variant.fingerprint, card, load(variant).predict)
    except (RuntimeUnavailableError, ModelFormatError) as exc:
        # Not remembered: it is a matter of what is installed here.
        return Judgement(card.ref, variant.choice, False, f"it cannot be judged here: {exc}")
    _remember(card, variant, cache_directory, found)
    judgement = _of(card, variant, found)
    fields = {"model": card.ref, "runtime": variant.choice, "reason": judgement.reason}
    logger.info("variant judged on this machine", extra=fields)
    return judgement


def _unproven(card: ModelCard, variant: Variant) -> Judgement:
    return Judgement(
        card.ref,
        variant.choice,
        False,
        "it was published without answers to compare with, so nobody knows whether it agrees on"
        " this CPU: quantize or publish it again",
    )


def _of(card: ModelCard, variant: Variant, found: Sameness) -> Judgement:
    verb = "answers" if found.is_enough else "does not answer"
    there = (
        f"where it was made it agreed with float32 on {variant.same_top1:.1%}"
        f" of {variant.judged_on} real pictures"
    )
    return Judgement(
        card.ref,
        variant.choice,
        found.is_enough,
        f"it {verb} here as where it was made: {found.sentence}; {there}",
    )


def _recalled(card: ModelCard, variant: Variant, cache_directory: Path) -> Sameness | None:
    try:
        text = _path(card, variant, cache_directory).read_text("utf-8")
        found = json.loads(text)["sameness"]
        return Sameness(int(found["n"]), float(found["same_top1"]), float(found["drift"]))
    except (OSError, ValueError, TypeError, LookupError):
        # Not judged yet, or damaged: it is judged again.
        return None


def _remember(card: ModelCard, variant: Variant, cache_directory: Path, found: Sameness) -> None:
    remembered = _Remembered(machine.description(), machine.versions([variant]), found)
    text = json.dumps(
        {"model": card.ref, "variant": variant.choice, **asdict(remembered)}, indent=2
    )
    machine.write(_path(card, variant, cache_directory), text + "\n", what="judgement")


def _path(card: ModelCard, variant: Variant, cache_directory: Path) -> Path:
    return machine.notes(card, [variant], cache_directory / FOLDER)
