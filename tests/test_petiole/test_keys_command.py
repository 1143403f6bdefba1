"""`petiole keys`: made once, listed without secrets, taken back."""

import json
import re
from time import localtime, strftime

import pytest
import redis
from typer.testing import CliRunner

from petiole.cli import app
from tasks import once, stores
from tasks.keys.door import Door
from tasks.keys.records import NO_LIMITS, Limits


@pytest.fixture
def run(redis_url: str, monkeypatch: pytest.MonkeyPatch):
    """Run a command of `petiole keys` against an empty store."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", redis_url)
    once.begin_anew()
    return lambda *words: CliRunner().invoke(app, ["keys", *words])


def test_a_key_is_made_told_once_and_taken_back(run) -> None:
    """What `create` prints opens the door until it is revoked."""
    made = run("create", "ana", "--scope", "classify", "--expires", "90d")
    token = made.stdout.strip()
    (listed,) = json.loads(run("list", "--json").stdout)["keys"]
    opens = Door(stores.keys(), memory_seconds=0).admit(token)
    run("revoke", listed["id"])

    assert re.fullmatch(r"ptl_[0-9a-f]{12}\.[\w-]{43}", token)
    assert opens is not None
    assert (listed["name"], listed["scopes"], listed["active"]) == ("ana", ["classify"], True)
    assert not {"digest", "owner", "key"} & listed.keys()
    assert Door(stores.keys(), memory_seconds=0).admit(token) is None
    assert "there is no key" in run("list").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("create", "ana", "--scope", "root"), 1, "'root' is no scope; the scopes are: classify"),
        (("create", "a na"), 1, "'a na' is no name of a key"),
        (("create", "ana", "--expires", "soon"), 2, "'soon' is no time like 90d"),
        (("revoke", "0123456789ab"), 1, "there is no key '0123456789ab'"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, words: tuple[str, ...], code: int, said: str) -> None:
    """It names what was said, and what would do."""
    ended = run(*words)

    assert ended.exit_code == code
    assert said in " ".join(re.sub("[│╭╰─╮╯]", " ", ended.output).split())


def test_a_third_key_of_a_name_waits(run) -> None:
    """Two are for a rotation; a third one would be forgotten."""
    codes = [run("create", "ana").exit_code for _ in range(3)]

    assert codes == [0, 0, 1]
    assert "ana has 2 active keys" in run("create", "ana").output


def test_a_key_has_limits_of_its_own(run) -> None:
    """Kept with it, listed, and written down; what was not said stays with the settings."""
    made = run("create", "ana", "--requests-per-second", "2.5", "--bytes-per-day", "0")
    (listed,) = json.loads(run("list", "--json").stdout)["keys"]
    (key,) = stores.keys().all()
    shown = " ".join(run("list").stdout.split())

    assert key.limits == Limits(2.5, None, 0)
    assert listed["limits"] == {"requests_per_second": 2.5, "open_jobs": None, "bytes_per_day": 0}
    assert "2.5 requests in a second, any bytes a day" in made.stderr
    assert "2.5" in shown


def test_a_narrow_list_has_whole_dates_and_numbers(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also at the 80 columns of a pipe, with every limit and a date in each column."""
    monkeypatch.setenv("COLUMNS", "80")
    limits = ("--requests-per-second", "25", "--open-jobs", "1500", "--bytes-per-day", "12345678")
    run("create", "somebody", "--expires", "90d", *limits)
    shown = run("list").stdout
    (key,) = stores.keys().all()
    dates = {strftime("%Y-%m-%d", localtime(at)) for at in (key.created_at, key.expires_at)}

    assert dates <= set(shown.split())
    assert "12,345,678" in shown
    assert "…" not in shown


def test_a_key_from_before_there_were_limits_has_those_of_all(run, redis_url: str) -> None:
    """Its record lacks them, as that of a key without any."""
    run("create", "ana")
    (key,) = stores.keys().all()
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        names = client.hkeys(f"petiole:key:{key.key_id}")

    assert key.limits == NO_LIMITS
    assert not {"requests_per_second", "open_jobs", "bytes_per_day", "limits"} & set(names)
