"""The command line and the configuration file: retrain.py's flags under their old names."""

import tomllib
from pathlib import Path

import pytest

from training import flag_groups, flags
from training.errors import SettingsError
from training.settings import TrainingSettings

# Source: tensorflow/hub, examples/image_retraining/retrain.py.
FLAGS_OF_RETRAIN = {
    "image_dir": "flowers",
    "output_graph": "old/g.pb",
    "intermediate_output_graphs_dir": "old/i",
    "intermediate_store_frequency": "0",
    "output_labels": "old/l.txt",
    "summaries_dir": "old/s",
    "how_many_training_steps": "4000",
    "learning_rate": "0.01",
    "testing_percentage": "10",
    "validation_percentage": "10",
    "eval_step_interval": "10",
    "train_batch_size": "100",
    "test_batch_size": "-1",
    "validation_batch_size": "100",
    "bottleneck_dir": "old/b",
    "final_tensor_name": "final_result",
    "random_crop": "0",
    "random_scale": "0",
    "random_brightness": "0",
    "tfhub_module": "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/3",
    "saved_model_dir": "old/m",
    "logging_verbosity": "INFO",
    "checkpoint_path": "old/c",
}
SWITCHES_OF_RETRAIN = ("print_misclassified_test_images", "flip_left_right")


def _parse(*arguments: str) -> tuple[TrainingSettings, tuple[str, ...]]:
    said = flags.parse(arguments, program="petiole train")
    return said.settings, said.ignored


def test_every_flag_of_retrain_is_accepted() -> None:
    """An old command line runs, and a flag without meaning says so."""
    pairs = [word for name, value in FLAGS_OF_RETRAIN.items() for word in (f"--{name}", value)]

    settings, ignored = _parse(*pairs, *(f"--{name}" for name in SWITCHES_OF_RETRAIN))

    assert settings.how_many_training_steps == 4000
    assert settings.flip_left_right
    assert len(ignored) == 6
    assert all(" is ignored: " in sentence for sentence in ignored)


def test_dashes_are_as_good_as_underscores() -> None:
    """Both spellings of a flag mean the same."""
    assert _parse("--image-dir", "a", "--random-crop", "5") == _parse(
        "--image_dir", "a", "--random_crop", "5"
    )


def test_flags_go_before_the_file(tmp_path: Path) -> None:
    """What is not said on the command line comes from the file."""
    config = tmp_path / "train.toml"
    config.write_text('image_dir = "flowers"\nrandom_crop = 5\nrandom_scale = 6\n')

    settings, _ = _parse("--config", str(config), "--random_crop", "7")

    assert (settings.random_crop, settings.random_scale) == (7, 6)


def test_a_switch_in_the_file_can_be_turned_off(tmp_path: Path) -> None:
    """Every switch has a flag for its opposite."""
    config = tmp_path / "train.toml"
    config.write_text('image_dir = "flowers"\nflip_left_right = true\n')

    settings, _ = _parse("--config", str(config), "--no-flip_left_right")

    assert not settings.flip_left_right


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "image_dir is missing"),
        (("--image_dir", "a", "--testing_percentage", "0"), "testing_percentage is 0"),
        (
            ("--image_dir", "a", "--testing_percentage", "60", "--validation_percentage", "60"),
            "take 120 percent",
        ),
        (("--image_dir", "a", "--final_tensor_name", "a b"), "final_tensor_name is 'a b'"),
        (("--config", "/nowhere.toml"), "config is /nowhere.toml"),
    ],
)
def test_a_wrong_value_is_named(arguments: tuple[str, ...], message: str) -> None:
    """What, value and expectation are in one line."""
    with pytest.raises(SettingsError, match=message):
        _parse(*arguments)


def test_a_mistyped_line_of_the_file_is_not_ignored(tmp_path: Path) -> None:
    """The message names it."""
    config = tmp_path / "train.toml"
    config.write_text('image_dir = "a"\nlearning_rat = 1\n')

    with pytest.raises(SettingsError, match="learning_rat"):
        _parse("--config", str(config))


def test_the_example_file_has_every_field_with_its_default() -> None:
    """Comments say what each field means; fields without default are commented out."""
    text = flags.as_toml()
    defaults = {
        name: field.default
        for name, field in TrainingSettings.model_fields.items()
        if field.default is not None and not field.is_required()
    }

    assert {n: TrainingSettings.model_fields[n].annotation for n in tomllib.loads(text)} == {
        n: TrainingSettings.model_fields[n].annotation for n in defaults
    }
    assert TrainingSettings(image_dir=Path("a")) == TrainingSettings(
        **{"image_dir": "a", **tomllib.loads(text)}
    )


def test_the_printed_file_can_be_given_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--print_config` writes it and stops; with it and one flag a run has every default."""
    with pytest.raises(SystemExit) as ended:
        _parse("--print_config")
    config = tmp_path / "train.toml"
    config.write_text(capsys.readouterr().out, "utf-8")

    assert ended.value.code == 0
    assert _parse("--config", str(config), "--image_dir", "a") == _parse("--image_dir", "a")


def _help(flag: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        _parse(flag)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_every_field_is_in_one_group() -> None:
    """A new one has to say where it belongs, and whether most need it."""
    placed = [name for group in flag_groups.GROUPS for name in (*group.common, *group.rare)]

    assert len(placed) == len(set(placed))
    assert set(placed) - {"config", "print_config", "enqueue"} == set(TrainingSettings.model_fields)


def test_the_help_fits_a_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flags that most need, each once, in groups; and where the others are."""
    monkeypatch.setenv("COLUMNS", "100")
    said = _help("--help", capsys)

    assert len(said.splitlines()) <= 50
    assert "--image_dir PATH " in said
    assert "--[no-]fine_tune " in said
    assert "random_crop" not in said
    assert "train --help-all` shows" in said


def test_help_all_has_every_flag_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Those of retrain.py that mean nothing, too."""
    lines = [line.split() for line in _help("--help-all", capsys).splitlines()]
    shown = [words[0] for words in lines if words and words[0].startswith("--")]
    names = [each.removeprefix("--").removeprefix("[no-]") for each in shown]

    assert len(names) == len(set(names))
    assert {*TrainingSettings.model_fields, *flags.WITHOUT_MEANING} <= set(names)
