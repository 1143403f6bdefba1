"""What a version tells of the training pictures that others are held against."""

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from model_store.doubts.examples import THUMBNAIL_PIXELS, Example, Examples, chosen
from model_store.doubts.likeness import MOST_REFERENCES
from training.pictures import names, small
from training.pictures.data import Picture


def some(pictures: Sequence[Picture]) -> list[Picture]:
    """Return those that are references: 500 at most, evenly, as `likeness.fit` takes them."""
    return [pictures[i] for i in chosen(len(pictures), MOST_REFERENCES)]


def examples(pictures: Sequence[Picture], read: Callable[[str], bytes], *, show: bool) -> Examples:
    """Return what is told of the references among these pictures.

    Args:
        pictures: What references are chosen of.
        read: Gives the bytes of a picture by its path.
        show: Whether names of files and thumbnails are told as well, and not labels alone.
    """
    found = some(pictures)
    if not show:
        return Examples(tuple(Example(each.label) for each in found))
    made = ((n, small.jpeg(read, each.path, THUMBNAIL_PIXELS)) for n, each in enumerate(found))
    thumbnails = {n: jpeg for n, jpeg in made if jpeg is not None}
    told = (
        Example(each.label, names.shown(PurePosixPath(each.path).name), n in thumbnails)
        for n, each in enumerate(found)
    )
    return Examples(tuple(told), thumbnails)
