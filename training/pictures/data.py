"""The data check: which files are usable pictures, what was set aside, and what belongs together.

One bad file never stops a run; what makes training meaningless stops it before anything slow.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from training.journal import Advance
from training.pictures import fingerprints
from training.pictures.entries import Entry
from training.pictures.fingerprints import Groups
from training.pictures.inspection import Inspected, inspect_all
from training.pictures.parts import SPLITS, judging
from training.pictures.row_cache import RowCache
from training.pictures.sources import Source

# retrain.py's mark: what stands before it in the name is the same for variants of one picture.
NO_HASH = "_nohash_"
# retrain.py warned below this number.
FEW_PICTURES = 20


@dataclass(frozen=True)
class Picture:
    """One usable picture.

    Attributes:
        path: Its path inside the source.
        label: Its label.
        digest: SHA-256 of its bytes, in hexadecimal.
        group: The same text for all pictures that have to be in one split; decides which one.
        part: The part that the data set itself has put it in; empty where it says nothing.
    """

    path: str
    label: str
    digest: str
    group: str
    part: str = ""


@dataclass(frozen=True)
class SetAside:
    """A file that is not used, and why, in a sentence."""

    path: str
    reason: str


@dataclass(frozen=True)
class DataSet:
    """What the check found. Pictures are sorted by path; the labels are in class order.

    Either all pictures have a part, or none has.
    """

    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    set_aside: tuple[SetAside, ...]
    warnings: tuple[str, ...]

    @property
    def given_parts(self) -> tuple[str, ...]:
        """The parts that the data set itself is divided into, in their usual order; often none."""
        found = {picture.part for picture in self.pictures}
        return tuple(part for part in SPLITS if part in found)

    @property
    def counts(self) -> dict[str, int]:
        """How many usable pictures each label has, also where it is none."""
        return _counts(self.labels, self.pictures)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of contents, labels and given parts; the same wherever the pictures lie."""
        facts = sorted(
            (picture.digest, picture.label, *filter(None, [picture.part]))
            for picture in self.pictures
        )
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def check(source: Source, cache: RowCache, *, advance: Advance, keep_parts: bool = True) -> DataSet:
    """Return the usable pictures of a source and everything worth knowing about the others.

    Nothing is refused here; `split.assign` does that, when it knows the percentages.

    Args:
        source: The files.
        cache: Fingerprints of earlier checks, which are not computed again.
        advance: Called with the number of files read and of all files.
        keep_parts: Whether a split that the source itself has is kept to; no picture is then in
            two of its parts.
    """
    entries = source.entries() if keep_parts else _without_parts(source.entries())
    inspected = inspect_all(source, entries, cache, advance=advance)
    usable, copies = _without_copies([one for one in inspected if not one.reason])
    refused = [SetAside(one.entry.path, one.reason) for one in inspected if one.reason]
    relatives = list(_near_duplicates(usable))
    pictures, leaks = _without_leaks(_pictures(usable, relatives))
    aside = [*refused, *copies, *leaks]
    return DataSet(
        labels=source.labels(),
        pictures=pictures,
        set_aside=tuple(sorted(aside, key=lambda one: one.path)),
        warnings=(
            *source.notes(),
            *(one.note for one in usable if one.note),
            *(_across_labels(usable[i], usable[j]) for i, j in relatives if _differ(usable, i, j)),
            *_few(_counts(source.labels(), pictures)),
        ),
    )


def _counts(labels: Sequence[str], pictures: Sequence[Picture]) -> dict[str, int]:
    found = Counter(picture.label for picture in pictures)
    return {label: found[label] for label in labels}


def _without_copies(usable: Sequence[Inspected]) -> tuple[list[Inspected], list[SetAside]]:
    """Keep one of equal files, and none of those with equal bytes and different labels.

    It is the first one, of those in the part that judges rather than learns.
    """
    same: defaultdict[str, list[Inspected]] = defaultdict(list)
    for one in usable:
        same[one.digest].append(one)
    kept, aside = [], []
    for copies in same.values():
        labels = sorted({one.entry.label for one in copies})
        copies.sort(key=lambda one: -judging(one.entry.part))
        first = copies[0].entry.path
        if len(labels) > 1:
            reason = f"the same picture has the labels {' and '.join(labels)}"
            aside += [SetAside(one.entry.path, reason) for one in copies]
        else:
            kept.append(copies[0])
            aside += [SetAside(one.entry.path, f"it is a copy of {first}") for one in copies[1:]]
    return kept, aside


def _without_parts(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    return tuple(replace(entry, part="") for entry in entries)


def _without_leaks(pictures: Sequence[Picture]) -> tuple[tuple[Picture, ...], list[SetAside]]:
    """Keep only one part's of those that belong together: those that judge."""
    judges: dict[str, Picture] = {}
    for one in pictures:
        best = judges.setdefault(one.group, one)
        judges[one.group] = max(best, one, key=lambda each: judging(each.part))
    pairs = [(one, judges[one.group]) for one in pictures]
    kept = tuple(one for one, judge in pairs if one.part == judge.part)
    return kept, [_leaked(one, judge) for one, judge in pairs if one.part != judge.part]


def _leaked(one: Picture, judge: Picture) -> SetAside:
    reason = f"one of the {judge.part} part looks the same or has its group: {judge.path}"
    return SetAside(one.path, reason)


def _near_duplicates(usable: Sequence[Inspected]) -> Iterator[tuple[int, int]]:
    rows = [one.fingerprint for one in usable if one.fingerprint is not None]
    return fingerprints.near_duplicates(np.stack(rows)) if rows else iter(())


def _pictures(
    usable: Sequence[Inspected], relatives: Sequence[tuple[int, int]]
) -> tuple[Picture, ...]:
    groups = Groups.of(len(usable))
    for i, j in [*relatives, *_named_alike(usable)]:
        groups.join(i, j)
    members: defaultdict[int, list[Inspected]] = defaultdict(list)
    for i, one in enumerate(usable):
        members[groups.root(i)].append(one)
    return tuple(
        Picture(
            one.entry.path,
            one.entry.label,
            one.digest,
            group=_group(members[groups.root(i)]),
            part=one.entry.part,
        )
        for i, one in enumerate(usable)
    )


def _named_alike(usable: Sequence[Inspected]) -> Iterator[tuple[int, int]]:
    first: dict[str, int] = {}
    for i, one in enumerate(usable):
        if name := _group_name(one):
            yield first.setdefault(name, i), i


def _group_name(one: Inspected) -> str:
    if one.entry.group:
        return f"manifest {one.entry.group}"
    stem, mark, _ = PurePosixPath(one.entry.path).name.partition(NO_HASH)
    return f"variants {one.entry.label} {stem}" if mark else ""


def _group(members: Sequence[Inspected]) -> str:
    """Return what decides the split: a given name, so that it can grow, else the contents."""
    names = sorted(filter(None, map(_group_name, members)))
    return names[0] if names else min(one.digest for one in members)


def _differ(usable: Sequence[Inspected], i: int, j: int) -> bool:
    return usable[i].entry.label != usable[j].entry.label


def _across_labels(one: Inspected, other: Inspected) -> str:
    return (
        f"{one.entry.path} and {other.entry.path} look the same but have different labels; "
        "one of them is probably wrong"
    )


def _few(counts: dict[str, int]) -> Iterator[str]:
    for label, n in counts.items():
        if n < FEW_PICTURES:
            yield f"{label} has {n} pictures; with fewer than {FEW_PICTURES} expect poor results"
