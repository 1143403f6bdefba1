"""Labels of an imported model in class order, from a file of one of the forms that people have."""

from pathlib import Path

from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import label_files
from model_store.pretrained import imagenet_classes

IMAGENET = "imagenet"
FILE = "labels.txt"
# What is looked for beside a source, in this order.
FILES = (FILE, "labels.json", "labels.csv")


def find(wanted: str | None, beside: Path | None, *, classes: int) -> tuple[str, ...]:
    """Return one label for each of the network's classes.

    Args:
        wanted: A file, the word `imagenet`, or None for one of `FILES` beside the source.
        beside: Where the source lies; None for one that was downloaded.
        classes: How many numbers the network gives for a picture.

    Raises:
        ImportOptionError: no labels were named and none lie there.
        ModelFormatError: the file cannot be read, repeats a label, or has another number of them.
    """
    if wanted == IMAGENET:
        background = classes == len(imagenet_classes.labels()) + 1
        return _counted(imagenet_classes.labels(background=background), IMAGENET, classes)
    path = Path(wanted) if wanted else _lying(beside)
    if path is None:
        raise ImportOptionError(
            f"the network has {classes} classes and no labels; give --labels FILE, one label a "
            f"line in class order (or --labels {IMAGENET})"
        )
    return _counted(read(path), str(path), classes)


def read(path: Path) -> tuple[str, ...]:
    """Return the labels of a text, JSON or CSV file; see `label_files` for what is understood.

    Raises:
        ModelFormatError: the file cannot be read, or two labels are the same.
    """
    found = label_files.read(path)
    labels = [label for _, label in found]
    for i, (where, label) in enumerate(found):
        if (first := labels.index(label)) != i:
            raise ModelFormatError(
                f"labels {path}: {found[first][0]} and {where} are both {label!r}; an answer "
                "could not tell them apart"
            )
    return tuple(labels)


def _lying(beside: Path | None) -> Path | None:
    if beside is None:
        return None
    return next((beside / name for name in FILES if (beside / name).exists()), None)


def _counted(labels: tuple[str, ...], where: str, classes: int) -> tuple[str, ...]:
    if len(labels) != classes:
        raise ModelFormatError(
            f"{where} has {len(labels)} labels and the network gives {classes} numbers for a "
            "picture; expected one label for each (blank lines are no labels)"
        )
    return labels
