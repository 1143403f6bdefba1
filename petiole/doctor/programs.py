"""Python, the packages, and what makes workers that fork hang or crawl."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from model_store import command_line
from model_store.settings import ModelSettings, available_cores
from petiole.doctor.findings import Finding, error, warning, well
from petiole.parts import ROOT, WORKER_ENVIRONMENT
from petiole.settings import UpSettings

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
FORKS_ANEW = "MULTIPROCESSING_FORKING_DISABLE"
START_SECONDS = 60.0

MAIN_PROCESS = """
import json, os, sys
from tasks.celery import app
app.loader.import_default_modules()
heavy = [name for name in ("tensorflow", "openvino", "torch", "numpy") if name in sys.modules]
tasks = "/proc/self/task"
threads = len(os.listdir(tasks)) if os.path.isdir(tasks) else 1
print(json.dumps({"heavy": heavy, "threads": threads}))
"""
"""What a worker's main process has in memory in the moment when it forks its children."""


def look() -> Iterator[Finding]:
    """Look at the interpreter, the packages and the traps of forking."""
    yield _python()
    yield from _packages()
    yield _main_process()
    yield from _threads()
    yield from _traps()


def _python() -> Finding:
    version = sys.version.split()[0]
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        return well("Python", version)
    return error("Python", f"{version}; 3.11, 3.12 and 3.13 are supported", "use one of them")


def _packages() -> Iterator[Finding]:
    try:
        stated = metadata.requires("petiole") or []
    except metadata.PackageNotFoundError:
        to_do = "install it: pip install --no-deps --editable ."
        yield error("packages", "the package petiole itself is not installed", to_do)
        return
    wrong = [sentence for each in stated if (sentence := _wrong(Requirement(each)))]
    for sentence in wrong:
        to_do = "install what the lock names: pip install --requirement requirements/dev.lock"
        yield error("packages", sentence, to_do)
    if not wrong:
        names = ("celery", "redis", "flask", "gunicorn", "openvino", "tensorflow")
        yield well("packages", ", ".join(filter(None, map(_named, names))))


def _wrong(wanted: Requirement) -> str:
    """Return what is wrong with a package; those of extras may be missing."""
    is_optional = wanted.marker is not None and "extra" in str(wanted.marker)
    if wanted.marker is not None and not is_optional and not wanted.marker.evaluate():
        return ""
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "" if is_optional else f"{wanted.name} is not installed"
    if wanted.specifier.contains(found, prereleases=True):
        return ""
    return f"{wanted.name} is {found}; {wanted.specifier} is needed"


def _named(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return ""


def _main_process() -> Finding:
    """Start what a worker's main process is before it forks, and ask it what it has."""
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", MAIN_PROCESS],
            cwd=ROOT,
            env={**WORKER_ENVIRONMENT, **os.environ},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=True,
        )
        found = json.loads(ended.stdout)
    except subprocess.CalledProcessError as exc:
        reason = exc.stderr.strip().rpartition("\n")[2]
        return error("forking", f"a worker cannot start: {reason}", "mend what it names")
    except (subprocess.TimeoutExpired, ValueError) as exc:
        return error("forking", f"a worker cannot start: {exc}", "see what slows Python down here")
    if not found["heavy"] and found["threads"] == 1:
        return well("forking", "a worker forks with one thread and no runtime in memory")
    has = f"{found['threads']} threads and {', '.join(found['heavy']) or 'no runtime'} in memory"
    to_do = "find what imports it (PYTHONSTARTUP, sitecustomize, CELERY_IMPORTS, LD_PRELOAD)"
    return error("forking", f"a worker would fork with {has}; its children may hang", to_do)


def _threads() -> Iterator[Finding]:
    cores = available_cores()
    children = UpSettings().classify_children or cores
    wanted = {name: os.environ.get(name, "") for name in THREADS}
    wanted["PETIOLE_MODELS_INTRA_OP_THREADS"] = str(ModelSettings().intra_op_threads)
    for name, value in wanted.items():
        if value.isdecimal() and int(value) * children > cores:
            says = f"{name} is {value}; {children} children then share {cores} cores"
            yield warning("threads", says, "leave it out, so that each child takes its share")


def _traps() -> Iterator[Finding]:
    if os.environ.get("REMAP_SIGTERM", "SIGQUIT") != "SIGQUIT":
        says = "REMAP_SIGTERM is set; workers would not finish what they have in hand"
        yield error("stopping", says, "unset it")
    if "--preload" in os.environ.get("GUNICORN_CMD_ARGS", ""):
        says = "GUNICORN_CMD_ARGS has --preload; the threads of the stores do not survive a fork"
        yield error("forking", says, "leave it out")
    if os.environ.get(FORKS_ANEW) == "1":
        says = f"{FORKS_ANEW} is 1; children would start without what their worker has set up"
        yield error("start method", says, "unset it")
    if sys.platform == "darwin" and not os.environ.get("OBJC_DISABLE_INITIALIZE_FORK_SAFETY"):
        again = command_line.command("up", OBJC_DISABLE_INITIALIZE_FORK_SAFETY="YES")
        yield warning("start method", "macOS may end children that are forked", again)
