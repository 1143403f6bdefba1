"""The data check: what is set aside and why, and what is worth a warning."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.test_training.conftest import check, draw, encode, fill
from training.pictures import inspection

STORED_AS = {6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180}


def _reasons(folder: Path) -> dict[str, str]:
    return {one.path: one.reason for one in check(folder).set_aside}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("text.jpg", b"no picture at all", "not a picture"),
        ("empty.png", b"", "not a picture"),
        ("cut.jpg", encode(draw(1, side=200), "JPEG")[:900], "cut off or damaged"),
        ("tiny.png", encode(Image.new("RGB", (31, 90))), "31 x 90 pixels; each side needs 32"),
    ],
)
def test_a_bad_picture_is_set_aside_with_the_reason(
    folder: Path, name: str, content: bytes, reason: str
) -> None:
    """One bad file never ends a run; retrain.py died in the middle of the features."""
    (folder / "玫瑰" / name).write_bytes(content)

    found = check(folder)

    assert (36, [f"玫瑰/{name}"]) == (len(found.pictures), [one.path for one in found.set_aside])
    assert reason in found.set_aside[0].reason


def test_a_picture_beside_the_label_folders_is_set_aside(folder: Path) -> None:
    """It has no label, and is not silently forgotten."""
    (folder / "stray.png").write_bytes(encode(draw(7)))

    assert "no label" in _reasons(folder)["stray.png"]


def test_a_wrong_extension_is_used_and_reported(folder: Path) -> None:
    """The bytes decide; label_image.py decoded by the name."""
    (folder / "玫瑰" / "really.PNG").write_bytes(encode(draw(8), "JPEG"))

    found = check(folder)

    assert len(found.pictures) == 37
    assert "玫瑰/really.PNG is a JPEG whatever its name says; it is used" in found.warnings


def test_a_copy_is_set_aside_by_content(folder: Path) -> None:
    """The same bytes under two names would count twice, or train and test the same."""
    original = sorted((folder / "玫瑰").iterdir())[0]
    (folder / "玫瑰" / "zz copy.png").write_bytes(original.read_bytes())

    assert _reasons(folder) == {"玫瑰/zz copy.png": "it is a copy of 玫瑰/000.png"}


def test_a_picture_with_two_labels_is_not_used_at_all(folder: Path) -> None:
    """Nobody knows which of the two is right."""
    original = sorted((folder / "玫瑰").iterdir())[0]
    (folder / "blue sky" / "zz.png").write_bytes(original.read_bytes())

    assert sorted(_reasons(folder)) == ["blue sky/zz.png", "玫瑰/000.png"]


def test_a_picture_that_was_saved_again_is_in_the_group_of_the_first(folder: Path) -> None:
    """Scaled and compressed it has other bytes, but must not be on both sides of the split."""
    image = draw(1234, side=200)
    for name, copy in (("big.png", image), ("small.jpg", image.resize((108, 100)))):
        (folder / "玫瑰" / name).write_bytes(encode(copy, "JPEG" if "jpg" in name else "PNG"))

    groups = {p.path: p.group for p in check(folder).pictures}

    assert groups["玫瑰/big.png"] == groups["玫瑰/small.jpg"]
    assert len(set(groups.values())) == 37


def test_lookalikes_with_different_labels_are_warned_about(folder: Path) -> None:
    """One of both labels is probably wrong."""
    image = draw(1234, side=200)
    (folder / "玫瑰" / "a.png").write_bytes(encode(image))
    (folder / "blue sky" / "b.jpg").write_bytes(encode(image, "JPEG"))

    assert any("blue sky/b.jpg and 玫瑰/a.png look the same" in w for w in check(folder).warnings)


@pytest.mark.parametrize("orientation", STORED_AS)
def test_a_turned_copy_is_seen_upright(folder: Path, orientation: int) -> None:
    """EXIF rotation is applied before pictures are compared."""
    image = draw(99, side=120)
    exif = Image.Exif()
    exif[0x0112] = orientation
    (folder / "玫瑰" / "upright.png").write_bytes(encode(image))
    turned = encode(image.transpose(STORED_AS[orientation]), "JPEG", exif=exif, quality=95)
    (folder / "玫瑰" / "turned.jpg").write_bytes(turned)

    groups = {p.path: p.group for p in check(folder).pictures}

    assert groups["玫瑰/upright.png"] == groups["玫瑰/turned.jpg"]


def test_a_label_with_few_pictures_is_warned_about(folder: Path) -> None:
    """As retrain.py did below twenty."""
    assert sum("with fewer than 20" in text for text in check(folder).warnings) == 3


def test_a_second_check_decodes_nothing(folder: Path) -> None:
    """Fingerprints are kept by content; a poisoned one shows that they are used."""
    check(folder)
    cache = inspection.findings_cache(folder.parent / "fingerprints")
    digests = [picture.digest for picture in check(folder).pictures]
    cache.add(digests, np.zeros((len(digests), 200), np.uint8))
    for file in (folder.parent / "fingerprints").rglob("*.npy"):
        if file.stat().st_mtime_ns < max(f.stat().st_mtime_ns for f in file.parent.iterdir()):
            file.unlink()

    assert len({picture.group for picture in check(folder).pictures}) == 1


def test_names_and_places_do_not_matter_to_the_fingerprint(folder: Path, tmp_path: Path) -> None:
    """The data set's fingerprint is of contents and labels."""
    before = check(folder).fingerprint
    folder.rename(tmp_path / "elsewhere")
    first = sorted((tmp_path / "elsewhere" / "玫瑰").iterdir())[0]
    first.rename(first.with_name("renamed.png"))

    assert before == check(tmp_path / "elsewhere").fingerprint


def test_labels_of_a_check_may_be_empty_folders(folder: Path) -> None:
    """They are counted, so that the split can refuse them by name."""
    (folder / "leer").mkdir()

    assert check(folder).counts["leer"] == 0


def test_fill_draws_different_pictures(tmp_path: Path) -> None:
    """Guards the other tests: what they draw is neither equal nor alike."""
    fill(tmp_path / "p", "x", 40)

    assert len({picture.group for picture in check(tmp_path / "p").pictures}) == 40
