"""Which servers there are: their folders, packages and commands."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wrk import BODY
from petiole.parts import ROOT, redis

ENVIRONMENTS = ROOT / "var" / "peers"
FORM_FIELD = "image"
ADDRESS = re.compile(r"[\w+.-]+://[^\s)`'\"]+")
Command = tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """Where one peer runs: its interpreter, its ports, its state, and how many workers it gets."""

    python: str
    port: int
    redis_port: int
    state: Path
    workers: int


@dataclass(frozen=True)
class Peer:
    """One server.

    Attributes:
        folder: Of `benchmarks/peers`, and of its environment in `var/peers`.
        title: As in the table.
        package: Whose version the table names.
        commands: What to start at a site, in this order.
        path: Where it takes pictures.
        field: Of the form that brings the picture, or `BODY`.
        threads: Threads that a worker predicts with; 0 means one a core.
    """

    folder: str
    title: str
    package: str
    commands: Callable[[Site], list[Command]]
    path: str = "/classify"
    field: str = FORM_FIELD
    threads: int = 1

    @property
    def home(self) -> Path:
        """Its environment."""
        return ENVIRONMENTS / self.folder

    @property
    def missing(self) -> str:
        """Why it cannot be started; empty where it can."""
        if (self.home / ".installed").exists():
            return ""
        failed = self.home / ".failed"
        said = failed.read_text(errors="replace") if failed.exists() else ""
        # An installer's message may name the package index, which is nobody's business.
        said = " ".join(ADDRESS.sub("(address)", said).split())
        return said[:200] or "its environment is not there; `make bench-peers` makes it"

    @property
    def version(self) -> str:
        """The version of its package that its lock names."""
        lock = ROOT / "benchmarks" / "peers" / self.folder / "requirements.lock"
        found = re.search(rf"^{self.package}==(\S+)", lock.read_text(), re.MULTILINE)
        return found[1] if found else ""


def _gunicorn(site: Site) -> list[Command]:
    bound = ("--bind", f"127.0.0.1:{site.port}", "--workers", str(site.workers))
    app = "benchmarks.peers.flask_gunicorn.server:app"
    return [(site.python, "-m", "gunicorn", *bound, "--log-level", "warning", app)]


def _mosec(site: Site) -> list[Command]:
    socket = ("--path", str(site.state / "mosec"))
    listens = ("--address", "127.0.0.1", "--port", str(site.port), *socket)
    return [(site.python, "-m", "benchmarks.peers.mosec.server", *listens)]


def _litserve(site: Site) -> list[Command]:
    return [(site.python, "-m", "benchmarks.peers.litserve.server", str(site.port))]


def _bentoml(site: Site) -> list[Command]:
    listens = ("--host", "127.0.0.1", "--port", str(site.port))
    service = "benchmarks.peers.bentoml.service:Classifier"
    return [(site.python, "-m", "bentoml", "serve", service, *listens)]


def _tutorial_classify(site: Site) -> list[Command]:
    return [(site.python, "-m", "benchmarks.peers.tutorial_classify.server", str(site.port))]


def _tutorial_redis_list(site: Site) -> list[Command]:
    servers = "benchmarks.peers.tutorial_redis_list"
    return [
        redis(site.redis_port, site.state / "redis").command,
        (site.python, "-m", f"{servers}.model_server"),
        (site.python, "-m", f"{servers}.server", str(site.port)),
    ]


PEERS = (
    Peer("flask_gunicorn", "Flask + gunicorn, no queue", "gunicorn", _gunicorn, field=BODY),
    Peer("mosec", "mosec", "mosec", _mosec, path="/inference", field=BODY),
    Peer("litserve", "LitServe", "litserve", _litserve, path="/predict"),
    Peer("bentoml", "BentoML", "bentoml", _bentoml),
    Peer("tutorial_classify", "tutorial: a model for each request", "flask", _tutorial_classify),
    Peer("tutorial_redis_list", "tutorial: Redis list", "flask", _tutorial_redis_list, threads=0),
)
BY_NAME = {peer.folder: peer for peer in PEERS}
