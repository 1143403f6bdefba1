"""`petiole models calibrate`: what a version's answers are worth, from a folder of photographs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from petiole.console import (
    AsJson,
    Reference,
    errors_as_lines,
    next_step,
    open_store,
    print_json,
)

Images = Annotated[
    Path,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Folder with one folder of photographs for each label; of some labels will do.",
    ),
]
Foreign = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Folder with photographs of other things, in any depth; drawn pictures when left out.",
    ),
]


def calibrate(
    reference: Reference,
    images: Images,
    foreign: Foreign = None,
    keep_thumbnails: Annotated[
        bool,
        typer.Option(
            help="Keep small copies and names of up to 500 of the photographs in the version, which"
            " whoever may ask the service may see; labels alone are always kept."
        ),
    ] = False,
    promote: Annotated[bool, typer.Option(help="Make the new version production at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how far a version's answers can be trusted, and publish it anew with that.

    The photographs must be ones that the model was not trained on, a hundred or more. The network
    stays the same; its probabilities are calibrated, and answers get a verdict.
    """
    # Imported here: NumPy, a runtime and Matplotlib, which the other commands do without.
    from training.calibration import calibrating  # noqa: PLC0415
    from training.calibration.calibrating import Wanted  # noqa: PLC0415
    from training.errors import TrainingError  # noqa: PLC0415
    from training.journal import Journal, Terminal  # noqa: PLC0415

    with errors_as_lines():
        store, wanted = open_store(), Wanted(reference, images, foreign, keep_thumbnails)
        try:
            found = calibrating.calibrate(store, wanted, Journal(Terminal(sys.stderr)))
        except TrainingError as exc:
            typer.echo(f"petiole models: {exc}", err=True)
            raise typer.Exit(1) from exc
        if promote:
            store.promote(found.card.name, found.card.version)
    if as_json:
        print_json({"version": found.card.ref, "trust": found.measured.trust.to_dict()})
        return
    for line in calibrating.lines(found):
        typer.echo(line)
    typer.echo(f"Published {found.card.ref}.")
    next_step("what it is", "models", "show", found.card.ref)
    if not promote:
        next_step("to put it in production", "models", "promote", found.card.ref)
