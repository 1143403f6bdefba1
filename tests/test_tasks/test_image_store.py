"""One contract, run on every kind of image store."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from tasks.at_rest.keyring import Keyring
from tasks.errors import ServiceUnavailableError, UploadMissingError
from tasks.image_store import LIMITS, PROBE_LIMITS, ImageStore

# Between the limits and a machine that does other things, too; without limits it was 181 seconds.
HANG_SECONDS = 30


@pytest.fixture(params=["memory", "directory", "bucket", "directory encrypted", "bucket encrypted"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStore:
    """Each kind in turn, empty."""
    kind, _, is_encrypted = request.param.partition(" ")
    urls = {"memory": "memory://", "directory": str(tmp_path / "new" / "uploads")}
    keys = Keyring((b"k" * 32,) if is_encrypted else ())
    return ImageStore.open(urls.get(kind) or request.getfixturevalue("bucket_url"), keys)


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


def test_a_picture_of_many_parts_comes_back_whole(images: ImageStore) -> None:
    """A bucket gets what is over 5 MiB in parts."""
    upload = bytes(range(256)) * 4096 * 11

    images.put("a", upload)

    assert images.get("a") == upload


def test_looking_makes_no_directory(tmp_path: Path) -> None:
    """Only a write does: a mistyped one would be there ever after."""
    images = ImageStore.open(str(tmp_path / "uploads"))
    images.delete("a")

    with pytest.raises(UploadMissingError):
        images.get("a")
    assert (sweep(images, older_than_seconds=-60), list(tmp_path.iterdir())) == (0, [])


def test_a_silent_server_costs_one_silence(silent_bucket_url: str) -> None:
    """It takes the call and says nothing; no thread of the API is held by it for minutes."""
    images = ImageStore.open(silent_bucket_url)
    calls: list[Callable[[], object]] = [
        lambda: images.put("a", b"x"),
        lambda: images.put("a", bytes(6 * 2**20)),
        lambda: images.get("a"),
        lambda: images.delete("a"),
        lambda: sweep(images, older_than_seconds=0),
    ]
    started = monotonic()
    with ThreadPoolExecutor(len(calls)) as pool:
        failed = list(pool.map(_refused, calls))

    assert failed == [True] * len(calls)
    assert LIMITS.silence_seconds <= 5
    assert monotonic() - started < LIMITS.retry_seconds + LIMITS.silence_seconds + HANG_SECONDS


def test_a_probe_of_a_silent_server_keeps_the_promise_of_readyz(silent_bucket_url: str) -> None:
    """Its two requests, each tried once, end within the three seconds that are promised."""
    images, started = ImageStore.open(silent_bucket_url), monotonic()

    with pytest.raises(ServiceUnavailableError, match="did not take the upload; try again shortly"):
        images.probe()
    assert (PROBE_LIMITS.retries, 2 * PROBE_LIMITS.request_seconds < 3) == (0, True)
    assert monotonic() - started < 3 + HANG_SECONDS


def test_what_clients_are_told_names_no_path(tmp_path: Path) -> None:
    """Where the store is and what is wrong with it stands in the log."""
    (tmp_path / "uploads").write_text("")

    with pytest.raises(ServiceUnavailableError) as refused:
        ImageStore.open(str(tmp_path / "uploads"))
    assert str(refused.value) == "the image store did not open; try again shortly"


def _refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except ServiceUnavailableError:
        return True
    return False
