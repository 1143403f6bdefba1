"""What the running service says of its models: children, refusals, trials.

Read from the job store, like the API's health and metrics; empty where no service runs.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from model_store import ModelStore
from model_store.rollouts import Rollout
from tasks import readiness, statistics, stores
from tasks.errors import ServiceUnavailableError
from tasks.readiness import Note
from tasks.statistics import TrialTotals

VERDICT_IS_DUE = (
    "its gate has seen enough, and the verdict is due: a worker that may write to the model store"
    " carries it out after its next comparison; where none may, `petiole models judge` does it"
)


class Workers:
    """The children of all classify workers, as they announce themselves.

    Every method may raise `ServiceUnavailableError` when no service can be reached.
    """

    def __init__(self) -> None:
        """Ask nothing yet."""
        self._store = stores.prompt_job_store()

    def children(self) -> list[Note]:
        """Return the ready children; none when no worker runs."""
        return [child for child in readiness.classify_children(self._store) if child.is_ready]

    def all_follow(self, version: str, *, name: str, number: int) -> bool:
        """Tell whether there are children, all with `name@version` in memory and this rollout."""
        children = self.children()
        return bool(children) and all(
            _has(child, version) and (child.trials or {}).get(name) == number for child in children
        )

    def refusals(self, version: str) -> list[str]:
        """Return why children refuse `name@version`; each reason once."""
        reasons = ((child.refused or {}).get(version) for child in self.children())
        return sorted({f"{version} is refused: {reason}" for reason in reasons if reason})


def _has(child: Note, version: str) -> bool:
    return any(loaded.partition(" ")[0] == version for loaded in child.models or ())


def print_service(console: Console, store: ModelStore, name: str) -> None:
    """Print what the children of a running service do with a model, and its trial."""
    try:
        children = Workers().children()
    except ServiceUnavailableError:
        children = []
    for line in _lines(children, name):
        console.print(line)
    for line in _of_int8(store, name):
        console.print(line, markup=False, soft_wrap=True)
    if rollout := store.rollout(name):
        seen = _seen(name, rollout)
        console.print(_trial_table(seen))
        console.print(_trial_line(name, rollout), soft_wrap=True)
        if rollout.gate is not None and seen.compared >= rollout.gate.comparisons:
            console.print(VERDICT_IS_DUE, soft_wrap=True)
    elif outcome := store.last_rollout_outcome(name):
        console.print(f"last trial: {outcome}")


def _trial_line(name: str, rollout: Rollout) -> str:
    if rollout.guard is None:
        return f"{rollout.kind} of {name}@{rollout.version} on {rollout.percent:g} %"
    return (
        f"{name}@{rollout.version}, which was production before, sees {rollout.percent:g} % of the"
        f" pictures besides; it becomes production again if {name}@{rollout.guard.version} says the"
        f" same on surely less than {rollout.guard.agreement:g} of the last"
        f" {rollout.guard.comparisons}"
    )


def _of_int8(store: ModelStore, name: str) -> Iterator[str]:
    """Yield what is known of int8 from traffic: who collects for it, what became of it."""
    if stores.are_in_memory():
        return
    ref = f"{name}@{store.resolve(name)[1]}"
    try:
        asked = stores.collections().open([name]).get(name)
        n = stores.collections().count(asked) if asked else 0
        tried = stores.findings().int8(ref)
    except ServiceUnavailableError:
        return
    if asked:
        yield f"pixels of pictures are being collected for int8: {n} of {asked.wanted}"
    if tried:
        at = datetime.fromtimestamp(tried.at, UTC).isoformat(timespec="seconds")
        yield f"int8 of {ref}, tried at {at}: {tried.outcome}"


def _lines(children: list[Note], name: str) -> list[str]:
    everything = [model for child in children for model in child.models or ()]
    loaded = sorted({model for model in everything if model.startswith(f"{name}@")})
    lines = [
        f"{everything.count(version)} of {len(children)} children have {version}"
        for version in loaded
    ]
    unfit = {item for child in children for item in (child.unfit or {}).items()}
    lines += [
        f"[yellow]not fit for the CPU of some child[/] {variant}: {reason}"
        for variant, reason in sorted(unfit)
        if variant.startswith(f"{name}@")
    ]
    refused = {item for child in children for item in (child.refused or {}).items()}
    return lines + [
        f"[red]refused[/] {version}: {reason}"
        for version, reason in sorted(refused)
        if version.startswith(f"{name}@")
    ]


def _seen(name: str, rollout: Rollout) -> TrialTotals:
    try:
        counts = stores.prompt_job_store().counts()
    except ServiceUnavailableError:
        counts = {}
    return statistics.trial_totals(counts, name, rollout)


def _trial_table(seen: TrialTotals) -> Table:
    table = Table("compared", "agreement", "predict time", "errors", "not served", box=None)
    table.add_row(
        f"{seen.compared:.0f}",
        f"{seen.agreement:.3f}",
        f"{seen.slowdown:.2f} x",
        f"{seen.errors:.0f}",
        f"{seen.unserved:.0f}",
    )
    return table
