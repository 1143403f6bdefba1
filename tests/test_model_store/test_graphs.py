"""What graphs have in common: normalised pixels, and variables made constants."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model_store import PreprocessingSpec

pytest.importorskip("tensorflow")
ROOT = Path(__file__).parents[2]


def test_pixels_are_normalised_channel_by_channel() -> None:
    """(x - mean) / scale in float32, by hand: (255 - 55) / 100, (255 - 5) / 50, (255 - 0) / 255."""
    from model_store import graphs

    spec = PreprocessingSpec(1, 1.0, mean=(55.0, 5.0, 0.0), scale=(100.0, 50.0, 255.0))
    found = graphs.normalised(np.full((1, 1, 1, 3), 255, np.uint8), spec).numpy()

    assert (found.dtype, [2.0, 5.0, 1.0]) == (np.float32, found.ravel().tolist())


def test_a_frozen_function_answers_as_before_and_reads_no_variable() -> None:
    """A variable that changes afterwards does not change it."""
    import tensorflow as tf

    from model_store import graphs

    variable = tf.Variable(3.0)
    traced = tf.function(lambda x: x * variable).get_concrete_function(
        tf.TensorSpec((), tf.float32)
    )
    frozen = graphs.frozen(traced)
    variable.assign(5.0)

    assert [float(answer) for answer in frozen(tf.constant(2.0))] == [6.0]
    assert frozen.captured_inputs == []


def test_the_reference_runtime_does_not_load_scikit_learn() -> None:
    """Keras would, where it is installed: a quarter of the time that a worker's start takes."""
    program = "import model_store.runtimes.tensorflow, sys; sys.exit('sklearn' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False)

    assert ended.returncode == 0
