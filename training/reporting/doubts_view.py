"""What the report shows of doubts: figures by name, drawings, tables, and pictures of each kind."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from model_store.doubts.section import PHOTOGRAPHS, Trust
from model_store.predictions import CONFIDENT, UNCERTAIN, UNKNOWN
from training.judging import trust
from training.judging.trust import ClassSets, Judged, Measured
from training.reporting import doubt_figures, thumbnails

EXAMPLES = 6

Pictures = Callable[[str], bytes]


@dataclass(frozen=True)
class Example:
    """One picture with its answer; `thumbnail` is None when it cannot be read any more."""

    answer: Judged
    thumbnail: str | None


@dataclass(frozen=True)
class Examples:
    """Pictures of one kind; `total` of them there are."""

    title: str
    total: int
    shown: tuple[Example, ...]


@dataclass(frozen=True)
class DoubtsView:
    """What the template sets."""

    trust: Trust
    risk: str
    novelty: str
    set_sizes: dict[int, int]
    classes: tuple[ClassSets, ...]
    examples: tuple[Examples, ...]


def of(measured: Measured, pictures: Pictures, foreign_pictures: Pictures | None) -> DoubtsView:
    """Return it with thumbnails; `foreign_pictures` is None where those were drawn."""
    found = measured.trust
    return DoubtsView(
        trust=found,
        risk=doubt_figures.risk_by_coverage(trust.risks(measured.own), key="risk"),
        novelty=_novelty(measured) if found.novelty else "",
        set_sizes=measured.set_sizes,
        classes=measured.sets_by_class(),
        examples=tuple(_examples(measured, pictures, foreign_pictures)),
    )


def _novelty(measured: Measured) -> str:
    own, foreign = (
        [each.doubts.novelty for each in some if each.doubts.novelty is not None]
        for some in (measured.own, measured.foreign)
    )
    level = measured.trust.novelty.level if measured.trust.novelty else 0.0
    return doubt_figures.by_novelty(own, foreign, level, key="novelty")


def _examples(
    measured: Measured, pictures: Pictures, foreign_pictures: Pictures | None
) -> Iterator[Examples]:
    own = measured.own
    yield from _shown("confident", _said(own, CONFIDENT), pictures)
    yield from _shown("uncertain: the set has several labels", _said(own, UNCERTAIN), pictures)
    yield from _shown("unknown, though they are own pictures", _said(own, UNKNOWN), pictures)
    novelty = measured.trust.novelty
    if foreign_pictures is None or not (novelty and novelty.foreign):
        return
    if novelty.foreign.kind == PHOTOGRAPHS:
        foreign = measured.foreign
        missed = [each for each in foreign if each.doubts.verdict != UNKNOWN]
        yield from _shown("foreign and unknown", _said(foreign, UNKNOWN), foreign_pictures)
        yield from _shown("foreign and not noticed", missed, foreign_pictures)


def _said(some: Sequence[Judged], verdict: str) -> list[Judged]:
    return [each for each in some if each.doubts.verdict == verdict]


def _shown(title: str, some: Sequence[Judged], pictures: Pictures) -> Iterator[Examples]:
    """Yield some of the pictures, evenly from all; nothing where there are none."""
    n = min(len(some), EXAMPLES)
    chosen = [some[i * len(some) // n] for i in range(n)]
    if chosen:
        shown = (Example(each, thumbnails.data_uri(pictures, each.path)) for each in chosen)
        yield Examples(title, len(some), tuple(shown))
