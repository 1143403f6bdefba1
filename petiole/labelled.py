"""Labels of pictures that were classified without a server, as lines of a terminal or as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_store.predictions import CONFIDENT, Doubts
from petiole.classified_output import doubt_in_short, doubts, name_width, printable, share

Ranked = list[tuple[str, float]]
"""Labels with their scores, best first."""


@dataclass(frozen=True)
class Labelled:
    """What came of one picture: labels, or the reason why there are none."""

    path: str
    ranked: Ranked
    problem: str = ""
    doubts: Doubts = field(default_factory=Doubts)

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        if self.problem:
            return {"path": self.path, "error": self.problem}
        predictions = [{"label": label, "probability": score} for label, score in self.ranked]
        said = {name: value for name, value in vars(self.doubts).items() if value is not None}
        return {"path": self.path, "predictions": predictions, **said}


def as_it_was(found: Sequence[Labelled]) -> Iterator[str]:
    """Yield the lines of label_image.py, with every digit."""
    for each in found:
        if len(found) > 1 and each.ranked:
            yield f"{each.path}:"
        yield from (f"{label} {score}" for label, score in each.ranked)


def remarks(found: Sequence[Labelled]) -> Iterator[str]:
    """Yield a line for each picture whose answer is not confident."""
    for each in found:
        said = each.doubts
        if said.verdict != CONFIDENT and (
            text := doubts(said.verdict, said.label_set, said.novelty)
        ):
            yield f"{each.path}: {text}"


def short(found: Sequence[Labelled]) -> Iterator[str]:
    """Yield a line for each label of a single picture, or for each of several pictures."""
    if len(found) == 1:
        yield from (f"{share(score)}  {printable(label)}" for label, score in found[0].ranked)
        said = found[0].doubts
        if sentence := doubts(said.verdict, said.label_set, said.novelty):
            yield sentence
        return
    width = name_width([each.path for each in found])
    for each in found:
        if each.ranked:
            short_of = doubt_in_short(each.doubts.verdict, each.doubts.label_set)
            mind = f"  ({short_of})" if short_of else ""
            yield f"{printable(each.path):{width}}  {_in_one_line(each.ranked)}{mind}"


def _in_one_line(ranked: Ranked) -> str:
    (label, score), *others = ranked
    more = "".join(f",  {share(p).strip()} {printable(each)}" for each, p in others)
    return f"{share(score)}  {printable(label)}{more}"
