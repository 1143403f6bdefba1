"""The process that fine-tunes: `python -m training.learning.fine_tuning_worker FOLDER`.

It prints `steps done` and `steps in all` after each step, and leaves a checkpoint after each epoch.
Order and pieces of an epoch depend on the seed and the epoch only, and TensorFlow is told to be
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
from training.learning import backbones, graphs
from training.learning.backbone import Backbone, Request
from training.learning.fine_tuning import CHECKPOINT, FINISHED, HEAD, RECIPE, WEIGHTS, Recipe, save
from training.pictures import augmentation, sources
from training.pictures.augmentation import Pieces
from training.pictures.sources import Reader

# How slowly the means of gradients and of their squares follow, and what keeps the division finite.
FIRST_DECAY, SECOND_DECAY, EPSILON = 0.9, 0.999, 1e-8

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


class Trainer:
    """Head and last layers of a backbone under gradient descent by Adam.

    Attributes:
        curves: Mean loss and accuracy over the pictures of each epoch that is over, as its steps
            found them; the loss with smoothed labels and weighted.

    Source: Kingma and Ba 2015, "Adam", the order of computation at the end of section 2.
    """

    def __init__(
        self, recipe: Recipe, backbone: Backbone, head: dict[str, NDArray[np.float32]]
    ) -> None:
        """Start from the backbone and from a head that was trained on it."""
        self._backbone = backbone
        self._model = backbone.keras_model
        self._head = [tf.Variable(head["weights"]), tf.Variable(head["bias"])]
        self._changing = [*_last_variables(self._model, recipe.layers), *self._head]
        self._means = [tf.Variable(tf.zeros_like(variable)) for variable in self._changing]
        self._squares = [tf.Variable(tf.zeros_like(variable)) for variable in self._changing]
        self._smoothing = recipe.label_smoothing
        self._label_weights = tf.constant(recipe.label_weights, tf.float32)
        self.curves: list[NDArray[np.float32]] = []

    @property
    def state(self) -> list[Any]:
        """Everything that a step changes."""
        return [*self._changing, *self._means, *self._squares]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(
        self, images: tf.Tensor, truth: tf.Tensor, rate: tf.Tensor, number: tf.Tensor
    ) -> tf.Tensor:
        """Take step `number`, from 1, on uint8 images [N, H, W, 3] with class indices [N].

        Returns the loss and the accuracy before it, [2].

        Batch normalisation keeps its statistics: those of a few pictures would be worse.
        """
        with tf.GradientTape() as tape:
            logits = self._logits(images)
            loss = self._loss(logits, truth)
        gradients = tape.gradient(loss, self._changing)
        corrected = rate * tf.sqrt(1 - SECOND_DECAY**number) / (1 - FIRST_DECAY**number)
        moments = zip(self._changing, self._means, self._squares, gradients, strict=True)
        for variable, mean, square, gradient in moments:
            mean.assign(FIRST_DECAY * mean + (1 - FIRST_DECAY) * gradient)
            square.assign(SECOND_DECAY * square + (1 - SECOND_DECAY) * tf.square(gradient))
            variable.assign_sub(corrected * mean / (tf.sqrt(square) + EPSILON))
        is_right = tf.argmax(logits, axis=1) == truth
        return tf.stack([loss, tf.reduce_mean(tf.cast(is_right, tf.float32))])

    def _logits(self, images: tf.Tensor) -> tf.Tensor:
        features = graphs.features(self._backbone.network, self._backbone, images)
        return features @ self._head[0] + self._head[1]

    def _loss(self, logits: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
        doubt = self._smoothing / logits.shape[-1]
        wanted = tf.one_hot(truth, logits.shape[-1], 1 - self._smoothing + doubt, doubt)
        losses = tf.nn.softmax_cross_entropy_with_logits(wanted, logits)
        return tf.reduce_mean(losses * tf.gather(self._label_weights, truth))

    def result(self) -> dict[str, NDArray[np.float32]]:
        """Return the curves, the head, and the backbone's weights numbered in Keras' order."""
        variables = enumerate(self._model.weights)
        weights = {f"{WEIGHTS}{i:05}": np.asarray(variable.value) for i, variable in variables}
        head = {"weights": self._head[0].numpy(), "bias": self._head[1].numpy()}
        return {"curves": np.array(self.curves), **head, **weights}


def main(directory: Path) -> None:
    """Follow the recipe of a folder, from its last checkpoint if there is one."""
    tf.config.experimental.enable_op_determinism()
    recipe = Recipe.read(directory / RECIPE)
    weights = Path(recipe.weights) if recipe.weights else None
    backbone = backbones.find(Request(recipe.reference, recipe.input_size, weights))
    with np.load(directory / HEAD) as arrays:
        trainer = Trainer(recipe, backbone, dict(arrays))
    _restore(trainer, directory / CHECKPOINT)
    pictures = sources.open_to_read(recipe.image_dir)
    for epoch in range(len(trainer.curves), recipe.epochs):
        found, sizes = zip(*_steps(trainer, recipe, backbone, pictures, epoch), strict=True)
        trainer.curves.append(np.average(found, axis=0, weights=sizes))
        _keep(trainer, directory / CHECKPOINT)
    save(directory / FINISHED, trainer.result())


def _steps(
    trainer: Trainer, recipe: Recipe, backbone: Backbone, pictures: Reader, epoch: int
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Take all steps of an epoch, and yield what each returns and how many pictures it took."""
    steps = math.ceil(len(recipe.pictures) / recipe.batch_size)
    batches = _batches(recipe, backbone, pictures, epoch)
    for i, (images, truth) in enumerate(batches, start=epoch * steps):
        rate = rate_of(i, recipe.learning_rate, warm_up=steps, steps=recipe.epochs * steps)
        numbers = (tf.constant(number, tf.float32) for number in (rate, i + 1))
        yield trainer.step(tf.constant(images), tf.constant(truth), *numbers).numpy(), len(truth)
        # Fails when the reader is gone, which ends this process as well.
        print(i + 1, recipe.epochs * steps, flush=True)  # noqa: T201


def rate_of(step: int, highest: float, *, warm_up: int, steps: int) -> float:
    """Return the rate of a step from 0: half a cosine from `highest` to 0, damped at first.

    Adam's first steps are as long as the rate, whatever the gradient, so they start small. The
    cosine falls meanwhile: of few epochs the largest rate is less than `highest` (5: 0.9 of it).

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without restarts; warm-up as in Goyal et
    al. 2017, section 2.2.
    """
    return highest * min(1, (step + 1) / warm_up) * (1 + math.cos(math.pi * step / steps)) / 2


def _last_variables(model: Any, layers: int) -> list[Any]:
    return [v.value for layer in model.layers[-layers:] for v in layer.trainable_weights]


def _batches(recipe: Recipe, backbone: Backbone, pictures: Reader, epoch: int) -> Iterator[Batch]:
    """Yield every picture once in an order of this epoch's own, each as a piece of its own.

    The next batch is made while the last one is learned from.
    """
    pieces = Pieces(recipe.least_area, recipe.flip_left_right, recipe.seed)
    order = np.random.default_rng([recipe.seed, epoch]).permutation(len(recipe.pictures))

    def image(i: int) -> NDArray[np.uint8]:
        path, digest, _ = recipe.pictures[i]
        upload = sources.read_unchanged(pictures, path, digest)
        return augmentation.piece(upload, backbone.spec, pieces, epoch)

    batches = [order[i : i + recipe.batch_size] for i in range(0, len(order), recipe.batch_size)]
    with ThreadPoolExecutor(available_cores()) as pool:
        ahead = pool.map(image, batches[0])
        for i, batch in enumerate(batches):
            images = np.stack(list(ahead))
            ahead = pool.map(image, batches[i + 1] if i + 1 < len(batches) else ())
            yield images, np.array([recipe.pictures[j][2] for j in batch])


def _restore(trainer: Trainer, path: Path) -> None:
    """Put a checkpoint into the trainer, if there is one."""
    if not path.exists():
        return
    with np.load(path) as arrays:
        for i, variable in enumerate(trainer.state):
            variable.assign(arrays[f"v{i:04}"])
        trainer.curves = list(arrays["curves"])


def _keep(trainer: Trainer, path: Path) -> None:
    arrays = {f"v{i:04}": variable.numpy() for i, variable in enumerate(trainer.state)}
    save(path, {**arrays, "curves": np.array(trainer.curves)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
