"""The oracle of the fault harness: each kind of broken promise is seen in a journal that has it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from chaos.findings import Measured, findings
from chaos.layout import Layout
from chaos.pictures import Harm, Picture, drawn
from chaos.run import Run, Scenario
from chaos.service import OURS
from chaos.stack import Stack
from petiole.chaos.findings import Findings
from petiole.chaos.journal import Accepted, Attempt, End

RNG = np.random.default_rng(3)


def nothing(_run: Run) -> None:
    """Nothing is done."""


SCENARIO = Scenario("nothing", nothing)


class Story:
    """A run whose journal is written by hand: one picture, accepted and answered rightly."""

    def __init__(self, directory: Path) -> None:
        """Write the first job."""
        self.run = Run(Stack(directory, Layout(), OURS), RNG)
        self.run.begun_at = self.run.healed_at = monotonic()
        self.picture = drawn(RNG)
        self.executions = Counter({self.picture.fingerprint: 1})
        self.answered(self.picture, "job")

    def answered(self, picture: Picture, task_id: str, *, state: str = "SUCCESS") -> None:
        """Write down that a picture was accepted and ended, with its own label."""
        journal = self.run.journal
        prediction = {"label": picture.label, "probability": picture.probability}
        document = {"state": state, "predictions": [prediction]}
        journal.attempts.append(Attempt(monotonic(), "POST", 202, 0.01))
        journal.accepted[task_id] = Accepted(monotonic(), picture)
        journal.ends[task_id] = End(monotonic(), state, document)

    def row(self, **measured: object) -> Findings:
        """Return what the oracle finds."""
        seen = Measured(self.executions, rate_before=30.0, rate_after=30.0, left=())
        return findings(SCENARIO, self.run, replace(seen, **measured))  # type: ignore[arg-type]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A run in which every promise was kept."""
    return Story(tmp_path)


def test_a_kept_promise_breaks_nothing(story: Story) -> None:
    """One picture in, its answer out, nothing left."""
    row = story.row()

    assert (row.accepted, row.answered, row.lost, row.doubled) == (1, 1, 0, 0)
    assert row.broken == ()


def test_a_job_without_an_end_is_lost(story: Story) -> None:
    """Accepted, and nobody has seen it end."""
    del story.run.journal.ends["job"]

    assert story.row().broken == ("1 lost",)


def test_an_answer_of_another_picture_is_wrong(story: Story) -> None:
    """Also where both pictures have the same label: the probability tells them apart."""
    other = replace(story.picture, probability=story.picture.probability - 0.01)
    story.answered(other, "job")
    story.run.journal.accepted["job"] = Accepted(monotonic(), story.picture)

    assert story.row().broken == ("1 wrong",)


def test_an_answer_without_an_execution_is_wrong(story: Story) -> None:
    """Nobody looked at the picture, so nobody can know its label."""
    story.executions.clear()

    assert story.row().broken == ("1 wrong",)


def test_a_success_without_predictions_is_wrong(story: Story) -> None:
    """Its client was told that all went well, and learns nothing."""
    story.run.journal.ends["job"] = End(monotonic(), "SUCCESS", {"state": "SUCCESS"})

    assert story.row().broken == ("1 wrong",)


def test_a_failure_of_a_sound_picture_is_false(story: Story) -> None:
    """What happened to the service is not the picture's fault."""
    story.answered(story.picture, "job", state="FAILURE")

    assert story.row().broken == ("1 falsely failed",)


def test_a_failure_of_a_harmful_picture_is_right(story: Story) -> None:
    """It crashes whoever takes it; three attempts are allowed, and no fourth."""
    poison = drawn(RNG, Harm.SEGFAULT)
    story.answered(poison, "poison", state="FAILURE")
    story.executions[poison.fingerprint] = 3
    after_three = story.row().broken
    story.executions[poison.fingerprint] = 4

    assert after_three == ()
    assert story.row().broken == ("a harmful picture was tried 4 times",)


def test_an_execution_too_many_is_doubled(story: Story) -> None:
    """Unless something that was killed had the picture in hand."""
    story.executions[story.picture.fingerprint] = 2
    row = story.row()
    story.run.faults.redone = 1

    assert row.broken == ("1 doubled, 0 are excused",)
    assert story.row().broken == ()


def test_a_refused_picture_may_not_be_classified(story: Story) -> None:
    """Its client was told to send it again."""
    story.run.journal.refused.append(story.picture)

    assert story.row().broken == ("1 refused pictures were classified",)


@pytest.mark.parametrize(
    ("status", "broken"),
    [
        (200, ()),
        (503, ()),
        (500, ("1 answers 500",)),
        (404, ("1 answers 404",)),
        (0, ("1 no answer",)),
    ],
)
def test_an_answer_is_a_result_or_a_polite_refusal(
    story: Story, status: int, broken: tuple[str, ...]
) -> None:
    """500, a forgotten job and silence are neither."""
    story.run.journal.attempts.append(Attempt(monotonic(), "GET", status, 0.1))

    assert broken == story.row().broken


def test_a_slow_answer_breaks_the_promise(story: Story) -> None:
    """The API answers within two seconds, whatever it says."""
    story.run.journal.attempts.append(Attempt(monotonic(), "GET", 503, 2.5))

    assert story.row().broken == ("the API took 2.5 s",)


def test_less_throughput_afterwards_breaks_the_promise(story: Story) -> None:
    """A child that never came back shows in the last burst."""
    assert story.row(rate_after=15.0).broken == ("throughput 15/s afterwards, 30/s before",)


def test_what_is_left_and_what_changed_is_named(story: Story) -> None:
    """Uploads, messages, processes; and an end that became another one."""
    story.run.journal.changed.append("job")

    assert story.row(left=("left: 2 uploads",)).broken == ("1 ends changed", "left: 2 uploads")
