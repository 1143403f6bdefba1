"""The variables of Celery's own that this service checks before anything starts."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks import addresses


class CelerySettings(BaseSettings):
    """The variables of Celery's own that say where it works; Celery reads them itself."""

    model_config = SettingsConfigDict(
        env_prefix="CELERY_", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    broker_url: Annotated[str, AfterValidator(addresses.checked_broker)] = Field(
        default="", repr=False
    )
    result_backend: Annotated[str, AfterValidator(addresses.checked_backend)] = Field(
        default="", repr=False
    )
