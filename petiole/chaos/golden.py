"""Pictures whose answers are learnt from the service itself while nothing is wrong.

Whatever the model is: a picture's answer under a fault must be the one that it had in calm.
"""

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from PIL import Image, ImageColor, ImageDraw

from petiole.chaos.errors import RefusedError

SMALL = (160, 120)
HUES = 9
TOLERANCE = 2e-3
"""Each child was within 1e-3 of the published probabilities when it loaded the version, by default
(`Variant.tolerance`): two of them, on different processors, are within twice that."""
LARGEST_TOLERANCE = 0.05
SAFETY = 2.0

Verdict = Literal["right", "wrong", "not compared"]


@dataclass(frozen=True)
class Sent:
    """One picture as it was sent: which of the golden ones, under a name that no other has."""

    number: int
    filename: str


@dataclass(frozen=True)
class Answer:
    """The best label of one picture and its probability."""

    label: str
    probability: float

    def is_near(self, other: "Answer", tolerance: float) -> bool:
        """Tell whether both are the same but for rounding."""
        near = abs(self.probability - other.probability) <= tolerance
        return self.label == other.label and near


@dataclass(frozen=True)
class Golden:
    """What is known of the pictures: their answers by number and version, and how exact these are.

    Attributes:
        answers: By number and version, as in `imagenet@1 on openvino`.
        tolerance: Difference of two probabilities that is rounding.
        alike: How many pairs of pictures have the same answer, so that a mix-up of them would be
            seen by the file's name only.
    """

    answers: Mapping[tuple[int, str], Answer]
    tolerance: float
    alike: int

    @property
    def numbers(self) -> list[int]:
        """The pictures whose answers are known."""
        return sorted({number for number, _ in self.answers})

    @property
    def versions(self) -> list[str]:
        """The versions that answered in calm, the most frequent first."""
        return [version for version, _ in Counter(v for _, v in self.answers).most_common()]

    def verdict(self, sent: Sent, document: Mapping[str, Any]) -> Verdict:
        """Tell whether a finished document is this picture's own.

        It is not compared where another version answered than in calm.
        """
        if document["filename"] != sent.filename:
            return "wrong"
        expected = self.answers.get((sent.number, version_of(document)))
        if expected is None:
            return "not compared"
        return "right" if _answer(document).is_near(expected, self.tolerance) else "wrong"


def drawn() -> list[bytes]:
    """Return small pictures, no two alike: each another colour, with a disc of its opposite."""
    return [_drawn(number * 360 // HUES, SMALL) for number in range(HUES)]


def large(side: int) -> bytes:
    """Return a picture that is small as a file, and `side` pixels wide and high to decode."""
    return _drawn(side % 360, (side, side))


def learnt(seen: Iterable[tuple[Sent, Mapping[str, Any]]]) -> Golden:
    """Return what the documents of calm conditions say of each picture.

    A picture whose label changes from one answer to the next, as two labels that are equally
    probable do, is left out.

    Raises:
        RefusedError: that is so of every picture, so that no answer could be called wrong.
    """
    said: dict[tuple[int, str], list[Answer]] = {}
    for sent, document in seen:
        said.setdefault((sent.number, version_of(document)), []).append(_answer(document))
    spreads = {each: _spread(answers) for each, answers in said.items()}
    unsteady = {number for (number, _), spread in spreads.items() if spread > LARGEST_TOLERANCE}
    answers = {each: found[0] for each, found in said.items() if each[0] not in unsteady}
    if not answers:
        raise RefusedError(
            "the model answers the same picture differently although nothing is wrong, so no"
            " answer could be called wrong; name another one with --model"
        )
    tolerance = max(TOLERANCE, SAFETY * max(spreads[each] for each in answers))
    return Golden(answers, tolerance, _alike(answers, tolerance))


def _spread(answers: Sequence[Answer]) -> float:
    if len({answer.label for answer in answers}) > 1:
        return float("inf")
    probabilities = [answer.probability for answer in answers]
    return max(probabilities) - min(probabilities)


def version_of(document: Mapping[str, Any]) -> str:
    """Return what answered, as in `imagenet@1 on openvino`."""
    return f"{document['model']}@{document['model_version']} on {document['runtime']}"


def _answer(document: Mapping[str, Any]) -> Answer:
    best = document["predictions"][0]
    return Answer(best["label"], best["probability"])


def _alike(answers: Mapping[tuple[int, str], Answer], tolerance: float) -> int:
    by_version: dict[str, list[Answer]] = {}
    for (_, version), answer in answers.items():
        by_version.setdefault(version, []).append(answer)
    pairs = (pair for each in by_version.values() for pair in combinations(each, 2))
    return sum(one.is_near(other, SAFETY * tolerance) for one, other in pairs)


def _drawn(hue: int, size: tuple[int, int]) -> bytes:
    picture = Image.new("RGB", size, _colour(hue))
    across = [share * side // 8 for share, side in zip((1, 2, 5, 6), size * 2, strict=True)]
    ImageDraw.Draw(picture).ellipse(across, fill=_colour(hue + 180))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _colour(hue: int) -> str | tuple[int, ...]:
    return ImageColor.getrgb(f"hsl({hue % 360}, 80%, {35 + hue % 30}%)")
