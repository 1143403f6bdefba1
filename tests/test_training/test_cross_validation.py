"""Cross-validation: folds by content, groups together, numbers that agree, nothing published."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_training.conftest import COLOURS, FinishedRun, check, draw, encode, fill
from training import cross_validation
from training.errors import DataError, SettingsError
from training.journal import Journal
from training.pictures import folds
from training.pictures.parts import SPLITS
from training.pictures.split import Split
from training.settings import TrainingSettings


def _folds(folder: Path, k: int = 4, percentage: int = 20) -> tuple[Split, ...]:
    return folds.assign(check(folder), folds=k, validation_percentage=percentage)


def _places(found: tuple[Split, ...]) -> list[set[str]]:
    """Return what each part of each fold holds, by content."""
    return [{p.digest for p in getattr(fold, name)} for fold in found for name in SPLITS]


def test_every_picture_judges_once(folder: Path) -> None:
    """And in each fold it is in one part and no other."""
    found = _folds(folder)

    everything = sorted(p.path for p in check(folder).pictures)
    assert sorted(p.path for fold in found for p in fold.testing) == everything
    for fold in found:
        assert sorted(p.path for name in SPLITS for p in getattr(fold, name)) == everything


def test_labels_are_spread_evenly(folder: Path) -> None:
    """Twelve pictures of each of three labels: three of each judge in each of four folds."""
    for fold in _folds(folder):
        counts = fold.counts(tuple(COLOURS)).values()
        assert all(tuple(parts[name] for name in SPLITS) == (8, 1, 3) for parts in counts)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_every_label_is_in_every_part_of_every_fold(tmp_path: Path, k: int) -> None:
    """As few pictures as are let in suffice, also beside a label with many."""
    fill(tmp_path / "p", "many", 30)
    for i in range(4):
        fill(tmp_path / "p", f"few {i}", max(k, 4))

    counts = [fold.counts(check(tmp_path / "p").labels) for fold in _folds(tmp_path / "p", k)]

    assert all(n > 0 for fold in counts for parts in fold.values() for n in parts.values())


def test_groups_never_straddle(folder: Path) -> None:
    """Variants by name and look-alikes by content are in one part of each fold."""
    for i in range(8):
        image = draw(9000 + i, side=120)
        (folder / "玫瑰" / f"{i} a.png").write_bytes(encode(image))
        (folder / "玫瑰" / f"{i} b.jpg").write_bytes(encode(image, "JPEG", quality=60))
        (folder / "красный" / f"plant_nohash_{i}.png").write_bytes(encode(draw(7000 + i)))

    groups = Counter(p.group for p in check(folder).pictures)

    assert sorted(n for n in groups.values() if n > 1) == [2] * 8 + [8]
    for fold in _folds(folder):
        held = [{p.group for p in getattr(fold, name)} for name in SPLITS]
        assert sum(map(len, held)) == len(set.union(*held)) == len(groups)


def test_a_large_group_does_not_choose_settings(folder: Path) -> None:
    """It would be most of the validation pictures; where it does not judge, it trains."""
    for i in range(9):
        (folder / "красный" / f"plant_nohash_{i}.png").write_bytes(encode(draw(7000 + i)))

    for fold in _folds(folder):
        assert not [p.path for p in fold.validation if "_nohash_" in p.path]


def test_moving_and_renaming_changes_no_fold(folder: Path, tmp_path: Path) -> None:
    """Neither the place nor the order of the files decides anything."""
    before = _places(_folds(folder))
    folder.rename(tmp_path / "another place")
    paths = sorted((tmp_path / "another place").rglob("*.png"))
    for i, path in enumerate(paths):
        path.rename(path.with_name(f"{len(paths) - i:03} renamed.png"))

    assert before == _places(_folds(tmp_path / "another place"))


def test_folds_choose_on_different_pictures(folder: Path) -> None:
    """Else one odd picture would choose the settings of every fold."""
    chosen = [frozenset(p.digest for p in fold.validation) for fold in _folds(folder)]

    assert len(set(chosen)) == 4


@pytest.mark.parametrize(("n", "k", "least"), [(3, 2, 4), (4, 5, 5)])
def test_a_label_too_small_is_refused_by_name(folder: Path, n: int, k: int, least: int) -> None:
    """The message has its number, the number that is needed and what to do."""
    fill(folder, "tiny", n)

    message = rf"tiny has {n} .* cross_validate {k} needs {least} of every label: add pictures"
    with pytest.raises(DataError, match=message):
        _folds(folder, k)


@pytest.mark.parametrize(
    "given",
    [
        {"check": True},
        {"output_graph": Path("graph.pb")},
        {"saved_model_dir": Path("out"), "output_labels": Path("labels.txt")},
        {"not_worse_than_production": True},
        {"testing_percentage": 20},
    ],
)
def test_what_needs_one_model_or_one_split_is_refused(
    tmp_path: Path, given: Mapping[str, Any]
) -> None:
    """Before anything is read, with the name of every such flag."""
    settings = TrainingSettings(image_dir=tmp_path, cross_validate=5, **given)

    with pytest.raises(SettingsError, match="leave out " + ", ".join(sorted(given))):
        cross_validation.run(settings, Journal())


def _documents(runs: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in runs.glob("*/cross_validation.json")]


@pytest.fixture(scope="module")
def crossed(finished_run: FinishedRun) -> tuple[Path, int, str]:
    """Three folds of the drawn pictures: the folder of runs, the exit code and what was printed."""
    runs = finished_run.root / "crossed"
    ended = finished_run.train("--cross_validate", "3", "--runs_dir", str(runs), "--min_recall=0")
    return runs, ended.returncode, ended.stdout


def test_the_table_has_the_numbers_of_the_document(crossed: tuple[Path, int, str]) -> None:
    """Every fold, the mean with its deviation, and the recall of each label."""
    runs, code, said = crossed
    (document,) = _documents(runs)
    shares = [fold["top1"] for fold in document["folds"]]
    accuracy, pooled = document["accuracy"], document["pooled"]

    assert code == 0
    assert [f"{100 * share:.1f}" for share in shares] == re.findall(r"^ +\d  +24 +(.*)%$", said, 8)
    mean, deviation = (100 * accuracy[name] for name in ("mean", "standard_deviation"))
    assert f"Cross-validated accuracy = {mean:.1f}% ± {deviation:.1f}% (K=3, N=72)" in said
    assert pooled["top1"]["value"] == pytest.approx(sum(shares) / 3)
    for label, recall in pooled["recall"].items():
        assert re.search(rf"^{label} +24  {100 * recall['value']:.1f}%, 95% interval", said, 8)


def test_the_document_says_what_was_measured_on(
    crossed: tuple[Path, int, str], finished_run: FinishedRun
) -> None:
    """The settings, the pictures and how many of them trained, chose and judged in each fold."""
    (document,) = _documents(crossed[0])

    assert document["settings"]["cross_validate"] == 3
    assert document["data_fingerprint"] == check(finished_run.pictures).fingerprint
    parts = ("trained_on", "chosen_on", "pictures")
    # A tenth of the 16 pictures of a label outside the fold is one.
    assert [tuple(fold[name] for name in parts) for fold in document["folds"]] == [(45, 3, 24)] * 3


def test_nothing_is_published_or_written_beside_the_numbers(
    crossed: tuple[Path, int, str], finished_run: FinishedRun, tmp_path: Path
) -> None:
    """A store that did not exist still does not, and the run has no model in its folder."""
    other, runs = tmp_path / "untouched store", tmp_path / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finished_run, "store_url", str(other))
        code = finished_run.train_here("--cross_validate", "2", "--runs_dir", str(runs))

    assert (code, other.exists()) == (0, False)
    assert {path.name for path in runs.glob("*/*")} == {"cross_validation.json", "events.jsonl"}
    assert "Nothing was published." in crossed[2]


def test_the_gate_judges_all_answers(
    finished_run: FinishedRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One step on one picture knows one label: a third of the answers, and exit code 1."""
    code = finished_run.train_here(
        *("--cross_validate", "2", "--runs_dir", str(tmp_path)),
        *("--how_many_training_steps", "1", "--train_batch_size", "1"),
        *("--assert_accuracy_at_least", "0.9", "--min_recall", "0.5"),
    )

    said = capfd.readouterr().out
    assert code == 1
    assert re.search(r"Gate failed: top-1 accuracy is 0.*at_least is 0.9; recall of .* is 0", said)


class _Interruption:
    """A person who presses Ctrl-C when the first fold is done."""

    def event(self, name: str, fields: Mapping[str, Any]) -> None:
        """Interrupt after the first fold."""
        if name == "fold finished":
            raise KeyboardInterrupt


def _cross_validate(pictures: Path, hub: Path, place: Path, *listeners: _Interruption) -> None:
    settings = TrainingSettings(
        image_dir=pictures,
        cross_validate=3,
        tfhub_module=str(hub),
        flip_left_right=True,
        bottleneck_dir=place / "cache",
        runs_dir=place / "runs",
    )
    cross_validation.run(settings, Journal(*listeners))


def test_an_interrupted_run_goes_on(
    finished_run: FinishedRun, hub_folder: Path, tmp_path: Path
) -> None:
    """The second call computes no features again and ends with the numbers of an unbroken one."""
    broken, unbroken = tmp_path / "broken", tmp_path / "unbroken"
    with pytest.raises(KeyboardInterrupt):
        _cross_validate(finished_run.pictures, hub_folder, broken, _Interruption())
    known = len(_digests(broken))
    _cross_validate(finished_run.pictures, hub_folder, broken)
    _cross_validate(finished_run.pictures, hub_folder, unbroken)

    assert known > 0
    assert max(Counter(_digests(broken)).values()) == 1
    (one,), (other,) = _documents(broken / "runs"), _documents(unbroken / "runs")
    assert (one["folds"], one["pooled"]) == (other["folds"], other["pooled"])


def _digests(place: Path) -> list[tuple[Path, bytes]]:
    """Return the view and the picture of each row of features that was ever computed."""
    paths = place.rglob("features/*/*.npy")
    return [(path.parent, key.tobytes()) for path in paths for key in np.load(path)["key"]]
