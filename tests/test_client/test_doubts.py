"""What the client makes of an answer that says how far it can be trusted."""

from petiole.classified_output import CsvRows, OnePicture, doubts
from petiole.client import ClassifiedTask, Outcome
from petiole.client.answers import task_of

TIMINGS = {"queued": 1, "download": 0, "decode": 1, "predict": 1, "total": 3}
ANSWER = {
    "task_id": "1",
    "state": "SUCCESS",
    "model": "flowers",
    "model_version": 1,
    "runtime": "openvino",
    "filename": "dog.jpg",
    "predictions": [{"label": "rose", "class_index": 0, "probability": 0.8}],
    "timings_ms": TIMINGS,
}


def test_doubts_are_members_of_an_answer() -> None:
    """And None where the service says nothing of them."""
    said = {"verdict": "uncertain", "label_set": ["rose", "tulip"], "novelty": 0.4}
    task, plain = task_of({**ANSWER, **said}), task_of(ANSWER)

    assert isinstance(task, ClassifiedTask)
    assert isinstance(plain, ClassifiedTask)
    assert (task.verdict, task.label_set, task.novelty) == ("uncertain", ("rose", "tulip"), 0.4)
    assert (plain.verdict, plain.label_set, plain.novelty) == (None, None, None)


def test_training_pictures_that_look_like_it_are_named(capsys) -> None:
    """In a line for people, in a column for programs; a picture without labels has a row too."""
    near = [
        {"number": 3, "label": "rose", "distance": 0.1},
        {"number": 7, "label": "tulip", "distance": 0.25, "name": "a.jpg"},
    ]
    OnePicture().add("dog.jpg", Outcome(0, "dog.jpg", task_of({**ANSWER, "neighbours": near})))
    nothing = task_of({**ANSWER, "predictions": [], "neighbours": near})
    rows: list[str] = []
    CsvRows(rows.append).add("dog.jpg", Outcome(0, "dog.jpg", nothing))

    assert "looks like rose (no. 3, 0.100), tulip (a.jpg, 0.250)\n" in capsys.readouterr().out
    assert rows[1:] == ['dog.jpg,,,,,flowers,1,1,,,,"rose (no. 3, 0.100), tulip (a.jpg, 0.250)"']


def test_a_person_reads_it_in_words(capsys) -> None:
    """Below the labels of a picture."""
    said = {"verdict": "unknown", "label_set": ["rose"], "novelty": 0.01}
    OnePicture().add("dog.jpg", Outcome(0, "dog.jpg", task_of({**ANSWER, **said})))

    assert "unknown: like nothing that it was trained on; 1.0 % of its own look as strange" in (
        capsys.readouterr().out
    )
    assert doubts("uncertain", ("rose", "tulip"), 0.4) == "uncertain: rose or tulip"
    assert doubts(None, None, None) is None
