"""Where the service runs: the lock of its state directory, and `service.json` in it.

One service for each state directory; every other command finds it by the document, so that
nobody has to repeat its ports.
"""

import fcntl
import json
import os
import signal
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import urlsplit

from petiole import kept_secrets
from petiole.settings import UpSettings

LOCK, DOCUMENT = "service.lock", "service.json"
ROLL = signal.SIGUSR2
"""Asks `petiole up` for new workers and API processes."""

POLL_SECONDS = 0.2

BROKER = ("REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "PETIOLE_TASKS_JOB_STORE_URL")
"""A command whose environment has one of these has said itself where the service is."""


class AlreadyRunningError(Exception):
    """Another service uses the state directory; the message says which."""


@dataclass(frozen=True)
class ServiceNote:
    """A service that runs: its addresses and its processes.

    `process` is that of `petiole up`, `began` tells it from a later one with the same id,
    `processes` has the one of each part and `restarts` how often it had to be started again; what
    the parts say is in `log_directory`. `rolls` counts the calls of `petiole roll` that it has
    done with; `last_roll` is empty when the last of them succeeded, else it says why not.
    """

    process: int
    began: str
    started_at: str
    api_url: str
    flower_url: str
    broker_url: str = field(repr=False)
    result_backend: str = field(repr=False)
    job_store_url: str = field(repr=False)
    image_store_url: str = field(repr=False)
    model_store_url: str = field(repr=False)
    processes: Mapping[str, int]
    rolls: int = 0
    last_roll: str = ""
    restarts: Mapping[str, int] = field(default_factory=dict)
    log_directory: str = ""

    @property
    def is_alive(self) -> bool:
        """Tell whether the process that wrote the note still runs."""
        return self.began == began(self.process)

    def environment(self) -> dict[str, str]:
        """Return the settings with which a command reaches this service."""
        api = urlsplit(self.api_url)
        return {
            "CELERY_BROKER_URL": self.broker_url,
            "CELERY_RESULT_BACKEND": self.result_backend,
            "PETIOLE_TASKS_JOB_STORE_URL": self.job_store_url,
            "PETIOLE_TASKS_IMAGE_STORE_URL": self.image_store_url,
            "PETIOLE_MODELS_STORE_URL": self.model_store_url,
            "PETIOLE_API_HOST": api.hostname or "",
            "PETIOLE_API_PORT": str(api.port),
        }


@contextmanager
def locked(directory: Path, api_url: str) -> Iterator[None]:
    """Hold the state directory; the lock ends with the process, however that ends.

    Raises:
        AlreadyRunningError: another process holds it; names the process and its address.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.seek(0)
            holder = file.read().strip() or "another process"
            message = f"already running in {directory}: {holder}"
            raise AlreadyRunningError(message) from exc
        file.truncate(0)
        file.write(f"process {os.getpid()}, {api_url}\n")
        file.flush()
        yield


def write(directory: Path, note: ServiceNote) -> None:
    """Write `service.json`, whole or not at all; only its owner may read the passwords in it."""
    kept_secrets.write(directory / DOCUMENT, json.dumps(asdict(note), indent=2))


def remove(directory: Path) -> None:
    """Remove `service.json`: the service is no longer ready."""
    (directory / DOCUMENT).unlink(missing_ok=True)


def find() -> ServiceNote | None:
    """Return the service whose state directory is here or in a folder above, if one runs."""
    notes = (_read(directory / DOCUMENT) for directory in _state_directories())
    return next((note for note in notes if note is not None and note.is_alive), None)


def starting() -> str:
    """Return who holds a state directory, here or in a folder above, though none is ready there.

    Empty when nobody does; such a service starts or stops just now.
    """
    return next(filter(None, map(_holder, _state_directories())), "")


def state_directory() -> Path:
    """Return the state directory that commands mean here: one that is there, else the default."""
    found = _state_directories()
    return next((directory for directory in found if directory.is_dir()), found[0])


def _state_directories() -> list[Path]:
    # Not the settings' class: it would refuse what concerns `petiole up` alone.
    default = UpSettings.model_fields["state_directory"].default
    state = Path(os.environ.get("PETIOLE_UP_STATE_DIRECTORY") or default)
    here = Path.cwd()
    return list(dict.fromkeys(folder / state for folder in (here, *here.parents)))


def _holder(directory: Path) -> str:
    try:
        with (directory / LOCK).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return (directory / LOCK).read_text("utf-8").strip() or "another process"
    except OSError:
        # No service was ever started here.
        return ""
    return ""


def adopt(environment: MutableMapping[str, str]) -> None:
    """Fill in how to reach the running service, where the environment does not say it itself."""
    note = find()
    if note is None:
        return
    says_broker = any(environment.get(name) for name in BROKER)
    for name, value in note.environment().items():
        if not (says_broker and name in BROKER) and not environment.get(name):
            environment[name] = value


def roll(note: ServiceNote) -> str:
    """Ask a service for new processes and wait for them; returns why it has none, or nothing."""
    os.kill(note.process, ROLL)
    while (now := find()) is not None and now.process == note.process:
        if now.rolls > note.rolls:
            return now.last_roll
        sleep(POLL_SECONDS)
    return "the service has ended"


def _read(path: Path) -> ServiceNote | None:
    """Return a note of our own; another user's could lead anywhere."""
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_uid != os.getuid():
                return None
            document: dict[str, Any] = json.load(file)
            known = {each.name for each in fields(ServiceNote)}
            return ServiceNote(**{name: document[name] for name in known & document.keys()})
    except (OSError, ValueError, AttributeError, TypeError):
        # None was written here, or by a version that wrote it otherwise.
        return None


def began(process: int) -> str:
    """Return when a process began, in a unit of the system's; empty when there is none.

    Source: proc(5), field 22 of `stat`. Elsewhere than on Linux only that it runs is known.
    """
    try:
        os.kill(process, 0)
        fields_of_stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (ProcessLookupError, PermissionError):
        return ""
    except FileNotFoundError:
        return "unknown"
    return fields_of_stat[19]


def age_seconds(process: int) -> float | None:
    """Return how long a process has run; None when there is none, or the system does not say.

    Source: proc(5), `uptime`, and field 22 of `stat` in clock ticks.
    """
    ticks = began(process)
    if not ticks.isdecimal():
        return None
    uptime_seconds = float(Path("/proc/uptime").read_text().split()[0])
    return max(0.0, uptime_seconds - int(ticks) / os.sysconf("SC_CLK_TCK"))
