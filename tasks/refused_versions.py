"""Versions that may not answer in this process, why, and when they are tried again."""

from dataclasses import dataclass
from time import monotonic

REFUSED_AGAIN_SECONDS = 30.0

Version = tuple[str, int]


@dataclass(frozen=True)
class Refusal:
    """Why a version may not answer, and when (monotonic seconds) it is tried again."""

    error: Exception
    retry_at: float


class RefusedVersions:
    """What could not be loaded, by version."""

    def __init__(self) -> None:
        """Refuse nothing yet."""
        self._refusals: dict[Version, Refusal] = {}

    def add(self, version: Version, error: Exception) -> None:
        """Refuse a version for a while; it is named until it could be loaded."""
        self._refusals[version] = Refusal(error, monotonic() + REFUSED_AGAIN_SECONDS)

    def lift(self, version: Version) -> None:
        """Refuse a version no longer."""
        self._refusals.pop(version, None)

    def why_not(self, version: Version) -> Exception | None:
        """Return why a version is not to be tried now, or None when it may be."""
        refusal = self._refusals.get(version)
        return refusal.error if refusal and monotonic() <= refusal.retry_at else None

    @property
    def reasons(self) -> dict[str, str]:
        """Each error in one line, by `name@version`."""
        return {
            text_of(version): f"{type(refusal.error).__name__}: {refusal.error}"
            for version, refusal in self._refusals.items()
        }


def text_of(version: Version) -> str:
    """Return a version as people write it."""
    name, number = version
    return f"{name}@{number}"
