"""The client of a service that requires keys and lets nobody wait: every answer is asked for."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from petiole.client import AccessDeniedError, Client, ExpiredResultError, UnknownTaskError
from tests.conftest import ROOT, picture
from tests.test_end_to_end.conftest import RunningService, colour_service

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service that answers a stranger with 401, and who would wait with 202."""
    further = {"PETIOLE_API_REQUIRE_KEYS": "true", "PETIOLE_API_MAX_WAIT_SECONDS": "0"}
    state = tmp_path_factory.mktemp("guarded")
    with colour_service(colour_store, state, original_environment, **further) as running:
        yield running


@pytest.fixture(scope="module")
def clients(guarded: RunningService) -> Iterator[tuple[Client, Client]]:
    """Two clients, each with a key of its own."""
    ana, ben = (_client(guarded, name) for name in ("ana", "ben"))
    with ana, ben:
        yield ana, ben


def _client(service: RunningService, name: str) -> Client:
    command = [sys.executable, "-m", "petiole", "keys", "create", name]
    made = subprocess.run(
        command, cwd=ROOT, env=service.environment, capture_output=True, text=True, check=True
    )
    return Client(service.api, key=made.stdout.strip())


def test_who_has_no_key_is_told_so(guarded: RunningService) -> None:
    """Before anything is classified."""
    with Client(guarded.api) as stranger, pytest.raises(AccessDeniedError):
        stranger.classify(picture())


def test_pictures_are_classified_and_their_results_are_their_own(
    clients: tuple[Client, Client],
) -> None:
    """Another key's task is one that never was."""
    ana, ben = clients
    task = ana.classify(picture("blue"))

    assert ana.result(task.task_id).task_id == task.task_id
    for method in (ben.result, ben.cancel, ben.forget, ben.explain):
        with pytest.raises(UnknownTaskError):
            method(task.task_id)


def test_an_explanation_is_waited_for(clients: tuple[Client, Client]) -> None:
    """Its own id belongs to no key; its picture's address leads to it."""
    ana, _ = clients
    task = ana.classify(picture("red"), keep=True)
    best, blue = ana.explain(task.task_id), ana.explain(task.task_id, label="blue")

    assert (best.label, blue.label) == ("red", "blue")
    assert ana.heat_map(best).startswith(b"\x89PNG")


def test_many_are_classified(clients: tuple[Client, Client]) -> None:
    """Each answer is asked for by its id."""
    ana, _ = clients
    outcomes = list(ana.map([picture(colour) for colour in ("red", "green", "blue")]))

    assert [outcome.task.best.label for outcome in outcomes] == ["red", "green", "blue"]


def test_a_task_is_forgotten_by_who_made_it(clients: tuple[Client, Client]) -> None:
    """And gone for it, too."""
    ana, _ = clients
    task_id = ana.submit(picture("green")).task_id
    ana.forget(task_id)

    with pytest.raises(ExpiredResultError):
        ana.result(task_id)
