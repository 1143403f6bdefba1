"""`/admin`: the service at one moment, as a page for its operator and as JSON.

The page asks for the JSON every two seconds while somebody looks at it; rates are the differences
between its answers, so that nothing is measured or kept while nobody looks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from apiflask import APIBlueprint
from flask import Response, request

from api import bodies, browsers, catalog, operators, options
from api.catalog import OfferedModel
from model_store import ModelStoreError
from model_store.rollouts import Rollout
from tasks import problems, statistics, survey
from tasks.readiness import Note
from tasks.survey import Survey

blueprint = APIBlueprint("admin", __name__, tag="Operations")


@dataclass(frozen=True)
class TrialSeen:
    """A trial that runs: what was seen so far, and how many children take part.

    `agreement` and `slowdown` are there once something was compared: the share with the same best
    label as production, and the mean time of predict by production's.
    """

    model: str
    rollout: Rollout
    compared: int
    errors: int
    unserved: int
    followers: int
    agreement: float | None = None
    slowdown: float | None = None


@dataclass(frozen=True)
class TrialOutcome:
    """How the last trial of a model ended."""

    model: str
    outcome: str


@dataclass(frozen=True)
class Administration:
    """What an operator looks at; `models_missing` is why nothing is known of trials."""

    service: Survey
    trials: tuple[TrialSeen, ...]
    last_trials: tuple[TrialOutcome, ...]
    models_missing: str | None = None


@blueprint.before_request
def _refuse_strangers() -> None:
    operators.admit()
    options.refuse_unknown(request.args, known=())


@blueprint.get("/admin")
@blueprint.doc(operation_id="administration", responses={})
def administration() -> Response:
    """Show load, workers, jobs, trials and trainings; a browser gets a page that follows them."""
    return browsers.either(
        page=lambda: browsers.page("admin.html"), data=lambda: bodies.of(_looked())
    )


def _looked() -> Administration:
    seen, counts = survey.take()
    try:
        models = catalog.of_this_process().lately()
    except ModelStoreError as exc:
        return Administration(seen, (), (), problems.detail_of(exc))
    trials = [
        _trial(model, model.rollout, seen.workers, counts) for model in models if model.rollout
    ]
    ended = [TrialOutcome(m.name, m.last_rollout) for m in models if m.last_rollout]
    return Administration(seen, tuple(trials), tuple(ended))


def _trial(
    model: OfferedModel, rollout: Rollout, workers: tuple[Note, ...], counts: Mapping[str, float]
) -> TrialSeen:
    totals = statistics.trial_totals(counts, model.name, rollout)
    numbers = [(note.trials or {}).get(model.name) for note in workers]
    return TrialSeen(
        model=model.name,
        rollout=rollout,
        compared=round(totals.compared),
        errors=round(totals.errors),
        unserved=round(totals.unserved),
        followers=numbers.count(rollout.number),
        agreement=totals.agreement if totals.compared else None,
        slowdown=totals.slowdown if totals.compared else None,
    )
