"""No secret stands where somebody else may read it: a mark is planted in each, and looked for."""

import pytest
from pytest_httpserver import HTTPServer

from tests.test_end_to_end import planted
from tests.test_end_to_end.planted import (
    COOKIE,
    DIGEST,
    OWNER,
    PICTURE_URL,
    WEBHOOK_URL,
    Written,
    mark,
)

pytestmark = pytest.mark.end_to_end

IN_REDIS = (DIGEST, OWNER, PICTURE_URL, WEBHOOK_URL)
"""What is kept there: hashes of keys, and the addresses that a worker has yet to ask."""


@pytest.fixture(scope="module")
def written(
    colour_store: str,
    tmp_path_factory: pytest.TempPathFactory,
    original_environment: dict[str, str],
    make_httpserver: HTTPServer,
) -> Written:
    """What a service with all secrets wrote after everything was asked of it."""
    state = tmp_path_factory.mktemp("secrets")
    with planted.planted(colour_store, state, original_environment) as service:
        planted.make_keys(service)
        planted.send(service, make_httpserver)
        planted.look_into_flower(service)
        planted.run_commands(service)
        planted.collect(service)
    service.written.add("files", "output", service.service.log.read_bytes())
    return service.written


@pytest.mark.parametrize("kind", ["files", "arguments", "answers", "flower", "commands"])
def test_no_secret_stands_where_others_read(written: Written, kind: str) -> None:
    """Logs and files, processes' arguments, answers and metrics, Flower, what commands say."""
    assert written.leaks(kind) == []


def test_redis_has_no_secret_but_what_is_kept_there(written: Written) -> None:
    """No password, and no key that could be shown; its own secrets lie with its jobs."""
    assert written.leaks("redis", but=IN_REDIS) == []


def test_a_mark_is_found_in_whatever_form(written: Written) -> None:
    """The search itself: as it is, in a URL, in base64 at any place."""
    secret = mark("it")
    found = Written({"it": secret})
    for number in range(3):
        found.add("kind", str(number), planted.encoded(b"x" * number + secret.encode(), 40))
    found.add("kind", "url", planted.quote(secret, safe=""))

    assert len(found.leaks("kind")) == 4
    assert set(written.secrets) > {COOKIE, DIGEST, OWNER}
    assert {kind: len(places) > 2 for kind, places in written.kinds.items()} == dict.fromkeys(
        ("answers", "arguments", "commands", "files", "flower", "redis"), True
    )
