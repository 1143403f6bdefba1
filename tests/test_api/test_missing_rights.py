"""A right that Redis does not give is in the API's log when it starts, before anybody asks."""

import pytest
import redis

from tasks import redis_users
from tests.api_server import Start, start
from tests.test_end_to_end.conftest import wait_until

__all__ = ["start"]
pytestmark = pytest.mark.server


def test_it_is_named_once_with_what_gives_it(
    start: Start, redis_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where several processes serve."""
    (rules,) = [each.rules for each in redis_users.users() if each.name == redis_users.WEB]
    missing = next(rule for rule in rules if rule.startswith("&"))
    rest = [rule for rule in rules if rule != missing]
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">pw", *rest)
        narrow = redis_url.replace("redis://", "redis://narrow:pw@")
        start(REDIS_URL=narrow, PETIOLE_API_PROCESSES="2")
        said: list[str] = []
        wait_until(lambda: said.append(capfd.readouterr().err) or "ACL SETUSER" in "".join(said))
        client.acl_deluser("narrow")
    lines = [line for line in "".join(said).splitlines() if "refuses what is needed" in line]

    assert len(lines) == 1
    assert missing in lines[0]
    assert ":pw@" not in lines[0]
