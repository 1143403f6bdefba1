"""The split: by content, groups together, every label in every part, stable."""

from pathlib import Path

import pytest

from tests.test_training.conftest import check, draw, encode, fill
from training.errors import DataError
from training.pictures import split
from training.pictures.parts import SPLITS
from training.pictures.split import Split


def _split(folder: Path, percentage: int = 10) -> Split:
    return split.assign(
        check(folder), validation_percentage=percentage, testing_percentage=percentage
    )


def _places(found: Split) -> dict[str, str]:
    return {p.digest: name for name in SPLITS for p in getattr(found, name)}


def test_moving_and_renaming_changes_nothing(folder: Path, tmp_path: Path) -> None:
    """retrain.py hashed the full path: elsewhere a third of all pictures changed their part."""
    before = _places(_split(folder))
    folder.rename(tmp_path / "another place")
    for i, path in enumerate(sorted((tmp_path / "another place").rglob("*.png"))):
        path.rename(path.with_name(f"renamed {i}.png"))

    assert before == _places(_split(tmp_path / "another place"))


def test_every_label_is_in_every_part(tmp_path: Path) -> None:
    """With five pictures a label most would have no validation picture by chance alone."""
    for i in range(8):
        fill(tmp_path / "p", f"label {i}", 5)

    counts = _split(tmp_path / "p").counts([f"label {i}" for i in range(8)])

    assert all(n > 0 for parts in counts.values() for n in parts.values())


def test_adding_pictures_moves_no_other(folder: Path) -> None:
    """A test picture of yesterday does not become a training picture of today."""
    for label in ("玫瑰", "красный", "blue sky"):
        fill(folder, label, 60, first=100)
    before = _places(_split(folder))
    fill(folder, "玫瑰", 40, first=500)

    after = _places(_split(folder))

    assert before == {digest: after[digest] for digest in before}


def test_variants_of_one_picture_stay_together(folder: Path) -> None:
    """What stands before `_nohash_` names the group, as in retrain.py."""
    for i in range(30):
        path = folder / "玫瑰" / f"plant_nohash_{i}.png"
        path.write_bytes(encode(draw(7000 + i)))

    found = _split(folder)

    parts = [name for name in SPLITS for p in getattr(found, name) if "_nohash_" in p.path]
    assert (len(parts), len(set(parts))) == (30, 1)


def test_near_duplicates_are_on_one_side(folder: Path) -> None:
    """The same picture saved again is never both trained on and tested on."""
    for i in range(20):
        image = draw(9000 + i, side=120)
        (folder / "玫瑰" / f"{i} a.png").write_bytes(encode(image))
        (folder / "玫瑰" / f"{i} b.jpg").write_bytes(encode(image, "JPEG", quality=60))

    found = _split(folder, percentage=30)

    place = {p.path: name for name in SPLITS for p in getattr(found, name)}
    pairs = [(place[f"玫瑰/{i} a.png"], place[f"玫瑰/{i} b.jpg"]) for i in range(20)]
    assert all(one == other for one, other in pairs)
    assert len({one for one, _ in pairs}) > 1


def test_parts_are_as_large_as_was_asked(tmp_path: Path) -> None:
    """Of 300 pictures about a fifth validates and a fifth tests; three deviations are 0.07."""
    for label in ("a", "b", "c"):
        fill(tmp_path / "p", label, 100)

    found = _split(tmp_path / "p", percentage=20)

    assert pytest.approx([0.2, 0.2], abs=0.07) == [
        len(found.validation) / 300,
        len(found.testing) / 300,
    ]


@pytest.mark.parametrize(
    ("label", "n", "message"),
    [
        ("empty", 0, r"empty has 0 independent usable picture\(s\)"),
        ("small", 2, r"small has 2 independent usable picture\(s\).*at least 3"),
    ],
)
def test_a_label_too_small_to_split_stops_with_its_name(
    folder: Path, label: str, n: int, message: str
) -> None:
    """retrain.py warned, and died in the middle of training with a fatal error."""
    fill(folder, label, n)

    with pytest.raises(DataError, match=message):
        _split(folder)


def test_one_label_alone_stops(tmp_path: Path) -> None:
    """There is nothing to tell apart; the message says what image_dir should be."""
    fill(tmp_path / "p", "rose", 10)

    with pytest.raises(DataError, match=r"found 1 label folder\(s\) \(rose\); give image_dir"):
        _split(tmp_path / "p")


def test_no_labels_at_all_stop(tmp_path: Path) -> None:
    """An empty folder is refused with the same advice."""
    (tmp_path / "p").mkdir()

    with pytest.raises(DataError, match=r"found 0 label folder\(s\) \(none\)"):
        _split(tmp_path / "p")


def test_all_reasons_are_said_at_once(folder: Path) -> None:
    """Nobody mends one folder only to hear of the next."""
    fill(folder, "eins", 1)
    fill(folder, "zwei", 2)

    with pytest.raises(DataError, match=r"eins has 1 .*zwei has 2 "):
        _split(folder)
