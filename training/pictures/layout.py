"""What a tree of files means: which folders are labels, and whether others are parts of a split.

Data sets are handed on as `train/daisy/1.jpg`, `test/daisy/2.jpg`. Taken for labels, `train` and
`test` would be learned, published, and even be right now and then.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from training.errors import DataError
from training.pictures import names
from training.pictures.entries import Entry
from training.pictures.parts import TRAINING, part_of
from training.settings import SplitBy

_HOW_TO_SAY = (
    "give --split folder if they are the parts of a split, --split content if they are labels"
)


@dataclass(frozen=True)
class Layout:
    """The files of a tree with their labels.

    Attributes:
        labels: Every label that there is a folder for, sorted.
        entries: Every file, sorted by path.
        notes: What is odd about the names, a sentence each.
    """

    labels: tuple[str, ...]
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


def wrapper_of(paths: Sequence[str]) -> str:
    """Return the one folder that everything lies in, if the label folders are inside it.

    Files beside it, such as a licence, do not matter to that. It ends with a slash, as folders do
    among `paths`; without such a folder it is empty. Folders in folders are looked through.
    """
    wrapper = ""
    while inner := _wrapper([path[len(wrapper) :] for path in paths if path.startswith(wrapper)]):
        wrapper += inner
    return wrapper


def _wrapper(paths: Sequence[str]) -> str:
    tops = {path.partition("/")[0] for path in paths if "/" in path}
    inside = [path.partition("/")[2] for path in paths if "/" in path]
    if len(tops) != 1 or any(path and "/" not in path for path in inside):
        return ""
    (top,) = tops
    folders = {path.partition("/")[0] for path in inside if path}
    return f"{top}/" if len(folders) > 1 or part_of("".join(folders)) else ""


def laid_out(paths: Sequence[str], split: SplitBy) -> Layout:
    """Return what the files of a tree are.

    Args:
        paths: Files, and folders with a slash at the end; the label folders are not wrapped.
        split: `folder`: the outer or the innermost folders are parts of a split; `content`: outer
            folders are labels, whatever they are called; `auto`: the former, where it is clear.

    Raises:
        DataError: it is not clear, or not as `split` says.
    """
    if split == "content":
        return _labelled(paths)
    parts = _parts_among(path.partition("/")[0] for path in paths if "/" in path)
    if len(set(parts.values())) > 1 or (parts and split == "folder"):
        return _divided(paths, parts, split)
    if _is_divided_inside(paths):
        return _divided_inside(paths)
    if split == "folder":
        raise DataError(
            "split is folder, but there are no folders called train, valid and test, neither "
            "around the label folders nor in each of them; leave it out to split by content"
        )
    return _labelled(paths)


def _parts_among(folders: Iterable[str]) -> dict[str, str]:
    return {name: part for name in sorted(set(folders)) if (part := part_of(name))}


def _labelled(paths: Sequence[str]) -> Layout:
    return _layout(paths, depth=0, part_at=None)


def _divided_inside(paths: Sequence[str]) -> Layout:
    """Return `daisy/train/1.jpg` as what it is."""
    return _layout(paths, depth=0, part_at=1)


def _is_divided_inside(paths: Sequence[str]) -> bool:
    found = {part_of(path.split("/")[1]) for path in _files(paths) if path.count("/") > 1}
    shallow = any(path.count("/") == 1 for path in _files(paths))
    return not shallow and len(found) > 1 and all(found)


def _divided(paths: Sequence[str], parts: dict[str, str], split: SplitBy) -> Layout:
    """Return `train/daisy/1.jpg` as what it is."""
    others = sorted({p.partition("/")[0] for p in paths if "/" in p} - parts.keys())
    named = ", ".join(f"{name}/" for name in parts)
    if others and split == "auto":
        beside = ", ".join(f"{name}/" for name in others)
        raise DataError(f"{named} are called as parts of a split, beside {beside}; {_HOW_TO_SAY}")
    with_labels = _with_label_folders(paths, parts)
    if not with_labels:
        raise DataError(
            f"{named} are called as parts of a split, and have no folders for labels inside; put "
            "one folder for each label into them, or give --split content if they are labels"
        )
    if TRAINING not in with_labels:
        raise DataError(
            f"{named}: no folder for training has label folders inside; it is called train"
        )
    return _layout(paths, depth=1, part_at=0)


def _with_label_folders(paths: Sequence[str], parts: dict[str, str]) -> set[str]:
    """Return the parts that have files in folders of their own."""
    deep = {path.partition("/")[0] for path in _files(paths) if path.count("/") > 1}
    return {part for name, part in parts.items() if name in deep}


def _layout(paths: Sequence[str], *, depth: int, part_at: int | None) -> Layout:
    written = sorted({name for path in paths if (name := _label_folder(path, depth, part_at))})
    label = {name: names.label_of(name) for name in written}
    labels = tuple(sorted(set(label.values())))
    entries = tuple(
        Entry(
            path,
            label=label.get(_label_folder(path, depth, part_at), ""),
            part="" if part_at is None else _part(path, part_at),
        )
        for path in sorted(_files(paths))
    )
    return Layout(labels, entries, tuple(names.oddities(written, labels)))


def _label_folder(path: str, depth: int, part_at: int | None) -> str:
    """Return the folder that is the label; a file that lies in none has an empty one."""
    folders = path.split("/")[:-1]
    if part_at == 0 and not part_of(path.partition("/")[0]):
        return ""
    return folders[depth] if len(folders) > depth else ""


def _part(path: str, part_at: int) -> str:
    folders = path.split("/")[:-1]
    return part_of(folders[part_at]) if len(folders) > part_at else ""


def _files(paths: Iterable[str]) -> Iterator[str]:
    return (path for path in paths if not path.endswith("/"))
