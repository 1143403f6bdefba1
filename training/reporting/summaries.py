"""TensorBoard summaries of a run, below a folder of its own; nothing that is there is deleted.

retrain.py emptied the whole folder it was given.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from model_store import preprocessing
from model_store.card import PreprocessingSpec
from model_store.errors import ImageError
from training.judging.evaluation import Mistake
from training.learning.dense import Dense
from training.learning.head import Curves

_SHOWN = PreprocessingSpec(input_size=224, crop_fraction=1.0)


def write(directory: Path, dense: Dense, curves: Curves) -> None:
    """Write loss and accuracy to `train` and `validation`; the layer's histograms to `train`."""
    for part, prefix in (("train", "training"), ("validation", "validation")):
        writer = tf.summary.create_file_writer(str(directory / part))
        with writer.as_default():
            _scalars(curves.values[f"{prefix}_loss"], "cross_entropy")
            _scalars(curves.values[f"{prefix}_accuracy"], "accuracy")
            if part == "train":
                _variable("weights", dense.weights, step=len(curves.steps))
                _variable("biases", dense.bias, step=len(curves.steps))
        writer.close()


def write_mistakes(
    directory: Path, mistakes: Sequence[Mistake], *, pictures: Callable[[str], bytes]
) -> None:
    """Write the test pictures that got a wrong label to `testing`.

    One that cannot be read any more is left out; the model is published by then.
    """
    writer = tf.summary.create_file_writer(str(directory / "testing"))
    with writer.as_default():
        for i, mistake in enumerate(mistakes):
            try:
                pixels = preprocessing.prepare(pictures(mistake.path), _SHOWN)
            except (OSError, ImageError):
                continue
            title = f"misclassified/{mistake.true_label} taken for {mistake.predicted_label}"
            tf.summary.image(title, pixels[None], step=i)
    writer.close()


def _scalars(values: Sequence[float], name: str) -> None:
    for step, value in enumerate(values):
        tf.summary.scalar(name, value, step=step)


def _variable(name: str, values: np.ndarray, *, step: int) -> None:
    tf.summary.histogram(f"{name}/histogram", values, step=step)
    for kind in ("mean", "std", "min", "max"):
        tf.summary.scalar(f"{name}/{kind}", getattr(values, kind)(), step=step)
