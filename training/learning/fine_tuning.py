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

import numpy as np
from numpy.typing import NDArray

from training import whole
from training.errors import BackboneUnavailableError, TrainingError
from training.learning.backbones import Backbone
from training.learning.dense import Dense, counting
from training.pictures.data import Picture
from training.pictures.inspection import Advance
from training.settings import TrainingSettings

JOB, HEAD, CHECKPOINT, FINISHED = "job.json", "head.npz", "checkpoint.npz", "finished.npz"

# What the names of the backbone's weights begin with.
WEIGHTS = "backbone_"

# Counts up when an equal job would end with other weights than before.
_RECIPE_VERSION = 1


@dataclass(frozen=True)
class Job:
    """All that decides the result of fine-tuning; equal jobs end with equal weights.

    Attributes:
        image_dir: Where the pictures are; the only field that does not matter to the result.
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
    def read(cls, path: Path) -> "Job":
        """Return the job of a folder."""
        document = json.loads(path.read_text("utf-8"))
        pictures = tuple((path, digest, int(index)) for path, digest, index in document["pictures"])
        weights = tuple(document["label_weights"])
        return cls(**document | {"pictures": pictures, "label_weights": weights})


@dataclass(frozen=True, eq=False)
class Tuned:
    """What fine-tuning ends with.

    Attributes:
        backbone: The backbone with its new weights.
        dense: The head that learned along with it.
        losses: Mean loss of each epoch, in nats, with smoothed labels and weighted.
        accuracies: Share of the pieces that each epoch got right.
    """

    backbone: Backbone
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
    """Return the backbone after its last layers learned from the training pictures, with its head.

    Args:
        settings: How to.
        backbone: Where to start; its Keras model gets the new weights.
        pictures: The training pictures, and no others.
        truth: The class index of each.
        dense: The head that was trained on the frozen backbone, to start from.
        advance: Called with the number of steps that are done and of all.

    Raises:
        BackboneUnavailableError: see `weights_of`.
        TrainingError: the process ended early.
    """
    weights_of(backbone)
    job = _job(settings, backbone, pictures, truth, classes=len(dense.bias))
    directory = _prepare(settings.bottleneck_dir / "fine-tuning", job, dense)
    if not (directory / FINISHED).exists():
        _run(directory, advance)
    with np.load(directory / FINISHED) as arrays:
        weights = [arrays[name] for name in sorted(arrays) if name.startswith(WEIGHTS)]
        head = Dense(arrays["weights"], arrays["bias"])
        losses, accuracies = arrays["curves"].T.tolist()
    backbone.keras_model.set_weights(weights)
    name, identity = f"{backbone.name} fine-tuned", _identity(weights)
    return Tuned(replace(backbone, name=name, identity=identity), head, losses, accuracies)


def weights_of(backbone: Backbone) -> list[NDArray[np.float32]]:
    """Return copies of the backbone's weights, in Keras' order.

    Raises:
        BackboneUnavailableError: it is no Keras model, so its layers cannot be changed.
    """
    if backbone.keras_model is None:
        raise BackboneUnavailableError(
            f"{backbone.name} cannot be fine-tuned; use efficientnet-lite0 or keras:NAME"
        )
    weights: list[NDArray[np.float32]] = backbone.keras_model.get_weights()
    return weights


def _job(
    settings: TrainingSettings,
    backbone: Backbone,
    pictures: Sequence[Picture],
    truth: NDArray[np.int64],
    *,
    classes: int,
) -> Job:
    weights = np.zeros(classes)
    weights[truth] = counting(truth, classes=classes, balance=settings.class_balance)
    rows = zip(pictures, truth, strict=True)
    return Job(
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


def _prepare(root: Path, job: Job, dense: Dense) -> Path:
    facts = asdict(replace(job, image_dir="", weights=""))
    facts["recipe"] = _RECIPE_VERSION
    facts["pictures"] = [[digest, index] for _, digest, index in job.pictures]
    digest = hashlib.sha256(json.dumps(facts).encode())
    digest.update(dense.weights.tobytes() + dense.bias.tobytes())
    directory = root / digest.hexdigest()[:16]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / JOB).write_text(json.dumps(asdict(job)), "utf-8")
    save(directory / HEAD, {"weights": dense.weights, "bias": dense.bias})
    return directory


def _run(directory: Path, advance: Advance) -> None:
    command = [sys.executable, "-m", "training.learning.fine_tuning_worker", str(directory)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    with (
        (directory / "errors.txt").open("w") as errors,
        subprocess.Popen(  # noqa: S603 - our own module
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                done, total = map(int, line.split())
                advance(done, total)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        last = (directory / "errors.txt").read_text().strip().rpartition("\n")[2]
        raise TrainingError(
            f"fine-tuning ended with code {process.returncode} ({last}); the same command goes on "
            f"from its last checkpoint; all it said is in {directory / 'errors.txt'}"
        )


def save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays so that the file is there whole or not at all."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    whole.write(path, stream.getvalue())


def _identity(weights: Sequence[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in weights:
        digest.update(array.tobytes())
    return digest.hexdigest()
