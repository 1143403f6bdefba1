"""One file of a data set, as a source lists it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One file: its path inside the source, its label, and what decides the part that it is in.

    All texts but the path may be empty: a file beside the label folders has no label, most have no
    group, and the part is given only by sets that are divided already.
    """

    path: str
    label: str
    group: str = ""
    part: str = ""
