"""The tables of `petiole models`, for people: they fit 80 columns and use what is wider."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from model_store import ModelCard, ModelStore
from model_store.aliases import AliasChange
from model_store.doubts.section import Share, Trust
from petiole.console import next_step, print_json

if TYPE_CHECKING:
    from model_store.comparison import Comparison, Pair, Side
    from model_store.fitness import Judgement

VERSIONS_SHOWN = 5
CHANGES_SHOWN = 5
PAIRS_SHOWN = 20
MARK = "*"
MADE = {
    "training": "here",
    "package": "elsewhere; its weights have the SHA-256 that this release expects",
}
FOREIGN = "elsewhere, and nobody here vouches for it: docs/add-a-model.md says what it can do"


@dataclass(frozen=True)
class ModelSummary:
    """A name with its versions, what its aliases mean, and which versions came from elsewhere."""

    name: str
    versions: tuple[int, ...]
    aliases: dict[str, int]
    foreign: tuple[int, ...]


def print_models(models: Sequence[ModelSummary], *, place: str) -> None:
    """Print the names with their versions and aliases; without any, where they were looked for."""
    if not models:
        typer.echo(f"No models in {place} yet")
        next_step("to install one", "models", "install", "imagenet")
        return
    table = _table("model", "versions", "aliases")
    for model in models:
        aliases = (f"{alias} → {version}" for alias, version in model.aliases.items())
        table.add_row(model.name, _versions(model), ", ".join(aliases))
    Console().print(table)
    if any(model.foreign for model in models):
        typer.echo(f"{MARK} came from elsewhere: `petiole models show` says from where")
    next_step("more about one", "models", "show", models[0].name)


def show_card(store: ModelStore, card: ModelCard, *, as_json: bool) -> None:
    """Print a card with its aliases and the history of production, as tables or a document."""
    held = [alias for alias, version in store.aliases(card.name).items() if version == card.version]
    history = store.history(card.name)
    if as_json:
        moves = [asdict(change) for change in history]
        judged = [asdict(each) for each in _judged_here(store, card)]
        document = {**card.to_dict(), "aliases": held, "production_history": moves}
        print_json(document | {"foreign": card.origin.is_foreign, "judged_here": judged})
    else:
        _print_card(card, held, history)
        for each in _judged_here(store, card):
            verb = "may serve" if each.is_fit else "is kept out"
            typer.echo(f"On this kind of CPU {each.choice} {verb}: {each.reason}")


def _judged_here(store: ModelStore, card: ModelCard) -> list["Judgement"]:
    """Return what is remembered of the variants that may serve, on this kind of machine."""
    # Imported here: it brings NumPy, and the other tables do without.
    from model_store import fitness  # noqa: PLC0415

    found = (fitness.recall(card, v, store.cache_directory) for v in card.variants if v.serves)
    return [judgement for judgement in found if judgement is not None]


def _print_card(card: ModelCard, aliases: Sequence[str], history: Sequence[AliasChange]) -> None:
    console = Console()
    console.print(f"[bold]{card.ref}[/bold]  {', '.join(aliases)}".rstrip())
    console.print(_facts(card))
    console.print(_variants(card))
    for variant in card.variants:
        if not variant.serves:
            console.print(f"{variant.runtime} {variant.precision} may not serve: {variant.reason}")
    if history:
        console.print(_history(history))


def print_comparison(comparison: "Comparison") -> None:
    """Print how often two versions agree, how fast each is, and where they differ."""
    console = Console()
    agreed = sum(pair.agree for pair in comparison.pairs)
    console.print(
        f"Same best label on {agreed} of {len(comparison.pairs)} pictures "
        f"({comparison.agreement:.1%}); probabilities differ by {comparison.mean_difference:.4f} "
        f"in the mean and {comparison.largest_difference:.4f} at most."
    )
    console.print(_sides(comparison.first, comparison.second))
    if comparison.disagreements:
        console.print(_disagreements(comparison))
    hidden = len(comparison.disagreements) - PAIRS_SHOWN
    if hidden > 0:
        console.print(f"… and {hidden} more; --json has all of them")
    if comparison.skipped:
        console.print(f"Skipped, as no pictures: {', '.join(comparison.skipped)}")


def _table(*columns: str, title: str | None = None) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)


def _versions(model: ModelSummary) -> str:
    last = model.versions[-VERSIONS_SHOWN:]
    shown = ", ".join(f"{each}{MARK if each in model.foreign else ''}" for each in last)
    return f"… {shown}" if len(model.versions) > VERSIONS_SHOWN else shown


def _facts(card: ModelCard) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in _named_facts(card):
        grid.add_row(name, value)
    return grid


def _named_facts(card: ModelCard) -> Iterator[tuple[str, str]]:
    spec = card.preprocessing
    more = ", …" if len(card.labels) > 3 else ""  # noqa: PLR2004 - three examples are enough
    yield "labels", f"{len(card.labels)}: {', '.join(card.labels[:3])}{more}"
    yield "origin", f"{card.origin.source} {card.origin.file}".strip()
    yield "made", FOREIGN if card.origin.is_foreign else MADE[card.origin.kind]
    yield "licence", card.licence
    yield "created", card.created_at
    yield "input", f"{spec.input_size} x {spec.input_size} {spec.channel_order}, {spec.resample}"
    yield "crop", f"central {spec.crop_fraction:.3f} of the shorter side"
    yield "mean, std", f"{_channels(spec.mean)}, {_channels(spec.scale)}"
    yield "files", str(len(card.files))
    for name, value in card.metrics.items():
        yield name, f"{value:g}"
    if card.trust is not None:
        yield from _doubts(card.trust)


def _doubts(trust: Trust) -> Iterator[tuple[str, str]]:
    if found := trust.calibration:
        yield "calibration error", f"{found.error_after:.3f} ({found.error_before:.3f} before)"
    if sets := trust.label_sets:
        yield "label sets", f"{_share(sets.covered)}, {sets.mean_labels:.2f} labels on average"
    if novelty := trust.novelty:
        yield "own called unknown", _share(novelty.own_flagged)
        if other := novelty.foreign:
            yield "others called unknown", f"{_share(other.flagged)} ({other.kind}: {other.source})"


def _share(found: Share) -> str:
    return f"{found.share:.1%} of {found.pictures} ({found.low:.1%} to {found.high:.1%})"


def _channels(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else " ".join(f"{v:g}" for v in values)


def _variants(card: ModelCard) -> Table:
    table = _table("runtime", "precision")
    for column in ("ms a picture", "same top-1", "difference"):
        table.add_column(column, justify="right")
    table.add_column("serves")
    for variant in card.variants:
        table.add_row(
            variant.runtime,
            variant.precision,
            f"{variant.milliseconds_per_image:.2f}",
            f"{variant.same_top1:.3f}",
            f"{variant.largest_difference:.1e}",
            "yes" if variant.serves else "no",
        )
    return table


def _history(history: Sequence[AliasChange]) -> Table:
    table = _table("since", "production")
    for change in reversed(history[-CHANGES_SHOWN:]):
        table.add_row(change.changed_at, str(change.version))
    return table


def _sides(*sides: "Side") -> Table:
    table = _table("version", "runtime")
    table.add_column("ms a picture", justify="right")
    table.add_column("accuracy", justify="right")
    for side in sides:
        accuracy = "" if side.accuracy is None else f"{side.accuracy:.3f}"
        table.add_row(side.ref, side.runtime, f"{side.milliseconds_per_image:.2f}", accuracy)
    return table


def _disagreements(comparison: "Comparison") -> Table:
    table = _table("picture", comparison.first.ref, comparison.second.ref)
    for column in table.columns:
        column.overflow = "fold"
    table.add_column("difference", justify="right")
    for pair in comparison.disagreements[:PAIRS_SHOWN]:
        table.add_row(*_cells(pair))
    return table


def _cells(pair: "Pair") -> tuple[str, ...]:
    answers = (
        f"{answer.label} {answer.probability:.2f}{' ✓' if answer.label == pair.truth else ''}"
        for answer in (pair.first, pair.second)
    )
    return (pair.picture, *answers, f"{pair.difference:.3f}")
