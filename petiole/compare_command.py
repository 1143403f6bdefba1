"""`petiole models compare`: what a new version would change, before it is promoted."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_store import heavy
from petiole import models_tables
from petiole.console import (
    AsJson,
    Reference,
    errors_as_lines,
    next_step,
    open_store,
    print_json,
    progress,
)

if TYPE_CHECKING:
    from model_store.comparison import Comparison


def compare(
    first: Reference,
    second: Reference,
    images: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder of pictures to classify.")
    ],
    runtime: Annotated[str, typer.Option(help="A runtime, or auto for the fastest.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Threads to predict with.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Classify pictures with two versions: how often they agree, where not, and how fast.

    Sub-folders named like labels say what their pictures show; the accuracy of both versions is
    then told.
    """
    with errors_as_lines(), progress() as report:
        heavy.prepare()
        from model_store import comparison, serving  # noqa: PLC0415 - NumPy, perhaps TensorFlow

        store = open_store()

        def load(reference: str) -> serving.ServedModel:
            report(f"Loading {reference}")
            return serving.load(store, reference, runtime=runtime, threads=threads)

        models = load(first), load(second)
        report(f"Classifying the pictures in {images}")
        found = comparison.compare(*models, images, report=report.update)
    if as_json:
        print_json(_document(found))
    else:
        models_tables.print_comparison(found)
        next_step("to try it on a share", "models", "canary", found.second.ref)


def _document(comparison: "Comparison") -> dict[str, Any]:
    return {
        "pictures": len(comparison.pairs),
        "agreement": comparison.agreement,
        "mean_difference": comparison.mean_difference,
        "largest_difference": comparison.largest_difference,
        "versions": [asdict(comparison.first), asdict(comparison.second)],
        "disagreements": [asdict(pair) for pair in comparison.disagreements],
        "skipped": list(comparison.skipped),
    }
