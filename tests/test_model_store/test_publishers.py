"""Publishers as processes of their own: killed at every moment, and two at once."""

import signal
import subprocess
from pathlib import Path

import pytest

from model_store import ModelCard, ModelStore
from tests import killed_writers

NAME = "flowers"

PUBLISH = """
from pathlib import Path
from model_store import ModelCard, ModelStore
from tests import killed_writers

url, files, card, publications = sys.argv[1:]
store = ModelStore.open(url)
draft = ModelCard.from_json(card)
begin()
for _ in range(int(publications)):
    print(store.publish(Path(files), draft).version, flush=True)
"""

# What is written: the claim, two files, the card's digest, the card.
MOMENTS = killed_writers.moments(5)


def _publisher(
    url: str, files: Path, card: ModelCard, *, kill_at: str = "", publications: int = 1
) -> subprocess.Popen[str]:
    arguments = (url, str(files), card.to_json(), str(publications))
    return killed_writers.start(PUBLISH, *arguments, kill_at=kill_at)


@pytest.fixture
def card(files: Path, draft: ModelCard, tmp_path: Path) -> ModelCard:
    """A finished card, as text can carry it to another process."""
    return ModelStore.open(str(tmp_path / "elsewhere")).publish(files, draft)


@pytest.mark.parametrize("moment", MOMENTS[:-1])
def test_a_publisher_killed_before_its_last_write_leaves_nothing_visible(
    shared_url: str, files: Path, card: ModelCard, moment: str
) -> None:
    """The next publisher gets a version that is whole."""
    publisher = _publisher(shared_url, files, card, kill_at=moment)
    publisher.communicate("go\n", timeout=60)
    store = ModelStore.open(shared_url, cache_directory=files.parent / "cache")

    assert publisher.returncode == -signal.SIGKILL
    assert (store.names(), store.versions(NAME)) == ((), ())
    assert store.fetch(NAME, store.publish(files, card).version).is_dir()
    assert len(store.versions(NAME)) == 1


def test_a_publisher_killed_after_its_last_write_has_published(
    shared_url: str, files: Path, card: ModelCard
) -> None:
    """The card is what makes a version, and nothing is missing by then."""
    _publisher(shared_url, files, card, kill_at=MOMENTS[-1]).communicate("go\n", timeout=60)
    store = ModelStore.open(shared_url, cache_directory=files.parent / "cache")

    assert store.fetch(NAME, 1).is_dir()


def test_publishers_in_two_processes_get_a_version_each(
    shared_url: str, files: Path, card: ModelCard
) -> None:
    """No version is overwritten, and every one of them verifies."""
    publishers = [_publisher(shared_url, files, card, publications=5) for _ in range(2)]
    for publisher in publishers:
        assert publisher.stdout is not None
        publisher.stdout.readline()
    published = [publisher.communicate("go\n", timeout=60)[0].split() for publisher in publishers]
    store = ModelStore.open(shared_url, cache_directory=files.parent / "cache")

    assert list(range(1, 11)) == sorted(map(int, [*published[0], *published[1]]))
    assert all(store.fetch(NAME, version).is_dir() for version in store.versions(NAME))
