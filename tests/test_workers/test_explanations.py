"""Explanations in real processes: what is accepted is made, whatever is killed."""

from typing import Any

import pytest

from petiole import parts
from petiole.parts import Part
from tests.conftest import picture
from tests.test_end_to_end.conftest import alive, wait_until
from tests.test_workers.conftest import FAULTY, Stage, worker
from tests.test_workers.faulty import DEADLY, SLOW

pytestmark = pytest.mark.end_to_end

PICTURES = 12


def explainer() -> Part:
    """Return the worker of bulks and explanations, of the app that can be made to fail."""
    command = parts.bulk_worker(2).command
    return Part("bulk", tuple(FAULTY if word == "tasks" else word for word in command))


def explanation(stage: Stage, task_id: str) -> dict[str, Any]:
    """Return what is known of the explanation of a picture's best label."""
    found: dict[str, Any] = stage.get(f"/result/{task_id}/explanation").json()
    return found


def made(stage: Stage, task_ids: list[str]) -> list[str]:
    """Return those pictures whose explanation is there."""
    return [each for each in task_ids if explanation(stage, each)["state"] == "SUCCESS"]


def uploads(stage: Stage, task_ids: list[str]) -> list[str]:
    """Return the pictures that are in the image store."""
    return [each for each in task_ids if (stage.directory / "uploads" / each).exists()]


def test_an_explanation_in_a_killed_child_is_not_lost(stage: Stage) -> None:
    """Nor one whose picture nobody had classified when it was first taken."""
    with stage.running(explainer()) as process:
        task_ids = stage.accepted(PICTURES, picture() + SLOW, "?explain=true")
        wait_until(lambda: len(alive(process.children())) == 2)
        with stage.working(worker()):
            wait_until(lambda: made(stage, task_ids), seconds=60)
            for child in alive(process.children()):
                child.kill()
            unmade = len(task_ids) - len(made(stage, task_ids))
            wait_until(lambda: made(stage, task_ids) == task_ids, seconds=120)

    assert len(task_ids) == PICTURES
    assert unmade > 0
    assert uploads(stage, task_ids) == task_ids


def test_a_picture_that_takes_its_explainer_with_it_keeps_its_labels(stage: Stage) -> None:
    """Its explanation fails after three starts, alone."""
    with stage.running(explainer()), stage.working(worker()):
        deadly, good = (
            stage.accepted(1, image, "?explain=true")[0]
            for image in (picture("blue") + DEADLY, picture("green"))
        )
        wait_until(lambda: explanation(stage, deadly)["state"] == "FAILURE", seconds=120)
        wait_until(lambda: made(stage, [good]) == [good], seconds=60)
        labels = stage.get(f"/result/{deadly}").json()["predictions"]

    assert explanation(stage, deadly)["error"]["type"] == "/problems#worker-lost"
    assert labels[0]["label"] == "blue"


def test_an_answer_without_a_label_has_none_to_explain(stage: Stage) -> None:
    """Its explanation fails, and says what to do."""
    with stage.running(explainer()), stage.working(worker()):
        (task_id,) = stage.accepted(1, query="?explain=true&min_probability=1")
        wait_until(lambda: explanation(stage, task_id)["state"] == "FAILURE", seconds=60)

    assert "name one with label=" in explanation(stage, task_id)["error"]["detail"]
