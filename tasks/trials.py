"""Trials of a new version on a share of the pictures: canary, shadow, and the gate.

A canary answers its share, a shadow is only compared. Either way both versions see the
picture, after the client has its answer, and what they said is counted for the whole service.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

from model_store import ModelReference
from model_store.errors import ModelStoreError
from model_store.references import PRODUCTION
from tasks import loaded_models, statistics, stores, verdicts
from tasks.loaded_models import LoadedModels
from tasks.once import once
from tasks.prepared import prepared
from tasks.shares import share_of

if TYPE_CHECKING:
    from model_store.rollouts import Rollout
    from model_store.serving import ServedModel

CANARY = "canary"
LOOK_SECONDS = 5.0
"""Between two looks at the models that nobody has asked this process for: a listing for each."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """Both versions of one picture that is in the share of a rollout."""

    rollout: Rollout
    production: ServedModel
    candidate: ServedModel


class Trials:
    """The rollouts of the models in memory; `refresh` looks for new ones."""

    def __init__(self, models: LoadedModels) -> None:
        """Know no rollout yet."""
        self._models = models
        self._rollouts: dict[str, Rollout] = {}
        self._looked_at = -math.inf
        self._left_to_others: set[tuple[str, int]] = set()

    def refresh(self) -> bool:
        """Look for rollouts and load both their versions; tells whether anything changed."""
        names = {*self._models.names_in_production(), *self._rollouts, *self._of_other_models()}
        return any([self._follow(name) for name in sorted(names)])

    def _of_other_models(self) -> tuple[str, ...]:
        """Return the models on trial, asked for or not; empty but every `LOOK_SECONDS`."""
        if monotonic() - self._looked_at < LOOK_SECONDS:
            return ()
        self._looked_at = monotonic()
        try:
            return self._models.store.names_on_trial()
        except ModelStoreError as exc:
            logger.warning("trials not looked for", extra={"reason": str(exc)})
            return ()

    @property
    def numbers(self) -> dict[str, int]:
        """The number of the rollout that this process follows, by model."""
        return {name: rollout.number for name, rollout in self._rollouts.items()}

    def _follow(self, name: str) -> bool:
        before = self._rollouts.get(name)
        try:
            rollout = self._models.store.rollout(name)
        except ModelStoreError as exc:
            logger.warning("rollout not read", extra={"model": name, "reason": str(exc)})
            rollout = before
        if rollout is None:
            self._rollouts.pop(name, None)
            return before is not None
        self._rollouts[name] = rollout
        # Production first: a child that says it has the candidate can compare it.
        answers = self._models.answer_for(name)
        return self._models.hold(name, rollout.version) or answers or rollout != before

    def leave_verdict(self, name: str, rollout: Rollout, reason: str) -> None:
        """Log, once for each trial, that its verdict is left to another process."""
        if (name, rollout.number) not in self._left_to_others:
            self._left_to_others.add((name, rollout.number))
            trial = {"model": f"{name}@{rollout.version}", "number": rollout.number}
            logger.warning("verdict left to others", extra={**trial, "reason": reason})

    def of(self, reference: str, task_id: str) -> Trial | None:
        """Return the trial that this job is part of, or None for most.

        A candidate that is not in memory cannot honour its share: that is counted, and its
        reason is on `/readyz`; production answers.
        """
        parsed = ModelReference.parse(reference)
        rollout = self._rollouts.get(parsed.name)
        if rollout is None or parsed.selector != PRODUCTION:
            return None
        if share_of(task_id) >= rollout.percent:
            return None
        candidate = self._models.held(parsed.name, rollout.version)
        if candidate is None:
            stores.job_store().count({statistics.trial(parsed.name, rollout, "unserved"): 1})
            return None
        return Trial(rollout, self._models.get(reference), candidate)


@once
def of_this_process() -> Trials:
    """Return the trials of this process."""
    return Trials(loaded_models.of_this_process())


def compare(trial: Trial, upload: bytes) -> None:
    """Let both versions classify an upload, count what they say, and judge when it is time.

    Each prepares the picture as its own card says. Runs after the client has its answer, so an
    unreachable store costs a comparison and nothing else.
    """
    try:
        counts = _counts(trial, upload)
        _count(trial, counts)
        verdicts.note(trial.production.card, trial.rollout, counts)
        _judge_if_allowed(trial.production.card.name, trial.rollout)
    except Exception:
        # The job is over; whatever goes wrong now must not make its task a failure.
        logger.exception("comparison lost", extra={"model": trial.candidate.card.ref})


def count_error(trial: Trial) -> None:
    """Count that the candidate failed on a picture that it should have answered."""
    _count(trial, {"errors": 1})


def _count(trial: Trial, counts: dict[str, float]) -> None:
    name = trial.production.card.name
    named = {statistics.trial(name, trial.rollout, what): n for what, n in counts.items()}
    stores.job_store().count(named)


def _counts(trial: Trial, upload: bytes) -> dict[str, float]:
    expected, production_seconds = _timed(trial.production, upload)
    try:
        answered, candidate_seconds = _timed(trial.candidate, upload)
    except Exception:
        # Whatever a candidate does wrong is a finding about it, not a failure of the job.
        logger.exception("candidate failed", extra={"model": trial.candidate.card.ref})
        return {"compared": 1, "errors": 1}
    return {
        "compared": 1,
        "agreed": float(answered == expected),
        "production_seconds": production_seconds,
        "candidate_seconds": candidate_seconds,
    }


def _timed(model: ServedModel, upload: bytes) -> tuple[str, float]:
    """Return the best label, and the seconds that predicting and ranking took."""
    image = prepared(model, upload).pixels
    started = perf_counter()
    (best,) = model.rank(model.predict(image[None])[0], k=1)
    return best.label, perf_counter() - started


def judge_all() -> dict[str, str]:
    """Carry out every verdict that is due; returns how those trials ended, by model.

    Raises:
        StoreUnavailableError: the model store cannot be reached, or not be written to.
        ServiceUnavailableError: the job store, which has the figures, cannot be reached.
    """
    store, counts = loaded_models.of_this_process().store, stores.prompt_job_store().counts()
    running = {name: rollout for name in store.names_on_trial() if (rollout := store.rollout(name))}
    for name, rollout in running.items():
        verdicts.judge(store, name, rollout, counts)
    return {name: outcome for name in running if (outcome := store.last_rollout_outcome(name))}


def _judge_if_allowed(name: str, rollout: Rollout) -> None:
    """Judge; where this worker may not write, the verdict stays due for one that may."""
    if rollout.gate is None and rollout.guard is None:
        return
    try:
        store = loaded_models.of_this_process().store
        verdicts.judge(store, name, rollout, stores.job_store().counts())
    except ModelStoreError as exc:
        of_this_process().leave_verdict(name, rollout, str(exc))
