"""Settings of the work room, read from `PETIOLE_TASKS_*`; `celeryconfig.py` holds Celery's own.

Every process of the service (API, workers, Flower) reads the same ones.
"""

from collections.abc import Mapping
from os import environ
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks import addresses, sentinels, signatures
from tasks.at_rest import keyring
from tasks.once import once

EMBEDDED_REDIS_URL = "redis://127.0.0.1:6390/0"
"""Where `make run` puts its own server; not 6379, so that an installed Redis is not disturbed."""
EMBEDDED_ADDRESS = "redis-url"
"""File of the state directory with the address and password of that server, for its operator."""


def default_redis_url() -> str:
    """Return `REDIS_URL`, else a Redis broker's URL, else the embedded server's."""
    return redis_url_of(environ) or environ.get(redis_url_variable()) or _embedded_redis_url()


def redis_url_of(environment: Mapping[str, str]) -> str:
    """Return `REDIS_URL`, with `REDIS_PASSWORD` in it where it has no password; it may be empty.

    In a variable of its own a password may have any characters.
    """
    url, password = environment.get("REDIS_URL", ""), environment.get("REDIS_PASSWORD", "")
    return addresses.with_password(url, password) if url and password else url


def master_name() -> str:
    """Return which master Sentinels are asked for, where an address of ours names some."""
    named = (redis_url_of(environ), environ.get("PETIOLE_TASKS_JOB_STORE_URL", ""))
    watched = [url for url in named if addresses.scheme_of(url) == sentinels.SCHEME]
    return sentinels.read(watched[0]).master_name if watched else ""


def _embedded_redis_url() -> str:
    """Return the address of the server that `petiole up` has started in this folder, if any."""
    state = Path(environ.get("PETIOLE_UP_STATE_DIRECTORY") or "var")
    try:
        return (state / EMBEDDED_ADDRESS).read_text("utf-8").strip() or EMBEDDED_REDIS_URL
    except OSError:
        # Nothing was started here, or by another user.
        return EMBEDDED_REDIS_URL


def redis_url_variable() -> str:
    """Return the variable that says where Redis is, as far as one does."""
    broker_url = environ.get("CELERY_BROKER_URL", "")
    # Celery's address of Sentinels does not say which master they are asked for.
    says_where = addresses.is_redis(broker_url) and not broker_url.startswith(sentinels.SCHEME)
    return "CELERY_BROKER_URL" if says_where and not environ.get("REDIS_URL") else "REDIS_URL"


class TasksSettings(BaseSettings):
    """Where jobs and uploads live, and the limits of a download."""

    model_config = SettingsConfigDict(
        env_prefix="PETIOLE_TASKS_", frozen=True, hide_input_in_errors=True
    )

    job_store_url: Annotated[str, AfterValidator(addresses.checked_redis)] = Field(
        default_factory=default_redis_url,
        repr=False,
        description="Job records: `redis://…`, `rediss://…`, `unix://…`, or `memory://` for one"
        " process.",
    )
    image_store_url: str = Field(
        default="var/uploads",
        repr=False,
        description="Uploads until their job is over: a directory, `s3://bucket/prefix` or"
        " `memory://` for one process.",
    )
    image_store_key: SecretStr = Field(
        default=SecretStr(""),
        description="Encrypts what lies in the image store: the base64 of 32 random bytes, the same"
        " for all parts; several, separated by spaces, while one takes the place of another: the"
        " first one encrypts, all decrypt. Without it uploads lie there as they came.",
    )
    result_ttl_seconds: int = Field(
        default=3600, ge=1, description="How long a finished document can be fetched."
    )
    cache_ttl_seconds: int = Field(
        default=3600,
        ge=0,
        description="How long an answer is given again to whoever sends the same bytes; 0 switches"
        " that off.",
    )
    cache_max_bytes: int = Field(
        default=67_108_864,
        ge=1,
        description="Bytes of Redis for such answers together; the oldest ones make room.",
    )
    metrics_labels: int = Field(
        default=100,
        ge=0,
        description="Labels of a version that `/metrics` counts on their own, the first ones that"
        " are seen; all others are `other`. 0 counts none on its own.",
    )
    training_ttl_seconds: int = Field(
        default=604_800, ge=1, description="How long the outcome of a training can be fetched."
    )
    tombstone_ttl_seconds: int = Field(
        default=86_400,
        ge=1,
        description="How long after that the task id still answers 410 instead of 404.",
    )
    open_job_ttl_seconds: int = Field(
        default=86_400, ge=60, description="How long an unfinished job record is kept."
    )
    keep_pictures_seconds: int = Field(
        default=600,
        ge=0,
        description="How long the picture of a client that asked for it, with `explain=true` or"
        " `keep=true`, is kept from its acceptance on, for explanations; 0 makes none. All others"
        " are deleted with the end of their job.",
    )
    keep_pictures_most: int = Field(
        default=1000, ge=1, description="Pictures that are kept so; further ones are answered 503."
    )
    keep_every_picture: bool = Field(
        default=False,
        description="Keep all pictures so, those too whose clients did not ask for it: any of them"
        " can be explained, and none is answered from what is known.",
    )
    explain_max_open: int = Field(
        default=200,
        ge=1,
        description="Explanations that wait; further ones are answered 503.",
    )
    explanation_ttl_seconds: int = Field(
        default=3600, ge=1, description="How long an explanation and its map can be fetched."
    )
    max_attempts: int = Field(
        default=3,
        ge=1,
        description="Starts of a job that lost its worker each time, before it is failed and its"
        " picture put into quarantine.",
    )
    quarantine_ttl_seconds: int = Field(
        default=604_800,
        ge=1,
        description="How long a job whose picture took every worker with it is kept, with that"
        " picture, for `petiole jobs`.",
    )
    max_open_jobs: int = Field(
        default=10_000,
        ge=1,
        description="Pictures that wait or are worked on; further ones are answered 503.",
    )
    max_open_bytes: int = Field(
        default=2_000_000_000,
        ge=1,
        description="Bytes of all these pictures together; further ones are answered 503.",
    )
    max_memory_share: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="Share of Redis' `maxmemory` up to which pictures are accepted; the rest is for"
        " finishing them.",
    )
    give_up_seconds: int = Field(
        default=3600,
        ge=1,
        description="How long a job is tried again while a store is away, before it is failed.",
    )
    reconcile_seconds: float = Field(
        default=1.0,
        ge=0,
        description="Time between two looks for jobs that lost their message or their worker; 0"
        " looks never.",
    )
    lost_after_seconds: float = Field(
        default=2.0,
        gt=0,
        description="A job that was overtaken in its queue by so much has lost its message; one"
        " whose worker has not held it for so long has lost that.",
    )
    max_pixels: int = Field(
        default=40_000_000, ge=1, description="Largest width times height of a picture, in pixels."
    )
    cut_off_jpegs: Literal["refuse", "show"] = Field(
        default="refuse",
        description="A JPEG that is cut off is refused, or what there is of it is classified and"
        " the answer has a warning.",
    )
    max_upload_bytes: int = Field(
        default=10_000_000, ge=1, description="Largest picture, uploaded or downloaded, in bytes."
    )
    bulk_max_bytes: int = Field(
        default=4_294_967_296,
        ge=1,
        description="Largest body of `POST /bulk`, in bytes, and largest archive in it when it is"
        " unpacked.",
    )
    bulk_max_pictures: int = Field(
        default=1_000_000, ge=1, description="Most pictures of one bulk."
    )
    bulk_max_open: int = Field(
        default=100, ge=1, description="Bulks that are not over; further ones are answered 503."
    )
    bulk_max_open_bytes: int = Field(
        default=21_474_836_480,
        ge=1,
        description="Bytes of the bodies of all these bulks together; further ones are answered"
        " 503.",
    )
    bulk_pack_pictures: int = Field(
        default=64, ge=1, le=1000, description="Most pictures of a bulk in one Celery task."
    )
    bulk_pack_bytes: int = Field(
        default=8_388_608,
        ge=1,
        description="Bytes of a bulk's pictures after which no further one comes into a task.",
    )
    bulk_batch: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Pictures of a bulk that are predicted at once; 0 measures 1 against 8 and"
        " takes the faster.",
    )
    bulk_picture_cpu_seconds: float = Field(
        default=60.0,
        gt=0,
        description="CPU time after which a process that does a bulk, and has not got on with it,"
        " is replaced.",
    )
    bulk_buckets: str = Field(
        default="",
        description="Places in buckets whose pictures bulks may name, such as"
        " `s3://photographs/2026`, separated by commas; reached as the image store's buckets are.",
    )
    bulk_ttl_seconds: int = Field(
        default=86_400, ge=1, description="How long the results of a bulk that is over are kept."
    )
    bulk_open_ttl_seconds: int = Field(
        default=604_800,
        ge=60,
        description="How long a bulk is kept in which nothing happens, such as one that is paused.",
    )
    download_connect_seconds: float = Field(
        default=3.0, gt=0, description="Time allowed to connect to a picture's server."
    )
    download_read_seconds: float = Field(
        default=5.0, gt=0, description="Longest silence of a picture's server."
    )
    download_total_seconds: float = Field(
        default=15.0, gt=0, description="Time allowed for one whole download, redirects included."
    )
    download_min_bytes_per_second: float = Field(
        default=1000.0,
        ge=0,
        description="Fewest bytes a second that a picture's server has to send, over each span of"
        " the longest silence; 0 for any.",
    )
    download_max_redirects: int = Field(
        default=3, ge=0, description="Redirects followed; each target is checked like the first."
    )
    download_max_retries: int = Field(
        default=2, ge=0, description="Further tries after a download error that can heal."
    )
    download_allow_networks: Annotated[str, AfterValidator(addresses.checked_networks)] = Field(
        default="",
        description="CIDR networks that may be downloaded from although they are not public,"
        " separated by commas (an intranet's picture store).",
    )
    download_deny_networks: Annotated[str, AfterValidator(addresses.checked_networks)] = Field(
        default="",
        description="CIDR networks that may not be downloaded from although they are public,"
        " separated by commas.",
    )
    download_allow_hosts: Annotated[str, AfterValidator(addresses.checked_hosts)] = Field(
        default="",
        description="Hosts that alone may be downloaded from, separated by commas; `*.example.org`"
        " are all below `example.org`. Left out, every host may.",
    )
    download_deny_hosts: Annotated[str, AfterValidator(addresses.checked_hosts)] = Field(
        default="",
        description="Hosts that may not be downloaded from, separated by commas, as above.",
    )
    download_ports: Annotated[str, AfterValidator(addresses.checked_ports)] = Field(
        default="80,443",
        description="Ports at which public servers are asked for pictures, separated by commas;"
        " empty for any. Networks that are allowed by name are asked at every port.",
    )
    download_user_agent: str = Field(
        default="petiole",
        min_length=1,
        pattern=r"^[\x20-\x7e]+$",
        description="What the service calls itself to pictures' servers; some refuse names that"
        " they do not know, or want an address to write to.",
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Signs webhooks: `whsec_` and the base64 of 24 to 64 random bytes; several,"
        " separated by spaces, while one takes the place of another. Without it nobody may ask for"
        " webhooks.",
    )
    webhook_allow_networks: Annotated[str, AfterValidator(addresses.checked_networks)] = Field(
        default="",
        description="CIDR networks that may be told although they are not public, separated by"
        " commas.",
    )
    webhook_total_seconds: float = Field(
        default=15.0, gt=0, description="Time allowed for one try to deliver a webhook."
    )
    webhook_give_up_seconds: int = Field(
        default=86_400,
        ge=0,
        description="How long a webhook is tried again, ever more rarely, before it is given up.",
    )
    webhook_dead_ttl_seconds: int = Field(
        default=604_800,
        ge=1,
        description="How long one that was given up is kept for `petiole webhooks`.",
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="`console` for people, `json` for machines; one line each."
    )
    log_ends: Literal["all", "failures", "none"] | None = Field(
        default=None,
        description="Which ends of jobs are a line of the log; left out, `all` of them for `json`,"
        " `failures` for `console`. An unforeseen error is one always.",
    )
    ready_ttl_seconds: int = Field(
        default=4,
        ge=3,
        description="A child that has not renewed its readiness for so long is gone.",
    )

    @property
    def longest_record_seconds(self) -> int:
        """How long a task id is known at most: open, over, and as a tombstone."""
        return self.open_job_ttl_seconds + self.result_ttl_seconds + self.tombstone_ttl_seconds

    @property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """What webhooks are signed with; none where there is no secret.

        Raises:
            ValueError: the secret is none.
        """
        return signatures.keys_of(self.webhook_secret.get_secret_value())

    @property
    def image_store_keys(self) -> tuple[bytes, ...]:
        """What encrypts the image store; none where it is plain.

        Raises:
            ValueError: one is no key.
        """
        return keyring.keys_of(self.image_store_key.get_secret_value())

    @property
    def webhook_ttl_seconds(self) -> int:
        """How long a promise to tell of an end is kept at most."""
        return self.webhook_give_up_seconds + self.webhook_dead_ttl_seconds


SECRETS = {"image_store_key": keyring.keys_of, "webhook_secret": signatures.keys_of}
"""Fields that pydantic itself must not check: its error would show what they are set to."""


@once
def settings() -> TasksSettings:
    """Return the settings of this process, read once."""
    read = TasksSettings()
    for field, keys_of in SECRETS.items():
        try:
            keys_of(getattr(read, field).get_secret_value())
        except ValueError as exc:
            raise _without_its_value(field, str(exc)) from None
    return read


def _without_its_value(field: str, reason: str) -> ValidationError:
    """Return the error of a setting that pydantic itself would show, with what it is set to."""
    error = InitErrorDetails(type=PydanticCustomError("secret", reason), loc=(field,), input="…")
    return ValidationError.from_exception_data(TasksSettings.__name__, [error])
