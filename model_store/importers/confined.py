"""Imports a source in a child process with limits, and believes nothing of it but its answers."""

import json
import site
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model_store import errors
from model_store.card import ModelCard, Origin, PreprocessingSpec
from model_store.errors import ModelFormatError, ModelStoreError
from model_store.importers import ImportOptions, confinement, whereabouts
from model_store.importers.confinement import Limits
from model_store.reports import Report

CHILD = "model_store.importers.child"
DEADLINE_SECONDS = 900.0


def draft(
    source: str,
    options: ImportOptions,
    directory: Path,
    *,
    report: Report,
    limits: Limits | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> ModelCard:
    """Have a child write the model of `source` into `directory`; return the draft of its card.

    Raises:
        ModelStoreError: what the child refused, as `importers.draft` raises it.
        ModelFormatError: the child ended without an answer, or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="petiole-import-") as scratch:
        places = whereabouts.of_import(source, options, write=(directory, Path(scratch)))
        for place in places.write:
            Path(place).mkdir(parents=True, exist_ok=True)
        request = {
            "source": source,
            "options": asdict(options),
            "directory": str(directory),
            "limits": asdict(limits or Limits()),
            "places": asdict(places),
        }
        return _answered(request, scratch, report=report, deadline_seconds=deadline_seconds)


def _answered(
    request: dict[str, Any], scratch: str, *, report: Report, deadline_seconds: float
) -> ModelCard:
    child, late = _started(scratch), threading.Event()
    timer = threading.Timer(deadline_seconds, _kill, (child, late))
    timer.start()
    try:
        with child:
            return _conversed(child, request, report)
    except (EOFError, ValueError, KeyError, TypeError) as exc:
        end = f"took more than {deadline_seconds:g} seconds and was ended"
        raise ModelFormatError(
            f"reading {request['source']} {end if late.is_set() else _end(child.returncode)}; "
            "what makes a reader fail like this is damaged, far too large, or made to do harm"
        ) from exc
    finally:
        timer.cancel()


def _conversed(
    child: "subprocess.Popen[str]", request: dict[str, Any], report: Report
) -> ModelCard:
    try:
        _hand_over(child, request)
        return _card(_heard(child.stdout or (), report), request["options"])
    except EOFError:
        # It ends by itself, and how it does says why.
        child.wait()
        raise
    finally:
        child.kill()


def _started(scratch: str) -> "subprocess.Popen[str]":
    own = {
        "HOME": scratch,
        "TMPDIR": scratch,
        # Else what is installed for a user alone would be looked for in that home.
        "PYTHONUSERBASE": site.getuserbase(),
        "TFHUB_CACHE_DIR": str(whereabouts.hub_cache()),
        # Else it warns that it may not make semaphores, which nobody needs here.
        "JOBLIB_MULTIPROCESSING": "0",
    }
    # -P: what lies in the folder one stands in is no module of ours.
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-m", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=confinement.bare_environment() | own,
        text=True,
    )


def _kill(child: "subprocess.Popen[str]", late: threading.Event) -> None:
    late.set()
    child.kill()


def _hand_over(child: "subprocess.Popen[str]", request: dict[str, Any]) -> None:
    # A child that is dead already is found so by its silence.
    with suppress(BrokenPipeError):
        if child.stdin:
            child.stdin.write(json.dumps(request))
            child.stdin.close()


def _heard(lines: Iterable[str], report: Report) -> dict[str, Any]:
    """Return the card that a child drafted; raise what it refused.

    Raises:
        EOFError: it ended without an answer.
        ValueError: what it said is no answer; KeyError, TypeError: likewise.
    """
    for line in lines:
        document = json.loads(line)
        if "report" in document:
            report(str(document["report"]))
        elif "error" in document:
            raise _error(str(document["error"]))(str(document["message"]))
        else:
            return dict(document["card"])
    raise EOFError("the child ended without an answer")


def _error(name: str) -> type[ModelStoreError]:
    found = getattr(errors, name, None)
    known = isinstance(found, type) and issubclass(found, ModelStoreError)
    return found if known and found else ModelFormatError


def _end(code: int) -> str:
    return f"ended its process ({f'signal {-code}' if code < 0 else f'exit code {code}'})"


def _card(found: dict[str, Any], options: dict[str, Any]) -> ModelCard:
    spec = found["preprocessing"]
    channels = {name: tuple(spec[name]) for name in ("mean", "scale")}
    return ModelCard(
        name=options["name"],
        labels=tuple(found["labels"]),
        preprocessing=PreprocessingSpec(**spec | channels),
        variants=(),
        licence=options["licence"],
        origin=Origin(**found["origin"]),
        reference=str(found["reference"]),
    )
