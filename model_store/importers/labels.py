"""Labels of an imported model: one a line, in class order."""

from pathlib import Path

from model_store.errors import ImportOptionError, ModelFormatError
from model_store.pretrained import imagenet_classes

IMAGENET = "imagenet"
FILE = "labels.txt"


def find(wanted: str | None, beside: Path | None, *, classes: int) -> tuple[str, ...]:
    """Return one label for each of the network's classes.

    Args:
        wanted: A file, the word `imagenet`, or None for `labels.txt` beside the source.
        beside: Where the source lies; None for one that was downloaded.
        classes: How many numbers the network gives for a picture.

    Raises:
        ImportOptionError: no labels were named and none lie there.
        ModelFormatError: the file cannot be read, repeats a label, or has another number of them.
    """
    if wanted == IMAGENET:
        background = classes == len(imagenet_classes.labels()) + 1
        return _counted(imagenet_classes.labels(background=background), IMAGENET, classes)
    path = Path(wanted) if wanted else (beside / FILE if beside else None)
    if path is None or not (wanted or path.exists()):
        raise ImportOptionError(
            f"the network has {classes} classes and no labels; give --labels FILE, one label a "
            f"line in class order (or --labels {IMAGENET})"
        )
    return _counted(read(path), str(path), classes)


def read(path: Path) -> tuple[str, ...]:
    """Return the labels of a file; blank lines at its end do not count.

    Raises:
        ModelFormatError: the file cannot be read, or a line is blank or repeats another.
    """
    try:
        lines = path.read_text("utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ModelFormatError(f"labels {path} cannot be read as UTF-8 text: {exc}") from exc
    labels = tuple(line.strip() for line in lines)
    for i, label in enumerate(labels):
        if not label:
            raise ModelFormatError(f"labels {path}: line {i + 1} is blank; each needs a label")
        if (first := labels.index(label)) != i:
            raise ModelFormatError(
                f"labels {path}: lines {first + 1} and {i + 1} are both {label!r}; an answer "
                "could not tell them apart"
            )
    return labels


def _counted(labels: tuple[str, ...], where: str, classes: int) -> tuple[str, ...]:
    if len(labels) != classes:
        raise ModelFormatError(
            f"{where} has {len(labels)} labels and the network gives {classes} numbers for a "
            "picture; expected one label for each"
        )
    return labels
