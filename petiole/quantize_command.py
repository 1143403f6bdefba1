"""`petiole models quantize`: int8 from real pictures, in a folder or as the service is asked."""

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

LEAST, MOST = 100, 400
"""Pictures to collect: half of them judge, and `picture_sets` wants 50 to 200 for that."""

Images = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Folder of real pictures, 100 or more."),
]
FromTraffic = Annotated[
    int | None,
    typer.Option(
        min=LEAST,
        max=MOST,
        metavar="N",
        help="Instead of a folder: collect the decoded pixels of so many different pictures that"
        " the running service is asked; they are deleted before int8 is made.",
    ),
]
Percent = Annotated[
    float,
    typer.Option(min=0.01, max=100, help="Share of the pictures to collect, by hash of task id."),
]
Within = Annotated[
    float, typer.Option(min=0.001, metavar="HOURS", help="Collect for so long at most.")
]


def quantize(  # noqa: PLR0913 - one parameter for each option
    reference: Reference,
    *,
    images: Images = None,
    from_traffic: FromTraffic = None,
    percent: Percent = 25.0,
    within: Within = 24.0,
    promote: Annotated[bool, typer.Option(help="Make the new version production at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a version about twice as fast by int8, if it still says the same to your pictures.

    Half of the pictures calibrate, the others judge. What passes becomes the next version of the
    model; what does not leaves everything as it was, and the reason is told.
    """
    if (images is None) == (from_traffic is None):
        raise typer.BadParameter("give either --images or --from-traffic")
    with errors_as_lines():
        found = (
            _on_folder(reference, images)
            if images
            else _on_traffic(reference, from_traffic or LEAST, percent, within)
        )
        if found.card and promote:
            open_store().promote(found.card.name, found.card.version)
        _show(found, promoted=promote, as_json=as_json)
    if found.card is None:
        raise typer.Exit(1)


def _on_folder(reference: str, images: Path) -> "Quantized":
    # Imported here: NumPy and OpenVINO.
    from model_store import quantizing  # noqa: PLC0415

    with progress() as report:
        return quantizing.quantize(open_store(), reference, images, report=report)


def _on_traffic(reference: str, wanted: int, percent: float, hours: float) -> "Quantized":
    from petiole import traffic_quantizing  # noqa: PLC0415 - as above

    store = open_store()
    with progress() as report, traffic_quantizing.ended_in_order():
        pictures = traffic_quantizing.Wanted(wanted, percent, hours * 3600)
        return traffic_quantizing.quantize(store, reference, pictures, report=report)


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
