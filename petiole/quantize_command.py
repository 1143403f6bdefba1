"""`petiole models quantize`: int8 from a folder of the user's own pictures."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    from model_store.quantizing import Quantized


def quantize(
    reference: Reference,
    images: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="Folder of real pictures, 100 or more."),
    ],
    promote: Annotated[bool, typer.Option(help="Make the new version production at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a version about twice as fast by int8, if it still says the same to your pictures.

    Half of the pictures calibrate, the others judge. What passes becomes the next version of the
    model; what does not leaves everything as it was, and the reason is told.
    """
    with errors_as_lines():
        # Imported here: NumPy and OpenVINO.
        from model_store import quantizing  # noqa: PLC0415

        store = open_store()
        with progress() as report:
            found = quantizing.quantize(store, reference, images, report=report)
        if found.card and promote:
            store.promote(found.card.name, found.card.version)
        _show(found, promoted=promote, as_json=as_json)
    if found.card is None:
        raise typer.Exit(1)


def _show(found: "Quantized", *, promoted: bool, as_json: bool) -> None:
    ref = found.card.ref if found.card else None
    if as_json:
        print_json({"version": ref, "speed_up": found.speed_up, "variant": asdict(found.variant)})
        return
    typer.echo(f"int8 {found.variant.reason}")
    typer.echo(
        f"{found.variant.milliseconds_per_image:.1f} ms a picture instead of"
        f" {found.float32.milliseconds_per_image:.1f}, {found.speed_up:.1f} times as fast"
    )
    if ref is None:
        typer.echo("Nothing was published")
    else:
        typer.echo(f"Published as {ref}" + (", which is production now" if promoted else ""))
        if not promoted:
            next_step("to try it beside production", "models", "shadow", ref)
            next_step("to serve it", "models", "promote", ref)
