"""What to tell an operator whose service asks for a key: to make the first one, or to show one."""

from time import time

import requests

from model_store import command_line
from petiole import probes
from tasks import stores
from tasks.errors import ServiceUnavailableError
from tasks.keys.records import KeyStore
from tasks.keys.stores import RedisKeys
from tasks.settings import TasksSettings

NO_KEY = 401


def of(api_url: str, *, job_store_url: str = "") -> str:
    """Return what to do about keys; empty where none is asked for, or `PETIOLE_KEY` has one.

    The keys are those of `job_store_url`, or of the store that the settings name.
    """
    try:
        answer = requests.get(
            f"{api_url}/models", timeout=probes.HTTP_SECONDS, headers=probes.credentials()
        )
        keys = _keys(job_store_url) if answer.status_code == NO_KEY else None
        if keys is None:
            return ""
        has_some = any(not each.is_expired(time()) for each in keys.all())
    except (requests.RequestException, ServiceUnavailableError):
        return ""  # Whatever is away is told of elsewhere.
    if has_some:
        return "the service asks for a key; set PETIOLE_KEY to that of an operator to see all"
    scopes = [word for scope in ("classify", "models", "admin") for word in ("--scope", scope)]
    command = command_line.command("keys", "create", "NAME", *scopes)
    return f"nobody may use the service, as no key has been made; make the first: {command}"


def _keys(job_store_url: str) -> KeyStore:
    if not job_store_url:
        return stores.keys()
    return RedisKeys(TasksSettings(job_store_url=job_store_url))
