"""Workers without the key of the pictures: they fail none, and a service says what is wrong."""

from base64 import b64encode

import pytest

from tasks.at_rest.keyring import MAGIC, SETTING
from tasks.job_stores.redis_upkeep import READY_MEMBERS
from tests.conftest import picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, worker

pytestmark = pytest.mark.end_to_end

KEY, ANOTHER = (b64encode(letter * 32).decode() for letter in (b"a", b"b"))


@pytest.fixture(scope="module")
def original_environment(original_environment: dict[str, str]) -> dict[str, str]:
    """All that is started has the key, unless the test says otherwise."""
    return original_environment | {SETTING: KEY}


def test_a_worker_with_another_key_takes_no_picture(stage: Stage) -> None:
    """It is not ready and says which setting is wrong; one with the key answers."""
    sent = stage.accepted(2)
    stored = [(stage.directory / "uploads" / each).read_bytes() for each in sent]
    with stage.running(worker(), **{SETTING: ANOTHER}):
        wait_until(lambda: SETTING in stage.get("/readyz").json()["checks"]["worker"])
        states = stage.states(sent)

    assert states == ["PENDING", "PENDING"]
    assert all(each.startswith(MAGIC) and picture() not in each for each in stored)
    with stage.working(worker()):
        assert stage.answered(sent, seconds=30)


def test_a_picture_that_a_worker_cannot_read_waits_for_one_that_can(stage: Stage) -> None:
    """As when the API got another key while workers ran: the picture is put off, not failed."""
    check = stage.directory / "uploads" / "key-check"
    stage.accepted()
    check.unlink()
    stage.redis.delete(READY_MEMBERS)
    with stage.running(worker(), **{SETTING: ANOTHER}):
        wait_until(check.exists)
        (sent,) = stage.accepted()
        wait_until(lambda: "job put off" in stage.log)
        ready = stage.get("/readyz").json()
        assert stage.states([sent]) != ["FAILURE"]
    check.unlink()

    assert SETTING in ready["checks"]["image store"]
    assert SETTING in ready["checks"]["worker"]
    assert "worker processes do not have the key" in ready["warnings"][0]
    with stage.working(worker()):
        assert stage.answered([sent], seconds=60)
