"""The program that opens a stranger's file: reads a request, puts limits on, imports, answers.

`python -m model_store.importers.child` takes one JSON document from stdin and writes one a line to
stdout: sentences of progress, then what became of it. The parent believes only JSON, no pickles.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model_store import heavy, importers
from model_store.card import ModelCard
from model_store.errors import ModelStoreError
from model_store.importers import ImportOptions, confinement, landlock, whereabouts
from model_store.importers.confinement import Limits
from model_store.importers.whereabouts import Whereabouts

NO_SECCOMP = (
    "This system cannot keep the import from the network; publish what strangers made in a "
    "container without one"
)
NO_LANDLOCK = (
    "This system cannot keep the import from your files (that needs Linux 5.19 with Landlock); "
    "publish what strangers made in a container without them"
)
OUTSIDE = (
    "an import reads the folder that the model lies in and no other; copy the model into a folder "
    "of its own (cp -rL follows links)"
)


def main() -> None:
    """Carry out the request on stdin."""
    request = json.load(sys.stdin)
    # What libraries print goes nowhere near the documents.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**document: Any) -> None:
        print(json.dumps(document), file=answers, flush=True)

    try:
        say(card=_card(_drafted(request, lambda sentence: say(report=sentence))))
    except MemoryError as exc:
        say(error="ModelFormatError", message=f"it needs more memory than an import may use: {exc}")
    except ModelStoreError as exc:
        say(error=type(exc).__name__, message=_explained(str(exc)))


def _drafted(request: dict[str, Any], report: Any) -> ModelCard:
    source, options = request["source"], _options(request["options"])
    places = Whereabouts(**request["places"])
    # Before any library starts threads of its own, which would keep all rights.
    if not landlock.keep_to(read=whereabouts.readable(places), write=whereabouts.writable(places)):
        report(NO_LANDLOCK)
    importer = importers.importer_of(source)
    heavy.load(f"model_store.importers.{importer}")
    if importer == "hub_module":
        from model_store.importers import hub_module  # noqa: PLC0415 - TensorFlow

        # The last thing that needs the network; what was fetched is then found in its cache.
        hub_module.fetch(source.removeprefix(importers.HUB_PREFIX))
    if not confinement.put_on(Limits(**request["limits"])):
        report(NO_SECCOMP)
    return importers.draft(source, options, Path(request["directory"]), report=report)


def _explained(message: str) -> str:
    # The system's words, which most libraries hand on, and OpenVINO's.
    refused = any(words in message for words in ("Permission denied", "appropriate permissions"))
    return f"{message}; {OUTSIDE}" if refused else message


def _options(document: dict[str, Any]) -> ImportOptions:
    triples = {name: tuple(document[name]) for name in ("mean", "scale") if document[name]}
    return ImportOptions(**document | triples)


def _card(card: ModelCard) -> dict[str, Any]:
    kept = ("labels", "preprocessing", "origin", "reference")
    return {name: value for name, value in asdict(card).items() if name in kept}


if __name__ == "__main__":
    main()
