"""What a training run has to say about itself; the report shows it beside the evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any

from training.pictures.data import SetAside

PACKAGES = ("petiole", "tensorflow", "keras", "openvino", "numpy", "scipy", "pillow")


@dataclass(frozen=True)
class RunData:
    """The pictures of a run.

    Attributes:
        counts: How many pictures each label has in each part, {label: {part: pictures}}.
        set_aside: Those that were not used; details of a reason follow a colon.
        given_parts: The parts that the set itself is divided into, and that were kept.
    """

    counts: Mapping[str, Mapping[str, int]]
    set_aside: tuple[SetAside, ...] = ()
    given_parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """What was done to make the model.

    Attributes:
        name: The model's name.
        version: The version that was published; None when nothing was.
        settings: Every setting of the run, by name.
        versions: The version of each program and package that took part.
        data: Its pictures.
        phases_seconds: How long each phase took, in order.
        curves: One value a measurement; names with `train` and `validation` in them and otherwise
            equal share a drawing.
        data_fingerprint: Equal for equal pictures, labels and splits.
        started_at: ISO 8601.
        gate: What the gate said; begins with `passed` or `failed`, empty without a gate.
        is_in_version: Whether the report is a file of the version that it is about.
    """

    name: str
    version: int | None
    settings: dict[str, Any]
    versions: dict[str, str]
    data: RunData
    phases_seconds: dict[str, float]
    curves: dict[str, list[float]]
    data_fingerprint: str
    started_at: str
    gate: str
    is_in_version: bool = False

    @property
    def reference(self) -> str:
        """`name@version`, or the name alone when nothing was published."""
        return self.name if self.version is None else f"{self.name}@{self.version}"


def versions() -> dict[str, str]:
    """Return the version of each package that takes part in training, where it is installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version_of(package)
        except PackageNotFoundError:
            continue
    return found
