"""What is to be known of a service: its parts, whether it is ready, its models and its jobs.

A service of `petiole up` is found by its note; any other one by the API's address, which is then
all that can be asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from api.settings import ApiSettings
from petiole import key_hints, parts, probes, running
from petiole.probes import HTTP_SECONDS, Readiness
from petiole.running import ServiceNote
from tasks import lanes, untold

NO_DOWNLOADER = "no worker takes downloads: pictures sent by address and webhooks wait"


@dataclass(frozen=True)
class PartState:
    """One part: its process, how long that has run, and how often it was started again.

    `uptime_seconds` is None while it is between two processes.
    """

    name: str
    process: int
    uptime_seconds: float | None
    restarts: int


@dataclass(frozen=True)
class ModelState:
    """What the name of a model means, and whether it answers when a client names none."""

    name: str
    production: int | None
    default: bool


@dataclass(frozen=True)
class JobsState:
    """Pictures that wait, and those that are worked on."""

    waiting: int
    running: int


@dataclass(frozen=True)
class ServiceState:
    """A service at one moment.

    Attributes:
        running: Whether there is a service at all.
        ready: Whether a picture sent now would be classified.
        missing: Why it would not.
        warnings: What cannot be promised although it is ready.
        parts: Those of `petiole up`; none of a service that something else runs.
        children: How many classify children are ready.
        loaded: What they have in memory, as `imagenet@1 on openvino`.
        models: Every model with its production version.
        jobs: None where the API does not say.
        addresses: By name, in the order in which a person looks for them.
        log_directory: Where the parts' logs are, if `petiole up` keeps them.
    """

    running: bool
    ready: bool
    missing: str
    warnings: tuple[str, ...]
    parts: tuple[PartState, ...]
    children: int
    loaded: tuple[str, ...]
    models: tuple[ModelState, ...]
    jobs: JobsState | None
    addresses: Mapping[str, str]
    log_directory: str


def look() -> ServiceState:
    """Return what can be known of the service that commands mean here."""
    note = running.find()
    api_url = note.api_url if note else parts.url_of(ApiSettings().host, ApiSettings().port)
    found = probes.readiness_of(api_url)
    starting = "" if note or found.answered else running.starting()
    is_running = bool(note or found.answered or starting)
    return ServiceState(
        running=is_running,
        ready=not found.missing,
        missing=_missing(found, starting, is_running=is_running),
        warnings=_warnings(found, key_hints.of(api_url) if found.answered else ""),
        parts=_parts(note),
        children=sum(child["state"] == "ready" for child in found.children),
        loaded=tuple(found.models),
        models=_models(api_url) if found.answered else (),
        jobs=_jobs(api_url) if found.answered else None,
        addresses=_addresses(api_url, note) if is_running else {},
        log_directory=note.log_directory if note else "",
    )


def _missing(found: Readiness, starting: str, *, is_running: bool) -> str:
    if starting:
        return f"it starts or stops just now: {starting}"
    return found.missing if is_running else "no service runs here or in a folder above"


def _warnings(found: Readiness, of_keys: str) -> tuple[str, ...]:
    is_alone = found.answered and not found.missing and not found.downloaders
    alone = f"{NO_DOWNLOADER}; {untold.to_do()}"
    return (*found.warnings, *((alone,) if is_alone else ()), *((of_keys,) if of_keys else ()))


def _parts(note: ServiceNote | None) -> tuple[PartState, ...]:
    if note is None:
        return ()
    return tuple(
        PartState(name, process, _age_seconds(process), note.restarts.get(name, 0))
        for name, process in note.processes.items()
    )


def _age_seconds(process: int) -> float | None:
    age_seconds = running.age_seconds(process)
    return None if age_seconds is None else round(age_seconds, 1)


def _models(api_url: str) -> tuple[ModelState, ...]:
    offered = _get(f"{api_url}/models")
    if offered is None:
        return ()
    found: list[Mapping[str, Any]] = offered.json()["models"]
    return tuple(
        ModelState(each["name"], each["aliases"].get("production"), each["default"])
        for each in found
    )


def _jobs(api_url: str) -> JobsState | None:
    series = _get(f"{api_url}/metrics")
    if series is None:
        return None
    families = {each.name: each for each in text_string_to_metric_families(series.text)}
    waiting, running = (
        sum(int(s.value) for s in families[name].samples if s.labels["queue"] in lanes.TASKS)
        for name in ("petiole_waiting_jobs", "petiole_running_jobs")
    )
    return JobsState(waiting, running)


def _get(url: str) -> requests.Response | None:
    """Return the answer to a GET, or nothing when it is none that tells anything."""
    headers = {"Accept": "application/json, text/plain"} | probes.credentials()
    try:
        response = requests.get(url, timeout=HTTP_SECONDS, headers=headers)
    except requests.RequestException:
        return None
    return response if response.ok else None


def _addresses(api_url: str, note: ServiceNote | None) -> dict[str, str]:
    addresses = {"page": api_url, "API": f"{api_url}/docs/"}
    return addresses | ({"Flower": note.flower_url} if note else {})
