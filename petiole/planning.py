"""What is looked at before anything is started: settings, the model, the state directory, ports.

Whatever any part would refuse is refused here, in one line, while nothing runs yet.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from model_store import ModelStore, ModelStoreError, command_line
from model_store.errors import StoreUnavailableError
from model_store.objects import without_secrets
from model_store.settings import ModelSettings
from petiole import parts, probes, variables
from petiole.parts import Plan
from petiole.settings import UpSettings
from tasks.celery_settings import CelerySettings

INSTALLABLE = "imagenet"

Ports = Mapping[str, tuple[str, int]]
"""The `(setting, port)` of each part that will listen."""


class StartError(Exception):
    """The service cannot be started; the message says why.

    `parts` are those that it is due to, as far as they were started.
    """

    def __init__(self, message: str, *, parts: tuple[str, ...] = ()) -> None:
        """Say why, and which parts are to blame."""
        super().__init__(message)
        self.parts = parts


class StartInterruptedError(StartError):
    """The user interrupted before the work was done."""


def planned(up: UpSettings) -> Plan:
    """Return what to start, after a look at what each part would refuse.

    Raises:
        StartError: the model or the state directory is not there; says why.
    """
    for settings in variables.all_settings():
        settings()
    CelerySettings()
    check_model()
    if not parts.brings_redis(os.environ):
        check_rights()
    try:
        return parts.plan(up, os.environ)
    except OSError as exc:
        raise unwritable(up, exc) from exc


def unwritable(up: UpSettings, exc: OSError) -> StartError:
    """Return what to say of a state directory that cannot be made or written to."""
    return StartError(
        f"PETIOLE_UP_STATE_DIRECTORY is {up.state_directory}, which cannot be written to:"
        f" {exc.strerror}"
    )


def check_model() -> None:
    """Check that the store has the model that classifies when a client names none.

    A bucket that cannot be reached is no reason to give up: it may start after us.

    Raises:
        StartError: it has not; says where it was looked for and what to do.
    """
    settings = ModelSettings()
    url, name = parts.absolute(settings.store_url), settings.default_model
    if parts.is_path(url) and not Path(url).is_dir():
        raise StartError(f"the model store {url} does not exist; {remedy(name)}")
    try:
        ModelStore.of(settings).resolve(name)
    except StoreUnavailableError:
        return
    except ModelStoreError as exc:
        where = without_secrets(url)
        message = f"PETIOLE_MODELS_DEFAULT_MODEL is not in {where}: {exc}; {remedy(name)}"
        raise StartError(message) from exc


def check_rights() -> None:
    """Check that the Redis that is named lets every part do its work.

    One that cannot be reached, is full or still loads is no reason to give up: that may pass.

    Raises:
        StartError: it does not; says which right is missing.
    """
    # Imported here: the embedded server has users that may do what is needed.
    from tasks import redis_checks, redis_users  # noqa: PLC0415
    from tasks.errors import ServiceUnavailableError  # noqa: PLC0415

    try:
        missing = redis_checks.missing_rights(redis_users.OF_THE_WEB)
    except ServiceUnavailableError:
        return
    if missing:
        raise StartError("; ".join(missing))


def remedy(model: str) -> str:
    """Return what to do about a model that the store has not."""
    if model == INSTALLABLE:
        first = f"run `{command_line.command('models', 'install', INSTALLABLE)}`"
    else:
        first = f"publish {model!r} or set PETIOLE_MODELS_DEFAULT_MODEL"
    return f"{first}, or set PETIOLE_MODELS_STORE_URL to the store that has it"


def check_ports(plan: Plan) -> None:
    """Check that every port is free and none is used twice.

    Raises:
        StartError: names every port that is taken, and how to start on free ones.
    """
    setting_of: dict[int, str] = {}
    for setting, port in plan.ports.values():
        if port in setting_of:
            names = f"{setting_of[port]} and {setting}"
            raise StartError(f"{names} are both {port}; set one of them to another port")
        setting_of[port] = setting
    if taken := taken_ports(plan.ports):
        raise StartError(f"{taken}; {elsewhere(plan.ports)}")


def taken_ports(ports: Ports) -> str:
    """Return which ports other programs have, as a sentence; empty when all are free."""
    taken = [f"port {port} for {name}" for name, (_, port) in _taken(ports).items()]
    verb = "is" if len(taken) == 1 else "are"
    return f"{' and '.join(taken)} {verb} taken" if taken else ""


def elsewhere(ports: Ports) -> str:
    """Return how the service is started with a free port for each taken one."""
    used = {port for _, port in ports.values()}
    free: dict[str, str] = {}
    for setting, port in _taken(ports).values():
        chosen = probes.free_port_after(port, but=used)
        used.add(chosen)
        free[setting] = str(chosen)
    return f"on free ports it starts with: {command_line.command('up', **free)}"


def _taken(ports: Ports) -> Ports:
    return {name: each for name, each in ports.items() if not probes.port_is_free(each[1])}
