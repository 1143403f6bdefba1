"""The three parts of a data set, and the names that folders and manifests give them."""

TRAINING, VALIDATION, TESTING = "training", "validation", "testing"
SPLITS = (TRAINING, VALIDATION, TESTING)

_NAMES = {
    "train": TRAINING,
    "training": TRAINING,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TESTING,
    "testing": TESTING,
}


def judging(part: str) -> int:
    """Return how much a part judges rather than learns: testing most, none at all nothing."""
    return SPLITS.index(part) + 1 if part else 0


def part_of(name: str) -> str:
    """Return the part that a name means, in whatever case, or an empty text."""
    return _NAMES.get(name.strip().casefold(), "")
