"""What one look found: whether it is well, what is the case, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What was looked at, in a word or two.
        level: `error` keeps pictures from being classified, `warning` may do so one day.
        says: What is the case.
        to_do: What to do about it; empty where all is well.
    """

    check: str
    level: Level
    says: str
    to_do: str = ""


def well(check: str, says: str) -> Finding:
    """Return a finding about which nothing has to be done."""
    return Finding(check, "ok", says)


def warning(check: str, says: str, to_do: str) -> Finding:
    """Return a finding that may hurt one day."""
    return Finding(check, "warning", says, to_do)


def error(check: str, says: str, to_do: str) -> Finding:
    """Return a finding that keeps pictures from being classified."""
    return Finding(check, "error", says, to_do)
