"""`petiole models canary`, `shadow` and `end`: try a version on a share of the pictures.

A share that the running workers cannot honour is an error: the trial is taken back and the
command says why.
"""

from collections.abc import Callable
from dataclasses import replace
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from model_store import ModelReference, ModelStore
from model_store.errors import BadModelReferenceError
from model_store.rollouts import Gate, Kind, Rollout
from petiole.console import errors_as_lines, next_step, open_store

if TYPE_CHECKING:
    from petiole.service_view import Workers

SUMMARIES: dict[Kind, str] = {
    "canary": "Let a version answer a share of the pictures that ask for production.",
    "shadow": "Run a version besides production on a share of the pictures, to compare only.",
}
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.5

Exact = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="The version to try.")]
OnTrial = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The model whose trial ends; or NAME@VERSION on trial."),
]
Percent = Annotated[
    float, typer.Option(min=0.01, max=100, help="Share of the pictures, by hash of the task id.")
]
Agreement = Annotated[
    float | None,
    typer.Option(
        "--promote-if-agreement",
        min=0,
        max=1,
        help="Promote by itself when at least this share has the same best label; else roll back.",
    ),
]
Comparisons = Annotated[
    int, typer.Option("--for", min=1, help="Pictures to compare before that verdict.")
]
Slowdown = Annotated[
    float,
    typer.Option("--max-slowdown", min=0.01, help="Predict time by production's, at most."),
]


def _trial_command(kind: Kind, summary: str) -> Callable[..., None]:
    """Return the command that begins a trial of this kind."""

    def begin(
        reference: Exact,
        percent: Percent = 10.0,
        agreement: Agreement = None,
        comparisons: Comparisons = 1000,
        max_slowdown: Slowdown = 2.0,
    ) -> None:
        gate = None if agreement is None else Gate(agreement, comparisons, max_slowdown)
        with errors_as_lines():
            _begin(kind, reference, percent, gate)

    begin.__doc__ = summary
    return begin


def end(reference: OnTrial) -> None:
    """End the trial of a model; production stays as it is."""
    with errors_as_lines():
        store, name = open_store(), ModelReference.parse(reference).name
        _end(store, name, _on_trial(store, reference))


def register(app: typer.Typer) -> None:
    """Add the commands to `petiole models`."""
    for kind, summary in SUMMARIES.items():
        app.command(kind)(_trial_command(kind, summary))
    app.command()(end)


def _on_trial(store: ModelStore, reference: str) -> Rollout:
    """Return the trial that a model's name, or its version on trial, means.

    Raises:
        UnknownModelError: the store has no such model, and no trial of it.
        BadModelReferenceError: no trial runs, or it is one of another version.
    """
    wanted = ModelReference.parse(reference)
    rollout = store.rollout(wanted.name)
    if rollout is None:
        store.resolve(wanted.name)
        raise BadModelReferenceError(f"no trial runs on {wanted.name!r}")
    if reference != wanted.name and store.resolve(wanted)[1] != rollout.version:
        raise BadModelReferenceError(
            f"{reference} is not on trial; the {rollout.kind} of {wanted.name}@{rollout.version} is"
        )
    return rollout


def _end(store: ModelStore, name: str, rollout: Rollout) -> None:
    """End a trial and say so; one that its gate has ended meanwhile is an error."""
    from tasks import audit  # noqa: PLC0415 - Redis, which `petiole --help` need not load

    tried, by_hand = f"the {rollout.kind} of {name}@{rollout.version}", "ended by hand"
    if not store.end_rollout(name, rollout.number, outcome=by_hand):
        outcome = store.last_rollout_outcome(name) or "another trial has begun"
        typer.echo(f"petiole models: {tried} was over already: {outcome}", err=True)
        raise typer.Exit(1)
    audit.note(audit.TRIAL_ENDED, f"{name}@{rollout.version}", kind=rollout.kind, outcome=by_hand)
    typer.echo(f"{tried} has ended")
    next_step("what the service does now", "models", "show", name)


def _begin(kind: Kind, reference: str, percent: float, gate: Gate | None) -> None:
    store, wanted = open_store(), ModelReference.parse(reference)
    rollout = _checked(store, wanted, Rollout(kind, wanted.version or 0, percent, gate))
    try:
        problem = begun_or_taken_back(store, wanted, rollout)
    except KeyboardInterrupt:
        _say_taken_back("interrupted")
        raise
    if problem:
        _say_taken_back(problem)
        raise typer.Exit(1)
    typer.echo(f"{kind} of {reference} on {percent:g} % of the pictures has begun")
    next_step("how it goes", "models", "show", wanted.name)
    next_step("to end it", "models", "end", wanted.name)


def _say_taken_back(problem: str) -> None:
    typer.echo(f"petiole models: {problem}; the trial is taken back", err=True)


def begun_or_taken_back(store: ModelStore, wanted: ModelReference, rollout: Rollout) -> str:
    """Begin a trial and wait until every child takes part; return why that cannot be, or nothing.

    One that cannot be is ended again, and so is one that is interrupted meanwhile.
    """
    # Imported here: the other commands on models need no connection to a service.
    from petiole.service_view import Workers  # noqa: PLC0415
    from tasks import audit  # noqa: PLC0415

    rollout, tried = store.begin_rollout(wanted.name, rollout), str(wanted)
    problem, share = "interrupted", f"{rollout.percent:g} %"
    try:
        audit.note(audit.TRIAL_BEGUN, tried, kind=rollout.kind, share=share)
        problem = _problem(Workers(), wanted, rollout.number, Console(stderr=True))
    finally:
        if problem:
            refused = f"refused: {problem}"
            store.end_rollout(wanted.name, rollout.number, outcome=refused)
            audit.note(audit.TRIAL_ENDED, tried, kind=rollout.kind, outcome=refused)
    return problem


def _checked(store: ModelStore, wanted: ModelReference, rollout: Rollout) -> Rollout:
    """Return the rollout if it makes sense.

    Raises:
        BadModelReferenceError: no exact version was named, or it is in production already.
    """
    if wanted.version is None:
        message = f"name the version to try, as in {wanted.name}@2; got {str(wanted)!r}"
        raise BadModelReferenceError(message)
    if store.resolve(wanted.name)[1] == wanted.version:
        raise BadModelReferenceError(f"{wanted} is in production already; nothing to try")
    return replace(rollout, version=store.resolve(wanted)[1])


def _problem(workers: "Workers", wanted: ModelReference, number: int, console: Console) -> str:
    """Wait until every child takes part; return why that cannot be, or nothing."""
    from tasks.errors import ServiceUnavailableError  # noqa: PLC0415 - as above

    try:
        if not workers.children():
            console.print("no worker is running now; the share begins with the first one")
            return ""
    except ServiceUnavailableError as exc:
        note = f"no service can be reached ({exc}); the share begins with its first worker"
        console.print(note, markup=False, soft_wrap=True)
        return ""
    with console.status(f"waiting until every child has {wanted}"):
        try:
            return _why_not_followed(workers, wanted, number)
        except ServiceUnavailableError as exc:
            return f"it is not known whether every child has {wanted}: {exc}"


def _why_not_followed(workers: "Workers", wanted: ModelReference, number: int) -> str:
    deadline = monotonic() + WAIT_SECONDS
    while not workers.all_follow(str(wanted), name=wanted.name, number=number):
        refusals = workers.refusals(str(wanted))
        if refusals:
            return refusals[0]
        if monotonic() > deadline:
            return f"not every child has {wanted} after {WAIT_SECONDS:g} s"
        sleep(POLL_SECONDS)
    return ""
