"""`petiole models quantize`: int8 from real pictures, in a folder or as the service is asked."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from model_store.references import is_name
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
    from model_store import ModelCard
    from model_store.quantizing import Attempt, Quantized
    from petiole.traffic_quantizing import Wanted

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
Shadow = Annotated[
    bool,
    typer.Option(
        help="After --from-traffic: compare the new version with production on live pictures,"
        " promote it if it is sure to agree, and take it back if that drops later.",
    ),
]
Watch = Annotated[
    bool,
    typer.Option(
        "--watch", help="With --from-traffic: stay, and do it whenever production has no int8."
    ),
]
Compared = Annotated[int, typer.Option("--for", min=50, help="Pictures that the shadow compares.")]


def quantize(  # noqa: PLR0913 - one parameter for each option
    reference: Reference,
    *,
    images: Images = None,
    from_traffic: FromTraffic = None,
    percent: Percent = 25.0,
    within: Within = 24.0,
    shadow: Shadow = True,
    compared: Compared = 500,
    watch: Watch = False,
    promote: Annotated[bool, typer.Option(help="Make the new version production at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a version about twice as fast by int8, if it still says the same to your pictures.

    Half of the pictures calibrate, the others judge. What passes becomes the next version of the
    model; what does not leaves everything as it was, and the reason is told.
    """
    if (images is None) == (from_traffic is None):
        raise typer.BadParameter("give either --images or --from-traffic")
    if watch:
        _watch(reference, from_traffic, percent, within, compared)
    with errors_as_lines():
        if images is not None:
            found, is_tried = _on_folder(reference, images), False
        else:
            wanted = _wanted(from_traffic or LEAST, percent, within * 3600, compared)
            found, is_tried = _on_traffic(reference, wanted, shadow=shadow and not promote)
        if found.card and promote:
            open_store().promote(found.card.name, found.card.version)
        _show(found, promoted=promote, is_tried=is_tried, as_json=as_json)
    if found.card is None:
        raise typer.Exit(1)


def _watch(
    reference: str, pictures: int | None, percent: float, hours: float, compared: int
) -> NoReturn:
    # Imported here: the other uses of this command need no second process.
    from petiole import quantize_watch  # noqa: PLC0415

    if pictures is None or not is_name(reference):
        raise typer.BadParameter("--watch needs --from-traffic and a model's name alone")
    options = {"--from-traffic": pictures, "--percent": percent, "--within": hours}
    quantize_watch.watch(reference, options | {"--for": compared})


def _wanted(pictures: int, percent: float, within_seconds: float, compared: int) -> "Wanted":
    # Imported here: NumPy and OpenVINO.
    from petiole.traffic_quantizing import Wanted  # noqa: PLC0415

    return Wanted(pictures, percent, within_seconds, compared)


def _on_folder(reference: str, images: Path) -> "Quantized":
    from model_store import quantizing  # noqa: PLC0415 - as above

    with progress() as report:
        return quantizing.quantize(open_store(), reference, images, report=report)


def _on_traffic(reference: str, wanted: "Wanted", *, shadow: bool) -> tuple["Quantized", bool]:
    """Return what became of it, and whether a shadow has begun."""
    from petiole import traffic_quantizing  # noqa: PLC0415 - as above

    store = open_store()
    with progress() as report, traffic_quantizing.ended_in_order():
        found = traffic_quantizing.quantize(store, reference, wanted, report=report)
    if found.card is None or not shadow:
        return found, False
    if problem := traffic_quantizing.confirm(store, found.card, wanted):
        typer.echo(f"petiole models: {problem}; {found.card.ref} stays, untried", err=True)
        raise typer.Exit(1)
    return found, True


def _show(found: "Quantized", *, promoted: bool, is_tried: bool, as_json: bool) -> None:
    ref = found.card.ref if found.card else None
    if as_json:
        best = found.best
        made = [asdict(attempt.variant) for attempt in found.attempts]
        document = {"version": ref, "speed_up": best.speed_up, "variant": asdict(best.variant)}
        print_json(document | {"variants": made})
        return
    for attempt in found.attempts:
        _show_attempt(attempt)
    if found.card is None:
        typer.echo("Nothing was published")
    else:
        _show_published(found.card, promoted=promoted, is_tried=is_tried)


def _show_attempt(attempt: "Attempt") -> None:
    variant = attempt.variant
    typer.echo(f"{variant.choice} {variant.reason}")
    typer.echo(
        f"{variant.milliseconds_per_image:.1f} ms a picture instead of"
        f" {attempt.float32.milliseconds_per_image:.1f}, {attempt.speed_up:.1f} times as fast"
    )


def _show_published(card: "ModelCard", *, promoted: bool, is_tried: bool) -> None:
    typer.echo(f"Published as {card.ref}" + (", which is production now" if promoted else ""))
    if is_tried:
        typer.echo("A shadow on live pictures decides whether it becomes production")
        next_step("how it goes", "models", "show", card.name)
        next_step("to end it", "models", "end", card.name)
    elif not promoted:
        next_step("to try it beside production", "models", "shadow", card.ref)
        next_step("to serve it", "models", "promote", card.ref)
