"""One contract, run on every kind of image store."""

from pathlib import Path

import pytest

from tasks.errors import UploadMissingError
from tasks.image_store import ImageStore


@pytest.fixture(params=["memory", "directory"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStore:
    """Each kind in turn, empty."""
    url = "memory://" if request.param == "memory" else str(tmp_path / "new" / "uploads")
    return ImageStore.open(url)


def sweep(images: ImageStore, *, older_than_seconds: float, wanted: tuple[str, ...] = ()) -> int:
    """Sweep all uploads of some age but the wanted ones."""
    return images.sweep(older_than_seconds=older_than_seconds, is_wanted=wanted.__contains__)


def test_a_wanted_upload_is_never_swept(images: ImageStore) -> None:
    """However old it is."""
    images.put("a", b"x")
    images.put("b", b"y")

    assert sweep(images, older_than_seconds=-60, wanted=("a",)) == 1
    assert images.get("a") == b"x"


def test_bytes_come_back_as_they_were(images: ImageStore) -> None:
    """Also after they were replaced."""
    images.put("a", b"first")
    images.put("a", b"\x00\xff")

    assert images.get("a") == b"\x00\xff"


def test_what_is_not_there_is_said(images: ImageStore) -> None:
    """The error tells the client what to do."""
    with pytest.raises(UploadMissingError, match="send it again"):
        images.get("nope")


def test_deleting_twice_is_fine(images: ImageStore) -> None:
    """A second worker may come to the same upload."""
    images.put("a", b"x")
    images.delete("a")
    images.delete("a")

    with pytest.raises(UploadMissingError):
        images.get("a")


def test_a_sweep_takes_only_what_is_old(images: ImageStore) -> None:
    """A young upload belongs to a job that may still run."""
    images.put("a", b"x")

    assert sweep(images, older_than_seconds=60) == 0
    assert sweep(images, older_than_seconds=-60) == 1


def test_a_probe_leaves_nothing(images: ImageStore) -> None:
    """The health check writes, and cleans up."""
    images.probe()

    assert sweep(images, older_than_seconds=-60) == 0
