"""Fine-tuning: the top of the backbone learns too, in a process of its own that may be killed.

The process has all cores for TensorFlow, which this one keeps to a single thread so that variants
are measured as a worker runs them. What it needs and what it leaves lies in one folder, named after
everything that decides the result, so the same call goes on where a killed one was.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from training import whole
from training.errors import BackboneUnavailableError, TrainingError
from training.journal import Advance
from training.learning.backbone import Backbone, Weights
from training.learning.dense import Dense, counting
from training.pictures.data import Picture
from training.settings import TrainingSettings

RECIPE, HEAD, CHECKPOINT, FINISHED = "recipe.json", "head.npz", "checkpoint.npz", "finished.npz"

# What the names of the backbone's weights begin with.
WEIGHTS = "backbone_"

# Counts up when an equal recipe would end with other weights than before.
_RECIPE_VERSION = 1


@dataclass(frozen=True)
class Recipe:
    """All that decides the result of fine-tuning; equal ones end with equal weights.

    Attributes:
        image_dir: The place of their source; the only field that does not matter to the result.
        reference: The backbone.
        input_size: As in `backbones.Request`.
        weights: As in `backbones.Request`; empty for none.
        identity: That of the backbone before fine-tuning.
        pictures: Path, digest and class index of each training picture.
        epochs: How often every picture is seen.
        batch_size: Pictures in a step.
        learning_rate: The highest one; see `rate_of`.
        layers: How many of the last layers change.
        label_weights: How much a picture of each class counts, 1 on average over the pictures.
        label_smoothing: Share of certainty that is taken away.
        least_area: As in `augmentation.Pieces`.
        flip_left_right: As in `augmentation.Pieces`.
        seed: Decides order and pieces.
    """

    image_dir: str
    reference: str
    input_size: int | None
    weights: str
    identity: str
    pictures: tuple[tuple[str, str, int], ...]
    epochs: int
    batch_size: int
    learning_rate: float
    layers: int
    label_weights: tuple[float, ...]
    label_smoothing: float
    least_area: float
    flip_left_right: bool
    seed: int

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Return what a file says."""
        document = json.loads(path.read_text("utf-8"))
        pictures = tuple((path, digest, int(index)) for path, digest, index in document["pictures"])
        weights = tuple(document["label_weights"])
        return cls(**document | {"pictures": pictures, "label_weights": weights})


@dataclass(frozen=True, eq=False)
class Tuned:
    """What fine-tuning ends with.

    Attributes:
        weights: The backbone's new weights, in Keras' order.
        dense: The head that learned along with it.
        losses: Mean loss of each epoch, in nats, with smoothed labels and weighted.
        accuracies: Share of the pieces that each epoch got right.
    """

    weights: Weights
    dense: Dense
    losses: list[float]
    accuracies: list[float]


def tuned(
    settings: TrainingSettings,
    backbone: Backbone,
    pictures: Sequence[Picture],
    truth: NDArray[np.int64],
    dense: Dense,
    *,
    advance: Advance,
) -> Tuned:
    """Return what the last layers and the head are after they learned from the training pictures.

    Args:
        settings: How to; `image_dir` is the place of the pictures' source.
        backbone: Where to start; it stays as it is. One that `refuse_closed` lets pass.
        pictures: The training pictures, and no others.
        truth: The class index of each.
        dense: The head that was trained on the frozen backbone, to start from.
        advance: Called with the number of steps that are done and of all.

    Raises:
        TrainingError: the process ended early.
    """
    recipe = _recipe(settings, backbone, pictures, truth, classes=len(dense.bias))
    directory = _prepare(settings.bottleneck_dir / "fine-tuning", recipe, dense)
    if not (directory / FINISHED).exists():
        _run(directory, advance)
    with np.load(directory / FINISHED) as arrays:
        weights = [arrays[name] for name in sorted(arrays) if name.startswith(WEIGHTS)]
        head = Dense(arrays["weights"], arrays["bias"])
        losses, accuracies = arrays["curves"].T.tolist()
    return Tuned(weights, head, losses, accuracies)


def refuse_closed(backbone: Backbone) -> None:
    """Make sure that the backbone can be fine-tuned.

    Raises:
        BackboneUnavailableError: it is no Keras model, so its layers cannot be changed.
    """
    if backbone.keras_model is None:
        raise BackboneUnavailableError(
            f"{backbone.name} cannot be fine-tuned; use efficientnet-lite0 or keras:NAME"
        )


def _recipe(
    settings: TrainingSettings,
    backbone: Backbone,
    pictures: Sequence[Picture],
    truth: NDArray[np.int64],
    *,
    classes: int,
) -> Recipe:
    weights = np.zeros(classes)
    weights[truth] = counting(truth, classes=classes, balance=settings.class_balance)
    rows = zip(pictures, truth, strict=True)
    return Recipe(
        image_dir=str(settings.image_dir),
        reference=settings.backbone_reference,
        input_size=settings.input_size,
        weights=str(settings.backbone_weights or ""),
        identity=backbone.identity,
        # By content, so that another place or another name means the same order.
        pictures=tuple(sorted(((p.path, p.digest, int(i)) for p, i in rows), key=lambda r: r[1])),
        epochs=settings.fine_tune_epochs,
        batch_size=settings.fine_tune_batch_size,
        learning_rate=settings.fine_tune_learning_rate,
        layers=settings.fine_tune_layers,
        label_weights=tuple(weights.tolist()),
        label_smoothing=settings.label_smoothing,
        least_area=settings.fine_tune_least_area,
        flip_left_right=settings.fine_tune_flip_left_right,
        seed=settings.seed,
    )


def _prepare(root: Path, recipe: Recipe, dense: Dense) -> Path:
    facts = asdict(replace(recipe, image_dir="", weights=""))
    facts["recipe"] = _RECIPE_VERSION
    facts["pictures"] = [[digest, index] for _, digest, index in recipe.pictures]
    digest = hashlib.sha256(json.dumps(facts).encode())
    digest.update(dense.weights.tobytes() + dense.bias.tobytes())
    directory = root / digest.hexdigest()[:16]
    directory.mkdir(parents=True, exist_ok=True)
    whole.write(directory / RECIPE, json.dumps(asdict(recipe)).encode())
    save(directory / HEAD, {"weights": dense.weights, "bias": dense.bias})
    return directory


def _run(directory: Path, advance: Advance) -> None:
    # Of its own: another run of the same recipe may be here, and its errors are not ours.
    errors = directory / f"errors-{uuid4().hex[:8]}.txt"
    code = _code(directory, errors, advance)
    if code != 0:
        last = errors.read_text().strip().rpartition("\n")[2]
        raise TrainingError(
            f"fine-tuning ended with code {code} ({last}); the same command goes on from its last "
            f"checkpoint; all it said is in {errors}"
        )
    errors.unlink()


def _code(directory: Path, errors: Path, advance: Advance) -> int:
    """Run the process to its end and return its exit code; it ends with this one."""
    command = [sys.executable, "-m", "training.learning.fine_tuning_worker", str(directory)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    with (
        errors.open("w") as stream,
        subprocess.Popen(  # noqa: S603 - our own module
            command, stdout=subprocess.PIPE, stderr=stream, text=True, env=environment
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                done, total = map(int, line.split())
                advance(done, total)
        except BaseException:
            process.kill()
            raise
    return process.returncode


def save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays so that the file is there whole or not at all."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    whole.write(path, stream.getvalue())
