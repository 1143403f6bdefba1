"""What the operator's own browser must not be made to do by pages of other sites."""

import socket

import pytest
from flask.testing import FlaskClient

from tasks import once

WAYS = (("get", "/jobs"), ("get", "/admin"), ("post", "/jobs/x/retry"), ("delete", "/jobs/x"))
WRITES = WAYS[2:]
HERE = "127.0.0.1:8000"


def asked(client: FlaskClient, way: tuple[str, str], **headers: str) -> tuple[int, str]:
    """Return the status of a request and the kind of its problem, if it is one."""
    method, path = way
    named = {name.replace("_", "-"): value for name, value in {"Host": HERE, **headers}.items()}
    answer = client.open(path, method=method.upper(), headers=named)
    return answer.status_code, answer.json.get("type", "").partition("#")[2]


@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "same-site", "Origin": "http://127.0.0.1:3000"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "null"},
        {"Origin": "http://[evil"},
    ],
)
def test_no_page_of_another_site_writes(
    client: FlaskClient, way: tuple[str, str], headers: dict[str, str]
) -> None:
    """Neither a form of a stranger's page nor one of another port of this machine."""
    assert asked(client, way, **headers) == (403, "cross-site-request")


@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec_Fetch_Site": "same-origin", "Origin": f"http://{HERE}"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "https://through.a.proxy"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": f"http://{HERE}"},
    ],
)
def test_its_own_page_and_programs_write(
    client: FlaskClient, way: tuple[str, str], headers: dict[str, str]
) -> None:
    """They get as far as to hear that there is no such job."""
    assert asked(client, way, **headers) == (404, "unknown-task")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1.evil.example", "localhost.evil"])
def test_a_name_that_leads_here_sees_nothing(
    client: FlaskClient, way: tuple[str, str], host: str
) -> None:
    """To a browser such a page is one of this service: reading is refused as well."""
    headers = {"Sec_Fetch_Site": "same-origin", "Origin": f"http://{host}"}

    assert asked(client, way, Host=host, **headers) == (403, "unknown-host")


@pytest.mark.parametrize(
    "host", [HERE, "LocalHost:1", "[::1]:8000", "10.1.2.3", "ours.example", socket.gethostname()]
)
def test_addresses_and_own_names_are_known(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Nobody can make an address lead elsewhere; further names are the operator's to say."""
    monkeypatch.setenv("PETIOLE_API_OPERATOR_HOSTS", "other.example, Ours.example")
    once.begin_anew()

    assert asked(client, ("get", "/jobs"), Host=host)[0] == 200


def test_a_page_of_another_site_may_link_here(client: FlaskClient) -> None:
    """Reading changes nothing, and no other page can read the answer."""
    assert asked(client, ("get", "/admin"), Sec_Fetch_Site="cross-site")[0] == 200
