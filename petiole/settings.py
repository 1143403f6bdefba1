"""Settings of the one-command start, read from `PETIOLE_UP_*`.

The parts read their own. Flower reads its `FLOWER_*` too; those that its address is made of
are also read here.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REDIS_MAX_BYTES = 1024**3
"""Enough for 20 pictures/s around the clock, or for half a million that wait.

Measured: a waiting job takes 1.8 kB with its message, a finished one 2 kB for an hour and then
0.4 kB for a day.
"""


FEWEST_FOR_INT8 = 100
"""Pictures, half of which judge; see `picture_sets.FEWEST_JUDGED`, which needs NumPy."""


def _enough(pictures: int) -> int:
    if 0 < pictures < FEWEST_FOR_INT8:
        raise ValueError(f"half of them judge int8, so {FEWEST_FOR_INT8} are needed; 0 is none")
    return pictures


class UpSettings(BaseSettings):
    """What `petiole up` starts, and how long it waits for it."""

    model_config = SettingsConfigDict(env_prefix="PETIOLE_UP_", frozen=True)

    state_directory: Path = Field(
        default=Path("var"),
        description="Directory of all state but the models: uploads, Redis' file, model cache,"
        " metrics; for one service only, whose `service.json` leads other commands to it.",
    )
    redis_port: int = Field(
        default=6390,
        ge=1,
        le=65_535,
        description="Port of the embedded server; not started when CELERY_BROKER_URL or REDIS_URL"
        " names one.",
    )
    redis_max_bytes: int = Field(
        default=REDIS_MAX_BYTES,
        ge=0,
        description="Memory of the embedded server, in bytes; at it, pictures are refused with 503"
        " and none is lost. 0 means no limit.",
    )
    classify_children: int = Field(
        default=0, ge=0, description="Children of the classify worker; 0 means one for each core."
    )
    download_threads: int = Field(
        default=16, ge=1, description="Downloads at the same time in the download worker."
    )
    bulk: bool = Field(
        default=True,
        description="Also run a worker of the lowest priority, for `POST /bulk` and explanations;"
        " without it explanations are off.",
    )
    bulk_worker_children: int = Field(
        default=0, ge=0, description="Its children; 0 means one for each core."
    )
    training: bool = Field(
        default=False, description="Also run a training worker, for `petiole train --enqueue`."
    )
    int8_from_traffic: Annotated[int, AfterValidator(_enough)] = Field(
        default=0,
        ge=0,
        le=400,
        description="Make int8 of the default model by itself, from the decoded pixels of so many"
        " pictures that are asked, 100 to 400; they are kept until there are enough, a day at most"
        " (docs/int8.md). 0 keeps none.",
    )
    start_timeout_seconds: float = Field(
        default=120.0, gt=0, description="Give up when the service is not ready by then."
    )
    stop_timeout_seconds: float = Field(
        default=25.0, gt=0, description="A part that still runs this long after SIGTERM is killed."
    )


class FlowerSettings(BaseSettings):
    """Where Flower listens."""

    model_config = SettingsConfigDict(env_prefix="FLOWER_", env_ignore_empty=True, frozen=True)

    port: int = Field(default=5555, ge=1, le=65_535, description="Port that Flower listens on.")
    address: str = Field(default="127.0.0.1", description="Address that Flower listens on.")
    url_prefix: str = Field(default="", description="Path under which Flower's pages are.")
