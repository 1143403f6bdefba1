"""The process that fine-tunes: `python -m training.fine_tuning_worker FOLDER`.

It prints `steps done` and `steps in all` after each step, and leaves a checkpoint after each epoch.
Order and views of an epoch depend on the seed and the epoch only, and TensorFlow is told to be
deterministic, so a run that was killed ends with the same weights as one that was not.
"""

import math
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from model_store.settings import available_cores
from training import augmentation, backbones, sources
from training.augmentation import Augmentation
from training.backbones import Backbone, Request
from training.fine_tuning import CHECKPOINT, FINISHED, HEAD, JOB, Job, save

MOMENTUM = 0.9

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


class Trainer:
    """Head and last layers of a backbone under gradient descent with momentum."""

    def __init__(self, job: Job, backbone: Backbone, head: dict[str, NDArray[np.float32]]) -> None:
        """Start from the backbone and from a head that was trained on it."""
        self._spec = backbone.spec
        self._model = backbone.keras_model
        self._head = [tf.Variable(head["weights"]), tf.Variable(head["bias"])]
        self._changing = [*_last_variables(self._model, job.layers), *self._head]
        self._speeds = [tf.Variable(tf.zeros_like(variable)) for variable in self._changing]
        self._smoothing = job.label_smoothing

    @property
    def state(self) -> list[Any]:
        """Everything that a step changes."""
        return [*self._changing, *self._speeds]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(self, images: tf.Tensor, truth: tf.Tensor, rate: tf.Tensor) -> None:
        """Take one step on uint8 images [N, H, W, 3] with class indices [N].

        Batch normalisation keeps its statistics: those of a few pictures would be worse.
        """
        with tf.GradientTape() as tape:
            normalised = (tf.cast(images, tf.float32) - self._spec.mean) / self._spec.scale
            features = self._model(normalised, training=False)
            logits = features @ self._head[0] + self._head[1]
            classes = logits.shape[-1]
            wanted = tf.one_hot(
                truth,
                classes,
                1 - self._smoothing + self._smoothing / classes,
                self._smoothing / classes,
            )
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, logits))
        gradients = tape.gradient(loss, self._changing)
        for variable, speed, gradient in zip(self._changing, self._speeds, gradients, strict=True):
            speed.assign(MOMENTUM * speed - rate * gradient)
            variable.assign_add(speed)

    def weights(self) -> list[NDArray[np.float32]]:
        """Return the backbone's weights in Keras' order."""
        return [np.asarray(variable.value) for variable in self._model.weights]


def main(directory: Path) -> None:
    """Do the job of a folder, from its last checkpoint if there is one."""
    tf.config.experimental.enable_op_determinism()
    job = Job.read(directory / JOB)
    weights = Path(job.weights) if job.weights else None
    backbone = backbones.find(Request(job.reference, job.input_size, weights))
    with np.load(directory / HEAD) as arrays:
        trainer = Trainer(job, backbone, dict(arrays))
    steps = math.ceil(len(job.pictures) / job.batch_size)
    for epoch in range(_restored(trainer, directory / CHECKPOINT), job.epochs):
        for i, (images, truth) in enumerate(_batches(job, backbone, epoch), start=epoch * steps):
            rate = cosine(job.learning_rate, i, job.epochs * steps)
            trainer.step(tf.constant(images), tf.constant(truth), tf.constant(rate, tf.float32))
            # Fails when the reader is gone, which ends this process as well.
            print(i + 1, job.epochs * steps, flush=True)  # noqa: T201
        _keep(trainer, directory / CHECKPOINT, epoch + 1)
    save(directory / FINISHED, {f"w{i:04}": array for i, array in enumerate(trainer.weights())})


def cosine(highest: float, step: int, steps: int) -> float:
    """Return the rate of a step: `highest` at first, then down to 0 along half a cosine.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without restarts.
    """
    return highest * (1 + math.cos(math.pi * step / steps)) / 2


def _last_variables(model: Any, layers: int) -> list[Any]:
    """Return the variables of the last layers, without those of batch normalisation."""
    chosen = [layer for layer in model.layers[-layers:] if "BatchNorm" not in type(layer).__name__]
    return [variable.value for layer in chosen for variable in layer.trainable_weights]


def _batches(job: Job, backbone: Backbone, epoch: int) -> Iterator[Batch]:
    """Yield every picture once in an order of this epoch's own, each as a view of its own."""
    source = sources.open_source(Path(job.image_dir))
    changes = Augmentation(**job.augmentation)
    order = np.random.default_rng([job.seed, epoch]).permutation(len(job.pictures))

    def image(i: int) -> NDArray[np.uint8]:
        upload = source.read(job.pictures[i][0])
        return augmentation.view(upload, backbone.spec, changes, epoch)

    with ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, len(order), job.batch_size):
            some = order[start : start + job.batch_size]
            images = np.stack(list(pool.map(image, some)))
            yield images, np.array([job.pictures[i][2] for i in some])


def _restored(trainer: Trainer, path: Path) -> int:
    """Put a checkpoint into the trainer; return how many epochs it has behind it."""
    if not path.exists():
        return 0
    with np.load(path) as arrays:
        for i, variable in enumerate(trainer.state):
            variable.assign(arrays[f"v{i:04}"])
        return int(arrays["epoch"])


def _keep(trainer: Trainer, path: Path, epoch: int) -> None:
    arrays = {f"v{i:04}": variable.numpy() for i, variable in enumerate(trainer.state)}
    save(path, {**arrays, "epoch": np.array(epoch)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
