"""What `petiole chaos` makes of what it saw: each kind of broken promise is found."""

from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from petiole.chaos import golden, outcome, table
from petiole.chaos.errors import RefusedError
from petiole.chaos.findings import Findings
from petiole.chaos.golden import Sent
from petiole.chaos.installation import Installation
from petiole.chaos.journal import Accepted, Attempt, End
from petiole.chaos.run import Asked, Fault, Run

NOWHERE = Installation("http://127.0.0.1:1", (), None, why_no_jobs="nobody can look")
NOTHING = Fault("nothing", "Nothing.", "Nothing.", lambda _: None, 1.0, recovers_within=7.0)
ANSWERS = {0: ("red", 0.9), 1: ("green", 0.6), 2: ("red", 0.7)}


def document(number: int, filename: str, *, version: int = 1, off: float = 0.0) -> dict[str, Any]:
    """Return what the API says of a picture."""
    label, probability = ANSWERS[number]
    return {
        "state": "SUCCESS",
        "model": "colours",
        "model_version": version,
        "runtime": "openvino",
        "filename": filename,
        "predictions": [{"label": label, "probability": probability + off}],
    }


class Story:
    """A run whose journal is written by hand: three pictures, answered in calm and afterwards."""

    def __init__(self) -> None:
        """Write the first answers, and learn from them."""
        self.run = Run("http://127.0.0.1:1", Asked("", "", 100, 20), recovers_within=7.0)
        learnt = [(Sent(n, f"{n}.png"), document(n, f"{n}.png")) for n in ANSWERS]
        self.run.answers = golden.learnt(learnt)
        self.run.begun_at = self.run.healed_at = monotonic()

    def answered(self, number: int, said: dict[str, Any]) -> None:
        """Write down that a picture was accepted and what its end was."""
        journal = self.run.journal
        task_id = f"job-{len(journal.accepted)}"
        journal.attempts.append(Attempt(monotonic(), "POST", 202, 0.01))
        journal.accepted[task_id] = Accepted(monotonic(), Sent(number, f"{task_id}.png"))
        journal.ends[task_id] = End(monotonic(), said["state"], said)

    def row(self) -> Findings:
        """Return what is found."""
        return outcome.row_of(NOTHING, self.run, NOWHERE, rate_after=0.0, whole=True)


@pytest.fixture
def story() -> Story:
    """One picture that was answered as in calm."""
    story = Story()
    story.answered(0, document(0, "job-0.png", off=0.001))
    return story


def test_a_kept_promise_breaks_nothing(story: Story) -> None:
    """Also where a label is a little less probable, as on another processor."""
    row = story.row()

    assert (row.accepted, row.answered, row.lost, row.wrong, row.broken) == (1, 1, 0, 0, ())


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, document(1, "job-1.png")),
        (0, document(2, "job-1.png")),
        (0, document(0, "job-0.png")),
    ],
    ids=["another label", "the same label of another picture", "another picture's file"],
)
def test_an_answer_of_another_picture_is_wrong(
    story: Story, number: int, said: dict[str, Any]
) -> None:
    """Whatever tells them apart."""
    story.answered(number, said)

    assert story.row().broken == ("1 wrong",)


def test_an_answer_of_a_new_version_is_no_wrong_one(story: Story) -> None:
    """What it ought to be nobody knows; it is said how many there are."""
    story.answered(0, document(1, "job-1.png", version=2))

    assert story.row().broken == ()
    assert story.run.remarks == [
        "1 answers are of colours@2 on openvino, which did not answer in calm: not compared"
    ]


def test_what_is_late_lost_failed_or_impolite_is_named(story: Story) -> None:
    """Each in a word of its own."""
    journal, run = story.run.journal, story.run
    story.answered(1, {"state": "FAILURE", "filename": "job-1.png"})
    journal.accepted["lost"] = Accepted(monotonic(), Sent(2, "lost.png"))
    journal.ends["job-0"] = replace(journal.ends["job-0"], at=run.healed_at + 9.0)
    journal.attempts.append(Attempt(monotonic(), "POST", 503, 0.01, retry_after="2"))
    journal.attempts.append(Attempt(monotonic(), "POST", 503, 0.01))

    assert story.row().broken == (
        "1 lost",
        "1 falsely failed",
        "recovery 9.0 s, promised 7 s",
        "1 refusals did not say when to come again",
    )


def test_what_nobody_counted_is_no_number(story: Story) -> None:
    """Executions are known from job records only, and losses when somebody waited."""
    whole = table.cells(story.row())
    cut = table.cells(replace(story.row(), lost=None))

    assert dict(zip(table.HEAD, whole, strict=True))["doubled"] == "not counted"
    assert dict(zip(table.HEAD, cut, strict=True))["lost"] == "not counted"
    assert (whole[-1], cut[-1]) == ("yes", "interrupted")


def test_a_picture_between_two_labels_is_left_out() -> None:
    """Where they are equally probable, either is right; the others are compared nevertheless."""
    seen = [(Sent(n, ""), document(n, "")) for n in (0, 1)]
    learnt = golden.learnt([*seen, (Sent(0, ""), document(0, "") | {"predictions": BLUE})])

    assert learnt.numbers == [1]


def test_a_model_that_says_something_else_each_time_is_refused() -> None:
    """Nobody could call an answer wrong."""
    first, second = document(0, ""), document(0, "") | {"predictions": BLUE}
    with pytest.raises(RefusedError, match="name another one with --model"):
        golden.learnt([(Sent(0, ""), first), (Sent(0, ""), second)])


BLUE = [{"label": "blue", "probability": 0.9}]


def test_pictures_that_are_answered_alike_are_counted() -> None:
    """A mix-up of them shows in the file's name only; as files no two are alike."""
    seen = [(Sent(n, ""), document(min(n, 1), "")) for n in (0, 1, 2)]

    assert golden.learnt(seen).alike == 1
    assert len(set(golden.drawn())) == golden.HUES
