"""Settings of the one-command start, read from `PETIOLE_UP_*`.

The parts read their own; Flower's are Flower's (`FLOWER_PORT`, `FLOWER_BASIC_AUTH`, …).
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_FLOWER_PORT = 5555


class UpSettings(BaseSettings):
    """What `petiole up` starts, and how long it waits for it."""

    model_config = SettingsConfigDict(env_prefix="PETIOLE_UP_", frozen=True)

    state_directory: Path = Field(
        default=Path("var"), description="Directory of all state: models, uploads, Redis' file."
    )
    redis_port: int = Field(
        default=6390,
        ge=1,
        le=65_535,
        description="Port of the embedded server; not started when CELERY_BROKER_URL or REDIS_URL"
        " names one.",
    )
    classify_children: int = Field(
        default=0, ge=0, description="Children of the classify worker; 0 means one for each core."
    )
    download_threads: int = Field(
        default=16, ge=1, description="Downloads at the same time in the download worker."
    )
    start_timeout_seconds: float = Field(
        default=120.0, gt=0, description="Give up when the service is not ready by then."
    )
    stop_timeout_seconds: float = Field(
        default=25.0, gt=0, description="A part that still runs this long after SIGTERM is killed."
    )
