"""The variables of Celery's own that this service checks before anything starts."""

from os import environ
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks import addresses, sentinels
from tasks.settings import master_name

IN_PROCESS = "memory"


def checked_beside(broker_url: str) -> str:
    """Return a broker's address, as far as what Celery cannot be told in it is said elsewhere.

    Raises:
        ValueError: no Redis is named beside another broker, or no master to Sentinels.
    """
    scheme = addresses.scheme_of(broker_url)
    if scheme == sentinels.SCHEME and ("?" in broker_url or not master_name()):
        raise ValueError(f"Sentinels stand in REDIS_URL, as {sentinels.EXAMPLE}")
    if scheme in ("", IN_PROCESS) or addresses.is_redis(broker_url) or _others_are_named():
        return broker_url
    raise ValueError(
        "it is no Redis, which job records and results need beside it;"
        " set REDIS_URL, such as redis://127.0.0.1:6379/0"
    )


def _others_are_named() -> bool:
    apart = environ.get("PETIOLE_TASKS_JOB_STORE_URL") and environ.get("CELERY_RESULT_BACKEND")
    return bool(environ.get("REDIS_URL") or apart)


class CelerySettings(BaseSettings):
    """The variables of Celery's own that say where it works; Celery reads them itself."""

    model_config = SettingsConfigDict(
        env_prefix="CELERY_", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    broker_url: Annotated[
        str, AfterValidator(addresses.checked_broker), AfterValidator(checked_beside)
    ] = Field(default="", repr=False)
    result_backend: Annotated[str, AfterValidator(addresses.checked_backend)] = Field(
        default="", repr=False
    )
