"""`petiole models`: what the store has, what is in production, and how new models get in.

The commands that only read or move are here; `publish`, `install`, `compare` and `judge` have
files of their own.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from model_store import ModelCard, ModelReference, ModelStore, exporting
from model_store.errors import (
    BadModelReferenceError,
    CorruptVersionError,
    ModelFormatError,
    UnknownVersionError,
)
from model_store.references import PREVIOUS, PRODUCTION, is_name
from petiole import (
    calibrate_command,
    compare_command,
    judge_command,
    models_tables,
    publish_command,
    quantize_command,
)
from petiole.console import (
    AsJson,
    Reference,
    classify_with,
    errors_as_lines,
    next_step,
    open_store,
    print_json,
    progress,
)
from petiole.models_tables import ModelSummary

app = typer.Typer(no_args_is_help=True, help="Publish, compare, promote and look after models.")
app.command()(publish_command.publish)
app.command()(publish_command.install)
app.command()(quantize_command.quantize)
app.command()(calibrate_command.calibrate)
app.command()(compare_command.compare)
app.command()(judge_command.judge)

ExactVersion = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="One exact version.")]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models with their versions and aliases."""
    with errors_as_lines():
        store = open_store()
        models = [_summary(store, name) for name in store.names()]
    if as_json:
        print_json({"models": [asdict(model) for model in models]})
    else:
        models_tables.print_models(models, place=store.place)


@app.command()
def show(reference: Reference, as_json: AsJson = False) -> None:
    """Show a version: its card, its variants' measurements, what the running service says."""
    # Imported here: the other commands on models need no connection to a service.
    from petiole import service_view  # noqa: PLC0415

    with errors_as_lines():
        store = open_store()
        card = store.card(*store.resolve(reference))
        models_tables.show_card(store, card, as_json=as_json)
        if not as_json:
            service_view.print_service(Console(), store, card.name)
            _say_what_follows(store, card)


@app.command()
def promote(
    reference: ExactVersion,
    alias: Annotated[str, typer.Option(help="The alias to move; any word.")] = PRODUCTION,
    as_json: AsJson = False,
) -> None:
    """Make a version the one that `name` alone means; `previous` is then what was."""
    with errors_as_lines():
        store, (name, version) = open_store(), _exact(reference, "promote")
        if alias == PRODUCTION:
            former: int | None = store.promote(name, version)
            _note(f"{name}@{version}")
        else:
            former = store.aliases(name).get(alias)
            store.set_alias(name, alias, version)
    _show_move(name, alias, version, former=former, as_json=as_json)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The model's name.")], as_json: AsJson = False
) -> None:
    """Make `previous` production again; a second rollback returns to where it was."""
    with errors_as_lines():
        if not is_name(name):
            raise BadModelReferenceError(f"rollback needs a model's name alone; got {name!r}")
        store = open_store()
        former = store.aliases(name).get(PRODUCTION)
        version = store.rollback(name)
        _note(f"{name}@{version}", is_rollback=True)
    _show_move(name, PRODUCTION, version, former=former, as_json=as_json)


@app.command()
def verify(reference: Reference, as_json: AsJson = False) -> None:
    """Read every byte of a version again and compare it with what was published."""
    with errors_as_lines(), progress() as report:
        store = open_store()
        card = store.card(*store.resolve(reference))
        report(f"Verifying {len(card.files)} files of {card.ref}")
        store.verify(card)
    if as_json:
        print_json({"model": card.ref, "verified_files": len(card.files)})
    else:
        _say(f"{card.ref}: all {len(card.files)} files are as they were published")
        next_step("more about it", "models", "show", card.ref)


@app.command()
def export(
    reference: Reference,
    directory: Annotated[Path, typer.Argument(help="Where <version>/ is written.")],
    as_json: AsJson = False,
) -> None:
    """Write a version's SavedModel, labels and card, as TensorFlow Serving reads them."""
    with errors_as_lines(), progress() as report:
        store = open_store()
        card = store.card(*store.resolve(reference))
        report(f"Exporting {card.ref}")
        written = exporting.export(store, card, directory)
    if as_json:
        print_json({"model": card.ref, "directory": str(written)})
    else:
        _say(f"{card.ref} is in {written}; tensorflow_model_server reads {directory.absolute()}")
        next_step("more about it", "models", "show", card.ref)


@app.command()
def remove(
    reference: ExactVersion,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a version that no alias points to; its number is never used again."""
    with errors_as_lines():
        store, (name, version) = open_store(), _exact(reference, "remove")
        store.resolve(reference)
        if not yes:
            typer.confirm(f"Delete {name}@{version} for ever?", abort=True, err=True)
        store.remove(name, version)
    if as_json:
        print_json({"removed": f"{name}@{version}"})
    else:
        _say(f"{name}@{version} is removed")
        next_step("what is left", "models", "list")


def _note(version: str, *, is_rollback: bool = False) -> None:
    """Write down in the service's trail which version is in production now."""
    from tasks import audit  # noqa: PLC0415 - Redis, which most commands need not load

    audit.note(audit.ROLLED_BACK if is_rollback else audit.PROMOTED, version)


def _summary(store: ModelStore, name: str) -> ModelSummary:
    versions = store.versions(name)
    foreign = tuple(version for version in versions if _is_foreign(store, name, version))
    return ModelSummary(name, versions, store.aliases(name), foreign)


def _is_foreign(store: ModelStore, name: str, version: int) -> bool:
    """Tell whether a version came from elsewhere; one whose card cannot be read is not ours."""
    try:
        return store.card(name, version).origin.is_foreign
    except (CorruptVersionError, ModelFormatError, UnknownVersionError):
        return True


def _exact(reference: str, command: str) -> tuple[str, int]:
    wanted = ModelReference.parse(reference)
    if wanted.version is None:
        raise BadModelReferenceError(
            f"{command} needs a version number, as in {wanted.name}@1; got {reference!r}"
        )
    return wanted.name, wanted.version


def _show_move(name: str, alias: str, version: int, *, former: int | None, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, "alias": alias, "version": version, "former": former})
    elif former == version:
        _say(f"{name}@{alias} is version {version} already")
    else:
        was = "" if former is None else f"; it was {former}"
        kept = f", which is {name}@{PREVIOUS} now" if was and alias == PRODUCTION else ""
        _say(f"{name}@{alias} is now version {version}{was}{kept}")
        if kept:
            next_step("the way back", "models", "rollback", name)
    if not as_json:
        next_step("what the service does with it", "models", "show", name)


def _say_what_follows(store: ModelStore, card: ModelCard) -> None:
    """Print how to classify with a version, and how to make it the one that its name means."""
    next_step("to classify with it", *classify_with(card.ref))
    if store.aliases(card.name).get(PRODUCTION) != card.version:
        next_step("to put it in production", "models", "promote", card.ref)


def _say(sentence: str) -> None:
    Console().print(sentence, soft_wrap=True, markup=False)
