"""The task `explain`: makes the heat map of a classified picture, by the version that labelled it.

It runs where bulks do, in processes of the lowest priority.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from celery.exceptions import Ignore

from tasks import celery_results, documents, job_ends, loaded_models, stores, working
from tasks.bulk import watchdog
from tasks.celery import app
from tasks.documents import ClassifiedTask, ExplainedTask
from tasks.errors import PictureNotKeptError, UnexplainableError
from tasks.explaining import ends, life
from tasks.explaining.records import key_of
from tasks.job_stores import OVER, SUCCESS, Job, Outcome
from tasks.once import once
from tasks.prepared import prepared
from tasks.settings import settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model_store.explaining.explanation import Explainer, Explanation
    from model_store.serving import ServedModel

LONGEST_SECONDS = 86_400
LONGEST_PAUSE_SECONDS = 15.0
MOST_EXPLAINERS = 2
"""Networks that are in memory a second time, with their feature map as an output."""

logger = logging.getLogger(__name__)


@app.task(
    name=life.TASK,
    ignore_result=True,
    store_errors_even_if_ignored=not celery_results.are_written_with_the_record(),
    # What goes on for ever is ended by the watchdog, which counts CPU time.
    soft_time_limit=LONGEST_SECONDS,
    time_limit=LONGEST_SECONDS + 3600,
)
def explain(task_id: str) -> None:
    """Explain one picture, once it is classified."""
    with working.work_on(task_id, stage=life.TASK, queue=life.TASK) as job:
        if job is None:
            raise working.ignored(task_id)
        classified = _classified(job)
        upload = stores.image_store().get(job.explains)
        found, runtime = _explained(job, classified, upload)
        _finish(job, classified, found, runtime)


def _classified(job: Job) -> ClassifiedTask:
    """Return the answer that is to be explained; puts the job off until there is one.

    Raises:
        PictureNotKeptError: the answer is deleted.
        UnexplainableError: the picture's job failed.
    """
    store = stores.job_store()
    text = store.document(job.explains)
    if text is None:
        picture = store.get(job.explains)
        if picture is None or picture.state in OVER:
            raise PictureNotKeptError("the picture's answer is no longer kept")
        store.postpone(job, seconds=min(2.0**job.postponed, LONGEST_PAUSE_SECONDS))
        raise Ignore
    answer = documents.finished(text)
    if not isinstance(answer, ClassifiedTask):
        raise UnexplainableError(f"the task is {answer.state}: it has no label to explain")
    return answer


def _explained(job: Job, answer: ClassifiedTask, upload: bytes) -> tuple[Explanation, str]:
    """Return the explanation by the version that answered, and the runtime that serves it."""
    dog = watchdog.of_this_process()
    dog.moved()
    try:
        model = loaded_models.get(answer.ref)

        def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            dog.moved()
            return model.predict(images)

        pixels = prepared(model, upload).pixels
        label = job.label or _best_label(answer)
        return _explainer(model).explain(pixels, label, predict=predict), model.runtime
    finally:
        dog.rest()


def _best_label(answer: ClassifiedTask) -> str:
    if not answer.predictions:
        raise UnexplainableError(
            "no label had the min_probability that was asked for: name one with label="
        )
    return answer.predictions[0].label


def _explainer(model: ServedModel) -> Explainer:
    """Return what explains the answers of a model, made once for each version in this process."""
    # NumPy comes with it; what publishes tasks loads this module, but explains nothing.
    from model_store.explaining.explanation import Explainer  # noqa: PLC0415

    key = f"{model.card.ref} {model.variant.choice}"
    made = _explainers()
    if key not in made:
        made[key] = Explainer.of(model)
        while len(made) > MOST_EXPLAINERS:
            made.popitem(last=False)
    return made[key]


@once
def _explainers() -> OrderedDict[str, Explainer]:
    return OrderedDict()


def _finish(job: Job, answer: ClassifiedTask, found: Explanation, runtime: str) -> None:
    images = stores.image_store()
    for kind, content in (("png", found.png()), ("npy", found.npy())):
        images.put(key_of(job.explains, job.task_id, kind), content)
    text = documents.to_json(_document(job, answer, found, runtime))
    outcome = Outcome(SUCCESS, text, {}, None, settings().explanation_ttl_seconds)
    if stores.job_store().finish(job.task_id, outcome, fence=job.fence):
        job_ends.say(job, SUCCESS, model=answer.ref)
    picture = stores.job_store().get(job.explains)
    if picture is None or not picture.filename:
        # Its client deleted the result meanwhile, when there was no map that could go with it.
        ends.forget(job.explains)


def _document(job: Job, answer: ClassifiedTask, found: Explanation, runtime: str) -> ExplainedTask:
    place = documents.explanation_url(job.explains)
    return ExplainedTask(
        task_id=job.task_id,
        state=SUCCESS,
        picture=job.explains,
        model=answer.model,
        model_version=answer.model_version,
        runtime=runtime,
        filename=job.filename,
        label=found.label,
        probability=round(found.probability, 4),
        method=found.heat.method,
        explains=found.deletion.explains,
        reason=found.deletion.reason,
        deletion=round(found.deletion.figure, 4),
        random_deletion=round(found.deletion.random, 4),
        image_url=documents.of_label(f"{place}.png", job.label),
        array_url=documents.of_label(f"{place}.npy", job.label),
    )
