"""The whole command on drawn pictures: what it prints, writes and publishes."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest

from model_store import ModelStore, serving
from tests.conftest import ROOT
from tests.test_training.conftest import (
    COLOURS,
    SERVICE,
    FinishedRun,
    constants,
    fill,
    run_program,
)


def _store(run: FinishedRun) -> ModelStore:
    return ModelStore.open(run.store_url)


def _page(run: FinishedRun) -> Path:
    (line,) = [x for x in run.ended.stdout.splitlines() if x.startswith("Report: ")]
    return Path(urlparse(line.removeprefix("Report: ")).path)


def test_a_run_ends_with_a_published_version(finished_run: FinishedRun) -> None:
    """And with the lines that say how to use it."""
    assert finished_run.ended.returncode == 0, finished_run.ended.stderr
    assert "Published drawn@1.\nIt classifies with:\n" in finished_run.ended.stdout
    assert "In production" not in finished_run.ended.stdout
    assert re.search(
        rf"curl -F 'image=@.+' '{SERVICE}/classify\?wait=10&model=drawn@1'",
        finished_run.ended.stdout,
    )


def test_the_printed_call_works_as_it_stands(finished_run: FinishedRun) -> None:
    """With a picture that the model has not learned from, whose name is quoted."""
    (call,) = re.findall(r"^  (.* label-image .*)$", finished_run.ended.stdout, re.MULTILINE)
    environment = {**os.environ, "PETIOLE_MODELS_STORE_URL": finished_run.store_url}
    ended = subprocess.run(
        shlex.split(call), cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert re.fullmatch(r"((< 0| *\d+)\.\d %  .+\n)+", ended.stdout)


def test_the_card_has_labels_preprocessing_and_metrics_of_the_run(
    finished_run: FinishedRun,
) -> None:
    """Names of folders as they are, in sorted order; what the report says about quality."""
    card = _store(finished_run).card("drawn", 1)

    assert card.labels == ("blue sky", "красный", "玫瑰")
    assert (card.preprocessing.input_size, card.origin.kind) == (32, "training")
    assert {"top1", "temperature"} <= card.metrics.keys()


def test_every_runtime_gets_a_float32_variant(finished_run: FinishedRun) -> None:
    """Held against the SavedModel on golden pictures and on pictures of the test set."""
    variants = _store(finished_run).card("drawn", 1).variants

    choices = [variant.choice for variant in variants]
    assert choices == ["tensorflow:float32", "litert:float32", "openvino:float32"]
    assert all(variant.serves and variant.same_top1 == 1.0 for variant in variants)


def test_int8_variants_are_made_when_asked_for(finished_run: FinishedRun) -> None:
    """The same model with them is another version; here are too few test pictures for them."""
    for flags in ((), ("--int8",), ("--int8",)):
        assert finished_run.train_here(*flags, "--name", "small") == 0

    assert _store(finished_run).versions("small") == (1, 2)
    card = _store(finished_run).card("small", 2)
    variants = {variant.choice: variant for variant in card.variants}
    tested = int(card.metrics["test_pictures"])
    for choice in ("litert:int8", "openvino:int8"):
        assert not variants[choice].serves
        assert f"judged on {tested} real pictures only" in variants[choice].reason


def test_the_version_knows_pictures_it_has_not_seen(finished_run: FinishedRun) -> None:
    """Served by the fastest runtime, from the bytes of a file."""
    model = serving.load(_store(finished_run), "drawn")
    unseen = fill(finished_run.root / "unseen", "玫瑰", 3, first=900)

    assert [model.classify(p.read_bytes(), k=1)[0].label for p in unseen] == ["玫瑰"] * 3


def test_the_report_is_where_the_run_says(finished_run: FinishedRun) -> None:
    """It names the version; the JSON beside it has the same numbers for machines."""
    page = _page(finished_run)
    document = json.loads(page.with_suffix(".json").read_text("utf-8"))

    assert "drawn@1" in page.read_text("utf-8")
    assert document["run"]["version"] == 1
    assert document["run"]["data"]["counts"]["玫瑰"].keys() == {"training", "validation", "testing"}


def test_every_event_of_the_run_is_in_a_file(finished_run: FinishedRun) -> None:
    """One JSON document a line, from the start to the report."""
    (file,) = (finished_run.root / "runs").glob("drawn-*/events.jsonl")
    events = [json.loads(line)["event"] for line in file.read_text("utf-8").splitlines()]

    assert (events[0], events[-1]) == ("run started", "run finished")
    assert {"data checked", "head trained", "evaluated", "published", "report written"} <= set(
        events
    )


def test_the_labels_file_is_in_class_order(finished_run: FinishedRun) -> None:
    """One label a line as retrain.py wrote them, but not lower-cased to ASCII."""
    assert (finished_run.root / "labels.txt").read_text("utf-8") == "".join(
        f"{label}\n" for label in sorted(COLOURS)
    )


def test_the_saved_model_is_the_published_one(finished_run: FinishedRun) -> None:
    """Also with a final tensor name of one's own, which broke retrain.py's export."""
    import tensorflow as tf

    written = tf.saved_model.load(str(finished_run.root / "saved_model"))
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    found = written.signatures["serving_default"](images=tf.constant(images))["probabilities"]

    served = serving.load(_store(finished_run), "drawn").predict(images)
    assert np.abs(found.numpy() - served).max() < 1e-4


def test_summaries_are_what_tensorboard_reads(finished_run: FinishedRun) -> None:
    """Loss and accuracy for both parts, histograms of the layer for one."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (run,) = (finished_run.root / "summaries").iterdir()
    tags = EventAccumulator(str(run / "train")).Reload().Tags()["tensors"]

    assert {"cross_entropy", "accuracy", "weights/histogram", "biases/mean"} <= set(tags)
    assert (run / "validation").is_dir()


def test_a_second_run_keeps_what_the_first_wrote(
    finished_run: FinishedRun, capfd: pytest.CaptureFixture[str]
) -> None:
    """The features are known, the summaries of the first run stay, and the model is the same."""
    before = sorted((finished_run.root / "summaries").iterdir())
    code = finished_run.train_here(
        *("--summaries_dir", str(finished_run.root / "summaries"), "--no-publish"),
        *("--saved_model_dir", str(finished_run.root / "again")),
    )

    assert code == 0
    assert "Nothing was published." in capfd.readouterr().out
    assert set(before) < set((finished_run.root / "summaries").iterdir())
    one, other = (finished_run.root / name / "saved_model.pb" for name in ("saved_model", "again"))
    assert constants(one) == constants(other)


def test_the_same_command_does_not_publish_the_same_model_again(
    finished_run: FinishedRun, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor does one that was killed after it had published; it names the version that is there."""
    code = finished_run.train_here()

    said = capfd.readouterr()
    assert code == 0
    assert "drawn@1 is this model already, so it is not published again" in said.err
    assert "drawn@1 is this model already; nothing new was published.\n" in said.out
    assert "Published" not in said.out
    assert _store(finished_run).versions("drawn") == (1,)


def test_a_later_version_says_what_is_in_production(
    finished_run: FinishedRun, capfd: pytest.CaptureFixture[str]
) -> None:
    """It serves those who name it; the command that promotes it is printed."""
    for flags in ((), ("--class_balance", "none", "--how_many_training_steps", "9")):
        assert finished_run.train_here("--name", "later", *flags) == 0

    said = capfd.readouterr().out
    assert "Published later@2.\n" in said
    assert "In production is still later@1. To put later@2 there:" in said
    assert "petiole models promote later@2\n" in said


def test_the_accuracy_has_its_interval(finished_run: FinishedRun) -> None:
    """Below the line of retrain.py, and with the ends that the report has."""
    document = _page(finished_run).with_suffix(".json").read_text("utf-8")
    top1 = json.loads(document)["evaluation"]["top1"]

    assert re.search(
        rf"^Final test accuracy = {100 * top1['value']:.1f}% \(N=\d+\)\n"
        rf"  95% interval {100 * top1['low']:.1f}% to {100 * top1['high']:.1f}%$",
        finished_run.ended.stdout,
        re.MULTILINE,
    )


def test_a_failed_gate_publishes_nothing(
    finished_run: FinishedRun, capfd: pytest.CaptureFixture[str]
) -> None:
    """It exits with 1 and the reason, still writes the report, and none of the other files."""
    labels = finished_run.root / "never.txt"
    # One step on one picture knows one label.
    code = finished_run.train_here(
        *(
            "--how_many_training_steps",
            "1",
            "--train_batch_size",
            "1",
            "--not_worse_than_production",
        ),
        *("--assert_accuracy_at_least", "0.99", "--output_labels", str(labels)),
    )

    said = capfd.readouterr().out
    assert code == 1
    assert re.search(r"Gate failed: top-1 accuracy is .*that of drawn@1 is 1.0000", said)
    assert "Report: file:" in said
    assert _store(finished_run).versions("drawn") == (1,)
    assert not labels.exists()


def test_a_check_only_looks(finished_run: FinishedRun, capfd: pytest.CaptureFixture[str]) -> None:
    """It prints the split and writes nothing but what a later run can use."""
    code = finished_run.train_here("--check", "--runs_dir", str(finished_run.root / "none"))

    said = capfd.readouterr().out
    assert code == 0
    assert "72 pictures are fine, 0 were set aside\nTo train and publish:\n" in said
    assert "--check" not in said
    assert all(label in said for label in COLOURS)
    assert not (finished_run.root / "none").exists()


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--image_dir", "/nowhere"), 2, "image_dir is /nowhere, which does not exist"),
        (("--image_dir", "https://a/b"), 2, "it is an address; give s3://bucket/prefix or what"),
        (("--split", "folder"), 1, "split is folder, but there are no folders called train"),
        (("--name", "No Name"), 2, "name is 'No Name'; give --name"),
        (("--validation_percentage", "0"), 2, "validation_percentage is 0"),
        (("--output_graph", "/"), 2, "output_graph is /, where no file can be written"),
        (("--output_labels", f"{__file__}/b.txt"), 2, "b.txt, where no file can be written"),
        (("--saved_model_dir", f"{__file__}/a"), 2, "which cannot be made; give another"),
        (("--runs_dir", f"{__file__}/a"), 2, "which cannot be made: Not a directory; give another"),
        (("--bottleneck_dir", "/proc/a"), 2, "--bottleneck_dir or PETIOLE_TRAINING_DIRECTORY"),
    ],
)
def test_what_cannot_work_is_one_line(
    finished_run: FinishedRun,
    capfd: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    """No traceback, and the exit code says whose fault it is."""
    assert finished_run.train_here(*flags) == code
    assert message in capfd.readouterr().err


def test_the_module_is_the_same_command(tmp_path: Path) -> None:
    """`python -m training` takes the same flags."""
    fill(tmp_path / "p", "rose", 4)
    ended = run_program("training", "--image_dir", str(tmp_path / "p"), "--check")

    assert ended.returncode == 1
    assert "python -m training: found 1 label folder(s) (rose)" in ended.stderr
