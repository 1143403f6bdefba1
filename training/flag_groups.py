"""The flags of `petiole train` as `--help` shows them: in groups, and the rare ones on demand."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Group:
    """Flags that belong together: `common` ones are in every help, `rare` ones in the whole."""

    title: str
    common: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()


GROUPS = (
    Group(
        "pictures",
        common=("image_dir", "check"),
        rare=("split", "testing_percentage", "validation_percentage", "bottleneck_dir"),
    ),
    Group(
        "network",
        common=("backbone", "fine_tune"),
        rare=("tfhub_module", "backbone_weights", "input_size"),
    ),
    Group(
        "how it is judged",
        common=("cross_validate", "foreign"),
        rare=("print_misclassified_test_images", "keep_thumbnails"),
    ),
    Group(
        "what may be published",
        common=("name", "publish", "assert_accuracy_at_least", "not_worse_than_production"),
        rare=("min_recall", "int8"),
    ),
    Group(
        "files",
        common=("saved_model_dir",),
        rare=("output_graph", "output_labels", "final_tensor_name", "summaries_dir", "runs_dir"),
    ),
    Group("this run", common=("config", "print_config", "enqueue", "seed")),
    Group(
        "changed views of the pictures",
        rare=(
            *("flip_left_right", "random_crop", "random_scale", "random_brightness"),
            "augmented_views",
        ),
    ),
    Group(
        "the last layer",
        rare=(
            *("class_balance", "how_many_training_steps", "learning_rate", "train_batch_size"),
            "eval_step_interval",
        ),
    ),
    Group(
        "fine-tuning",
        rare=(
            *("fine_tune_epochs", "fine_tune_learning_rate", "fine_tune_batch_size"),
            *("fine_tune_layers", "fine_tune_least_area", "fine_tune_flip_left_right"),
            "label_smoothing",
        ),
    ),
)
WITHOUT_MEANING = "flags of retrain.py that mean nothing any more"


class Formatter(argparse.HelpFormatter):
    """Shows a flag once, however many spellings it has."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        flag = action.option_strings[-1] if action.dest == "help" else action.option_strings[0]
        if isinstance(action, argparse.BooleanOptionalAction):
            return f"--[no-]{flag.removeprefix('--')}"
        if action.nargs == 0:
            return flag
        if action.choices:
            return f"{flag} {'|'.join(map(str, action.choices))}"
        return f"{flag} {action.metavar or ''}".strip()


class Flags:
    """Adds flags to a parser, each in its group; of those that are hidden the help says nothing."""

    def __init__(self, parser: argparse.ArgumentParser, *, whole: bool) -> None:
        """Make the groups; without `whole` the rare flags are known, and `hidden`."""
        self._parser, self._whole = parser, whole
        self._groups: dict[str, Any] = {}
        self.hidden: set[str] = set()
        for group in GROUPS:
            self._place(group)

    def add(self, *spellings: str, dest: str, **options: Any) -> None:
        """Add one flag as `argparse` does."""
        if dest in self.hidden:
            options["help"] = argparse.SUPPRESS
        self._groups[dest].add_argument(*spellings, dest=dest, **options)

    def place_others(self, title: str, names: tuple[str, ...]) -> None:
        """Put flags that belong to no part of a training into a group of their own."""
        self._place(Group(title, rare=names))

    def _place(self, group: Group) -> None:
        place = self._parser.add_argument_group(group.title)
        self._groups |= dict.fromkeys((*group.common, *group.rare), place)
        if not self._whole:
            self.hidden |= set(group.rare)


class HelpAll(argparse.Action):
    """Prints the help with every flag and ends the program."""

    def __init__(self, *, whole: Callable[[], argparse.ArgumentParser], **options: Any) -> None:
        """Ask for the parser that shows all when it is wanted."""
        super().__init__(**options)
        self._whole = whole

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print it."""
        sys.stdout.write(self._whole().format_help())
        parser.exit()
