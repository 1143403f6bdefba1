"""`petiole models`: what the store has, what is in production, and how new models get in.

Tables are for people and go to stdout like the `--json` documents; progress and errors go to
stderr. Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.table import Table

from model_store import ModelCard, ModelReference, ModelStore, ModelStoreError, installers
from model_store.errors import BadModelReferenceError, UnknownInstallerError
from model_store.references import PRODUCTION
from model_store.settings import ModelSettings

app = typer.Typer(no_args_is_help=True, help="Install, list, show, promote and verify models.")

Reference = Annotated[str, typer.Argument(metavar="REF", help="name, name@version or name@alias")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]

USAGE_ERRORS = (BadModelReferenceError, UnknownInstallerError)


@app.command()
def install(
    name: Annotated[str, typer.Argument(help="What to install, such as imagenet.")],
    as_json: AsJson = False,
) -> None:
    """Fetch, convert and publish a ready-made model, unless the store has it."""
    with _errors_as_lines(), _progress() as report:
        card = installers.install(_store(), name, report=report)
    _show(card, as_json=as_json)


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models with their versions and aliases."""
    with _errors_as_lines():
        store = _store()
        models = [_summary(store, name) for name in store.names()]
    if as_json:
        _print_json({"models": models})
    else:
        _print_models(models)


@app.command()
def show(reference: Reference, as_json: AsJson = False) -> None:
    """Show the card of a version: origin, preprocessing, variants with their measurements."""
    with _errors_as_lines():
        store = _store()
        card = store.card(*store.resolve(reference))
    _show(card, as_json=as_json)


@app.command()
def promote(
    reference: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="The version to serve.")],
    as_json: AsJson = False,
) -> None:
    """Make a version the one that `name` alone means."""
    with _errors_as_lines():
        store, wanted = _store(), ModelReference.parse(reference)
        if wanted.version is None:
            raise BadModelReferenceError(
                f"promote needs a version number, as in {wanted.name}@1; got {reference!r}"
            )
        store.set_alias(wanted.name, PRODUCTION, wanted.version)
    if as_json:
        _print_json({"name": wanted.name, "alias": PRODUCTION, "version": wanted.version})
    else:
        Console().print(f"{wanted.name}@{PRODUCTION} is now version {wanted.version}")


@app.command()
def verify(reference: Reference, as_json: AsJson = False) -> None:
    """Read every byte of a version again and compare it with what was published."""
    with _errors_as_lines(), _progress() as report:
        store = _store()
        card = store.card(*store.resolve(reference))
        report(f"Verifying {len(card.files)} files of {card.ref}")
        store.verify(card)
    if as_json:
        _print_json({"model": card.ref, "verified_files": len(card.files)})
    else:
        Console().print(f"{card.ref}: all {len(card.files)} files are as they were published")


def _store() -> ModelStore:
    settings = ModelSettings()
    return ModelStore.open(settings.store_url, cache_directory=settings.cache_directory)


def _summary(store: ModelStore, name: str) -> dict[str, Any]:
    return {"name": name, "versions": store.versions(name), "aliases": store.aliases(name)}


def _show(card: ModelCard, *, as_json: bool) -> None:
    if as_json:
        _print_json(asdict(card))
    else:
        _print_card(card)


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2))


def _print_models(models: list[dict[str, Any]]) -> None:
    table = Table("model", "versions", "aliases")
    for model in models:
        aliases = (f"{alias} → {version}" for alias, version in model["aliases"].items())
        table.add_row(model["name"], ", ".join(map(str, model["versions"])), ", ".join(aliases))
    Console().print(table if models else "No models yet; try: petiole models install imagenet")


def _print_card(card: ModelCard) -> None:
    console = Console()
    facts = Table(title=card.ref, show_header=False, title_justify="left")
    for name, value in _facts(card):
        facts.add_row(name, value)
    console.print(facts)
    console.print(_variants(card))


def _facts(card: ModelCard) -> Iterator[tuple[str, str]]:
    spec = card.preprocessing
    yield "labels", f"{len(card.labels)}: {', '.join(card.labels[:3])}, …"
    yield "origin", f"{card.origin.source} {card.origin.file}".strip()
    yield "licence", card.licence
    yield "created", card.created_at
    yield "input", f"{spec.input_size} x {spec.input_size} {spec.channel_order}, {spec.resample}"
    yield "crop", f"central {spec.crop_fraction:.3f} of the shorter side"
    yield "files", str(len(card.files))
    for name, value in card.metrics.items():
        yield name, f"{value:g}"


def _variants(card: ModelCard) -> Table:
    table = Table("runtime", "precision", "ms a picture", "same top-1", "largest difference")
    table.add_column("serves")
    for variant in card.variants:
        table.add_row(
            variant.runtime,
            variant.precision,
            f"{variant.milliseconds_per_image:.1f}",
            f"{variant.same_top1:.3f}",
            f"{variant.largest_difference:.1e}",
            "yes" if variant.serves else f"no: {variant.reason}",
        )
    return table


@contextmanager
def _errors_as_lines() -> Iterator[None]:
    """Turn the store's errors into one line on stderr and the exit code."""
    try:
        yield
    except ModelStoreError as exc:
        typer.echo(f"petiole models: {exc}", err=True)
        raise typer.Exit(2 if isinstance(exc, USAGE_ERRORS) else 1) from exc


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what is being done, on stderr."""
    with _quiet_libraries() as stderr:
        console = Console(file=stderr)
        with console.status("Starting") as status:

            def report(step: str) -> None:
                console.print(step)
                status.update(step)

            yield report


@contextmanager
def _quiet_libraries() -> Iterator[TextIO]:
    """Yield the real stderr while everything else that is written there is dropped.

    TensorFlow writes a dozen lines about absent GPUs before any setting of it is read. Whoever
    sets TF_CPP_MIN_LOG_LEVEL sees them.
    """
    with os.fdopen(os.dup(2), "w") as stderr, Path(os.devnull).open("w") as nowhere:
        if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield stderr
        finally:
            os.dup2(stderr.fileno(), 2)
