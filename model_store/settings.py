"""Settings of the model store, read from `PETIOLE_MODELS_*`.

Workers, the API and the command line read the same values, so that all of them see one store.
"""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ModelSettings(BaseSettings):
    """Where models are kept and how they are run."""

    model_config = SettingsConfigDict(env_prefix="PETIOLE_MODELS_", frozen=True)

    store_url: str = Field(
        default="var/models",
        repr=False,
        min_length=1,
        description="Where published models are kept: a directory, or a bucket as s3://bucket/path.",
    )
    cache_directory: Path = Field(
        default=Path("var/model-cache"),
        description=(
            "Directory for verified copies of the versions that come from a bucket, and for which "
            "variant is the fastest on this machine."
        ),
    )
    default_model: str = Field(
        default="imagenet",
        min_length=1,
        description="Model that classifies a picture when the client names none.",
    )
    runtime: str = Field(
        default="auto",
        min_length=1,
        description=(
            "Runtime that predicts: auto (the fastest variant that agrees with the SavedModel), "
            "tensorflow, openvino, litert, or one that another package registered; openvino:int8 "
            "or litert:float32 is one variant exactly."
        ),
    )
    max_loaded_bytes: int = Field(
        default=1_000_000_000,
        ge=0,
        description=(
            "Models that one worker child keeps in memory, by the bytes of their files; the least "
            "recently used ones are dropped, the default one never."
        ),
    )
    intra_op_threads: int = Field(
        default=0,
        ge=0,
        description="Threads that one worker child predicts with; 0 means cores / children.",
    )

    def threads_of_child(self, children: int) -> int:
        """Return how many threads each of `children` worker processes should predict with."""
        return self.intra_op_threads or max(1, available_cores() // max(1, children))


def available_cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
