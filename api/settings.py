"""Settings of the HTTP room, read from `PETIOLE_API_*`."""

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks.once import once

ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


def _checked_origins(text: str) -> str:
    """Return origins as browsers write them.

    Raises:
        ValueError: one of them is none.
    """
    for each in _listed(text):
        if each != "*" and not ORIGIN.fullmatch(each):
            raise ValueError(
                f"{each!r} is no origin, such as https://app.example.org or http://10.0.0.1:3000:"
                " scheme, host in small letters, and the port if it is not the scheme's own"
            )
    return text


def _listed(text: str) -> tuple[str, ...]:
    """Return what is separated by commas."""
    return tuple(filter(None, (each.strip() for each in text.split(","))))


class ApiSettings(BaseSettings):
    """Where the API listens and how long it lets a client wait."""

    model_config = SettingsConfigDict(env_prefix="PETIOLE_API_", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address that gunicorn listens on.")
    port: int = Field(default=8000, ge=1, le=65_535, description="Port that gunicorn listens on.")
    listening_descriptor: int | None = Field(
        default=None,
        ge=3,
        description="File descriptor of a socket that listens already, instead of host and port;"
        " `petiole up` hands one on, so that old and new processes share it.",
    )
    processes: int = Field(default=1, ge=1, description="gunicorn worker processes.")
    threads: int = Field(
        default=40, ge=2, description="Requests that one process answers at the same time."
    )
    max_waiters: int = Field(
        default=1000,
        ge=1,
        description="Requests that one process holds open with `wait`, besides those that its"
        " threads answer; further ones are answered at once.",
    )
    max_streams: int = Field(
        default=500,
        ge=1,
        description="Streams of `GET /events` that one process holds open; further ones are"
        " answered with 503.",
    )
    max_connections: int = Field(
        default=2000,
        ge=1,
        description="Connections that one process holds open; further ones are answered with 503.",
    )
    request_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time in which a client must have sent a whole request; else it gets 408.",
    )
    bulk_request_seconds: float = Field(
        default=3600.0,
        gt=0,
        description="The same for the body of `POST /bulk`, which may have gigabytes.",
    )
    spool_directory: str = Field(
        default="",
        description="Directory in which bodies of `POST /bulk` are written as they come; left out,"
        " that of the image store, or the system's for temporary files where that is a bucket.",
    )
    max_wait_seconds: float = Field(
        default=30.0, ge=0, description="Longest `wait` that a client can ask for."
    )
    compatible_wait_seconds: float = Field(
        default=30.0,
        ge=0,
        description="How long `GET /classify`, `POST /predict` and the routes of other protocols"
        " wait before they answer 504.",
    )
    max_batch_pictures: int = Field(
        default=32,
        ge=1,
        le=1000,
        description="Pictures in one request of another protocol; all of it has as many bytes as"
        " one upload may.",
    )
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Proxies that every request passes, one after the other, whose"
        " `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` are believed; with 0 nobody's are.",
    )
    cors_origins: Annotated[str, AfterValidator(_checked_origins)] = Field(
        default="",
        description="Origins whose pages may use the API from a browser, such as"
        " `https://app.example.org`, separated by commas; `*` is every page. Left out, none may.",
    )
    require_keys: bool | None = Field(
        default=None,
        description="Whether every client must show an API key (docs/security.md); left out, only"
        " where the API listens elsewhere than on loopback, or behind trusted proxies.",
    )
    insecure: bool = Field(
        default=False,
        validate_default=True,
        description="Listen elsewhere than on loopback and ask nobody for a key. `petiole up"
        " --insecure` sets it.",
    )
    key_memory_seconds: float = Field(
        default=5.0,
        ge=0,
        le=60,
        description="How long a process remembers a key that it has looked up; a key that was"
        " revoked is refused after this time at the latest.",
    )
    session_seconds: int = Field(
        default=43_200,
        ge=60,
        description="How long a browser that has logged in with a key stays so.",
    )
    requests_per_second: float = Field(
        default=200.0,
        ge=0,
        description="Requests that one key may send in a second, for two seconds' worth at once;"
        " where no keys are required, one address elsewhere than on loopback. 0 is without a"
        " limit.",
    )
    open_jobs: int = Field(
        default=2_000,
        ge=0,
        description="Pictures of one key, or address, that wait or are worked on. 0 is without a"
        " limit.",
    )
    bytes_per_day: int = Field(
        default=20_000_000_000,
        ge=0,
        description="Bytes of pictures that one key, or address, may send between midnight and"
        " midnight (UTC). 0 is without a limit.",
    )
    show_jobs: bool | None = Field(
        default=None,
        description="Whether `/admin` and `/jobs` show everybody's jobs and the pictures in"
        " quarantine; left out, only where the API listens on loopback, and to clients on this"
        " machine.",
    )
    operator_hosts: str = Field(
        default="",
        description="Names under which operators reach `/admin` and `/jobs`, separated by commas,"
        " besides addresses, `localhost` and this machine's own name.",
    )
    flower_url: str = Field(
        default="http://127.0.0.1:5555", description="Flower's address for the index page's link."
    )

    @field_validator("insecure")
    @classmethod
    def _said_in_so_many_words(cls, insecure: bool, info: ValidationInfo) -> bool:
        host = info.data.get("host", "")
        if info.data.get("require_keys") is False and not (insecure or is_local(host)):
            raise ValueError(
                f"anybody who reaches {host} could use the service, as PETIOLE_API_REQUIRE_KEYS is"
                " false; leave that out, or set PETIOLE_API_INSECURE=true"
            )
        return insecure

    @property
    def are_keys_required(self) -> bool:
        """Whether every client must show a key."""
        if self.require_keys is None:
            is_alone = self.is_on_loopback and not self.trusted_proxies
            return not (is_alone or self.insecure)
        return self.require_keys

    @property
    def is_on_loopback(self) -> bool:
        """Whether the API listens where only this machine reaches it."""
        return is_local(self.host)

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names in `operator_hosts`."""
        return _listed(self.operator_hosts)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins in `cors_origins`."""
        return _listed(self.cors_origins)


def is_local(host: str) -> bool:
    """Tell whether what listens on this name or address is reached by this machine alone."""
    return host == "localhost" or is_loopback(host)


def is_loopback(host: str) -> bool:
    """Tell whether an address is one that only this machine reaches."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@once
def settings() -> ApiSettings:
    """Return the settings of this process, read once."""
    return ApiSettings()
