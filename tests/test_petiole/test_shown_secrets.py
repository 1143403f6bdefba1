"""What holds a secret shows itself without it: settings, Celery's table, notes, stores' errors."""

import os
import re
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings

from model_store.bucket_keys import Account
from model_store.errors import StoreUnavailableError
from model_store.objects import Objects
from model_store.store import ModelStore
from petiole import redis_login, running
from petiole.client.transport import Service
from petiole.settings import FlowerSettings
from petiole.variables import all_settings
from tasks.celery_settings import CelerySettings
from tasks.errors import ServiceUnavailableError
from tasks.image_store import ImageStore
from tasks.settings import TasksSettings
from tests.conftest import ROOT, free_port

MARK = "mark5of0a0secret"
ADDRESS = f"redis://me:{MARK}@127.0.0.1:1/0"
MAY_BE_SECRET = re.compile(r"url$|_key$|secret|password|token|backend")
NOT_SECRET = {"flower_url"}  # An address for browsers, on every page.
STORES = [
    f"https://u:{MARK}@127.0.0.1:{{port}}/container",
    f"http://127.0.0.1:{{port}}/container?sig={MARK}",
    f"az://container/path?sig={MARK}",
    f"nonsense://u:{MARK}@host/path",
]


def every_settings() -> list[type[BaseSettings]]:
    """Return all classes of settings."""
    return [*all_settings(), FlowerSettings, CelerySettings]


def test_no_setting_that_may_be_secret_shows_itself() -> None:
    """Of any class, by its name: also one that somebody adds."""
    shown = {
        f"{settings.__name__}.{name}"
        for settings in every_settings()
        for name, field in settings.model_fields.items()
        if MAY_BE_SECRET.search(name) and name not in NOT_SECRET
        if field.repr and field.annotation is not SecretStr
    }

    assert shown == set()


def test_no_settings_repr_has_what_they_are_set_to() -> None:
    """An address with a password, and a key that is none of pydantic's business."""
    settings = TasksSettings(job_store_url=ADDRESS, image_store_url=ADDRESS, webhook_secret=MARK)
    celery = CelerySettings(broker_url=ADDRESS, result_backend=ADDRESS)

    assert MARK not in f"{settings!r} {settings} {celery!r} {celery}"


@pytest.mark.parametrize("wrong", [f"redis://me:{MARK}@host:port/0", f"http://{MARK}@host"])
def test_a_refused_address_is_in_no_error(wrong: str) -> None:
    """A worker that does not start writes the whole error into its log."""
    with pytest.raises(ValidationError) as refused:
        TasksSettings(job_store_url=wrong)
    with pytest.raises(ValidationError) as refused_by_celery:
        CelerySettings(broker_url=wrong)

    assert MARK not in f"{refused.value} {refused.value!r}"
    assert MARK not in f"{refused_by_celery.value} {refused_by_celery.value!r}"


def test_what_carries_secrets_shows_none() -> None:
    """A note of a service, logins of Redis, an account of a bucket, a caller's key."""
    secrets = dict.fromkeys(("broker_url", "result_backend", "job_store_url"), ADDRESS)
    stores = dict.fromkeys(("image_store_url", "model_store_url"), ADDRESS)
    note = running.ServiceNote(
        1, "", "", api_url="", flower_url="", processes={}, **secrets, **stores
    )
    logins = redis_login.Logins(Path("users"), {"web": MARK})
    account = Account("", "", "id", secret=MARK, token=MARK)
    service = Service("http://127.0.0.1", MARK, retry_seconds=0)

    assert MARK not in repr([note, logins, account, service])


def celerys(environment: Mapping[str, str], *words: str) -> str:
    """Return what a command of Celery says, in an environment with secrets."""
    said = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return said.stdout + said.stderr


def test_celerys_table_has_nothing_of_the_environment() -> None:
    """Flower's page of a worker, `celery inspect conf` and `celery report` are made of it."""
    show = (
        "from tasks.celery import app; c = app.conf; print(c.table(with_defaults=True), c.humanize"
        "(with_defaults=True), app.bugreport(), app.backend, app.connection_for_write())"
    )
    names = ("PETIOLE_TASKS_WEBHOOK_SECRET", "AWS_SECRET_ACCESS_KEY", "ANYTHING")
    said = celerys({"REDIS_URL": ADDRESS, **dict.fromkeys(names, MARK)}, "-c", show)

    assert "broker_url" in said
    assert MARK not in said


@pytest.mark.parametrize("url", STORES)
def test_no_error_of_a_store_has_the_secrets_of_its_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    """In no message, in no traceback, in no line of the log."""
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    address = url.format(port=free_port())
    with pytest.raises(StoreUnavailableError) as of_models:
        ModelStore.open(address).names()
    with pytest.raises(ServiceUnavailableError) as of_images:
        ImageStore.open(address).put("a", b"x")
    written = [*map(traceback.format_exception, (of_models.value, of_images.value)), caplog.text]

    assert "cannot be used at" in str(of_models.value)
    assert MARK not in str(written)


def test_a_store_is_called_by_a_place_without_secrets() -> None:
    """As lists and messages call it; what is no secret stays."""
    store = Objects.open(f"https://u:{MARK}@host/container?sig={MARK}", called="the store")

    assert store.place == "https://…@host/container?…"
    assert Objects.open("s3://bucket/path", called="the store").place == "s3://bucket/path"
