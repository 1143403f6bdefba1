"""One Redis, two ways of writing where it is; and addresses that are none."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection

from petiole import parts
from tasks import addresses
from tests.conftest import ROOT, wait_for_redis

BOTH_WAYS = {
    "redis://:pw@host:6379/1": "redis://:pw@host:6379/1",
    "unix:///run/redis.sock": "redis+socket:///run/redis.sock",
    "unix:///run/redis.sock?db=2": "redis+socket:///run/redis.sock?virtual_host=2",
    "unix://me:pw@/run/redis.sock?db=2": "redis+socket://me:pw@/run/redis.sock?virtual_host=2",
}

USE_EVERYTHING = """
from tasks import publisher, redis_checks, stores
from tasks.celery import app
app.backend.store_result("an-id", None, "SUCCESS")
publisher.ping()
print(publisher.is_the_job_store(), app.backend.get_status("an-id"))
print(redis_checks.refusals(["classify"], answers_clients=True), stores.prompt_job_store().ready())
"""


@pytest.mark.parametrize("url", BOTH_WAYS)
def test_a_socket_is_written_in_both_ways(url: str) -> None:
    """And any other address stays as it is."""
    assert addresses.for_celery(url) == BOTH_WAYS[url]
    assert addresses.for_redis(BOTH_WAYS[url]) == url
    assert addresses.checked_redis(BOTH_WAYS[url]) == url


@pytest.mark.parametrize(
    "url", ["redis://h/0", "sentinel://h:26379/0;sentinel://i:26379/0", "amqp://h//", "memory://"]
)
def test_what_celery_can_connect_to_is_a_broker(url: str) -> None:
    """Several, with semicolons, are one too."""
    assert addresses.checked_broker(url) == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://h/", "no address of a broker"),
        ("redis", "no address of a broker"),
        ("redis://h:port/0", "no address of a broker"),
        ("redis://h/0;htp://i", "no address of a broker"),
        ("unix:///s?db=1", "as redis.socket:///s.virtual_host=1"),
        ("amqp://h:port//", "no address of a broker"),
        ("amqp://me:p#ss@h//", "in a password write # as %23"),
        ("rediss://h/0?ssl_cert_reqs=perhaps", "ssl_cert_reqs is none of required"),
        ("redis://h/0?ssl_cert_reqs=required", "write rediss://"),
    ],
)
def test_what_celery_cannot_connect_to_is_refused(url: str, reason: str) -> None:
    """With what it takes, or how it is written."""
    with pytest.raises(ValueError, match=reason):
        addresses.checked_broker(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sentinel://one:26379/0", "names no master"),
        ("sentinel://one:26379/0?db=1", "names no master, and nothing but that"),
        ("sentinel://one;redis://two?master_name=m", "no address of Sentinels"),
        ("sentinel://one:port/0?master_name=m", "Port could not be cast"),
        ("rediss://h/0?ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs is no file"),
        ("rediss://h/0?ssl_cert_reqs=perhaps", "ssl_cert_reqs is none of required"),
    ],
)
def test_what_no_client_of_redis_could_use_is_refused(url: str, reason: str) -> None:
    """It would be an error of every request, or of the first failover."""
    with pytest.raises(ValueError, match=reason):
        addresses.checked_redis(url)


@pytest.mark.parametrize("written", ["", "?ssl_cert_reqs=CERT_REQUIRED", "?ssl_cert_reqs=required"])
def test_a_certificate_is_checked_by_every_client(written: str) -> None:
    """Kombu checks none unless it is told to, and redis-py does not know Celery's word."""
    url = f"rediss://:p%23w@h:6380/2{written}"
    plain = "rediss://:p%23w@h:6380/2?ssl_cert_reqs=required"

    assert (addresses.for_celery(url), addresses.checked_redis(url)) == (plain, plain)
    assert Connection(addresses.for_celery(url)).ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}


def test_each_sentinel_is_told_whole_to_celery() -> None:
    """Kombu takes user and database from whichever answers."""
    url = "sentinel://me:p%23w@one:1/3;sentinel://two?master_name=m"
    both = "sentinel://me:p%23w@one:1/3;sentinel://me:p%23w@two:26379/3"

    assert (addresses.for_celery(url), addresses.checked_redis(url)) == (both, url)
    assert addresses.are_one(url, both)


def test_a_result_backend_is_one_that_celery_knows() -> None:
    """None is named by default."""
    assert [addresses.checked_backend(url) for url in ("", "cache+memory://", "db+sqlite:///x")]
    with pytest.raises(ValueError, match="no address of a result backend"):
        addresses.checked_backend("htp://x")
    with pytest.raises(ValueError, match="told how to check it: rediss"):
        addresses.checked_backend("rediss://h/0")


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[str]:
    """The address of a server that listens at a socket in the file system alone."""
    (program, *_) = parts.redis(0, tmp_path).command
    place = tmp_path / "s"
    command = [program, "--port", "0", "--unixsocket", str(place), "--dir", str(tmp_path)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log)
    wait_for_redis(f"unix://{place}")
    yield f"unix://{place}?db=1"
    process.terminate()
    process.wait(timeout=10)


@pytest.mark.server
def test_everything_works_over_a_socket(socket: str, original_environment: dict[str, str]) -> None:
    """Broker, results and job records are one server, as over TCP."""
    ended = subprocess.run(
        [sys.executable, "-c", USE_EVERYTHING],
        cwd=ROOT,
        env=original_environment | {"REDIS_URL": socket, "PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout.splitlines() == ["True SUCCESS", "[] {}"], ended.stderr
