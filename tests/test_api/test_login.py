"""A browser that has logged in with a key, and pages of others that would use its cookie."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import sessions
from tasks import stores
from tasks.keys.records import ADMIN, CLASSIFY, SCOPES
from tests.test_api.keyed import BROWSER, ID, MakeKey, client, guarded, key, slug_of

__all__ = ["client", "guarded", "key"]


def logged_in(guarded: Flask, headers: dict[str, str]) -> FlaskClient:
    """Return a browser that has shown a key."""
    browser = guarded.test_client()
    form = {"key": headers["Authorization"].removeprefix("Bearer ")}
    answer = browser.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return browser


def test_a_browser_logs_in_and_out(guarded: Flask, client: FlaskClient, key: MakeKey) -> None:
    """Without a key a page leads to the login; the cookie is out of others' reach."""
    led = client.get("/", headers=BROWSER)
    browser = logged_in(guarded, key("ana", ADMIN, CLASSIFY))
    cookie = browser.get_cookie("petiole_session")
    page = browser.get("/", headers=BROWSER)
    browser.post("/logout", headers={"Sec-Fetch-Site": "same-origin"})

    assert (led.status_code, led.headers["Location"]) == (303, "/login")
    assert (cookie.http_only, cookie.same_site) == (True, "Strict")
    assert "Log out" in page.text
    assert "Admin" in page.text
    assert browser.get("/", headers=BROWSER).status_code == 303


def test_a_wrong_key_is_told_so_on_the_page(guarded: Flask) -> None:
    """The form comes again, and no cookie with it."""
    own = {"Sec-Fetch-Site": "same-origin"}
    answer = guarded.test_client().post("/login", data={"key": "ptl_x"}, headers=own)

    assert answer.status_code == 401
    assert "This key was never made here" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/classify"),
        ("POST", "/login"),
        ("POST", "/logout"),
        ("DELETE", f"/jobs/{ID}"),
        ("GET", "/classify?image_url=http://example.org/a.jpg"),
    ],
)
def test_no_page_of_another_site_uses_the_cookie(
    guarded: Flask, key: MakeKey, method: str, path: str, headers: dict[str, str]
) -> None:
    """Nor one that does not say whose it is."""
    browser = logged_in(guarded, key("ana", *SCOPES))

    answer = browser.open(path, method=method, headers=headers)
    assert slug_of(answer) == (403, "cross-site-request")


def test_a_cookie_is_worth_nothing_when_changed_late_or_without_its_key(
    guarded: Flask, key: MakeKey
) -> None:
    """It names its key and its end, and both are signed."""
    headers = key("ana")
    browser = logged_in(guarded, headers)
    key_id, until, signature = browser.get_cookie("petiole_session").value.split(".")
    forged = [
        f"{key_id}.{int(until) + 1}.{signature}",
        f"{key_id}.1.{signature}",
        f"{key_id}.{until}.{'0' * 64}",
        f"{'0' * 12}.{until}.{signature}",
    ]
    made = stores.keys().get(key_id)
    forged.append(f"{key_id}.1000.{sessions._signature(made, 1000)}")  # late, and well signed
    statuses = []
    for value in forged:
        browser.set_cookie("petiole_session", value)
        statuses.append(browser.get("/models").status_code)
    again = logged_in(guarded, headers)
    stores.keys().revoke(key_id)

    assert statuses == [401] * 5
    assert again.get("/models").status_code == 401
