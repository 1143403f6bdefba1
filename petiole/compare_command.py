"""`petiole models compare`: what a new version would change, before it is promoted."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_store import heavy
from petiole import models_tables
from petiole.console import AsJson, Reference, errors_as_lines, open_store, print_json, progress

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

    Where the folder has sub-folders named like labels, their names are the truth, and the
    accuracy of both versions is told.
    """
    with errors_as_lines(), progress() as report:
        store, serving = open_store(), heavy.load("model_store.serving")
        models = []
        for reference in (first, second):
            report(f"Loading {reference}")
            models.append(serving.load(store, reference, runtime=runtime, threads=threads))
        report(f"Classifying the pictures in {images}")
        comparison = heavy.load("model_store.comparison").compare(
            *models, images, report=report.update
        )
    if as_json:
        print_json(_document(comparison))
    else:
        models_tables.print_comparison(comparison)


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
